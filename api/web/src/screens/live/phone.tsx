/** The Live screen in the hand: the map, and a sheet over it at three heights. */
import { useRef, useState } from "preact/hooks";
import { percentTenth } from "../../format";
import { t } from "../../messages/translate";
import { Connection } from "../../parts/connection";
import { Shape } from "../../parts/shape";
import { pressing } from "../../state/exceptions";
import { counts, dayFigures } from "../../state/live";
import { type Status, tone } from "../../status";
import { filtered, toggle } from "./counts";
import { MapPane } from "./mappane";
import { Needs } from "./needs";
import { SearchBox } from "./search";
import { Strip } from "./strip";
import { Vans } from "./vans";

type Height = "low" | "half" | "full";
const UP: Record<Height, Height> = { low: "half", half: "full", full: "full" };
const DOWN: Record<Height, Height> = { low: "low", half: "low", full: "half" };
/** A finger that moved less than this pressed, pixels. */
const PRESS = 8;

function chip(status: Status, n: number): string {
  switch (status) {
    case "late": return t("{n} late", { n });
    case "at_risk": return t("{n} at risk", { n });
    default: return t("{n} no signal", { n });
  }
}

export function PhoneLive() {
  const sheet = useRef<HTMLDivElement>(null);
  const [height, setHeight] = useState<Height>("half");
  const start = useRef(0);
  const day = dayFigures.value;
  const share = day === null || day.promised === 0 ? "–" : percentTenth(day.share);
  const moved = (e: PointerEvent) => {
    const by = e.clientY - start.current;
    if (Math.abs(by) < PRESS) setHeight(height === "full" ? "half" : UP[height]);
    else setHeight(by < 0 ? UP[height] : DOWN[height]);
  };
  return (
    <div class="phone-live">
      <h1 class="vh">{t("Live")}</h1>
      <MapPane />
      <SearchBox phone extra={<Connection short />} />
      <div class="chips" role="group" aria-label={t("Filter by status")}>
        {(["late", "at_risk", "no_signal"] as const).map((status) => (
          <button type="button" class="chip" aria-pressed={filtered(status)} onClick={() => toggle(status)} data-count={status}>
            <Shape tone={tone(status)} size={16} /> {chip(status, counts.value[status])}
          </button>
        ))}
      </div>
      <section class="sheet" data-height={height} data-part="sheet" aria-label={t("List")}>
        <button type="button" class="grip" aria-label={height === "full" ? t("Lower the list") : t("Raise the list")} aria-expanded={height !== "low"}
          onPointerDown={(e) => { start.current = e.clientY; e.currentTarget.setPointerCapture(e.pointerId); }} onPointerUp={moved}
          onKeyDown={(e) => { if (e.key === "Enter" || e.key === " ") setHeight(height === "full" ? "low" : UP[height]); }}><i /></button>
        <header class="sheet-head">
          <h2>{t("Needs you")} <span class="soft">{pressing.value.length}</span></h2>
          <span class="soft"><b>{share}</b> {t("expected in window")}</span>
        </header>
        <div class="sheet-body scroll" ref={sheet}>
          <Needs />
          <Strip />
          <Vans scroller={sheet} />
        </div>
      </section>
    </div>
  );
}
