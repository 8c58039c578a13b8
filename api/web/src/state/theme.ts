/** Light or dark: the system's choice unless the person made one. */
import { computed, effect, signal } from "@preact/signals";

export type Choice = "system" | "light" | "dark";
const KEY = "milepost-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(dark.matches);
dark.addEventListener("change", () => {
  systemDark.value = dark.matches;
});

function stored(): Choice {
  try {
    const text = localStorage.getItem(KEY);
    return text === "light" || text === "dark" ? text : "system";
  } catch {
    return "system";
  }
}
export const choice = signal<Choice>(stored());
export const theme = computed<"light" | "dark">(() =>
  choice.value === "system" ? (systemDark.value ? "dark" : "light") : choice.value);

export function choose(next: Choice): void {
  choice.value = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

/** Keeps the page in the chosen theme. */
export function beginTheme(): void {
  effect(() => {
    document.documentElement.dataset["theme"] = theme.value;
  });
}

/** A colour or size of the theme that is shown, by its name in tokens.css. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export type Layout = "wide" | "middle" | "phone";
const wide = matchMedia("(min-width: 1280px)");
const phone = matchMedia("(max-width: 719px)");
const measure = (): Layout => (phone.matches ? "phone" : wide.matches ? "wide" : "middle");
export const layout = signal<Layout>(measure());
for (const query of [wide, phone]) {
  query.addEventListener("change", () => {
    layout.value = measure();
  });
}
export const still = matchMedia("(prefers-reduced-motion: reduce)");
