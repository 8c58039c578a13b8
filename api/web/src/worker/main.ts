/** The worker: reads the stream, keeps the fleet, sorts and searches, and tells the app once a second. */
import { fits, parse, type Findable, type Search } from "../search";
import { rank, type Status } from "../status";
import { day } from "./day";
import { Fleet, isDone, type Van } from "./fleet";
import { labelOf, labels, markers } from "./markers";
import { Plans } from "./plans";
import { type Counts, type Detail, type Happened, type Order, type Row, type Said, type Tick, type Watched, WATCHED_MAX } from "./protocol";
import { KEEP_EVERY, KEEP_FIRST, keepFleet, recallFleet, taken } from "./snapshot";
import type { Frame } from "./sse";
import { Stream } from "./stream";

/** A hidden page is told this seldom, in ticks. */
const HIDDEN_EVERY = 10;
/** The list is sorted again at most this often, in ticks; figures of the day too. */
const SORT_EVERY = 5;
/** Rows told at a time. */
const ROWS_MAX = 60;
/** Names of vehicles read, a page at a time. */
const NAMES_PAGE = 1_000;
const NAMES_MAX = 100_000;
/** What could not be read is asked for again after this, milliseconds. */
const REST_AGAIN = 10_000;

const say = (said: Said, transfer: Transferable[] = []) => self.postMessage(said, { transfer });

const plans = new Plans();
const fleet = new Fleet(plans);
const stream = new Stream("/v1/stream", take);
const asked = {
  search: parse("") as Search, text: "", first: 0, count: 30, selected: null as string | null,
  hold: false, hidden: false, started: false, watch: [] as { key: string; vehicle: string; stop?: string | undefined }[],
};
const names = new Intl.Collator("en", { numeric: true });
let sorted: Van[] = [];
let ticks = 0;
let resets = 0;
let ready = false;
let sortSoon = true;
let idsSoon = true;
/** The person whose fleet this is. */
let whose = "";

plans.onPlan = (plan) => {
  const van = fleet.vans.get(plan.vehicle);
  if (van !== undefined && van.route === plan.id) fleet.planned(van);
};

function take(frame: Frame): void {
  switch (frame.event) {
    case "position": return fleet.position(JSON.parse(frame.data));
    case "eta": return fleet.eta(JSON.parse(frame.data));
    case "event": return happened(JSON.parse(frame.data));
    case "as_of": return fleet.beat(Date.parse((JSON.parse(frame.data) as { as_of: string }).as_of));
    case "reset":
      resets++;
      return fleet.reset();
    case "":
      fleet.whole();
      if (!ready) {
        ready = true;
        sortSoon = true;
        tick();
      }
  }
}

interface EventFrame { vehicle: string; type: string; at: string; stop?: string; cause?: string }
function happened(frame: EventFrame): void {
  const { vehicle, type, stop, cause } = frame;
  const at = Date.parse(frame.at);
  if (stop !== undefined && (type === "arrived" || type === "departed" || type === "completed")) {
    fleet.reached(vehicle, stop, type, at);
  }
  say({ kind: "event", vehicle, type, at, stop, cause } satisfies Happened);
}

function findable(van: Van, now: number): Findable {
  const wantsDue = asked.search.tokens.some((token) => token.key === "due");
  return {
    id: van.id, name: van.name, status: van.status, activity: van.activity,
    place: (van.visits[van.next]?.name ?? "").toLowerCase(), orders: van.orders, stops: van.stops,
    lateMinutes: van.lateMinutes, ageSeconds: (now - van.time) / 1000,
    left: van.visits.length - van.next,
    due: wantsDue ? van.visits.filter((v) => !isDone(v)).map((v) => minuteOfDay(v.p50)) : [],
  };
}

let minuteFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
function minuteOfDay(at: number | undefined): number {
  if (at === undefined) return -1;
  const [hours = 0, minutes = 0] = minuteFormat.format(at).split(":").map(Number);
  return hours * 60 + minutes;
}

