// Longer languages and languages from right to left: nothing is cut, and the page does not scroll sideways.
// The map has no sentences of its own: the longer languages are read without it.
import { SIZES, axe, clean, cut, equal, noMap, ok, open, state } from "./harness.js";
import { withFake } from "./live.js";
import { linkOf } from "./offline.js";

const SCREENS = [
  ["/app/?van=van-00027", "[data-part=vans]", "some"], ["/app/van/van-00027", ".van-head", "late"], ["/app/exceptions", "[data-part=board]", "some"],
  ["/app/routes", "[data-part=timeline]", "some"], ["/app/messages", "[data-part=letter]", "sent"], ["/app/links", "[data-part=list]", "some"],
  ["/app/settings/webhooks", "[data-part=list]", "some"], ["/app/settings/people", "[data-part=list]", "some"],
];

const both = async (page, name) => {
  equal(await cut(page), [], `text that is cut, ${name}`);
  ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} scrolls sideways`);
};

export const languages = {
  "cut no text where sentences are a third longer": (browser) => withFake({ vans: 60 }, async (_fake, url) => {
    for (const sizes of [["wide", "middle"], ["phone"]]) {
      for (const [path, part, wanted] of SCREENS) {
        if (sizes.includes("phone") && part === "[data-part=letter]") continue;
        const { page, notes, close } = await open(browser, url + path, { size: sizes[0], locale: "en-XA", before: noMap });
        for (const size of sizes) {
          await page.setViewportSize(SIZES[size]);
          await state(page, part, wanted);
          ok(await page.evaluate(() => document.body.textContent.includes("·····")), "the longer language is spoken");
          await both(page, `${path} ${size}`);
        }
        clean(notes);
        await close();
      }
    }
  }),

  "mirror for languages from right to left, but not the axes of time": (browser) => withFake({ vans: 60 }, async (_fake, url) => {
    for (const size of ["wide", "phone"]) {
      for (const [path, part, wanted] of SCREENS.slice(0, 3)) {
        const { page, notes, close } = await open(browser, url + path, { size, locale: "ar-XB" });
        await state(page, part, wanted);
        equal(await page.evaluate(() => document.documentElement.dir), "rtl", "direction");
        await both(page, `${path} ${size} from right to left`);
        const mirrored = await page.evaluate(() => [...document.querySelectorAll(".plot, .bar-cell .eta, .axis, .u-wrap")].filter((e) => getComputedStyle(e).direction === "rtl").map((e) => e.className));
        equal(mirrored, [], "axes of time that are mirrored");
        if (size === "wide") ok(await page.evaluate(() => document.querySelector(".rail").getBoundingClientRect().left > innerWidth / 2), "the rail is on the right");
        await axe(page, `${path} from right to left`);
        clean(notes);
        await close();
      }
    }
  }),
};

/** The customer's page of `milepost demo` itself, in every language. */
export const languagesOfPage = (url) => ({
  "tells the customer in six languages, none of it cut": async (browser) => {
    const address = await linkOf(url);
    for (const lang of ["en", "de", "es", "pt", "fr", "ar"]) {
      const { page, notes, close } = await open(browser, `${address}?lang=${lang}`, { size: "phone", wait: false });
      await state(page, "html", "live");
      for (const width of [390, 320]) {
        await page.setViewportSize({ width, height: 844 });
        equal(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]), [lang, lang === "ar" ? "rtl" : "ltr"], "language and direction");
        await both(page, `customer's page, ${lang}, ${width} px`);
        equal(await page.evaluate(() => getComputedStyle(document.querySelector(".strip") ?? document.querySelector(".map")).direction), "ltr", "direction of the axis of time");
        await axe(page, `customer's page in ${lang}, ${width} px`);
      }
      clean(notes);
      await close();
    }
  },
});
