// Analytics: reports, queries of one's own, and what is drawn of their answers. Free queries need a
// server with a key, so the made-up one answers them, in the shapes of api/src/http/sql.rs.
import { SIZES, axe, axeInBoth, clean, cut, equal, noMap, ok, open, state, still, text } from "./harness.js";
import { withFake } from "./live.js";

const QUERY = "[data-part=query]";
const write = async (page, sql) => {
  await page.fill(".editor textarea", sql);
  await page.keyboard.press("Control+Enter");
};
/** Presses a button or link by key, as everybody must be able to. */
const press = (page, selector) => page.locator(selector).first().press("Enter");
const heads = (page) => page.locator("[role=columnheader]");
const cells = (page, column) => page.locator(`.row[aria-rowindex="2"] [role=gridcell] >> nth=${column}`).textContent();
const fits = async (page, what) => ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} scrolls sideways`);
/** Gives the window a size, at which nothing may scroll sideways. */
const resize = async (page, size, what) => {
  await page.setViewportSize(SIZES[size]);
  await page.waitForSelector(size === "wide" ? ".analytics > .catalogue" : ".opener");
  await fits(page, `${what} ${size}`);
};

export const analytics = {
  "asks a query, sorts its 10,000 rows, and says that there are more": (browser) => withFake({ vans: 20 }, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/`, { before: noMap });
    await page.keyboard.press("g");
    await page.keyboard.press("a");
    await state(page, QUERY, "idle");
    await press(page, "[data-part=functions] .fold-table");
    ok((await text(page, "[data-part=functions]")).includes("time_bucket(interval, time)"), "functions are listed");
    await press(page, "[aria-label='Insert positions']");
    equal(await page.inputValue(".editor textarea"), "SELECT *\nFROM positions\nLIMIT 100", "a table in an empty editor");
    await press(page, "[data-part=tables] .fold-table");
    await page.keyboard.press("Control+Enter");
    equal(fake.archive.asked, [], "the keys of the editor work in it alone");
    await page.locator(".editor textarea").focus();
    await page.keyboard.press("Control+Enter");
    await state(page, QUERY, "cut");
    ok((await text(page, ".run-line")).includes("cut off after 10,000: there are more"), "said that the answer is cut off");
    ok(/as of .* old/.test(await text(page, ".as-of")), "said as of when");
    await press(page, "text=Rows only");
    const part = page.locator("[data-part=rows]");
    equal(await part.getAttribute("data-rows"), "10000", "rows");
    ok((await page.locator(".row").count()) < 60, "only rows that are seen are in the page");
    await part.focus();
    for (const key of ["ArrowUp", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"]) await page.keyboard.press(key);
    equal([await heads(page).nth(4).getAttribute("aria-sort"), await cells(page, 4)], ["ascending", "0.00"], "sorted up");
    await page.keyboard.press("Enter");
    equal([await heads(page).nth(4).getAttribute("aria-sort"), await cells(page, 4)], ["descending", "22.00"], "sorted down by a key");
    const since = await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))));
    await page.keyboard.press("Control+End");
    await page.waitForSelector('.row[aria-rowindex="10001"] [data-active]');
    const missed = await part.evaluate(async (box) => {
      for (let at = 1; at <= 4; at++) {
        box.scrollTop = at * 70_000;
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const row = Math.floor(box.scrollTop / 32) + 2;
        if (document.querySelector(`.row[aria-rowindex="${row + 3}"]`) === null) return at;
      }
      return -1;
    });
    equal(missed, -1, "rows are there where somebody scrolls to");
    await still(page, since);
    clean(notes);
    await close();
  }),

  "says where a query is wrong, ends a slow one, keeps files and what was asked": (browser) => withFake({ vans: 20 }, async (fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/analytics`, { before: noMap });
    await state(page, QUERY, "idle");
    await write(page, "SELECT vehicle,\nFROM wrong");
    await state(page, QUERY, "failed");
    ok((await text(page, "[data-part=problem]")).includes("found: FROM at Line: 2, Column: 1"), "the server's words");
    equal(await text(page, ".line-numbers .wrong"), "2", "the line is marked");
    await press(page, "text=Line 2, character 1");
    equal(await page.locator(".editor textarea").evaluate((area) => area.selectionStart), 16, "the caret is at the error");
    await write(page, "SELECT * FROM slow");
    await state(page, QUERY, "running");
    await page.waitForFunction(() => document.querySelector(".ran")?.textContent?.includes("12,000 rows"));
    await page.keyboard.press("Escape");
    await state(page, QUERY, "cancelled");
    equal(fake.archive.ended.length, 1, "queries that were ended at the server");
    await write(page, "SELECT count(*) FROM nothing");
    await state(page, QUERY, "empty");
    await page.fill(".editor textarea", "SELECT day FROM st");
    await page.keyboard.press("Control+Space");
    await page.waitForSelector("#offered [aria-selected=true]");
    await axe(page, "names that are offered");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    equal(await page.inputValue(".editor textarea"), "SELECT day FROM stops", "a name completed, and Tab goes on");
    await page.locator(".editor textarea").focus();
    await page.keyboard.press("Control+Enter");
    await state(page, QUERY, "done");
    await state(page, "[data-part=chart]", "bar");
    await page.locator(".uplot-host").focus();
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() => document.querySelector(".plotted .readout")?.textContent?.includes(" · stops "));
    await page.keyboard.press("Enter");
    await page.waitForSelector('.row[aria-rowindex="15"][aria-selected=true]');
    await page.selectOption("select[name=y]", "late_avg_s");
    await press(page, ".plotted >> text=Line");
    await state(page, "[data-part=chart]", "line");
    equal([...new URL(page.url()).searchParams], [["y", "late_avg_s"], ["kind", "line"]], "the address has what is drawn");
    const [file] = await Promise.all([page.waitForEvent("download"), press(page, "text=CSV")]);
    equal([file.suggestedFilename(), fake.archive.files], ["query.csv", ["csv"]], "the file");
    for (const size of ["phone", "middle", "wide"]) {
      await resize(page, size, "a query");
      if (size !== "middle") await axeInBoth(page, `a query ${size}`);
    }
    equal(await page.locator("[data-part=history] li").count(), 4, "what was asked");
    await page.reload();
    await state(page, QUERY, "idle");
    await press(page, "[data-part=history] li button");
    await state(page, QUERY, "done");
    await press(page, "[data-part=history] >> text=/^Clear$/");
    await state(page, "[data-part=history]", "empty");
    await press(page, "[data-part=toast] button");
    await state(page, "[data-part=history]", "some");
    clean(notes);
    await close();
  }),

  "shows reports of a period, and says where queries are off": (browser) => withFake({ vans: 20 }, async (fake, url) => {
    fake.archive.open = true;
    const { page, notes, close } = await open(browser, `${url}/app/analytics`, { before: noMap });
    await page.waitForSelector("[data-part=refused]");
    ok((await text(page, "[data-part=refused]")).includes("milepost run and a key"), "said what queries need");
    await axe(page, "no queries");
    await press(page, ".report-cards a:has-text('On time by day')");
    await state(page, "[data-part=report]", "some");
    await page.fill("input[name=from]", "2026-03-28");
    await page.fill("input[name=to]", "2026-03-29");
    await page.fill("input[name=vehicle]", "van-00003");
    await press(page, "text=Show report");
    await page.waitForFunction(() => new URL(location.href).searchParams.get("vehicle") === "van-00003");
    await state(page, "[data-part=report]", "some");
    // The day on which Lisbon's clocks went forward ends at eleven in Greenwich.
    for (let i = 0; i < 100 && !fake.archive.asked.at(-1).includes("vehicle"); i++) await page.waitForTimeout(50);
    equal(fake.archive.asked.at(-1), "on_time?from=2026-03-28T00%3A00%3A00.000Z&to=2026-03-29T23%3A00%3A00.000Z&vehicle=van-00003&zone=Europe%2FLisbon", "what was asked");
    const [file] = await Promise.all([page.waitForEvent("download"), press(page, "text=XLSX")]);
    equal(file.suggestedFilename(), "on_time.xlsx", "the file");
    await resize(page, "phone", "a report");
    await axeInBoth(page, "a report, in the hand");
    await resize(page, "wide", "a report");
    await press(page, ".catalogue >> text=Failed deliveries");
    await state(page, "[data-part=report]", "empty");
    clean(notes);
    await close();
  }),

  "draws hexagons, and marks the row that is pressed": (browser) => withFake({ vans: 5 }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/analytics/delay_by_h3`);
    await page.waitForSelector("[data-part=places][data-shapes='40'] .maplibregl-canvas");
    await page.click('.row[aria-rowindex="4"] >> nth=0');
    await page.waitForFunction(() => document.querySelector(".placed .readout")?.textContent?.startsWith("cell 882aa8"));
    await page.selectOption("select[name=shade]", "stops");
    await axe(page, "hexagons");
    clean(notes);
    await close();
  }),

  "cuts no text in a longer language from right to left": (browser) => withFake({ vans: 5 }, async (_fake, url) => {
    const { page, notes, close } = await open(browser, `${url}/app/analytics`, { locale: "ar-XB", before: noMap });
    await state(page, QUERY, "idle");
    await write(page, "SELECT * FROM stops");
    await state(page, QUERY, "done");
    for (const size of ["wide", "middle", "phone"]) {
      await resize(page, size, "from right to left");
      equal(await cut(page), [], `text that is cut, ${size}`);
    }
    equal(await page.evaluate(() => [...document.querySelectorAll(".editor-box, .u-wrap")].map((e) => getComputedStyle(e).direction)), ["ltr", "ltr"], "SQL and charts are not mirrored");
    await press(page, ".opener .btn");
    await page.waitForSelector(".catalogue.over");
    equal(await cut(page), [], "text that is cut, the catalogue");
    await axe(page, "the catalogue from right to left");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".catalogue.over", { state: "detached" });
    clean(notes);
    await close();
  }),
};

/** Against `milepost demo` itself, which answers reports and no queries. */
export const analyticsOfDemo = (url) => ({
  "shows reports, and says that queries need a key": async (browser) => {
    const { page, notes, close } = await open(browser, `${url}/app/analytics`, { before: noMap });
    await page.waitForSelector("[data-part=refused]");
    await press(page, ".report-cards a:has-text('How good ETAs were')");
    await page.waitForFunction(() => ["some", "empty"].includes(document.querySelector("[data-part=report]")?.getAttribute("data-state") ?? ""));
    clean(notes);
    await close();
  },
});
