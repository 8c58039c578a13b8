/** Is the day fine? One figure, and the four counts that filter. */
import { number, percentTenth } from "../../format";
import { t } from "../../messages/translate";
import { Shape } from "../../parts/shape";
import { parse, tokenText } from "../../search";
import { put } from "../../state/address";
import { counts, dayFigures, search } from "../../state/live";
import { type Status, statusWord, tone } from "../../status";

export const FILTERS: Status[] = ["on_time", "at_risk", "late", "no_signal"];

/** Switches the filter of one status. */
export function toggle(status: Status): void {
  const read = parse(search.value);
  const own = read.tokens.some((token) => token.key === "status" && token.value === status);
  const rest = read.tokens.filter((token) => token.key !== "status").map(tokenText);
  const wanted = own ? [] : [`status:${status}`];
  put({ q: [...rest, ...wanted, ...read.words].join(" ") });
}

export const filtered = (status: Status): boolean =>
  parse(search.value).tokens.some((token) => token.key === "status" && token.value === status);

export function Figure() {
  const day = dayFigures.value;
  return (
    <div class="figure" data-part="figure">
      <strong>{day === null || day.promised === 0 ? "–" : percentTenth(day.share)}</strong>
      <span>
        <span class="soft">{t("of today’s stops expected in window")}</span>
        <span class="faint">{day === null ? t("counting stops") : t("{done} of {stops} stops done", { done: number(day.done), stops: number(day.stops) })}</span>
      </span>
    </div>
  );
}

export function Counts() {
  return (
    <div class="counts" role="group" aria-label={t("Filter by status")}>
      {FILTERS.map((status) => (
        <button type="button" class="count" aria-pressed={filtered(status)} onClick={() => toggle(status)} data-count={status}>
          <span><Shape tone={tone(status)} size={16} /> <b>{number(counts.value[status])}</b></span>
          <span class="soft">{statusWord(status)}</span>
        </button>
      ))}
    </div>
  );
}
