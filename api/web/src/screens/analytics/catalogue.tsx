/** What can be asked: reports, tables with their columns, and what was asked before. */
import { useState } from "preact/hooks";
import { summary } from "../../analytics/history";
import { quoted } from "../../analytics/sql";
import type { FunctionOut, ReportOut, TableOut } from "../../api/analytics";
import { dayClock, number } from "../../format";
import { t } from "../../messages/translate";
import { Icon } from "../../parts/shape";
import { go, href, parts } from "../../state/address";
import { Coded } from "./runline";
import { clearPast, draft, past, start } from "../../state/asking";

/** Characters of a query that its line in the history shows. */
const SUMMARY_MAX = 120;

/** A report as people call it; one that is unknown here by its name. */
export function reportWord(name: string): string {
  switch (name) {
    case "on_time": return t("On time by day and vehicle");
    case "eta_quality": return t("How good ETAs were");
    case "dwell": return t("Time at places");
    case "distance": return t("Distance and driving");
    case "idle": return t("Standing without a stop");
    case "stops_per_hour": return t("Stops per hour");
    case "speeding": return t("Speeding");
    case "delay_by_h3": return t("Where it was late");
    case "failed": return t("Failed deliveries");
    default: return name.replaceAll("_", " ");
  }
}

export interface Known<T> {
  state: "loading" | "some" | "failed";
  members: T[];
  why: string;
  /** The server does not answer queries: 403 in open mode. */
  refused: boolean;
}

interface Props {
  reports: Known<ReportOut>;
  tables: Known<TableOut>;
  functions: FunctionOut[];
  insert: (text: string) => void;
  retry: () => void;
}

function Reports({ reports }: { reports: Known<ReportOut> }) {
  const at = parts.value[1] ?? "";
  return (
    <section aria-labelledby="reports-head" data-part="reports" data-state={reports.state}>
      <header class="side-head"><h2 id="reports-head">{t("Reports")}</h2></header>
      {reports.state === "loading" && <p class="hint" role="status">{t("Loading {what}", { what: t("reports") })}</p>}
      {reports.state === "failed" && <p class="hint">{reports.why}</p>}
      <ul class="side-list">{reports.members.map((r) => <li><a href={href(`/analytics/${encodeURIComponent(r.name)}`)} aria-current={at === r.name ? "page" : undefined}>{reportWord(r.name)}</a></li>)}</ul>
    </section>
  );
}

function Table({ table, open, insert, found }: { table: TableOut; open: boolean; insert: (text: string) => void; found: (name: string) => boolean }) {
  const [toggled, setToggled] = useState(false);
  const shown = open !== toggled;
  const columns = open && !found(table.name) ? table.columns.filter((c) => found(c.name) || found(c.meaning ?? "")) : table.columns;
  return (
    <li>
      <div class="table-name">
        <button type="button" class="fold-table" aria-expanded={shown} onClick={() => setToggled(!toggled)}><Icon name={shown ? "down" : "right"} size={14} /> <b>{table.name}</b></button>
        <button type="button" class="insert" aria-label={t("Insert {name}", { name: table.name })} onClick={() => insert(draft.value.trim() === "" ? `SELECT *\nFROM ${quoted(table.name)}\nLIMIT 100` : quoted(table.name))}><Icon name="plus" size={14} /></button>
      </div>
      <p class="meaning"><Coded text={table.meaning} /></p>
      {shown && (
        <ul class="columns-list">
          {columns.map((c) => (
            <li>
              <button type="button" onClick={() => insert(quoted(c.name))}>
                <span class="name">{c.name}</span><span class="type">{c.type}</span>
                {c.meaning != null && <small><Coded text={c.meaning} /></small>}
              </button>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

function Tables({ tables, insert, retry }: Pick<Props, "tables" | "insert" | "retry">) {
  const [text, setText] = useState("");
  const low = text.trim().toLowerCase();
  const found = (name: string) => low !== "" && name.toLowerCase().includes(low);
  const fits = (table: TableOut) => low === "" || found(table.name) || table.columns.some((c) => found(c.name) || found(c.meaning ?? ""));
  const shown = tables.members.filter(fits);
  return (
    <section aria-labelledby="tables-head" data-part="tables" data-state={tables.refused ? "refused" : tables.state}>
      <header class="side-head"><h2 id="tables-head">{t("Tables")}</h2></header>
      {tables.state === "loading" && <p class="hint" role="status">{t("Loading {what}", { what: t("tables") })}</p>}
      {tables.refused && <p class="hint"><Coded text={t("Queries need `milepost run` and a key.")} /></p>}
      {tables.state === "failed" && !tables.refused && <p class="hint">{tables.why} <button type="button" class="btn small" onClick={retry}>{t("Try again")}</button></p>}
      {tables.state === "some" && (
        <>
          <label class="find"><Icon name="search" size={15} /><input data-search placeholder={t("Tables and columns")} aria-label={t("Search tables and columns")} value={text} onInput={(e) => setText(e.currentTarget.value)} /></label>
          {shown.length === 0 && <p class="hint">{t("No table or column matches {search}.", { search: text })}</p>}
          <ul class="tables-list">{shown.map((table) => <Table key={`${table.name} ${low !== ""}`} table={table} open={low !== ""} insert={insert} found={found} />)}</ul>
        </>
      )}
    </section>
  );
}

function Functions({ functions, insert }: Pick<Props, "functions" | "insert">) {
  const [open, setOpen] = useState(false);
  return (
    <section aria-label={t("Functions")} data-part="functions">
      <div class="table-name"><button type="button" class="fold-table" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name={open ? "down" : "right"} size={14} /> <b>{t("Functions")}</b></button></div>
      {open && (
        <ul class="columns-list">
          {functions.map((f) => <li><button type="button" onClick={() => insert(f.call.slice(0, f.call.indexOf("(") + 1))}><span class="name">{f.call}</span><small><Coded text={f.meaning} /></small></button></li>)}
        </ul>
      )}
    </section>
  );
}

function History() {
  const again = (sql: string) => {
    draft.value = sql;
    go("/analytics");
    void start(sql);
  };
  return (
    <section aria-labelledby="history-head" data-part="history" data-state={past.value.length === 0 ? "empty" : "some"}>
      <header class="side-head"><h2 id="history-head">{t("Asked before")}</h2>{past.value.length > 0 && <button type="button" class="table-switch" onClick={clearPast}>{t("Clear")}</button>}</header>
      {past.value.length === 0 && <p class="hint">{t("Queries that you run stand here, on this device only.")}</p>}
      <ul class="side-list">
        {past.value.map((p) => (
          <li><button type="button" onClick={() => again(p.sql)}>
            <span class="cut"><span class="vh">{t("Run again")} </span>{summary(p.sql).slice(0, SUMMARY_MAX)}</span>
            <small>{dayClock(p.at)} · {p.rows === undefined ? t("no answer") : t("{n} rows", { n: number(p.rows) })}</small>
          </button></li>
        ))}
      </ul>
    </section>
  );
}

export function Catalogue({ reports, tables, functions, insert, retry }: Props) {
  const at = parts.value[1] ?? "";
  return (
    <>
      <a class="own-link" href={href("/analytics")} aria-current={at === "" ? "page" : undefined}><Icon name="tables" size={16} /> {t("Your own query")}</a>
      <Reports reports={reports} />
      <Tables tables={tables} insert={insert} retry={retry} />
      {functions.length > 0 && <Functions functions={functions} insert={insert} />}
      {!tables.refused && <History />}
    </>
  );
}
