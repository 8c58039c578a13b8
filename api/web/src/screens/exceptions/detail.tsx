/** A problem in detail: where, what can be done compared, and what it means for each customer. */
import { useEffect } from "preact/hooks";
import { clock, money, number, percent } from "../../format";
import type { RouteLine } from "../../map/overlays";
import { PlainMap } from "../../map/plain";
import { reached, routeOf, stopsOf } from "../../map/route";
import { t } from "../../messages/translate";
import { Icon, Shape } from "../../parts/shape";
import { href } from "../../state/address";
import type { BoardRow } from "../../state/board";
import { currency, reroutes } from "../../state/exceptions";
import { now, selected, watched } from "../../state/live";
import { assign, snooze, snoozed, wake } from "../../state/care";
import { answer, hindrance, outcomeOf } from "../../state/remedy";
import { readConcerned, tellCustomers, telling, toldWords, untold } from "../../state/telling";
import { tone } from "../../status";
import type { Detail as Van } from "../../worker/protocol";
import { movedStops } from "../vehicle/proposal";
import { waysOf } from "../vehicle/ways";
import { RemedyButton } from "./row";
import { best, cause, gainWords, remedyWords, subject, toneOf } from "./words";

function DetailMap({ van, row }: { van: Van; row: BoardRow }) {
  const ways = waysOf(van);
  const { lines, stops } = routeOf(van, ways);
  const remedy = best(row.exception);
  const proposal = remedy?.reroute === undefined ? undefined : reroutes.value.get(remedy.reroute);
  const shown: RouteLine[] = lines.filter((line) => line.kind !== "done");
  let numbered = stops;
  if (proposal !== undefined) {
    const places = proposal.stops.flatMap((id): [number, number][] => {
      const visit = van.visits.find((v) => v.stop === id);
      return visit === undefined || !Number.isFinite(visit.lng) ? [] : [[visit.lng, visit.lat]];
    });
    shown.push({ kind: "proposed", coordinates: [[van.lng, van.lat], ...(proposal.line ?? []), ...places] });
    numbered = stopsOf(van.visits, movedStops(van, proposal));
  }
  return <PlainMap label={t("Map of {name} with its stops", { name: van.name })} lines={shown} stops={numbered} chosen={van.id} subject={row.exception.id} />;
}

/** The button that tells customers, with a second key: `T` brings the focus here, Enter presses it. */
function Tell({ row }: { row: BoardRow }) {
  const { exception } = row;
  const n = untold(exception.id);
  if (row.gone || n === 0) return null;
  const hindered = hindrance();
  const running = telling.value === exception.id;
  return (
    <button type="button" class="btn" data-part="tell" data-state={running ? "running" : "ready"} aria-disabled={hindered !== "" || running} onClick={() => void tellCustomers(exception)}>
      {running ? t("Telling…") : t("{n, plural, one {Tell # customer} other {Tell # customers}}", { n })}
    </button>
  );
}

