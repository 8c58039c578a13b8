/** The stops of a route as a ladder on one time axis: uncertainty visibly widens downwards. */
import { clock, number, percent, span } from "../../format";
import { reached } from "../../map/route";
import { t } from "../../messages/translate";
import { type Axis, Bar, barWords } from "../../parts/bar";
import { Icon, StopShape } from "../../parts/shape";
import { now, stale } from "../../state/live";
import { standing, statusWord, tone } from "../../status";
import type { Detail, Visit } from "../../worker/protocol";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** From a little before now to the last thing that is shown. */
export function ladderAxis(van: Detail, at: number): Axis {
  const open = van.visits.filter((visit) => !reached(visit));
  const last = Math.max(at + HOUR, ...open.map((v) => v.p90 ?? 0));
  const end = Math.max(last, ...open.map((v) => v.closes ?? 0).filter((closes) => closes < last + HOUR));
  const from = Math.floor((at - 30 * MINUTE) / (15 * MINUTE)) * 15 * MINUTE;
  return { from, to: Math.ceil((end + 5 * MINUTE) / (15 * MINUTE)) * 15 * MINUTE };
}

export const share = (at: number, axis: Axis): number => ((at - axis.from) / (axis.to - axis.from)) * 100;

function ticks(axis: Axis): number[] {
  const length = axis.to - axis.from;
  const step = [15, 30, 60, 120].map((m) => m * MINUTE).find((s) => length / s <= 6) ?? 240 * MINUTE;
  const found: number[] = [];
  for (let at = Math.ceil(axis.from / step) * step; at < axis.to - step / 4; at += step) found.push(at);
  return found;
}

function AxisHead({ axis }: { axis: Axis }) {
  const here = share(now.value, axis);
  return (
    <div class="ladder-axis" aria-hidden="true">
      {ticks(axis).filter((at) => Math.abs(share(at, axis) - here) > 13).map((at) => <span style={{ left: `${share(at, axis)}%` }}>{clock(at)}</span>)}
      <b key={clock(now.value)} style={{ left: `${here}%` }}>{clock(now.value)}</b>
    </div>
  );
}

/** What a visit that is over was like. */
function past(visit: Visit): string {
  const at = visit.arrived ?? visit.departed;
  if (visit.state === "failed") return at === undefined ? t("Failed") : t("Failed {time}", { time: clock(at) });
  if (visit.state === "skipped") return t("Left out");
  if (at === undefined) return t("Done");
  if (visit.closes !== undefined && at > visit.closes) return t("Done {time}, {n} min late", { time: clock(at), n: Math.max(1, Math.round((at - visit.closes) / MINUTE)) });
  return t("Done {time}", { time: clock(at) });
}

function Status({ visit }: { visit: Visit }) {
  if (reached(visit)) return <span class="soft cut">{past(visit)}</span>;
  if (visit.state === "arrived") return <span class="cut t-ok">{visit.arrived === undefined ? t("At the stop") : t("At the stop since {time}", { time: clock(visit.arrived) })}</span>;
  if (visit.status === "late") return <span class="cut t-late">{standing(visit)}</span>;
  const kind = tone(visit.status);
  if (visit.miss === undefined || visit.closes === undefined) return <span class={`cut ${visit.closes === undefined ? "soft" : `t-${kind}`}`}>{visit.closes === undefined ? t("No window promised") : statusWord(visit.status)}</span>;
  return <span class="cut soft"><span class={`t-${kind}`}>{statusWord(visit.status)}</span> · {t("{share} in window", { share: percent(1 - visit.miss) })}</span>;
}

