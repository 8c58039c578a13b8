import { describe, expect, it } from "vitest";
import { type Frame, Frames } from "../../src/worker/sse";
import { indexAt, placeAt, speeds, type Track } from "../../src/track";

const TEXT = "event: position\nid: v1-3\ndata: {\"a\":1}\n\n: still here\nid: v1-4\n\nevent: reset\r\ndata: x\r\ndata: y\r\n\r\n: only a comment\n\ndata: z\n\n";
const WANTED: Frame[] = [
  { event: "position", data: '{"a":1}', id: "v1-3" }, { event: "", data: "", id: "v1-4" },
  { event: "reset", data: "x\ny" }, { event: "message", data: "z" },
];

describe("frames of the stream", () => {
  it("are the same for any split", () => {
    for (let size = 1; size <= TEXT.length; size++) {
      const frames = new Frames();
      const found: Frame[] = [];
      for (let at = 0; at < TEXT.length; at += size) frames.feed(TEXT.slice(at, at + size), (frame) => found.push(frame));
      expect(found, `pieces of ${size}`).toEqual(WANTED);
    }
  });
});

describe("a track", () => {
  const track: Track = { times: [0, 10_000, 20_000, 500_000], places: [[0, 0], [0, 0.001], [0, 0.002], [1, 1]] };
  it("is between two fixes in proportion, and nowhere before the first", () => {
    expect(placeAt(track, 15_000)).toEqual({ place: [0, 0.0015], fix: 10_000 });
    expect(placeAt(track, -1)).toBeUndefined();
    expect(indexAt(track, 1e9)).toBe(3);
  });
  it("stays where it was seen last over a gap", () => {
    expect(placeAt(track, 300_000)?.place).toEqual([0, 0.002]);
    expect(speeds(track)[3]).toBeNull();
    expect(speeds(track)[1]).toBeCloseTo(11.1, 1);
  });
});
