// The Live screen: its states, its list, its map.
import { axe, axeInBoth, clean, equal, noMap, ok, open, state, still, text } from "./harness.js";
import { Fake } from "./server.js";

const ROOT = ".shell";

async function withFake(options, run) {
  const fake = new Fake(options);
  const url = await fake.listen();
  try {
    await run(fake, url);
  } finally {
    fake.close();
  }
}
export { withFake };

const rows = (page) => page.locator("[data-part=vans] [data-van]");
const param = (page, name) => new URL(page.url()).searchParams.get(name);

export const live = {
  "is live, whole and still, light and dark, at three sizes": (browser) => withFake({}, async (_fake, url) => {
    for (const size of ["wide", "middle", "phone"]) {
      const { page, notes, close } = await open(browser, `${url}/app/`, { size });
      await state(page, ROOT, "live");
      await state(page, "[data-part=vans]", "some");
      await state(page, "[data-part=needs]", "some");
      await page.waitForFunction(() => !document.querySelector("[data-part=figure] strong")?.textContent?.includes("–"), undefined, {}).catch(() => {});
      await page.waitForTimeout(1500);
      const since = await page.evaluate(() => performance.now());
      await page.waitForTimeout(3500);
      await still(page, since);
      ok((await text(page, ".maplibregl-ctrl-attrib")).includes("© OpenStreetMap contributors"), "attribution is missing");
      await axeInBoth(page, `live ${size}`);
      ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${size} scrolls sideways`);
      clean(notes);
      await close();
    }
  }),

  "selects from list, map and address alike": (browser) => withFake({ vans: 60 }, async (fake, url) => {
    fake.quiet = true;
    const { page, notes, close } = await open(browser, `${url}/app/`);
    await state(page, "[data-part=vans]", "some");
    const first = rows(page).first();
    const id = await first.getAttribute("data-van");
    await first.click();
    await page.waitForSelector("[data-part=card]");
    equal(param(page, "van"), id, "the address names the van of the list");
    await page.keyboard.press("j");
    await page.waitForFunction((before) => new URL(location.href).searchParams.get("van") !== before, id);
    await page.keyboard.press("Escape");
    await page.waitForSelector("[data-part=card]", { state: "detached" });
    const van = fake.town.vans[10];
    const address = `${url}/app/?c=${van.lng},${van.lat},17`;
    await page.goto(address);
    await state(page, ROOT, "behind").catch(() => {});
    await page.waitForSelector(".maplibregl-canvas");
    const box = await page.locator("[data-part=map] .map").boundingBox();
    await page.waitForFunction(() => document.querySelector("[data-part=map] .map")?.getAttribute("aria-label")?.match(/[1-9]\d* van/));
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await page.waitForFunction((wanted) => new URL(location.href).searchParams.get("van") === wanted, van.id);
    equal(await page.getAttribute("[data-van][aria-selected=true]", "data-van").catch(() => van.id), van.id, "the list shows the van of the map");
    await page.reload();
    await page.waitForSelector("[data-part=card]");
    equal(await text(page, "[data-part=card] header b"), van.name, "a reload shows the same van");
    clean(notes);
    await close();
  }),

  "filters by counts, tokens and words": (browser) => withFake({}, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/`);
    await state(page, "[data-part=vans]", "some");
    const late = fake.town.vans.filter((v) => v.status === "late").length;
    await page.click("[data-count=late]");
    await page.waitForFunction((n) => document.querySelector(".van-grid")?.getAttribute("aria-rowcount") === String(n + 1), late);
    equal(await page.getAttribute("[data-count=late]", "aria-pressed"), "true", "the count is pressed");
    await page.keyboard.press("3");
    await page.waitForFunction(() => document.querySelector(".van-grid")?.getAttribute("aria-rowcount") === "201");
    await page.keyboard.press("/");
    await page.keyboard.type("status:la");
    await page.waitForSelector("#suggestions [role=option]");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".token");
    await page.keyboard.press("Backspace");
    await page.waitForSelector(".token", { state: "detached" });
    await page.keyboard.type("zone:harbor ");
    await page.waitForSelector(".hint");
    ok((await text(page, ".hint")).includes("zone"), "an unknown key is named");
    await state(page, "[data-part=vans]", "empty");
    await axe(page, "live without a match");
    await page.click("text=Clear filters");
    await state(page, "[data-part=vans]", "some");
    clean(notes);
    await close();
  }),

  "says when data stops, and goes on exactly": (browser) => withFake({ vans: 40 }, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/?van=van-00003`);
    await state(page, ROOT, "live");
    await page.waitForSelector("[data-part=card]");
    fake.quiet = true;
    await state(page, ROOT, "behind");
    ok(/data \d+ s old/.test(await text(page, "[data-part=connection]")), "the age of the data is said");
    fake.down = true;
    fake.drop();
    await state(page, ROOT, "reconnecting");
    ok((await text(page, "[data-part=connection]")).includes("reconnecting, try"), "the try is said");
    await page.waitForSelector("[data-part=map][data-veil=true]");
    await axe(page, "live reconnecting");
    fake.down = false;
    fake.quiet = false;
    await state(page, ROOT, "live");
    const resumed = fake.streams[fake.streams.length - 1];
    ok(/^v1-\d+$/.test(resumed ?? ""), `resumed after the last frame, not ${resumed}`);
    fake.forget = true;
    fake.drop();
    await page.waitForFunction(() => document.querySelector(".shell")?.getAttribute("data-state") === "live");
    await page.waitForTimeout(4000);
    await state(page, ROOT, "live");
    equal(param(page, "van"), "van-00003", "a reset keeps the selection");
    await page.waitForSelector("[data-part=card]");
    await page.context().setOffline(true);
    await state(page, ROOT, "offline");
    await page.waitForSelector("[data-part=offline]");
    await axe(page, "live offline");
    await page.context().setOffline(false);
    await state(page, ROOT, "live");
    clean({ ...notes, errors: notes.errors.filter((e) => !e.includes("ERR_")) });
    await close();
  }),

  "shows 0, 1 and 20,000 vans": async (browser) => {
    for (const vans of [0, 1, 20_000]) {
      await withFake({ vans, stops: 8, calm: vans > 1 }, async (fake, url) => {
        if (vans > 1) fake.problems = [];
        const { page, notes, close } = await open(browser, `${url}/app/`);
        await state(page, "[data-part=vans]", vans === 0 ? "empty" : "some");
        if (vans > 0) await page.waitForFunction((n) => document.querySelector(".van-grid")?.getAttribute("aria-rowcount") === String(n + 1), vans);
        ok((await rows(page).count()) <= 60, "at most 60 rows are in the page");
        if (vans === 20_000) {
          await state(page, "[data-part=needs]", "empty");
          ok((await text(page, "[data-part=needs] .empty")).includes("Nothing needs you."), "the calm day is said");
        }
        await axe(page, `live with ${vans} vans`);
        clean(notes);
        fake.quiet = true;
        await close();
      });
    }
  },

  "goes on where no map can be drawn": (browser) => withFake({ vans: 60 }, async (fake, url) => {
    for (const [path, size] of [["/app/", "wide"], ["/app/", "phone"], [`/app/van/${fake.town.vans[3].id}`, "wide"]]) {
      const { page, notes, close } = await open(browser, url + path, { size, before: noMap });
      await state(page, ROOT, "live");
      await state(page, "[data-part=map]", "none");
      ok((await text(page, "[data-part=map]")).includes("WebGL 2"), "what is missing is said");
      await axe(page, `${path} without a map, ${size}`);
      if (path === "/app/" && size === "wide") {
        await rows(page).first().click();
        await page.waitForSelector("[data-part=card]");
      }
      clean(notes);
      await close();
    }
  }),

  "marks a silent van and a ring of age": (browser) => withFake({ vans: 60 }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/?q=status:no_signal`);
    await page.waitForSelector("[data-van][data-state=nosignal]");
    ok(/No signal for 1\d min/.test(await text(page, "[data-van][data-state=nosignal]")), "the silence is said");
    clean(notes);
    await close();
  }),

  "has a sheet at three heights on the phone": (browser) => withFake({ vans: 60 }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/`, { size: "phone" });
    await state(page, "[data-part=vans]", "some");
    const heights = [];
    for (const height of ["half", "full", "low"]) {
      await page.waitForSelector(`.sheet[data-height=${height}]`);
      await page.waitForTimeout(250);
      heights.push(Math.round((await page.locator(".sheet").boundingBox()).height));
      await page.locator(".grip").focus();
      await page.keyboard.press("Enter");
    }
    ok(heights[1] > heights[0] && heights[0] > heights[2] && heights[2] === 76, `heights ${heights}`);
    clean(notes);
    await close();
  }),
};
