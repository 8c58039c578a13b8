/** The vans as numbers that go to the graphics card unchanged. */
import type { Van } from "./fleet";
import { FLOATS, type Label, type Markers } from "./protocol";

/** Sprites by their place in the atlas; `map/atlas.ts` draws them in this order. */
export const SPRITE = {
  hidden: -1, moving: 0, atStop: 1, standing: 2, risk: 3, late: 4, nosignal: 5, failed: 6, done: 7, off: 8, plain: 9,
} as const;
/** Steps of the ring that drains as a position ages. */
export const RING_STEPS = 6;
/** Silence that the server calls no signal: this long or 5 usual intervals, milliseconds. */
const SILENT_LEAST = 120_000;
/** Words on the map at a time, the worst first. */
const LABELS_MAX = 60;
/** Below this speed a heading means nothing, metres a second (2 mph). */
const TURN_MPS = 0.9;

export const mercatorX = (lng: number): number => (lng + 180) / 360;
export const mercatorY = (lat: number): number => {
  const sin = Math.sin((lat * Math.PI) / 180);
  return 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI);
};

export function sprite(van: Van): number {
  switch (van.status) {
    case "late": return SPRITE.late;
    case "at_risk": return SPRITE.risk;
    case "no_signal": return SPRITE.nosignal;
    case "failed": return SPRITE.failed;
    case "done": return SPRITE.done;
    case "off_duty": return SPRITE.off;
    case "on_time":
      if (van.activity === "at_stop") return SPRITE.atStop;
      if (van.activity !== "moving") return SPRITE.standing;
      return turned(van) ? SPRITE.moving : SPRITE.plain;
  }
}

/** Whether its heading means something. */
const turned = (van: Van): boolean => van.heading !== undefined && (van.speed ?? 0) >= TURN_MPS;

/** 0: none while fresh; from 2 usual intervals on 6 down to 1. */
export function ring(van: Van, now: number): number {
  if (van.status === "no_signal" || van.status === "done" || van.status === "off_duty") return 0;
  const usual = Math.max(van.interval, 5_000);
  const limit = Math.max(SILENT_LEAST, usual * 5);
  const age = now - van.time;
  if (age < usual * 2) return 0;
  const left = (limit - age) / (limit - usual * 2);
  return Math.max(1, Math.min(RING_STEPS, Math.ceil(left * RING_STEPS)));
}

/** All vans of the fleet; those that do not match a search have no sprite. */
export function markers(
  list: readonly Van[], matches: (van: Van) => boolean, now: number, withIds: boolean,
): Markers {
  const origin = middle(list);
  const data = new Float32Array(list.length * FLOATS);
  for (let i = 0; i < list.length; i++) {
    const van = list[i]!;
    const at = i * FLOATS;
    if (!van.known || !matches(van)) {
      data[at + 5] = SPRITE.hidden;
      continue;
    }
    data[at] = mercatorX(van.fromLng) - origin[0];
    data[at + 1] = mercatorY(van.fromLat) - origin[1];
    data[at + 2] = mercatorX(van.lng) - origin[0];
    data[at + 3] = mercatorY(van.lat) - origin[1];
    data[at + 4] = turned(van) ? (van.heading! * Math.PI) / 180 : -1;
    data[at + 5] = sprite(van);
    data[at + 6] = ring(van, now);
    van.fromLng = van.lng;
    van.fromLat = van.lat;
  }
  const made: Markers = { count: list.length, data, origin };
  if (withIds) {
    made.ids = list.map((van) => van.id);
    made.names = list.map((van) => van.name);
  }
  return made;
}

function middle(list: readonly Van[]): [number, number] {
  const van = list.find((v) => v.known);
  return van === undefined ? [0.5, 0.5] : [mercatorX(van.lng), mercatorY(van.lat)];
}

/** Late, silent and failed vans, which alone carry words. */
export function labels(sorted: Iterable<Van>, now: number): Label[] {
  const found: Label[] = [];
  for (const van of sorted) {
    if (found.length >= LABELS_MAX) break;
    if (!van.known) continue;
    if (van.status !== "late" && van.status !== "no_signal" && van.status !== "failed") continue;
    found.push(labelOf(van, now));
  }
  return found;
}

export function labelOf(van: Van, now: number): Label {
  return {
    id: van.id, lng: van.lng, lat: van.lat, status: van.status, name: van.name,
    lateMinutes: van.lateMinutes, ageSeconds: (now - van.time) / 1000,
  };
}
