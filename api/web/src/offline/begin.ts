/** Brings the service worker in, once the page itself has loaded. */

/** Calls when the service worker first takes this page, so that it sees what was loaded before it. */
export function whenTaken(call: () => void): () => void {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (container === undefined || container.controller !== null) return () => {};
  container.addEventListener("controllerchange", call, { once: true });
  return () => container.removeEventListener("controllerchange", call);
}

export function beginOffline(): void {
  // Browsers have none on an origin that is not secure; the development server's files change.
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return;
  const begin = () => void navigator.serviceWorker.register("/app/sw.js", { scope: "/app/" }).catch(() => {
    // Not allowed in this browser: the app then opens with a network only.
  });
  if (document.readyState === "complete") begin();
  else addEventListener("load", begin, { once: true });
}
