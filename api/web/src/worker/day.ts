/** The day in figures: which share of the promises will be kept, and when trouble comes. */
import { isDone, type Van } from "./fleet";
import type { Day, Quarter } from "./protocol";

const QUARTER = 15 * 60_000;
/** Quarters of an hour shown at most: a day. */
const QUARTERS_MAX = 96;
/** Length of the stretch that is named the worst, quarters. */
const STRETCH = 5;
/** Fewer stops in danger than this in a stretch are not worth a word. */
const WORTH = 3;

export function day(list: readonly Van[], now: number, whole: boolean): Day {
  const quarters = new Map<number, Quarter>();
  const figures = { promised: 0, share: 0, stops: 0, done: 0, kept: 0 };
  for (const van of list) {
    for (const visit of van.visits) {
      figures.stops++;
      const done = isDone(visit) || visit.state === "arrived";
      if (done) figures.done++;
      const reached = visit.arrived ?? visit.departed;
      const late = reached !== undefined && visit.closes !== undefined && reached > visit.closes;
      if (visit.closes !== undefined && visit.state !== "skipped") {
        figures.promised++;
        if (!done) figures.kept += 1 - (visit.miss ?? 0);
        else if (!late && visit.state !== "failed") figures.kept++;
      }
      const at = done ? reached : visit.p50;
      if (at === undefined || Math.abs(at - now) > QUARTER * QUARTERS_MAX) continue;
      const quarter = of(quarters, Math.floor(at / QUARTER) * QUARTER);
      if (done) {
        quarter.done++;
        if (late) quarter.doneLate++;
      } else if (visit.status === "late") quarter.late++;
      else if (visit.status === "at_risk") quarter.risk++;
      else quarter.ok++;
    }
  }
  const sorted = [...quarters.values()].sort((a, b) => a.at - b.at).slice(-QUARTERS_MAX);
  const share = figures.promised === 0 ? 1 : figures.kept / figures.promised;
  const { promised, stops, done } = figures;
  return { promised, share, stops, done, quarters: sorted, worst: worst(sorted, now), whole };
}

function of(quarters: Map<number, Quarter>, at: number): Quarter {
  let quarter = quarters.get(at);
  if (quarter === undefined) {
    quarter = { at, done: 0, doneLate: 0, ok: 0, risk: 0, late: 0 };
    quarters.set(at, quarter);
  }
  return quarter;
}

function worst(quarters: readonly Quarter[], now: number): Day["worst"] {
  let best: Day["worst"];
  const ahead = quarters.filter((q) => q.at + QUARTER > now);
  for (const first of ahead) {
    const within = ahead.filter((q) => q.at >= first.at && q.at < first.at + STRETCH * QUARTER);
    const stops = within.reduce((sum, q) => sum + q.late + q.risk, 0);
    if (stops < WORTH || (best !== undefined && best.stops >= stops)) continue;
    const bad = within.filter((q) => q.late + q.risk > 0);
    best = { from: bad[0]!.at, to: bad[bad.length - 1]!.at + QUARTER, stops };
  }
  return best;
}
