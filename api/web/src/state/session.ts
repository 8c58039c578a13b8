/** Who is logged in. */
import { signal } from "@preact/signals";
import { ask, Problem, type Session } from "../api/client";
import { clear } from "../analytics/history";
import { t } from "../messages/translate";
import { forget, keep, recall } from "../offline/kept";
import { show } from "./notices";

/** Null until it is known; then `asked` says whether somebody has to log in. */
export const session = signal<Session | null>(null);
export const login = signal(false);
/** Why the server could not be asked. */
export const unreachable = signal("");

/** Names a person, to keep theirs apart from others'. */
export const whose = (of: Session): string => JSON.stringify([of.tenant, of.role, of.key, of.email ?? ""]);

/** Finds out who is there. Where nobody answers it is whoever was there last. */
export async function enter(): Promise<void> {
  try {
    const found = await ask<Session>("/v1/session");
    if ((await recall("session", whose(found))) === undefined) await forget();
    await keep("session", whose(found), found);
    // Another person than the one who was shown: all begins anew.
    if (session.value !== null && whose(session.value) !== whose(found)) return location.reload();
    session.value = found;
    unreachable.value = "";
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return leave();
    unreachable.value = error instanceof Error ? error.message : String(error);
    if (error instanceof Problem && error.status === 0) session.value ??= (await recall<Session>("session"))?.value ?? null;
    setTimeout(() => void enter(), 3_000);
  }
}

/** What a person gives to get in: a key, or e-mail and password. */
export type Credentials = { key: string } | { email: string; password: string; totp?: string };

export async function logIn(with_: Credentials): Promise<void> {
  await ask<Session>("/v1/session", { method: "POST", body: with_ });
  await forget();
  // The stream, worker and all lists begin anew with the new person.
  location.reload();
}

/** Ends the session. What was kept goes first: without a network the server cannot be told. */
export async function logOut(): Promise<void> {
  await forget();
  clear(localStorage);
  try {
    await ask("/v1/session", { method: "DELETE" });
    location.reload();
  } catch (error) {
    const why = error instanceof Problem ? error.title : String(error);
    show({ kind: "failed", text: t("Not logged out: {why}. What this device kept is removed.", { why }) });
  }
}

/** The server no longer knows us. */
export function leave(): void {
  void forget();
  session.value = null;
  login.value = true;
}

export const may = (role: "admin" | "dispatcher"): boolean => {
  const own = session.value?.role;
  return own === "admin" || own === role;
};
