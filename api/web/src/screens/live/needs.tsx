/** The four problems that cost most, each with what to do about it. */
import type { Exception } from "../../api/client";
import { clock, money } from "../../format";
import { t } from "../../messages/translate";
import { Age, Shape, Swap } from "../../parts/shape";
import { go, href, put } from "../../state/address";
import { currency, failed, lastSolved, loaded, pressing, reroutes } from "../../state/exceptions";
import { counts, select, selectedId, watched } from "../../state/live";
import { answer, hindrance, outcomeOf } from "../../state/remedy";
import type { Watched } from "../../worker/protocol";
import { best, cause, consequence, remedyWords, subject, toneOf } from "../exceptions/words";

/** Problems on the Live screen; the board has all. */
export const TOP = 4;

function Row({ exception }: { exception: Exception }) {
  const seen = watched.value.get(exception.id);
  const chosen = selectedId.value === exception.vehicle;
  const remedy = best(exception);
  const outcome = outcomeOf(exception);
  const words = remedy === undefined ? "" : remedyWords(remedy, reroutes.value);
  const hindered = hindrance();
  return (
    <li class="need" data-part="need" data-state={toneOf(exception, seen)} aria-current={chosen ? "true" : undefined}>
      <Shape tone={toneOf(exception, seen)} />
      <a class="cut strong" href={href(`/?van=${encodeURIComponent(exception.vehicle)}`)} onClick={(e) => { e.preventDefault(); select(exception.vehicle); }}>{subject(exception, seen)}</a>
      <b class="num"><Swap text={money(exception.cost, currency.value)} /></b>
      <span class="cut soft">{short(exception, seen)}</span>
      <Age kind="num soft" at={Date.parse(exception.since)} />
      <div class="acts">
        {remedy !== undefined && (
          <button type="button" class={`btn ${chosen ? "ink" : ""}`} aria-disabled={hindered !== ""} title={hindered} disabled={outcome === "running"}
            onClick={() => void answer(remedy, "accept", words, exception.id)}>
            {outcome === "running" ? t("Sending…") : words}
          </button>
        )}
        <button type="button" class="btn" onClick={() => go(`/van/${encodeURIComponent(exception.vehicle)}`)}>{t("Open van")}</button>
      </div>
    </li>
  );
}

/** Consequence and cause in one line; what is not in danger is not said. */
function short(exception: Exception, seen: Watched | undefined): string {
  if (exception.consequence.stops_at_risk === 0) return cause(exception);
  return t("{consequence} · {cause}", { consequence: consequence(exception, seen), cause: cause(exception) });
}

export function Needs() {
  const all = pressing.value;
  const shown = all.slice(0, TOP);
  return (
    <section aria-label={t("Needs you")} data-part="needs" data-state={!loaded.value ? "loading" : all.length === 0 ? "empty" : "some"}>
      <header class="section-head">
        <h2>{t("Needs you")} <span class="soft">{all.length}</span></h2>
        <span class="soft">{t("by expected cost of lateness")}</span>
      </header>
      {!loaded.value && (
        <div class="loading-needs" role="status">
          {failed.value === "" ? t("Loading what needs you") : t("Problems cannot be read: {why}. The map goes on.", { why: failed.value })}
        </div>
      )}
      {loaded.value && all.length === 0 && (
        <div class="empty">
          <b>{t("Nothing needs you.")}</b>
          {lastSolved.value > 0 && <span>{t("Last problem solved {time}.", { time: clock(lastSolved.value) })}</span>}
          <button type="button" class="btn" onClick={() => put({ q: "status:at_risk" })}>
            {t("{n, plural, =0 {Show vans at risk} one {Show # at risk} other {Show # at risk}}", { n: counts.value.at_risk })}
          </button>
        </div>
      )}
      <ul>{shown.map((exception) => <Row key={exception.id} exception={exception} />)}</ul>
      {all.length > 0 && (
        <div class="board-link">
          <span class="soft">{all.length > TOP ? t("{n} more", { n: all.length - TOP }) : t("That is all")}</span>
          <a href={href("/exceptions")}>{t("Open board")} <kbd class="key">G</kbd> <kbd class="key">E</kbd></a>
        </div>
      )}
    </section>
  );
}
