/** Doing what an exception offers, once, and saying what came of it. */
import { signal } from "@preact/signals";
import { ask, type Exception, onceKey, Problem, type Remedy } from "../api/client";
import { t } from "../messages/translate";
import { refresh } from "./exceptions";
import { connection } from "./live";
import { say, show } from "./notices";
import { may } from "./session";

/** What became of a proposal, and of an exception whose proposal is gone. A running one is not sent twice. */
export type Outcome = "running" | "done" | "failed" | "solved";
export const outcomes = signal<ReadonlyMap<string, Outcome>>(new Map());

function set(id: string, exception: string | undefined, outcome: Outcome): void {
  const next = new Map(outcomes.value).set(id, outcome);
  if (exception !== undefined) next.set(exception, outcome);
  outcomes.value = next;
}

/** What became of the remedy of an exception; of its last one where there is none now. */
export function outcomeOf(exception: Exception): Outcome | undefined {
  const remedy = exception.remedies[0];
  return outcomes.value.get(remedy?.reroute ?? exception.id);
}

/** Why nothing can be done now; empty where it can. */
export function hindrance(): string {
  if (!may("dispatcher")) return t("Your role may look, not act");
  if (connection.value === "offline") return t("Offline: actions wait for the network");
  return "";
}

/** Accepts or refuses a proposal. Neither can be taken back, and it says so. */
export async function answer(remedy: Remedy, how: "accept" | "refuse", words: string, exception?: string): Promise<void> {
  const id = remedy.reroute;
  if (id === undefined || hindrance() !== "" || outcomes.value.get(id) === "running") return;
  set(id, exception, "running");
  try {
    await ask(`/v1/reroutes/${encodeURIComponent(id)}/${how}`, { method: "POST", once: onceKey() });
    set(id, exception, "done");
    const text = how === "accept"
      ? t("{what}: sent to the van. It cannot be taken back.", { what: words })
      : t("Proposal refused. It cannot be taken back.");
    show({ kind: "done", text });
    say(text);
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem(0, "", String(error));
    const solved = problem.status === 404 || problem.status === 409;
    set(id, exception, solved ? "solved" : "failed");
    if (solved) show({ kind: "done", text: t("Already solved: the proposal is gone. Nothing was changed.") });
    else show({ kind: "failed", text: t("Remedy not applied: {why}. Nothing was changed.", { why: problem.detail.replace(/\.$/, "") }), small: problem.trace });
  }
  refresh();
}
