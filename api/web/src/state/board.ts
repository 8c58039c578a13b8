/** The exception board: an order that changes only between a person's actions. */
import { computed, effect, signal } from "@preact/signals";
import type { Exception } from "../api/client";
import { param, put } from "./address";
import { mine, snoozed } from "./care";
import { byId, open } from "./exceptions";

/** Ids in the order they are shown; those that went stay while they are selected. */
const order = signal<string[]>([]);
/** What was last known of each that is shown. */
const last = new Map<string, Exception>();

export type Filter = "all" | "late" | "nosignal" | "offroute" | "longstop" | "failed" | "mine" | "snoozed";
const TYPES: Partial<Record<Filter, string>> = {
  late: "predicted_late", nosignal: "no_signal", offroute: "off_route", longstop: "long_stop", failed: "failed",
};
export const FILTERS: Filter[] = ["all", "late", "nosignal", "offroute", "longstop", "failed", "mine", "snoozed"];
export const filter = computed<Filter>(() => (FILTERS as string[]).includes(param("show")) ? (param("show") as Filter) : "all");
/** Whether it is shown under a filter. What may wait is shown under its own only. */
export function passes(exception: Exception, by: Filter): boolean {
  if (by === "snoozed") return snoozed(exception);
  if (snoozed(exception)) return false;
  if (by === "mine") return mine(exception);
  return by === "all" || exception.type === TYPES[by];
}

export const chosenId = computed(() => param("x"));

/** Problems that came while a row is selected, waiting to be let in. */
export const waiting = computed(() => {
  const shown = new Set(order.value);
  return open.value.filter((e) => !shown.has(e.id) && passes(e, filter.value)).length;
});

export interface BoardRow {
  exception: Exception;
  /** It is no longer open. */
  gone: boolean;
}
export const boardRows = computed<BoardRow[]>(() => {
  const found: BoardRow[] = [];
  for (const id of order.value) {
    const now = byId.value.get(id);
    if (now !== undefined) last.set(id, now);
    const exception = now ?? last.get(id);
    if (exception === undefined) continue;
    if (id !== chosenId.value && !passes(exception, filter.value)) continue;
    if (now !== undefined || id === chosenId.value) found.push({ exception, gone: now === undefined });
  }
  return found;
});

/** Takes the server's order, with all that is new. */
export function rearrange(): void {
  const kept = open.value.map((e) => e.id);
  const chosen = chosenId.peek();
  if (chosen !== "" && !kept.includes(chosen) && last.has(chosen)) kept.unshift(chosen);
  order.value = kept;
}

/** Keeps the board up to date while it is open. */
export function follow(): () => void {
  rearrange();
  return effect(() => {
    void open.value;
    // While a row is selected, order and length stay as they are.
    if (chosenId.value === "") rearrange();
    else if (order.peek().length === 0) rearrange();
  });
}

export function choose(id: string): void {
  put({ x: id });
}

/** The row so many places after the selected one. */
export function stepBoard(by: 1 | -1): string | undefined {
  const rows = boardRows.value;
  const at = rows.findIndex((row) => row.exception.id === chosenId.value);
  const to = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by));
  const id = rows[to]?.exception.id;
  if (id !== undefined) choose(id);
  return id;
}
