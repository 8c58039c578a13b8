import { describe, expect, it } from "vitest";
import { usable } from "../../src/offline/kept";
import { Fleet } from "../../src/worker/fleet";
import { Plans } from "../../src/worker/plans";
import { taken } from "../../src/worker/snapshot";

const HOUR = 3_600_000;

describe("what is kept for when there is no network", () => {
  it("counts for as long as a session lasts, and never from the future", () => {
    const now = 1_800_000_000_000;
    expect(usable(now - 11 * HOUR, now)).toBe(true);
    expect(usable(now - 12 * HOUR, now)).toBe(false);
    expect(usable(now + 1, now)).toBe(false);
  });

  it("gives the fleet back as it was, and what the stream told since stays", () => {
    const fleet = new Fleet(new Plans());
    const fix = (vehicle: string, seq: number, lng: number) => fleet.position({
      vehicle, as_of: "2026-11-20T08:15:31.000Z", time: "2026-11-20T08:15:29.800Z", lat: 41.1, lng, seq, activity: "moving", status: "late", device: "d",
    });
    fix("van-1", 5, -8.1);
    fix("van-2", 7, -8.2);
    fleet.eta({ vehicle: "van-1", seq: 6, route: "r1", version: 2, stops: [{ stop: "s1", order: "o-1", state: "next", p50: "2026-11-20T08:40:00.000Z", miss: 0.9 }] });
    expect(taken(fleet, [], undefined, "")).toBeUndefined();
    const kept = JSON.parse(JSON.stringify(taken(fleet, fleet.list, "v1-9", "Europe/Lisbon")));
    expect(kept.last).toBe("v1-9");

    const later = new Fleet(new Plans());
    later.position({ vehicle: "van-2", as_of: "2026-11-20T08:16:00.000Z", time: "2026-11-20T08:16:00.000Z", lat: 41.1, lng: -9, seq: 9, activity: "moving", status: "on_time", device: "d" });
    later.restore(kept.asOf, kept.vans, kept.phones);
    expect(later.list.map((van) => [van.id, van.lng, van.status, van.known])).toEqual([["van-2", -9, "on_time", true], ["van-1", -8.1, "late", true]]);
    expect(later.vans.get("van-1")?.visits[0]).toMatchObject({ stop: "s1", status: "late" });
    expect(later.list.map((van) => van.index)).toEqual([0, 1]);
    // An older word of the stream changes nothing.
    later.position({ vehicle: "van-1", as_of: "2026-11-20T08:16:00.000Z", time: "2026-11-20T08:15:00.000Z", lat: 41.1, lng: 0, seq: 4, activity: "moving", status: "on_time", device: "d" });
    expect(later.vans.get("van-1")?.lng).toBe(-8.1);
  });
});
