/** All vans as a grid: only the rows on the screen are in the page. */
import { useEffect, useRef } from "preact/hooks";
import { memo } from "preact/compat";
import { clock } from "../../format";
import { t } from "../../messages/translate";
import { type Axis, Bar, barWords } from "../../parts/bar";
import { Age, Shape, Swap } from "../../parts/shape";
import { go, put } from "../../state/address";
import { first, matched, now, ready, rows, search, select, selectedId, stale, tell, total, unknownKeys } from "../../state/live";
import { activityWord, silence, statusWord, tone } from "../../status";
import type { Row } from "../../worker/protocol";

export const ROW = 54;
/** Rows kept above and below those on the screen. */
const SPARE = 4;
/** The axis that all rows share begins and ends so long before and after now, milliseconds. */
const BEFORE = 20 * 60_000;
const AFTER = 50 * 60_000;

/** The axis moves in whole minutes, so that bars stand still between. */
export function sharedAxis(at: number): Axis {
  const minute = Math.floor(at / 60_000) * 60_000;
  return { from: minute - BEFORE, to: minute + AFTER };
}

/** What a row says besides its age. */
function place(row: Row): string {
  if (row.status === "no_signal") return silence((now.value - row.time) / 1000);
  if (row.next === undefined) return row.of === 0 ? activityWord(row.activity) : t("all {n} stops done", { n: row.of });
  return t("{at} of {of} · {place}", { at: row.at, of: row.of, place: row.next.name });
}

/** The newest time of each row, beside the rows, so that a fix alone draws one word anew. */
function RowAge({ id, state }: { id: string; state: string }) {
  const row = rows.value.find((r) => r.id === id);
  return <Age kind="soft" state={state} at={row?.time ?? 0} />;
}

interface LineProps { row: Row; index: number; axis: Axis; chosen: boolean; tab: boolean; words: string; fresh: string; quiet: boolean }

/** Drawn again only when something of it changed; its age ticks by itself. */
const Line = memo(LineView, (a, b) => a.index === b.index && a.chosen === b.chosen && a.tab === b.tab && a.words === b.words && a.fresh === b.fresh
  && a.quiet === b.quiet && a.axis.from === b.axis.from && a.row.status === b.row.status && a.row.name === b.row.name
  && a.row.next?.p50 === b.row.next?.p50 && a.row.next?.p90 === b.row.next?.p90 && a.row.next?.closes === b.row.next?.closes && a.row.next?.state === b.row.next?.state);

function LineView({ row, index, axis, chosen, tab, words, fresh, quiet }: LineProps) {
  const { next } = row;
  const eta = next?.p50 === undefined ? (next?.state === "arrived" ? t("here") : "–") : clock(next.p50);
  return (
    <div role="row" class="van" aria-rowindex={index + 2} aria-selected={chosen} tabIndex={tab ? 0 : -1}
      style={{ top: `${index * ROW}px` }} data-van={row.id} data-state={tone(row.status)}
      onClick={() => select(row.id)} onDblClick={() => go(`/van/${encodeURIComponent(row.id)}`)}>
      <span role="gridcell" class="mark"><Shape tone={tone(row.status)} /><span class="vh">{statusWord(row.status)}</span></span>
      <span role="gridcell" class="who"><b class="cut">{row.name}</b><span class="cut soft">{words}</span></span>
      <span role="gridcell" class="bar-cell">{next?.p50 !== undefined && <Bar visit={next} axis={axis} quiet={quiet} />}</span>
      <span role="gridcell" class="when" title={next === undefined ? "" : barWords(next)}>
        <b class={quiet && row.status !== "no_signal" ? "faint" : ""}><Swap text={eta} /></b><RowAge id={row.id} state={fresh} />
      </span>
    </div>
  );
}

function freshness(row: Row): string {
  if (row.status === "no_signal") return "silent";
  return now.value - row.time > 30_000 ? "ageing" : "fresh";
}

