/** What a map draws of an answer: rows with a latitude and a longitude, or with a shape in WKT. */
import type { Answer, Cell } from "../api/analytics";
import { type Column, isPlace } from "./cells";

/** Shapes of one map; the rest is left out, and that is said. */
export const SHAPES_MAX = 10_000;

/** Where rows say where they are. */
export type Whereabouts = { shape: Column } | { lat: Column; lng: Column };

/** The columns that place a row: a shape, else the first latitude with its longitude. */
export function whereabouts(columns: readonly Column[]): Whereabouts | null {
  const shape = columns.find((c) => c.kind === "shape");
  if (shape !== undefined) return { shape };
  for (const lat of columns.filter((c) => isPlace(c) && /lat/.test(c.name))) {
    const lng = columns.find((c) => isPlace(c) && c.name === lat.name.replace(/latitude$/, "longitude").replace(/lat$/, "lng"));
    if (lng !== undefined) return { lat, lng };
  }
  return null;
}

type Geometry = GeoJSON.Point | GeoJSON.LineString | GeoJSON.Polygon | GeoJSON.MultiPoint | GeoJSON.MultiLineString | GeoJSON.MultiPolygon;
const TYPES: Record<string, Geometry["type"]> = {
  POINT: "Point", LINESTRING: "LineString", POLYGON: "Polygon", MULTIPOINT: "MultiPoint", MULTILINESTRING: "MultiLineString", MULTIPOLYGON: "MultiPolygon",
};
/** How many brackets stand around a position. */
const DEPTH: Record<Geometry["type"], number> = { Point: 0, LineString: 1, MultiPoint: 1, Polygon: 2, MultiLineString: 2, MultiPolygon: 3 };

/** A shape of well-known text, longitude first (OGC 06-103r4); null: it is none. */
export function fromWkt(text: string): Geometry | null {
  const [, word = "", body = ""] = /^\s*([A-Z]+)\s*(\(.*\))\s*$/is.exec(text) ?? [];
  const type = TYPES[word.toUpperCase()];
  if (type === undefined) return null;
  const position = (numbers: string) => `[${numbers.trim().split(/\s+/).slice(0, 2).join(",")}]`;
  const json = body.replaceAll("(", "[").replaceAll(")", "]").replace(/[-+\d.eE]+(?:\s+[-+\d.eE]+)+/g, position);
  try {
    const coordinates = bare(type, JSON.parse(json));
    return places(coordinates, DEPTH[type]) ? { type, coordinates } as Geometry : null;
  } catch {
    return null;
  }
}

/** A point stands in brackets that are no list, and each of many points may. */
function bare(type: Geometry["type"], value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  if (type === "Point") return value[0];
  return type === "MultiPoint" ? value.map((p: unknown) => (Array.isArray(p) && Array.isArray(p[0]) ? p[0] as unknown : p)) : value;
}

function places(value: unknown, depth: number): boolean {
  if (!Array.isArray(value) || value.length === 0) return false;
  if (depth > 0) return value.every((inner) => places(inner, depth - 1));
  return value.length === 2 && value.every((n) => typeof n === "number" && Number.isFinite(n));
}

function geometry(row: Cell[], where: Whereabouts): Geometry | null {
  if ("shape" in where) {
    const text = row[where.shape.index];
    return typeof text === "string" ? fromWkt(text) : null;
  }
  const [lat, lng] = [row[where.lat.index], row[where.lng.index]];
  if (typeof lat !== "number" || typeof lng !== "number" || Math.abs(lat) > 90 || Math.abs(lng) > 180) return null;
  return { type: "Point", coordinates: [lng, lat] };
}

export interface Shapes {
  /** Each row that is somewhere, with its number and how strongly it is drawn, 0 to 1. */
  features: GeoJSON.Feature[];
  /** Rows that were left out. */
  left: number;
  /** Least and greatest value; empty where there is none. */
  range: number[];
}

export function shapes(answer: Answer, where: Whereabouts, shade: Column | null): Shapes {
  const values = shade === null ? [] : answer.rows.map((row) => row[shade.index]).filter((v): v is number => typeof v === "number");
  const [least, most] = values.reduce<[number, number]>(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const strong = (row: Cell[]): number => {
    const value = shade === null ? undefined : row[shade.index];
    return typeof value === "number" && most > least ? (value - least) / (most - least) : shade === null ? 1 : 0;
  };
  const features: GeoJSON.Feature[] = [];
  let left = 0;
  answer.rows.forEach((row, i) => {
    const found = geometry(row, where);
    if (found === null) return;
    if (features.length === SHAPES_MAX) left++;
    else features.push({ type: "Feature", properties: { row: i, shade: strong(row) }, geometry: found });
  });
  return { features, left, range: values.length === 0 ? [] : [least, most] };
}

/** All positions of a shape. */
export function positions(of: GeoJSON.Geometry): [number, number][] {
  if (of.type === "GeometryCollection") return of.geometries.flatMap(positions);
  const flat = (value: unknown): [number, number][] =>
    Array.isArray(value) ? (typeof value[0] === "number" ? [value as [number, number]] : value.flatMap(flat)) : [];
  return flat(of.coordinates);
}
