/** What the server says of history: tables, reports, answers, progress. */
import { ask, Problem } from "./client";
import type { components } from "./schema";
import { t } from "../messages/translate";

type Schemas = components["schemas"];
export type FunctionOut = Schemas["FunctionOut"];
export type ProgressOut = Schemas["ProgressOut"];
export type ReportOut = Schemas["ReportOut"];
export type TableOut = Schemas["TableOut"];
export type Cell = string | number | boolean | null | Cell[] | { [name: string]: Cell };
/** Rows, as queries and reports answer in JSON. */
export interface Answer {
  as_of: string;
  columns: { name: string; type: string }[];
  rows: Cell[][];
  row_count: number;
  /** More rows were there than are here. */
  cut_off: boolean;
  seconds: number;
}

export const FORMATS = ["csv", "xlsx", "parquet", "arrow"] as const;
export type Format = (typeof FORMATS)[number];

/** Longest that a query on the screen may take, seconds; a file may take longer. */
const LONGEST = 30;
const FILE_LONGEST = 600;
/** What the network may add to that, milliseconds. */
const SLACK = 10_000;

export interface Query {
  sql: string;
  /** Made up by the asker: names it while it runs. */
  id: string;
  signal: AbortSignal;
}

const soon = (signal: AbortSignal, seconds: number) => AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000 + SLACK)]);

/** An answer that ended early is no JSON. */
async function whole(coming: Promise<Answer | undefined>): Promise<Answer> {
  const answer = await coming;
  if (answer === undefined) throw new Problem(0, t("The answer broke off"), t("The answer broke off before its end. Run it again, or ask for fewer rows."));
  return answer;
}

export const tables = (): Promise<Schemas["TablesOut"]> => ask<Schemas["TablesOut"]>("/v1/sql");
export const reports = (): Promise<Schemas["ReportsOut"]> => ask<Schemas["ReportsOut"]>("/v1/reports");
export const query = ({ sql, id, signal }: Query): Promise<Answer> =>
  whole(ask("/v1/sql", { method: "POST", body: { sql, id, format: "json", seconds: LONGEST }, signal: soon(signal, LONGEST) }));
export const progress = (id: string): Promise<ProgressOut> => ask<ProgressOut>(`/v1/sql/${encodeURIComponent(id)}`);
export const end = (id: string): Promise<void> => ask<void>(`/v1/sql/${encodeURIComponent(id)}`, { method: "DELETE" });

/** Of which report, and of what. */
export interface ReportAsked {
  name: string;
  /** RFC 3339; without `to` until now. */
  from: string;
  to?: string | undefined;
  vehicle?: string | undefined;
  /** Whose days are meant. */
  zone: string;
}

function reportPath({ name, from, to, vehicle, zone }: ReportAsked, format: Format | "json"): string {
  const query = new URLSearchParams({ from });
  for (const [key, value] of Object.entries({ to, vehicle, zone })) if (value !== undefined && value !== "") query.set(key, value);
  if (format !== "json") query.set("format", format);
  return `/v1/reports/${encodeURIComponent(name)}?${query.toString()}`;
}
export const report = (asked: ReportAsked, signal: AbortSignal): Promise<Answer> =>
  whole(ask(reportPath(asked, "json"), { signal: soon(signal, LONGEST) }));

/** The file of a query. */
export const queryFile = ({ sql, id, signal }: Query, format: Format): Promise<Blob> =>
  ask("/v1/sql", { method: "POST", body: { sql, id, format, seconds: FILE_LONGEST }, signal: soon(signal, FILE_LONGEST), as: "blob", headers: { Accept: "*/*" } });
export const reportFile = (asked: ReportAsked, signal: AbortSignal, format: Format): Promise<Blob> =>
  ask(reportPath(asked, format), { signal: soon(signal, FILE_LONGEST), as: "blob", headers: { Accept: "*/*" } });
