/** An expected arrival against what was promised, on a time axis that its neighbours share. */
import { clock, percent, span } from "../format";
import { t } from "../messages/translate";
import { statusWord, tone } from "../status";
import type { Visit } from "../worker/protocol";

export interface Axis {
  from: number;
  to: number;
}

/** Percent along an axis, kept inside. */
function place(at: number, axis: Axis): number {
  return Math.max(0, Math.min(100, ((at - axis.from) / (axis.to - axis.from)) * 100));
}

/** What a screen reader is told of a bar. */
export function barWords(visit: Visit): string {
  if (visit.p50 === undefined || visit.p10 === undefined || visit.p90 === undefined) return t("{place}, no expected time", { place: visit.name });
  const params = { place: visit.name, eta: clock(visit.p50), from: clock(visit.p10), to: clock(visit.p90), status: statusWord(visit.status) };
  if (visit.from === undefined || visit.closes === undefined) return t("{place}, expected {eta}, likely {from} to {to}, no window promised", params);
  return t("{place}, expected {eta}, likely {from} to {to}, promised {opens} to {closes}, {status}", { ...params, opens: clock(visit.from), closes: clock(visit.closes) });
}

export function Bar({ visit, axis, quiet = false }: { visit: Visit; axis: Axis; quiet?: boolean }) {
  const { p10, p50, p90, from, closes } = visit;
  const kind = quiet ? "nosignal" : tone(visit.status);
  const [x0, x1] = [p10 === undefined ? 0 : place(p10, axis), p90 === undefined ? 0 : place(p90, axis)];
  const [w0, w1] = [from === undefined ? 0 : place(from, axis), closes === undefined ? 0 : place(closes, axis)];
  const inside = (at: number | undefined) => at !== undefined && at >= axis.from && at <= axis.to;
  return (
    <div class="eta" role="img" aria-label={barWords(visit)}>
      {from !== undefined && closes !== undefined && w1 > w0 && (
        <i class="window" style={{ left: `${w0}%`, width: `${w1 - w0}%` }} data-from={inside(from)} data-to={inside(closes)} />
      )}
      {p10 !== undefined && p90 !== undefined && x1 > 0 && x0 < 100 && <Spread kind={kind} from={p10} to={p90} closes={closes} opens={from} axis={axis} />}
      {inside(p50) && <i class={x1 - x0 < 9 ? "p50 thin" : "p50"} style={{ left: `${place(p50!, axis)}%` }} />}
    </div>
  );
}

/** The likely span, solid inside the window and hatched outside. */
function Spread({ kind, from, to, opens, closes, axis }: { kind: string; from: number; to: number; opens: number | undefined; closes: number | undefined; axis: Axis }) {
  const cuts = [from, ...[opens, closes].filter((at): at is number => at !== undefined && at > from && at < to), to];
  return (
    <>
      {cuts.slice(0, -1).map((start, i) => {
        const end = cuts[i + 1]!;
        const middle = (start + end) / 2;
        const out = (closes !== undefined && middle > closes) || (opens !== undefined && middle < opens);
        const [a, b] = [place(start, axis), place(end, axis)];
        const ends = `${i === 0 ? "first " : ""}${i === cuts.length - 2 ? "last" : ""}`;
        // A span too narrow to be seen is drawn wider, around its middle.
        const style = cuts.length === 2 ? { left: `calc(${(a + b) / 2}% - max(${(b - a) / 2}%, 5px))`, width: `max(${b - a}%, 10px)` } : { left: `${a}%`, width: `max(${b - a}%, 3px)` };
        return <i class={`spread ${kind} ${out ? "out" : ""} ${ends}`} style={style} />;
      })}
    </>
  );
}

/** `14:22–14:34`, the likely span in words. */
export function likely(visit: Visit): string {
  return visit.p10 === undefined || visit.p90 === undefined ? "" : t("likely {span}", { span: span(visit.p10, visit.p90) });
}
export const inWindow = (miss: number): string => t("{share} in window", { share: percent(1 - miss) });
