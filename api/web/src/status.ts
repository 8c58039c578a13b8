/** Status is decided by the server; here are its words, ranks and how late is said. */
import { minutes, percent } from "./format";
import { t } from "./messages/translate";

export type Status =
  | "on_time" | "at_risk" | "late" | "no_signal" | "failed" | "done" | "off_duty";
export type Activity = "moving" | "at_stop" | "break" | "off";
/** As it stands in class names and `data-state`. */
export type Tone = "ok" | "risk" | "late" | "nosignal" | "failed" | "done" | "off";

const TONES: Record<Status, Tone> = {
  on_time: "ok", at_risk: "risk", late: "late", no_signal: "nosignal", failed: "failed",
  done: "done", off_duty: "off",
};
/** Order of lists: what needs a look first. */
const RANKS: Record<Status, number> = {
  late: 0, failed: 1, at_risk: 2, no_signal: 3, on_time: 4, done: 5, off_duty: 6,
};

/** Reads a status as the server spells it; one it does not know is off duty. */
export function statusOf(text: string | null | undefined): Status {
  return text != null && text in TONES ? (text as Status) : "off_duty";
}
export const tone = (status: Status): Tone => TONES[status];
export const rank = (status: Status): number => RANKS[status];

export function statusWord(status: Status): string {
  switch (status) {
    case "on_time": return t("On time");
    case "at_risk": return t("At risk");
    case "late": return t("Late");
    case "no_signal": return t("No signal");
    case "failed": return t("Failed");
    case "done": return t("Done");
    case "off_duty": return t("Off duty");
  }
}

export function activityWord(activity: Activity): string {
  switch (activity) {
    case "moving": return t("Driving");
    case "at_stop": return t("At a stop");
    case "break": return t("Standing");
    case "off": return t("Off duty");
  }
}

/** What is known of a visit that lies ahead; times in milliseconds. */
export interface Expected {
  status: Status;
  p50?: number | undefined;
  closes?: number | undefined;
  miss?: number | undefined;
}

/** `18 min late`, `64 % in window`, or the bare word. */
export function standing(visit: Expected): string {
  const { status, p50, closes, miss } = visit;
  if (status === "late" && p50 !== undefined && closes !== undefined && p50 > closes) {
    return t("{n} min late", { n: minutes((p50 - closes) / 1000) });
  }
  const shown = status === "on_time" || status === "at_risk" || status === "late";
  if (shown && miss !== undefined) {
    return t("{status} · {share} in window", { status: statusWord(status), share: percent(1 - miss) });
  }
  return statusWord(status);
}

/** `No signal for 11 min`. */
export function silence(seconds: number): string {
  return t("No signal for {n} min", { n: minutes(seconds) });
}
