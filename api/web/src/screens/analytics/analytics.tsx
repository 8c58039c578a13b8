/** What happened, and how sure the answer is: reports, and queries of one's own. */
import { useEffect, useRef, useState } from "preact/hooks";
import { reports as readReports, tables as readTables, type FunctionOut, type ReportOut, type TableOut } from "../../api/analytics";
import { Problem } from "../../api/client";
import "../../css/analytics.css";
import { t } from "../../messages/translate";
import { Connection } from "../../parts/connection";
import { Icon } from "../../parts/shape";
import { Shell } from "../../parts/shell";
import { go, href, parts } from "../../state/address";
import { cancel, recallPast } from "../../state/asking";
import { onKey } from "../../state/keyboard";
import { session } from "../../state/session";
import { layout } from "../../state/theme";
import { Catalogue, type Known, reportWord } from "./catalogue";
import type { EditorHandle } from "./editor";
import { OwnQuery } from "./ownquery";
import { ReportPane } from "./reportpane";
import { Coded } from "./runline";

const LOADING: Known<never> = { state: "loading", members: [], why: "", refused: false };

function useKnown<T>(read: () => Promise<T[]>, times: number): Known<T> {
  const [known, set] = useState<Known<T>>(LOADING);
  useEffect(() => {
    read().then(
      (members) => set({ state: "some", members, why: "", refused: false }),
      (error: unknown) => set({ state: "failed", members: [], why: error instanceof Problem ? error.detail : String(error), refused: error instanceof Problem && error.status === 403 }),
    );
  }, [times]);
  return known;
}

/** Where no query may be written: why, and what there is instead. */
function Refused({ why, reports }: { why: string; reports: Known<ReportOut> }) {
  return (
    <div class="refused" data-part="refused">
      <div class="empty">
        <b><Coded text={t("Queries of your own need `milepost run` and a key.")} /></b>
        <span><Coded text={t("The server says: {why}", { why })} /></span>
        <span>{t("Reports work here. Choose one:")}</span>
      </div>
      <ul class="report-cards">
        {reports.members.map((r) => <li><a class="card" href={href(`/analytics/${encodeURIComponent(r.name)}`)}><b>{reportWord(r.name)}</b><span class="sentence"><Coded text={r.meaning} /></span></a></li>)}
      </ul>
    </div>
  );
}

export function Analytics() {
  const [times, setTimes] = useState(0);
  const [open, setOpen] = useState(false);
  const reports = useKnown<ReportOut>(() => readReports().then((r) => r.reports), times);
  const [functions, setFunctions] = useState<FunctionOut[]>([]);
  const tables = useKnown<TableOut>(async () => {
    const known = await readTables();
    setFunctions(known.functions);
    return known.tables;
  }, times);
  const handle = useRef<EditorHandle | null>(null);
  const waiting = useRef("");
  const opener = useRef<HTMLButtonElement>(null);
  const name = parts.value[1] ?? "";
  const report = reports.members.find((r) => r.name === name);
  const side = layout.value === "wide";
  useEffect(recallPast, []);
  useEffect(() => setOpen(false), [name]);
  useEffect(() => onKey((key) => {
    if (key !== "Escape" && key !== "field:Escape") return false;
    if (cancel()) return true;
    if (!open) return false;
    setOpen(false);
    opener.current?.focus();
    return true;
  }), [open]);
  // A name that is pressed while a report is shown waits for the editor.
  const insert = (text: string) => {
    if (name !== "") {
      waiting.current = text;
      go("/analytics");
    } else handle.current?.insert(text);
  };
  useEffect(() => {
    if (name !== "" || waiting.current === "") return;
    handle.current?.insert(waiting.current);
    waiting.current = "";
  }, [name]);
  // In open mode it may be that no query can be written.
  const unknown = tables.state === "loading" && session.value?.key === "open";
  const title = name === "" ? t("Your own query") : reportWord(name);
  const retry = () => setTimes(times + 1);
  const catalogue = <Catalogue reports={reports} tables={tables} functions={functions} insert={insert} retry={retry} />;
  return (
    <Shell screen="analytics" bar={<><h1>{t("Analytics")}</h1><span class="soft cut">{title}</span></>}>
      <div class="analytics" data-part="analytics" data-mode={name === "" ? "query" : "report"}>
        {side && <aside class="catalogue scroll" tabIndex={0} aria-label={t("Reports, tables and history")}>{catalogue}</aside>}
        <div class="asked scroll">
          {layout.value === "phone" && <div class="phone-top"><h1 class="here">{t("Analytics")}</h1><span class="space" /><Connection short /></div>}
          {!side && (
            <div class="opener">
              <button type="button" class="btn" ref={opener} aria-expanded={open} aria-controls="catalogue" onClick={() => setOpen(!open)}><Icon name="tables" size={16} /> {t("Reports, tables and history")}</button>
            </div>
          )}
          {name === "" && tables.refused && <Refused why={tables.why} reports={reports} />}
          {name === "" && unknown && <p class="hint" role="status">{t("Loading {what}", { what: t("tables") })}</p>}
          {name === "" && !unknown && !tables.refused && <OwnQuery tables={tables.members} handle={handle} />}
          {name !== "" && report !== undefined && <ReportPane report={report} />}
          {name !== "" && report === undefined && reports.state === "loading" && <p class="hint" role="status">{t("Loading {what}", { what: t("reports") })}</p>}
          {name !== "" && report === undefined && reports.state !== "loading" && (
            <div class="empty" data-part="report" data-state="absent"><b>{reports.state === "failed" ? t("Cannot be read: {why}", { why: reports.why }) : t("There is no report `{name}`.", { name })}</b><button type="button" class="btn" onClick={retry}>{t("Try again")}</button></div>
          )}
        </div>
        {!side && open && (
          <aside class="catalogue over scroll" id="catalogue" tabIndex={0} aria-label={t("Reports, tables and history")}>
            <button type="button" class="btn small shut" onClick={() => { setOpen(false); opener.current?.focus(); }}><Icon name="close" size={14} /> {t("Close")}</button>
            {catalogue}
          </aside>
        )}
      </div>
    </Shell>
  );
}
