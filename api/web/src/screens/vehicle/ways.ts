/** The way along the road to each stop, where the server knows it. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask } from "../../api/client";
import type { Ways } from "../../map/route";
import type { Detail } from "../../worker/protocol";

interface Line { legs: { stop: string; coordinates: [number, number][]; straight?: boolean }[] }
const known = signal<{ key: string; ways: Ways } | null>(null);
/** The server has no such resource: not asked again. */
let absent = false;

export function useWays(van: Detail): Ways | undefined {
  const next = van.next?.stop ?? "";
  const key = `${van.route ?? ""} ${van.version} ${next}`;
  useEffect(() => {
    if (absent || van.route === undefined || known.peek()?.key === key) return;
    ask<Line>(`/v1/routes/${encodeURIComponent(van.route)}/line`).then(
      (line) => { known.value = { key, ways: new Map(line.legs.map((leg) => [leg.stop, leg.coordinates])) }; },
      () => { absent = true; },
    );
  }, [key]);
  return known.value?.key === key ? known.value.ways : undefined;
}
