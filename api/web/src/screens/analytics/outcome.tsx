/** What came of a query or report: as a chart, on a map, as rows, as a file. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { columnsOf, heading, pasted } from "../../analytics/cells";
import { whereabouts } from "../../analytics/places";
import { sorted, type Sorting, widths } from "../../analytics/rows";
import { choose, shadeOf, type Wanted } from "../../analytics/series";
import { type Answer, type Format, FORMATS } from "../../api/analytics";
import { t } from "../../messages/translate";
import { Icon } from "../../parts/shape";
import { param, put } from "../../state/address";
import { making } from "../../state/asking";
import { copy } from "../settings/list";
import { PlaceMap } from "./placemap";
import { Plot } from "./plot";
import { type Place, RowsGrid } from "./rowsgrid";

const WORDS: Record<Format, string> = { csv: "CSV", xlsx: "XLSX", parquet: "Parquet", arrow: "Arrow" };
type View = "chart" | "map" | "rows";

interface Props {
  answer: Answer;
  /** Whether names of columns are said as words. */
  worded: boolean;
  /** What to draw unless the address asks for something else. */
  hint?: Partial<Wanted> | undefined;
  make: (format: Format) => void;
}

export function Outcome({ answer, worded, hint = {}, make }: Props) {
  const [sorting, setSorting] = useState<Sorting | null>(null);
  const [active, setActive] = useState<Place>({ row: 0, column: 0 });
  const columns = useMemo(() => columnsOf(answer), [answer]);
  const word = (name: string) => (worded ? heading(name) : name);
  const heads = useMemo(() => columns.map((c) => word(c.name)), [columns, worded]);
  const wide = useMemo(() => widths(answer, columns, heads), [columns, heads]);
  const order = useMemo(() => sorted(answer, columns, sorting), [answer, columns, sorting]);
  useEffect(() => {
    setSorting(null);
    setActive({ row: 0, column: 0 });
  }, [answer]);
  const of = (name: keyof Wanted) => param(name) || (hint[name] ?? "");
  const wanted = { x: of("x"), y: of("y"), per: of("per"), kind: of("kind") };
  const choice = useMemo(() => choose(columns, answer.rows.length, wanted), [answer, ...Object.values(wanted)]);
  const where = useMemo(() => whereabouts(columns), [columns]);
  const shade = param("shade") || shadeOf(columns);
  const views: [View, string, boolean][] = [["chart", t("Chart"), choice !== null], ["map", t("Map"), where !== null], ["rows", t("Rows only"), true]];
  const asked = views.find(([name, , possible]) => possible && name === param("view"))?.[0];
  const view: View = asked ?? (where !== null && "shape" in where ? "map" : choice !== null ? "chart" : where !== null ? "map" : "rows");
  const [picked, setPicked] = useState(false);
  const mark = (row: number) => {
    setActive((before) => ({ row: order.indexOf(row), column: before.column }));
    setPicked(true);
  };
  useEffect(() => setPicked(false), [answer, view]);
  if (answer.rows.length === 0) return null;
  return (
    <section class="outcome" data-part="outcome" data-view={view} aria-label={t("What came of it")}>
      <header class="outcome-head">
        {views.filter(([, , possible]) => possible).length > 1 && (
          <div class="segments" role="group" aria-label={t("Show as")}>
            {views.filter(([, , possible]) => possible).map(([name, word]) => <button type="button" aria-pressed={view === name} onClick={() => put({ view: name })}>{word}</button>)}
          </div>
        )}
        <span class="space" />
        <button type="button" class="btn small" onClick={() => void copy(pasted(answer, order))}><Icon name="copy" size={14} /> {t("Copy rows")}</button>
        <div class="files" role="group" aria-label={t("Download")}>
          <Icon name="download" size={15} />
          {FORMATS.map((format) => (
            <button type="button" class="btn small" aria-label={t("Download as {format}", { format: WORDS[format] })} aria-disabled={making.value !== null} data-state={making.value === format ? "running" : "idle"} onClick={() => { if (making.value === null) make(format); }}>
              {making.value === format ? t("Making…") : WORDS[format]}
            </button>
          ))}
        </div>
      </header>
      <div class="outcome-body">
        {view === "chart" && choice !== null && <Plot answer={answer} columns={columns} choice={choice} word={word} pick={mark} />}
        {view === "map" && where !== null && <PlaceMap answer={answer} columns={columns} where={where} by={shade} word={word} chosen={picked ? (order[active.row] ?? -1) : -1} pick={mark} />}
        <RowsGrid answer={answer} columns={columns} heads={heads} widths={wide} order={order} sorting={sorting} sort={setSorting} active={active} marked={picked} activate={(place) => { setActive(place); setPicked(place.row >= 0); }} />
      </div>
    </section>
  );
}
