import { describe, expect, it } from "vitest";
import { columnsOf, heading, pasted, shown } from "../../src/analytics/cells";
import { added, clear, type Past, QUERIES_MAX, QUERY_LENGTH_MAX, read, summary, write } from "../../src/analytics/history";
import { fromWkt, positions, shapes, whereabouts } from "../../src/analytics/places";
import { pressed, ROW, scrollTo, sorted, widths, windowOf } from "../../src/analytics/rows";
import { choose, draw, LINES_MAX, shadeOf } from "../../src/analytics/series";
import { completions, errorAt, quoted, tokens } from "../../src/analytics/sql";
import type { Answer, Cell } from "../../src/api/analytics";
import { dateOf, dayBegins, useZone } from "../../src/format";

/** An answer of columns as `name:type`. */
const answer = (columns: string, rows: Cell[][]): Answer => ({
  as_of: "2026-11-20T14:08:31.000Z", rows, row_count: rows.length, cut_off: false, seconds: 0.1,
  columns: columns.split(" ").map((pair) => ({ name: pair.split(":")[0] ?? "", type: pair.split(":")[1] ?? "" })),
});
const none = { x: "", y: "", per: "", kind: "" };

describe("the history of queries", () => {
  const past = (sql: string, at = 0): Past => ({ sql, at });
  it("has the newest first and each query once", () => {
    const list = ["a", "b", "a"].reduce((all, sql, i) => added(all, past(sql, i)), [] as Past[]);
    expect(list).toEqual([past("a", 2), past("b", 1)]);
  });
  it("is bounded, in number and in length", () => {
    const many = Array.from({ length: QUERIES_MAX + 9 }, (_, i) => i).reduce((all, i) => added(all, past(`q${i}`)), [] as Past[]);
    expect([many.length, many[0]?.sql]).toEqual([QUERIES_MAX, `q${QUERIES_MAX + 8}`]);
    expect(added([], past("x".repeat(QUERY_LENGTH_MAX + 1)))).toEqual([]);
    expect(added([], past("  \n"))).toEqual([]);
  });
  it("is one person's, survives what it cannot read, and can be cleared", () => {
    const kept = new Map<string, string>();
    const store = { getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v), removeItem: (k: string) => void kept.delete(k) };
    write(store, "ana", [past("a", 5)]);
    expect([read(store, "ana"), read(store, "bob")]).toEqual([[past("a", 5)], []]);
    clear(store);
    expect(read(store, "ana")).toEqual([]);
    for (const broken of ["{", "null", "[]", '{"whose":"ana","past":[{"sql":1},null]}']) {
      kept.set("milepost-queries", broken);
      expect(read(store, "ana")).toEqual([]);
    }
  });
  it("names a query by its note, else by its words", () => {
    expect([summary("-- late\nSELECT 1"), summary("SELECT 1\n  FROM t")]).toEqual(["late", "SELECT 1 FROM t"]);
  });
});

describe("columns", () => {
  it("are typed by the server's word, and shapes by what they hold", () => {
    const found = columnsOf(answer("a:text b:timestamp c:date d:double e:bigint f:boolean g:text h:list", [["x", "", "", 1.5, 2, true, "POLYGON((1 2, 3 4, 1 2))", [1]], [null, null, null, null, null, null, null, null]]));
    expect(found.map((c) => c.kind)).toEqual(["text", "time", "date", "number", "number", "flag", "shape", "other"]);
  });
  it("show as many decimals as tell something", () => {
    const found = columnsOf(answer("lat:double miss:double s:double m:double n:double", [[39.2912345678, 0.123456, 3.25, 340.25, 4], [1, 1, 1, 1, 5]]));
    expect(found.map((c) => c.decimals)).toEqual([5, 3, 2, 1, 0]);
  });
  it("show numbers, names, shares, days and nothing", () => {
    const rows: Cell[][] = [[12345, 12345, 0.9711, "2026-11-20", null, false]];
    const columns = columnsOf(answer("stops:bigint matched_way:bigint on_time_rate:double day:date x:text f:boolean", rows));
    const words = columns.map((c) => shown(rows[0]![c.index], c));
    expect(words[0]).toMatch(/^12.345$/);
    expect(words[1]).toBe("12345");
    expect(words[2]).toMatch(/^97.1\s?%$/);
    expect(words[3]).toContain("2026");
    expect(words.slice(4)).toEqual(["–", "no"]);
  });
  it("are told in words for reports, and pasted as they are", () => {
    expect(["late_avg_s", "avg_mps", "day", "late_by_traffic"].map(heading)).toEqual(["late avg, s", "avg, m/s", "day", "late by traffic"]);
    expect(pasted(answer("a:text b:double", [["x\ty", 1], [null, 2.5]]), [1, 0])).toBe("a\tb\n\t2.5\nx y\t1");
  });
});

