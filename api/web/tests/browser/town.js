// A made-up fleet for tests: the same vans each time, with times around now.

const MINUTE = 60_000;
const iso = (at) => new Date(at).toISOString();
const STREETS = ["Foster Ave", "Fleet St", "Gough St", "E Baltimore St", "E Lombard St", "S Ann St", "S Wolfe St", "Lancaster St", "Bank St", "Aliceanna St", "Boston St", "Hudson St", "O'Donnell St", "S Conkling St", "Eastern Ave", "Orleans St"];

/** A small generator, so that every run has the same town. */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Status of the van with this number: most are on time. */
function statusOf(i, calm) {
  if (calm) return "on_time";
  if (i % 27 === 0) return "late";
  if (i % 16 === 3) return "at_risk";
  if (i % 61 === 44) return "no_signal";
  return "on_time";
}

export class Town {
  /** @param {{ vans?: number, calm?: boolean, stops?: number }} options */
  constructor({ vans = 200, calm = false, stops = 14 } = {}) {
    this.random = random(7);
    this.begun = Date.now();
    this.vans = Array.from({ length: vans }, (_, i) => this.van(i + 1, calm, stops));
    this.offset = 0;
  }

  van(number, calm, stops) {
    const r = this.random;
    const id = `van-${String(number).padStart(5, "0")}`;
    const status = statusOf(number, calm);
    const van = {
      id, name: `Van ${String(number).padStart(2, "0")}`, number, status,
      lng: -8.61 + (r() - 0.5) * 0.09, lat: 41.155 + (r() - 0.5) * 0.05, heading: Math.floor(r() * 360),
      speed: 4 + r() * 9, activity: number % 5 === 0 ? "at_stop" : number % 11 === 0 ? "break" : "moving", seq: 1, etaSeq: 1,
      time: this.begun - (status === "no_signal" ? 11 * MINUTE : r() * 6000), stops: [], route: `r-${number}`,
    };
    if (status === "late" || status === "at_risk") van.activity = "moving";
    const done = 4 + Math.floor(r() * Math.min(5, stops - 6));
    let at = this.begun - done * 11 * MINUTE;
    let [lng, lat] = [van.lng + (r() - 0.5) * 0.02, van.lat + (r() - 0.5) * 0.015];
    for (let s = 1; s <= stops; s++) {
      at = s <= done ? at + 11 * MINUTE : Math.max(at, this.begun) + (6 + r() * 8) * MINUTE;
      [lng, lat] = [lng + (r() - 0.5) * 0.012, lat + (r() - 0.5) * 0.009];
      van.stops.push(this.stop(van, s, s <= done, at, lng, lat, done, status));
    }
    return van;
  }

  stop(van, s, done, at, lng, lat, doneCount, status) {
    const ahead = s - doneCount;
    let [opens, closes, miss] = [at - 50 * MINUTE, at + 55 * MINUTE, 0.02];
    if (!done && status === "late" && ahead <= 3 && ahead !== 2) [opens, closes, miss] = [at - 48 * MINUTE, at - 18 * MINUTE, 0.97];
    else if (!done && (status === "at_risk" || status === "late") && ahead <= 2) [opens, closes, miss] = [at - 57 * MINUTE, at + 2 * MINUTE, 0.42];
    const spread = Math.max(1.2, ahead * 1.6) * MINUTE;
    return {
      id: `s${s}`, order: `o-${van.number}-${s}`, name: STREETS[(van.number + s * 3) % STREETS.length], lng, lat,
      state: done ? "departed" : ahead === 1 ? "next" : "later", window: s % 6 === 5 ? null : { from: opens, to: closes },
      p10: at - spread, p50: at, p90: at + spread * 1.3, miss: s % 6 === 5 ? undefined : miss, arrived: done ? at - 3 * MINUTE : undefined, departed: done ? at : undefined,
    };
  }

  asOf() {
    return iso(Date.now());
  }

  position(van) {
    const now = Date.now();
    return {
      vehicle: van.id, as_of: iso(now), age_s: (now - van.time) / 1000, time: iso(van.time), lat: van.lat, lng: van.lng,
      speed_mps: van.activity === "moving" ? van.speed : 0, heading: van.heading, activity: van.activity, status: van.status,
      device: `3520${van.number}`, route: van.route, seq: van.seq,
    };
  }

  eta(van) {
    const stops = van.stops.map((s) => ({
      stop: s.id, order: s.order, state: s.state, moved_s: 0, causes: [],
      ...(s.state === "departed" ? {} : { p10: iso(s.p10), p50: iso(s.p50), p90: iso(s.p90), metres: 1200, ...(s.miss === undefined ? {} : { miss: s.miss }) }),
    }));
    return { route: van.route, version: 1, seq: van.etaSeq, stops, vehicle: van.id, whole: true };
  }

  /** One second of driving for all that move. */
  drive() {
    const now = Date.now();
    for (const van of this.vans) {
      if (van.status === "no_signal") continue;
      if (van.activity === "moving") {
        const turn = van.heading * (Math.PI / 180);
        van.lat += (Math.cos(turn) * van.speed) / 111_000;
        van.lng += (Math.sin(turn) * van.speed) / 83_000;
        if (this.random() < 0.08) van.heading = (van.heading + 90) % 360;
      }
      van.time = now;
      van.seq++;
    }
  }

