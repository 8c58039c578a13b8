/** The route of a van as lines and stops for the map. */
import type { Detail, Visit } from "../worker/protocol";
import { tone } from "../status";
import type { RouteLine, RouteStop } from "./overlays";

const REACHED = new Set(["departed", "completed", "failed", "skipped"]);
export const reached = (visit: Visit): boolean => REACHED.has(visit.state);

/** Ways along the road to each stop, where the server knows them. */
export type Ways = ReadonlyMap<string, [number, number][]>;

export function routeOf(van: Detail, ways?: Ways): { lines: RouteLine[]; stops: RouteStop[] } {
  const lines: RouteLine[] = [];
  let at: [number, number] = [van.lng, van.lat];
  const lastLate = van.visits.findLastIndex((visit) => !reached(visit) && visit.status === "late");
  const add = (kind: RouteLine["kind"], piece: [number, number][]) => {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.kind === kind) last.coordinates.push(...piece.slice(1));
    else lines.push({ kind, coordinates: [...piece] });
  };
  const done: [number, number][] = [];
  if (van.depot !== undefined) done.push(van.depot);
  van.visits.forEach((visit, i) => {
    if (!Number.isFinite(visit.lng)) return;
    const place: [number, number] = [visit.lng, visit.lat];
    if (reached(visit)) {
      done.push(place);
      return;
    }
    const way = ways?.get(visit.stop);
    const from = way !== undefined && at[0] === van.lng && at[1] === van.lat ? nearest(way, at) : 0;
    add(i <= lastLate ? "late" : "ahead", way !== undefined && way.length > 1 ? [at, ...way.slice(from)] : [at, place]);
    at = place;
  });
  if (done.length > 1) lines.unshift({ kind: "done", coordinates: done });
  return { lines, stops: stopsOf(van.visits) };
}

/** The point of a way that is nearest to a place: what lies before it was driven. */
function nearest(way: readonly [number, number][], [lng, lat]: [number, number]): number {
  let [best, found] = [Infinity, 0];
  way.forEach(([x, y], i) => {
    const far = (x - lng) ** 2 + (y - lat) ** 2;
    if (far < best) [best, found] = [far, i];
  });
  return found;
}

export function stopsOf(visits: readonly Visit[], moved?: ReadonlySet<string>): RouteStop[] {
  return visits.map((visit, i) => ({
    id: visit.stop, lng: visit.lng, lat: visit.lat, text: String(i + 1),
    tone: visit.state === "failed" ? "failed" : reached(visit) ? "done" : tone(visit.status),
    ...(moved?.has(visit.stop) ? { moved: true } : {}),
  }));
}
