/** The rows of an answer as a grid: only those on the screen are in the page. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Column, plain, shown } from "../../analytics/cells";
import { pressed, ROW, scrollTo, type Sorting, type Window, windowOf } from "../../analytics/rows";
import type { Answer } from "../../api/analytics";
import { t } from "../../messages/translate";
import { Icon } from "../../parts/shape";
import { copy } from "../settings/list";

/** Height of the head, pixels. */
const HEAD = 34;
/** Room of a cell besides its characters, pixels. */
const PADDING = 26;
/** The head counts as this row where keys move. */
const HEAD_ROW = -1;

export interface Place {
  /** Place in the order that is shown; -1 is the head. */
  row: number;
  column: number;
}

interface Props {
  answer: Answer;
  columns: Column[];
  heads: string[];
  widths: number[];
  order: number[];
  sorting: Sorting | null;
  sort: (next: Sorting | null) => void;
  active: Place;
  /** Whether the row of the active cell is chosen. */
  marked: boolean;
  activate: (place: Place) => void;
}

function moved({ row, column }: Place, event: KeyboardEvent, rows: number, columns: number, page: number): Place | null {
  const whole = event.ctrlKey || event.metaKey;
  switch (event.key) {
    case "ArrowDown": return { row: Math.min(rows - 1, row + 1), column };
    case "ArrowUp": return { row: Math.max(HEAD_ROW, row - 1), column };
    case "ArrowRight": return { row, column: Math.min(columns - 1, column + 1) };
    case "ArrowLeft": return { row, column: Math.max(0, column - 1) };
    case "PageDown": return { row: Math.min(rows - 1, row + page), column };
    case "PageUp": return { row: Math.max(HEAD_ROW, row - page), column };
    case "Home": return { row: whole ? HEAD_ROW : row, column: 0 };
    case "End": return { row: whole ? rows - 1 : row, column: columns - 1 };
    default: return null;
  }
}

export function RowsGrid({ answer, columns, heads, widths, order, sorting, sort, active, marked, activate }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState<Window>({ first: 0, end: 0 });
  const measure = () => {
    const element = box.current;
    if (element === null) return;
    const next = windowOf(element.scrollTop, element.clientHeight - HEAD, order.length);
    setSeen((before) => (before.first === next.first && before.end === next.end ? before : next));
  };
  useEffect(() => {
    if (box.current === null) return undefined;
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [order]);
  useLayoutEffect(() => {
    if (box.current !== null) box.current.scrollTop = 0;
    measure();
  }, [answer]);
  // The active cell is brought into sight, below the head.
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    if (active.row >= 0) element.scrollTop = scrollTo(active.row, element.scrollTop, element.clientHeight - HEAD);
    element.querySelector("[data-active]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [active.row, active.column]);
  const press = (column: number) => sort(pressed(sorting, column));
  const key = (event: KeyboardEvent) => {
    const cell = answer.rows[order[active.row] ?? -1]?.[columns[active.column]?.index ?? -1];
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "c") {
      if (getSelection()?.isCollapsed === false || active.row === HEAD_ROW) return;
      event.preventDefault();
      return void copy(plain(cell));
    }
    if (active.row === HEAD_ROW && (event.key === "Enter" || event.key === " ") && !event.ctrlKey) {
      event.preventDefault();
      return press(active.column);
    }
    const next = moved(active, event, order.length, columns.length, Math.max(1, Math.floor(((box.current?.clientHeight ?? 0) - HEAD) / ROW) - 1));
    if (next === null || event.altKey) return;
    event.preventDefault();
    activate(next);
  };
  const template = { gridTemplateColumns: `${widths.map((n) => `calc(${n}ch + ${PADDING}px)`).join(" ")} minmax(0, 1fr)` };
  const wide = { minWidth: `calc(${widths.reduce((a, b) => a + b, 0)}ch + ${PADDING * widths.length}px)` };
  const sign = (i: number) => (sorting?.column !== i ? "none" : sorting.down ? "descending" : "ascending");
  const at = (row: number, i: number) => (active.row === row && active.column === i ? { id: "active-cell", "data-active": true } : {});
  const drawn = Array.from({ length: Math.max(0, Math.min(seen.end, order.length) - seen.first) }, (_, i) => seen.first + i);
  return (
    <div ref={box} class="rows scroll" role="grid" tabIndex={0} data-part="rows" data-rows={order.length} onScroll={measure} onKeyDown={key}
      aria-label={t("Rows: arrow keys move, Enter on a head sorts, Ctrl+C copies a cell")} aria-rowcount={order.length + 1} aria-colcount={columns.length} aria-activedescendant="active-cell">
      <div role="row" class="rows-head" aria-rowindex={1} style={{ ...template, ...wide }}>
        {columns.map((column, i) => (
          <span role="columnheader" aria-colindex={i + 1} aria-sort={sign(i)} class={column.kind === "number" ? "num" : ""} {...at(HEAD_ROW, i)}
            onClick={() => { activate({ row: HEAD_ROW, column: i }); press(i); }}>
            <span class="cut">{heads[i]}</span>{sorting?.column === i && <Icon name={sorting.down ? "down" : "up"} size={13} />}
          </span>
        ))}
      </div>
      <div role="rowgroup" class="rows-body" style={{ height: `${order.length * ROW}px`, ...wide }}>
        {drawn.map((row) => {
          const cells = answer.rows[order[row] ?? -1] ?? [];
          return (
            <div key={row} role="row" class="row" aria-rowindex={row + 2} aria-selected={marked && row === active.row} style={{ ...template, top: `${row * ROW}px` }}>
              {columns.map((column, i) => (
                <span role="gridcell" aria-colindex={i + 1} class={`cut ${column.kind === "number" ? "num" : ""} ${cells[column.index] == null ? "faint" : ""}`} {...at(row, i)}
                  onClick={() => activate({ row, column: i })}>
                  <bdi>{shown(cells[column.index], column)}</bdi>
                </span>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}
