/** Who is logged in. */
import { signal } from "@preact/signals";
import { ask, Problem, type Session } from "../api/client";

/** Null until it is known; then `asked` says whether somebody has to log in. */
export const session = signal<Session | null>(null);
export const login = signal(false);
/** Why the server could not be asked. */
export const unreachable = signal("");

/** Finds out who is there. */
export async function enter(): Promise<void> {
  try {
    session.value = await ask<Session>("/v1/session");
    unreachable.value = "";
  } catch (error) {
    if (error instanceof Problem && error.status === 401) login.value = true;
    else {
      unreachable.value = error instanceof Error ? error.message : String(error);
      setTimeout(() => void enter(), 3_000);
    }
  }
}

/** What a person gives to get in: a key, or e-mail and password. */
export type Credentials = { key: string } | { email: string; password: string; totp?: string };

export async function logIn(with_: Credentials): Promise<void> {
  await ask<Session>("/v1/session", { method: "POST", body: with_ });
  // The stream, worker and all lists begin anew with the new person.
  location.reload();
}

export async function logOut(): Promise<void> {
  await ask("/v1/session", { method: "DELETE" });
  location.reload();
}

/** The server no longer knows us. */
export function leave(): void {
  session.value = null;
  login.value = true;
}

export const may = (role: "admin" | "dispatcher"): boolean => {
  const own = session.value?.role;
  return own === "admin" || own === role;
};
