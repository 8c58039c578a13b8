/** A track in time: where a vehicle was at a moment, and how fast it went. */

export interface Track {
  /** Milliseconds, rising. */
  times: number[];
  places: [number, number][];
}

interface Feature {
  geometry: { type: string; coordinates: unknown } | null;
  properties: { track: string; times: string[] };
}

/** Between two fixes further apart than this the way is not known, milliseconds. */
export const GAP = 180_000;

/** The matched track of an answer, or the raw one where nothing was matched. */
export function trackOf(collection: { features: Feature[] }): Track {
  const read = (name: string): Track => {
    const feature = collection.features.find((f) => f.properties.track === name);
    if (feature?.geometry?.type !== "LineString") return { times: [], places: [] };
    const points = (feature.geometry.coordinates as [number, number][]).map((place, i) => ({ place, at: Date.parse(feature.properties.times[i] ?? "") }));
    const sorted = points.filter((p) => Number.isFinite(p.at)).sort((a, b) => a.at - b.at);
    return { times: sorted.map((p) => p.at), places: sorted.map((p) => p.place) };
  };
  const matched = read("matched");
  const raw = read("raw");
  return matched.times.length * 2 >= raw.times.length ? matched : raw;
}

/** Place of the newest fix not after `at`; −1 before the first. */
export function indexAt(track: Track, at: number): number {
  let [low, high] = [0, track.times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (track.times[middle]! <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Where it was: between two fixes in proportion, in a gap at the older one. */
export function placeAt(track: Track, at: number): { place: [number, number]; fix: number } | undefined {
  const i = indexAt(track, at);
  const [from, to] = [track.places[i], track.places[i + 1]];
  const [begin, end] = [track.times[i], track.times[i + 1]];
  if (from === undefined || begin === undefined) return undefined;
  if (to === undefined || end === undefined || end - begin > GAP || end === begin) return { place: from, fix: begin };
  const share = (at - begin) / (end - begin);
  return { place: [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share], fix: begin };
}

/** Metres between two places near each other. */
export function metres(a: [number, number], b: [number, number]): number {
  const rad = Math.PI / 180;
  const x = (b[0] - a[0]) * rad * Math.cos(((a[1] + b[1]) / 2) * rad);
  return Math.hypot(x, (b[1] - a[1]) * rad) * 6_371_000;
}

/** Metres a second from fix to fix; absent over a gap. */
export function speeds(track: Track): (number | null)[] {
  return track.times.map((at, i) => {
    const before = track.times[i - 1];
    if (before === undefined || at - before > GAP || at === before) return null;
    return metres(track.places[i - 1]!, track.places[i]!) / ((at - before) / 1000);
  });
}