function sort(now: number): void {
  const { search } = asked;
  const all = search.tokens.length + search.words.length === 0;
  const found = fleet.list.filter((van) => van.known && (all || fits(search, findable(van, now))));
  const by = (a: Van, b: Van) =>
    rank(a.status) - rank(b.status) || b.lateMinutes - a.lateMinutes ||
    names.compare(a.name, b.name) || (a.id < b.id ? -1 : 1);
  sorted = found.sort(by);
}

function counts(): Counts {
  const counts: Counts = {
    on_time: 0, at_risk: 0, late: 0, no_signal: 0, failed: 0, done: 0, off_duty: 0,
  };
  for (const van of fleet.list) if (van.known) counts[van.status satisfies Status]++;
  return counts;
}

function row(van: Van): Row {
  if (van.visits.length === 0 && van.route !== undefined) plans.of(van.route, van.version);
  const next = van.visits[van.next];
  const at = next === undefined ? 0 : van.next + 1;
  const { id, name, status, activity, time } = van;
  return { id, name, status, activity, time, at, of: van.visits.length, next };
}

function detail(id: string | null): Detail | null {
  const van = id === null ? undefined : fleet.vans.get(id);
  if (van === undefined || !van.known) return null;
  const plan = van.route === undefined ? undefined : plans.of(van.route, van.version);
  return {
    ...row(van), lng: van.lng, lat: van.lat, speed: van.speed, heading: van.heading,
    accuracy: van.accuracy, device: van.device, route: van.route, version: van.version,
    shiftStart: plan?.shiftStart, shiftEnd: plan?.shiftEnd, depot: plan?.depot,
    visits: van.visits, interval: van.interval / 1000,
  };
}

function watched(): Watched[] {
  const found: Watched[] = [];
  for (const { key, vehicle, stop } of asked.watch) {
    const van = fleet.vans.get(vehicle);
    if (van === undefined) continue;
    const at = stop === undefined ? van.next : van.visits.findIndex((visit) => visit.stop === stop);
    const visit = van.visits[at];
    if (van.visits.length === 0 && van.route !== undefined) plans.of(van.route, van.version);
    found.push({ key, name: van.name, status: van.status, time: van.time, visit, number: visit === undefined ? 0 : at + 1 });
  }
  return found;
}

/** Once a second. */
function second(): void {
  ticks++;
  if (!asked.hidden || ticks % HIDDEN_EVERY === 0) tick();
  if (stream.state === "live" && ready && ticks % KEEP_EVERY === KEEP_FIRST) keepNow();
}

function keepNow(): void {
  void keepFleet(whose, taken(fleet, sorted, stream.last, plans.zone));
}

/** Nobody answers: shows what was kept, and goes on after it when somebody does. */
async function restore(): Promise<void> {
  if (ready) return;
  const kept = await recallFleet(whose);
  if (kept === undefined || ready) return;
  fleet.restore(kept.asOf, kept.vans, kept.phones);
  stream.last ??= kept.last;
  if (plans.zone === "") plans.zone = kept.zone;
  ready = true;
  sortSoon = true;
  inZone();
  tick();
}

/** Tells the app how things are; without `full` only what it asked for just now. */
function tick(full = true): void {
  if (!asked.started) return;
  const now = fleet.now();
  const due = full && ticks % SORT_EVERY === 0;
  if (sortSoon || (due && !asked.hold)) sort(now);
  const all = asked.search.tokens.length + asked.search.words.length === 0;
  const matched = all ? undefined : new Set(sorted);
  const matches = (van: Van) => matched === undefined || matched.has(van);
  const made = full ? markers(fleet.list, matches, now, idsSoon || fleet.changed) : undefined;
  const words = labels(sorted, now);
  const chosen = asked.selected === null ? undefined : fleet.vans.get(asked.selected);
  if (chosen?.known && !words.some((w) => w.id === chosen.id)) words.push(labelOf(chosen, now));
  const first = Math.min(asked.first, Math.max(0, sorted.length - asked.count));
  const count = Math.min(asked.count, ROWS_MAX);
  const said: Tick = {
    kind: "tick", now, asOf: fleet.asOf, stream: stream.state, tries: stream.tries, resets, ready,
    zone: plans.zone, total: fleet.list.length, matched: sorted.length,
    unknown: asked.search.unknown, counts: counts(), first,
    rows: sorted.slice(first, first + count).map(row), labels: words, markers: made,
    selected: detail(asked.selected), watched: watched(), bounds: bounds(),
  };
  if (due || sortSoon) said.day = day(fleet.list, now, plans.whole);
  sortSoon = false;
  if (made === undefined) return say(said);
  if (made.ids !== undefined && fleet.phones.size > 0) made.phones = [...fleet.phones];
  idsSoon = false;
  fleet.changed = false;
  say(said, [made.data.buffer]);
}

