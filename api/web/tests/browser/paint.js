// How soon a customer sees the window, on a slow phone with a slow network.
import { SIZES } from "./harness.js";
import { linkOf } from "./offline.js";

/** 1.6 Mbit/s down, 750 kbit/s up, 150 ms there and back; a processor four times slower. */
const NETWORK = { offline: false, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8, latency: 150 };
const SLOWER = 4;
/** Opened so often, with nothing kept; the median counts. */
const TIMES = 5;
/** Until then everything that the page asks for has been asked for, milliseconds. */
const SETTLED = 3_000;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function once(browser, address) {
  const context = await browser.newContext({ viewport: SIZES.phone, hasTouch: true, deviceScaleFactor: 2 });
  const page = await context.newPage();
  const client = await context.newCDPSession(page);
  await client.send("Network.enable");
  await client.send("Network.emulateNetworkConditions", NETWORK);
  await client.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  const seen = { requests: 0, bytes: 0 };
  client.on("Network.requestWillBeSent", ({ request }) => { if (!request.url.startsWith("data:")) seen.requests++; });
  client.on("Network.loadingFinished", ({ encodedDataLength }) => { seen.bytes += encodedDataLength; });
  await page.addInitScript(() => {
    const painted = [];
    Object.assign(window, { painted });
    new PerformanceObserver((list) => list.getEntries().forEach((e) => painted.push({ at: e.startTime, what: e.element?.closest(".when") !== null ? "window" : "other" }))).observe({ type: "largest-contentful-paint", buffered: true });
  });
  await page.goto(address, { waitUntil: "load" });
  await page.waitForTimeout(SETTLED);
  const { first, window: useful } = await page.evaluate(() => ({
    first: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
    window: window.painted.find((entry) => entry.what === "window")?.at,
  }));
  await context.close();
  return { first, useful: useful ?? Infinity, ...seen };
}

/** Of the customer's page of a running demo: milliseconds to the first paint and to that of the window, requests, kB. */
export async function paint(browser, url) {
  const address = await linkOf(url);
  const runs = [];
  for (let i = 0; i < TIMES; i++) runs.push(await once(browser, address));
  const of = (name) => median(runs.map((run) => run[name]));
  return { first: of("first"), useful: of("useful"), requests: Math.max(...runs.map((run) => run.requests)), kb: of("bytes") / 1000 };
}
