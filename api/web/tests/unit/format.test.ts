import { describe, expect, it } from "vitest";
import { age, clock, minutes, percentTenth, signedMinutes, span, useZone, zoneName } from "../../src/format";
import { standing } from "../../src/status";

const at = Date.parse("2026-11-20T13:08:32Z");

describe("times", () => {
  it("stand in the fleet's zone, in 24 hours", () => {
    useZone("Europe/Lisbon");
    expect(clock(at)).toBe("13:08");
    useZone("Europe/Berlin");
    expect(clock(at)).toBe("14:08");
    expect(span(at, at + 720_000)).toBe("14:08–14:20");
    expect(zoneName(at)).not.toBe("");
  });
  it("keep their zone where a name is unknown", () => {
    useZone("Mars/Olympus");
    expect(clock(at)).toBe("14:08");
  });
});

describe("ages", () => {
  it("are seconds, then minutes, then the clock", () => {
    const old = (seconds: number) => age(at - seconds * 1000, at);
    expect([old(0), old(4), old(59), old(60), old(185), old(3599)]).toEqual(["0 s", "4 s", "59 s", "1 min", "3 min", "59 min"]);
    expect(old(3600)).toBe("13:08");
    expect(old(-5)).toBe("0 s");
  });
});

describe("figures", () => {
  it("never say 0 min late", () => expect([minutes(4), minutes(89), minutes(91)]).toEqual([1, 1, 2]));
  it("have the true minus sign", () => expect([signedMinutes(5), signedMinutes(-1), signedMinutes(0)]).toEqual(["+5 min", "−1 min", "0 min"]));
  it("say 100 % only of all", () => {
    expect(percentTenth(1)).toMatch(/^100/);
    expect(percentTenth(0.9999)).toMatch(/^99.9/);
  });
});

describe("standing", () => {
  it("says how late, or how likely the promise holds", () => {
    expect(standing({ status: "late", p50: at + 18 * 60_000, closes: at, miss: 0.97 })).toBe("18 min late");
    expect(standing({ status: "at_risk", p50: at, closes: at, miss: 0.36 })).toMatch(/^At risk · 64\s?% in window$/);
    expect(standing({ status: "no_signal" })).toBe("No signal");
  });
});
