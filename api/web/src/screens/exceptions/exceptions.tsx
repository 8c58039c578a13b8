/** What costs most if nobody acts, and what is the one thing to do? */
import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { clock, money, number } from "../../format";
import { t } from "../../messages/translate";
import { Shell } from "../../parts/shell";
import { Connection } from "../../parts/connection";
import { go, href, put } from "../../state/address";
import { boardRows, choose, chosenId, filter, type Filter, FILTERS, follow, passes, rearrange, stepBoard, waiting } from "../../state/board";
import { currency, failed, keptAt, lastSolved, loaded, open, reroutes, today, totalCost, whole } from "../../state/exceptions";
import { onKey } from "../../state/keyboard";
import { now, tell } from "../../state/live";
import { assign, snooze } from "../../state/care";
import { answer } from "../../state/remedy";
import { layout } from "../../state/theme";
import { useAnnouncements } from "../live/live";
import { sharedAxis } from "../live/vans";
import { Detail } from "./detail";
import { ROW, Row } from "./row";
import { best, remedyWords } from "./words";

const SPARE = 3;

function filterWord(of: Filter): string {
  switch (of) {
    case "all": return t("All");
    case "late": return t("Late");
    case "nosignal": return t("No signal");
    case "offroute": return t("Off route");
    case "longstop": return t("Long stop");
    case "failed": return t("Failed");
    case "mine": return t("Mine");
    case "snoozed": return t("Left alone");
  }
}

function Filters() {
  return (
    <div class="filters" role="group" aria-label={t("Filter by kind")}>
      {FILTERS.map((of) => {
        const n = open.value.filter((e) => passes(e, of)).length;
        if (n === 0 && of !== "all" && of !== filter.value) return null;
        return <button type="button" class="pill" aria-pressed={filter.value === of} onClick={() => put({ show: of === "all" ? "" : of })}>{filterWord(of)} <span>{number(n)}</span></button>;
      })}
    </div>
  );
}

function focusRow(id: string | undefined): void {
  if (id === undefined) return;
  requestAnimationFrame(() => {
    const row = document.querySelector<HTMLElement>(`[data-exception="${CSS.escape(id)}"]`);
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest" });
  });
}

/** The keys of the board. */
function boardKey(key: string, event: KeyboardEvent): boolean {
  const row = boardRows.value.find((r) => r.exception.id === chosenId.value);
  switch (key) {
    case "j": case "J": case "ArrowDown": focusRow(stepBoard(1)); return true;
    case "k": case "K": case "ArrowUp": focusRow(stepBoard(-1)); return true;
    case "Enter": {
      if (event.target instanceof HTMLElement && event.target.closest("button, a") !== null) return false;
      const focused = event.target instanceof HTMLElement ? event.target.dataset["exception"] : undefined;
      if (row === undefined || (focused !== undefined && focused !== row.exception.id)) {
        if (focused === undefined) return false;
        choose(focused);
        return true;
      }
      const remedy = best(row.exception);
      if (row.gone) return false;
      if (remedy === undefined) go(`/van/${encodeURIComponent(row.exception.vehicle)}`);
      else void answer(remedy, "accept", remedyWords(remedy, reroutes.value), row.exception.id);
      return true;
    }
    case "s": case "S":
      if (row === undefined || row.gone) return false;
      snooze(row.exception);
      return true;
    case "a": case "A":
      if (row === undefined || row.gone) return false;
      assign(row.exception);
      return true;
    case "t": case "T": {
      const button = document.querySelector<HTMLElement>("[data-part=tell]");
      button?.focus();
      return button !== null;
    }
    case "o": case "O":
      if (row === undefined) return false;
      go(`/van/${encodeURIComponent(row.exception.vehicle)}`);
      return true;
    case "Escape": {
      if (row === undefined) return false;
      const id = row.exception.id;
      choose("");
      focusRow(id);
      return true;
    }
    default: return false;
  }
}

function Totals() {
  const customers = open.value.reduce((sum, e) => sum + e.consequence.orders.length, 0);
  return (
    <div class="totals">
      <span><b>{money(totalCost.value, currency.value)}</b> {t("expected cost if nobody acts")}</span>
      <span><b>{number(customers)}</b> {t("customers affected")}</span>
      {today.value !== undefined && <span class="soft today" data-part="today">{t("Today: {handled} handled, {own} cleared by themselves", { handled: today.value.handled, own: today.value.by_themselves })}</span>}
      {!whole.value && <span class="faint">{t("only the {n} most expensive are shown", { n: open.value.length })}</span>}
      {keptAt.value > 0 && <span class="faint" data-part="kept">{t("as of {time}", { time: clock(keptAt.value) })}</span>}
      {failed.value !== "" && <span class="t-late" role="alert">{t("Cannot be read now: {why}", { why: failed.value })}</span>}
    </div>
  );
}

