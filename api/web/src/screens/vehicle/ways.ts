/** The way along the road to each stop, where the server knows it. */
import { signal } from "@preact/signals";
import { ask, type RouteLine } from "../../api/client";
import type { Ways } from "../../map/route";
import type { Detail } from "../../worker/protocol";

const known = signal<{ key: string; ways: Ways } | null>(null);
/** What was asked for last; what failed is not asked for again until the van has another next stop. */
let asked = "";

/** The ways of a van's route as far as they are known; asks for them where they are not. */
export function waysOf(van: Detail): Ways | undefined {
  const key = `${van.route ?? ""} ${van.version} ${van.next?.stop ?? ""}`;
  if (van.route !== undefined && key !== asked) {
    asked = key;
    ask<RouteLine>(`/v1/routes/${encodeURIComponent(van.route)}/line`).then(
      (line) => { known.value = { key, ways: new Map(line.legs.map((leg) => [leg.stop, leg.coordinates])) }; },
      // Straight lines stand in for it.
      () => {},
    );
  }
  return known.value?.key === key ? known.value.ways : undefined;
}
