/** Where a query is written: a text area with its words set apart behind it, line numbers, and names to complete. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { completions, tokens } from "../../analytics/sql";
import { t } from "../../messages/translate";

/** Names that are offered at once. */
const OFFERED_MAX = 8;
const LINE = 21;
const TAB = "  ";
const TAB_KEY = "milepost-tab";

export interface EditorHandle {
  /** Puts a text where the caret is, so that it can be undone. */
  insert: (text: string) => void;
  /** Puts the caret there. */
  goTo: (at: number) => void;
}

interface Props {
  text: string;
  change: (text: string) => void;
  run: () => void;
  /** Names of tables and columns. */
  names: readonly string[];
  /** Line of an error, from 1; 0 for none. */
  wrong: number;
  handle: { current: EditorHandle | null };
}

interface Offer { from: number; found: string[]; at: number; line: number; column: number }

function stored(): boolean {
  try {
    return localStorage.getItem(TAB_KEY) === "indents";
  } catch {
    return false;
  }
}

export function Editor({ text, change, run, names, wrong, handle }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [indents, setIndents] = useState(stored());
  const [offer, setOffer] = useState<Offer | null>(null);
  const lines = text.split("\n").length;
  const insert = (piece: string) => {
    const element = area.current;
    if (element === null) return;
    element.focus();
    // The only way to change a text area that its own undo knows of.
    if (document.execCommand("insertText", false, piece)) return;
    element.setRangeText(piece, element.selectionStart, element.selectionEnd, "end");
    change(element.value);
  };
  useLayoutEffect(() => {
    handle.current = {
      insert, goTo: (at) => {
        area.current?.focus();
        area.current?.setSelectionRange(at, at);
      },
    };
  });
  useEffect(() => {
    if (area.current !== null && area.current.value !== text) area.current.value = text;
  }, [text]);
  const open = () => {
    const element = area.current;
    if (element === null) return;
    const caret = element.selectionStart;
    const { from, found } = completions(element.value, caret, names, OFFERED_MAX);
    const before = element.value.slice(0, from).split("\n");
    setOffer(found.length === 0 ? null : { from, found, at: 0, line: before.length, column: before[before.length - 1]!.length });
  };
  const accept = (name: string) => {
    const element = area.current;
    if (element === null || offer === null) return;
    element.setSelectionRange(offer.from, element.selectionStart);
    setOffer(null);
    insert(name);
  };
  const key = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    const stop = () => { event.preventDefault(); event.stopPropagation(); };
    if (event.ctrlKey && event.key === " ") { stop(); return open(); }
    if (offer !== null) {
      const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (by !== 0) { stop(); return setOffer({ ...offer, at: (offer.at + by + offer.found.length) % offer.found.length }); }
      if (event.key === "Enter" && !event.ctrlKey || event.key === "Tab" && !event.shiftKey) { stop(); return accept(offer.found[offer.at] ?? ""); }
      if (event.key === "Escape") { stop(); return setOffer(null); }
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { stop(); setOffer(null); return run(); }
    if (event.key === "Tab" && indents && !event.shiftKey) { stop(); insert(TAB); }
  };
  const typed = (value: string) => {
    change(value);
    if (offer !== null) open();
  };
  const indent = (on: boolean) => {
    setIndents(on);
    try {
      localStorage.setItem(TAB_KEY, on ? "indents" : "moves");
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  };
  return (
    <div class="editor">
      <div class="editor-box scroll" tabIndex={-1}>
        <ol class="line-numbers" aria-hidden="true">{Array.from({ length: lines }, (_, i) => <li class={wrong === i + 1 ? "wrong" : ""}>{i + 1}</li>)}</ol>
        <div class="editor-text">
          <pre aria-hidden="true">{tokens(text).map(({ part, text: piece }) => (part === "plain" ? piece : <span class={part}>{piece}</span>))}{"\n"}</pre>
          <textarea ref={area} aria-label={t("Query in SQL")} aria-describedby="editor-keys" aria-autocomplete="list" aria-controls={offer === null ? undefined : "offered"}
            aria-activedescendant={offer === null ? undefined : `offered-${offer.at}`} defaultValue={text} spellcheck={false} autocapitalize="off" autocomplete="off" wrap="off"
            onInput={(e) => typed(e.currentTarget.value)} onKeyDown={key} onBlur={() => setOffer(null)} />
          {offer !== null && (
            <ul id="offered" class="offered float" role="listbox" aria-label={t("Names that fit")} style={{ top: `${offer.line * LINE + 4}px`, left: `${offer.column}ch` }}>
              {offer.found.map((name, i) => <li role="option" id={`offered-${i}`} aria-selected={i === offer.at} onMouseDown={(e) => { e.preventDefault(); accept(name); }}>{name}</li>)}
            </ul>
          )}
        </div>
      </div>
      <p class="editor-keys" id="editor-keys">
        <span><kbd class="key">Ctrl</kbd> <kbd class="key">Enter</kbd> {t("runs")}</span><span><kbd class="key">Ctrl</kbd> <kbd class="key">Space</kbd> {t("offers names")}</span><span><kbd class="key">Esc</kbd> {t("ends the run")}</span>
        <label class="check"><input type="checkbox" checked={indents} onChange={(e) => indent(e.currentTarget.checked)} /> {t("Tab inserts spaces")}</label>
      </p>
    </div>
  );
}
