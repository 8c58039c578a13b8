/** What the app and its worker say to each other. Times are milliseconds of the server's clock. */
import type { Activity, Status } from "../status";

/** From the app to the worker. */
export type Order =
  /** For this person, as `whose` names them. */
  | { kind: "start"; whose: string }
  | { kind: "search"; text: string }
  /** Rows of the list that are on the screen. */
  | { kind: "rows"; first: number; count: number }
  | { kind: "select"; vehicle: string | null }
  /** The pointer or the focus is in the list: its order stays. */
  | { kind: "hold"; on: boolean }
  | { kind: "hidden"; on: boolean }
  | { kind: "online"; on: boolean }
  /** Vans, and stops of theirs, that are shown outside the list: at most `WATCHED_MAX`. */
  | { kind: "watch"; wanted: { key: string; vehicle: string; stop?: string | undefined }[] }
  /** Where the list is asked for the van before or after another. */
  | { kind: "neighbour"; of: string | null; by: 1 | -1 };

/** A visit of a route as it stands. */
export interface Visit {
  stop: string;
  order: string;
  name: string;
  lng: number;
  lat: number;
  /** `later`, `next`, `arrived`, `departed`, `completed`, `failed`, `skipped`. */
  state: string;
  status: Status;
  from?: number | undefined;
  closes?: number | undefined;
  p10?: number | undefined;
  p50?: number | undefined;
  p90?: number | undefined;
  miss?: number | undefined;
  arrived?: number | undefined;
  departed?: number | undefined;
  /** Planned service, seconds. */
  service?: number | undefined;
}

/** Vans watched at a time. */
export const WATCHED_MAX = 80;
/** A van that is watched, and its stop: the one named, else the next. */
export interface Watched {
  key: string;
  name: string;
  status: Status;
  time: number;
  visit?: Visit | undefined;
  /** Number of that stop from 1 on; 0 without. */
  number: number;
}

/** A line of the list. */
export interface Row {
  id: string;
  name: string;
  status: Status;
  activity: Activity;
  /** Time of its newest fix. */
  time: number;
  /** Number of its next visit from 1 on, 0 when none is left. */
  at: number;
  of: number;
  next?: Visit | undefined;
}

/** The selected van. */
export interface Detail extends Row {
  lng: number;
  lat: number;
  speed?: number | undefined;
  heading?: number | undefined;
  accuracy?: number | undefined;
  device: string;
  route?: string | undefined;
  version: number;
  shiftStart?: number | undefined;
  shiftEnd?: number | undefined;
  depot?: [number, number] | undefined;
  visits: Visit[];
  /** Usual seconds between two fixes. */
  interval: number;
}

/** A word on the map beside a van. */
export interface Label {
  id: string;
  lng: number;
  lat: number;
  status: Status;
  name: string;
  lateMinutes: number;
  ageSeconds: number;
}

/** Eight numbers of each van: see `FLOATS`. */
export interface Markers {
  count: number;
  data: Float32Array;
  /** Mercator place the numbers start from. */
  origin: [number, number];
  /** The van of each line and its name; only when they changed. */
  ids?: string[];
  names?: string[];
  /** Telephone numbers of drivers by van; only when they changed. */
  phones?: [string, string][];
}
/** from x, from y, to x, to y, heading in radians, sprite, ring step, reserved. */
export const FLOATS = 8;

/** Stops expected in one quarter of an hour. */
export interface Quarter {
  /** When it begins. */
  at: number;
  done: number;
  doneLate: number;
  ok: number;
  risk: number;
  late: number;
}

/** The fleet's day in figures. */
export interface Day {
  /** Stops with a promise. */
  promised: number;
  /** Expected share of them in their window, 0 to 1. */
  share: number;
  stops: number;
  done: number;
  quarters: Quarter[];
  /** Where late and risk are most, and how many stops. */
  worst?: { from: number; to: number; stops: number } | undefined;
  /** False while the plans of the day are not all known: figures of the past are then left out. */
  whole: boolean;
}

export type Counts = Record<Status, number>;

/** The state of the stream. */
export type StreamState = "connecting" | "live" | "reconnecting" | "offline" | "refused";

/** Once a second from the worker. */
export interface Tick {
  kind: "tick";
  now: number;
  /** Newest moment the data is complete for; 0 before the first. */
  asOf: number;
  stream: StreamState;
  tries: number;
  /** Resets since the start. */
  resets: number;
  /** True once the first data is whole. */
  ready: boolean;
  zone: string;
  total: number;
  matched: number;
  unknown: string[];
  counts: Counts;
  first: number;
  rows: Row[];
  labels: Label[];
  markers?: Markers | undefined;
  selected: Detail | null;
  watched: Watched[];
  day?: Day | undefined;
  bounds?: [number, number, number, number] | undefined;
}

/** Something happened to a van. */
export interface Happened {
  kind: "event";
  vehicle: string;
  type: string;
  at: number;
  stop?: string | undefined;
  cause?: string | undefined;
}
/** Answer to `neighbour`. */
export interface Neighbour {
  kind: "neighbour";
  vehicle: string | null;
  index: number;
}
export type Said = Tick | Happened | Neighbour;
