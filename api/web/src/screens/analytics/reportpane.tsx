/** A report of a period: asked for by the address, so that a link shows the same. */
import { useEffect, useState } from "preact/hooks";
import { all, Problem, type Vehicle } from "../../api/client";
import { type Answer, report as ask, type ReportAsked, reportFile, type ReportOut } from "../../api/analytics";
import type { Wanted } from "../../analytics/series";
import { dateOf, dayBegins } from "../../format";
import { t } from "../../messages/translate";
import { param, put } from "../../state/address";
import { make } from "../../state/asking";
import { nowCoarse, zone } from "../../state/live";
import { field } from "../settings/list";
import { Outcome } from "./outcome";
import { reportWord } from "./catalogue";
import { Coded, Failed, Finished, Running } from "./runline";

const DAY = 86_400_000;
/** Days that a report is of unless others are asked for. */
const DAYS = 7;
/** Vehicles whose names are offered. */
const VEHICLES_MAX = 2_000;
const PERIODS = (): [number, string][] => [[1, t("Today")], [7, t("7 days")], [30, t("30 days")]];

/** What of a report is drawn first. */
const DRAWN: Record<string, Partial<Wanted>> = {
  on_time: { x: "day", y: "late", kind: "bar" }, eta_quality: { x: "lead_from_min", y: "mae_s", kind: "bar" }, dwell: { y: "dwell_avg_s" }, distance: { x: "day", kind: "bar" },
  idle: { x: "day", kind: "bar" }, stops_per_hour: { x: "day", y: "stops_per_hour", kind: "bar" }, failed: { kind: "bar" },
};

interface State { state: "loading" | "some" | "empty" | "failed"; answer: Answer | null; problem: Problem | null; began: number }

/** What the address asks for. */
function asked(name: string, now: number): { from: string; to: string; vehicle: string; ask: ReportAsked } {
  const to = param("to") || dateOf(now);
  const from = param("from") || dateOf(dayBegins(to) - (DAYS - 1.5) * DAY);
  // Behind the last day; what is still to come is left out.
  const end = dayBegins(dateOf(dayBegins(to) + 1.5 * DAY));
  const rfc = (at: number) => (Number.isNaN(at) ? "" : new Date(at).toISOString());
  const vehicle = param("vehicle");
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return { from, to, vehicle, ask: { name, from: rfc(dayBegins(from)), to: end > now ? undefined : rfc(end), vehicle, zone: zone.value || own } };
}

function useVehicles(): Vehicle[] {
  const [vehicles, set] = useState<Vehicle[]>([]);
  useEffect(() => {
    // Without the list the id is typed.
    all<Vehicle>("/v1/vehicles?limit=500", "vehicles", VEHICLES_MAX).then(({ members }) => set(members), () => {});
  }, []);
  return vehicles;
}

export function ReportPane({ report }: { report: ReportOut }) {
  const [read, setRead] = useState<State>({ state: "loading", answer: null, problem: null, began: Date.now() });
  const [times, setTimes] = useState(0);
  const vehicles = useVehicles();
  const which = asked(report.name, nowCoarse.value);
  useEffect(() => {
    const controller = new AbortController();
    setRead({ state: "loading", answer: null, problem: null, began: Date.now() });
    ask(which.ask, controller.signal).then(
      (answer) => setRead({ state: answer.row_count === 0 ? "empty" : "some", answer, problem: null, began: 0 }),
      (error: unknown) => {
        if (controller.signal.aborted) return;
        setRead({ state: "failed", answer: null, problem: error instanceof Problem ? error : new Problem(0, "", String(error)), began: 0 });
      },
    );
    return () => controller.abort();
  }, [report.name, which.from, which.to, which.vehicle, which.ask.zone, times]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    put({ from: field(event, "from"), to: field(event, "to"), vehicle: field(event, "vehicle") });
    setTimes(times + 1);
  };
  const period = (days: number) => put({ to: "", from: dateOf(nowCoarse.value - (days - 1) * DAY) });
  const today = dateOf(nowCoarse.value);
  const isPeriod = (days: number) => which.to === today && which.from === dateOf(nowCoarse.value - (days - 1) * DAY);
  const { answer } = read;
  return (
    <div class="report" data-part="report" data-report={report.name} data-state={answer?.cut_off ? "cut" : read.state}>
      <header class="part-head"><h2>{reportWord(report.name)}</h2><p class="soft sentence"><Coded text={report.meaning} /></p></header>
      <form class="line-form" onSubmit={submit} key={`${report.name} ${which.from} ${which.to} ${which.vehicle}`}>
        <div class="segments" role="group" aria-label={t("Period")}>{PERIODS().map(([days, word]) => <button type="button" aria-pressed={isPeriod(days)} onClick={() => period(days)}>{word}</button>)}</div>
        <label>{t("From")}<input class="field" type="date" name="from" required max={today} defaultValue={which.from} /></label>
        <label>{t("Up to and with")}<input class="field" type="date" name="to" required defaultValue={which.to} /></label>
        <label>{t("Vehicle")}<input class="field" name="vehicle" maxLength={64} list="report-vehicles" placeholder={t("all")} autocomplete="off" defaultValue={which.vehicle} /></label>
        <datalist id="report-vehicles">{vehicles.map((v) => <option value={v.id}>{v.name}</option>)}</datalist>
        <button class="btn ink">{t("Show report")}</button>
      </form>
      <div class="run-line">
        {read.state === "loading" && <Running began={read.began} far={null} />}
        {answer !== null && <Finished answer={answer} />}
        {read.state === "failed" && <span class="ran"><b>{t("Failed")}</b></span>}
      </div>
      {read.problem !== null && <Failed problem={read.problem}><button type="button" class="btn small" onClick={() => setTimes(times + 1)}>{t("Try again")}</button></Failed>}
      {read.state === "loading" && <div class="skeletons" aria-hidden="true">{[0, 1, 2, 3, 4].map(() => <div class="skeleton"><i /><i /><i /></div>)}</div>}
      {read.state === "empty" && <div class="empty"><b>{t("Nothing to report from {from} to {to}.", { from: which.from, to: which.to })}</b>{!isPeriod(30) && <button type="button" class="btn" onClick={() => period(30)}>{t("Show the last 30 days")}</button>}</div>}
      {answer !== null && answer.row_count > 0 && <Outcome answer={answer} worded hint={DRAWN[report.name]} make={(format) => void make(format, report.name, (signal) => reportFile(which.ask, signal, format))} />}
    </div>
  );
}
