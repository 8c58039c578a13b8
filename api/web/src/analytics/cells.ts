/** What kind of thing a column holds, and its cells as people read them. */
import type { Answer, Cell } from "../api/analytics";
import { dayOnly, decimals, percentTenth, precise } from "../format";
import { t } from "../messages/translate";

export type Kind = "number" | "time" | "date" | "flag" | "shape" | "text" | "other";
export interface Column {
  index: number;
  name: string;
  /** As SQL calls it. */
  type: string;
  kind: Kind;
  /** Decimals that its numbers are shown with. */
  decimals: number;
}

/** Rows that are looked at to know what a column holds. */
const LOOKED_AT = 500;
/** Most decimals, and those of a coordinate: a metre. */
const DECIMALS_MAX = 3;
const DECIMALS_PLACE = 5;
/** Numbers that name something are not grouped. */
const NAMES = /(^|_)(id|way|node|seq|version|world|year)$/;
const PLACES = /(^|_)(lat|lng|latitude|longitude)$/;
/** Shares of one. */
const SHARES = /(^|_)(rate|share|coverage)$/;
const WKT = /^\s*(MULTI)?(POINT|LINESTRING|POLYGON)\s*Z?\s*\(/i;

export const isPlace = (column: Column): boolean => column.kind === "number" && PLACES.test(column.name);
export const isName = (column: Column): boolean => column.kind === "number" && NAMES.test(column.name);
export const isShare = (column: Column): boolean => column.kind === "number" && SHARES.test(column.name);

/** The first cells of a column that are not null. */
function sample(rows: readonly Cell[][], index: number): Cell[] {
  return rows.slice(0, LOOKED_AT).map((row) => row[index] ?? null).filter((cell) => cell !== null);
}

function kindOf(type: string, cells: readonly Cell[]): Kind {
  switch (type) {
    case "timestamp": return "time";
    case "date": return "date";
    case "boolean": return "flag";
    case "bigint": case "double": case "decimal": return "number";
    default:
  }
  const first = cells[0];
  if (typeof first === "string") return WKT.test(first) ? "shape" : "text";
  return first === undefined ? "text" : typeof first === "number" ? "number" : "other";
}

/** Decimals that tell the column's numbers apart and no more. */
function decimalsOf(name: string, cells: readonly Cell[]): number {
  const numbers = cells.map(Number).filter(Number.isFinite);
  if (numbers.every(Number.isInteger)) return 0;
  if (PLACES.test(name)) return DECIMALS_PLACE;
  const most = numbers.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return most >= 100 ? 1 : most > 1 ? 2 : DECIMALS_MAX;
}

export function columnsOf(answer: Answer): Column[] {
  return answer.columns.map(({ name, type }, index) => {
    const cells = sample(answer.rows, index);
    const kind = kindOf(type, cells);
    return { index, name, type, kind, decimals: kind === "number" ? decimalsOf(name, cells) : 0 };
  });
}

/** A cell as it is shown. */
export function shown(cell: Cell | undefined, column: Column): string {
  if (cell === null || cell === undefined) return "–";
  switch (column.kind) {
    case "time": return typeof cell === "string" ? precise(Date.parse(cell)) : String(cell);
    case "date": return typeof cell === "string" ? dayOnly(cell) : String(cell);
    case "flag": return cell === true ? t("yes") : t("no");
    case "number": return typeof cell === "number" ? figure(cell, column) : String(cell);
    default: return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
  }
}

function figure(value: number, column: Column): string {
  if (isShare(column) && value >= 0 && value <= 1) return percentTenth(value);
  return decimals(value, column.decimals, !NAMES.test(column.name));
}

/** A cell as another program reads it. */
export function plain(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return "";
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}

/** Rows as spreadsheets take them from the clipboard. */
export function pasted(answer: Answer, order: readonly number[]): string {
  const line = (cells: readonly (Cell | undefined)[]) => cells.map((cell) => plain(cell).replace(/[\t\r\n]+/g, " ")).join("\t");
  return [line(answer.columns.map((c) => c.name)), ...order.map((i) => line(answer.rows[i] ?? []))].join("\n");
}

/** What the name of a column of a report means to people: `late_avg_s` is `late avg, s`. */
export function heading(name: string): string {
  const found = /^(.*)_(s|m|km|h|mps|min)$/.exec(name);
  const [, words = name, unit] = found ?? [];
  const said = words.replaceAll("_", " ");
  return unit === undefined ? said : `${said}, ${unit === "mps" ? "m/s" : unit}`;
}
