/** An answer on the map: each row that says where it is. */
import { useMemo } from "preact/hooks";
import { type Column, shown } from "../../analytics/cells";
import { shapes, SHAPES_MAX, type Whereabouts } from "../../analytics/places";
import { ys } from "../../analytics/series";
import type { Answer } from "../../api/analytics";
import { number } from "../../format";
import { PlainMap } from "../../map/plain";
import { t } from "../../messages/translate";
import { put } from "../../state/address";

interface Props {
  answer: Answer;
  columns: Column[];
  where: Whereabouts;
  /** Name of the column that makes shapes stronger. */
  by: string;
  /** Number of the marked row; -1 marks none. */
  chosen: number;
  /** Says the name of a column. */
  word: (name: string) => string;
  pick: (row: number) => void;
}

export function PlaceMap({ answer, columns, where, by, chosen, word, pick }: Props) {
  const amounts = ys(columns);
  const shade = amounts.find((c) => c.name === by) ?? null;
  const found = useMemo(() => shapes(answer, where, shade), [answer, where, shade]);
  const row = answer.rows[chosen];
  const [least, most] = found.range;
  const range = shade === null || found.range.length === 0 ? "" : t("{what}: faintest {least}, strongest {most}", { what: word(shade.name), least: shown(least, shade), most: shown(most, shade) });
  return (
    <figure class="placed" data-part="places" data-shapes={found.features.length}>
      <div class="choosing">
        <label>{t("Stronger with more")}
          <select class="field" name="shade" value={shade?.name ?? ""} onChange={(e) => put({ shade: e.currentTarget.value })}>
            <option value="">{t("all alike")}</option>
            {amounts.map((c) => <option value={c.name}>{word(c.name)}</option>)}
          </select>
        </label>
      </div>
      {found.features.length === 0
        ? <div class="empty"><b>{t("No row says where it is.")}</b></div>
        : <PlainMap label={t("{n, plural, one {# row} other {# rows}} on the map", { n: found.features.length })} lines={[]} stops={[]} subject={answer.as_of + answer.columns.map((c) => c.name).join()} shapes={{ features: found.features, chosen, onPick: pick }} />}
      <figcaption>
        <span class="readout">{row === undefined ? [t("{n, plural, one {# row} other {# rows}} on the map", { n: found.features.length }), range].filter((s) => s !== "").join(" · ") : described(row, columns, word)}</span>
        {found.left > 0 && <span class="faint">{t("The first {n} are drawn; {left, plural, one {# is} other {# are}} left out.", { n: number(SHAPES_MAX), left: found.left })}</span>}
      </figcaption>
    </figure>
  );
}

/** The first cells of a row, in words. */
function described(row: Answer["rows"][number], columns: readonly Column[], word: Props["word"]): string {
  return columns.filter((c) => c.kind !== "shape").slice(0, 5).map((c) => `${word(c.name)} ${shown(row[c.index], c)}`).join(" · ");
}
