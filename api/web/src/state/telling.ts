/** Telling the customers whom a problem makes late. Messages leave when nobody can take them back any more. */
import { signal } from "@preact/signals";
import { ask, type Concerned, type Exception, Problem, type Told } from "../api/client";
import { t } from "../messages/translate";
import { say, show } from "./notices";
import { hindrance } from "./remedy";

/** Whom the problem that is shown makes late, by the problem's id. */
export const concerned = signal<{ id: string; customers: Concerned[] } | null>(null);
/** A problem whose messages are on their way to the server. */
export const telling = signal("");

const path = (id: string): string => `/v1/exceptions/${encodeURIComponent(id)}/tell`;

/** Reads whom a problem concerns; what cannot be read is not shown. */
export async function readConcerned(id: string): Promise<void> {
  if (concerned.value?.id !== id) concerned.value = null;
  try {
    const { customers } = await ask<{ customers: Concerned[] }>(path(id));
    concerned.value = { id, customers };
  } catch {
    if (concerned.value?.id === id) concerned.value = null;
  }
}

/** Customers of a problem who can be told and do not know yet. */
export function untold(id: string): number {
  const known = concerned.value;
  return known?.id === id ? known.customers.filter((one) => one.state === "untold").length : 0;
}

/** What is known about telling, in one sentence; empty where nobody is concerned. */
export function toldWords(id: string): string {
  const known = concerned.value;
  if (known === null || known.id !== id || known.customers.length === 0) return "";
  const told = known.customers.filter((one) => one.state === "told").length;
  if (told > 0) return t("{told} of {n, plural, one {# customer} other {# customers}} told.", { told, n: known.customers.length });
  return untold(id) > 0 ? t("No delay message sent yet.") : t("No address to tell anybody.");
}

export async function tellCustomers(exception: Exception): Promise<void> {
  const { id } = exception;
  if (hindrance() !== "" || telling.value !== "" || untold(id) === 0) return;
  telling.value = id;
  try {
    const { messages } = await ask<Told>(path(id), { method: "POST" });
    const text = t("{n, plural, =0 {Nobody was left to tell.} one {# message leaves in 10 s.} other {# messages leave in 10 s.}}", { n: messages });
    show({ kind: "done", text, undo: messages > 0 ? () => void takeBack(id) : undefined });
    say(text);
  } catch (error) {
    failed(error);
  }
  telling.value = "";
  await readConcerned(id);
}

async function takeBack(id: string): Promise<void> {
  try {
    await ask(path(id), { method: "DELETE" });
    show({ kind: "done", text: t("Taken back: nobody was told.") });
  } catch (error) {
    failed(error);
  }
  await readConcerned(id);
}

function failed(error: unknown): void {
  const problem = error instanceof Problem ? error : new Problem(0, "", String(error));
  show({ kind: "failed", text: t("Nobody was told: {why}", { why: problem.detail || problem.title }), small: problem.trace });
}