/** `scroller` is the element that scrolls the list, with what stands above it. */
export function Vans({ scroller }: { scroller: { current: HTMLElement | null } }) {
  const body = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = scroller.current;
    if (box === null) return undefined;
    const measure = () => {
      const above = body.current?.offsetTop ?? 0;
      const start = Math.max(0, Math.floor((box.scrollTop - above) / ROW) - SPARE);
      tell({ kind: "rows", first: start, count: Math.min(60, Math.ceil(box.clientHeight / ROW) + 2 * SPARE) });
    };
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    box.addEventListener("scroll", measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      box.removeEventListener("scroll", measure);
    };
  }, []);
  const count = matched.value;
  const axis = sharedAxis(now.value);
  const hold = (on: boolean) => () => tell({ kind: "hold", on });
  return (
    <section aria-label={t("Vans")} class="vans" data-part="vans" data-state={!ready.value ? "loading" : count === 0 ? "empty" : "some"}
      onPointerEnter={hold(true)} onPointerLeave={hold(false)} onFocusIn={hold(true)} onFocusOut={hold(false)}>
      <header class="section-head sticky">
        <h2>{t("Vans")} <span class="soft">{search.value === "" ? count : t("{n} of {all}", { n: count, all: total.value })}</span></h2>
        <span class="soft">{t("next stop · ETA against window · age")}</span>
      </header>
      {!ready.value && <Loading />}
      {ready.value && count === 0 && (
        <div class="empty">
          <b>{total.value === 0 ? t("No van has been heard yet.") : t("No van matches {search}.", { search: search.value })}</b>
          {search.value !== "" && <button type="button" class="btn" onClick={() => put({ q: "" })}>{t("Clear filters")}</button>}
        </div>
      )}
      {unknownKeys.value.length > 0 && <p class="hint">{t("{keys} means nothing here; it is searched as text.", { keys: unknownKeys.value.join(", ") })}</p>}
      <div ref={body} role="grid" aria-label={t("Vans")} aria-rowcount={count + 1} aria-colcount={4} class="van-grid" style={{ height: `${count * ROW}px` }}>
        <div role="row" class="vh" aria-rowindex={1}>
          {[t("Status"), t("Van"), t("ETA against window"), t("ETA and age")].map((word) => <span role="columnheader">{word}</span>)}
        </div>
        {rows.value.map((row, i) => (
          <Line key={row.id} row={row} index={first.value + i} axis={axis} chosen={row.id === selectedId.value} words={place(row)} fresh={freshness(row)}
            tab={row.id === selectedId.value || (first.value + i === 0 && selectedId.value === null)} quiet={stale.value || row.status === "no_signal"} />
        ))}
      </div>
    </section>
  );
}

function Loading() {
  return (
    <div role="status" class="loading">
      <p class="hint">{total.value > 0 ? t("Loading {n, plural, one {# van} other {# vans}}", { n: total.value }) : t("Loading vans")}</p>
      {[0, 1, 2, 3, 4, 5].map(() => <div class="skeleton" aria-hidden="true"><i /><i /><i /></div>)}
    </div>
  );
}

/** Brings a row of the list into sight and gives it the focus. */
export function reveal(box: HTMLElement | null, vehicle: string, index: number, focus: boolean): void {
  if (box === null) return;
  const grid = box.querySelector<HTMLElement>(".van-grid");
  if (grid === null) return;
  const top = grid.offsetTop + index * ROW;
  const head = 34;
  if (top < box.scrollTop + head) box.scrollTop = top - head;
  else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
  if (!focus) return;
  const grab = (left: number) => {
    const row = box.querySelector<HTMLElement>(`[data-van="${CSS.escape(vehicle)}"]`);
    if (row !== null) row.focus({ preventScroll: true });
    else if (left > 0) requestAnimationFrame(() => grab(left - 1));
  };
  grab(20);
}
