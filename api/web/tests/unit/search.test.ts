import { describe, expect, it } from "vitest";
import { type Findable, fits, parse, tokenText } from "../../src/search";

const van: Findable = {
  id: "van-0027", name: "Van 27", status: "late", activity: "moving", place: "foster ave", orders: "o-27-1 o-27-2", stops: "foster ave fleet st",
  lateMinutes: 18, ageSeconds: 4, left: 7, due: [850, 900],
};

function check(text: string, tokens: string, words: string, unknown: string, found: boolean): void {
  const search = parse(text);
  expect(search.tokens.map(tokenText).join(" "), text).toBe(tokens);
  expect(search.words.join(" "), text).toBe(words);
  expect(search.unknown.join(" "), text).toBe(unknown);
  expect(fits(search, van), text).toBe(found);
}

describe("search", () => {
  it("reads tokens and words", () => {
    check("", "", "", "", true);
    check("status:late", "status:late", "", "", true);
    check("STATUS:Late late>10", "status:late late>10", "", "", true);
    check("late>18", "late>18", "", "", false);
    check("late<19 age<10 left:7", "late<19 age<10 left:7", "", "", true);
    check("van 27", "", "van 27", "", true);
    check("Fleet", "", "fleet", "", true);
    check("o-27-2", "", "o-27-2", "", true);
    check("stop:foster order:27-1", "stop:foster order:27-1", "", "", true);
    check("doing:at_stop", "doing:at_stop", "", "", false);
  });
  it("joins tokens of one key by or, keys by and", () => {
    check("status:late status:at_risk", "status:late status:at_risk", "", "", true);
    check("status:at_risk status:no_signal", "status:at_risk status:no_signal", "", "", false);
    check("status:late doing:break", "status:late doing:break", "", "", false);
  });
  it("takes an unknown key as text and says so", () => check("zone:harbor", "", "zone:harbor", "zone", false));
  it("takes a value that means nothing as text", () => {
    check("status:purple", "", "status:purple", "", false);
    check("late>soon", "", "late>soon", "", false);
  });
  it("finds stops due in a span", () => {
    check("due:14:00-14:15", "due:14:00-14:15", "", "", true);
    check("due:14:15-14:30", "due:14:15-14:30", "", "", false);
  });
  it("bounds its text", () => expect(parse("x".repeat(5000)).words[0]).toHaveLength(200));
});
