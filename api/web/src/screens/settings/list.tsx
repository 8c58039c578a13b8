/** A list of a resource: read, shown as a table, changed with what came of it said. */
import { type ComponentChildren, Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";
import { all, ask, type Ask, Problem } from "../../api/client";
import { t } from "../../messages/translate";
import { say, show } from "../../state/notices";

/** Most members of a list that a screen shows. */
const SHOWN_MAX = 2_000;

export interface List<T> {
  members: T[];
  state: "loading" | "some" | "empty" | "failed" | "absent";
  why: string;
  whole: boolean;
  refresh: () => void;
}

/** Reads a list now and each `every` milliseconds; 0: only now. */
export function useList<T>(path: string, name: string, every = 0): List<T> {
  const [list, setList] = useState<Omit<List<T>, "refresh">>({ members: [], state: "loading", why: "", whole: true });
  const [times, setTimes] = useState(0);
  useEffect(() => {
    let over = false;
    const read = () => all<T>(path, name, SHOWN_MAX).then(
      ({ members, whole }) => { if (!over) setList({ members, whole, why: "", state: members.length === 0 ? "empty" : "some" }); },
      (error: unknown) => {
        if (over) return;
        const problem = error instanceof Problem ? error : new Problem(0, "", String(error));
        setList((before) => ({ ...before, state: problem.status === 404 ? "absent" : "failed", why: problem.detail }));
      },
    );
    void read();
    const timer = every === 0 ? undefined : setInterval(() => void read(), every);
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, [path, times]);
  return { ...list, refresh: () => setTimes(times + 1) };
}

/** Sends a change and says what came of it; gives the answer, or nothing when it failed. */
export async function change<T>(path: string, options: Ask, done: string): Promise<T | undefined> {
  try {
    const answer = await ask<T>(path, options);
    show({ kind: "done", text: done });
    say(done);
    return answer ?? ({} as T);
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem(0, "", String(error));
    show({ kind: "failed", text: t("Not done: {why}", { why: problem.detail }), small: problem.trace });
    return undefined;
  }
}

export interface Column<T> {
  word: string;
  cell: (member: T) => ComponentChildren;
  numeric?: boolean;
}

export function Table<T>({ list, columns, idOf, what, empty, below }: {
  list: List<T>; columns: Column<T>[]; idOf: (member: T) => string; what: string; empty: ComponentChildren;
  /** What is unfolded under a member. */
  below?: (member: T) => ComponentChildren;
}) {
  if (list.state === "loading") return <p class="pad soft" role="status" data-part="list" data-state="loading">{t("Loading {what}", { what })}</p>;
  if (list.state === "absent") return <div class="empty" data-part="list" data-state="absent"><b>{t("This server does not offer {what} yet.", { what })}</b></div>;
  if (list.state === "failed" && list.members.length === 0) {
    return <div class="empty" role="alert" data-part="list" data-state="failed"><b>{t("Cannot be read: {why}", { why: list.why })}</b><button type="button" class="btn" onClick={list.refresh}>{t("Try again")}</button></div>;
  }
  if (list.state === "empty") return <div class="empty" data-part="list" data-state="empty">{empty}</div>;
  return (
    <div class="table-box" data-part="list" data-state={list.state} tabIndex={0} role="region" aria-label={what}>
      <table class="table">
        <thead><tr>{columns.map((column) => <th scope="col" class={column.numeric ? "num" : ""}>{column.word === "" ? <span class="vh">{t("Actions")}</span> : column.word}</th>)}</tr></thead>
        <tbody>
          {list.members.map((member) => {
            const unfolded = below?.(member);
            return (
              <Fragment key={idOf(member)}>
                <tr data-id={idOf(member)}>{columns.map((column, i) => (i === 0 ? <th scope="row">{column.cell(member)}</th> : <td class={column.numeric ? "num" : ""}>{column.cell(member)}</td>))}</tr>
                {unfolded != null && unfolded !== false && <tr class="below"><td colSpan={columns.length}>{unfolded}</td></tr>}
              </Fragment>
            );
          })}
        </tbody>
      </table>
      {!list.whole && <p class="pad faint">{t("Only the first {n} are shown.", { n: list.members.length })}</p>}
      {list.state === "failed" && <p class="pad t-late" role="alert">{t("Not up to date: {why}", { why: list.why })}</p>}
    </div>
  );
}

/** A secret that is shown once, with a button that copies it. */
export function Once({ words, text, close }: { words: string; text: string; close: () => void }) {
  return (
    <div class="once" role="status" data-part="once">
      <span>{words}</span>
      <output>{text}</output>
      <button type="button" class="btn" onClick={() => void copy(text)}>{t("Copy")}</button>
      <button type="button" class="btn" onClick={close}>{t("I have it")}</button>
    </div>
  );
}

export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    show({ kind: "done", text: t("Copied.") });
  } catch {
    show({ kind: "failed", text: t("The browser does not let us copy. Select the text and copy it.") });
  }
}

/** The text of one field of a form. */
export function field(event: SubmitEvent, name: string): string {
  const form = event.currentTarget;
  return form instanceof HTMLFormElement ? String(new FormData(form).get(name) ?? "").trim() : "";
}
