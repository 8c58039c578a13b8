/** Noting of an exception that it may wait, or who takes care of it; both can be taken back. */
import { ask, type Exception, Problem } from "../api/client";
import { clock } from "../format";
import { t } from "../messages/translate";
import { refresh } from "./exceptions";
import { now } from "./live";
import { say, show } from "./notices";
import { hindrance } from "./remedy";
import { session } from "./session";

/** How long a snoozed exception waits, milliseconds. */
const SNOOZE = 30 * 60_000;

export const snoozed = (exception: Exception): boolean =>
  exception.snoozed_until !== undefined && Date.parse(exception.snoozed_until) > now.value;

/** The name that is noted when somebody takes care. */
export const ownName = (): string => session.value?.name ?? session.value?.email ?? session.value?.key ?? "";
export const mine = (exception: Exception): boolean => exception.assigned_to !== undefined && exception.assigned_to === ownName();

async function note(exception: Exception, what: "snooze" | "assign", body: unknown, done: string): Promise<void> {
  if (hindrance() !== "") return;
  const path = `/v1/exceptions/${encodeURIComponent(exception.id)}/${what}`;
  const undo = () => void send(path, { method: "DELETE" }, t("Taken back."));
  await send(path, { method: "POST", body }, done, undo);
}

async function send(path: string, options: Parameters<typeof ask>[1], done: string, undo?: () => void): Promise<void> {
  try {
    await ask(path, options);
    show({ kind: "done", text: done, undo });
    say(done);
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem(0, "", String(error));
    if (problem.status === 404) show({ kind: "done", text: t("Already solved: the problem is no longer open.") });
    else show({ kind: "failed", text: t("Not done: {why}", { why: problem.detail }), small: problem.trace });
  }
  refresh();
}

export function snooze(exception: Exception): void {
  const until = Date.now() + SNOOZE;
  void note(exception, "snooze", { until: new Date(until).toISOString() }, t("Left alone until {time}.", { time: clock(until) }));
}

export function wake(exception: Exception): void {
  void send(`/v1/exceptions/${encodeURIComponent(exception.id)}/snooze`, { method: "DELETE" }, t("Back on the board."));
}

export function assign(exception: Exception): void {
  const to = ownName();
  void note(exception, "assign", { to }, t("{name} takes care of it.", { name: to }));
}
