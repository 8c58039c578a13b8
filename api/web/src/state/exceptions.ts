/** Open exceptions, the most expensive first; their order changes only between a person's actions. */
import { computed, signal } from "@preact/signals";
import { all, ask, type Exception, type Exceptions, type Reroute, type Today } from "../api/client";
import { midnight } from "../format";
import { keep, recall } from "../offline/kept";
import { now, onEvent } from "./live";
import { session, whose } from "./session";

/** How often they are read, milliseconds, and at least how far apart. */
const EVERY = 5_000;
const APART = 1_000;
/** Exceptions read; beyond that the board says so. */
export const EXCEPTIONS_MAX = 1_000;

/** As the server last said, most expensive first. */
export const open = signal<Exception[]>([]);
export const loaded = signal(false);
export const failed = signal("");
export const whole = signal(true);
export const currency = signal<string | undefined>(undefined);
export const reroutes = signal<Map<string, Reroute>>(new Map());
/** When the last one went, milliseconds of this page's life; 0 for none. */
export const lastSolved = signal(0);

export const byId = computed(() => new Map(open.value.map((e) => [e.id, e])));
/** Those that nobody said may wait. */
export const pressing = computed(() => open.value.filter((e) => e.snoozed_until === undefined || Date.parse(e.snoozed_until) <= now.value));
export const totalCost = computed(() => open.value.reduce((sum, e) => sum + e.cost, 0));

const OPENERS = new Set([
  "predicted_late", "back_on_time", "off_route", "back_on_route", "long_stop", "moving_again",
  "no_signal", "signal_back", "reroute_proposed", "reroute_accepted", "reroute_refused", "failed",
]);

/** Kept this seldom for when there is no network, milliseconds. */
const KEEP_EVERY = 30_000;
interface Last {
  open: Exception[];
  reroutes: Reroute[];
  currency: string | undefined;
}
/** When what is shown was read, where it was kept and not read just now; 0 else. */
export const keptAt = signal(0);

/** What became of the problems of today that are no longer open. */
export const today = signal<Today | undefined>(undefined);
/** Counted this seldom, milliseconds. */
const COUNT_EVERY = 60_000;
let counted = 0;

/** Counts since midnight at the branch; without an answer the count is left out. */
async function count(): Promise<void> {
  if (Date.now() - counted < COUNT_EVERY) return;
  counted = Date.now();
  const from = new Date(midnight(now.value)).toISOString();
  today.value = await ask<Today>(`/v1/exceptions/today?from=${encodeURIComponent(from)}`).catch(() => undefined);
}

let last = 0;
let kept = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Reads now, or as soon as it is allowed again. */
export function refresh(): void {
  clearTimeout(timer);
  timer = setTimeout(() => void read(), Math.max(0, last + APART - Date.now()));
}

async function read(): Promise<void> {
  last = Date.now();
  try {
    const [found, proposals] = await Promise.all([list(), ask<{ reroutes: Reroute[] }>("/v1/reroutes")]);
    const ids = new Set(found.map((e) => e.id));
    if (open.value.some((e) => !ids.has(e.id))) lastSolved.value = Date.now();
    open.value = found;
    reroutes.value = new Map(proposals.reroutes.map((r) => [r.id, r]));
    loaded.value = true;
    failed.value = "";
    keptAt.value = 0;
    keepSeldom();
    void count();
  } catch (error) {
    failed.value = error instanceof Error ? error.message : String(error);
    if (!loaded.value) await restore();
  }
  clearTimeout(timer);
  timer = setTimeout(() => void read(), document.hidden ? EVERY * 6 : EVERY);
}

const person = (): string => (session.value === null ? "" : whose(session.value));

function keepSeldom(): void {
  if (Date.now() - kept < KEEP_EVERY) return;
  kept = Date.now();
  const value: Last = { open: open.value, reroutes: [...reroutes.value.values()], currency: currency.value };
  void keep("exceptions", person(), value);
}

/** What was kept of them, where nobody answers. */
async function restore(): Promise<void> {
  const found = await recall<Last>("exceptions", person());
  if (found === undefined || loaded.value) return;
  open.value = found.value.open;
  reroutes.value = new Map(found.value.reroutes.map((r) => [r.id, r]));
  currency.value = found.value.currency;
  keptAt.value = found.at;
  loaded.value = true;
}

async function list(): Promise<Exception[]> {
  const page = await ask<Exceptions>("/v1/exceptions?limit=200");
  currency.value = page.currency;
  whole.value = true;
  if (page.next === undefined) return page.exceptions;
  const rest = await all<Exception>(`/v1/exceptions?limit=200&after=${encodeURIComponent(page.next)}`, "exceptions", EXCEPTIONS_MAX);
  whole.value = rest.whole;
  return [...page.exceptions, ...rest.members];
}

export function beginExceptions(): void {
  refresh();
  onEvent.add((event) => {
    if (OPENERS.has(event.type)) refresh();
  });
}