describe("rows", () => {
  const some = answer("n:double w:text t:timestamp", [[2, "b10", "2026-01-02T00:00:00.000Z"], [null, "b9", "2026-01-01T00:00:00.000Z"], [10, "a", "2026-01-03T00:00:00.000Z"], [2, null, "2026-01-01T00:00:00.000Z"]]);
  const columns = columnsOf(some);
  const by = (column: number, down = false) => sorted(some, columns, { column, down });
  it("sort by number, by word with its numbers, by time; nothing is last and equal ones stay", () => {
    expect([sorted(some, columns, null), by(0), by(0, true), by(1), by(1, true), by(2)]).toEqual([[0, 1, 2, 3], [0, 3, 2, 1], [2, 0, 3, 1], [2, 1, 0, 3], [0, 1, 2, 3], [1, 3, 0, 2]]);
  });
  it("sort up, then down, then as they came", () => {
    const up = pressed(null, 1);
    const down = pressed(up, 1);
    expect([up, down, pressed(down, 1), pressed(down, 2)]).toEqual([{ column: 1, down: false }, { column: 1, down: true }, null, { column: 2, down: false }]);
  });
  it("are drawn where they are seen and a little around", () => {
    expect(windowOf(0, 320, 10_000)).toEqual({ first: 0, end: 18 });
    expect(windowOf(5_000 * ROW, 320, 10_000)).toEqual({ first: 4_992, end: 5_018 });
    expect(windowOf(9_990 * ROW, 320, 10_000)).toEqual({ first: 9_982, end: 10_000 });
    expect(windowOf(9_990 * ROW, 320, 5)).toEqual({ first: 0, end: 5 });
    expect(windowOf(-40, 320, 0)).toEqual({ first: 0, end: 0 });
  });
  it("are scrolled to only when they are out of sight", () => {
    expect([scrollTo(3, 0, 320), scrollTo(0, 100, 320), scrollTo(20, 0, 320)]).toEqual([0, 0, 21 * ROW - 320]);
  });
  it("have columns as wide as what they hold, within bounds", () => {
    const wide = answer("id:bigint text:text", [[1, "x".repeat(400)], [2, ""]]);
    expect(widths(wide, columnsOf(wide), ["id", "text"])).toEqual([5, 34]);
  });
});

describe("charts", () => {
  const days = answer("day:date vehicle:text stops:bigint late_avg_s:double", [["2026-11-01", "a", 3, 10.5], ["2026-11-01", "b", 5, 20.5], ["2026-11-02", "a", 4, null]]);
  const columns = columnsOf(days);
  it("choose time along and an amount up, unless asked otherwise", () => {
    expect(choose(columns, 3, none)).toMatchObject({ x: { name: "day" }, y: { name: "stops" }, per: null, kind: "bar" });
    expect(choose(columns, 3, { x: "vehicle", y: "late_avg_s", per: "", kind: "line" })).toMatchObject({ x: { name: "vehicle" }, y: { name: "late_avg_s" }, kind: "line" });
    expect(choose(columns, 3, { ...none, x: "gone", y: "vehicle" })).toMatchObject({ x: { name: "day" }, y: { name: "stops" } });
    expect(choose(columns, 1, none)).toBeNull();
    const bare = columnsOf(answer("a:text", [["x"], ["y"]]));
    expect(choose(bare, 2, none)).toBeNull();
  });
  it("add amounts up and average the rest", () => {
    const of = (y: string) => draw(days, choose(columns, 3, { ...none, y })!);
    expect([of("stops").series[0]?.ys, of("stops").joined]).toEqual([[8, 4], "sum"]);
    expect([of("late_avg_s").series[0]?.ys, of("late_avg_s").joined]).toEqual([[15.5], "mean"]);
    expect(of("stops").xs).toEqual([Date.parse("2026-11-01") / 1000, Date.parse("2026-11-02") / 1000]);
  });
  it("draw a line for each value, and say what is left out", () => {
    const drawn = draw(days, choose(columns, 3, { ...none, per: "vehicle", kind: "line" })!);
    expect([drawn.series, drawn.left, drawn.joined]).toEqual([[{ name: "a", ys: [3, 4] }, { name: "b", ys: [5, null] }], 0, "alone"]);
    const many = answer("day:date v:text n:bigint", Array.from({ length: 20 }, (_, i) => ["2026-11-01", `v${i}`, i]));
    expect(draw(many, choose(columnsOf(many), 20, { ...none, per: "v", kind: "line" })!).left).toBe(20 - LINES_MAX);
  });
  it("put words along in the order they come", () => {
    const drawn = draw(days, choose(columns, 3, { ...none, x: "vehicle" })!);
    expect([drawn.words, drawn.xs, drawn.series[0]?.ys]).toEqual([["a", "b"], [0, 1], [7, 5]]);
    expect([drawn.rows, draw(days, choose(columns, 3, none)!).rows]).toEqual([[0, 1], [0, 2]]);
  });
});

