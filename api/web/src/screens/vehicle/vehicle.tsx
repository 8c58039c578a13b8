/** Where will this route go wrong, and why did the expected time move? */
import { useEffect, useState } from "preact/hooks";
import { age, clock, speed } from "../../format";
import type { RouteLine } from "../../map/overlays";
import { PlainMap } from "../../map/plain";
import { reached, routeOf, stopsOf } from "../../map/route";
import { t } from "../../messages/translate";
import { Icon, Shape } from "../../parts/shape";
import { Shell } from "../../parts/shell";
import { go, href, param, parts, put } from "../../state/address";
import { onKey } from "../../state/keyboard";
import { nameOf, now, phones, ready, selected, zone } from "../../state/live";
import { layout } from "../../state/theme";
import { activityWord, silence, standing, tone } from "../../status";
import type { Detail, Visit } from "../../worker/protocol";
import { SearchBox } from "../live/search";
import { Connection } from "../../parts/connection";
import { Ladder } from "./ladder";
import { movedStops, Proposal, proposalOf } from "./proposal";
import { Why } from "./why";
import { waysOf } from "./ways";

function standingOf(van: Detail): string {
  if (van.status === "no_signal") return silence((now.value - van.time) / 1000);
  const worst = van.visits.find((v) => !reached(v) && v.status === van.status);
  return standing({ status: van.status, p50: worst?.p50, closes: worst?.closes, miss: worst?.miss });
}

function Head({ van }: { van: Detail }) {
  const kind = tone(van.status);
  const doing = van.speed !== undefined && van.activity === "moving" ? `${activityWord(van.activity)}, ${speed(van.speed)}` : activityWord(van.activity);
  const left = van.shiftEnd === undefined ? "" : t("Shift until {time}", { time: clock(van.shiftEnd) });
  const id = encodeURIComponent(van.id);
  return (
    <header class="van-head" data-state={kind}>
      <div>
        <h1>{van.name}</h1>
        <span class={`tag ${kind}`}><Shape tone={kind} size={14} /> {standingOf(van)}</span>
        <span class="space" />
        {phones.value.get(van.id) !== undefined && <a class="btn" href={`tel:${(phones.value.get(van.id) ?? "").replace(/[^+\d]/g, "")}`}>{t("Call driver")}</a>}
        <a class="btn plain" href={href(`/replay/${id}`)}><Icon name="clock" size={16} /> {t("Replay the day")}</a>
        <a class="btn" href={href(`/links?van=${id}`)}><Icon name="link" size={16} /> {t("Customer links")}</a>
      </div>
      <p class="soft">
        <span><Icon name="follow" size={15} /> {doing}</span>
        {left !== "" && <span><Icon name="clock" size={15} /> {left}</span>}
        <span data-state={van.status === "no_signal" ? "silent" : "fresh"}><Icon name="live" size={15} /> {t("Position {age} old", { age: age(van.time, now.value) })}</span>
      </p>
    </header>
  );
}

type Tab = "ladder" | "map" | "why";

