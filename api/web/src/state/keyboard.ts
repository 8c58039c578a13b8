/** Single keys, which work outside inputs only and can be switched off. */
import { signal } from "@preact/signals";
import { go } from "./address";
import { undo } from "./notices";

const KEY = "milepost-keys";
function stored(): boolean {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}
export const enabled = signal(stored());
export const help = signal(false);

export function enable(on: boolean): void {
  enabled.value = on;
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

/** A screen's own keys; true when it did something. */
export type Handler = (key: string, event: KeyboardEvent) => boolean;
const handlers: Handler[] = [];
/** Adds a screen's keys; the newest is asked first. */
export function onKey(handler: Handler): () => void {
  handlers.unshift(handler);
  return () => {
    const at = handlers.indexOf(handler);
    if (at >= 0) handlers.splice(at, 1);
  };
}

const PLACES: Record<string, string> = { l: "/", e: "/exceptions", p: "/routes", o: "/messages", a: "/analytics", s: "/settings/devices" };
/** How long `G` waits for its second key, milliseconds. */
const SECOND_KEY = 1_500;
let going = 0;

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

export function beginKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const inField = typing(event.target);
    const { key } = event;
    if (key !== "Escape" && (inField || !enabled.value)) return;
    if (handled(key, event, inField)) event.preventDefault();
  });
}

function handled(key: string, event: KeyboardEvent, inField: boolean): boolean {
  if (Date.now() - going < SECOND_KEY) {
    going = 0;
    const place = PLACES[key.toLowerCase()];
    if (place !== undefined) {
      go(place);
      return true;
    }
  }
  if (key === "Escape" && help.value) {
    help.value = false;
    return true;
  }
  for (const handler of handlers) if (handler(inField ? `field:${key}` : key, event)) return true;
  switch (key) {
    case "g": case "G":
      going = Date.now();
      return true;
    case "?":
      help.value = !help.value;
      return true;
    case "z": case "Z":
      undo();
      return true;
    case "/": {
      const box = document.querySelector<HTMLInputElement>("[data-search]");
      box?.focus();
      return box !== null;
    }
    default: return false;
  }
}
