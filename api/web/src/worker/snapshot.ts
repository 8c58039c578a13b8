/** The fleet as it was last known, kept for when the app opens without a network. */
import { keep, recall } from "../offline/kept";
import type { Fleet, Van } from "./fleet";

/** Kept this seldom, ticks, and first after so many. */
export const KEEP_EVERY = 15;
export const KEEP_FIRST = 4;
/** Vans kept with their visits, those with problems first; the rest of a larger fleet without. */
const WHOLE_MAX = 2_000;

/** What is kept of the fleet. */
export interface Snapshot {
  asOf: number;
  /** The frame after which the stream goes on. */
  last: string;
  zone: string;
  vans: Partial<Van>[];
  phones: [string, string][];
}

/** What there is to keep, `sorted` first. Nothing while the stream has not told all. */
export function taken(fleet: Fleet, sorted: readonly Van[], last: string | undefined, zone: string): Snapshot | undefined {
  if (last === undefined || fleet.asOf === 0) return undefined;
  const whole = new Set(sorted.slice(0, WHOLE_MAX));
  for (const van of fleet.list) if (whole.size < WHOLE_MAX) whole.add(van);
  const vans = fleet.list.filter((van) => van.known).map((van): Partial<Van> => {
    const { visits, orders, stops, fromLng, fromLat, index, generation, known, ...rest } = van;
    return whole.has(van) ? { ...rest, visits } : { ...rest, etaSeq: -1 };
  });
  return { asOf: fleet.asOf, last, zone, vans, phones: [...fleet.phones] };
}

/** Keeps the fleet for this person. */
export async function keepFleet(whose: string, snapshot: Snapshot | undefined): Promise<void> {
  if (snapshot !== undefined && whose !== "") await keep("fleet", whose, snapshot);
}

/** The fleet that was kept for this person. */
export async function recallFleet(whose: string): Promise<Snapshot | undefined> {
  return whose === "" ? undefined : (await recall<Snapshot>("fleet", whose))?.value;
}
