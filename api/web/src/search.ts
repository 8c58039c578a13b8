/** The search box: `status:late late>10 harbor` becomes tokens and words. */

export type Comparison = ":" | ">" | "<";
export interface Token {
  key: Key;
  sign: Comparison;
  value: string;
}
export interface Search {
  tokens: Token[];
  /** Plain text, lower case; every word must be found. */
  words: string[];
  /** Keys that mean nothing here; they count as plain text. */
  unknown: string[];
}

/** What a token can be about. Numbers compare, words begin. */
export const KEYS = ["status", "doing", "van", "order", "stop", "late", "age", "left", "due"] as const;
export type Key = (typeof KEYS)[number];
/** Longest text of the box, characters. */
export const SEARCH_MAX = 200;

const NUMBERS: ReadonlySet<Key> = new Set<Key>(["late", "age", "left"]);
export const isNumber = (key: Key): boolean => NUMBERS.has(key);

/** Values that complete a token. */
export const VALUES: Partial<Record<Key, readonly string[]>> = {
  status: ["on_time", "at_risk", "late", "no_signal", "failed", "done", "off_duty"],
  doing: ["moving", "at_stop", "break", "off"],
};

/** Reads the text of the box. */
export function parse(text: string): Search {
  const search: Search = { tokens: [], words: [], unknown: [] };
  for (const part of text.slice(0, SEARCH_MAX).split(/\s+/)) {
    if (part === "") continue;
    const token = tokenOf(part);
    if (token !== undefined) {
      search.tokens.push(token);
      continue;
    }
    const key = /^([a-z_]+)[:<>]/i.exec(part)?.[1];
    if (key !== undefined && !isKey(key.toLowerCase())) search.unknown.push(key);
    search.words.push(part.toLowerCase());
  }
  return search;
}

/** One complete token, or nothing. */
export function tokenOf(part: string): Token | undefined {
  const found = /^([a-z]+)([:<>])(.+)$/i.exec(part);
  const [key, sign, value] = [found?.[1]?.toLowerCase(), found?.[2], found?.[3]?.toLowerCase()];
  if (key === undefined || value === undefined || !isKey(key)) return undefined;
  if (isNumber(key)) {
    if (!/^\d{1,5}$/.test(value)) return undefined;
    return { key, sign: sign as Comparison, value };
  }
  if (sign !== ":") return undefined;
  const known = VALUES[key];
  if (known !== undefined && !known.includes(value)) return undefined;
  if (key === "due" && !/^\d\d?:\d\d-\d\d?:\d\d$/.test(value)) return undefined;
  return { key, sign: ":", value };
}

const isKey = (text: string): text is Key => (KEYS as readonly string[]).includes(text);
export const tokenText = (token: Token): string => token.key + token.sign + token.value;

/** What a van shows to a search; times in milliseconds. */
export interface Findable {
  id: string;
  name: string;
  status: string;
  activity: string;
  /** Next stop's name, lower case. */
  place: string;
  /** Ids of its orders, lower case. */
  orders: string;
  /** Names of its stops, lower case. */
  stops: string;
  lateMinutes: number;
  ageSeconds: number;
  left: number;
  /** Minutes of the day at which stops are expected. */
  due: readonly number[];
}

/** Whether all tokens and words fit. Tokens of one key are alternatives, keys add up. */
export function fits(search: Search, van: Findable): boolean {
  const keys = new Set(search.tokens.map((token) => token.key));
  for (const key of keys) {
    if (!search.tokens.some((token) => token.key === key && holds(token, van))) return false;
  }
  const text = `${van.name} ${van.id} ${van.place}`.toLowerCase();
  return search.words.every((word) =>
    text.includes(word) || van.orders.includes(word) || van.stops.includes(word));
}

function holds(token: Token, van: Findable): boolean {
  switch (token.key) {
    case "status": return van.status === token.value;
    case "doing": return van.activity === token.value;
    case "van": return `${van.name} ${van.id}`.toLowerCase().includes(token.value);
    case "order": return van.orders.includes(token.value);
    case "stop": return van.stops.includes(token.value);
    case "late": return compare(van.lateMinutes, token);
    case "age": return compare(van.ageSeconds, token);
    case "left": return compare(van.left, token);
    case "due": return dueIn(token.value, van.due);
  }
}

function compare(value: number, token: Token): boolean {
  const wanted = Number(token.value);
  if (token.sign === ">") return value > wanted;
  if (token.sign === "<") return value < wanted;
  return value === wanted;
}

function dueIn(value: string, due: readonly number[]): boolean {
  const [from = 0, to = 0] = value.split("-").map((part) => {
    const [hours = 0, mins = 0] = part.split(":").map(Number);
    return hours * 60 + mins;
  });
  return due.some((minute) => minute >= from && minute < to);
}
