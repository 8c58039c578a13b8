/** An exception in words: subject, cause, consequence and the one thing to do. */
import type { Exception, Remedy, Reroute } from "../../api/client";
import { clock, minutes, span } from "../../format";
import { t } from "../../messages/translate";
import { type Tone, tone } from "../../status";
import { nameOf, now } from "../../state/live";
import type { Watched } from "../../worker/protocol";

/** The shape a kind of exception is shown with. */
export function toneOf(exception: Exception, seen: Watched | undefined): Tone {
  switch (exception.type) {
    case "no_signal": return "nosignal";
    case "predicted_late": return seen?.visit === undefined ? "late" : tone(seen.visit.status) === "ok" ? "risk" : tone(seen.visit.status);
    case "failed": return "failed";
    default: return "risk";
  }
}

export function subject(exception: Exception, seen: Watched | undefined): string {
  const van = seen?.name ?? nameOf(exception.vehicle);
  switch (exception.type) {
    case "no_signal": return t("{van} · no signal", { van });
    case "off_route": return t("{van} · off route", { van });
    case "long_stop": return t("{van} · long stop", { van });
  }
  const visit = seen?.visit;
  if (exception.stop === undefined) return van;
  if (visit === undefined || seen === undefined) return t("{van} · stop {stop}", { van, stop: exception.stop });
  const numbered = visit.name.toLowerCase() === `stop ${seen.number}`;
  return numbered ? t("{van} · stop {stop}", { van, stop: String(seen.number) })
    : t("{van} · stop {stop}, {place}", { van, stop: String(seen.number), place: visit.name });
}

export function cause(exception: Exception): string {
  if (exception.cause !== undefined && exception.cause !== "") return capital(exception.cause);
  const since = clock(Date.parse(exception.since));
  const lasting = minutes((now.value - Date.parse(exception.since)) / 1000);
  switch (exception.type) {
    case "no_signal": return t("Nothing heard for {n} min", { n: lasting });
    case "off_route": return t("Left the planned way at {time}", { time: since });
    case "long_stop": return t("Standing for {n} min where no stop is", { n: lasting });
    default: return t("Cause not known");
  }
}

export function consequence(exception: Exception, seen: Watched | undefined): string {
  const { stops_at_risk: stops, expected_late_minutes: expected } = exception.consequence;
  const visit = seen?.visit;
  if (exception.type === "predicted_late" && visit?.p50 !== undefined && visit.closes !== undefined) {
    const late = Math.round((visit.p50 - visit.closes) / 60_000);
    if (late >= 1) return t("{n} min late", { n: late });
    if (visit.p10 !== undefined && visit.p90 !== undefined) return t("Likely {span}, promised by {time}", { span: span(visit.p10, visit.p90), time: clock(visit.closes) });
  }
  if (stops === 0) return t("No promise in danger yet");
  return t("{stops, plural, one {# stop} other {# stops}} unsure, {n} min late expected", { stops, n: Math.max(1, Math.round(expected)) });
}

export const best = (exception: Exception): Remedy | undefined => exception.remedies[0];

/** What a remedy does, as its button says. */
export function remedyWords(remedy: Remedy, reroutes: ReadonlyMap<string, Reroute>): string {
  const proposal = remedy.reroute === undefined ? undefined : reroutes.get(remedy.reroute);
  const stops = proposal?.stops.length ?? 0;
  if (remedy.kind !== "accept_reroute") return capital(remedy.kind.replaceAll("_", " "));
  if (stops > 1) return t("Reorder {n} stops", { n: stops });
  return t("Take the other way");
}

/** What it gains, in words under the button. */
export function gainWords(remedy: Remedy): string {
  if (remedy.gain_s === undefined) return "";
  return t("saves {n} min", { n: minutes(remedy.gain_s) });
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
