/**
 * All text of the app. A key is the whole English sentence with its parameters as ICU spells them:
 * `{name}` and `{n, plural, one {# van} other {# vans}}`. Another language is a table from key to
 * sentence; a sentence it lacks stays English.
 */

export type Params = Record<string, string | number>;
export type Catalogue = ReadonlyMap<string, string>;

let catalogue: Catalogue = new Map();
let language = "en";
let plurals = new Intl.PluralRules("en");
let numbers = new Intl.NumberFormat(undefined);

/** Takes another language from now on. */
export function speak(tag: string, table: Catalogue): void {
  catalogue = table;
  language = tag;
  plurals = new Intl.PluralRules(tag);
  numbers = new Intl.NumberFormat(tag);
}

/** The language that is spoken, a BCP 47 tag. */
export function spoken(): string {
  return language;
}

/** The sentence of a key with its parameters filled in. */
export function t(key: string, params: Params = {}): string {
  const text = catalogue.get(key) ?? key;
  return text.includes("{") ? fill(text, params) : text;
}

function fill(text: string, params: Params): string {
  let out = "";
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf("{", at);
    if (open < 0) return out + text.slice(at);
    const close = closing(text, open);
    out += text.slice(at, open) + argument(text.slice(open + 1, close), params);
    at = close + 1;
  }
  return out;
}

function argument(text: string, params: Params): string {
  const [name = "", kind, rest = ""] = split(text);
  const value = params[name];
  if (value === undefined) throw new Error(`no parameter \`${name}\` for {${text}}`);
  if (kind === undefined) return typeof value === "number" ? numbers.format(value) : value;
  if (kind !== "plural") throw new Error(`\`${kind}\` is not plural`);
  const number = Number(value);
  const cases = forms(rest);
  const form = cases.get(`=${number}`) ?? cases.get(plurals.select(number)) ?? cases.get("other");
  if (form === undefined) throw new Error(`no form \`other\` in {${text}}`);
  return fill(form, params).replaceAll("#", numbers.format(number));
}

/** `name, kind, rest`: split at the first two commas. */
function split(text: string): string[] {
  const first = text.indexOf(",");
  if (first < 0) return [text.trim()];
  const second = text.indexOf(",", first + 1);
  const [name, kind] = [text.slice(0, first).trim(), text.slice(first + 1, second).trim()];
  return [name, kind, text.slice(second + 1)];
}

function forms(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let at = 0;
  for (;;) {
    const open = text.indexOf("{", at);
    if (open < 0) return found;
    const close = closing(text, open);
    found.set(text.slice(at, open).trim(), text.slice(open + 1, close));
    at = close + 1;
  }
}

function closing(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === "{") depth++;
    if (text[i] === "}" && --depth === 0) return i;
  }
  throw new Error(`no closing brace in ${text}`);
}
