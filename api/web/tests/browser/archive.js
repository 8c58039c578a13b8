// What the made-up server answers of history, in the shapes of `POST /v1/sql` and `GET /v1/reports`.

const DAY = 86_400_000;
const REPORTS = {
  on_time: "by day and vehicle: of the stops whose window closed, how many were reached in time, and why the rest was not",
  eta_quality: "by how long before: how wrong published arrivals were, and how often the truth lay between p10 and p90",
  dwell: "by place: how long visits took, and how much longer than planned", distance: "by day and vehicle: distance and driving time",
  idle: "by day and vehicle: standing where no stop is, between first and last drive", stops_per_hour: "by day and vehicle: stops visited, and the hours from first to last",
  speeding: "spells above the limit by more than 5 km/h, the worst first; none where the map tells no limits", delay_by_h3: "by hexagon: how late stops were reached", failed: "by cause: deliveries that failed",
};
const column = (name, type, meaning) => ({ name, type, ...(meaning === undefined ? {} : { meaning }) });
const TABLES = [
  { name: "positions", meaning: "each accepted fix, once, with its match", columns: [
    column("vehicle", "text", "vehicle; `~device` while the device belongs to none"), column("time", "timestamp", "when it was measured"), column("seq", "bigint", "number among the vehicle's outputs; (vehicle, seq) is unique"),
    column("lat", "double", "latitude, degrees"), column("lng", "double", "longitude, degrees"), column("speed_mps", "double", "speed over ground, metres per second"), column("heading", "double", "degrees clockwise from true north"),
  ] },
  { name: "etas", meaning: "each published arrival, one stop a row", columns: [column("vehicle", "text", "vehicle"), column("time", "timestamp", "when it was said"), column("order", "text", "order delivered there"), column("p10", "timestamp", "arrival is earlier with probability 0.1"), column("p50", "timestamp", "with probability 0.5"), column("p90", "timestamp", "with probability 0.9")] },
  { name: "events", meaning: "what happened", columns: [column("vehicle", "text", "vehicle"), column("time", "timestamp", "when it happened"), column("type", "text", "arrived, departed, predicted_late and so on")] },
  { name: "stops", meaning: "each visit of each route: what was planned, what happened, how late", columns: [column("vehicle", "text"), column("window_to", "timestamp"), column("late_s", "double"), column("on_time", "boolean")] },
];
const FUNCTIONS = [
  { call: "time_bucket(interval, time)", meaning: "the beginning of the interval that a time lies in" },
  { call: "last_by(value, time)", meaning: "the value of the last row" },
];

/** Numbers that look as chance would have them, the same each time. */
const chance = (i) => ((Math.sin(i * 12.9898) * 43_758.5453) % 1 + 1) % 1;
const kinds = (text) => text.split(" ").map((pair) => pair.split(":")).map(([name, type]) => column(name, type));

/** Some answer to everything; the clock is the caller's. */
export class Archive {
  constructor() {
    /** Queries are refused, as in open mode. */
    this.open = false;
    /** Queries that wait until they are ended, by id. */
    this.waiting = new Map();
    /** Texts of queries, in order, and what was asked for as a file. */
    this.asked = [];
    this.files = [];
    this.ended = [];
  }

  answer(columns, rows, cut = false, seconds = 0.384) {
    return { as_of: new Date().toISOString(), columns, rows, row_count: rows.length, cut_off: cut, seconds };
  }

  /** Fixes of a drive, newest first. */
  fixes(count, cut) {
    const rows = Array.from({ length: count }, (_, i) => [
      `van-${String(i % 7).padStart(5, "0")}`, new Date(Date.now() - i * 1000).toISOString(), 39.29 + chance(i) * 0.03, -76.55 + chance(i + 7) * 0.05, Math.round(chance(i + 3) * 22_000) / 1000, i % 11 === 0 ? null : 4_000_000 + i,
    ]);
    return this.answer(kinds("vehicle:text time:timestamp lat:double lng:double speed_mps:double seq:bigint"), rows, cut, 1.207);
  }

  byDay() {
    const rows = Array.from({ length: 14 }, (_, i) => [new Date(Math.floor(Date.now() / DAY - 13 + i) * DAY).toISOString().slice(0, 10), 1_800 + Math.round(chance(i) * 400), 40 + Math.round(chance(i + 40) * 90), 240 + chance(i + 9) * 400]);
    return this.answer(kinds("day:date stops:bigint late:bigint late_avg_s:double"), rows);
  }

