// With the network cable out: the app opens and reloads from what it has, and says how old that is.
import { axe, clean, equal, ok, open, state, text } from "./harness.js";
import { withFake } from "./live.js";

/** Asks the page again and again: a promise is true to `waitForFunction`, whatever becomes of it. */
async function until(page, what, question, argument) {
  for (let tries = 0; tries < 200; tries++) {
    if (await page.evaluate(question, argument)) return;
    await page.waitForTimeout(200);
  }
  throw new Error(`in 40 s it did not come to be that ${what}`);
}
/** Waits until the service worker has the page and all of the app's files. */
const taken = (page) => until(page, "the service worker has the page", async () =>
  navigator.serviceWorker.controller !== null && (await navigator.serviceWorker.getRegistration("/app/"))?.active?.state === "activated");
/** Waits until something is kept of what a person saw. */
const kept = (page, name) => until(page, `the ${name} is kept`, async (of) => (await caches.match(`/app/last/${of}`, { cacheName: "milepost-last" })) !== undefined, name);
const caches_ = (page) => page.evaluate(async () => {
  const found = {};
  for (const name of await caches.keys()) found[name] = (await (await caches.open(name)).keys()).map((request) => new URL(request.url).pathname);
  return found;
});
const withoutNetwork = (notes) => ({ ...notes, errors: notes.errors.filter((e) => !/ERR_|Failed to fetch|NetworkError/.test(e)) });

export const offline = {
  "opens and reloads without a network, with what was seen last": (browser) => withFake({ vans: 60 }, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/`, { worker: true });
    await state(page, ".shell", "live");
    await taken(page);
    await kept(page, "fleet");
    await kept(page, "exceptions");
    // Of the banner's height fewer rows fit.
    const listed = async () => (await page.locator("[data-van]").evaluateAll((rows) => rows.map((row) => row.getAttribute("data-van")))).slice(0, 15);
    const names = await listed();
    const begun = fake.streams.length;
    await page.context().setOffline(true);
    await state(page, ".shell", "offline");
    await page.reload({ waitUntil: "domcontentloaded" });
    await state(page, ".shell", "offline");
    await page.waitForSelector("[data-part=offline]");
    ok(/view of \d/.test(await text(page, "[data-part=connection]")), "the time of the view is said");
    await page.waitForFunction((n) => document.querySelector(".van-grid")?.getAttribute("aria-rowcount") === String(n + 1), 60);
    equal(await listed(), names, "the list as it was");
    await page.waitForFunction(() => document.querySelector(".shell")?.getAttribute("data-stale") === "true");
    await page.waitForSelector("[data-part=map][data-veil=true]");
    ok((await page.locator("[data-part=needs] [data-exception], [data-part=needs] li, [data-part=needs] a").count()) > 0, "problems as they were");
    await axe(page, "live, opened without a network");
    for (const path of ["/app/exceptions", `/app/van/${names[0]}`]) {
      await page.goto(url + path);
      await state(page, ".shell", "offline");
      await page.waitForSelector("[data-part=offline]");
      await axe(page, `${path}, opened without a network`);
    }
    await page.goto(`${url}/app/exceptions`);
    await state(page, "[data-part=board]", "some");
    ok(/as of \d/.test(await text(page, "[data-part=kept]")), "the time of the problems is said");
    equal(fake.streams.length, begun, "nothing reached the server");
    await page.context().setOffline(false);
    await state(page, ".shell", "live");
    ok(/^v1-\d+$/.test(fake.streams[fake.streams.length - 1] ?? ""), "goes on after the last frame that was kept");
    await page.waitForFunction(() => document.querySelector("[data-part=kept]") === null);
    clean(withoutNetwork(notes));
    await close();
  }),

  "opens where the server is down, and goes on when it is back": (browser) => withFake({ vans: 20 }, async (fake, url) => {
    const { page, close } = await open(browser, `${url}/app/`, { worker: true });
    await state(page, ".shell", "live");
    await taken(page);
    await kept(page, "fleet");
    fake.unplug();
    await page.reload({ waitUntil: "domcontentloaded" });
    await state(page, ".shell", "reconnecting");
    await page.waitForFunction((n) => document.querySelector(".van-grid")?.getAttribute("aria-rowcount") === String(n + 1), 20);
    ok((await text(page, "[data-part=connection]")).includes("Data stopped"), "when data stopped is said");
    await fake.plug();
    await state(page, ".shell", "live");
    await close();
  }),

  "keeps the app's files and tiles, and no answer of the api": (browser) => withFake({ vans: 20, tiles: true }, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/`, { worker: true });
    await state(page, ".shell", "live");
    await taken(page);
    await kept(page, "fleet");
    await until(page, "a tile is kept", async () => (await (await caches.open("milepost-tiles")).keys()).length > 0);
    const found = await caches_(page);
    const shell = Object.keys(found).filter((name) => name.startsWith("milepost-shell-"));
    equal(shell.length, 1, "sets of the app's files");
    ok(found[shell[0]].includes("/app/") && found[shell[0]].some((path) => path.endsWith(".woff2")), "page and fonts are kept");
    const all = Object.values(found).flat();
    equal(all.filter((path) => path.startsWith("/v1")), [], "answers of the api that are kept");
    const asked = fake.tilesAsked;
    await page.context().setOffline(true);
    await page.reload({ waitUntil: "domcontentloaded" });
    await page.waitForSelector(".maplibregl-canvas");
    await page.waitForTimeout(1500);
    equal(fake.tilesAsked, asked, "tiles asked for without a network");
    ok(notes.tiles > 0, "tiles come from what is kept");
    clean(withoutNetwork(notes));
    await close();
  }),

  "shows nobody what another saw": (browser) => withFake({ vans: 20, key: "k-anna" }, async (fake, url) => {
    const { page, close } = await open(browser, `${url}/app/`, { worker: true });
    await state(page, ".shell", "live");
    await taken(page);
    await kept(page, "fleet");
    // Logged out elsewhere, and somebody else came: theirs is not there yet, the first one's is gone.
    fake.key = "k-boris";
    fake.down = true;
    await page.reload({ waitUntil: "domcontentloaded" });
    await until(page, "the other is known", async () => ((await (await caches.match("/app/last/session"))?.text()) ?? "").includes("k-boris"));
    equal((await caches_(page))["milepost-last"].includes("/app/last/fleet"), false, "the fleet that another saw is kept");
    await page.waitForTimeout(1500);
    equal(await page.locator("[data-van]").count(), 0, "vans that another saw");
    fake.down = false;
    await kept(page, "fleet");
    await page.goto(`${url}/app/settings/looks`);
    await page.click("text=Log out");
    await page.waitForSelector("[data-screen=login]");
    await until(page, "nothing is kept", async () => !(await caches.keys()).some((name) => name === "milepost-last" || name === "milepost-tiles"));
    await page.context().setOffline(true);
    await page.reload({ waitUntil: "domcontentloaded" });
    await page.waitForFunction(() => document.querySelector("[role=status]")?.textContent?.includes("does not answer"));
    equal(await page.locator("[data-van]").count(), 0, "vans after logging out");
    await close();
  }),
};

