// run.js [URL] [WORD]: all browser tests, in a few browsers at once; with URL (or MILEPOST_URL) also those
// against a running demo. WORD: only tests whose name has it.
import { launch } from "./harness.js";
import { analytics, analyticsOfDemo } from "./analytics.js";
import { board } from "./board.js";
import { languages, languagesOfPage } from "./languages.js";
import { live } from "./live.js";
import { offline, offlinePage } from "./offline.js";
import { others, real } from "./others.js";
import { vehicle } from "./vehicle.js";

/** Browsers at work at once: most of a test is waiting, but a map is drawn by the processor. */
const LANES = 2;

const args = process.argv.slice(2);
const url = (args.find((a) => a.startsWith("http")) ?? process.env.MILEPOST_URL)?.replace(/\/$/, "");
const word = args.find((a) => !a.startsWith("http"));
const suites = { live, vehicle, board, analytics, offline, languages, others, ...(url === undefined ? {} : { demo: { ...real(url), ...offlinePage(url), ...languagesOfPage(url), ...analyticsOfDemo(url) } }) };

/** Every test that is asked for, in order. */
const waiting = Object.entries(suites)
  .flatMap(([suite, tests]) => Object.entries(tests).map(([name, test]) => ({ name: `${suite} ${name}`, test })))
  .filter(({ name }) => word === undefined || name.includes(word));
let [passed, failed] = [0, 0];

/** Takes one test after another, in a browser of its own. */
async function lane() {
  const browser = await launch();
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const begun = performance.now();
    try {
      await next.test(browser);
      passed++;
      console.log(`ok      ${next.name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${next.name}\n    ${error.message.split("\n").slice(0, 12).join("\n    ")}`);
      for (const context of browser.contexts()) await context.close();
    }
  }
  await browser.close();
}
await Promise.all(Array.from({ length: LANES }, lane));
console.log(`${passed} passed, ${failed} failed`);
if (url === undefined) console.log("skipped: the tests against a running demo; give its address");
process.exit(failed === 0 ? 0 : 1);
