/** How the expected arrival moved over the day: its steps, its spread, the edge of the promise. */
import { useState } from "preact/hooks";
import { clock, span } from "../../format";
import { t } from "../../messages/translate";
import type { Move, Reason } from "../../reasons";

const [WIDTH, HEIGHT] = [540, 184];
const PLOT = { left: 46, top: 10, right: 536, bottom: 152 };
const MINUTE = 60_000;
/** A point is drawn as late from this probability on. */
const LATE = 0.7;
const RISK = 0.35;

interface Scale { x: (at: number) => number; y: (at: number) => number; rows: number[]; columns: number[] }

function scale(moves: readonly Move[], now: number, closes: number | undefined): Scale {
  const first = moves[0]!.at;
  const until = Math.max(now, first + MINUTE);
  const values = moves.flatMap((m) => [m.p10, m.p90]);
  if (closes !== undefined) values.push(closes);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = [5, 10, 15, 30, 60, 120].map((m) => m * MINUTE).find((s) => (high - low) / s <= 4.5) ?? 240 * MINUTE;
  const [bottom, top] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
  const x = (at: number) => PLOT.left + ((at - first) / (until - first)) * (PLOT.right - PLOT.left);
  const y = (at: number) => PLOT.bottom - ((at - bottom) / Math.max(step, top - bottom)) * (PLOT.bottom - PLOT.top);
  const rows: number[] = [];
  for (let at = bottom; at <= top; at += step) rows.push(at);
  const wide = [5, 10, 15, 30, 60, 120].map((m) => m * MINUTE).find((s) => (until - first) / s <= 5) ?? 240 * MINUTE;
  const columns: number[] = [];
  for (let at = Math.ceil(first / wide) * wide; at <= until; at += wide) columns.push(at);
  return { x, y, rows, columns };
}

const kindOf = (move: Move): "ok" | "risk" | "late" => ((move.miss ?? 0) >= LATE ? "late" : (move.miss ?? 0) >= RISK ? "risk" : "ok");

export function Chart({ moves, reasons, closes, now }: { moves: readonly Move[]; reasons: readonly Reason[]; closes: number | undefined; now: number }) {
  const [table, setTable] = useState(false);
  const { x, y, rows, columns } = scale(moves, now, closes);
  const steps = moves.map((move, i) => ({ move, from: x(move.at), to: x(moves[i + 1]?.at ?? now) }));
  const last = moves[moves.length - 1]!;
  return (
    <figure class="chart">
      <button type="button" class="table-switch" aria-pressed={table} onClick={() => setTable(!table)}>{t("Table")}</button>
      {table ? <MoveTable moves={moves} /> : (
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={t("Expected arrival from {before} at {start} to {after} now", { before: clock(moves[0]!.p50), start: clock(moves[0]!.at), after: clock(last.p50) })}>
          {closes !== undefined && y(closes) < PLOT.bottom && <rect x={PLOT.left} y={y(closes)} width={PLOT.right - PLOT.left} height={PLOT.bottom - y(closes)} class="inside" />}
          {rows.map((at) => <text x={PLOT.left - 10} y={y(at) + 4} text-anchor="end">{clock(at)}</text>)}
          {columns.map((at) => <text x={Math.min(x(at), PLOT.right - 16)} y={HEIGHT - 8} text-anchor="middle">{clock(at)}</text>)}
          {steps.map(({ move, from, to }) => <rect x={from} width={Math.max(1, to - from)} y={y(move.p90)} height={Math.max(1, y(move.p10) - y(move.p90))} class={`band ${kindOf(move)}`} />)}
          {closes !== undefined && (
            <>
              <path d={`M${PLOT.left} ${y(closes)}H${PLOT.right}`} class="edge" />
              <text x={PLOT.left + 6} y={y(closes) - 5} class="edge-word">{t("promised by {time}", { time: clock(closes) })}</text>
            </>
          )}
          {steps.map(({ move, from, to }, i) => <path d={`${i === 0 ? `M${from} ${y(move.p50)}` : `M${from} ${y(moves[i - 1]!.p50)}V${y(move.p50)}`}H${to}`} class={`step ${kindOf(move)}`} />)}
          <circle cx={x(now)} cy={y(last.p50)} r="4" class={`end ${kindOf(last)}`} />
          {reasons.filter((r) => r.kind !== "other").map((reason, i) => {
            const place = moves.find((m) => m.at >= reason.to) ?? last;
            return <g transform={`translate(${Math.max(PLOT.left + 10, x(reason.to))} ${y(place.p50)})`}><circle r="9" class="number" /><text y="4" text-anchor="middle" class="number-word">{i + 1}</text></g>;
          })}
        </svg>
      )}
    </figure>
  );
}

function MoveTable({ moves }: { moves: readonly Move[] }) {
  return (
    <div class="move-table scroll" tabIndex={0} role="region" aria-label={t("Expected arrivals")}>
      <table>
        <thead><tr><th scope="col">{t("Said at")}</th><th scope="col">{t("Expected")}</th><th scope="col">{t("Likely")}</th></tr></thead>
        <tbody>{moves.map((m) => <tr><th scope="row">{clock(m.at)}</th><td>{clock(m.p50)}</td><td>{span(m.p10, m.p90)}</td></tr>)}</tbody>
      </table>
    </div>
  );
}
