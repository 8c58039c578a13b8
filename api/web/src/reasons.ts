/** Why an expected arrival moved: minutes by cause that add up exactly to the change. */

export interface Move {
  /** When it was said, milliseconds. */
  at: number;
  p10: number;
  p50: number;
  p90: number;
  miss?: number | undefined;
  /** Seconds by cause since the move before; absent where the server did not keep them. */
  causes?: { kind: string; seconds: number; stop?: string | undefined }[] | undefined;
}

export interface Reason {
  kind: string;
  stop?: string | undefined;
  seconds: number;
  /** Whole minutes; all reasons together give the change's. */
  minutes: number;
  /** First and last time it played a part. */
  from: number;
  to: number;
}

export interface Explained {
  reasons: Reason[];
  /** The change in whole minutes. */
  minutes: number;
}

/** Reasons smaller than this go into what is left, seconds. */
const SMALL = 20;
/** Reasons shown besides what is left. */
const SHOWN = 6;

/** Adds up the causes of all moves after the first; what they do not explain is `other`. */
export function explain(moves: readonly Move[]): Explained {
  const first = moves[0];
  const last = moves[moves.length - 1];
  if (first === undefined || last === undefined) return { reasons: [], minutes: 0 };
  const sums = new Map<string, Reason>();
  const add = (kind: string, stop: string | undefined, seconds: number, at: number) => {
    const key = `${kind} ${stop ?? ""}`;
    const sum = sums.get(key) ?? { kind, stop, seconds: 0, minutes: 0, from: at, to: at };
    sum.seconds += seconds;
    sum.to = at;
    sums.set(key, sum);
  };
  for (const move of moves.slice(1)) {
    for (const { kind, seconds, stop } of move.causes ?? []) add(kind, stop, seconds, move.at);
  }
  const change = (last.p50 - first.p50) / 1000;
  const large = [...sums.values()].filter((r) => r.kind !== "other" && Math.abs(r.seconds) >= SMALL)
    .sort((a, b) => Math.abs(b.seconds) - Math.abs(a.seconds)).slice(0, SHOWN)
    .sort((a, b) => a.from - b.from);
  const rest = change - large.reduce((sum, r) => sum + r.seconds, 0);
  const reasons = [...large];
  if (Math.abs(rest) >= 1) reasons.push({ kind: "other", seconds: rest, minutes: 0, from: first.at, to: last.at });
  const minutes = Math.round(change / 60) + 0;
  return { reasons: shared(reasons, minutes), minutes };
}

/** Rounds to whole minutes so that they add up to `total`: the largest rests are rounded up. */
function shared(reasons: Reason[], total: number): Reason[] {
  const exact = reasons.map((r) => r.seconds / 60);
  const whole = exact.map(Math.floor);
  let left = total - whole.reduce((sum, n) => sum + n, 0);
  const order = exact.map((value, i) => [value - Math.floor(value), i] as const).sort((a, b) => b[0] - a[0]);
  for (let k = 0; left !== 0 && order.length > 0; k++) {
    const i = left > 0 ? order[k % order.length]![1] : order[order.length - 1 - (k % order.length)]![1];
    whole[i]! += Math.sign(left);
    left -= Math.sign(left);
  }
  return reasons.map((reason, i) => ({ ...reason, minutes: whole[i]! })).filter((r) => r.minutes !== 0 || Math.abs(r.seconds) >= SMALL);
}
