/** SQL as the editor shows it: its words, names to insert, the place of an error. */

export type Part = "word" | "text" | "note" | "plain";
export interface Token {
  part: Part;
  text: string;
}

const WORDS = new Set(`
  all and any array as asc between by case cast count cross current_date current_timestamp date desc distinct else end except exists
  explain extract false filter first following from full group grouping having in inner intersect interval is join last lateral left like
  ilike limit natural not null nulls offset on or order outer over partition preceding range recursive right rollup rows select sets
  similar some sum avg min max then time timestamp to true unbounded union unnest using values when where window with within`.trim().split(/\s+/));
const SHAPE = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|[A-Za-z_]\w*|[^A-Za-z_'"/-]+|[\s\S]/g;

/** The text in pieces; together they are the text. */
export function tokens(text: string): Token[] {
  const out: Token[] = [];
  for (const [piece] of text.matchAll(SHAPE)) {
    const part = partOf(piece);
    const last = out[out.length - 1];
    if (last?.part === part) last.text += piece;
    else out.push({ part, text: piece });
  }
  return out;
}

function partOf(piece: string): Part {
  if (piece.startsWith("--") || piece.startsWith("/*")) return "note";
  if (piece.startsWith("'") || piece.startsWith('"')) return "text";
  return WORDS.has(piece.toLowerCase()) ? "word" : "plain";
}

/** A name as it may stand in a query. */
export const quoted = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) && !WORDS.has(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** Where in the text a problem says that the error is: `… at Line: 2, Column: 8`; null: it does not say. */
export function errorAt(detail: string, text: string): { line: number; column: number; at: number } | null {
  const [, line, column] = /Line: (\d+), Column: (\d+)/i.exec(detail) ?? [];
  if (line === undefined || column === undefined) return null;
  const before = text.split("\n").slice(0, Number(line) - 1).reduce((sum, l) => sum + l.length + 1, 0);
  const at = before + Number(column) - 1;
  return at > text.length ? null : { line: Number(line), column: Number(column), at };
}

/** The beginning of a name before the caret, and the names that begin so, at most `most`. */
export function completions(text: string, caret: number, names: readonly string[], most: number): { from: number; found: string[] } {
  const typed = /[A-Za-z_]\w*$/.exec(text.slice(0, caret))?.[0] ?? "";
  const low = typed.toLowerCase();
  const begins = names.filter((name) => name.toLowerCase().startsWith(low) && name !== typed);
  const within = names.filter((name) => low !== "" && !name.toLowerCase().startsWith(low) && name.toLowerCase().includes(low));
  return { from: caret - typed.length, found: [...new Set([...begins, ...within])].slice(0, most) };
}
