/** Where the person is: path and query of the address, so that a reload or a shared link shows the same. */
import { computed, signal } from "@preact/signals";

const BASE = "/app";

function read(): URL {
  return new URL(location.href);
}
const url = signal(read());
addEventListener("popstate", () => {
  url.value = read();
});

/** Path below the app: `/`, `/van/van-17`. */
export const path = computed(() => {
  const inside = url.value.pathname.slice(BASE.length);
  return inside === "" ? "/" : inside.replace(/\/+$/, "") || "/";
});

/** The parts of the path. */
export const parts = computed(() => path.value.split("/").filter((part) => part !== "").map(decodeURIComponent));

/** One parameter of the query; empty when absent. */
export function param(name: string): string {
  return url.value.searchParams.get(name) ?? "";
}

/** The address of a place of the app. The camera and search of the map stay with it. */
export function href(to: string): string {
  return BASE + to;
}

/** Goes to a place of the app. */
export function go(to: string): void {
  const next = new URL(BASE + to, location.origin);
  if (next.href === url.value.href) return;
  history.pushState(null, "", next);
  url.value = next;
}

/** Changes parameters in place; an empty one goes. */
export function put(changes: Record<string, string>): void {
  const next = new URL(url.value);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") next.searchParams.delete(name);
    else next.searchParams.set(name, value);
  }
  if (next.href === url.value.href) return;
  history.replaceState(null, "", next);
  url.value = next;
}

/** A link inside the app is followed without loading the page anew. */
export function followLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || link.target !== "" || link.origin !== location.origin) return;
    if (link.pathname !== BASE && !link.pathname.startsWith(`${BASE}/`)) return;
    event.preventDefault();
    go(link.pathname.slice(BASE.length) + link.search);
  });
}
