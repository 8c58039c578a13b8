/** A language that is none: every sentence longer by at least 35 %, so that a test sees what would be cut. */

const LETTERS: Record<string, string> = { a: "à", e: "ë", i: "ï", o: "ö", u: "ü", A: "À", E: "Ë", I: "Ï", O: "Ö", U: "Ü", n: "ñ", c: "ç" };
/** Languages grow by about a third over English, short words by more. */
const GROWTH = 0.35;

/** A table that has every sentence. */
export class Pseudo extends Map<string, string> {
  override get(key: string): string {
    return sentence(key);
  }
}

/** The sentence with its places as they are. */
export function sentence(key: string): string {
  let [out, letters, at] = ["", 0, 0];
  while (at < key.length) {
    if (key[at] === "{") {
      const end = closing(key, at);
      out += place(key.slice(at, end + 1));
      at = end + 1;
      continue;
    }
    const letter = key[at] ?? "";
    if (/\p{L}/u.test(letter)) letters++;
    out += LETTERS[letter] ?? letter;
    at++;
  }
  return letters === 0 ? out : out + "·".repeat(Math.ceil(letters * GROWTH));
}

/** `{name}` stays; the forms of a plural are sentences themselves. */
function place(text: string): string {
  const plural = /^\{\s*\w+\s*,\s*plural\s*,/.exec(text);
  if (plural === null) return text;
  let [out, at] = [plural[0], plural[0].length];
  for (;;) {
    const open = text.indexOf("{", at);
    if (open < 0) return out + text.slice(at);
    const end = closing(text, open);
    out += `${text.slice(at, open)}{${sentence(text.slice(open + 1, end))}}`;
    at = end + 1;
  }
}

function closing(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === "{") depth++;
    if (text[i] === "}" && --depth === 0) return i;
  }
  return text.length - 1;
}
