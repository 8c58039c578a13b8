/** A query of one's own: written, run, ended, and what came of it. */
import { useEffect, useMemo } from "preact/hooks";
import { errorAt, quoted } from "../../analytics/sql";
import type { TableOut } from "../../api/analytics";
import { number } from "../../format";
import { t } from "../../messages/translate";
import { Icon } from "../../parts/shape";
import { cancel, draft, makeOfQuery, run, start } from "../../state/asking";
import { Editor, type EditorHandle } from "./editor";
import { Outcome } from "./outcome";
import { Failed, Finished, Running } from "./runline";

/** Queries to begin with. */
const examples = (): [string, string][] => [
  [t("How late, by day"), "-- how late stops were, by day, last 30 days\nSELECT date_trunc('day', window_to) AS day,\n       count(*) AS stops,\n       count(*) FILTER (WHERE NOT on_time) AS late,\n       avg(late_s) FILTER (WHERE late_s > 0) AS late_avg_s\nFROM stops\nWHERE window_to >= now() - INTERVAL '30 days'\nGROUP BY 1\nORDER BY 1"],
  [t("ETA error by lead time"), "-- how good the predictions were, by minutes before arrival\nSELECT floor(lead_s / 600) * 10 AS lead_min,\n       count(*) AS predictions,\n       avg(abs(error_s)) AS error_avg_s,\n       avg(CASE WHEN covered THEN 1.0 ELSE 0.0 END) AS coverage\nFROM eta_outcomes\nWHERE arrived >= now() - INTERVAL '7 days'\nGROUP BY 1\nORDER BY 1"],
  [t("Where vehicles were in the last hour"), "-- fixes of the last hour\nSELECT vehicle, time, lat, lng, speed_mps\nFROM positions\nWHERE time >= now() - INTERVAL '1 hour'\nORDER BY time DESC\nLIMIT 5000"],
];

export function OwnQuery({ tables, handle }: { tables: TableOut[]; handle: { current: EditorHandle | null } }) {
  const { state, problem, answer, sql, began, progress } = run.value;
  const names = useMemo(() => [...new Set(tables.flatMap((table) => [quoted(table.name), ...table.columns.map((c) => quoted(c.name))]))], [tables]);
  const go = () => void start(draft.value);
  useEffect(() => {
    handle.current?.goTo(draft.peek().length);
  }, []);
  const place = problem === null ? null : errorAt(problem.detail, sql);
  const running = state === "running";
  return (
    <div class="own-query" data-part="query" data-state={state === "done" && answer !== null ? (answer.cut_off ? "cut" : answer.row_count === 0 ? "empty" : "done") : state}>
      <Editor text={draft.value} change={(text) => { draft.value = text; }} run={go} names={names} wrong={place !== null && sql === draft.value ? place.line : 0} handle={handle} />
      <div class="run-line">
        {running
          ? <button type="button" class="btn ink run" onClick={() => cancel()}><Icon name="close" size={15} /> {t("End")} <span class="key">Esc</span></button>
          : <button type="button" class="btn ink run" aria-disabled={draft.value.trim() === ""} onClick={go}><Icon name="play" size={15} /> {t("Run")} <span class="key">Ctrl ↵</span></button>}
        {running && <Running began={began} far={progress} />}
        {state === "done" && answer !== null && <Finished answer={answer} />}
        {state === "cancelled" && <span class="ran"><b>{t("Ended")}</b>{progress !== null && ` · ${t("after {rows} rows", { rows: number(progress.rows) })}`}</span>}
        {state === "failed" && <span class="ran"><b>{t("Failed")}</b></span>}
        {state === "idle" && <span class="ran">{draft.value.trim() === "" ? t("Nothing to run yet") : t("Not run yet")}</span>}
      </div>
      {problem !== null && (
        <Failed problem={problem}>
          {place !== null && <button type="button" class="btn small" onClick={() => handle.current?.goTo(place.at)}>{t("Line {line}, character {column}", { line: place.line, column: place.column })}</button>}
        </Failed>
      )}
      {state === "done" && answer !== null && answer.row_count === 0 && <div class="empty"><b>{t("The query gave no rows.")}</b><span>{answer.columns.map((c) => c.name).join(", ")}</span></div>}
      {state === "done" && answer !== null && answer.row_count > 0 && <Outcome answer={answer} worded={false} make={(format) => void makeOfQuery(sql, format)} />}
      {running && <div class="skeletons" aria-hidden="true">{[0, 1, 2, 3, 4].map(() => <div class="skeleton"><i /><i /><i /></div>)}</div>}
      {state === "idle" && (
        <div class="empty">
          <b>{t("Ask anything of what was kept: positions, arrivals, events, stops.")}</b>
          <span>{t("Press a name on the side to insert it, or begin with one of these.")}</span>
          <div class="begin">{examples().map(([word, text]) => <button type="button" class="btn" onClick={() => { draft.value = text; handle.current?.goTo(text.length); }}>{word}</button>)}</div>
        </div>
      )}
    </div>
  );
}
