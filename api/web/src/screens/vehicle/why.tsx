/** Why a stop's expected arrival moved, in minutes that add up. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, type Delivery } from "../../api/client";
import { clock, signedMinutes, span } from "../../format";
import { t } from "../../messages/translate";
import { explain, type Move, type Reason } from "../../reasons";
import { now, onEvent } from "../../state/live";
import { tone } from "../../status";
import type { Visit } from "../../worker/protocol";
import { Chart } from "./chart";

interface Read { order: string; moves: Move[]; failed: string }
const read = signal<Read>({ order: "", moves: [], failed: "" });
/** How often the history is read again, milliseconds. */
const EVERY = 15_000;

async function load(order: string): Promise<void> {
  try {
    const delivery = await ask<Delivery>(`/v1/deliveries/${encodeURIComponent(order)}`);
    const moves = delivery.history.flatMap((past): Move[] => {
      if (past.eta == null) return [];
      const { p10, p50, p90 } = past.eta;
      return [{ at: Date.parse(past.at), p10: Date.parse(p10), p50: Date.parse(p50), p90: Date.parse(p90), miss: past.late_probability ?? undefined, causes: past.causes?.map((c) => ({ ...c, stop: c.stop ?? undefined })) }];
    });
    read.value = { order, moves, failed: "" };
  } catch (error) {
    read.value = { order, moves: [], failed: error instanceof Error ? error.message : String(error) };
  }
}

export function causeWords(reason: Reason, names: (stop: string) => string): string {
  const later = reason.seconds > 0;
  const place = reason.stop === undefined ? "" : names(reason.stop);
  switch (reason.kind) {
    case "dwell":
      if (place === "") return later ? t("Visits took longer than planned") : t("Visits took less than planned");
      return later ? t("Longer at {place} than planned", { place }) : t("Shorter at {place} than planned", { place });
    case "travel": return later ? t("Driving was slower than usual") : t("Driving was faster than usual");
    case "traffic": return later ? t("Slower roads ahead") : t("Faster roads ahead");
    case "waiting": return later ? t("Waiting for a window to open") : t("Less waiting for a window");
    case "plan": return t("The plan changed");
    case "signal": return later ? t("The van fell silent") : t("The van was heard again");
    default: return t("Other");
  }
}

export function Why({ visit, place, names }: { visit: Visit; place: number; names: (stop: string) => string }) {
  const { order } = visit;
  useEffect(() => {
    void load(order);
    const timer = setInterval(() => void load(order), EVERY);
    const event = (e: { stop?: string | undefined }) => { if (e.stop === visit.stop) void load(order); };
    onEvent.add(event);
    return () => {
      clearInterval(timer);
      onEvent.delete(event);
    };
  }, [order]);
  const known = read.value.order === order ? read.value : null;
  const moves = known?.moves ?? [];
  const first = moves[0];
  const last = moves[moves.length - 1];
  const explained = explain(moves);
  const kind = tone(visit.status);
  const state = known === null ? "loading" : known.failed !== "" ? "failed" : moves.length < 2 ? "empty" : "some";
  return (
    <section class="why" data-part="why" data-state={state} aria-label={t("Why stop {n} moved", { n: place })}>
      <header>
        <h2>{t("Why stop {n} moved", { n: place })}</h2>
        {first !== undefined && last !== undefined && moves.length > 1 && (
          <span class="soft">{t("at {time}", { time: clock(first.at) })} <b>{clock(first.p50)}</b> → {t("now")} <b class={`t-${kind}`}>{clock(last.p50)}</b></span>
        )}
      </header>
      {visit.p10 !== undefined && visit.p90 !== undefined && <p class="soft">{t("Likely {span} (8 of 10 times).", { span: span(visit.p10, visit.p90) })}</p>}
      {state === "loading" && <p class="soft" role="status">{t("Loading what was expected before")}</p>}
      {state === "failed" && <p role="alert">{t("What was expected before cannot be read: {why}", { why: known?.failed ?? "" })}</p>}
      {state === "empty" && <p class="soft">{t("The expected time has not moved since it was first computed.")}</p>}
      {state === "some" && (
        <>
          <Chart moves={moves} reasons={explained.reasons} closes={visit.closes} now={Math.max(now.value, last!.at)} />
          <ReasonList reasons={explained.reasons} total={explained.minutes} since={first!.at} kind={kind} names={names} />
        </>
      )}
    </section>
  );
}

function ReasonList({ reasons, total, since, kind, names }: { reasons: readonly Reason[]; total: number; since: number; kind: string; names: (stop: string) => string }) {
  let counted = 0;
  return (
    <table class="reasons" data-total={total}>
      <caption class="vh">{t("Minutes by cause")}</caption>
      <tbody>
        {reasons.map((reason) => (
          <tr data-minutes={reason.minutes}>
            <td class="num strong">{signedMinutes(reason.minutes)}</td>
            <td class="dot">{reason.kind !== "other" && <i>{++counted}</i>}</td>
            <td>{causeWords(reason, names)}</td>
            <td class="num soft">{reason.from === reason.to ? clock(reason.from) : span(reason.from, reason.to)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot><tr><td class={`num strong ${total > 0 ? `t-${kind}` : ""}`}>{signedMinutes(total)}</td><td colSpan={3} class="strong">{t("in all since {time}", { time: clock(since) })}</td></tr></tfoot>
    </table>
  );
}
