/** One box for everything: typed tokens become chips, the rest is text. */
import { useRef, useState } from "preact/hooks";
import { t } from "../../messages/translate";
import { Icon } from "../../parts/shape";
import { isNumber, KEYS, parse, type Search, SEARCH_MAX, tokenOf, tokenText, VALUES } from "../../search";
import { put } from "../../state/address";
import { counts, search } from "../../state/live";
import { statusOf, statusWord } from "../../status";
import type { Key } from "../../search";

function save(read: Search, words: string): void {
  put({ q: [...read.tokens.map(tokenText), words.trim()].filter((part) => part !== "").join(" ") });
}

export function keyWord(key: Key): string {
  switch (key) {
    case "status": return t("status");
    case "doing": return t("doing");
    case "van": return t("van");
    case "order": return t("order");
    case "stop": return t("stop");
    case "late": return t("late, min");
    case "age": return t("age, s");
    case "left": return t("stops left");
    case "due": return t("due");
  }
}

const valueWord = (key: Key, value: string): string =>
  key === "status" ? statusWord(statusOf(value)) : value.replaceAll("_", " ");

interface Suggestion { text: string; words: string; count?: number }

/** What could complete the text. */
function suggestions(text: string): Suggestion[] {
  const last = /\S*$/.exec(text)?.[0].toLowerCase() ?? "";
  const colon = last.indexOf(":");
  if (colon > 0) {
    const key = last.slice(0, colon) as Key;
    const begun = last.slice(colon + 1);
    return (VALUES[key] ?? []).filter((value) => value.startsWith(begun)).map((value) => {
      const found: Suggestion = { text: `${key}:${value}`, words: valueWord(key, value) };
      if (key === "status") found.count = counts.value[statusOf(value)];
      return found;
    });
  }
  return KEYS.filter((key) => last === "" || key.startsWith(last))
    .map((key) => ({ text: isNumber(key) ? `${key}>` : `${key}:`, words: keyWord(key) }));
}

export function SearchBox({ phone = false, extra }: { phone?: boolean; extra?: preact.ComponentChildren }) {
  const box = useRef<HTMLInputElement>(null);
  const [active, setActive] = useState(false);
  const [at, setAt] = useState(-1);
  const read = parse(search.value);
  const words = read.words.join(" ");
  const [draft, setDraft] = useState<string | null>(null);
  const text = draft ?? words;
  const offered = active && (text === "" || /[a-z]*:?\w*$/i.test(text)) ? suggestions(text).slice(0, 8) : [];

  const change = (value: string) => {
    // A token is complete once a space follows it, or it is one of the known values.
    const parts = value.split(/\s+/);
    const made = parts.slice(0, -1).flatMap((part) => tokenOf(part) ?? []);
    if (made.length > 0) {
      const rest = parts.filter((part, i) => i === parts.length - 1 || tokenOf(part) === undefined).join(" ");
      save({ ...read, tokens: [...read.tokens, ...made] }, rest);
      setDraft(rest);
      return;
    }
    setDraft(value);
    const open = tokenOf(parts[parts.length - 1] ?? "") !== undefined || /[:<>]\S*$/.test(value);
    if (!open) save(read, value);
    setAt(-1);
  };
  const accept = (offer: Suggestion) => {
    const before = text.replace(/\S*$/, "");
    const token = tokenOf(offer.text);
    if (token === undefined) setDraft(before + offer.text);
    else {
      save({ ...read, tokens: [...read.tokens, token] }, before);
      setDraft(before.trim() === "" ? null : before);
    }
    setAt(-1);
    box.current?.focus();
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Backspace" && text === "" && read.tokens.length > 0) {
      save({ ...read, tokens: read.tokens.slice(0, -1) }, text);
    } else if (event.key === "ArrowDown" && offered.length > 0) setAt((at + 1) % offered.length);
    else if (event.key === "ArrowUp" && offered.length > 0) setAt((at + offered.length - 1) % offered.length);
    else if (event.key === "Enter") {
      const offer = offered[at];
      if (offer !== undefined) accept(offer);
      else {
        change(`${text} `);
        setDraft((now) => (now === null ? null : now.trim()));
      }
    } else if (event.key === "Escape") {
      if (at >= 0) setAt(-1);
      else box.current?.blur();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class={`search ${phone ? "phone" : ""}`} role="search">
      <Icon name="search" size={18} />
      {read.tokens.map((token, i) => (
        <span class="token">
          <span class="soft">{keyWord(token.key)}{token.sign === ":" ? "" : ` ${token.sign}`}</span> {valueWord(token.key, token.value)}
          <button type="button" aria-label={t("Remove {token}", { token: tokenText(token) })}
            onClick={() => save({ ...read, tokens: read.tokens.filter((_, at) => at !== i) }, text)}><Icon name="close" size={13} /></button>
        </span>
      ))}
      <input ref={box} data-search type="text" maxLength={SEARCH_MAX} value={text} role="combobox" aria-expanded={offered.length > 0}
        aria-controls="suggestions" aria-autocomplete="list" aria-activedescendant={at >= 0 ? `suggestion-${at}` : undefined}
        aria-label={t("Find a van, stop, order or street")} placeholder={phone ? t("Van, stop, order or street") : t("Find a van, stop, order or street")}
        onInput={(e) => change(e.currentTarget.value)} onKeyDown={key} onFocus={() => setActive(true)}
        onBlur={() => { setActive(false); setDraft(null); }} autocomplete="off" spellcheck={false} />
      {!phone && <kbd class="key">/</kbd>}
      {extra}
      <ul id="suggestions" role="listbox" aria-label={t("Tokens")} class="suggestions float" hidden={offered.length === 0}>
        {offered.map((offer, i) => (
          <li role="option" id={`suggestion-${i}`} aria-selected={i === at} onMouseDown={(e) => { e.preventDefault(); accept(offer); }}>
            <code>{offer.text}</code><span class="soft">{offer.words}</span>{offer.count !== undefined && <b class="num">{offer.count}</b>}
          </li>
        ))}
      </ul>
    </div>
  );
}
