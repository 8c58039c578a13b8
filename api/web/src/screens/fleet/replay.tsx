/** One vehicle's day again: not live, and says so. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../../api/client";
import { age, clock, clockSeconds, dayClock, speed } from "../../format";
import type { RouteLine, RouteStop } from "../../map/overlays";
import { PlainMap } from "../../map/plain";
import { stopsOf } from "../../map/route";
import { t } from "../../messages/translate";
import { Connection } from "../../parts/connection";
import { Icon } from "../../parts/shape";
import { Shell } from "../../parts/shell";
import { go, href, param, parts, put } from "../../state/address";
import { onKey } from "../../state/keyboard";
import { nameOf, selected } from "../../state/live";
import { layout } from "../../state/theme";
import { indexAt, placeAt, speeds, type Track, trackOf } from "../../track";
import { SpeedChart } from "./speedchart";

const RATES = [10, 60, 240] as const;
/** A step of the arrow keys, milliseconds. */
const STEP = 15_000;
/** How much of the day is read, milliseconds. */
const DAY = 24 * 3_600_000;

type State = { state: "loading" } | { state: "failed"; why: string } | { state: "some" | "empty"; track: Track };

function useTrack(id: string): State {
  const [state, setState] = useState<State>({ state: "loading" });
  useEffect(() => {
    setState({ state: "loading" });
    const from = new Date(Date.now() - DAY).toISOString();
    ask<Parameters<typeof trackOf>[0]>(`/v1/vehicles/${encodeURIComponent(id)}/track?from=${from}`, { headers: { Accept: "application/geo+json" } }).then(
      (answer) => {
        const track = trackOf(answer);
        setState({ state: track.times.length < 2 ? "empty" : "some", track });
      },
      (error: unknown) => setState({ state: "failed", why: error instanceof Error ? error.message : String(error) }),
    );
  }, [id]);
  return state;
}

/** The moment in the address: whole seconds. */
const asOf = (): number => Number(param("at")) * 1000;

function Player({ id, track }: { id: string; track: Track }) {
  const [first, last] = [track.times[0]!, track.times[track.times.length - 1]!];
  const wanted = asOf();
  const [at, setAt] = useState(wanted >= first && wanted <= last ? wanted : first);
  const [rate, setRate] = useState<number>(60);
  const [playing, setPlaying] = useState(false);
  const held = useRef(at);
  held.current = at;
  const move = (to: number) => setAt(Math.max(first, Math.min(last, to)));
  useEffect(() => {
    const timer = setTimeout(() => put({ at: String(Math.round(at / 1000)) }), 300);
    return () => clearTimeout(timer);
  }, [at]);
  useEffect(() => {
    if (!playing) return undefined;
    let before = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      const to = held.current + (now - before) * rate;
      before = now;
      move(to);
      if (to >= last) setPlaying(false);
    }, 100);
    return () => clearInterval(timer);
  }, [playing, rate]);
  useEffect(() => onKey((key) => {
    switch (key) {
      case " ": setPlaying((p) => !p); return true;
      case "ArrowRight": move(held.current + STEP); return true;
      case "ArrowLeft": move(held.current - STEP); return true;
      case "l": case "L": case "Escape": go(`/van/${encodeURIComponent(id)}`); return true;
      default: return false;
    }
  }), []);
  const here = placeAt(track, at);
  const index = indexAt(track, at);
  const going = speeds(track)[Math.max(0, index)] ?? null;
  const lines: RouteLine[] = [{ kind: "done", coordinates: track.places }, { kind: "track", coordinates: [...track.places.slice(0, index + 1), ...(here === undefined ? [] : [here.place])] }];
  // Stops as they stood at that moment: reached before it, or still ahead.
  const van = selected.value;
  const stops = van?.id === id ? stopsOf(van.visits.map((v) => ({ ...v, status: "on_time" as const, state: (v.arrived ?? v.departed ?? Infinity) <= at ? "departed" : "later" }))) : [];
  const marker: RouteStop[] = here === undefined ? [] : [{ id: "here", lng: here.place[0], lat: here.place[1], tone: "ok", text: "", moved: true }];
  const old = here === undefined ? 0 : at - here.fix;
  return (
    <div class="replay">
      <div class="banner past" role="status" data-part="asof">{t("Showing {time}, not live", { time: clockSeconds(at) })}<span class="space" /><a class="btn" href={href(`/van/${encodeURIComponent(id)}`)}>{t("Back to live")} <kbd class="key">L</kbd></a></div>
      <PlainMap label={t("Map of the day of {name}", { name: nameOf(id) })} lines={lines} stops={[...stops, ...marker]} subject={id} />
      <section class="player" aria-label={t("Replay")}>
        <div class="player-row">
          <button type="button" class="btn ink" onClick={() => { if (at >= last) setAt(first); setPlaying(!playing); }}><Icon name={playing ? "pause" : "play"} size={15} /> {playing ? t("Pause") : t("Play")}</button>
          <div class="segments" role="group" aria-label={t("Pace")}>{RATES.map((of) => <button type="button" aria-pressed={rate === of} onClick={() => setRate(of)}>{t("{n} ×", { n: of })}</button>)}</div>
          <b class="at">{dayClock(at)}</b>
          <span class="soft">{going === null ? t("speed not known") : speed(going)}</span>
          <span class="soft">{t("fix {age} old", { age: age(at - old, at) })}</span>
          <span class="space" /><span class="faint">{t("{from} to {to}, {n} fixes", { from: clock(first), to: clock(last), n: track.times.length })}</span>
        </div>
        <input class="scrub" type="range" min={first} max={last} step={1000} value={at} aria-label={t("Moment that is shown")} aria-valuetext={clockSeconds(at)} onInput={(e) => move(Number(e.currentTarget.value))} />
        <SpeedChart track={track} at={at} pick={move} />
      </section>
    </div>
  );
}

export function Replay() {
  const id = parts.value[1] ?? "";
  const state = useTrack(id);
  const bar = (
    <>
      <a class="crumb" href={href(`/?van=${encodeURIComponent(id)}`)}>{t("Live")}</a><Icon name="right" size={15} />
      <a class="crumb" href={href(`/van/${encodeURIComponent(id)}`)}>{nameOf(id)}</a><Icon name="right" size={15} /><h1 class="here">{t("Replay")}</h1>
    </>
  );
  return (
    <Shell screen="replay" bar={bar}>
      <div class="replay-page" data-part="replay" data-state={state.state === "some" ? "asof" : state.state}>
        {layout.value === "phone" && <div class="phone-top"><a class="btn plain" href={href(`/van/${encodeURIComponent(id)}`)} aria-label={t("Back to the van")}>←</a><h1 class="here">{nameOf(id)}</h1><span class="space" /><Connection short /></div>}
        {state.state === "loading" && <p class="pad soft" role="status">{t("Loading the day of {name}", { name: nameOf(id) })}</p>}
        {state.state === "failed" && <div class="empty" role="alert"><b>{t("The day cannot be read: {why}", { why: state.why })}</b><a class="btn" href={href("/")}>{t("Back to Live")}</a></div>}
        {state.state === "empty" && <div class="empty"><b>{t("No fix of the last 24 hours is kept for {name}.", { name: nameOf(id) })}</b><a class="btn" href={href("/")}>{t("Back to Live")}</a></div>}
        {state.state === "some" && <Player key={id} id={id} track={state.track} />}
      </div>
    </Shell>
  );
}
