/** An answer as a chart: what stands along, what stands up, as a line or as bars. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Column, isShare } from "../../analytics/cells";
import { type Choice, draw, type Drawn, LINES_MAX, pers, xs, ys } from "../../analytics/series";
import type { Answer } from "../../api/analytics";
import { clock, day, dayShort, decimals, percentTenth, precise } from "../../format";
import { t } from "../../messages/translate";
import { put } from "../../state/address";
import { zone } from "../../state/live";
import { theme, token } from "../../state/theme";

/** Lines are told apart by grey and dashes; colour means status. */
const LOOKS: { stroke: string; dash: number[] }[] = [
  { stroke: "ink", dash: [] }, { stroke: "ink3", dash: [] }, { stroke: "ink", dash: [7, 4] }, { stroke: "ink3", dash: [7, 4] }, { stroke: "ink", dash: [2, 3] }, { stroke: "ink3", dash: [2, 3] },
];
/** With so few bars each one says its value. */
const SAID_MAX = 16;
/** Most characters of a word on the axis, and the room of one character and between words, pixels. */
const WORD_MAX = 13;
const LETTER = 7;
const BETWEEN = 14;
const DAY = 86_400;

/** A value as it is said. */
const worded = (value: number, y: Column, places: number): string => (isShare(y) && value >= 0 && value <= 1 ? percentTenth(value) : decimals(value, places, true));
const short = (word: string): string => (word.length > WORD_MAX ? `${word.slice(0, WORD_MAX - 1)}…` : word);
/** Decimals of the values that are drawn: the same for all. */
const placesOf = (drawn: Drawn, y: Column): number => (drawn.series.every((s) => s.ys.every((v) => v === null || Number.isInteger(v))) ? 0 : Math.max(1, Math.min(2, y.decimals)));

function options(drawn: Drawn, choice: Choice, size: { width: number; height: number }, tell: (index: number | null) => void): uPlot.Options {
  const { words } = drawn;
  const bars = choice.kind === "bar";
  const axis = { stroke: token("ink3"), grid: { stroke: token("line"), width: 1 }, ticks: { show: false }, font: "12px Inter Variable" };
  const span = (drawn.xs[drawn.xs.length - 1] ?? 0) - (drawn.xs[0] ?? 0);
  const dated = choice.x.kind === "date";
  const along = (at: number) => (drawn.time ? (dated || span > 4 * DAY ? (dated ? dayShort(at * 1000, "UTC") : day(at * 1000)) : clock(at * 1000)) : decimals(at, choice.x.decimals, true));
  const room = Math.min(WORD_MAX, (words ?? []).reduce((most, word) => Math.max(most, word.length), 1)) * LETTER + BETWEEN;
  const step = words === null ? 1 : Math.ceil((words.length * room) / Math.max(1, size.width - 72));
  return {
    ...size, legend: { show: false }, padding: [18, 26, 0, 0],
    cursor: { drag: { x: false, y: false }, points: { size: 8 }, y: false },
    ...(drawn.time ? { tzDate: (at: number) => uPlot.tzDate(new Date(at * 1000), dated || zone.value === "" ? "Etc/UTC" : zone.value) } : {}),
    scales: {
      x: { time: drawn.time, ...(bars ? { range: (_plot: uPlot, least: number, most: number) => { const half = halfBar(drawn); return [least - half, most + half]; } } : {}) },
      y: { range: (_plot: uPlot, least: number | null, most: number | null) => (bars ? [Math.min(0, least ?? 0), Math.max(0, most ?? 1) * 1.08 || 1] : uPlot.rangeNum(least ?? 0, most ?? 1, 0.08, true)) },
    },
    axes: [
      words === null
        ? { ...axis, size: 32, grid: { show: false }, space: 84, values: (_plot, splits) => splits.map(along), ...(dated && drawn.xs.length < 12 ? { splits: () => drawn.xs } : {}) }
        : { ...axis, size: 32, grid: { show: false }, splits: () => words.map((_, i) => i).filter((i) => i % step === 0), values: (_plot, splits) => splits.map((i) => short(words[i] ?? "")) },
      { ...axis, size: 58, space: 40, values: (_plot, splits) => { const whole = splits.every(Number.isInteger); return splits.map((v) => worded(v, choice.y, whole ? 0 : Math.max(1, Math.min(2, choice.y.decimals)))); } },
    ],
    series: [{}, ...drawn.series.map((_, i): uPlot.Series => {
      const look = LOOKS[i % LOOKS.length]!;
      if (bars) return { fill: token("ink"), width: 0, points: { show: false }, paths: uPlot.paths.bars!({ size: [0.66, 64], radius: 0.06 }) };
      return { stroke: token(look.stroke), width: 1.8, dash: look.dash, spanGaps: true, points: { show: drawn.xs.length < 40, size: 5, fill: token(look.stroke) } };
    })],
    hooks: {
      setCursor: [(plot) => tell(plot.cursor.idx ?? null)],
      draw: bars && drawn.xs.length <= SAID_MAX ? [(plot) => sayValues(plot, drawn, choice.y)] : [],
    },
  };
}

/** Half of the room of a bar along x. */
function halfBar({ xs: places }: Drawn): number {
  const steps = places.slice(1).map((x, i) => x - places[i]!);
  return (steps.length === 0 ? 1 : steps.reduce((a, b) => Math.min(a, b))) / 2;
}

