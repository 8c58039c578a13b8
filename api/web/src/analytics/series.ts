/** What a chart draws of an answer: places along x, and a line or bars over them. */
import type { Answer, Cell } from "../api/analytics";
import { type Column, isName, isPlace, plain, shown } from "./cells";

/** Lines of one chart; the rest is left out, and that is said. */
export const LINES_MAX = 6;

export type ChartKind = "line" | "bar";
export interface Choice {
  x: Column;
  y: Column;
  /** A line for each of its values. */
  per: Column | null;
  kind: ChartKind;
}

export interface Series {
  name: string;
  ys: (number | null)[];
}
export interface Drawn {
  /** Seconds since 1970, numbers, or places in `words`. */
  xs: number[];
  /** What stands at each place of an axis that is none of numbers. */
  words: string[] | null;
  time: boolean;
  series: Series[];
  /** Number of the first row behind each place. */
  rows: number[];
  /** Lines that were left out. */
  left: number;
  /** How rows of one place became one value. */
  joined: "alone" | "sum" | "mean";
}

const drawnUp = (column: Column): boolean => column.kind === "number" && !isPlace(column) && !isName(column);
export const ys = (columns: readonly Column[]): Column[] => columns.filter((c) => c.kind === "number" && !isPlace(c));
export const xs = (columns: readonly Column[]): Column[] => columns.filter((c) => c.kind !== "shape" && c.kind !== "other");
export const pers = (columns: readonly Column[], x: Column): Column[] => columns.filter((c) => c !== x && (c.kind === "text" || c.kind === "flag"));

/** The amount that makes shapes of a map stronger unless another is asked for: one that is measured, else one that is counted. */
export function shadeOf(columns: readonly Column[]): string {
  const amounts = ys(columns).filter((c) => !isName(c));
  return (amounts.find((c) => c.decimals > 0) ?? amounts[0])?.name ?? "";
}

export interface Wanted {
  x: string;
  y: string;
  per: string;
  kind: string;
}

/** What is asked for where the answer has it, else what its columns suggest; null: nothing can be drawn. */
export function choose(columns: readonly Column[], rows: number, wanted: Wanted): Choice | null {
  const [across, up] = [xs(columns), ys(columns)];
  const named = (of: readonly Column[], name: string) => of.find((c) => c.name === name);
  const x = named(across, wanted.x) ?? across.find((c) => c.kind === "time" || c.kind === "date") ?? across.find((c) => !isPlace(c));
  if (x === undefined || rows < 2) return null;
  const y = named(up, wanted.y) ?? up.find((c) => c !== x && drawnUp(c)) ?? up.find((c) => c !== x);
  if (y === undefined) return null;
  const timed = x.kind === "time" || x.kind === "date";
  const kind = wanted.kind === "bar" || wanted.kind === "line" ? wanted.kind : x.kind === "time" ? "line" : "bar";
  const per = kind === "line" && (timed || x.kind === "number") ? named(pers(columns, x), wanted.per) ?? null : null;
  return { x, y, per, kind };
}

/** Where a cell stands on an axis of numbers or of time; null: nowhere. */
function along(cell: Cell | undefined, x: Column): number | null {
  if (x.kind === "number") return typeof cell === "number" ? cell : null;
  if (typeof cell !== "string") return null;
  const at = Date.parse(cell) / 1000;
  return Number.isFinite(at) ? at : null;
}

/** Of amounts the sum is meant, of all else the mean. */
function isAmount(y: Column, rows: readonly Cell[][]): boolean {
  const counted = y.decimals === 0 || /^(distance|driving|idle|dwell)_(m|s)$/.test(y.name);
  return counted && !/(avg|mean|median|max|min|longest|p\d+|rate|coverage)/.test(y.name) && rows.every((row) => (row[y.index] ?? 0) as number >= 0);
}

export function draw(answer: Answer, { x, y, per, kind }: Choice): Drawn {
  const time = x.kind === "time" || x.kind === "date";
  const numeric = time || (x.kind === "number" && kind === "line");
  const words = new Map<string, number>();
  const lines = new Map<string, Map<number, { sum: number; rows: number }>>();
  const firsts = new Map<number, number>();
  let most = 1;
  for (const [i, row] of answer.rows.entries()) {
    const value = row[y.index];
    const label = shown(row[x.index], x);
    const place = numeric ? along(row[x.index], x) : (words.get(label) ?? words.set(label, words.size).size - 1);
    if (place === null || typeof value !== "number") continue;
    const name = per === null ? y.name : plain(row[per.index]) || "–";
    const line = lines.get(name) ?? lines.set(name, new Map()).get(name)!;
    const there = line.get(place) ?? line.set(place, { sum: 0, rows: 0 }).get(place)!;
    there.sum += value;
    if (!firsts.has(place)) firsts.set(place, i);
    most = Math.max(most, ++there.rows);
  }
  const places = [...new Set([...lines.values()].flatMap((line) => [...line.keys()]))].sort((a, b) => a - b);
  const add = isAmount(y, answer.rows);
  const kept = [...lines].sort(([, a], [, b]) => b.size - a.size).slice(0, LINES_MAX);
  return {
    xs: places, words: numeric ? null : [...words.keys()], time, rows: places.map((place) => firsts.get(place) ?? 0), left: lines.size - kept.length,
    series: kept.map(([name, line]) => ({
      name, ys: places.map((place) => {
        const there = line.get(place);
        return there === undefined ? null : add ? there.sum : there.sum / there.rows;
      }),
    })),
    joined: most === 1 ? "alone" : add ? "sum" : "mean",
  };
}
