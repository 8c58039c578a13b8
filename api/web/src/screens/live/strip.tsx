/** The rest of the day: when stops are due, and when trouble comes. Drag to filter. */
import { useRef, useState } from "preact/hooks";
import { clock, number, span } from "../../format";
import { t } from "../../messages/translate";
import { Shape } from "../../parts/shape";
import { parse, tokenText } from "../../search";
import { put } from "../../state/address";
import { dayFigures, nowCoarse, search } from "../../state/live";
import { layout } from "../../state/theme";
import type { Quarter } from "../../worker/protocol";

const QUARTER = 15 * 60_000;
const HOUR = 60 * 60_000;
/** The strip shows at least so many hours, so that a short day does not look like a long one. */
const HOURS_MIN = 3;

/** What the strip spans: from the first stop to the last, in whole hours. */
function axisOf(quarters: readonly Quarter[], at: number): { from: number; to: number } {
  const first = Math.min(quarters[0]?.at ?? at, at);
  const last = Math.max((quarters[quarters.length - 1]?.at ?? at) + QUARTER, at);
  const from = Math.floor(first / HOUR) * HOUR;
  return { from, to: Math.max(Math.ceil(last / HOUR) * HOUR, from + HOURS_MIN * HOUR) };
}

function filterDue(from: number, to: number): void {
  const read = parse(search.value);
  const rest = read.tokens.filter((token) => token.key !== "due").map(tokenText);
  put({ q: [...rest, `due:${clock(from)}-${clock(to)}`, ...read.words].join(" ") });
}

function Column({ quarter, top, left, width, past }: { quarter: Quarter; top: number; left: number; width: number; past: boolean }) {
  const parts: [string, number][] = [
    ["late", quarter.late], ["risk", quarter.risk], ["ok", quarter.ok],
    ["late", quarter.doneLate], ["past", quarter.done - quarter.doneLate],
  ];
  const sum = quarter.done + quarter.ok + quarter.risk + quarter.late;
  return (
    <div class="column" data-past={past} style={{ left: `${left}%`, width: `calc(${width}% - 2px)`, height: `${(sum / top) * 100}%` }}>
      {parts.map(([kind, n]) => n > 0 && <i class={kind} style={{ flexGrow: n }} />)}
    </div>
  );
}

export function Strip() {
  const plot = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const [table, setTable] = useState(false);
  const day = dayFigures.value;
  const at = nowCoarse.value;
  const quarters = day?.quarters ?? [];
  const axis = axisOf(quarters, at);
  const place = (time: number) => ((time - axis.from) / (axis.to - axis.from)) * 100;
  const top = Math.max(1, ...quarters.map((q) => q.done + q.ok + q.risk + q.late));
  const hours = (axis.to - axis.from) / HOUR;
  const step = layout.value === "wide" ? (hours > 12 ? 2 : 1) : hours > 8 ? 4 : 2;
  const labels: number[] = [];
  for (let time = axis.from; time <= axis.to; time += step * HOUR) labels.push(time);

  const timeAt = (x: number): number => {
    const box = plot.current?.getBoundingClientRect();
    if (box === undefined) return at;
    const share = Math.max(0, Math.min(1, (x - box.left) / box.width));
    return axis.from + share * (axis.to - axis.from);
  };
  const down = (e: PointerEvent) => {
    plot.current?.setPointerCapture(e.pointerId);
    setDrag([timeAt(e.clientX), timeAt(e.clientX)]);
  };
  const move = (e: PointerEvent) => {
    if (drag !== null) setDrag([drag[0], timeAt(e.clientX)]);
  };
  const up = () => {
    if (drag === null) return;
    const [a, b] = [Math.min(...drag), Math.max(...drag)];
    const [from, to] = [Math.floor(a / QUARTER) * QUARTER, Math.ceil((b + 1) / QUARTER) * QUARTER];
    if (to - from >= QUARTER) filterDue(from, to);
    setDrag(null);
  };
  const left = day === null ? 0 : day.stops - day.done;
  const worst = day?.worst;
  return (
    <section class="strip" aria-label={t("Rest of the day")} data-part="strip" data-state={day === null ? "loading" : "some"}>
      <header>
        <h2>{t("Rest of the day")}</h2>
        <span class="soft">{day === null ? t("Loading stops") : layout.value === "phone" ? t("{left} of {stops} left", { left: number(left), stops: number(day.stops) }) : t("{left} of {stops} stops left · per 15 min", { left: number(left), stops: number(day.stops) })}</span>
        <button type="button" class="table-switch" aria-pressed={table} onClick={() => setTable(!table)}>{t("Table")}</button>
        <span class="space" />
        {worst !== undefined && (
          <button type="button" class="worst" onClick={() => filterDue(worst.from, worst.to)}>
            <Shape tone="risk" size={15} /> <b>{span(worst.from, worst.to)}</b>
            <span>{t("{n, plural, one {# stop} other {# stops}} late or at risk", { n: worst.stops })}</span>
          </button>
        )}
      </header>
      {table ? <Table quarters={quarters} /> : (
        <div class="plot" ref={plot} onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={() => setDrag(null)}
          role="img" aria-label={t("Stops due per quarter of an hour; the Table switch shows them as numbers")}>
          <div class="columns">
            {quarters.map((quarter) => <Column key={quarter.at} quarter={quarter} top={top} left={place(quarter.at)} width={(QUARTER / (axis.to - axis.from)) * 100} past={quarter.at + QUARTER <= at} />)}
            {worst !== undefined && <i class="bracket" style={{ left: `${place(worst.from)}%`, width: `${place(worst.to) - place(worst.from)}%` }} />}
            <i class="now" style={{ left: `${place(at)}%` }} />
            {drag !== null && <i class="drag" style={{ left: `${place(Math.min(...drag))}%`, width: `${place(Math.max(...drag)) - place(Math.min(...drag))}%` }} />}
          </div>
          <div class="axis" aria-hidden="true">{labels.map((time, i) => <span style={{ left: `${place(time)}%` }} data-edge={i === 0 ? "first" : i === labels.length - 1 ? "last" : ""}>{clock(time)}</span>)}</div>
        </div>
      )}
    </section>
  );
}

function Table({ quarters }: { quarters: readonly Quarter[] }) {
  return (
    <div class="strip-table scroll" tabIndex={0} role="region" aria-label={t("Stops due per quarter of an hour")}>
      <table>
        <thead><tr>{[t("From"), t("Done"), t("Done late"), t("On time"), t("At risk"), t("Late")].map((word) => <th scope="col">{word}</th>)}</tr></thead>
        <tbody>{quarters.map((q) => <tr key={q.at}><th scope="row">{clock(q.at)}</th>{[q.done, q.doneLate, q.ok, q.risk, q.late].map((n) => <td class="num">{number(n)}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}
