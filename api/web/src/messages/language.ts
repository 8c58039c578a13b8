/** Which language the app speaks: English, and for tests the two that are none. */
import { speak } from "./translate";

/** Tags of the languages that only test the layout: longer by a third, and from right to left. */
const LONGER = "en-XA";
const FROM_RIGHT = "ar-XB";

/** Takes the browser's language where the app speaks it. */
export async function beginLanguage(tag: string = navigator.language): Promise<void> {
  if (tag !== LONGER && tag !== FROM_RIGHT) return;
  const { Pseudo } = await import("./pseudo");
  speak("en", new Pseudo());
  document.documentElement.dir = tag === FROM_RIGHT ? "rtl" : "ltr";
}