function bounds(): Tick["bounds"] {
  let [west, south, east, north] = [180, 90, -180, -90];
  for (const van of fleet.list) {
    if (!van.known) continue;
    [west, south] = [Math.min(west, van.lng), Math.min(south, van.lat)];
    [east, north] = [Math.max(east, van.lng), Math.max(north, van.lat)];
  }
  return west <= east ? [west, south, east, north] : undefined;
}

/** The van before or after one in the list's order. */
function neighbour(of: string | null, by: 1 | -1): void {
  const at = of === null ? -1 : sorted.findIndex((van) => van.id === of);
  const index = at < 0 ? (by > 0 ? 0 : sorted.length - 1) : Math.max(0, Math.min(sorted.length - 1, at + by));
  say({ kind: "neighbour", vehicle: sorted[index]?.id ?? null, index });
}

async function readNames(): Promise<void> {
  let after = "";
  for (let read = 0; read < NAMES_MAX; read += NAMES_PAGE) {
    const answer = await fetch(`/v1/vehicles?limit=${NAMES_PAGE}${after && `&after=${encodeURIComponent(after)}`}`);
    if (!answer.ok) return;
    const page = (await answer.json()) as { vehicles: { id: string; name: string; phone?: string | null }[]; next?: string };
    for (const { id, phone } of page.vehicles) if (phone != null) fleet.phones.set(id, phone);
    fleet.named(page.vehicles.map((v) => [v.id, v.name] as const));
    if (page.next === undefined) return;
    after = page.next;
  }
}

async function start(): Promise<void> {
  asked.started = true;
  stream.onLost = () => void restore();
  void stream.run();
  setInterval(second, 1_000);
  tick();
  await readRest();
}

/** Reads what the stream does not tell; again after a while where nobody answers. */
async function readRest(): Promise<void> {
  const read = await Promise.allSettled([readNames(), plans.load()]);
  inZone();
  for (const van of fleet.list) fleet.planned(van);
  sortSoon = true;
  tick();
  if (read.some(({ status }) => status === "rejected")) setTimeout(() => void readRest(), REST_AGAIN);
}

/** Takes the zone of the plans for times of day. */
function inZone(): void {
  if (plans.zone === "") return;
  const options = { hour: "2-digit", minute: "2-digit", timeZone: plans.zone } as const;
  minuteFormat = new Intl.DateTimeFormat("en-GB", options);
}

self.onmessage = (message: MessageEvent<Order>) => {
  const order = message.data;
  switch (order.kind) {
    case "start":
      whose = order.whose;
      return void start();
    case "search":
      asked.search = parse(order.text);
      sortSoon = true;
      return tick();
    case "rows":
      [asked.first, asked.count] = [order.first, order.count];
      return tick(false);
    case "select":
      asked.selected = order.vehicle;
      return tick(false);
    case "hold":
      asked.hold = order.on;
      return;
    case "hidden":
      asked.hidden = order.on;
      if (!order.on) tick();
      return;
    case "watch":
      asked.watch = order.wanted.slice(0, WATCHED_MAX);
      return tick(false);
    case "online":
      if (!order.on && ready) keepNow();
      return stream.network(order.on);
    case "neighbour": return neighbour(order.of, order.by);
  }
};
