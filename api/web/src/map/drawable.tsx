// Where no map can be drawn, the screen says so and the rest of it goes on.
import type { ComponentChildren } from "preact";
import { t } from "../messages/translate";

let able: boolean | undefined;

/** Whether this browser draws maps: WebGL 2 is there and may be used. */
export function drawable(): boolean {
  if (able === undefined) {
    const context = document.createElement("canvas").getContext("webgl2");
    able = context !== null;
    context?.getExtension("WEBGL_lose_context")?.loseContext();
  }
  return able;
}

/** In place of a map; what floats over the map goes in it. */
export function NoMap({ children }: { children?: ComponentChildren }) {
  return (
    <div class="map-pane" data-part="map" data-state="none">
      <div class="empty">
        <b>{t("The map cannot be drawn here.")}</b>
        <span>{t("This browser has no WebGL 2, or it is switched off. Everything else goes on.")}</span>
      </div>
      {children}
    </div>
  );
}