function sayValues(plot: uPlot, drawn: Drawn, y: Column): void {
  const { ctx } = plot;
  const places = placesOf(drawn, y);
  const figure = (value: number) => worded(value, y, places);
  const room = (plot.bbox.width / drawn.xs.length) / devicePixelRatio;
  const longest = (drawn.series[0]?.ys ?? []).reduce<number>((most, value) => Math.max(most, value === null ? 0 : figure(value).length), 0);
  if (longest * LETTER + 4 > room) return;
  ctx.save();
  ctx.strokeStyle = token("s1");
  ctx.lineWidth = 3 * devicePixelRatio;
  ctx.fillStyle = token("ink2");
  ctx.font = `${12 * devicePixelRatio}px Inter Variable`;
  ctx.textAlign = "center";
  drawn.series[0]?.ys.forEach((value, i) => {
    if (value === null) return;
    const [x, above] = [plot.valToPos(drawn.xs[i]!, "x", true), plot.valToPos(Math.max(0, value), "y", true) - 8 * devicePixelRatio];
    // Lines of the grid do not cross the figures.
    ctx.strokeText(figure(value), x, above);
    ctx.fillText(figure(value), x, above);
  });
  ctx.restore();
}

/** What stands at a place, in words. */
function said(drawn: Drawn, choice: Choice, index: number, word: (name: string) => string): string {
  const x = drawn.xs[index];
  if (x === undefined) return "";
  const place = drawn.words?.[x] ?? (drawn.time ? (choice.x.kind === "date" ? dayShort(x * 1000, "UTC") : precise(x * 1000)) : decimals(x, choice.x.decimals, true));
  const values = drawn.series.flatMap(({ name, ys: up }) => (up[index] == null ? [] : [`${choice.per === null ? word(name) : name} ${worded(up[index], choice.y, placesOf(drawn, choice.y))}`]));
  return [place, ...values].join(" · ");
}

/** What the chart shows, in a sentence. */
function rule(drawn: Drawn, { x, y }: Choice, word: (name: string) => string): string {
  const params = { y: word(y.name), x: word(x.name) };
  if (drawn.joined === "sum") return t("{y} by {x}; rows of one place are added up", params);
  return drawn.joined === "mean" ? t("{y} by {x}; rows of one place are averaged", params) : t("{y} by {x}", params);
}

interface Props {
  answer: Answer;
  columns: Column[];
  choice: Choice;
  /** Says the name of a column. */
  word: (name: string) => string;
  /** Told the number of the first row behind a place that is pressed. */
  pick: (row: number) => void;
}

export function Plot({ answer, columns, choice, word, pick: open }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [index, setIndex] = useState<number | null>(null);
  const drawn = useMemo(() => draw(answer, choice), [answer, choice.x, choice.y, choice.per, choice.kind]);
  const opening = useRef(open);
  opening.current = open;
  const behind = (place: number | null | undefined) => {
    const row = place == null ? undefined : drawn.rows[place];
    if (row !== undefined) opening.current(row);
  };
  const [dark, where] = [theme.value, zone.value];
  useEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    const size = () => ({ width: element.clientWidth, height: element.clientHeight });
    const made = new uPlot(options(drawn, choice, size(), setIndex), [drawn.xs, ...drawn.series.map((s) => s.ys)], element);
    plot.current = made;
    made.over.addEventListener("click", () => behind(made.cursor.idx));
    const observer = new ResizeObserver(() => made.setSize(size()));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
      setIndex(null);
    };
  }, [drawn, dark, where]);
  const key = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.ctrlKey) return behind(index);
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const made = plot.current;
    if (by === 0 || made === null) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(drawn.xs.length - 1, index === null ? (by > 0 ? 0 : drawn.xs.length - 1) : index + by));
    made.setCursor({ left: made.valToPos(drawn.xs[next]!, "x"), top: 10 });
    setIndex(next);
  };
  const pick = (name: string, of: Column[], now: Column | null, what: string, none = "") => (
    <label>{what}
      <select class="field" name={name} value={now?.name ?? ""} onChange={(e) => put({ [name]: e.currentTarget.value })}>
        {none !== "" && <option value="">{none}</option>}
        {of.map((c) => <option value={c.name}>{word(c.name)}</option>)}
      </select>
    </label>
  );
  const lines = choice.kind === "line" && drawn.words === null;
  return (
    <figure class="plotted" data-part="chart" data-state={choice.kind}>
      <div class="choosing">
        {pick("x", xs(columns), choice.x, t("Along (x)"))}
        {pick("y", ys(columns), choice.y, t("Up (y)"))}
        {lines && pers(columns, choice.x).length > 0 && pick("per", pers(columns, choice.x), choice.per, t("A line for each"), t("all together"))}
        <div class="segments" role="group" aria-label={t("Kind of chart")}>
          {([["line", t("Line")], ["bar", t("Bars")]] as const).map(([kind, said]) => <button type="button" aria-pressed={choice.kind === kind} onClick={() => put({ kind })}>{said}</button>)}
        </div>
      </div>
      <div class="uplot-host" ref={host} tabIndex={0} role="img" aria-label={t("Chart: {what}. Left and right arrow keys read its values, Enter marks the rows behind one.", { what: rule(drawn, choice, word) })} onKeyDown={key} />
      <figcaption>
        <span class="readout" aria-live="polite">{index === null ? rule(drawn, choice, word) : said(drawn, choice, index, word)}</span>
        {choice.per !== null && <ul class="looks">{drawn.series.map(({ name }, i) => <li><Look at={i} />{name}</li>)}</ul>}
        {drawn.left > 0 && <span class="faint">{t("The first {n} lines are drawn; {left, plural, one {# is} other {# are}} left out.", { n: LINES_MAX, left: drawn.left })}</span>}
      </figcaption>
    </figure>
  );
}

function Look({ at }: { at: number }) {
  const look = LOOKS[at % LOOKS.length]!;
  return <svg width="26" height="8" aria-hidden="true"><path d="M0 4h26" stroke={`var(--${look.stroke})`} stroke-width="2" stroke-dasharray={look.dash.join(" ")} /></svg>;
}
