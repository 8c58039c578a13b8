// Timeline, replay, settings, links, messages, login; and the real server where one is given.
import { axe, axeInBoth, clean, equal, noMap, ok, open, state, text } from "./harness.js";
import { withFake } from "./live.js";

const SCREENS = [
  ["/app/routes", "[data-part=timeline]", "some"], ["/app/messages", "[data-part=letter]", "sent"], ["/app/links", "[data-part=list]", "some"],
  ["/app/settings/devices", "[data-part=list]", "some"], ["/app/settings/keys", "[data-part=list]", "some"], ["/app/settings/people", "[data-part=list]", "some"],
  ["/app/settings/webhooks", "[data-part=list]", "some"], ["/app/settings/costs", "[data-part=costs]", "some"], ["/app/settings/looks", "[data-screen=settings]", "live"], ["/app/replay/van-00005", "[data-part=replay]", "asof"],
];

export const others = {
  "open in light and dark, wide and in the hand": (browser) => withFake({ vans: 60 }, async (_fake, url) => {
    for (const size of ["wide", "phone"]) {
      for (const [path, part, wanted] of SCREENS) {
        if (size === "phone" && part === "[data-part=letter]") continue;
        const { page, notes, close } = await open(browser, url + path, { size, before: noMap });
        await state(page, part, wanted);
        await axeInBoth(page, `${path} ${size}`);
        ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} ${size} scrolls sideways`);
        clean(notes);
        await close();
      }
    }
  }),

  "make, show and revoke a customer link": (browser) => withFake({ vans: 60 }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/links`);
    await state(page, "[data-part=list]", "some");
    await page.fill("input[name=order]", "o-3-9");
    await page.click("text=Make link");
    await page.waitForSelector("[data-part=once]");
    ok((await text(page, "[data-part=once] output")).endsWith("/t/abc123"), "the link is shown");
    await page.click("tr[data-id^=links-] >> text=Revoke");
    await page.waitForFunction(() => document.querySelector("tr[data-id^=links-]")?.textContent?.includes("revoked"));
    clean(notes);
    await close();
  }),

  "tell and test a webhook": (browser) => withFake({ vans: 20 }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/settings/webhooks`);
    await page.click("text=Deliveries");
    await page.waitForSelector(".below [data-part=list][data-state=some]");
    await axe(page, "deliveries of a webhook");
    await page.click(".below >> text=Send again >> nth=0");
    await page.waitForFunction(() => document.querySelector("[data-part=toast]")?.textContent?.includes("same id"));
    await page.fill("input[name=url]", "https://other.example/hook");
    await page.click("text=Add webhook");
    await page.waitForSelector("[data-part=once]");
    clean(notes);
    await close();
  }),

  "set what lateness costs, and show it": (browser) => withFake({ vans: 90 }, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/settings/costs`);
    await state(page, "[data-part=costs]", "some");
    await page.fill("input[name=rate]", "2.5");
    await page.fill("input[name=currency]", "eur");
    await page.click("text=Save costs");
    await page.waitForFunction(() => document.querySelector("[data-part=toast]")?.textContent?.includes("Costs saved"));
    equal(fake.costs, { rate_per_minute: 2.5, currency: "EUR" }, "what was saved");
    await page.goto(`${url}/app/exceptions`);
    await page.waitForFunction(() => document.querySelector(".totals b")?.textContent?.includes("€"));
    await page.waitForFunction(() => document.querySelector("[data-part=today]")?.textContent?.includes("41 handled, 23 cleared"));
    clean(notes);
    await close();
  }),

  "replay a day by scrubbing and keys": (browser) => withFake({ vans: 20 }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/replay/van-00005`);
    await page.waitForSelector("[data-part=asof]");
    const before = await text(page, "[data-part=asof]");
    await page.locator(".scrub").focus();
    await page.keyboard.press("End");
    await page.waitForFunction((b) => document.querySelector("[data-part=asof]")?.textContent?.trim() !== b, before);
    await page.waitForFunction(() => new URL(location.href).searchParams.get("at") !== null);
    await page.click("text=Replay >> nth=0");
    await page.keyboard.press("l");
    await page.waitForSelector('[data-screen="vehicle"]');
    clean(notes);
    await close();
  }),

  "ask who is there": (browser) => withFake({ vans: 5, session: false }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/`);
    await page.waitForSelector("[data-screen=login]");
    await axeInBoth(page, "login");
    await page.click("text=Key");
    await page.fill("input[name=key]", "mp_wrong");
    await page.click(".btn.ink");
    await state(page, "[data-screen=login]", "failed");
    clean(notes);
    await close();
  }),

  "show their keys and switch them off": (browser) => withFake({ vans: 5 }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/`);
    await state(page, "[data-part=vans]", "some");
    await page.keyboard.press("?");
    await page.waitForSelector(".keys-panel");
    await axe(page, "the list of keys");
    await page.uncheck(".keys-panel input");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".keys-panel", { state: "detached" });
    await page.locator("#main").focus();
    await page.keyboard.press("?");
    ok((await page.locator(".keys-panel").count()) === 0, "keys are off");
    clean(notes);
    await close();
  }),
};

/** Against `milepost demo` itself. */
export const real = (url) => ({
  "opens on the map with moving vans and its own tiles": async (browser) => {
    for (const [size, theme] of [["wide", "light"], ["middle", "dark"], ["phone", "light"]]) {
      const { page, notes, close } = await open(browser, `${url}/app/`, { size, theme });
      await state(page, ".shell", "live");
      await state(page, "[data-part=vans]", "some");
      await page.waitForTimeout(4000);
      ok(notes.tiles > 0, "no tile came");
      await axe(page, `the demo, ${size} ${theme}`);
      clean(notes);
      await close();
    }
  },
  "has at least 60 of its vans on the move": async (browser) => {
    const { page, notes, close } = await open(browser, `${url}/app/?q=doing:moving`);
    await page.waitForFunction(() => Number(document.querySelector(".van-grid")?.getAttribute("aria-rowcount") ?? 0) > 60, undefined, { timeout: 180_000 });
    clean(notes);
    await close();
  },
  "lets an invited person choose a password, once": async (browser) => {
    const body = JSON.stringify({ email: `ana-${Date.now()}@example.com`, name: "Ana", role: "dispatcher" });
    const invited = await (await fetch(`${url}/v1/people`, { method: "POST", headers: { "content-type": "application/json" }, body })).json();
    const choose = async (page) => {
      for (const name of ["password", "again"]) await page.fill(`input[name=${name}]`, "correct horse battery");
      await page.click(".btn.ink");
    };
    const { page, notes, close } = await open(browser, url + invited.link);
    await state(page, "[data-screen=welcome]", "ready");
    await axe(page, "welcome");
    await page.fill("input[name=password]", "correct horse battery");
    await page.fill("input[name=again]", "correct horse batter!");
    await page.click(".btn.ink");
    await state(page, "[data-screen=welcome]", "failed");
    await choose(page);
    await state(page, "[data-screen=welcome]", "done");
    ok(!page.url().includes("#"), "the token is out of the address");
    clean(notes);
    await close();
    const again = await open(browser, url + invited.link);
    await choose(again.page);
    await state(again.page, "[data-screen=welcome]", "failed");
    await again.close();
  },
  "takes a webhook and says what became of its test": async (browser) => {
    const { page, notes, close } = await open(browser, `${url}/app/settings/webhooks`);
    await page.fill("input[name=url]", "https://hooks.example.invalid/milepost");
    await page.click("text=Add webhook");
    await page.waitForSelector("[data-part=once]");
    ok((await text(page, "[data-part=once] output")).startsWith("whsec_"), "the secret is shown once");
    await page.click("text=Deliveries");
    await page.waitForSelector(".below [data-part=list]");
    clean(notes);
    await close();
  },
  "describes itself as the app was told": async () => {
    const { readFileSync } = await import("node:fs");
    const own = JSON.parse(readFileSync(new URL("../../openapi.json", import.meta.url), "utf8"));
    const theirs = await (await fetch(`${url}/v1/openapi.json`)).json();
    equal(Object.keys(theirs.paths).sort(), Object.keys(own.paths).sort(), "paths; `node scripts/openapi.js URL` writes them anew");
    equal(theirs, own, "the description; `node scripts/openapi.js URL` writes it anew");
  },
});
