/** Shapes of an answer on a map: areas, lines and points, stronger where a value is greater. */
import type { ExpressionSpecification, Map as MapLibre } from "maplibre-gl";
import { token } from "../state/theme";

export const SHAPE_SOURCE = "shapes";
/** From the lowest to the highest. */
export const SHAPE_LAYERS = ["shapes-area", "shapes-line", "shapes-point", "shapes-chosen-line", "shapes-chosen-point"];

const by = (faint: number, strong: number): ExpressionSpecification => ["interpolate", ["linear"], ["get", "shade"], 0, faint, 1, strong];
const is = (...kinds: string[]): ExpressionSpecification => ["in", ["geometry-type"], ["literal", kinds]];
const chosen = (row: number, ...kinds: string[]): ExpressionSpecification => ["all", ["==", ["get", "row"], row], is(...kinds)];

/** Source and layers of a fresh map. */
export function addShapes(map: MapLibre): void {
  map.addSource(SHAPE_SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
  const [ink, halo] = [token("ink"), token("halo")];
  map.addLayer({ id: "shapes-area", type: "fill", source: SHAPE_SOURCE, filter: is("Polygon", "MultiPolygon"), paint: { "fill-color": ink, "fill-opacity": by(0.08, 0.72) } });
  map.addLayer({
    id: "shapes-line", type: "line", source: SHAPE_SOURCE, filter: ["!", is("Point", "MultiPoint")],
    layout: { "line-join": "round", "line-cap": "round" }, paint: { "line-color": ink, "line-width": 1.4, "line-opacity": by(0.6, 1) },
  });
  map.addLayer({
    id: "shapes-point", type: "circle", source: SHAPE_SOURCE, filter: is("Point", "MultiPoint"),
    // Many points are seen from afar, few from near.
    paint: {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 10, 2.5, 15, 5.5], "circle-color": ink, "circle-opacity": by(0.15, 0.9),
      "circle-stroke-color": ink, "circle-stroke-width": 1, "circle-stroke-opacity": by(0.45, 0.9),
    },
  });
  map.addLayer({ id: "shapes-chosen-line", type: "line", source: SHAPE_SOURCE, filter: chosen(-1, "Polygon", "MultiPolygon", "LineString", "MultiLineString"), paint: { "line-color": ink, "line-width": 4 } });
  map.addLayer({
    id: "shapes-chosen-point", type: "circle", source: SHAPE_SOURCE, filter: chosen(-1, "Point", "MultiPoint"),
    paint: { "circle-radius": 9, "circle-color": ink, "circle-stroke-color": halo, "circle-stroke-width": 3 },
  });
}

/** Marks the shape of a row; -1 marks none. */
export function chooseShape(map: MapLibre, row: number): void {
  map.setFilter("shapes-chosen-line", chosen(row, "Polygon", "MultiPolygon", "LineString", "MultiLineString"));
  map.setFilter("shapes-chosen-point", chosen(row, "Point", "MultiPoint"));
}
