/**
 * The service worker of `/app/`: without a network the app opens from here. It keeps the app's own
 * files, one set a build, and the tiles that were looked at. It never keeps an answer of `/v1`:
 * what a person saw last is kept by the app itself (`kept.ts`), for that person alone.
 */
/// <reference lib="webworker" />
export type {};
declare const self: ServiceWorkerGlobalScope;

/** Filled in when the app is built: the app's files, and a hash over their content. */
const FILES: readonly string[] = JSON.parse("__FILES__") as string[];
const BUILD = "__BUILD__";

const SCOPE = "/app/";
const SHELL = `milepost-shell-${BUILD}`;
const TILES = "milepost-tiles";
/** Tiles kept; beyond that those that came first go. A day's views of a city are some hundred. */
const TILES_MAX = 800;
/** So many are removed at a time. */
const TILES_STEP = 50;
/** What takes longer, milliseconds, is answered from what is kept, where it is. */
const PATIENCE = 4_000;

self.addEventListener("install", (event) => {
  event.waitUntil(fill());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/tiles/")) event.respondWith(tile(request));
  else if (url.pathname.startsWith(SCOPE)) {
    if (request.mode === "navigate") event.respondWith(place(request));
    else if (FILES.includes(url.pathname)) event.respondWith(own(request, url.pathname));
  }
});

/** Takes all files in. Those named by their content may come from the browser's own cache. */
async function fill(): Promise<void> {
  const shell = await caches.open(SHELL);
  const fresh = (path: string) => new Request(path, { cache: path.startsWith(`${SCOPE}assets/`) ? "default" : "no-cache" });
  await shell.addAll([SCOPE, ...FILES].map(fresh));
}

/** The files of builds before are of no use once no page of them is open. */
async function tidy(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith("milepost-shell-") && name !== SHELL);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** A place in the app: the server's page, else the kept one. */
async function place(request: Request): Promise<Response> {
  const kept = await caches.match(SCOPE, { cacheName: SHELL });
  if (kept === undefined) return fetch(request);
  return first(fetch(request), kept);
}

/** One of the app's files. */
async function own(request: Request, path: string): Promise<Response> {
  return (await caches.match(path, { cacheName: SHELL })) ?? fetch(request);
}

/** A tile: the server's, else the one that was seen last. */
async function tile(request: Request): Promise<Response> {
  const tiles = await caches.open(TILES);
  const kept = await tiles.match(request.url);
  const asked = fetch(request).then((answer) => {
    const known = kept !== undefined && kept.headers.get("etag") === answer.headers.get("etag");
    if (answer.ok && !known) void keep(tiles, request.url, answer.clone());
    return answer;
  });
  return kept === undefined ? asked : first(asked, kept);
}

let waiting = 0;
async function keep(tiles: Cache, url: string, answer: Response): Promise<void> {
  try {
    await tiles.put(url, answer);
    if (++waiting < TILES_STEP) return;
    waiting = 0;
    const all = await tiles.keys();
    for (const old of all.slice(0, Math.max(0, all.length - TILES_MAX))) await tiles.delete(old);
  } catch {
    // No room: tiles are then only to be had from the server.
  }
}

/** What is asked, unless it fails or takes too long. The server's refusals are answers too. */
function first(asked: Promise<Response>, kept: Response): Promise<Response> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(kept), PATIENCE);
    asked.then((answer) => resolve(answer), () => resolve(kept)).finally(() => clearTimeout(timer));
  });
}
