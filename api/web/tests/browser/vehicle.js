// One van: its ladder, the reasons, the proposal.
import { axe, axeInBoth, clean, equal, ok, open, state, text } from "./harness.js";
import { withFake } from "./live.js";

const late = (fake) => fake.town.vans.find((v) => v.status === "late");

export const vehicle = {
  "shows ladder and reasons, light and dark, at three sizes": (browser) => withFake({ vans: 60 }, async (fake, url) => {
    for (const size of ["wide", "middle", "phone"]) {
      const { page, notes, close } = await open(browser, `${url}/app/van/${late(fake).id}`, { size });
      await page.waitForSelector("[data-part=ladder] .rung");
      await page.waitForSelector("[data-stop][data-state=late]");
      ok((await page.locator("[data-stop] .promised", { hasText: "any time" }).count()) > 0 || size !== "wide", "a stop without a window");
      await axeInBoth(page, `van ${size}`);
      clean(notes);
      await close();
    }
  }),

  "gives reasons that add up": (browser) => withFake({ vans: 60 }, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/van/${late(fake).id}`);
    await state(page, "[data-part=why]", "some");
    const [sum, total] = await page.evaluate(() => {
      const rows = [...document.querySelectorAll(".reasons [data-minutes]")].map((r) => Number(r.getAttribute("data-minutes")));
      return [rows.reduce((a, b) => a + b, 0), Number(document.querySelector(".reasons")?.getAttribute("data-total"))];
    });
    equal(sum, total, "minutes of the causes against the change");
    equal(total, 32, "the change");
    const real = fake.town.delivery.bind(fake.town);
    fake.town.delivery = (order) => ({ ...real(order), history: real(order).history.slice(0, 1) });
    await page.reload();
    await state(page, "[data-part=why]", "empty");
    clean(notes);
    await close();
  }),

  "is a status for each kind of van": (browser) => withFake({ vans: 60 }, async (fake, url) => {
    const kinds = { on_time: "ok", at_risk: "risk", late: "late", no_signal: "nosignal" };
    for (const [status, tone] of Object.entries(kinds)) {
      const van = fake.town.vans.find((v) => v.status === status);
      const { page, notes, close } = await open(browser, `${url}/app/van/${van.id}`);
      await page.waitForSelector(`.van-head[data-state=${tone}]`);
      clean(notes);
      await close();
    }
    const van = fake.town.vans.find((v) => v.activity === "at_stop");
    const { page, close } = await open(browser, `${url}/app/van/${van.id}`);
    await page.waitForFunction(() => document.querySelector(".van-head")?.textContent?.includes("At a stop"));
    await page.goto(`${url}/app/van/van-none`);
    await page.waitForFunction(() => document.body.textContent?.includes("No van van-none"));
    await axe(page, "an unknown van");
    await close();
  }),

  "takes, refuses and misses a proposal": (browser) => withFake({ vans: 90 }, async (fake, url) => {
    const [one, two, three] = fake.town.vans.filter((v) => v.status === "late");
    const { page, notes, close } = await open(browser, `${url}/app/van/${one.id}`);
    await state(page, "[data-part=proposal]", "shown");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[data-part=toast][data-kind=done]");
    ok((await text(page, "[data-part=toast]")).includes("cannot be taken back"), "what cannot be undone is said");
    await page.goto(`${url}/app/van/${two.id}`);
    await state(page, "[data-part=proposal]", "shown");
    await page.click("[data-part=proposal] >> text=Refuse");
    await page.waitForFunction(() => document.querySelector("[data-part=toast]")?.textContent?.includes("refused"));
    fake.accept = { status: 404, body: { title: "Unknown", status: 404, detail: "open reroute is not known" } };
    await page.goto(`${url}/app/van/${three.id}`);
    await state(page, "[data-part=proposal]", "shown");
    await page.click("[data-part=proposal] >> text=Accept");
    await page.waitForFunction(() => document.querySelector("[data-part=toast]")?.textContent?.includes("Already solved"));
    clean(notes);
    await close();
  }),
};
