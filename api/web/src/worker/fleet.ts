/** All vans as the stream tells them. */
import { type Activity, type Status, statusOf } from "../status";
import type { Visit } from "./protocol";
import type { PlanStop, Plans } from "./plans";

interface PositionFrame {
  vehicle: string; as_of: string; time: string; lat: number; lng: number; seq: number;
  matched?: { lat: number; lng: number }; speed_mps?: number; heading?: number; accuracy_m?: number;
  activity: string; status: string; device: string; route?: string;
}
export interface StopLine {
  stop: string; order: string; state: string; p10?: string; p50?: string; p90?: string; miss?: number;
}
interface EtaFrame {
  vehicle: string; seq: number; route: string; version: number; stops: StopLine[];
}

/** Above this probability a stop may be late, or is late: the server's own limits. */
const MISS_AT_RISK = 0.35;
const MISS_LATE = 0.7;
/** A fix further apart than this tells nothing about the usual interval, milliseconds. */
const INTERVAL_MAX = 600_000;

export interface Van {
  id: string;
  /** Its line of the markers. */
  index: number;
  name: string;
  generation: number;
  positionSeq: number;
  etaSeq: number;
  known: boolean;
  time: number;
  lng: number;
  lat: number;
  /** Where it was shown before, for the way between. */
  fromLng: number;
  fromLat: number;
  speed?: number | undefined;
  heading?: number | undefined;
  accuracy?: number | undefined;
  activity: Activity;
  status: Status;
  device: string;
  route?: string | undefined;
  version: number;
  visits: Visit[];
  /** Place of the first visit that is not done; `visits.length` when all are. */
  next: number;
  /** The most its promises are missed by, minutes. */
  lateMinutes: number;
  /** Usual milliseconds between fixes. */
  interval: number;
  orders: string;
  stops: string;
}

const DONE = new Set(["departed", "completed", "failed", "skipped"]);
export const isDone = (visit: Visit): boolean => DONE.has(visit.state);

export class Fleet {
  readonly vans = new Map<string, Van>();
  /** In the order of their index. */
  readonly list: Van[] = [];
  asOf = 0;
  /** Largest difference of the server's clock to ours that was seen lately. */
  skew = Number.NEGATIVE_INFINITY;
  /** Set when vans came or went. */
  changed = true;
  private generation = 0;
  readonly names = new Map<string, string>();
  /** Telephone numbers of drivers, by van. */
  readonly phones = new Map<string, string>();

  constructor(private readonly plans: Plans) {}

  /** The server's clock now. */
  now(): number {
    return Date.now() + (Number.isFinite(this.skew) ? this.skew : 0);
  }

  /** Everything is told again from here on. */
  reset(): void {
    this.generation++;
    for (const van of this.list) {
      van.positionSeq = -1;
      van.etaSeq = -1;
    }
  }

  /** All was told: what the server no longer knows goes. */
  whole(): void {
    const gone = this.list.filter((van) => van.generation < this.generation);
    if (gone.length === 0) return;
    for (const van of gone) this.vans.delete(van.id);
    const kept = this.list.filter((van) => van.generation >= this.generation);
    this.list.length = 0;
    for (const van of kept) {
      van.index = this.list.length;
      this.list.push(van);
    }
    this.changed = true;
  }

  position(frame: PositionFrame): void {
    const asOf = Date.parse(frame.as_of);
    this.heard(asOf);
    const van = this.of(frame.vehicle);
    if (frame.seq <= van.positionSeq) return;
    const time = Date.parse(frame.time);
    const since = time - van.time;
    if (van.known && since > 0 && since < INTERVAL_MAX) {
      van.interval = van.interval === 0 ? since : van.interval * 0.8 + since * 0.2;
    }
    van.positionSeq = frame.seq;
    van.generation = this.generation;
    const place = frame.matched ?? frame;
    [van.lng, van.lat] = [place.lng, place.lat];
    if (!van.known) [van.fromLng, van.fromLat] = [place.lng, place.lat];
    van.known = true;
    van.time = time;
    [van.speed, van.heading, van.accuracy] = [frame.speed_mps, frame.heading, frame.accuracy_m];
    van.activity = frame.activity as Activity;
    van.status = statusOf(frame.status);
    van.device = frame.device;
    van.route = frame.route;
  }

  eta(frame: EtaFrame): void {
    const van = this.of(frame.vehicle);
    if (frame.seq <= van.etaSeq) return;
    van.etaSeq = frame.seq;
    van.generation = this.generation;
    van.route = frame.route;
    van.version = frame.version;
    const before = new Map(van.visits.map((visit) => [visit.stop, visit]));
    van.visits = frame.stops.map((line) => this.visit(line, before.get(line.stop)));
    this.planned(van);
  }

