/** A better way to do what is left of a route, to be taken or refused. */
import { useEffect } from "preact/hooks";
import type { Remedy, Reroute } from "../../api/client";
import { distance, minutes } from "../../format";
import { t } from "../../messages/translate";
import { reroutes } from "../../state/exceptions";
import { onKey } from "../../state/keyboard";
import { answer, hindrance, outcomes } from "../../state/remedy";
import type { Detail } from "../../worker/protocol";
import { remedyWords } from "../exceptions/words";

export const proposalOf = (vehicle: string): Reroute | undefined =>
  [...reroutes.value.values()].find((reroute) => reroute.vehicle === vehicle);

/** Stops whose place in the order changes. */
export function movedStops(van: Detail, proposal: Reroute): Set<string> {
  const open = van.visits.filter((v) => proposal.stops.includes(v.stop)).map((v) => v.stop);
  return new Set(proposal.stops.filter((stop, i) => open[i] !== stop));
}

export function Proposal({ van, proposal }: { van: Detail; proposal: Reroute }) {
  const remedy: Remedy = { kind: "accept_reroute", reroute: proposal.id, gain_s: proposal.gain_s };
  const words = remedyWords(remedy, reroutes.value);
  const outcome = outcomes.value.get(proposal.id);
  const hindered = hindrance();
  const accept = () => void answer(remedy, "accept", words);
  useEffect(() => onKey((key, event) => {
    if (key !== "Enter" || (event.target instanceof HTMLElement && event.target.closest("button, a") !== null)) return false;
    accept();
    return true;
  }), [proposal.id]);
  const moved = movedStops(van, proposal);
  const number = (stop: string) => String(van.visits.findIndex((v) => v.stop === stop) + 1);
  const order = proposal.stops.slice(0, 8).map(number).join(", ") + (proposal.stops.length > 8 ? "…" : "");
  const detail = moved.size > 0 ? t("New order {order}", { order }) : t("Same order, {far} to the next stop", { far: distance(proposal.metres) });
  return (
    <div class="proposal" data-part="proposal" data-state={outcome ?? "shown"}>
      <div>
        <b>{words}</b>
        <p class="soft">{detail} · {t("saves {n} min", { n: minutes(proposal.gain_s) })}</p>
        {hindered !== "" && <p class="faint">{hindered}</p>}
      </div>
      {outcome === "done" ? <span role="status" class="soft">{t("Sent. Waiting for the van.")}</span> : (
        <div class="acts">
          <button type="button" class="btn" aria-disabled={hindered !== ""} onClick={() => void answer(remedy, "refuse", words)}>{t("Refuse")}</button>
          <button type="button" class="btn ink" aria-disabled={hindered !== ""} onClick={accept}>{outcome === "running" ? t("Sending…") : <>{t("Accept")} <kbd class="key">↵</kbd></>}</button>
        </div>
      )}
    </div>
  );
}
