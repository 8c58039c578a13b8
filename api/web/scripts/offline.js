// A step of the build: tells the service worker which files there are, and names the build by them.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const WORKER = "sw.js";

/** All files below a folder, as paths from it, sorted. */
function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1).replaceAll("\\", "/"))
    .sort();
}

export function offline() {
  let folder = "";
  return {
    name: "offline",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      const all = files(folder).filter((path) => path !== WORKER);
      const digest = createHash("sha256");
      for (const path of all) digest.update(`${path}\n`).update(readFileSync(join(folder, path)));
      const place = join(folder, WORKER);
      const text = readFileSync(place, "utf8");
      const paths = JSON.stringify(all.filter((path) => path !== "index.html").map((path) => `/app/${path}`));
      for (const mark of ["__FILES__", "__BUILD__"]) {
        if (!text.includes(mark)) throw new Error(`${WORKER} has no ${mark} to fill in`);
      }
      const filled = text.replace(/JSON\.parse\([`"']__FILES__[`"']\)/, () => paths).replace("__BUILD__", digest.digest("hex").slice(0, 16));
      if (filled.includes("__FILES__")) throw new Error(`the list of files did not go into ${WORKER}`);
      writeFileSync(place, filled);
    },
  };
}
