/** One map: its camera, its layers, and what is under the pointer. */
import { AttributionControl, type GeoJSONSource, type LngLatBoundsLike, Map as MapLibre, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { whenTaken } from "../offline/begin";
import { lastMarkers } from "../state/live";
import { still } from "../state/theme";
import type { Label, Markers } from "../worker/protocol";
import { FLOATS } from "../worker/protocol";
import { mercatorX, mercatorY } from "../worker/markers";
import { VansLayer } from "./layer";
import { addShapes, chooseShape, SHAPE_LAYERS, SHAPE_SOURCE } from "./shapes";
import { addImages, addOverlays, addWords, routeData, type RouteLine, type RouteStop, stopData, wordData } from "./overlays";
import { ATTRIBUTION, style } from "./style";

setWorkerUrl(workerUrl);

/** A press this near to a van means it, pixels; the finger is wider. */
const REACH = 18;
const REACH_TOUCH = 26;
/** A move of a word or line that can be seen, pixels. */
const SEEN = 5;
/** A source is given something again after this, or, where it is slow, after that, milliseconds. */
const HURRY = 400;
/** Words follow their vans this seldom, milliseconds. */
const WORDS_EVERY = 1_900;
const PATIENCE = 8_000;
/** The nearest the map goes. */
const ZOOM_MAX = 18.5;

export type Camera = [lng: number, lat: number, zoom: number];
export type Box = [west: number, south: number, east: number, north: number];

/** Whether the server has tiles; asked once. Where nobody answers some may be kept. */
let tiles: Promise<boolean> | undefined;
function hasTiles(): Promise<boolean> {
  tiles ??= fetch("/v1/map").then((answer) => answer.ok, () => true);
  return tiles;
}

export interface Wanted {
  camera?: Camera | undefined;
  /** Without a camera the map begins with this. */
  box?: Box | undefined;
  vans: boolean;
  /** Of the vans only the chosen one. */
  alone?: boolean;
  /** Rows of an answer can be shown. */
  shapes?: boolean;
  /** Room that floats take at its edges, pixels. */
  padding?: { top: number; right: number; bottom: number; left: number };
}

export class MapView {
  readonly map: MapLibre;
  private readonly vans = new VansLayer();
  private ready = false;
  /** Removed while something was still awaited. */
  private gone = false;
  private untaken: () => void = () => {};
  private chosen: string | null = null;
  private lines: RouteLine[] = [];
  private stops: RouteStop[] = [];
  private words: Label[] = [];
  private shapes: { features: GeoJSON.Feature[]; chosen: number } = { features: [], chosen: -1 };
  private later: ReturnType<typeof setTimeout> | undefined;
  /** When each source was given something last. */
  private readonly given = new Map<string, number>();
  private readonly drawn = { route: "", words: "" };
  onPick: (vehicle: string | null) => void = () => {};
  onHover: (vehicle: string | null) => void = () => {};
  onStop: (stop: string) => void = () => {};
  onShape: (row: number) => void = () => {};
  onMove: (camera: Camera, byPerson: boolean) => void = () => {};
  onReady: () => void = () => {};

  constructor(container: HTMLElement, private readonly wanted: Wanted) {
    const { camera, box } = wanted;
    this.map = new MapLibre({
      container, style: style(false), attributionControl: false, maxZoom: ZOOM_MAX, pitchWithRotate: false,
      dragRotate: false, touchPitch: false, renderWorldCopies: false, fadeDuration: 0, trackResize: true,
      ...(camera === undefined ? {} : { center: [camera[0], camera[1]], zoom: camera[2] }),
      ...(camera === undefined && box !== undefined ? { bounds: box as LngLatBoundsLike, fitBoundsOptions: { padding: this.wanted.padding ?? 56 } } : {}),
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new AttributionControl({ compact: false, customAttribution: ATTRIBUTION }), "bottom-right");
    this.map.on("load", () => void this.load());
    this.map.on("moveend", (event) => {
      const { lng, lat } = this.map.getCenter();
      this.onMove([lng, lat, this.map.getZoom()], event.originalEvent !== undefined);
    });
    this.map.on("click", (event) => this.click(event.point.x, event.point.y, matchMedia("(pointer: coarse)").matches));
    this.map.on("mousemove", (event) => {
      const found = this.vanAt(event.point.x, event.point.y, REACH);
      this.map.getCanvas().style.cursor = found === null ? "" : "pointer";
      this.onHover(found);
    });
    // A tile that fails is asked for again when it is needed; the page says when data stops.
    this.map.on("error", () => {});
  }

  private async load(): Promise<void> {
    const tiled = await hasTiles();
    if (this.gone) return;
    if (tiled) this.map.setStyle(style(true), { diff: false });
    const begin = () => {
      if (this.gone) return;
      addImages(this.map);
      addOverlays(this.map);
      if (this.wanted.shapes === true) addShapes(this.map);
      if (this.wanted.vans) {
        this.vans.still = still.matches;
        this.vans.alone = this.wanted.alone ?? false;
        this.map.addLayer(this.vans);
        if (lastMarkers.markers !== null) this.vans.set(lastMarkers.markers);
      }
      addWords(this.map);
      this.ready = true;
      this.draw();
      this.drawShapes();
      this.onReady();
    };
    if (tiled) this.map.once("style.load", begin);
    else begin();
    // Those that came before the service worker are shown to it once, so that it has them too.
    this.untaken = whenTaken(() => {
      if (tiled && !this.gone) this.map.refreshTiles("roads");
    });
  }

  /** Draws everything in the theme that is shown now. */
  async repaint(): Promise<void> {
    if (!this.ready) return;
    const tiled = await hasTiles();
    if (this.gone) return;
    const base = style(tiled);
    for (const layer of base.layers) {
      for (const [name, value] of Object.entries(layer.paint ?? {})) {
        this.map.setPaintProperty(layer.id, name as Parameters<MapLibre["setPaintProperty"]>[1], value);
      }
    }
    addImages(this.map);
    for (const id of ["words", "stops", "route-proposed", "route-track", "route-done", "route-late", "route-ahead", "route-halo", "vans", ...SHAPE_LAYERS]) {
      if (this.map.getLayer(id) !== undefined) this.map.removeLayer(id);
    }
    for (const id of ["route", "stops", "words"]) this.map.removeSource(id);
    addOverlays(this.map);
    if (this.wanted.shapes === true) {
      this.map.removeSource(SHAPE_SOURCE);
      addShapes(this.map);
    }
    if (this.wanted.vans) this.map.addLayer(this.vans);
    addWords(this.map);
    [this.drawn.route, this.drawn.words] = ["", ""];
    this.given.clear();
    this.draw();
    this.drawShapes();
  }

  /** Shows rows of an answer, one of them marked; -1 marks none. */
  setShapes(features: GeoJSON.Feature[], chosen: number): void {
    const before = this.shapes;
    this.shapes = { features, chosen };
    if (before.features !== features) this.drawShapes();
    else if (before.chosen !== chosen && this.ready) chooseShape(this.map, chosen);
  }

  private drawShapes(): void {
    if (!this.ready || this.wanted.shapes !== true) return;
    void this.map.getSource<GeoJSONSource>(SHAPE_SOURCE)?.setData({ type: "FeatureCollection", features: this.shapes.features });
    chooseShape(this.map, this.shapes.chosen);
  }

  setMarkers(markers: Markers): void {
    this.vans.selected = this.chosen === null ? -1 : lastMarkers.ids.indexOf(this.chosen);
    this.vans.set(markers);
  }

  /** Marks a van; null marks none. */
  choose(vehicle: string | null): void {
    this.chosen = vehicle;
    this.vans.selected = vehicle === null ? -1 : lastMarkers.ids.indexOf(vehicle);
    this.map.triggerRepaint();
  }

  setRoute(lines: RouteLine[], stops: RouteStop[]): void {
    this.lines = lines;
    this.stops = stops;
    this.draw();
  }

  setWords(words: Label[]): void {
    this.words = words;
    this.draw();
  }

  private draw(): void {
    if (!this.ready) return;
    const set = (id: string, data: GeoJSON.FeatureCollection) => {
      const source = this.map.getSource(id);
      if (source !== undefined && "setData" in source) void (source as unknown as { setData(d: GeoJSON.GeoJSON): Promise<void> }).setData(data);
    };
    // What moved less than can be seen is not laid out again: the map's own worker has better to do.
    const grid = (SEEN * 360) / (512 * 2 ** this.map.getZoom());
    const near = (place: readonly number[]) => place.map((v) => Math.round(v / grid)).join();
    const route = JSON.stringify([this.lines.map((l) => [l.kind, l.coordinates.map(near)]), this.stops]);
    if (route !== this.drawn.route && this.free("route") && this.free("stops")) {
      this.drawn.route = route;
      set("route", routeData(this.lines));
      set("stops", stopData(this.stops));
    }
    const words = this.words.map((w) => `${w.id} ${w.status} ${w.lateMinutes} ${Math.round(w.ageSeconds / 60)} ${near([w.lng, w.lat])}`).join();
    if (words !== this.drawn.words && this.free("words", WORDS_EVERY)) {
      this.drawn.words = words;
      set("words", wordData(this.words));
    }
  }

  /** Whether a source has drawn what it was given last: a slow machine is not given more before. */
  private free(id: string, hurry = HURRY): boolean {
    const since = performance.now() - (this.given.get(id) ?? 0);
    if (since < hurry || (since < PATIENCE && !this.map.isSourceLoaded(id))) {
      clearTimeout(this.later);
      this.later = setTimeout(() => this.draw(), HURRY);
      return false;
    }
    this.given.set(id, performance.now());
    return true;
  }

  private click(x: number, y: number, touch: boolean): void {
    const van = this.vanAt(x, y, touch ? REACH_TOUCH : REACH);
    if (van !== null) return this.onPick(van);
    if (this.ready) {
      const stop = this.map.queryRenderedFeatures([x, y], { layers: ["stops"] })[0]?.properties["id"] as string | undefined;
      if (stop !== undefined) return this.onStop(stop);
      const layers = SHAPE_LAYERS.slice(0, 3);
      const row = this.wanted.shapes === true ? this.map.queryRenderedFeatures([[x - 4, y - 4], [x + 4, y + 4]], { layers })[0]?.properties["row"] as number | undefined : undefined;
      if (row !== undefined) return this.onShape(row);
    }
    this.onPick(null);
  }

  /** The van under a place of the screen; problems are meant before calm ones. */
  private vanAt(x: number, y: number, reach: number): string | null {
    const { markers, ids } = lastMarkers;
    if (!this.wanted.vans || markers === null) return null;
    const at = this.map.unproject([x, y]);
    const [px, py] = [mercatorX(at.lng) - markers.origin[0], mercatorY(at.lat) - markers.origin[1]];
    const size = 512 * 2 ** this.map.getZoom();
    const { data } = markers;
    let best = (reach / size) ** 2;
    let found = -1;
    for (let i = 0; i < markers.count; i++) {
      const sprite = data[i * FLOATS + 5]!;
      if (sprite < 0) continue;
      const [dx, dy] = [data[i * FLOATS + 2]! - px, data[i * FLOATS + 3]! - py];
      const far = (dx * dx + dy * dy) * (sprite >= 3 && sprite <= 6 ? 0.5 : 1);
      if (far < best) {
        best = far;
        found = i;
      }
    }
    return found < 0 ? null : (ids[found] ?? null);
  }

  /** Vans that are on the screen, and how many of them are late. */
  inView(): { vans: number; late: number } {
    const { markers } = lastMarkers;
    const counted = { vans: 0, late: 0 };
    if (markers === null) return counted;
    const box = this.map.getBounds();
    const [west, east] = [mercatorX(box.getWest()) - markers.origin[0], mercatorX(box.getEast()) - markers.origin[0]];
    const [north, south] = [mercatorY(box.getNorth()) - markers.origin[1], mercatorY(box.getSouth()) - markers.origin[1]];
    for (let i = 0; i < markers.count; i++) {
      const [x, y, sprite] = [markers.data[i * FLOATS + 2]!, markers.data[i * FLOATS + 3]!, markers.data[i * FLOATS + 5]!];
      if (sprite < 0 || x < west || x > east || y < north || y > south) continue;
      counted.vans++;
      if (sprite === 4) counted.late++;
    }
    return counted;
  }

  fit(box: Box): void {
    const padding = this.wanted.padding ?? 56;
    this.map.fitBounds(box as LngLatBoundsLike, { padding, maxZoom: 16, animate: !still.matches, duration: 400 });
  }
  zoom(by: number): void {
    this.map.zoomTo(this.map.getZoom() + by, { animate: !still.matches, duration: 200 });
  }
  centre(lng: number, lat: number): void {
    this.map.easeTo({ center: [lng, lat], animate: !still.matches, duration: 400 });
  }
  remove(): void {
    clearTimeout(this.later);
    this.untaken();
    this.ready = false;
    this.gone = true;
    this.map.remove();
  }
}
