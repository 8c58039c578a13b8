/** The map of the Live screen with its controls and the card of the selected van. */
import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { age, clock, speed } from "../../format";
import { t } from "../../messages/translate";
import { NoMap, drawable } from "../../map/drawable";
import { type Camera, MapView } from "../../map/view";
import { routeOf } from "../../map/route";
import { Bar } from "../../parts/bar";
import { Icon, Shape, Swap } from "../../parts/shape";
import { go, href, param, put } from "../../state/address";
import { bounds, labels, now, onMarkers, ready, select, selected, selectedId, stale } from "../../state/live";
import { onKey } from "../../state/keyboard";
import { say } from "../../state/notices";
import { layout, theme } from "../../state/theme";
import { activityWord, silence, standing, tone } from "../../status";
import { waysOf } from "../vehicle/ways";
import { sharedAxis } from "./vans";

export const follow = signal(false);
const inView = signal({ vans: 0, late: 0 });

function cameraOf(): Camera | undefined {
  const [lng, lat, zoom] = param("c").split(",").map(Number);
  if (lng === undefined || lat === undefined || zoom === undefined || ![lng, lat, zoom].every(Number.isFinite)) return undefined;
  return [lng, lat, zoom];
}
const cameraText = ([lng, lat, zoom]: Camera): string => `${lng.toFixed(5)},${lat.toFixed(5)},${zoom.toFixed(2)}`;

/** Counts what is in view anew. */
function look(view: MapView): void {
  const [before, after] = [inView.peek(), view.inView()];
  if (before.vans !== after.vans || before.late !== after.late) inView.value = after;
}

/** Ties a map to the state until the returned function is called. */
function tie(view: MapView): () => void {
  const markers = (m: Parameters<MapView["setMarkers"]>[0]) => {
    view.setMarkers(m);
    look(view);
  };
  onMarkers.add(markers);
  let first = true;
  const ends = [
    effect(() => {
      void theme.value;
      if (first) first = false;
      else void view.repaint();
    }),
    effect(() => view.setWords(labels.value)),
    effect(() => view.choose(selectedId.value)),
    effect(() => {
      const van = selected.value;
      if (van === null) return view.setRoute([], []);
      const { lines, stops } = routeOf(van, waysOf(van));
      view.setRoute(lines, stops);
      if (follow.value) view.centre(van.lng, van.lat);
    }),
    () => { onMarkers.delete(markers); },
  ];
  return () => ends.forEach((end) => end());
}

/** The map of the fleet, with the card of the chosen van. */
export function MapPane() {
  return drawable() ? <Drawn /> : <NoMap><Card /></NoMap>;
}

function Drawn() {
  const host = useRef<HTMLDivElement>(null);
  const held = useRef<MapView | null>(null);
  useEffect(() => {
    let untie: (() => void) | undefined;
    // The map begins where the address says, else where the vans are: it waits for them.
    const begin = effect(() => {
      if (held.current !== null || host.current === null) return;
      const camera = cameraOf();
      if (camera === undefined && (!ready.value || bounds.value === undefined)) return;
      const phone = layout.peek() === "phone";
      const padding = phone ? { top: 142, right: 32, bottom: 466, left: 32 } : { top: 84, right: 90, bottom: 56, left: 56 };
      const view = new MapView(host.current, { camera, box: bounds.peek(), vans: true, padding });
      held.current = view;
      view.onPick = (vehicle) => select(vehicle);
      view.onMove = (at, byPerson) => {
        if (byPerson) {
          put({ c: cameraText(at) });
          follow.value = false;
        }
        look(view);
      };
      untie = tie(view);
    });
    const keys = onKey((key) => mapKey(key, held.current));
    return () => {
      keys();
      begin();
      untie?.();
      held.current?.remove();
      held.current = null;
    };
  }, []);
  const late = inView.value.late;
  return (
    <div class="map-pane" data-part="map" data-veil={stale.value}>
      <div class="map" ref={host} role="region" aria-label={t("Map: {n, plural, one {# van} other {# vans}} in view, {late} late", { n: inView.value.vans, late })} />
      <i class="veil" />
      <div class="legend float">
        <span><Dot kind="moving" /> {t("moving")}</span><span><Dot kind="stop" /> {t("at stop")}</span>
        <span><Dot kind="ring" /> {t("ring drains as data ages")}</span>
      </div>
      <div class="controls">
        <div class="float">
          <button type="button" aria-label={t("Zoom in")} onClick={() => held.current?.zoom(1)}><Icon name="plus" /></button>
          <button type="button" aria-label={t("Zoom out")} onClick={() => held.current?.zoom(-1)}><Icon name="minus" /></button>
        </div>
        <div class="float">
          <button type="button" aria-label={t("Fit all vans")} onClick={() => fit(held.current)}><Icon name="fit" /></button>
          <button type="button" aria-label={t("Follow the selected van")} aria-pressed={follow.value} aria-disabled={selected.value === null}
            title={selected.value === null ? t("Select a van first") : ""} onClick={() => { if (selected.value !== null) follow.value = !follow.value; }}><Icon name="follow" /></button>
        </div>
      </div>
      <Card />
    </div>
  );
}

