/** The fleet as the worker last told it. */
import { batch, computed, effect, signal } from "@preact/signals";
import { useZone } from "../format";
import type { Day, Detail, Label, Markers, Neighbour, Order, Row, Said, Tick } from "../worker/protocol";
import type { Counts, Happened, Watched } from "../worker/protocol";
import { param, parts, put } from "./address";

export const NO_COUNTS: Counts = {
  on_time: 0, at_risk: 0, late: 0, no_signal: 0, failed: 0, done: 0, off_duty: 0,
};

export const now = signal(Date.now());
export const asOf = signal(0);
/** Now, in steps of half a minute: for what need not be drawn each second. */
export const nowCoarse = computed(() => Math.floor(now.value / 30_000) * 30_000);
export const stream = signal<Tick["stream"]>("connecting");
export const tries = signal(0);
export const resets = signal(0);
export const ready = signal(false);
export const zone = signal("");
export const total = signal(0);
export const matched = signal(0);
export const unknownKeys = signal<string[]>([]);
export const counts = signal<Counts>(NO_COUNTS);
export const first = signal(0);
export const rows = signal<Row[]>([]);
export const labels = signal<Label[]>([]);
export const selected = signal<Detail | null>(null);
export const watched = signal<ReadonlyMap<string, Watched>>(new Map());
/** Names of vans by id. */
export const names = signal<ReadonlyMap<string, string>>(new Map());
/** Telephone numbers of drivers by van. */
export const phones = signal<ReadonlyMap<string, string>>(new Map());
export const nameOf = (id: string): string => names.value.get(id) ?? id;
export const dayFigures = signal<Day | null>(null);
export const bounds = signal<Tick["bounds"]>(undefined);
/** Told each time vans move. Not a signal: nothing of it is drawn by the page. */
export const onMarkers = new Set<(markers: Markers) => void>();
export const onEvent = new Set<(event: Happened) => void>();
/** The newest markers, for a map that comes later; with all ids. */
export const lastMarkers: { markers: Markers | null; ids: string[] } = { markers: null, ids: [] };

/** Newest data older than this is behind, milliseconds. */
const BEHIND = 5_000;
/** Data that stopped longer ago than this is veiled, milliseconds. */
const VEIL = 15_000;

export type Connection = "connecting" | "live" | "behind" | "reconnecting" | "offline";
export const connection = computed<Connection>(() => {
  if (stream.value === "offline") return "offline";
  if (stream.value === "reconnecting" || stream.value === "refused") return "reconnecting";
  if (stream.value === "connecting" || asOf.value === 0) return "connecting";
  return now.value - asOf.value > BEHIND ? "behind" : "live";
});
/** Predictions are no longer fresh: they show their age. */
export const stale = computed(() =>
  (connection.value === "reconnecting" || connection.value === "offline") && now.value - asOf.value > VEIL);
/** Seconds since the newest data. */
export const dataAge = computed(() => Math.max(0, Math.round((now.value - asOf.value) / 1000)));

const worker = new Worker(new URL("../worker/main.ts", import.meta.url), { type: "module", name: "fleet" });
export function tell(order: Order): void {
  worker.postMessage(order);
}

let refused: () => void = () => {};
let neighbours: ((answer: Neighbour) => void)[] = [];

worker.onmessage = (message: MessageEvent<Said>) => {
  const said = message.data;
  if (said.kind === "event") for (const call of onEvent) call(said);
  else if (said.kind === "neighbour") neighbours.shift()?.(said);
  else take(said);
};

let watchedText = "";
/** Sets a signal only when its content changed, so that nothing is drawn for nothing. */
function keep<T>(of: { value: T; peek(): T }, next: T): void {
  if (JSON.stringify(of.peek()) !== JSON.stringify(next)) of.value = next;
}

function take(tick: Tick): void {
  batch(() => {
    now.value = tick.now;
    asOf.value = tick.asOf;
    stream.value = tick.stream;
    tries.value = tick.tries;
    resets.value = tick.resets;
    ready.value = tick.ready;
    if (tick.zone !== "" && tick.zone !== zone.value) {
      useZone(tick.zone);
      zone.value = tick.zone;
    }
    total.value = tick.total;
    matched.value = tick.matched;
    if (tick.unknown.join() !== unknownKeys.value.join()) unknownKeys.value = tick.unknown;
    keep(counts, tick.counts);
    first.value = tick.first;
    rows.value = tick.rows;
    labels.value = tick.labels;
    selected.value = tick.selected;
    const seen = JSON.stringify(tick.watched);
    if (seen !== watchedText) {
      watchedText = seen;
      watched.value = new Map(tick.watched.map((w) => [w.key, w]));
    }
    const { ids, names: given, phones: numbers } = tick.markers ?? {};
    if (numbers !== undefined) phones.value = new Map(numbers);
    if (ids !== undefined && given !== undefined) names.value = new Map(ids.map((id, i) => [id, given[i] ?? id]));
    if (tick.day !== undefined) dayFigures.value = tick.day;
    keep(bounds, tick.bounds);
  });
  if (tick.stream === "refused") refused();
  const { markers } = tick;
  if (markers === undefined) return;
  if (markers.ids !== undefined) lastMarkers.ids = markers.ids;
  lastMarkers.markers = markers;
  for (const call of onMarkers) call(markers);
}

/** The van before or after one in the list. */
export function neighbour(of: string | null, by: 1 | -1): Promise<Neighbour> {
  return new Promise((resolve) => {
    neighbours.push(resolve);
    tell({ kind: "neighbour", of, by });
  });
}

/** The van whose page is open, or else the selected one. */
export const selectedId = computed(() => {
  const [screen, id] = parts.value;
  return (screen === "van" || screen === "replay") && id !== undefined ? id : param("van") || null;
});
export function select(vehicle: string | null): void {
  put({ van: vehicle ?? "" });
}
export const search = computed(() => param("q"));

/** Begins for a person; `call` is told when the server asks who is there. */
export function begin(call: () => void, whose: string): void {
  refused = call;
  effect(() => tell({ kind: "search", text: search.value }));
  effect(() => tell({ kind: "select", vehicle: selectedId.value }));
  addEventListener("visibilitychange", () => tell({ kind: "hidden", on: document.hidden }));
  addEventListener("online", () => tell({ kind: "online", on: true }));
  addEventListener("offline", () => tell({ kind: "online", on: false }));
  tell({ kind: "start", whose });
}
