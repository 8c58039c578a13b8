/** What lies over the base map besides vans: routes, stops and words. */
import type { LayerSpecification, Map as MapLibre } from "maplibre-gl";
import type { Label } from "../worker/protocol";
import type { Tone } from "../status";
import { tone } from "../status";
import { SHAPES, STOP_SHAPES } from "../parts/paths";
import { t } from "../messages/translate";
import { token } from "../state/theme";
import { drawShape, paintOf } from "./atlas";
import { TEXT_STRONG } from "./style";

export type LineKind = "ahead" | "late" | "done" | "proposed" | "track";
export interface RouteLine {
  kind: LineKind;
  coordinates: [number, number][];
}
export interface RouteStop {
  id: string;
  lng: number;
  lat: number;
  tone: Tone;
  /** Its number; none for a stop that is done. */
  text: string;
  moved?: boolean;
}

const LINE_COLORS: Record<LineKind, string> = { ahead: "ink", late: "late", done: "ink3", proposed: "ink", track: "ink" };
const DASHES: Partial<Record<LineKind, number[]>> = { done: [0.1, 2], proposed: [2, 1.4] };

/** Sources and layers of a fresh map. */
export function addOverlays(map: MapLibre): void {
  for (const id of ["route", "stops", "words"]) {
    map.addSource(id, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
  }
  map.addLayer({
    id: "route-halo", type: "line", source: "route", filter: ["!=", ["get", "kind"], "done"],
    layout: { "line-join": "round", "line-cap": "round" }, paint: { "line-color": token("halo"), "line-width": 8 },
  });
  for (const kind of Object.keys(LINE_COLORS) as LineKind[]) map.addLayer(routeLayer(kind));
  map.addLayer({
    id: "stops", type: "symbol", source: "stops",
    layout: {
      "icon-image": ["get", "image"], "icon-allow-overlap": true, "icon-ignore-placement": false,
      "text-field": ["get", "text"], "text-font": TEXT_STRONG, "text-size": 11.5, "text-allow-overlap": true,
      "text-offset": ["case", ["==", ["get", "tone"], "risk"], ["literal", [0, 0.25]], ["literal", [0, 0.02]]],
    },
    paint: { "text-color": ["get", "ink"] },
  });
}

/** The words lie above the vans. */
export function addWords(map: MapLibre): void {
  map.addLayer({
    id: "words", type: "symbol", source: "words",
    layout: {
      "text-field": ["get", "text"], "text-font": TEXT_STRONG, "text-size": 12, "text-anchor": "left",
      "text-justify": "left", "text-offset": [1.9, 0], "icon-image": "word", "icon-text-fit": "both",
      "icon-text-fit-padding": [4, 8, 4, 8], "symbol-sort-key": ["get", "rank"], "text-max-width": 40,
      "text-padding": 4,
    },
    paint: { "text-color": token("ink") },
  });
}

function routeLayer(kind: LineKind): LayerSpecification {
  const dash = DASHES[kind];
  return {
    id: `route-${kind}`, type: "line", source: "route", filter: ["==", ["get", "kind"], kind],
    layout: { "line-join": "round", "line-cap": kind === "proposed" ? "butt" : "round" },
    paint: {
      "line-color": token(LINE_COLORS[kind]), "line-width": kind === "done" ? 3 : 4,
      ...(dash === undefined ? {} : { "line-dasharray": dash }),
    },
  };
}

/** Draws the images of stops and words for the theme that is shown. */
export function addImages(map: MapLibre): void {
  const ratio = Math.ceil(devicePixelRatio);
  const image = (name: string, size: number, draw: (context: CanvasRenderingContext2D) => void) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size * ratio;
    const context = canvas.getContext("2d");
    if (context === null) return;
    context.scale(ratio, ratio);
    context.translate(size / 2, size / 2);
    draw(context);
    if (map.hasImage(name)) map.removeImage(name);
    map.addImage(name, context.getImageData(0, 0, size * ratio, size * ratio), { pixelRatio: ratio });
  };
  const ink = { fill: token("s1"), glyph: token("ink"), outline: token("ink"), halo: token("halo") };
  const shape = (d: string) => [{ d, fill: "fill", stroke: "outline", width: 1.9 } as const];
  image("stop-ok", 32, (c) => drawShape(c, shape(STOP_SHAPES.ok), ink, 24, 1.6));
  image("stop-moved", 32, (c) => drawShape(c, shape(STOP_SHAPES.ok), { ...ink, fill: token("ink") }, 24, 1.6));
  image("stop-risk", 40, (c) => drawShape(c, shape(STOP_SHAPES.risk), paintOf("risk"), 32, 1.6));
  image("stop-late", 36, (c) => drawShape(c, shape(STOP_SHAPES.late), paintOf("late"), 28, 1.6));
  image("stop-done", 24, (c) => drawShape(c, SHAPES.done, paintOf("done"), 18, 1.6));
  image("stop-failed", 28, (c) => drawShape(c, SHAPES.failed, paintOf("failed"), 22, 1.6));
  wordImage(map, ratio);
}