/** Every customer who may be late, as it stands. */
function Customers({ van, row }: { van: Van; row: BoardRow }) {
  const { orders } = row.exception.consequence;
  const concerned = van.visits.filter((v) => !reached(v) && (orders.includes(v.order) || v.order === row.exception.order));
  if (concerned.length === 0) return <p class="soft pad">{t("No customer’s window is in danger.")}</p>;
  return (
    <table class="customers">
      <caption class="vh">{t("Customers concerned")}</caption>
      <tbody>
        {concerned.map((visit) => {
          const kind = tone(visit.status);
          return (
            <tr>
              <th scope="row" class="num">{van.visits.indexOf(visit) + 1}</th>
              <td class="cut">{visit.name}</td>
              <td><span class="with-shape"><Shape tone={kind} size={14} /> <b class={`t-${kind}`}>{visit.p50 === undefined ? "–" : clock(visit.p50)}</b></span></td>
              <td class="soft wide-only">{visit.closes === undefined ? t("no window") : t("promised by {time}", { time: clock(visit.closes) })}</td>
              <td class="num soft">{visit.miss === undefined ? "" : t("{share} in window", { share: percent(1 - visit.miss) })}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Ways({ row }: { row: BoardRow }) {
  const { exception } = row;
  const remedy = best(exception);
  return (
    <table class="ways">
      <thead><tr><th scope="col">{remedy === undefined ? t("One way out") : t("Two ways out")}</th><th scope="col" class="num">{t("Saves")}</th></tr></thead>
      <tbody>
        {remedy !== undefined && <tr class="first"><td><b>{remedyWords(remedy, reroutes.value)}</b><span class="soft">{t("The van is told at once")}</span></td><td class="num strong">{gainWords(remedy).replace(/^\S+\s/, "")}</td></tr>}
        <tr><td><b>{t("Keep the plan")}</b><span class="soft">{t("Expected cost {cost}", { cost: money(exception.cost, currency.value) })}</span></td><td class="num">{number(0)}</td></tr>
      </tbody>
    </table>
  );
}

export function Detail({ row, close }: { row: BoardRow; close: () => void }) {
  const { exception } = row;
  const seen = watched.value.get(exception.id);
  const van = selected.value;
  const remedy = best(exception);
  const outcome = outcomeOf(exception);
  const hindered = hindrance();
  useEffect(() => { void readConcerned(exception.id); }, [exception.id, exception.consequence.stops_at_risk]);
  return (
    <aside class="detail" data-part="detail" data-state={row.gone ? "solved" : outcome ?? "open"} aria-label={subject(exception, seen)}>
      <header>
        <Shape tone={row.gone ? "done" : toneOf(exception, seen)} size={18} />
        <h2 class="cut">{subject(exception, seen)}</h2>
        <a class="open" href={href(`/van/${encodeURIComponent(exception.vehicle)}`)}>{t("Open van")} <kbd class="key">O</kbd></a>
        <button type="button" class="close" aria-label={t("Close")} onClick={close}><Icon name="close" size={16} /></button>
        <p class="soft">{row.gone ? t("This problem is no longer open.") : t("{cause}. Since {time}.", { cause: cause(exception), time: clock(Date.parse(exception.since)) })}{!row.gone && toldWords(exception.id) !== "" && ` ${toldWords(exception.id)}`}{exception.assigned_to !== undefined && ` ${t("{name} takes care.", { name: exception.assigned_to })}`}{snoozed(exception) && ` ${t("Left alone until {time}.", { time: clock(Date.parse(exception.snoozed_until ?? "")) })}`}</p>
      </header>
      {van !== null && van.id === exception.vehicle ? <DetailMap key={exception.id} van={van} row={row} /> : <div class="map-pane" role="status"><p class="pad soft">{t("Loading the route")}</p></div>}
      <div class="scroll body" tabIndex={0} role="region" aria-label={t("Ways out and customers")}>
        <Ways row={row} />
        <h3>{t("Customers concerned")}</h3>
        {van !== null && van.id === exception.vehicle && <Customers van={van} row={row} />}
        <p class="vh">{clock(now.value)}</p>
      </div>
      <footer>
        <RemedyButton row={row} chosen wide />
        {remedy !== undefined && !row.gone && outcome !== "done" && (
          <button type="button" class="btn" aria-disabled={hindered !== ""} onClick={() => void answer(remedy, "refuse", remedyWords(remedy, reroutes.value), exception.id)}>{t("Refuse")}</button>
        )}
        <Tell row={row} />
        {!row.gone && <button type="button" class="btn" aria-disabled={hindered !== ""} onClick={() => assign(exception)}>{t("Assign to me")}</button>}
        {!row.gone && (snoozed(exception)
          ? <button type="button" class="btn" aria-disabled={hindered !== ""} onClick={() => wake(exception)}>{t("Wake")}</button>
          : <button type="button" class="btn" aria-disabled={hindered !== ""} onClick={() => snooze(exception)}>{t("Snooze 30 min")}</button>)}
        {hindered !== "" && <small>{hindered}</small>}
      </footer>
    </aside>
  );
}
