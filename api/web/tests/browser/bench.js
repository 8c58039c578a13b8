// bench.js [VANS] [SECONDS] [URL]: what the app costs: weight, script on the page's thread for each
// second's news, delay of a person's input, memory, the last once every five minutes; and with URL
// of a running demo how soon a customer's page is of use.
import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import { gzipSync } from "node:zlib";
import { launch, open, state } from "./harness.js";
import { paint } from "./paint.js";
import { Fake } from "./server.js";

const args = process.argv.slice(2);
const demo = args.find((arg) => arg.startsWith("http"))?.replace(/\/$/, "") ?? process.env.MILEPOST_URL;
const [vans = 20_000, seconds = 60] = args.filter((arg) => /^\d+$/.test(arg)).map(Number);
const LIMITS = { gzip_kb: 650, css_kb: 25, script_ms: 8, delay_ms: 50, heap_mb: 250, paint_ms: 1_000, requests: 6, page_kb: 60 };
/** A long run says its memory this often, milliseconds. */
const HEAP_EVERY = 300_000;

/** Compressed size of the built files of these kinds, kB. */
function weight(kinds) {
  const folder = new URL("../../dist/assets/", import.meta.url);
  const files = readdirSync(folder).filter((name) => kinds.includes(extname(name)));
  return files.reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, folder)), { level: 9 }).length, 0) / 1000;
}

let over = 0;
function line(name, value, limit) {
  if (!(value <= limit)) over++;
  console.log(`${name.padEnd(38)} ${value.toFixed(1).padStart(9)}   limit ${limit}  ${value <= limit ? "ok" : "OVER"}`);
}

line("scripts, gzip kB", weight([".js", ".mjs"]), LIMITS.gzip_kb);
line("styles, gzip kB", weight([".css"]), LIMITS.css_kb);

const browser = await launch();
if (demo === undefined) console.log("customer's page: not measured; give the address of a running demo");
else {
  const { first, useful, requests, kb } = await paint(browser, demo);
  console.log(`customer's page at 1.6 Mbit/s, 150 ms, processor 4 times slower: first paint ${first.toFixed(0)} ms`);
  line("customer's page, window painted, ms", useful, LIMITS.paint_ms);
  line("customer's page, requests", requests, LIMITS.requests);
  line("customer's page, kB on the wire", kb, LIMITS.page_kb);
}

const fake = new Fake({ vans, stops: 8 });
const url = await fake.listen();
const { page, close } = await open(browser, `${url}/app/`);
await state(page, "[data-part=vans]", "some");
await page.waitForFunction((n) => document.querySelector(".van-grid")?.getAttribute("aria-rowcount") === String(n + 1), vans, { timeout: 120_000 });
await page.waitForTimeout(15_000);

const client = await page.context().newCDPSession(page);
// Of the thread itself: a busy machine is not counted.
await client.send("Performance.enable", { timeDomain: "threadTicks" });
const metrics = async () => Object.fromEntries((await client.send("Performance.getMetrics")).metrics.map((m) => [m.name, m.value]));
await page.evaluate(() => {
  const seen = { tasks: [], ticks: 0 };
  Object.assign(window, { seen });
  new PerformanceObserver((list) => list.getEntries().forEach((e) => seen.tasks.push(e.duration))).observe({ type: "longtask" });
  new MutationObserver(() => { seen.ticks++; }).observe(document.querySelector(".clock"), { characterData: true, subtree: true, childList: true });
});

// Its workers have heaps of their own, and the map its buffers: the process has all of it.
const processes = await browser.newBrowserCDPSession();
const resident = async () => {
  const { processInfo } = await processes.send("SystemInfo.getProcessInfo");
  const mb = ({ id }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0) / 1000;
  return Math.max(...processInfo.filter(({ type }) => type === "renderer").map(mb));
};
const heapNow = async () => {
  await page.evaluate(() => globalThis.gc?.());
  return (await metrics()).JSHeapUsedSize / 1e6;
};

const before = await metrics();
const delays = [];
await page.evaluate(() => {
  Object.assign(window, { keyDelays: [] });
  addEventListener("keydown", (event) => window.keyDelays.push(performance.now() - event.timeStamp), { capture: true });
});
const begun = performance.now();
let said = begun;
while (performance.now() - begun < seconds * 1000) {
  if (performance.now() - said > HEAP_EVERY) {
    said = performance.now();
    console.log(`after ${Math.round((said - begun) / 60_000)} min: heap ${(await heapNow()).toFixed(1)} MB, process ${(await resident()).toFixed(0)} MB`);
  }
  await page.keyboard.press("Shift");
  await page.waitForTimeout(170);
}
const after = await metrics();
const { ticks, tasks } = await page.evaluate(() => window.seen);
delays.push(...(await page.evaluate(() => window.keyDelays)));
delays.sort((a, b) => a - b);
const p95 = delays[Math.floor(delays.length * 0.95)] ?? 0;
const heap = await heapNow();

console.log(`${vans} vans, ${ticks} ticks in ${seconds} s, ${delays.length} keys pressed`);
line("script on the page's thread, ms/tick", ((after.ScriptDuration - before.ScriptDuration) * 1000) / Math.max(1, ticks), LIMITS.script_ms);
line("delay of a key, p95 ms", p95, LIMITS.delay_ms);
line("heap after collection, MB", heap, LIMITS.heap_mb);
console.log(`whole process with workers and map: ${(await resident()).toFixed(0)} MB`);
console.log(`all work of the page's thread ${(((after.TaskDuration - before.TaskDuration) * 1000) / Math.max(1, ticks)).toFixed(1)} ms/tick; tasks over 50 ms: ${tasks.length}, longest ${Math.max(0, ...tasks).toFixed(0)} ms (the processor draws the map here)`);
await close();
await browser.close();
fake.close();
process.exit(over === 0 ? 0 : 1);