function Body({ van }: { van: Detail }) {
  const [open, setOpen] = useState(false);
  const [tab, setTab] = useState<Tab>("ladder");
  const proposal = proposalOf(van.id);
  const ways = waysOf(van);
  const wanted = param("stop");
  const first = van.visits.find((v) => !reached(v) && (v.status === "late" || v.status === "at_risk")) ?? van.visits.find((v) => !reached(v));
  const chosen: Visit | undefined = van.visits.find((v) => v.stop === wanted) ?? first ?? van.visits[van.visits.length - 1];
  const pick = (stop: string) => put({ stop });
  useEffect(() => onKey((key) => step(key, van.visits, chosen, pick)));
  const { lines, stops } = routeOf(van, ways);
  const shown: RouteLine[] = proposal === undefined ? lines : [...lines, proposedLine(van, proposal.stops, proposal.line)];
  const moved = proposal === undefined ? new Set<string>() : movedStops(van, proposal);
  const map = (
    <PlainMap label={t("Map of the route of {name}", { name: van.name })} lines={shown} stops={moved.size > 0 ? stopsOf(van.visits, moved) : stops} chosen={van.id} subject={van.id} onStop={pick} />
  );
  const why = chosen === undefined ? <p class="empty">{t("No stop to explain.")}</p>
    : <Why visit={chosen} place={van.visits.indexOf(chosen) + 1} names={(stop) => van.visits.find((v) => v.stop === stop)?.name ?? stop} />;
  const ladder = <Ladder van={van} chosen={chosen?.stop ?? null} pick={pick} open={open} toggle={() => setOpen(!open)} />;
  const head = <><Head van={van} />{proposal !== undefined && <Proposal van={van} proposal={proposal} />}</>;
  if (layout.value === "wide") {
    return <div class="vehicle"><div class="left scroll">{head}{ladder}</div><div class="right">{map}<div class="scroll">{why}</div></div></div>;
  }
  if (layout.value === "phone") return <div class="vehicle phone scroll"><PhoneTop van={van} />{map}{head}{ladder}{why}</div>;
  const tabs: [Tab, string][] = [["ladder", t("Ladder")], ["map", t("Map")], ["why", t("Why")]];
  return (
    <div class="vehicle tabbed">
      {head}
      <div class="segments" role="group" aria-label={t("Parts of the screen")}>{tabs.map(([id, word]) => <button type="button" aria-pressed={tab === id} onClick={() => setTab(id)}>{word}</button>)}</div>
      <div class="tab scroll">{tab === "ladder" ? ladder : tab === "map" ? map : why}</div>
    </div>
  );
}

function PhoneTop({ van }: { van: Detail }) {
  return <div class="phone-top"><a class="btn plain" href={href(`/?van=${encodeURIComponent(van.id)}`)} aria-label={t("Back to Live")}>←</a><b>{van.name}</b><span class="space" /><Connection short /></div>;
}

function proposedLine(van: Detail, order: readonly string[], line: [number, number][] | undefined): RouteLine {
  const places = order.flatMap((stop): [number, number][] => {
    const visit = van.visits.find((v) => v.stop === stop);
    return visit === undefined || !Number.isFinite(visit.lng) ? [] : [[visit.lng, visit.lat]];
  });
  return { kind: "proposed", coordinates: [[van.lng, van.lat], ...(line ?? []), ...places] };
}

function step(key: string, visits: readonly Visit[], chosen: Visit | undefined, pick: (stop: string) => void): boolean {
  const at = chosen === undefined ? -1 : visits.indexOf(chosen);
  const to = key === "j" || key === "ArrowDown" ? at + 1 : key === "k" || key === "ArrowUp" ? at - 1 : -1;
  if (key === "Escape") {
    go(`/?van=${parts.value[1] ?? ""}`);
    return true;
  }
  const visit = visits[to];
  if (visit === undefined) return false;
  pick(visit.stop);
  requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-stop="${CSS.escape(visit.stop)}"]`)?.focus());
  return true;
}

export function Vehicle() {
  const id = parts.value[1] ?? "";
  const van = selected.value;
  const bar = (
    <>
      <a class="crumb" href={href(`/?van=${encodeURIComponent(id)}`)}>{t("Live")}</a><Icon name="right" size={15} /><b>{nameOf(id)}</b>
      <span class="space" /><SearchBox />
    </>
  );
  const here = van !== null && van.id === id;
  return (
    <Shell screen="vehicle" bar={bar}>
      {here ? <Body key={id + zone.value} van={van} /> : (
        <div class="empty" role="status">
          {ready.value ? <><h1>{t("No van {id} is known here, or it has not been heard yet.", { id })}</h1><a class="btn" href={href("/")}>{t("Back to Live")}</a></> : <h1>{t("Loading {name}", { name: nameOf(id) })}</h1>}
        </div>
      )}
    </Shell>
  );
}
