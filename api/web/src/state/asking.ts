/** The query that runs or ran last, the files that are made, and what was run before. */
import { signal } from "@preact/signals";
import { type Answer, end, type Format, type ProgressOut, progress, query, queryFile } from "../api/analytics";
import { Problem } from "../api/client";
import { added, clear, type Past, read, write } from "../analytics/history";
import { number } from "../format";
import { t } from "../messages/translate";
import { say, show, urgent } from "./notices";
import { session, whose } from "./session";

/** How often a running query is asked how far it is, milliseconds. */
const EVERY = 500;

export interface Run {
  state: "idle" | "running" | "done" | "failed" | "cancelled";
  sql: string;
  /** When it began, by the page's clock, milliseconds. */
  began: number;
  progress: ProgressOut | null;
  answer: Answer | null;
  problem: Problem | null;
}
const IDLE: Run = { state: "idle", sql: "", began: 0, progress: null, answer: null, problem: null };
export const run = signal<Run>(IDLE);
/** The text that is being written. */
export const draft = signal("");
export const past = signal<Past[]>([]);
/** The kind of file that is being made. */
export const making = signal<Format | null>(null);

let abort: AbortController | null = null;
let fileAbort: AbortController | null = null;
let id = "";

const own = (): string => (session.value === null ? "" : whose(session.value));
const asProblem = (error: unknown): Problem => (error instanceof Problem ? error : new Problem(0, t("The answer broke off"), String(error)));
/** Names a run among the person's own. */
const name = (): string => `web-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;

/** Takes up what this person ran before. */
export function recallPast(): void {
  past.value = read(localStorage, own());
  // What another person left goes.
  if (past.value.length === 0) clear(localStorage);
  if (draft.value === "") draft.value = past.value[0]?.sql ?? "";
}
function remember(next: Past): void {
  past.value = added(past.value, next);
  write(localStorage, own(), past.value);
}
export function clearPast(): void {
  const before = past.value;
  past.value = [];
  clear(localStorage);
  const undo = () => {
    past.value = before;
    write(localStorage, own(), before);
  };
  show({ kind: "done", text: t("The history of queries is cleared."), undo });
}

/** Asks the server every little while how far it is; gives what stops that. */
function follow(of: string): () => void {
  const timer = setInterval(() => {
    // A query that is not known has not begun or is over: its answer says which.
    progress(of).then((found) => {
      if (run.value.state === "running" && id === of) run.value = { ...run.value, progress: found };
    }, () => {});
  }, EVERY);
  return () => clearInterval(timer);
}

/** Runs a query; one that runs already is ended. */
export async function start(sql: string): Promise<void> {
  if (sql.trim() === "") return;
  if (run.value.state === "running") cancel();
  const [mine, controller] = [name(), new AbortController()];
  [id, abort] = [mine, controller];
  run.value = { ...IDLE, state: "running", sql, began: Date.now() };
  const unfollow = follow(mine);
  try {
    const answer = await query({ sql, id: mine, signal: controller.signal });
    if (id !== mine) return;
    run.value = { ...run.value, state: "done", answer };
    remember({ sql, at: Date.now(), rows: answer.row_count });
    say(t("{n, plural, one {# row} other {# rows}}", { n: answer.row_count }));
  } catch (error) {
    if (id !== mine || controller.signal.aborted) return;
    const problem = asProblem(error);
    run.value = { ...run.value, state: "failed", problem };
    remember({ sql, at: Date.now() });
    urgent.value = problem.detail;
  } finally {
    unfollow();
  }
}

/** Ends what runs, here and on the server. */
export function cancel(): boolean {
  if (making.value !== null) {
    fileAbort?.abort();
    making.value = null;
    return true;
  }
  if (run.value.state !== "running") return false;
  abort?.abort();
  // Who may only look cannot end it by name: it ends with the connection that is closed here.
  end(id).catch(() => {});
  run.value = { ...run.value, state: "cancelled" };
  remember({ sql: run.value.sql, at: Date.now() });
  say(t("The query was ended."));
  return true;
}

/** Gives a file to the browser's downloads. */
export function save(file: Blob, called: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = called;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Makes a file and saves it; says what came of it. */
export async function make(format: Format, called: string, file: (signal: AbortSignal) => Promise<Blob>): Promise<void> {
  if (making.value !== null) return;
  const controller = new AbortController();
  fileAbort = controller;
  making.value = format;
  try {
    const blob = await file(controller.signal);
    save(blob, `${called}.${format}`);
    show({ kind: "done", text: t("{name} saved, {kb} kB.", { name: `${called}.${format}`, kb: number(Math.ceil(blob.size / 1000)) }) });
  } catch (error) {
    if (controller.signal.aborted) return;
    const problem = asProblem(error);
    show({ kind: "failed", text: t("No file was made: {why}", { why: problem.detail }), small: problem.trace });
  } finally {
    if (fileAbort === controller) making.value = null;
  }
}
export const makeOfQuery = (sql: string, format: Format): Promise<void> =>
  make(format, "query", (signal) => queryFile({ sql, id: name(), signal }, format));