describe("places", () => {
  it("are read from well-known text", () => {
    expect(fromWkt("POINT(-76.5 39.3)")).toEqual({ type: "Point", coordinates: [-76.5, 39.3] });
    expect(fromWkt("point (1 2 3)")).toEqual({ type: "Point", coordinates: [1, 2] });
    expect(fromWkt("LINESTRING(1 2, 3 4e0)")).toEqual({ type: "LineString", coordinates: [[1, 2], [3, 4]] });
    expect(fromWkt("POLYGON((0 0, 1 0, 1 1, 0 0))")).toEqual({ type: "Polygon", coordinates: [[[0, 0], [1, 0], [1, 1], [0, 0]]] });
    expect(fromWkt("MULTIPOINT((1 2), (3 4))")).toEqual(fromWkt("MULTIPOINT(1 2, 3 4)"));
    expect(fromWkt("MULTIPOLYGON(((0 0, 1 0, 0 0)), ((5 5, 6 5, 5 5)))")?.type).toBe("MultiPolygon");
    for (const none of ["", "POINT EMPTY", "POINT()", "POINT(1)", "CIRCLE(1 2)", "POLYGON(1 2)", "LINESTRING((1 2))", "POINT(1 2", "POINT(a b)"]) expect(fromWkt(none), none).toBeNull();
  });
  it("are a shape first, else a latitude with its longitude", () => {
    const of = (columns: string, row: Cell[]) => whereabouts(columnsOf(answer(columns, [row])));
    expect(of("lat:double lng:double boundary:text", [1, 2, "POINT(2 1)"])).toMatchObject({ shape: { name: "boundary" } });
    expect(of("matched_lat:double lat:double lng:double", [1, 1.5, 2])).toMatchObject({ lat: { name: "lat" }, lng: { name: "lng" } });
    expect(of("lat:double x:text", [1, ""])).toBeNull();
  });
  it("keep the number of their row and grow stronger with a value", () => {
    const some = answer("lat:double lng:double n:bigint d:double", [[1.5, 2.5, 10, 0.5], [null, 2, 20, 1], [3, 4, 30, 2]]);
    const columns = columnsOf(some);
    const found = shapes(some, whereabouts(columns)!, columns[2]!);
    expect(found.features.map((f) => f.properties)).toEqual([{ row: 0, shade: 0 }, { row: 2, shade: 1 }]);
    expect([found.range, found.features.flatMap((f) => positions(f.geometry)), shadeOf(columns)]).toEqual([[10, 30], [[2.5, 1.5], [4, 3]], "d"]);
  });
});

describe("the editor", () => {
  it("sets words, texts and notes apart and loses nothing", () => {
    const text = "-- late\nSELECT count(*), 'it''s' AS \"order\" /* all */\nFROM stops WHERE late_s > -0.5 - 'open";
    const found = tokens(text);
    expect(found.map((f) => f.text).join("")).toBe(text);
    expect(found.filter((f) => f.part === "word").map((f) => f.text)).toEqual(["SELECT", "count", "AS", "FROM", "WHERE"]);
    expect(found.filter((f) => f.part === "text").map((f) => f.text)).toEqual(["'it''s'", '"order"', "'open"]);
    expect(found.filter((f) => f.part === "note").map((f) => f.text)).toEqual(["-- late", "/* all */"]);
  });
  it("quotes names that need it", () => expect(["stop", "order", "Stop", 'a"b', "p50"].map(quoted)).toEqual(["stop", '"order"', '"Stop"', '"a""b"', "p50"]));
  it("finds the place that a problem names", () => {
    expect(errorAt("Expected: x, found: FROM at Line: 2, Column: 3", "SELECT\n  FROM")).toEqual({ line: 2, column: 3, at: 9 });
    expect(errorAt("no place", "SELECT")).toBeNull();
    expect(errorAt("at Line: 9, Column: 9", "SELECT")).toBeNull();
  });
  it("offers names that begin so, then those that have it within", () => {
    expect(completions("SELECT la", 9, ["lat", "late_s", "place", "lng"], 8)).toEqual({ from: 7, found: ["lat", "late_s", "place"] });
    expect(completions("SELECT ", 7, ["lat", "lng"], 1)).toEqual({ from: 7, found: ["lat"] });
  });
});

describe("days", () => {
  it("begin at midnight of the zone that is shown, half a day from Greenwich too", () => {
    for (const [zone, utc] of [["Europe/Lisbon", "2026-11-20T00:00:00Z"], ["Pacific/Auckland", "2026-11-19T11:00:00Z"], ["Pacific/Honolulu", "2026-11-20T10:00:00Z"]] as const) {
      useZone(zone);
      expect([zone, new Date(dayBegins("2026-11-20")).toISOString()]).toEqual([zone, utc.replace("Z", ".000Z")]);
      expect(dateOf(Date.parse(utc) + 1000)).toBe("2026-11-20");
    }
    expect(dayBegins("soon")).toBeNaN();
  });
});