/** The customer's page of `milepost demo` itself. */
export const offlinePage = (url) => ({
  "keeps the customer's page as it was, and goes on": async (browser) => {
    const { page, notes, close } = await open(browser, await linkOf(url), { size: "phone", wait: false });
    await state(page, "html", "live");
    const [when, said] = [await text(page, ".when"), await page.innerHTML("#live")];
    await page.context().setOffline(true);
    await state(page, "html", "offline");
    ok(/\d/.test(await text(page, "#offline")), "the time of what is known is said");
    ok((await text(page, ".when")) === when || (await page.innerHTML("#live")) !== said, "the window stays");
    await axe(page, "customer's page without a network");
    await page.context().setOffline(false);
    await state(page, "html", "live");
    equal(await page.isVisible("#offline"), false, "the banner goes");
    clean(withoutNetwork(notes));
    await close();
  },
});

/** The address of a customer's link of an order that is still to come. */
export async function linkOf(url) {
  const { routes } = await (await fetch(`${url}/v1/routes?limit=50`)).json();
  const stop = routes.flatMap((r) => r.stops).find((s) => s.order !== undefined && !s.departed_at && !s.arrived_at);
  const made = await fetch(`${url}/v1/links`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ order: stop.order }) });
  if (!made.ok) throw new Error(`no link of ${stop.order}: ${made.status} ${await made.text()}`);
  return url + new URL((await made.json()).url, url).pathname;
}
