/** What a minute of lateness costs: the order of the exception board follows from it. */
import { useEffect, useState } from "preact/hooks";
import { ask, type Costs, Problem } from "../../api/client";
import { t } from "../../messages/translate";
import { refresh } from "../../state/exceptions";
import { may } from "../../state/session";
import { change, field } from "./list";

const PATH = "/v1/costs";

export function CostsPart() {
  const [costs, setCosts] = useState<Costs | null>(null);
  const [why, setWhy] = useState("");
  const admin = may("admin");
  useEffect(() => {
    ask<Costs>(PATH).then(setCosts, (error: unknown) => setWhy(error instanceof Problem ? error.detail || error.title : String(error)));
  }, []);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const currency = field(event, "currency").toUpperCase();
    const body = { rate_per_minute: Number(field(event, "rate")), ...(currency === "" ? {} : { currency }) };
    void change<Costs>(PATH, { method: "PUT", body }, t("Costs saved.")).then((saved) => {
      if (saved !== undefined) setCosts(saved);
      refresh();
    });
  };
  return (
    <>
      <header class="part-head"><h2>{t("Costs")}</h2><p class="soft">{t("Problems are ordered by the minutes that stops are expected late, times this rate.")}</p></header>
      {why !== "" && <p class="pad t-late" role="alert">{t("Cannot be read: {why}", { why })}</p>}
      {costs === null && why === "" && <p class="pad soft" role="status">{t("Loading costs")}</p>}
      {costs !== null && (
        <form class="line-form" onSubmit={submit} data-part="costs" data-state="some">
          <label>{t("One minute late at one stop")}<input class="field" name="rate" type="number" min="0" max="100000" step="0.01" required value={costs.rate_per_minute} disabled={!admin} /></label>
          <label>{t("Currency, such as EUR")}<input class="field" name="currency" pattern="[A-Za-z]{3}" maxLength={3} value={costs.currency ?? ""} disabled={!admin} /></label>
          <button class="btn ink" disabled={!admin}>{t("Save costs")}</button>
          {!admin && <small>{t("Only an admin sets costs.")}</small>}
        </form>
      )}
    </>
  );
}