  /** An event that says when a stop was reached or left. */
  reached(vehicle: string, stop: string, type: string, at: number): void {
    const visit = this.vans.get(vehicle)?.visits.find((v) => v.stop === stop);
    if (visit === undefined) return;
    if (type === "arrived") visit.arrived = at;
    else visit.departed ??= at;
  }

  /** Joins what was promised to what is expected. */
  planned(van: Van): void {
    const plan = van.route === undefined ? undefined : this.plans.of(van.route, van.version);
    for (const visit of van.visits) {
      const stop = plan?.stops.get(visit.stop);
      if (stop !== undefined) joined(visit, stop);
    }
    const next = van.visits.findIndex((visit) => !isDone(visit));
    van.next = next < 0 ? van.visits.length : next;
    van.lateMinutes = lateMinutes(van.visits);
    van.orders = van.visits.map((v) => v.order).join(" ").toLowerCase();
    van.stops = van.visits.map((v) => v.name).join(" ").toLowerCase();
  }

  private visit(line: StopLine, before: Visit | undefined): Visit {
    const time = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text));
    const visit: Visit = before ?? {
      stop: line.stop, order: line.order, name: line.stop, lng: NaN, lat: NaN,
      state: line.state, status: "on_time",
    };
    visit.state = line.state;
    [visit.p10, visit.p50, visit.p90] = [time(line.p10), time(line.p50), time(line.p90)];
    visit.miss = line.miss;
    visit.status = statusOfVisit(visit);
    return visit;
  }

  /** Vans as they were kept; what the stream already told is newer. */
  restore(asOf: number, vans: readonly Partial<Van>[], phones: Iterable<readonly [string, string]>): void {
    this.asOf = Math.max(this.asOf, asOf);
    for (const [id, phone] of phones) this.phones.set(id, phone);
    for (const kept of vans) {
      if (kept.id === undefined || this.vans.has(kept.id)) continue;
      const van = this.of(kept.id);
      const { index, generation } = van;
      Object.assign(van, kept, { index, generation, known: true });
      [van.fromLng, van.fromLat] = [van.lng, van.lat];
      this.names.set(van.id, van.name);
      this.planned(van);
    }
  }

  private heard(asOf: number): void {
    if (asOf > this.asOf) this.asOf = asOf;
    const skew = asOf - Date.now();
    // Slowly forgets, so that a clock that is set right is followed.
    this.skew = Math.max(skew, this.skew - 0.05);
  }

  /** The server said up to when its data is complete. */
  beat(asOf: number): void {
    this.heard(asOf);
  }

  private of(id: string): Van {
    const found = this.vans.get(id);
    if (found !== undefined) return found;
    const van: Van = {
      id, index: this.list.length, name: this.names.get(id) ?? id, generation: this.generation,
      positionSeq: -1, etaSeq: -1, known: false, time: 0, lng: 0, lat: 0, fromLng: 0, fromLat: 0,
      activity: "off", status: "off_duty", device: "", version: 0, visits: [], next: 0,
      lateMinutes: 0, interval: 0, orders: "", stops: "",
    };
    this.vans.set(id, van);
    this.list.push(van);
    this.changed = true;
    return van;
  }

  /** Names as people gave them. */
  named(names: Iterable<readonly [string, string]>): void {
    this.changed = true;
    for (const [id, name] of names) {
      this.names.set(id, name);
      const van = this.vans.get(id);
      if (van !== undefined) van.name = name;
    }
  }
}

function joined(visit: Visit, stop: PlanStop): void {
  visit.name = stop.name;
  [visit.lng, visit.lat, visit.from, visit.closes] = [stop.lng, stop.lat, stop.from, stop.closes];
  visit.service = stop.service;
  visit.arrived ??= stop.arrived;
  visit.departed ??= stop.departed;
  visit.status = statusOfVisit(visit);
}

function statusOfVisit(visit: Visit): Status {
  if (visit.state === "failed") return "failed";
  if (isDone(visit) || visit.state === "arrived") return visit.state === "arrived" ? "on_time" : "done";
  const miss = visit.miss ?? 0;
  return miss >= MISS_LATE ? "late" : miss >= MISS_AT_RISK ? "at_risk" : "on_time";
}

function lateMinutes(visits: readonly Visit[]): number {
  let most = 0;
  for (const visit of visits) {
    if (isDone(visit) || visit.p50 === undefined || visit.closes === undefined) continue;
    most = Math.max(most, Math.round((visit.p50 - visit.closes) / 60_000));
  }
  return most;
}
