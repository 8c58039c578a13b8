/** Queries that a person ran, newest first. They stay on this device until they are cleared or the person logs out. */

const KEY = "milepost-queries";
/** Queries that are remembered. */
export const QUERIES_MAX = 50;
/** A longer query is not remembered, characters. */
export const QUERY_LENGTH_MAX = 20_000;

export interface Past {
  sql: string;
  /** When it was run last, milliseconds since 1970. */
  at: number;
  /** Rows it gave; absent: it failed or was ended. */
  rows?: number;
}
interface Kept {
  whose: string;
  past: Past[];
}

/** The list with one more run: a query that was there moves to the front. */
export function added(past: readonly Past[], next: Past): Past[] {
  const sql = next.sql.trim();
  if (sql === "" || sql.length > QUERY_LENGTH_MAX) return [...past];
  return [{ ...next, sql }, ...past.filter((p) => p.sql !== sql)].slice(0, QUERIES_MAX);
}

function isPast(value: unknown): value is Past {
  const past = value as Partial<Past> | null;
  return typeof past === "object" && past !== null && typeof past.sql === "string" && typeof past.at === "number";
}

/** What is kept for this person; nothing of another's. */
export function read(store: Pick<Storage, "getItem">, whose: string): Past[] {
  try {
    const kept = JSON.parse(store.getItem(KEY) ?? "null") as Partial<Kept> | null;
    if (kept?.whose !== whose || !Array.isArray(kept.past)) return [];
    return kept.past.filter(isPast).slice(0, QUERIES_MAX);
  } catch {
    return [];
  }
}

export function write(store: Pick<Storage, "setItem">, whose: string, past: readonly Past[]): void {
  try {
    store.setItem(KEY, JSON.stringify({ whose, past }));
  } catch {
    // No room, or not allowed: the list lasts as long as the page.
  }
}

/** Removes what anybody ran here. */
export function clear(store: Pick<Storage, "removeItem">): void {
  try {
    store.removeItem(KEY);
  } catch {
    // Nothing is kept where nothing may be.
  }
}

/** The line of a query that tells it from others: its first that is no note. */
export function summary(sql: string): string {
  const lines = sql.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const note = lines[0]?.startsWith("--") ? lines[0].replace(/^--\s*/, "") : "";
  return note !== "" ? note : lines.join(" ");
}
