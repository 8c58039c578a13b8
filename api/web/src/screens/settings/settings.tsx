/** What is set up once: devices, keys, people, webhooks, and how the app looks. */
import { t } from "../../messages/translate";
import { Connection } from "../../parts/connection";
import { Icon } from "../../parts/shape";
import { Shell } from "../../parts/shell";
import { href, parts } from "../../state/address";
import { enable, enabled } from "../../state/keyboard";
import { logOut, session } from "../../state/session";
import { choice, type Choice, choose, layout } from "../../state/theme";
import { CostsPart } from "./costs";
import { Devices } from "./devices";
import { Keys } from "./keys";
import { People } from "./people";
import { Webhooks } from "./webhooks";

function Looks() {
  const words: [Choice, string][] = [["system", t("As the system")], ["light", t("Light")], ["dark", t("Dark")]];
  const who = session.value;
  return (
    <>
      <header class="part-head"><h2>{t("Appearance and you")}</h2></header>
      <div class="choices">
        <div class="segments" role="group" aria-label={t("Light or dark")}>
          {words.map(([of, word]) => <button type="button" aria-pressed={choice.value === of} onClick={() => choose(of)}>{word}</button>)}
        </div>
        <label class="check"><input type="checkbox" checked={enabled.value} onChange={(e) => enable(e.currentTarget.checked)} /> {t("Single keys work")}</label>
        {who !== null && <p class="soft">{t("You are {role} of {tenant}.", { role: who.role, tenant: who.tenant })}</p>}
        {who !== null && who.key !== "open" && <button type="button" class="btn" onClick={() => void logOut()}><Icon name="out" size={16} /> {t("Log out")}</button>}
      </div>
    </>
  );
}

export function Settings() {
  const at = parts.value[1] ?? "devices";
  const places: [string, string][] = [["devices", t("Devices")], ["keys", t("Keys")], ["people", t("People")], ["webhooks", t("Webhooks")], ["costs", t("Costs")], ["looks", t("Appearance")]];
  return (
    <Shell screen="settings" bar={<h1>{t("Settings")}</h1>}>
      <div class="settings" data-place={at}>
        {layout.value === "phone" && <div class="phone-top"><h1 class="here">{t("Settings")}</h1><span class="space" /><Connection short /></div>}
        <nav class="places" aria-label={t("Settings")}>{places.map(([id, word]) => <a href={href(`/settings/${id}`)} aria-current={at === id ? "page" : undefined}>{word}</a>)}</nav>
        <div class="part scroll">{at === "keys" ? <Keys /> : at === "people" ? <People /> : at === "webhooks" ? <Webhooks /> : at === "costs" ? <CostsPart /> : at === "looks" ? <Looks /> : <Devices />}</div>
      </div>
    </Shell>
  );
}
