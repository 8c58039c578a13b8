/** Which rows of a long table are shown, in which order, how wide. */
import type { Answer, Cell } from "../api/analytics";
import { type Column, shown } from "./cells";

export const ROW = 32;
/** Rows kept above and below those on the screen. */
const SPARE = 8;
/** Width of a column in characters, and the rows that are measured for it. */
const NARROWEST = 5;
const WIDEST = 34;
/** A shape's text says little: the map shows it. */
const WIDEST_SHAPE = 16;
const MEASURED = 200;

export interface Sorting {
  column: number;
  down: boolean;
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** Below 0: `a` comes first. Nothing comes last, whichever way is sorted. */
function compare(a: Cell, b: Cell, column: Column): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [x, y] = [typeof a === "object" ? JSON.stringify(a) : String(a), typeof b === "object" ? JSON.stringify(b) : String(b)];
  // Times and days are told so that their letters sort as they do.
  if (column.kind === "time" || column.kind === "date") return x < y ? -1 : x > y ? 1 : 0;
  return collator.compare(x, y);
}

/** Numbers of the rows in the order that is asked for; equal ones stay as the server sent them. */
export function sorted(answer: Answer, columns: readonly Column[], by: Sorting | null): number[] {
  const order = answer.rows.map((_, i) => i);
  const column = by === null ? undefined : columns[by.column];
  if (by === null || column === undefined) return order;
  const cells = answer.rows.map((row) => row[column.index] ?? null);
  const sign = by.down ? -1 : 1;
  return order.sort((i, j) => {
    const [a, b] = [cells[i] ?? null, cells[j] ?? null];
    if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0) || i - j;
    return sign * compare(a, b, column) || i - j;
  });
}

/** The next way to sort when a column is pressed: up, down, as the server sent it. */
export function pressed(before: Sorting | null, column: number): Sorting | null {
  if (before?.column !== column) return { column, down: false };
  return before.down ? null : { column, down: true };
}

export interface Window {
  first: number;
  /** The row behind the last. */
  end: number;
}

/** Rows to draw where so much is scrolled and so much is seen, pixels. */
export function windowOf(scrolled: number, seen: number, count: number): Window {
  const first = Math.max(0, Math.min(count, Math.floor(scrolled / ROW)) - SPARE);
  return { first, end: Math.min(count, Math.ceil((Math.max(0, scrolled) + seen) / ROW) + SPARE) };
}

/** How far to scroll so that a row is seen whole below the head, pixels. */
export function scrollTo(row: number, scrolled: number, seen: number): number {
  const [top, bottom] = [row * ROW, (row + 1) * ROW];
  return top < scrolled ? top : bottom > scrolled + seen ? bottom - seen : scrolled;
}

/** Characters that each column needs. */
export function widths(answer: Answer, columns: readonly Column[], heads: readonly string[]): number[] {
  const step = Math.max(1, Math.floor(answer.rows.length / MEASURED));
  const measured = answer.rows.filter((_, i) => i % step === 0);
  return columns.map((column, i) => {
    const longest = measured.reduce((most, row) => Math.max(most, shown(row[column.index], column).length), 0);
    // The head has room for the sign of its order.
    return Math.max(NARROWEST, Math.min(column.kind === "shape" ? WIDEST_SHAPE : WIDEST, Math.max(longest, (heads[i] ?? "").length + 2)));
  });
}