function Rung({ visit, place, axis, chosen, pick }: { visit: Visit; place: number; axis: Axis; chosen: boolean; pick: (stop: string) => void }) {
  const over = reached(visit);
  const kind = visit.state === "failed" ? "failed" : over ? "done" : tone(visit.status);
  const promised = visit.from === undefined || visit.closes === undefined ? t("any time") : span(visit.from, visit.closes);
  const at = over || visit.state === "arrived" ? visit.arrived ?? visit.departed : visit.p50;
  return (
    <div role="row" class="rung" tabIndex={chosen ? 0 : -1} aria-selected={chosen} data-stop={visit.stop} data-state={kind} onClick={() => pick(visit.stop)}>
      <span role="gridcell" class="mark"><StopShape tone={kind} text={String(place)} size={kind === "ok" ? 26 : 29} /><span class="vh">{t("Stop {n}", { n: place })}</span></span>
      <span role="gridcell" class="who"><b class="cut">{visit.name}</b><Status visit={visit} /></span>
      <span role="gridcell" class="promised">{promised}</span>
      <b role="gridcell" class={`when ${stale.value || over ? "faint" : ""}`}>{at === undefined ? "–" : clock(at)}</b>
      <span role="gridcell" class="bar-cell">
        {over || visit.state === "arrived" ? <Actual visit={visit} axis={axis} /> : visit.p50 === undefined ? <span class="vh">{barWords(visit)}</span> : <Bar visit={visit} axis={axis} quiet={stale.value} />}
      </span>
    </div>
  );
}

/** What really was, as a grey bar. */
function Actual({ visit, axis }: { visit: Visit; axis: Axis }) {
  const from = visit.arrived ?? visit.departed;
  if (from === undefined) return null;
  const to = visit.departed ?? Math.max(from, now.value);
  const quiet: Visit = { ...visit, p10: from, p50: undefined, p90: Math.max(to, from + MINUTE), status: "done" };
  return <Bar visit={quiet} axis={axis} quiet />;
}

/** `Stops 1–12 done · 11 in window, 1 late`. */
function doneWords(done: readonly Visit[]): string {
  const late = done.filter((v) => v.closes !== undefined && (v.arrived ?? v.departed ?? 0) > v.closes);
  const failed = done.filter((v) => v.state === "failed" || v.state === "skipped").length;
  const kept = done.length - late.length - failed;
  const parts = [done.length === 1 ? t("Stop 1 done") : t("Stops 1–{n} done", { n: done.length }), t("{n} in window", { n: kept })];
  if (late.length > 0) parts.push(t("{n} late", { n: late.length }));
  if (failed > 0) parts.push(t("{n} failed or left out", { n: failed }));
  return parts.join(" · ");
}

export function Ladder({ van, chosen, pick, open, toggle }: { van: Detail; chosen: string | null; pick: (stop: string) => void; open: boolean; toggle: () => void }) {
  const axis = ladderAxis(van, now.value);
  const doneCount = van.visits.filter(reached).length;
  // The newest one that is done stays in sight; those before it are one line.
  const firstOpen = van.visits.findIndex((v) => !reached(v));
  const folded = firstOpen < 0 ? Math.max(0, van.visits.length - 1) : Math.max(0, firstOpen - 1);
  const start = open ? 0 : folded;
  return (
    <div class="ladder" data-part="ladder">
      <div class="ladder-head">
        <span>{t("Stops, {done} of {all} done", { done: number(doneCount), all: number(van.visits.length) })}</span>
        <span>{t("Promised")}</span><span>{t("ETA")}</span>
        <AxisHead axis={axis} />
      </div>
      {folded > 0 && (
        <button type="button" class="fold" aria-expanded={open} onClick={toggle}>
          <Icon name={open ? "down" : "right"} size={16} /> {doneWords(van.visits.slice(0, folded))}
        </button>
      )}
      <div class="rungs" role="grid" aria-label={t("Stops of {name}", { name: van.name })} aria-rowcount={van.visits.length}>
        {van.visits.slice(start).map((visit, i) => <Rung key={visit.stop} visit={visit} place={start + i + 1} axis={axis} chosen={visit.stop === chosen} pick={pick} />)}
      </div>
      {van.shiftEnd !== undefined && (
        <div class="rung depot"><span class="mark"><Icon name="flag" size={17} /></span><span class="soft">{t("Depot")}</span><span class="promised">{t("by {time}", { time: clock(van.shiftEnd) })}</span><span class="faint">–</span><span /></div>
      )}
      <div class="now-line" aria-hidden="true"><i style={{ left: `${share(now.value, axis)}%` }} /></div>
      {van.visits.length === 0 && <div class="empty"><b>{t("{name} has no active route.", { name: van.name })}</b></div>}
    </div>
  );
}

