/** One problem: cause, consequence, cost, and the button that does the best thing. */
import { age, money } from "../../format";
import { t } from "../../messages/translate";
import { type Axis, Bar } from "../../parts/bar";
import { Shape, Swap } from "../../parts/shape";
import { go } from "../../state/address";
import { type BoardRow, choose } from "../../state/board";
import { currency, reroutes } from "../../state/exceptions";
import { now, stale, watched } from "../../state/live";
import { answer, hindrance, outcomeOf } from "../../state/remedy";
import { best, cause, consequence, gainWords, remedyWords, subject, toneOf } from "./words";

export const ROW = 92;

/** What the remedy's button says and does now. */
export function RemedyButton({ row, chosen, wide = false }: { row: BoardRow; chosen: boolean; wide?: boolean }) {
  const { exception, gone } = row;
  const remedy = best(exception);
  const outcome = outcomeOf(exception);
  const hindered = hindrance();
  if (gone) return <span class="solved" role="status">{t("Solved")}</span>;
  if (remedy === undefined && outcome === "done") return <span class="solved" role="status">{t("Sent to the van")}</span>;
  if (remedy === undefined || outcome === "solved") {
    return <button type="button" class={`btn ${chosen ? "ink" : ""} ${wide ? "wide" : ""}`} data-remedy="open" onClick={() => go(`/van/${encodeURIComponent(exception.vehicle)}`)}>{t("Open van")}{chosen && <kbd class="key">↵</kbd>}</button>;
  }
  const words = remedyWords(remedy, reroutes.value);
  const running = outcome === "running";
  return (
    <button type="button" class={`btn ${chosen ? "ink" : ""} ${wide ? "wide" : ""}`} data-remedy="accept" data-state={outcome ?? "ready"} aria-disabled={hindered !== "" || running || outcome === "done"}
      onClick={(e) => { e.stopPropagation(); if (outcome !== "done") void answer(remedy, "accept", words, exception.id); }}>
      {running ? t("Sending…") : outcome === "done" ? t("Sent to the van") : words}{chosen && !running && outcome !== "done" && <kbd class="key">↵</kbd>}
    </button>
  );
}

export function Row({ row, index, axis, chosen }: { row: BoardRow; index: number; axis: Axis; chosen: boolean }) {
  const { exception, gone } = row;
  const seen = watched.value.get(exception.id);
  const remedy = best(exception);
  const hindered = hindrance();
  const visit = seen?.visit;
  return (
    <div role="row" class="problem" aria-rowindex={index + 2} aria-selected={chosen} tabIndex={chosen || (index === 0 && !chosen) ? 0 : -1} data-exception={exception.id}
      data-state={gone ? "solved" : toneOf(exception, seen)} style={{ top: `${index * ROW}px` }} onClick={() => choose(exception.id)}>
      <span role="gridcell" class="mark"><Shape tone={gone ? "done" : toneOf(exception, seen)} size={19} /></span>
      <span role="gridcell" class="what">
        <b class="cut">{subject(exception, seen)}</b>
        <span class="cut soft">{cause(exception)}</span>
        <span class="cut medium">{gone ? t("Cleared itself or solved by someone else") : consequence(exception, seen)}</span>
      </span>
      <span role="gridcell" class="bar-cell">{visit?.p50 !== undefined ? <Bar visit={visit} axis={axis} quiet={stale.value || exception.type === "no_signal"} /> : <span class="soft">{t("no ETA")}</span>}</span>
      <span role="gridcell" class="cost"><b><Swap text={money(exception.cost, currency.value)} /></b><Swap kind="soft" text={age(Date.parse(exception.since), now.value)} /></span>
      <span role="gridcell" class="best">
        <RemedyButton row={row} chosen={chosen} wide />
        <small>{hindered !== "" && remedy !== undefined ? hindered : remedy === undefined ? t("no remedy is proposed") : gainWords(remedy)}</small>
      </span>
    </div>
  );
}