  route(van) {
    const stops = van.stops.map((s) => ({
      id: s.id, order: s.order, lat: s.lat, lng: s.lng, name: s.name, service_s: 180, state: s.state,
      ...(s.window === null ? {} : { window: { from: iso(s.window.from), to: iso(s.window.to) } }),
      status: s.state === "departed" ? "done" : (s.miss ?? 0) >= 0.7 ? "late" : (s.miss ?? 0) >= 0.35 ? "at_risk" : "on_time",
      ...(s.state === "departed" ? {} : { eta: { p10: iso(s.p10), p50: iso(s.p50), p90: iso(s.p90) }, late_probability: s.miss ?? null }),
      ...(s.arrived === undefined ? {} : { arrived_at: iso(s.arrived), departed_at: iso(s.departed) }),
    }));
    return {
      id: van.route, version: 1, vehicle: van.id, depot: { lat: 41.16, lng: -8.6 }, time_zone: "Europe/Lisbon", state: "active",
      shift: { start: iso(this.begun - 240 * MINUTE), end: iso(this.begun + 200 * MINUTE) }, stops, as_of: this.asOf(),
    };
  }

  exceptions() {
    const found = [];
    for (const van of this.vans) {
      const open = van.stops.filter((s) => s.state !== "departed");
      const late = open.filter((s) => (s.miss ?? 0) >= 0.7);
      const risky = open.filter((s) => (s.miss ?? 0) >= 0.35);
      if (van.status === "late") found.push(this.exception(van, "predicted_late", late[0] ?? open[0], risky, 6, `slow traffic on ${STREETS[van.number % STREETS.length]}`));
      if (van.status === "no_signal") found.push(this.exception(van, "no_signal", undefined, open.slice(0, 3), 9, undefined));
      if (van.number % 97 === 13) found.push(this.exception(van, "long_stop", undefined, [], 14, undefined));
    }
    return found.sort((a, b) => b.cost - a.cost);
  }

  exception(van, type, stop, concerned, since, cause) {
    const minutes = concerned.length * 18 + (van.number % 13);
    const remedies = type === "predicted_late" ? [{ kind: "accept_reroute", reroute: this.proposalId(van), gain_s: 1320 }] : [];
    return {
      id: `${van.id}.7`, vehicle: van.id, seq: 7, type, since: iso(this.begun - since * MINUTE), route: van.route,
      ...(stop === undefined ? {} : { stop: stop.id, order: stop.order }), ...(cause === undefined ? {} : { cause }),
      consequence: { stops_at_risk: concerned.length, expected_late_minutes: minutes, orders: concerned.map((s) => s.order) },
      remedies: this.answered?.has(this.proposalId(van)) ? [] : remedies, cost: minutes * 2.1,
    };
  }

  proposalId(van) {
    return van.number.toString(16).padStart(32, "0");
  }

  reroutes() {
    return this.vans.filter((van) => van.status === "late" && !this.answered?.has(this.proposalId(van))).map((van) => {
      const open = van.stops.filter((s) => s.state !== "departed").map((s) => s.id);
      const [first, second, ...rest] = open;
      const stops = second === undefined ? open : [second, first, ...rest];
      return { id: this.proposalId(van), vehicle: van.id, route: van.route, version: 1, stops, gain_s: 1320, seconds: 400, metres: 2100, edges: [] };
    });
  }

  /** The past of one order's expected time, with causes that add up to each move. */
  delivery(order) {
    const [, number, place] = order.split("-").map(Number);
    const van = this.vans[number - 1];
    const stop = van?.stops[place - 1];
    if (stop === undefined) return undefined;
    const history = [];
    let p50 = stop.p50 - 32 * MINUTE;
    const steps = [[0, []], [40, [["dwell", 300]]], [52, [["dwell", 420], ["travel", 240]]], [62, []], [70, [["traffic", 1020]]], [78, [["travel", -45], ["other", -15]]]];
    for (const [after, causes] of steps) {
      const moved = causes.reduce((sum, [, seconds]) => sum + seconds, 0);
      p50 += moved * 1000;
      const late = stop.window === null ? 0 : Math.max(0, Math.min(1, (p50 - stop.window.to) / (20 * MINUTE) + 0.4));
      history.push({
        at: iso(this.begun - (82 - after) * MINUTE), state: "later", late_probability: late, moved_s: moved,
        eta: { p10: iso(p50 - 7 * MINUTE), p50: iso(p50), p90: iso(p50 + 9 * MINUTE) },
        causes: causes.map(([kind, seconds]) => ({ kind, seconds, ...(kind === "dwell" ? { stop: van.stops[1].id } : {}) })),
      });
    }
    return { order, status: "on_the_way", route: van.route, vehicle: van.id, stop: stop.id, history, as_of: this.asOf() };
  }

  /** A day's track: a walk with stands. */
  track(van) {
    const [times, coordinates] = [[], []];
    const r = random(van.number);
    let [lng, lat] = [van.lng - 0.03, van.lat - 0.02];
    for (let i = 0; i < 900; i++) {
      const standing = i % 90 > 70;
      if (!standing) [lng, lat] = [lng + 0.00006 + (r() - 0.5) * 0.0004, lat + 0.00004 + (r() - 0.5) * 0.0003];
      times.push(iso(this.begun - (900 - i) * 15_000));
      coordinates.push([lng, lat]);
    }
    const feature = (track) => ({ type: "Feature", geometry: { type: "LineString", coordinates }, properties: { vehicle: van.id, track, times } });
    return { type: "FeatureCollection", features: [feature("raw"), feature("matched")] };
  }
}
