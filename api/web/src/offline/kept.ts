/**
 * What one person saw last, for when there is no network: the session, the fleet, the problems.
 * One cache of the browser, each entry stamped with whose it is and when; another person's is never
 * given out, and logging out removes all.
 */

const CACHE = "milepost-last";
/** Of the service worker: where somebody looked. */
const TILES = "milepost-tiles";
/** What is older counts as forgotten, milliseconds: as long as a session lasts. */
const KEPT_FOR = 12 * 3_600_000;

interface Entry<T> {
  whose: string;
  at: number;
  value: T;
}
/** What is kept, and when it was. */
export type Kept<T> = Pick<Entry<T>, "at" | "value">;
export type Name = "session" | "fleet" | "exceptions";

const place = (name: Name): string => `/app/last/${name}`;
/** Browsers have it on secure origins and loopback only. */
const possible = (): boolean => "caches" in globalThis;

/** Keeps a value for the person it is of. */
export async function keep(name: Name, whose: string, value: unknown): Promise<void> {
  if (!possible()) return;
  const entry: Entry<unknown> = { whose, at: Date.now(), value };
  try {
    const cache = await caches.open(CACHE);
    await cache.put(place(name), new Response(JSON.stringify(entry), { headers: { "content-type": "application/json" } }));
  } catch {
    // No room, or not allowed: the app then opens with a network only.
  }
}

/** What is kept for this person and still counts; without a person, whatever does. */
export async function recall<T>(name: Name, whose?: string): Promise<Kept<T> | undefined> {
  if (!possible()) return undefined;
  try {
    const found = await caches.match(place(name), { cacheName: CACHE });
    const entry = (await found?.json()) as Entry<T> | undefined;
    if (entry === undefined || (whose !== undefined && entry.whose !== whose)) return undefined;
    return usable(entry.at, Date.now()) ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** Whether something of then still counts. What comes from the future came from a clock set back. */
export function usable(at: number, now: number): boolean {
  return at <= now && now - at < KEPT_FOR;
}

/** Removes everything that a person saw. */
export async function forget(): Promise<void> {
  if (!possible()) return;
  await Promise.allSettled([caches.delete(CACHE), caches.delete(TILES)]);
}
