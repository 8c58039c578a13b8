// Serves the built app and a made-up town on one address of loopback, as the real server would.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Archive } from "./archive.js";
import { Town } from "./town.js";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
export const CSP = "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'";

/** What a test can do to the server while the app looks. */
export class Fake {
  constructor(options = {}) {
    this.town = new Town(options);
    this.town.answered = new Set();
    this.clients = new Set();
    this.streams = [];
    this.role = options.role ?? "admin";
    this.session = options.session ?? true;
    /** Who is logged in. */
    this.key = options.key ?? "open";
    /** Whether there is a map, and how many of its tiles were asked for. */
    this.tiles = options.tiles ?? false;
    this.tilesAsked = 0;
    /** Refuses streams. */
    this.down = false;
    /** Says nothing new. */
    this.quiet = false;
    /** Answer to an accepted proposal. */
    this.accept = { status: 202, body: {} };
    this.problems = undefined;
    /** What people noted of exceptions. */
    this.notes = {};
    this.costs = { rate_per_minute: 1, currency: "USD" };
    /** Orders whose customers were told. */
    this.told = new Set();
    this.frame = 0;
    this.archive = new Archive();
    this.tables = tables();
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(this.port ?? 0, "127.0.0.1", resolve));
    this.port = this.server.address().port;
    this.timer = setInterval(() => this.second(), 1000);
    return `http://127.0.0.1:${this.port}`;
  }

  /** Nobody answers any more; `plug` answers again at the same address. */
  unplug() {
    this.close();
    this.clients.clear();
  }

  plug() {
    this.server = createServer((request, response) => void this.answer(request, response));
    return this.listen();
  }

  close() {
    clearInterval(this.timer);
    for (const client of this.clients) client.destroy();
    this.server.closeAllConnections();
    this.server.close();
  }

  /** Cuts all streams. */
  drop() {
    for (const client of this.clients) client.destroy();
    this.clients.clear();
  }

  second() {
    if (this.quiet) return;
    this.town.drive();
    if (this.clients.size === 0) return;
    const text = this.town.vans.filter((v) => v.status !== "no_signal").map((van) => this.text("position", this.town.position(van))).join("");
    for (const client of this.clients) client.write(text);
  }

  text(event, data, id = `v1-${++this.frame}`) {
    return `event: ${event}\n${id === null ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
  }

  send(event, data) {
    for (const client of this.clients) client.write(this.text(event, data));
  }

  everything() {
    const parts = [];
    for (const van of this.town.vans) {
      parts.push(this.text("eta", this.town.eta(van), null), this.text("position", this.town.position(van), null));
    }
    parts.push(`id: v1-${++this.frame}\n\n`);
    return parts.join("");
  }

  stream(request, response) {
    if (this.down) return send(response, 503, problem(503, "the live view is still being read"));
    const last = request.headers["last-event-id"];
    this.streams.push(last);
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    this.clients.add(response);
    response.on("close", () => this.clients.delete(response));
    if (last === undefined) response.write(this.everything());
    else if (this.forget) response.write(this.text("reset", { reason: "the id is unknown or too far behind" }, null) + this.everything());
    else response.write(": going on\n\n");
  }

  async answer(request, response) {
    const url = new URL(request.url, "http://x");
    const path = decodeURIComponent(url.pathname);
    if (path === "/" || path.startsWith("/app")) return file(path, response);
    if (path === "/v1/session") return this.sessions(request, response);
    if (!this.session) return send(response, 401, problem(401, "no key"));
    if (path === "/v1/stream") return this.stream(request, response);
    if (path === "/v1/map" && this.tiles) return send(response, 200, { attribution: "© OpenStreetMap contributors" });
    if (path.startsWith("/tiles/")) {
      this.tilesAsked++;
      response.writeHead(200, { "content-type": "application/vnd.mapbox-vector-tile", "cache-control": "private, no-cache", etag: '"m1"' });
      return response.end();
    }
    const body = await read(request);
    const { town } = this;
    const [, , name, id, what] = path.split("/");
    const van = town.vans.find((v) => v.id === id || v.route === id);
    switch (name) {
      case "vehicles":
        if (what === "track" && van) return send(response, 200, town.track(van));
        return page(response, url, "vehicles", town.vans.map((v) => ({ id: v.id, name: v.name, profile: "van", time_zone: "Europe/Lisbon", version: 1 })));
      case "routes":
        if (what === "line") return send(response, 404, problem(404, "no line"));
        if (id !== undefined) return van ? send(response, 200, town.route(van)) : send(response, 404, problem(404, "no route"));
        return page(response, url, "routes", town.vans, (v) => town.route(v), (v) => v.route);
      case "costs":
        if (request.method === "PUT") this.costs = body;
        return send(response, 200, this.costs);
      case "exceptions":
        if (id === "today") return send(response, 200, { handled: 41, by_themselves: 23 });
        if (what === "tell") return this.tell(request, response, id);
        if (what !== undefined) {
          this.notes[id] = { ...this.notes[id], [what === "snooze" ? "snoozed_until" : "assigned_to"]: request.method === "DELETE" ? undefined : body.until ?? body.to };
          return send(response, 204);
        }
        return send(response, 200, { as_of: town.asOf(), currency: this.costs.currency, exceptions: (this.problems ?? town.exceptions()).map((e) => ({ ...e, ...this.notes[e.id] })) });
      case "reroutes":
        if (what === undefined) return send(response, 200, { reroutes: town.reroutes() });
        if (this.accept.status === 202) town.answered.add(id);
        return send(response, this.accept.status, this.accept.body);
      case "deliveries": {
        const found = town.delivery(id);
        return found === undefined ? send(response, 404, problem(404, `order ${id} is not known`)) : send(response, 200, found);
      }
      case "sql": return this.archive.sql(request, response, id, body, { send, problem });
      case "reports": return this.archive.reports(response, url, id, { send, problem });
      default: return this.table(request, response, name, id, what, body);
    }
  }

  /** Whom a problem makes late, and telling them. */
  tell(request, response, id) {
    const problem_ = (this.problems ?? this.town.exceptions()).find((e) => e.id === id);
    if (problem_ === undefined) return send(response, 404, problem(404, `open exception ${id} is not known`));
    const customers = problem_.consequence.orders.map((order, i) => ({ order, stop: `s${i + 1}`, state: this.told.has(order) ? "told" : "untold" }));
    if (request.method === "GET") return send(response, 200, { customers });
    if (request.method === "DELETE") {
      for (const { order } of customers) this.told.delete(order);
      return send(response, 204);
    }
    const untold = customers.filter(({ state }) => state === "untold");
    for (const { order } of untold) this.told.add(order);
    return send(response, 200, { messages: untold.length, until: new Date(Date.now() + 10_000).toISOString() });
  }

  sessions(request, response) {
    if (request.method === "DELETE") this.session = false;
    if (!this.session) return send(response, request.method === "DELETE" ? 204 : 401, problem(401, "no key"));
    return send(response, 200, { tenant: "Baltimore East", role: this.role, key: this.key });
  }

  /** Resources that are mere lists here. */
  table(request, response, name, id, what, body) {
    const rows = this.tables[name];
    if (rows === undefined) return send(response, 404, problem(404, `resource ${name} is not known`));
    if (request.method === "GET") return send(response, 200, what === undefined ? { [name]: rows } : { deliveries: this.tables.hooks });
    if (request.method === "DELETE") {
      const row = rows.find((r) => r.id === id);
      if (name === "links" && row) row.revoked = true;
      else rows.splice(rows.indexOf(row), 1);
      return send(response, 204);
    }
    if (what !== undefined) return send(response, 202, { secret: "whsec_bmV3" });
    const made = { id: id ?? `${name}-${rows.length + 1}`, created_at: this.town.asOf(), ...body };
    if (name === "links") Object.assign(made, { url: "/t/abc123", token: "abc123", revoked: false, opened: 0, expires_at: this.town.asOf() });
    if (name === "webhooks") made.secret = "whsec_c2VjcmV0";
    rows.push(made);
    return send(response, 201, made);
  }
}

function tables() {
  const at = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
  const message = (i, event, state, error) => ({
    id: `m-${i}`, at: at(i * 3), channel: i % 3 === 2 ? "webhook" : "mail", to: i % 3 === 2 ? "https://shop.example/hooks" : `customer${i}@example.com`, order: `o-27-${i}`,
    vehicle: "van-00027", event, language: "en", subject: "Your delivery comes later", text: "We promised 14:00 to 15:00 and will miss it. We are sorry.\nWe expect 15:10 to 15:35.",
    html: "<p>We promised <b>14:00 to 15:00</b> and will miss it. We are sorry.</p>", state, tries: error ? 3 : 1, ...(error ? { error } : {}),
  });
  return {
    devices: ["352093081452251", "352093081452252", "phone-27"].map((id, i) => ({ id, vehicle: `van-0000${i + 1}`, protocols: i === 2 ? ["osmand"] : ["teltonika"], valid_from: at(600), assignments: [{ from: at(600), vehicle: `van-0000${i + 1}` }], version: 1 })),
    links: [{ id: "l-1", order: "o-27-9", created_at: at(90), expires_at: at(-400), revoked: false, opened: 3 }, { id: "l-2", order: "o-12-4", created_at: at(200), expires_at: at(20), revoked: true, opened: 0 }],
    messages: [message(1, "late", "sent"), message(2, "late", "failed", "connection refused"), message(3, "arriving_soon", "sent"), message(4, "late", "waiting")],
    webhooks: [{ id: "wh-1", url: "https://shop.example/hooks", events: ["predicted_late", "arrived"], description: "Shop" }],
    hooks: [{ id: "d-1", at: at(4), event: "predicted_late", state: "sent", status: 200, tries: 1 }, { id: "d-2", at: at(9), event: "arrived", state: "failed", status: 503, tries: 4, error: "503" }],
    keys: [{ id: "k-1", name: "warehouse", role: "viewer", created_at: at(9000) }],
    people: [{ id: "p-1", email: "anna@example.com", name: "Anna", role: "dispatcher" }],
  };
}

const problem = (status, detail) => ({ type: "about:blank", title: String(status), status, detail });

function send(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body === undefined || status === 204 ? undefined : JSON.stringify(body));
}

function page(response, url, name, members, out = (m) => m, idOf = (m) => m.id) {
  const limit = Number(url.searchParams.get("limit") ?? 100);
  const after = url.searchParams.get("after");
  const start = after === null ? 0 : members.findIndex((m) => idOf(m) === after) + 1;
  const part = members.slice(start, start + limit);
  const next = start + limit < members.length ? idOf(part[part.length - 1]) : undefined;
  send(response, 200, { [name]: part.map(out), ...(next === undefined ? {} : { next }) });
}

async function read(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return text === "" ? {} : JSON.parse(text);
}

function file(path, response) {
  let found = join(DIST, path.replace(/^\/app/, ""));
  if (!existsSync(found) || statSync(found).isDirectory()) found = join(DIST, "index.html");
  const keep = found.includes("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  response.writeHead(200, { "content-type": TYPES[extname(found)] ?? "application/octet-stream", "cache-control": keep, "content-security-policy": CSP });
  createReadStream(found).pipe(response);
}
