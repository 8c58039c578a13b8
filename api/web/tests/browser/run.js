// run.js [URL] [WORD]: all browser tests, one after another; with URL (or MILEPOST_URL) also those
// against a running demo. WORD: only tests whose name has it.
import { launch } from "./harness.js";
import { board } from "./board.js";
import { languages, languagesOfPage } from "./languages.js";
import { live } from "./live.js";
import { offline, offlinePage } from "./offline.js";
import { others, real } from "./others.js";
import { vehicle } from "./vehicle.js";

const args = process.argv.slice(2);
const url = (args.find((a) => a.startsWith("http")) ?? process.env.MILEPOST_URL)?.replace(/\/$/, "");
const word = args.find((a) => !a.startsWith("http"));
const suites = { live, vehicle, board, offline, languages, others, ...(url === undefined ? {} : { demo: { ...real(url), ...offlinePage(url), ...languagesOfPage(url) } }) };

const browser = await launch();
let [passed, failed] = [0, 0];
for (const [suite, tests] of Object.entries(suites)) {
  for (const [name, test] of Object.entries(tests)) {
    const full = `${suite} ${name}`;
    if (word !== undefined && !full.includes(word)) continue;
    const begun = performance.now();
    try {
      await test(browser);
      passed++;
      console.log(`ok      ${full} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${full}\n    ${error.message.split("\n").slice(0, 12).join("\n    ")}`);
      for (const context of browser.contexts()) await context.close();
    }
  }
}
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
if (url === undefined) console.log("skipped: the tests against a running demo; give its address");
process.exit(failed === 0 ? 0 : 1);
