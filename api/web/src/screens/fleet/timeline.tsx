/** All routes of the day on one time axis: who is where in the plan, and where it breaks. */
import { useEffect, useRef, useState } from "preact/hooks";
import { all, type Route } from "../../api/client";
import { clock, number } from "../../format";
import { t } from "../../messages/translate";
import { Connection } from "../../parts/connection";
import { Shape } from "../../parts/shape";
import { Shell } from "../../parts/shell";
import { go, href, param, put } from "../../state/address";
import { nameOf, now } from "../../state/live";
import { layout } from "../../state/theme";
import { rank, type Status, statusOf, statusWord, tone } from "../../status";

const ROW = 36;
const SPARE = 6;
const HOUR = 3_600_000;
/** Routes that are read, and how often, milliseconds. */
const ROUTES_MAX = 2_000;
const EVERY = 20_000;

interface Mark { at: number; until: number; status: Status; name: string }
interface Line { id: string; van: string; name: string; status: Status; from: number; to: number; marks: Mark[]; done: number; all: number }

const time = (text: string | null | undefined): number => (text == null ? NaN : Date.parse(text));

/** A route as its line: where stops were reached or are expected. */
export function lineOf(route: Route, name: string): Line {
  const marks: Mark[] = [];
  let worst: Status = "done";
  let done = 0;
  for (const stop of route.stops) {
    const over = stop.departed_at != null || ["completed", "failed", "skipped", "departed"].includes(stop.state ?? "");
    if (over) done++;
    const at = over || stop.arrived_at != null ? time(stop.arrived_at ?? stop.departed_at) : time(stop.eta?.p50);
    const status = over && stop.state !== "failed" ? "done" : statusOf(stop.status);
    if (rank(status) < rank(worst)) worst = status;
    if (Number.isFinite(at)) marks.push({ at, until: time(stop.departed_at), status, name: stop.name ?? stop.id });
  }
  return { id: route.id, van: route.vehicle, name, status: worst, from: time(route.shift.start), to: time(route.shift.end), marks, done, all: route.stops.length };
}

function axisOf(lines: readonly Line[], at: number): { from: number; to: number } {
  const starts = lines.flatMap((line) => [line.from, ...line.marks.map((m) => m.at)]).filter(Number.isFinite);
  const ends = lines.flatMap((line) => [line.to, ...line.marks.map((m) => m.at)]).filter(Number.isFinite);
  const from = Math.floor(starts.reduce((a, b) => Math.min(a, b), at) / HOUR) * HOUR;
  const to = Math.ceil(ends.reduce((a, b) => Math.max(a, b), at) / HOUR) * HOUR;
  return { from: Math.max(from, at - 24 * HOUR), to: Math.min(to, at + 24 * HOUR) };
}

function RouteRow({ line, index, place }: { line: Line; index: number; place: (at: number) => number }) {
  const open = () => go(`/van/${encodeURIComponent(line.van)}`);
  return (
    <div role="row" class="tl-row" aria-rowindex={index + 2} tabIndex={index === 0 ? 0 : -1} style={{ top: `${index * ROW}px` }} data-state={tone(line.status)} data-route={line.id}
      onClick={open} onKeyDown={(e) => { if (e.key === "Enter") open(); }}>
      <span role="gridcell" class="tl-name"><Shape tone={tone(line.status)} size={14} /><b class="cut">{line.name}</b><span class="soft">{t("{done} of {all}", { done: number(line.done), all: number(line.all) })}</span></span>
      <span role="gridcell" class="tl-track" aria-label={t("{name}: {status}, {done} of {all} stops done", { name: line.name, status: statusWord(line.status), done: line.done, all: line.all })}>
        <i class="tl-shift" style={{ left: `${place(line.from)}%`, width: `${place(line.to) - place(line.from)}%` }} />
        {line.marks.map((mark) => <i class={`tl-mark ${tone(mark.status)}`} style={{ left: `${place(mark.at)}%` }} title={`${mark.name} ${clock(mark.at)}`} />)}
      </span>
    </div>
  );
}

