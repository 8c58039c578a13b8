/** Speed over the day, with the moment that is shown. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clock, speed } from "../../format";
import { t } from "../../messages/translate";
import { theme, token } from "../../state/theme";
import { speeds, type Track } from "../../track";

const HEIGHT = 118;

export function SpeedChart({ track, at, pick }: { track: Track; at: number; pick: (at: number) => void }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shown = useRef(at);
  shown.current = at;
  const dark = theme.value;
  useEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    const data: uPlot.AlignedData = [track.times.map((time) => time / 1000), speeds(track)];
    const axis = { stroke: token("ink3"), grid: { stroke: token("line"), width: 1 }, ticks: { show: false }, font: "12px Inter Variable" };
    const made = new uPlot({
      width: element.clientWidth, height: HEIGHT, legend: { show: false }, padding: [10, 12, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { show: false }, x: true, y: false },
      scales: { x: { time: false } },
      axes: [
        { ...axis, values: (_plot, splits) => splits.map((s) => clock(s * 1000)), space: 80 },
        { ...axis, values: (_plot, splits) => splits.map((s) => speed(s)), size: 64, space: 30 },
      ],
      series: [{}, { stroke: token("ink"), width: 1.4, fill: token("s3"), spanGaps: false, points: { show: false } }],
      hooks: { draw: [(drawn) => {
        const x = drawn.valToPos(shown.current / 1000, "x", true);
        drawn.ctx.fillStyle = token("ink");
        drawn.ctx.fillRect(x - devicePixelRatio, drawn.bbox.top, 2 * devicePixelRatio, drawn.bbox.height);
      }] },
    }, data, element);
    const press = (event: PointerEvent) => {
      if (event.type === "pointermove" && event.buttons === 0) return;
      const left = event.clientX - made.over.getBoundingClientRect().left;
      pick(made.posToVal(left, "x") * 1000);
    };
    made.over.addEventListener("pointerdown", press);
    made.over.addEventListener("pointermove", press);
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    plot.current = made;
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [track, dark]);
  useEffect(() => plot.current?.redraw(false), [at]);
  return <div class="speed-chart" ref={host} role="img" aria-label={t("Speed over the day")} />;
}