  report(name) {
    if (name === "delay_by_h3") {
      const ring = (x, y) => [0, 60, 120, 180, 240, 300, 0].map((a) => `${(x + 0.0052 * Math.cos(a * Math.PI / 180) * 1.28).toFixed(6)} ${(y + 0.0052 * Math.sin(a * Math.PI / 180)).toFixed(6)}`).join(", ");
      const rows = Array.from({ length: 40 }, (_, i) => {
        const [q, r] = [i % 8, Math.floor(i / 8)];
        const [x, y] = [-76.6 + q * 0.00998, 39.28 + r * 0.00901 + (q % 2) * 0.0045];
        return [`882aa8${(1000 + i).toString(16)}fffffff`, y, x, 4 + Math.round(chance(i) * 60), Math.round(chance(i + 2) * 9), 30 + chance(i + 5) * 700, 900 + chance(i) * 800, `POLYGON((${ring(x, y)}))`];
      });
      return this.answer(kinds("cell:text lat:double lng:double stops:bigint late:bigint delay_avg_s:double delay_max_s:double boundary:text"), rows);
    }
    if (name === "eta_quality") {
      const rows = [[0, 5, 38, 91], [5, 10, 61, 142], [10, 20, 86, 192], [20, 30, 151, 348], [30, 60, 247, 560], [60, 120, 404, 902], [120, null, 598, 1361]]
        .map(([from, to, mae, rmse], i) => [from, to, 48_210 + i * 31_000, 2_100 + i * 90, mae + chance(i), -4 + chance(i + 9) * 8, rmse + chance(i + 1), 0.78 + chance(i + 2) * 0.05, mae * 3.1]);
      return this.answer(kinds("lead_from_min:bigint lead_to_min:bigint predictions:bigint stops:bigint mae_s:double bias_s:double rmse_s:double coverage:double width_s:double"), rows);
    }
    if (name === "failed") return this.answer(kinds("reason:text stops:bigint"), []);
    const rows = Array.from({ length: 7 * 30 }, (_, i) => {
      const [stops, late] = [60 + Math.round(chance(i) * 40), Math.round(chance(i + 70) * 6)];
      return [new Date(Date.now() - (6 - Math.floor(i / 30)) * DAY).toISOString().slice(0, 10), `van-${String(i % 30).padStart(5, "0")}`, stops, stops - late, (stops - late) / stops, late, late === 0 ? null : 120 + chance(i + 5) * 900, Math.min(late, 2), Math.max(0, late - 2)];
    });
    return this.answer(kinds("day:date vehicle:text stops:bigint on_time:bigint on_time_rate:double late:bigint late_avg_s:double late_by_traffic:bigint late_by_visits:bigint"), rows);
  }

  /** Answers `/v1/reports`; `send` and `problem` are the server's. */
  reports(response, url, name, { send, problem }) {
    if (name === undefined) return send(response, 200, { reports: Object.entries(REPORTS).map(([of, meaning]) => ({ name: of, meaning })), parameters: [] });
    if (REPORTS[name] === undefined) return send(response, 404, problem(404, `report ${name} is not known`));
    this.asked.push(`${name}?${url.searchParams}`);
    const format = url.searchParams.get("format");
    return format === null ? send(response, 200, this.report(name)) : this.file(response, format);
  }

  file(response, format) {
    this.files.push(format);
    response.writeHead(200, { "content-type": format === "csv" ? "text/csv; charset=utf-8" : "application/octet-stream" });
    response.end("a,b\r\n1,2\r\n");
  }

  /** Answers `/v1/sql`. */
  sql(request, response, id, body, { send, problem }) {
    if (this.open) return send(response, 403, problem(403, "queries are off in open mode: start `milepost run` and use a key"));
    if (request.method === "GET" && id === undefined) return send(response, 200, { tables: TABLES, functions: FUNCTIONS });
    if (request.method === "GET") return this.waiting.has(id) ? send(response, 200, { rows: 12_000, bytes: 480_000, seconds: 2.5 }) : send(response, 404, problem(404, `query ${id} is not known`));
    if (request.method === "DELETE") {
      this.ended.push(id);
      return send(response, 204);
    }
    const { sql, format } = body;
    this.asked.push(sql);
    if (format !== undefined && format !== "json") return this.file(response, format);
    if (/\bslow\b/.test(sql)) return void this.waiting.set(body.id, response);
    if (/\bwrong\b/.test(sql)) return send(response, 422, { type: "urn:milepost:query", title: "The query is not one that may be asked", status: 422, detail: "Expected: an expression, found: FROM at Line: 2, Column: 1" });
    if (/\bnothing\b/.test(sql)) return send(response, 200, this.answer(kinds("vehicle:text stops:bigint"), []));
    if (/\bstops\b/.test(sql)) return send(response, 200, this.byDay());
    return send(response, 200, this.fixes(10_000, true));
  }
}