function Board() {
  const box = useRef<HTMLDivElement>(null);
  const [span, setSpan] = useState<[number, number]>([0, 20]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const measure = () => {
      const from = Math.max(0, Math.floor(element.scrollTop / ROW) - SPARE);
      setSpan([from, from + Math.ceil(element.clientHeight / ROW) + 2 * SPARE]);
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  const rows = boardRows.value;
  const [from, to] = span;
  const shown = rows.slice(from, to);
  useEffect(() => effect(() => {
    const wanted = boardRows.value.slice(from, to).map(({ exception: e }) => ({ key: e.id, vehicle: e.vehicle, stop: e.stop }));
    tell({ kind: "watch", wanted });
  }), [from, to]);
  const axis = sharedAxis(now.value);
  return (
    <div class="board scroll" ref={box} tabIndex={-1} data-part="board" data-state={!loaded.value ? "loading" : rows.length === 0 ? "empty" : "some"}>
      {waiting.value > 0 && <button type="button" class="new-rows" onClick={rearrange}>{t("{n} new", { n: waiting.value })}</button>}
      {!loaded.value && <p class="pad soft" role="status">{t("Loading problems")}</p>}
      {loaded.value && rows.length === 0 && (
        <div class="empty">
          <b>{filter.value === "all" ? t("Nothing needs you.") : t("No problem of this kind is open.")}</b>
          {lastSolved.value > 0 && <span>{t("Last problem solved {time}.", { time: clock(lastSolved.value) })}</span>}
          {filter.value === "all" ? <a class="btn" href={href("/")}>{t("Back to Live")}</a> : <button type="button" class="btn" onClick={() => put({ show: "" })}>{t("Show all")}</button>}
        </div>
      )}
      <div role="grid" aria-label={t("Problems")} aria-rowcount={rows.length + 1} aria-colcount={5} class="problems" style={{ height: `${rows.length * ROW}px` }}>
        <div role="row" class="vh" aria-rowindex={1}>{[t("Status"), t("What happened, and what follows"), t("ETA against promise"), t("Cost"), t("Best remedy")].map((word) => <span role="columnheader">{word}</span>)}</div>
        {shown.map((row, i) => <Row key={row.exception.id} row={row} index={from + i} axis={axis} chosen={row.exception.id === chosenId.value} />)}
      </div>
    </div>
  );
}

export function Exceptions() {
  useAnnouncements();
  useEffect(follow, []);
  useEffect(() => onKey(boardKey), []);
  const row = boardRows.value.find((r) => r.exception.id === chosenId.value);
  // The map of the detail needs the whole van.
  const vehicle = row?.exception.vehicle ?? "";
  useEffect(() => {
    put({ van: vehicle });
    return () => put({ van: "" });
  }, [vehicle]);
  const close = () => {
    const id = chosenId.value;
    choose("");
    focusRow(id);
  };
  const phone = layout.value === "phone";
  return (
    <Shell screen="exceptions" bar={<><h1>{t("Exceptions")}</h1><Filters /></>}>
      <div class="exceptions" data-open={row !== undefined}>
        <div class="rows">
          {phone && <div class="phone-top"><h1 class="here">{t("Exceptions")}</h1><span class="space" /><Connection short /></div>}
          <Totals />
          <div class="columns-head" aria-hidden="true"><span /><span>{t("What happened, and what follows")}</span><span>{t("ETA against promise")}</span><span class="num">{t("Cost")}</span><span class="centre">{t("Best remedy")}</span></div>
          <Board />
          <footer class="key-hints" aria-hidden="true">
            <span><kbd class="key">J</kbd> <kbd class="key">K</kbd> {t("move")}</span><span><kbd class="key">↵</kbd> {t("do the remedy")}</span>
            <span><kbd class="key">T</kbd> <kbd class="key">↵</kbd> {t("tell customers")}</span><span><kbd class="key">S</kbd> {t("snooze")}</span><span><kbd class="key">A</kbd> {t("assign")}</span>
            <span><kbd class="key">Z</kbd> {t("undo")}</span><span><kbd class="key">O</kbd> {t("open van")}</span><span><kbd class="key">Esc</kbd> {t("close")}</span>
          </footer>
        </div>
        {row !== undefined && <Detail row={row} close={close} />}
        {row === undefined && layout.value === "wide" && <aside class="detail none"><p class="soft">{t("Select a problem to see where it is, what can be done and whom it concerns.")}</p></aside>}
      </div>
    </Shell>
  );
}
