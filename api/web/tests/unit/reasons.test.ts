import { describe, expect, it } from "vitest";
import { explain, type Move } from "../../src/reasons";

const MINUTE = 60_000;
function move(at: number, p50: number, causes?: Move["causes"]): Move {
  return { at: at * MINUTE, p10: (p50 - 5) * MINUTE, p50: p50 * MINUTE, p90: (p50 + 6) * MINUTE, causes };
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("reasons", () => {
  it("add up to the change", () => {
    const moves = [move(0, 100), move(10, 105, [{ kind: "dwell", seconds: 300, stop: "s1" }]), move(20, 121, [{ kind: "traffic", seconds: 900 }, { kind: "other", seconds: 60 }])];
    const { reasons, minutes } = explain(moves);
    expect(minutes).toBe(21);
    expect(reasons.map((r) => [r.kind, r.minutes])).toEqual([["dwell", 5], ["traffic", 15], ["other", 1]]);
  });
  it("call what no cause explains other", () => {
    const { reasons } = explain([move(0, 100), move(5, 110)]);
    expect(reasons.map((r) => [r.kind, r.minutes])).toEqual([["other", 10]]);
  });
  it("are none where nothing moved", () => expect(explain([move(0, 100)])).toEqual({ reasons: [], minutes: 0 }));
  it("add up exactly, whatever is rounded", () => {
    const r = random(3);
    const kinds = ["dwell", "travel", "traffic", "waiting", "plan", "signal", "other"];
    for (let round = 0; round < 5_000; round++) {
      let p50 = 6_000_000;
      const moves: Move[] = [{ at: 0, p10: 0, p50, p90: 0 }];
      for (let i = 1; i < 2 + Math.floor(r() * 9); i++) {
        const causes = kinds.filter(() => r() < 0.4).map((kind) => ({ kind, seconds: Math.round((r() - 0.4) * 900), stop: kind === "dwell" ? `s${i % 3}` : undefined }));
        const moved = causes.reduce((sum, c) => sum + c.seconds, 0) + (r() < 0.2 ? 37 : 0);
        p50 += moved * 1000;
        moves.push({ at: i * 1000, p10: 0, p50, p90: 0, causes });
      }
      const { reasons, minutes } = explain(moves);
      expect(reasons.reduce((sum, reason) => sum + reason.minutes, 0)).toBe(minutes);
      expect(minutes).toBe(Math.round((p50 - 6_000_000) / MINUTE) + 0);
    }
  });
});