export function Timeline() {
  const box = useRef<HTMLDivElement>(null);
  const [lines, setLines] = useState<Line[] | null>(null);
  const [failed, setFailed] = useState("");
  const [whole, setWhole] = useState(true);
  const [span, setSpan] = useState<[number, number]>([0, 40]);
  useEffect(() => {
    const read = () => all<Route>("/v1/routes?limit=200", "routes", ROUTES_MAX).then(({ members, whole: read }) => {
      const made = members.filter((r) => r.state !== "withdrawn").map((route) => lineOf(route, nameOf(route.vehicle)));
      setLines(made);
      setWhole(read);
      setFailed("");
    }, (error: unknown) => setFailed(error instanceof Error ? error.message : String(error)));
    void read();
    const timer = setInterval(() => void read(), EVERY);
    return () => clearInterval(timer);
  }, []);
  const order = param("order") === "name" ? "name" : "trouble";
  const found = lines?.map((line) => ({ ...line, name: nameOf(line.van) })) ?? [];
  found.sort((a, b) => (order === "trouble" ? rank(a.status) - rank(b.status) : 0) || a.name.localeCompare(b.name, undefined, { numeric: true }));
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const measure = () => {
      const from = Math.max(0, Math.floor(element.scrollTop / ROW) - SPARE);
      setSpan([from, from + Math.ceil(element.clientHeight / ROW) + 2 * SPARE]);
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => observer.disconnect();
  }, [lines === null]);
  const axis = axisOf(found, now.value);
  const place = (at: number) => Math.max(0, Math.min(100, ((at - axis.from) / (axis.to - axis.from)) * 100));
  const hours: number[] = [];
  const step = Math.max(1, Math.ceil((axis.to - axis.from) / HOUR / (layout.value === "phone" ? 3 : 10)));
  for (let at = axis.from; at <= axis.to; at += step * HOUR) hours.push(at);
  const state = lines === null ? (failed === "" ? "loading" : "failed") : lines.length === 0 ? "empty" : "some";
  const bar = (
    <>
      <h1>{t("Routes")}</h1><span class="soft">{lines === null ? "" : t("{n, plural, one {# route} other {# routes}}", { n: lines.length })}</span>
      <div class="segments" role="group" aria-label={t("Order")}>
        <button type="button" aria-pressed={order === "trouble"} onClick={() => put({ order: "" })}>{t("Trouble first")}</button>
        <button type="button" aria-pressed={order === "name"} onClick={() => put({ order: "name" })}>{t("By name")}</button>
      </div>
    </>
  );
  return (
    <Shell screen="routes" bar={bar}>
      <div class="timeline" data-part="timeline" data-state={state}>
        {layout.value === "phone" && <div class="phone-top"><h1 class="here">{t("Routes")}</h1><span class="space" /><Connection short /></div>}
        <div class="tl-head">
          <span>{t("Van and stops")}</span>
          <div class="tl-axis" aria-hidden="true">{hours.map((at, i) => <span style={{ left: `${place(at)}%` }} data-edge={i === 0 ? "first" : i === hours.length - 1 ? "last" : ""}>{clock(at)}</span>)}<b style={{ left: `${place(now.value)}%` }}>{clock(now.value)}</b></div>
        </div>
        {state === "loading" && <p class="pad soft" role="status">{t("Loading routes")}</p>}
        {failed !== "" && <p class="pad t-late" role="alert">{t("Routes cannot be read: {why}", { why: failed })}</p>}
        {state === "empty" && <div class="empty"><b>{t("No route is planned today.")}</b><a class="btn" href={href("/")}>{t("Back to Live")}</a></div>}
        <div class="tl-box scroll" ref={box}>
          <div role="grid" aria-label={t("Routes")} aria-rowcount={found.length + 1} aria-colcount={2} class="tl-grid" style={{ height: `${found.length * ROW}px` }}>
            <div role="row" class="vh" aria-rowindex={1}><span role="columnheader">{t("Van and stops")}</span><span role="columnheader">{t("Day")}</span></div>
            {found.slice(span[0], span[1]).map((line, i) => <RouteRow key={line.id} line={line} index={span[0] + i} place={place} />)}
            <i class="tl-now" style={{ "--at": place(now.value) }} />
          </div>
          {!whole && <p class="pad faint">{t("Only the first {n} routes are shown.", { n: found.length })}</p>}
        </div>
        <footer class="tl-key" aria-hidden="true">{(["done", "on_time", "at_risk", "late"] as Status[]).map((status) => <span><i class={`tl-mark ${tone(status)}`} /> {statusWord(status)}</span>)}</footer>
      </div>
    </Shell>
  );
}
