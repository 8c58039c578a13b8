// The exception board, and a whole run of it by keyboard alone.
import { axe, axeInBoth, clean, equal, ok, open, state, text } from "./harness.js";
import { withFake } from "./live.js";

const count = (page) => page.getAttribute(".problems", "aria-rowcount").then((n) => Number(n) - 1);
const focused = (page) => page.evaluate(() => document.activeElement?.getAttribute("data-exception"));

export const board = {
  "shows 0, 1, 7 and 500 problems": (browser) => withFake({ vans: 200 }, async (fake, url) => {
    const some = fake.town.exceptions();
    for (const n of [0, 1, 7, 500]) {
      fake.problems = Array.from({ length: n }, (_, i) => ({ ...some[i % some.length], id: `x.${i}`, cost: 500 - i }));
      const { page, notes, close } = await open(browser, `${url}/app/exceptions`);
      await state(page, "[data-part=board]", n === 0 ? "empty" : "some");
      equal(await count(page), n, "rows");
      ok((await page.locator("[data-exception]").count()) <= 60, "at most 60 rows are in the page");
      if (n === 0) ok((await text(page, "[data-part=board] .empty")).includes("Nothing needs you."), "the empty board is said");
      await axe(page, `board with ${n}`);
      clean(notes);
      await close();
    }
  }),

  "looks right in light and dark, at three sizes, with its detail": (browser) => withFake({ vans: 90 }, async (fake, url) => {
    const id = fake.town.exceptions().find((e) => e.type === "predicted_late").id;
    for (const size of ["wide", "middle", "phone"]) {
      const { page, notes, close } = await open(browser, `${url}/app/exceptions?x=${id}`, { size });
      await state(page, "[data-part=detail]", "open");
      await page.waitForSelector(".customers tr", { state: "attached" });
      await axeInBoth(page, `board detail ${size}`);
      clean(notes);
      await close();
    }
  }),

  "is worked by keyboard alone from start to end": (browser) => withFake({ vans: 90 }, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/`);
    await state(page, "[data-part=vans]", "some");
    await page.keyboard.press("g");
    await page.keyboard.press("e");
    await page.waitForSelector('[data-screen="exceptions"]');
    await state(page, "[data-part=board]", "some");
    const begun = await count(page);
    await page.keyboard.press("j");
    await page.waitForSelector("[data-part=detail]");
    const first = await page.getAttribute("[data-exception][aria-selected=true]", "data-exception");
    await page.waitForFunction((id) => document.activeElement?.getAttribute("data-exception") === id, first);
    await page.keyboard.press("j");
    await page.waitForFunction((id) => document.activeElement?.getAttribute("data-exception") !== id, first);
    await page.keyboard.press("k");
    await page.waitForFunction((id) => document.activeElement?.getAttribute("data-exception") === id, first);
    // On to one that has a remedy.
    for (let i = 0; i < begun && (await page.locator("[aria-selected=true] [data-remedy=accept]").count()) === 0; i++) {
      const before = await focused(page);
      await page.keyboard.press("j");
      await page.waitForFunction((id) => document.activeElement?.getAttribute("data-exception") !== id, before);
    }
    const chosen = await focused(page);
    await page.keyboard.press("Enter");
    await page.waitForSelector("[data-part=toast][data-kind=done]");
    await page.waitForFunction(() => document.querySelector("[data-part=detail]")?.getAttribute("data-state") !== "open");
    equal(await focused(page), chosen, "the focus stays on the row");
    // The problem clears itself while it is selected: the row stays and says so.
    fake.problems = fake.town.exceptions().filter((e) => e.id !== chosen);
    await page.waitForSelector('[data-exception][aria-selected=true][data-state="solved"]');
    await page.keyboard.press("Escape");
    await page.waitForSelector(".detail.none", { state: "attached" });
    await page.waitForFunction((id) => document.querySelector(`[data-exception="${id}"]`) === null, chosen);
    await page.keyboard.press("j");
    await page.waitForSelector("[aria-selected=true]");
    await page.keyboard.press("o");
    await page.waitForSelector('[data-screen="vehicle"]');
    await page.keyboard.press("g");
    await page.keyboard.press("l");
    await page.waitForSelector('[data-screen="live"]');
    clean(notes);
    await close();
  }),

  "leaves a problem alone, takes care of it, and takes that back": (browser) => withFake({ vans: 90 }, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/exceptions`);
    await state(page, "[data-part=board]", "some");
    const begun = await count(page);
    await page.keyboard.press("j");
    await state(page, "[data-part=detail]", "open");
    await page.keyboard.press("a");
    await page.waitForFunction(() => document.querySelector("[data-part=detail]")?.textContent?.includes("takes care"));
    await page.keyboard.press("s");
    await page.waitForFunction(() => document.querySelector("[data-part=toast]")?.textContent?.includes("Left alone until"));
    await page.waitForFunction(() => document.querySelector("[data-part=detail]")?.textContent?.includes("Left alone until"));
    await axe(page, "board with an undo");
    await page.keyboard.press("Escape");
    await page.waitForFunction((n) => document.querySelector(".problems")?.getAttribute("aria-rowcount") === String(n), begun);
    await page.keyboard.press("z");
    await page.waitForFunction((n) => document.querySelector(".problems")?.getAttribute("aria-rowcount") === String(n + 1), begun);
    equal(Object.values(fake.notes)[0].snoozed_until, undefined, "the note is gone");
    clean(notes);
    await close();
  }),

  "tells customers by two keys, once, and takes that back": (browser) => withFake({ vans: 90 }, async (fake, url) => {
    const id = fake.town.exceptions().find((e) => e.type === "predicted_late").id;
    const { page, notes, close } = await open(browser, `${url}/app/exceptions?x=${id}`);
    await page.waitForSelector("[data-part=tell]");
    const words = await text(page, "[data-part=tell]");
    ok((await text(page, "[data-part=detail] header")).includes("No delay message sent yet."), "that nobody was told is said");
    await page.focus(`[data-exception="${id}"]`);
    await page.keyboard.press("t");
    equal(fake.told.size, 0, "told by one key");
    await page.waitForFunction(() => document.activeElement?.getAttribute("data-part") === "tell");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[data-part=tell]", { state: "detached" });
    ok(fake.told.size > 0 && words.includes(String(fake.told.size)), `as many as were named: ${words}, ${fake.told.size}`);
    ok((await text(page, "[data-part=detail] header")).includes(" told."), "that they were told is said");
    ok((await text(page, "[data-part=toast]")).includes("in 10 s"), "when the messages leave is said");
    await axe(page, "board, customers told");
    await page.keyboard.press("z");
    await page.waitForSelector("[data-part=tell]");
    equal(fake.told.size, 0, "told after it was taken back");
    clean(notes);
    await close();
  }),

  "lets new problems wait, and says what failed": (browser) => withFake({ vans: 90 }, async (fake, url) => {
    const all = fake.town.exceptions();
    const withRemedy = all.find((e) => e.remedies.length > 0);
    fake.problems = [withRemedy];
    const { page, notes, close } = await open(browser, `${url}/app/exceptions?x=${withRemedy.id}`);
    await state(page, "[data-part=detail]", "open");
    fake.problems = [...all.slice(0, 3).filter((e) => e.id !== withRemedy.id), withRemedy];
    const waiting = fake.problems.length - 1;
    await page.waitForSelector(".new-rows");
    equal(await count(page), 1, "rows while one is selected");
    ok((await text(page, ".new-rows")).startsWith(String(waiting)), "how many wait is said");
    await page.click(".new-rows");
    await page.waitForFunction((n) => document.querySelector(".problems")?.getAttribute("aria-rowcount") === String(n + 1), waiting + 1);
    fake.accept = { status: 503, body: { title: "Unavailable", status: 503, detail: "the log is full" } };
    await page.click("[data-part=detail] [data-remedy=accept]");
    await page.waitForSelector("[data-part=toast][data-kind=failed]");
    ok((await text(page, "[data-part=toast]")).includes("Nothing was changed"), "what failed is said");
    await state(page, "[data-part=detail]", "failed");
    await axe(page, "board after a failure");
    fake.accept = { status: 409, body: { title: "Conflict", status: 409, detail: "answered" } };
    await page.click("[data-part=detail] [data-remedy=accept]");
    await state(page, "[data-part=detail]", "solved");
    clean(notes);
    await close();
  }),

  "keeps a viewer from acting, with the reason": (browser) => withFake({ vans: 90, role: "viewer" }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/exceptions`);
    await page.waitForSelector("[data-remedy=accept][aria-disabled=true]");
    ok((await text(page, "[data-part=board]")).includes("Your role may look, not act"), "the reason is said");
    clean(notes);
    await close();
  }),
};