/** The card behind a word, stretched to its text. */
function wordImage(map: MapLibre, ratio: number): void {
  const [size, edge] = [32, 8];
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size * ratio;
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.scale(ratio, ratio);
  context.shadowColor = "rgb(18 22 28 / 26%)";
  context.shadowBlur = 4 * ratio;
  context.shadowOffsetY = ratio;
  context.fillStyle = token("s1");
  context.beginPath();
  context.roundRect(4, 4, size - 8, size - 8, 6);
  context.fill();
  const at = (v: number) => v * ratio;
  if (map.hasImage("word")) map.removeImage("word");
  map.addImage("word", context.getImageData(0, 0, at(size), at(size)), {
    pixelRatio: ratio, stretchX: [[at(edge + 4), at(size - edge - 4)]], stretchY: [[at(edge + 4), at(size - edge - 4)]],
    content: [at(4), at(4), at(size - 4), at(size - 4)],
  });
}

export function routeData(lines: readonly RouteLine[]): GeoJSON.FeatureCollection {
  return {
    type: "FeatureCollection",
    features: lines.filter((line) => line.coordinates.length > 1).map((line) => ({
      type: "Feature", properties: { kind: line.kind },
      geometry: { type: "LineString", coordinates: line.coordinates },
    })),
  };
}

export function stopData(stops: readonly RouteStop[]): GeoJSON.FeatureCollection {
  const features = stops.filter((stop) => Number.isFinite(stop.lng)).map((stop) => {
    const image = stop.moved ? "moved" : stop.tone === "nosignal" || stop.tone === "off" ? "ok" : stop.tone;
    const inked = stop.moved ? token("on-ink") : image === "ok" ? token("ink") : token(`${image}-glyph`);
    const text = image === "done" || image === "failed" ? "" : stop.text;
    return {
      type: "Feature" as const,
      properties: { id: stop.id, image: `stop-${image}`, text, ink: inked || token("ink"), tone: image },
      geometry: { type: "Point" as const, coordinates: [stop.lng, stop.lat] },
    };
  });
  return { type: "FeatureCollection", features };
}

/** `Van 12 · 21 min late`. */
export function wordOf(label: Label): string {
  const { name } = label;
  if (label.status === "no_signal") {
    return t("{name} · no signal {n} min", { name, n: Math.max(1, Math.round(label.ageSeconds / 60)) });
  }
  if (label.status === "late" && label.lateMinutes > 0) return t("{name} · {n} min late", { name, n: label.lateMinutes });
  return name;
}

export function wordData(words: readonly Label[]): GeoJSON.FeatureCollection {
  return {
    type: "FeatureCollection",
    features: words.map((word, rank) => ({
      type: "Feature", properties: { text: wordOf(word), rank, tone: tone(word.status) },
      geometry: { type: "Point", coordinates: [word.lng, word.lat] },
    })),
  };
}
