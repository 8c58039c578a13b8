/** A map with what it is given, for screens other than Live. */
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../messages/translate";
import { Icon } from "../parts/shape";
import { positions } from "../analytics/places";
import { bounds, lastMarkers, onMarkers } from "../state/live";
import { theme } from "../state/theme";
import type { Label } from "../worker/protocol";
import { NoMap, drawable } from "./drawable";
import type { RouteLine, RouteStop } from "./overlays";
import { type Box, MapView } from "./view";

export interface PlainProps {
  label: string;
  lines: RouteLine[];
  stops: RouteStop[];
  words?: Label[];
  /** Shows the vans, this one marked. */
  chosen?: string | null;
  /** The map fits to its content again when this changes. */
  subject: string;
  onStop?: (stop: string) => void;
  /** Rows of an answer, each with its number as `row`, and the one that is marked; -1 for none. */
  shapes?: { features: GeoJSON.Feature[]; chosen: number; onPick: (row: number) => void };
}

/** The box around lines, stops and words. */
function around(props: PlainProps): Box | undefined {
  const points = [
    ...props.lines.flatMap((line) => line.coordinates), ...props.stops.map((s) => [s.lng, s.lat] as const),
    ...(props.words ?? []).map((w) => [w.lng, w.lat] as const), ...(props.shapes?.features ?? []).flatMap((f) => positions(f.geometry)),
  ].filter(([lng, lat]) => Number.isFinite(lng) && Number.isFinite(lat));
  if (points.length === 0) return bounds.peek();
  const [xs, ys] = [points.map((p) => p[0]!), points.map((p) => p[1]!)];
  const pad = 0.002;
  const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b)) - pad;
  const most = (values: number[]) => values.reduce((a, b) => Math.max(a, b)) + pad;
  return [least(xs), least(ys), most(xs), most(ys)];
}

export function PlainMap(props: PlainProps) {
  return drawable() ? <Drawn {...props} /> : <NoMap />;
}

function Drawn(props: PlainProps) {
  const host = useRef<HTMLDivElement>(null);
  const held = useRef<MapView | null>(null);
  const fitted = useRef("");
  const draw = () => {
    const view = held.current;
    if (view === null) return;
    view.setRoute(props.lines, props.stops);
    view.setWords(props.words ?? []);
    view.choose(props.chosen ?? null);
    view.onStop = props.onStop ?? (() => {});
    if (props.shapes !== undefined) {
      view.onShape = props.shapes.onPick;
      view.setShapes(props.shapes.features, props.shapes.chosen);
    }
    if (fitted.current === props.subject) return;
    const box = around(props);
    const empty = props.lines.length + props.stops.length + (props.words?.length ?? 0) + (props.shapes?.features.length ?? 0) === 0;
    if (box === undefined || empty) return;
    fitted.current = props.subject;
    view.fit(box);
  };
  useEffect(() => {
    if (host.current === null) return undefined;
    const box = around(props);
    const vans = props.chosen !== undefined;
    const view = new MapView(host.current, { vans, alone: true, shapes: props.shapes !== undefined, ...(box === undefined ? {} : { box }), padding: { top: 48, right: 64, bottom: 40, left: 48 } });
    held.current = view;
    const markers = (m: Parameters<MapView["setMarkers"]>[0]) => view.setMarkers(m);
    if (vans) {
      onMarkers.add(markers);
      if (lastMarkers.markers !== null) view.setMarkers(lastMarkers.markers);
    }
    let first = true;
    const paint = effect(() => {
      void theme.value;
      if (first) first = false;
      else void view.repaint();
    });
    draw();
    return () => {
      paint();
      onMarkers.delete(markers);
      view.remove();
      held.current = null;
    };
  }, []);
  useEffect(draw);
  return (
    <div class="map-pane" data-part="map">
      <div class="map" ref={host} role="region" aria-label={props.label} />
      <div class="controls">
        <div class="float">
          <button type="button" aria-label={t("Zoom in")} onClick={() => held.current?.zoom(1)}><Icon name="plus" /></button>
          <button type="button" aria-label={t("Zoom out")} onClick={() => held.current?.zoom(-1)}><Icon name="minus" /></button>
        </div>
      </div>
    </div>
  );
}
