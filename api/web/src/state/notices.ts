/** What the app says by itself: one toast at a time, and words for screen readers. */
import { signal } from "@preact/signals";

export interface Toast {
  kind: "done" | "failed";
  text: string;
  /** Something small, such as a trace id. */
  small?: string | undefined;
  undo?: (() => void) | undefined;
}
export const toast = signal<Toast | null>(null);
/** A done toast goes after this; a failed one stays until it is closed, milliseconds. */
const SHOWN = 10_000;
let timer: ReturnType<typeof setTimeout> | undefined;

export function show(next: Toast): void {
  clearTimeout(timer);
  toast.value = next;
  if (next.kind === "done") timer = setTimeout(() => close(), SHOWN);
  else urgent.value = next.text;
}
export function close(): void {
  clearTimeout(timer);
  toast.value = null;
}
export function undo(): void {
  const call = toast.value?.undo;
  if (call === undefined) return;
  close();
  call();
}

/** Said when a screen reader has time. */
export const polite = signal("");
/** Said at once: an own action failed, or the connection is lost. */
export const urgent = signal("");
/** At most one polite message in this time, milliseconds; the rest is joined. */
const POLITE_EVERY = 10_000;
let waiting: string[] = [];
let spoken = 0;
let politeTimer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string): void {
  if (!waiting.includes(text)) waiting.push(text);
  if (politeTimer !== undefined) return;
  politeTimer = setTimeout(() => {
    politeTimer = undefined;
    spoken = Date.now();
    polite.value = waiting.slice(-3).join(". ");
    waiting = [];
  }, Math.max(0, spoken + POLITE_EVERY - Date.now()));
}
