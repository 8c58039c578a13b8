import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { Pseudo } from "../../src/messages/pseudo";
import { speak, t } from "../../src/messages/translate";

afterEach(() => speak("en", new Map()));

describe("messages", () => {
  it("fill in parameters and plurals", () => {
    expect(t("{n, plural, one {# van} other {# vans}}", { n: 1 })).toBe("1 van");
    expect(t("{n, plural, =0 {no van} one {# van} other {# vans}}", { n: 0 })).toBe("no van");
    expect(t("{name} has {n, plural, one {# stop} other {# stops}} left", { name: "Van 3", n: 4 })).toBe("Van 3 has 4 stops left");
  });
  it("refuse a parameter that is missing", () => expect(() => t("{who} left")).toThrow("who"));
  it("speak another language where it has the sentence", () => {
    speak("pl", new Map([["{n, plural, one {# van} other {# vans}}", "{n, plural, one {# furgonetka} few {# furgonetki} other {# furgonetek}}"]]));
    const vans = (n: number) => t("{n, plural, one {# van} other {# vans}}", { n });
    expect([vans(1), vans(3), vans(5)]).toEqual(["1 furgonetka", "3 furgonetki", "5 furgonetek"]);
    expect(t("Late")).toBe("Late");
  });
});

describe("the language that is none", () => {
  it("lengthens every sentence and leaves its places alone", () => {
    speak("en", new Pseudo());
    expect(t("Late")).toBe("Làtë··");
    expect(t("{n, plural, one {# van} other {# vans}}", { n: 2 })).toBe("2 vàñs··");
    expect(t("{name} has {n, plural, one {# stop} other {# stops}} left", { name: "Van 3", n: 4 })).toBe("Van 3 hàs 4 stöps·· lëft···");
  });
});

describe("the source", () => {
  const root = fileURLToPath(new URL("../../src", import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((f) => /\.(tsx?|css)$/.test(f) && !f.endsWith("schema.d.ts"));
  it("has no file over 400 lines", () => {
    for (const file of files) expect(readFileSync(join(root, file), "utf8").split("\n").length, file).toBeLessThanOrEqual(400);
  });
  it("has no `any` and no address of another host", () => {
    for (const file of files) {
      const text = readFileSync(join(root, file), "utf8");
      expect(text, file).not.toMatch(/[:<]\s*any\s*[,;)\]>=|[]|\bas any\b/);
      expect([...text.matchAll(/https?:\/\/(?!www\.w3\.org)[\w.]+/g)].map((m) => m[0]), file).toEqual([]);
    }
  });
  it("has whole sentences as keys that parse", () => {
    let found = 0;
    for (const file of files.filter((f) => f.endsWith(".tsx") || f.endsWith(".ts"))) {
      for (const [, key = ""] of readFileSync(join(root, file), "utf8").matchAll(/\bt\("((?:[^"\\]|\\.)*)"/g)) {
        const names = [...key.matchAll(/\{(\w+)(?=[,}])/g)].map((m) => m[1]!);
        const params = Object.fromEntries(names.map((name) => [name, 2]));
        expect(() => t(key, params), key).not.toThrow();
        found++;
      }
    }
    expect(found).toBeGreaterThan(150);
  });
});
