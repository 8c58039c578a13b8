/** How the map looks: our own tiles, muted, in the colours of the theme that is shown. */
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from "maplibre-gl";
import { token } from "../state/theme";

/** Highest zoom that the server makes tiles for; nearer ones are drawn from these. */
const TILES_ZOOM = 14;
export const ATTRIBUTION = "© OpenStreetMap contributors";
export const TEXT = ["Milepost Medium"];
export const TEXT_STRONG = ["Milepost Semibold"];

interface Roads {
  id: string;
  classes: string[];
  from: number;
  /** Width in pixels at zooms 8, 12, 15 and 18. */
  widths: [number, number, number, number];
  /** Zoom from which names are shown. */
  names: number;
}
/** From the smallest to the largest, as they are drawn. */
const ROADS: Roads[] = [
  { id: "path", classes: ["path", "footway", "cycleway", "steps", "track", "pedestrian"], from: 15, widths: [0, 0, 1.2, 4], names: 17 },
  { id: "service", classes: ["service"], from: 13, widths: [0, 0.4, 2.2, 8], names: 16 },
  { id: "street", classes: ["residential", "living_street", "unclassified", "road", "other"], from: 11, widths: [0, 0.9, 5, 17], names: 14.6 },
  { id: "tertiary", classes: ["tertiary"], from: 9, widths: [0.3, 1.5, 7, 20], names: 13.6 },
  { id: "secondary", classes: ["secondary"], from: 7, widths: [0.5, 2.1, 8, 23], names: 12.8 },
  { id: "primary", classes: ["primary"], from: 5, widths: [0.8, 2.8, 9.5, 26], names: 12.4 },
  { id: "motorway", classes: ["motorway", "trunk"], from: 3, widths: [1.1, 3.6, 11, 30], names: 10 },
];

/** The whole style. Without tiles the land is plain. */
export function style(tiles: boolean): StyleSpecification {
  const layers: LayerSpecification[] = [
    { id: "land", type: "background", paint: { "background-color": token("map-land") } },
  ];
  if (tiles) {
    layers.push(area("water", 0), area("park", 9), area("building", 14));
    for (const road of ROADS) layers.push(line(road, true));
    for (const road of ROADS) layers.push(line(road, false));
    for (const road of ROADS) layers.push(names(road));
  }
  return {
    version: 8,
    sources: tiles ? { roads: {
      type: "vector", tiles: [`${location.origin}/tiles/{z}/{x}/{y}.mvt`], minzoom: 0, maxzoom: TILES_ZOOM,
    } } : {},
    layers,
  };
}

function area(kind: "water" | "park" | "building", from: number): LayerSpecification {
  return {
    id: kind, type: "fill", source: "roads", "source-layer": "areas", minzoom: from,
    filter: ["==", ["get", "kind"], kind], paint: { "fill-color": token(`map-${kind}`) },
  };
}

function line(road: Roads, casing: boolean): LayerSpecification {
  const large = road.id === "motorway";
  const color = casing ? (large ? "map-motorway-casing" : "map-casing") : (large ? "map-motorway" : "map-road");
  return {
    id: `${casing ? "casing" : "road"}-${road.id}`, type: "line", source: "roads", "source-layer": "roads",
    minzoom: road.from, filter: ["in", ["get", "class"], ["literal", road.classes]],
    layout: { "line-cap": casing ? "butt" : "round", "line-join": "round" },
    paint: { "line-color": token(color), "line-width": width(road, casing ? (large ? 2 : 1.4) : 0) },
  };
}

function width(road: Roads, more: number): ExpressionSpecification {
  const [far, middle, near, nearest] = road.widths;
  const at = (w: number) => (w === 0 ? 0 : w + more);
  return ["interpolate", ["exponential", 1.4], ["zoom"], 8, at(far), 12, at(middle), 15, at(near), 18, at(nearest)];
}

function names(road: Roads): LayerSpecification {
  return {
    id: `name-${road.id}`, type: "symbol", source: "roads", "source-layer": "roads", minzoom: road.names,
    filter: ["all", ["in", ["get", "class"], ["literal", road.classes]], ["has", "name"]],
    layout: {
      "symbol-placement": "line", "text-field": ["get", "name"], "text-font": TEXT, "text-size": 11.5,
      "symbol-spacing": 900, "text-padding": 8, "text-max-angle": 32,
    },
    paint: {
      "text-color": token("map-label"), "text-halo-color": token("map-halo"), "text-halo-width": 1.5,
    },
  };
}
