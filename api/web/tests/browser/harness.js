// A real browser, and what every test asks of every page.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const SIZES = { wide: { width: 1440, height: 900 }, middle: { width: 1024, height: 768 }, phone: { width: 390, height: 844 } };
/** How long a state may take to appear on a busy machine, milliseconds. */
export const PATIENCE = 45_000;

const CHROMIUM = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));

export async function launch() {
  if (CHROMIUM === undefined) throw new Error("no Chromium: install the package `chromium`, or name one with CHROMIUM=");
  const args = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--js-flags=--expose-gc", "--enable-precise-memory-info"];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

/** For `before`: a browser that cannot draw a map, which here the processor would do. */
export function noMap() {
  const real = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function context(kind, ...rest) {
    return kind === "webgl2" ? null : real.call(this, kind, ...rest);
  };
}

/** A page at an address, which notes what must not happen. With `worker` its service worker
 * keeps the app; `before` runs in the page ahead of its own scripts. */
export async function open(browser, url, { size = "wide", theme = "light", locale = "en-GB", wait = true, worker = false, before = undefined } = {}) {
  const serviceWorkers = worker ? "allow" : "block";
  const context = await browser.newContext({ viewport: SIZES[size], colorScheme: theme, reducedMotion: "reduce", locale, timezoneId: "Europe/Lisbon", hasTouch: size === "phone", serviceWorkers });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const home = new URL(url).host;
  const notes = { strangers: [], errors: [], tiles: 0 };
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (/^https?:$/.test(to.protocol) && to.host !== home) notes.strangers.push(request.url());
  });
  page.on("response", (response) => {
    if (response.url().includes("/tiles/") && response.ok()) notes.tiles++;
  });
  page.on("pageerror", (error) => notes.errors.push(error.stack ?? String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) notes.errors.push(message.text());
  });
  await page.addInitScript(() => {
    const shifts = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (entry.hadRecentInput) continue;
        const at = entry.sources.map((s) => `${s.node?.nodeName} ${s.node?.className ?? s.node?.parentElement?.outerHTML.slice(0, 120)} ${JSON.stringify(s.previousRect)} ${JSON.stringify(s.currentRect)}`).join();
        shifts.push({ time: entry.startTime, value: entry.value, at });
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  if (before !== undefined) await page.addInitScript(before);
  await page.goto(url, { waitUntil: "domcontentloaded" });
  if (wait) await page.waitForSelector("[data-screen]");
  return { page, notes, close: () => context.close() };
}

/** Serious sins of accessibility: none are allowed. */
export async function axe(page, name) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const options = { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"] };
    const found = await window.axe.run(document, options);
    return found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} (${n.any.concat(n.all, n.none).map((c) => c.message).join("; ").slice(0, 200)})`).join(" | ")}`);
  });
  if (violations.length > 0) throw new Error(`axe, ${name}:\n    ${violations.join("\n    ")}`);
}

/** The same in light and in dark. */
export async function axeInBoth(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await axe(page, `${name} ${colorScheme}`);
  }
}

/** Nothing moves once there is data. */
export async function still(page, since) {
  const moved = await page.evaluate((from) => window.shifts.filter((s) => s.time > from), since);
  if (moved.length > 0) throw new Error(`layout moved: ${JSON.stringify(moved.slice(0, 4))}`);
}

export function clean(notes) {
  if (notes.strangers.length > 0) throw new Error(`requests to another host: ${notes.strangers.slice(0, 3).join(" ")}`);
  if (notes.errors.length > 0) throw new Error(`errors: ${notes.errors.slice(0, 3).join("\n")}`);
}

export function equal(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a}, expected ${b}`);
}
export function ok(truth, what) {
  if (!truth) throw new Error(what);
}

/** Waits for a state of the screen or of a part of it. */
export const state = (page, of, value) => page.waitForSelector(`${of}[data-state="${value}"]`, { state: "attached" });
export const text = async (page, selector) => (await page.textContent(selector))?.trim() ?? "";

/** Text that somebody cannot read: cut off without an ellipsis, or spilt out of its button. */
export async function cut(page) {
  return page.evaluate(() => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const scrolls = (style) => /auto|scroll/.test(style.overflowX);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const own = node.parentElement;
      if (node.data.trim() === "" || own.closest(".vh, .maplibregl-map, [hidden], svg, noscript, script, style") !== null) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const text = range.getBoundingClientRect();
      if (text.width < 2 || text.height < 2) continue;
      for (let box = own; box !== null && box !== document.body; box = box.parentElement) {
        const style = getComputedStyle(box);
        if (style.opacity === "0" || scrolls(style) || style.textOverflow === "ellipsis" || style.position === "fixed") break;
        const clips = /hidden|clip/.test(style.overflowX) || box.matches("button, .btn, .pill, .chip, nav a");
        const area = box.getBoundingClientRect();
        if (clips && (text.right > area.right + 1.5 || text.left < area.left - 1.5)) {
          found.push(`"${node.data.trim().slice(0, 40)}" beyond ${box.tagName.toLowerCase()}.${String(box.className).split(" ")[0]} by ${Math.round(Math.max(text.right - area.right, area.left - text.left))} px`);
          break;
        }
      }
    }
    return found;
  });
}