function fit(view: MapView | null): void {
  if (bounds.value === undefined || view === null) return;
  put({ c: "" });
  view.fit(bounds.value);
}

function mapKey(key: string, view: MapView | null): boolean {
  switch (key) {
    case "f": case "F": fit(view); return true;
    case "+": case "=": view?.zoom(1); return true;
    case "-": case "−": view?.zoom(-1); return true;
    case "m": case "M": view?.map.getCanvas().focus(); return true;
    case "i": case "I": {
      const van = selected.value;
      if (van === null) return false;
      say(t("{name}, {standing}, {doing}, position {age} old", { name: van.name, standing: standingOf(), doing: activityWord(van.activity), age: age(van.time, now.value) }));
      return true;
    }
    default: return false;
  }
}

function standingOf(): string {
  const van = selected.value;
  if (van === null) return "";
  if (van.status === "no_signal") return silence((now.value - van.time) / 1000);
  const worst = van.visits.find((v) => v.status === van.status) ?? van.next;
  return standing({ status: van.status, p50: worst?.p50, closes: worst?.closes, miss: worst?.miss });
}

function Dot({ kind }: { kind: "moving" | "stop" | "ring" }) {
  return (
    <svg class="shape" width="18" height="18" viewBox="0 0 24 24" aria-hidden="true">
      {kind === "ring" && <path d="M12 1.8A10.2 10.2 0 1 1 3 7" fill="none" stroke="var(--ink3)" stroke-width="2" />}
      <circle cx="12" cy="12" r="7" fill="var(--ok)" />
      {kind === "stop" ? <path d="M9.4 9.4h5.2v5.2H9.4z" fill="var(--ok-glyph)" /> : <path d="M12 6.6 16.3 16.2 12 14.2 7.7 16.2Z" fill="var(--ok-glyph)" />}
    </svg>
  );
}

/** The selected van in four lines, docked: it never covers the middle of the map. */
function Card() {
  const van = selected.value;
  if (van === null || layout.value === "phone") return null;
  const next = van.next;
  const kind = tone(van.status);
  const where = next === undefined ? activityWord(van.activity) : t("Stop {at} of {of}, {place}", { at: van.at, of: van.of, place: next.name });
  const rate = van.speed === undefined ? "" : ` · ${speed(van.speed)}`;
  return (
    <aside class="van-card float" data-part="card" data-state={kind} aria-label={van.name}>
      <header>
        <Shape tone={kind} /><b>{van.name}</b><span class={`strong t-${kind}`}>{standingOf()}</span>
        <Swap kind="num faint" text={age(van.time, now.value)} />
        <button type="button" class="close" aria-label={t("Close")} onClick={() => select(null)}><Icon name="close" size={15} /></button>
      </header>
      <p class="soft cut">{where}{rate}</p>
      {next?.p50 !== undefined && (
        <div class="card-eta">
          <b class={stale.value ? "faint" : ""}>{clock(next.p50)}</b><Bar visit={next} axis={sharedAxis(now.value)} quiet={stale.value} />
          <span class="faint">{next.closes === undefined ? t("no window promised") : t("promised by {time}", { time: clock(next.closes) })}</span>
        </div>
      )}
      <footer>
        <a class="btn" href={href(`/van/${encodeURIComponent(van.id)}`)} onClick={(e) => { e.preventDefault(); go(`/van/${encodeURIComponent(van.id)}`); }}>{t("Open van")} <kbd class="key">O</kbd></a>
      </footer>
    </aside>
  );
}
