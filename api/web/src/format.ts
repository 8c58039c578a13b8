/** Times, ages, spans, shares and distances in words and figures of the person's language. */
import { t } from "./messages/translate";

const locale = typeof navigator === "undefined" ? "en-GB" : navigator.language;
const imperial = /-(US|GB|LR|MM)$/.test(locale);

/** The zone all clocks of the app show: the fleet's, which the fleet's state names. */
let zone: string = new Intl.DateTimeFormat().resolvedOptions().timeZone;
let clocks = makeClocks();

function makeClocks() {
  const of = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { timeZone: zone, hourCycle: "h23", ...options });
  return {
    minute: of({ hour: "2-digit", minute: "2-digit" }),
    second: of({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    day: of({ weekday: "short", day: "numeric", month: "short" }),
    full: of({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
    precise: of({ year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    name: of({ timeZoneName: "short" }),
    /** For reckoning, whatever figures the person reads. */
    date: new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }),
    plain: new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  };
}

/** Shows clocks of this IANA zone from now on; a name that is unknown changes nothing. */
export function useZone(name: string): void {
  if (name === zone) return;
  const before = zone;
  zone = name;
  try {
    clocks = makeClocks();
  } catch {
    zone = before;
  }
}

/** The short name of the zone where it differs from the person's own, else empty. */
export function zoneName(at: number): string {
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own === zone) return "";
  const part = clocks.name.formatToParts(at).find((p) => p.type === "timeZoneName");
  return part?.value ?? zone;
}

/** `14:08` */
export const clock = (at: number): string => clocks.minute.format(at);
/** `14:08:32` */
export const clockSeconds = (at: number): string => clocks.second.format(at);
/** `Thu 20 Nov` */
export const day = (at: number): string => clocks.day.format(at);
/** `20 Nov 14:08` */
export const dayClock = (at: number): string => clocks.full.format(at);
/** `20 Nov 2026, 14:08:32` */
export const precise = (at: number): string => (Number.isFinite(at) ? clocks.precise.format(at) : "–");
/** `Fri, 20 Nov 2026` of `2026-11-20`, which is the same day in every zone. */
export function dayOnly(date: string): string {
  const at = Date.parse(date);
  return Number.isFinite(at) ? wholeDay.format(at) : date;
}
/** `20 Nov` in a zone. */
export const dayShort = (at: number, zone_: string): string => new Intl.DateTimeFormat(locale, { timeZone: zone_, day: "numeric", month: "short" }).format(at);
/** `14:22–14:34` */
export const span = (from: number, to: number): string => `${clock(from)}–${clock(to)}`;

/** When the day of `at` began in the zone that is shown; on the two days a year of another length an hour off. */
export function midnight(at: number): number {
  const [hours = 0, minutes = 0, seconds = 0] = clocks.plain.format(at).split(":").map(Number);
  return at - ((hours * 60 + minutes) * 60 + seconds) * 1000 - (at % 1000);
}

/** `2026-11-20`: the day of `at` in the zone that is shown. */
export function dateOf(at: number): string {
  const noon = midnight(at) + 12 * 3_600_000;
  const [day = "", month = "", year = ""] = clocks.date.format(noon).split("/");
  return `${year}-${month}-${day}`;
}

/** When a day such as `2026-11-20` begins in the zone that is shown; NaN where it is none. */
export function dayBegins(date: string): number {
  const noon = Date.parse(`${date}T12:00:00Z`);
  if (Number.isNaN(noon)) return NaN;
  // Noon in Greenwich is another day where clocks are half a day away.
  const near = [0, -1, 1].map((days) => midnight(noon + days * 24 * 3_600_000));
  return near.find((at) => dateOf(at + 6 * 3_600_000) === date) ?? noon;
}

/** Milliseconds of an RFC 3339 time; NaN stays NaN. */
export const ms = (text: string): number => Date.parse(text);

/** Age: seconds to 59, then minutes to 59, then the clock time. */
export function age(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 60) return t("{n} s", { n: seconds });
  if (seconds < 3600) return t("{n} min", { n: Math.floor(seconds / 60) });
  return clock(at);
}

/** A number of minutes for people, never `0` where there is something. */
export function minutes(seconds: number): number {
  return Math.max(1, Math.round(Math.abs(seconds) / 60));
}

/** `+5 min`, `−1 min`, `0 min`: whole minutes with their sign. */
export function signedMinutes(whole: number): string {
  const sign = whole > 0 ? "+" : whole < 0 ? "−" : "";
  return t("{signed} min", { signed: sign + number(Math.abs(whole)) });
}

const wholeDay = new Intl.DateTimeFormat(locale, { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric" });
const plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat(locale, { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const whole = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat(locale, {
  style: "percent", maximumFractionDigits: 1, minimumFractionDigits: 1,
});

export const number = (value: number): string => plain.format(value);
const fixed = new Map<string, Intl.NumberFormat>();
/** With so many decimals, thousands set apart or not. */
export function decimals(value: number, places: number, grouped: boolean): string {
  const key = `${places} ${grouped}`;
  const found = fixed.get(key) ?? new Intl.NumberFormat(locale, { minimumFractionDigits: places, maximumFractionDigits: places, useGrouping: grouped });
  fixed.set(key, found);
  return found.format(value);
}
/** Share of one, whole percent. */
export const percent = (share: number): string => whole.format(share);
/** Share of one with a tenth; rounded down, so that 100 % means all. */
export const percentTenth = (share: number): string => share >= 1 ? whole.format(1) : tenth.format(Math.floor(share * 1000) / 1000);

/** An amount of the tenant's currency; without one a bare number. */
export function money(amount: number, currency: string | undefined): string {
  const options: Intl.NumberFormatOptions = { maximumFractionDigits: 0 };
  if (currency !== undefined) Object.assign(options, { style: "currency", currency });
  // Adding 0 makes −0 plain.
  return new Intl.NumberFormat(locale, options).format(Math.round(amount) + 0);
}

/** Speed in the person's unit. */
export function speed(mps: number): string {
  if (imperial) return t("{n} mph", { n: Math.round(mps * 2.236936) });
  return t("{n} km/h", { n: Math.round(mps * 3.6) });
}

/** Distance: `near` under 0.1, one decimal under 10. */
export function distance(metres: number): string {
  const value = metres / (imperial ? 1609.344 : 1000);
  if (value < 0.1) return t("near");
  const figure = value < 10 ? one.format(value) : plain.format(value);
  return imperial ? t("{figure} mi", { figure }) : t("{figure} km", { figure });
}
