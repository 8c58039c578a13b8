/** What became of a run, in words: how long, how many rows, whether all, as of when. */
import type { ComponentChildren } from "preact";
import type { Answer, ProgressOut } from "../../api/analytics";
import type { Problem } from "../../api/client";
import { age, clockSeconds, dateOf, decimals, number, precise } from "../../format";
import { t } from "../../messages/translate";
import { Icon, Shape, Swap } from "../../parts/shape";
import { now, nowCoarse } from "../../state/live";

const seconds = (value: number): string => t("{n} s", { n: decimals(value, value < 10 ? 2 : 0, true) });
const rows = (n: number): string => t("{n, plural, one {# row} other {# rows}}", { n });

/** The time of an answer; its day where that is another. */
const when = (at: number): string => (dateOf(at) === dateOf(nowCoarse.value) ? clockSeconds(at) : precise(at));

export function Finished({ answer }: { answer: Answer }) {
  const at = Date.parse(answer.as_of);
  return (
    <>
      <span class="ran">
        <b>{seconds(answer.seconds)}</b> · {rows(answer.row_count)}
        {answer.cut_off ? null : ` · ${t("complete")}`}
        {answer.cut_off && <span class="cut-off"> · <b>{t("cut off")}</b> {t("after {n}: there are more, and a file has them all", { n: number(answer.row_count) })}</span>}
      </span>
      <span class="as-of"><Icon name="clock" size={15} /> {t("as of {time}", { time: when(at) })} <Swap kind="faint" text={t("{age} old", { age: age(at, now.value) })} /></span>
    </>
  );
}

/** How far a run is: the server's count where it told one, else the page's clock. */
export function Running({ began, far }: { began: number; far: ProgressOut | null }) {
  const since = Math.max(0, (Date.now() - began) / 1000, far?.seconds ?? 0);
  void now.value;
  return <span class="ran" role="status"><b>{t("Running")}</b> · {t("{n} s", { n: Math.floor(since) })}{far !== null && ` · ${rows(far.rows)} · ${t("{n} kB", { n: number(Math.ceil(far.bytes / 1000)) })}`}</span>;
}

/** Words with names of commands and the like set apart, which stand in backticks. */
export function Coded({ text }: { text: string }) {
  return <>{text.split("`").map((piece, i) => (i % 2 === 0 ? piece : <code>{piece}</code>))}</>;
}

export function Failed({ problem, children }: { problem: Problem; children?: ComponentChildren }) {
  return (
    <div class="went-wrong" role="alert" data-part="problem">
      <Shape tone="failed" />
      <div>
        <b>{problem.title}</b>
        <p class="mono">{problem.detail}</p>
        {problem.trace !== undefined && <small>{problem.trace}</small>}
      </div>
      {children}
    </div>
  );
}
