/** Is the day fine, who needs me now, when will trouble come? */
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { day } from "../../format";
import { t } from "../../messages/translate";
import { Shell } from "../../parts/shell";
import { go } from "../../state/address";
import { open, pressing } from "../../state/exceptions";
import { onKey } from "../../state/keyboard";
import { connection, neighbour, nowCoarse, resets, select, selectedId, tell } from "../../state/live";
import { say } from "../../state/notices";
import { session } from "../../state/session";
import { layout } from "../../state/theme";
import { Counts, Figure, FILTERS, toggle } from "./counts";
import { MapPane } from "./mappane";
import { Needs, TOP } from "./needs";
import { PhoneLive } from "./phone";
import { SearchBox } from "./search";
import { Strip } from "./strip";
import { reveal, Vans } from "./vans";

/** Moves the selection along the list. */
async function step(by: 1 | -1, box: HTMLElement | null): Promise<void> {
  const { vehicle, index } = await neighbour(selectedId.value, by);
  if (vehicle === null) return;
  select(vehicle);
  reveal(box, vehicle, index, true);
}

function liveKeys(key: string, box: HTMLElement | null): boolean {
  const filter = FILTERS[Number(key) - 1];
  if (filter !== undefined) {
    toggle(filter);
    return true;
  }
  switch (key) {
    case "j": case "J": case "ArrowDown": void step(1, box); return true;
    case "k": case "K": case "ArrowUp": void step(-1, box); return true;
    case "o": case "O":
      if (selectedId.value !== null) go(`/van/${encodeURIComponent(selectedId.value)}`);
      return selectedId.value !== null;
    case "Escape": {
      const id = selectedId.value;
      if (id === null) return false;
      select(null);
      box?.querySelector<HTMLElement>(`[data-van="${CSS.escape(id)}"]`)?.focus();
      return true;
    }
    default: return false;
  }
}

/** What changed, for those who do not see it. */
export function useAnnouncements(): void {
  useEffect(() => {
    let known: Set<string> | null = null;
    const problems = effect(() => {
      const ids = new Set(open.value.map((e) => e.id));
      const fresh = known === null ? 0 : [...ids].filter((id) => !known!.has(id)).length;
      known = ids;
      if (fresh > 0) say(t("{n, plural, one {# new problem} other {# new problems}}", { n: fresh }));
    });
    let before = connection.peek();
    const state = effect(() => {
      const after = connection.value;
      if (after === "live" && (before === "reconnecting" || before === "offline")) say(t("Live again"));
      before = after;
    });
    let seen = resets.peek();
    const reset = effect(() => {
      if (resets.value > seen) say(t("All data was read anew"));
      seen = resets.value;
    });
    return () => {
      problems();
      state();
      reset();
    };
  }, []);
}

/** Watches the vans of the problems that are shown. */
export function useWatch(most: number): void {
  useEffect(() => effect(() => {
    const wanted = pressing.value.slice(0, most).map((e) => ({ key: e.id, vehicle: e.vehicle, stop: e.stop }));
    tell({ kind: "watch", wanted });
  }), [most]);
}

function Today() {
  return <span class="date">{day(nowCoarse.value)}</span>;
}

export function Live() {
  const list = useRef<HTMLDivElement>(null);
  useAnnouncements();
  useWatch(TOP + 4);
  useEffect(() => onKey((key) => liveKeys(key, list.current)), []);
  const bar = (
    <>
      <h1 class="cut">{session.value?.tenant ?? "Milepost"}</h1>
      <Today />
      <SearchBox />
    </>
  );
  if (layout.value === "phone") return <Shell screen="live" bar={null}><PhoneLive /></Shell>;
  return (
    <Shell screen="live" bar={bar}>
      <div class="live">
        <div class="side scroll" ref={list}>
          <Figure />
          <Counts />
          <Needs />
          <Vans scroller={list} />
        </div>
        <MapPane />
        <Strip />
      </div>
    </Shell>
  );
}
