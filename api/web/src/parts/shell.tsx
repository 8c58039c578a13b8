/** Rail, top bar, toast and live regions around every screen. */
import type { ComponentChildren } from "preact";
import { t } from "../messages/translate";
import { href, path } from "../state/address";
import { pressing } from "../state/exceptions";
import { enable, enabled, help } from "../state/keyboard";
import { close, polite, toast, undo, urgent } from "../state/notices";
import { connection, stale } from "../state/live";
import { layout } from "../state/theme";
import { Banner, Clock, Connection } from "./connection";
import type { IconName } from "./paths";
import { Icon, Shape } from "./shape";

function Item({ to, icon, word, wide = false, at, badge = 0 }: { to: string; icon: IconName; word: string; wide?: boolean; at: boolean; badge?: number }) {
  return (
    <a href={href(to)} class={wide ? "wide" : ""} aria-current={at ? "page" : undefined}>
      <Icon name={icon} size={18} />
      <span class="word">{word}</span>
      {badge > 0 && <span class="badge">{badge > 99 ? "99+" : badge}<span class="vh"> {t("open")}</span></span>}
    </a>
  );
}

function Rail() {
  const at = path.value;
  const begins = (start: string) => at === start || at.startsWith(`${start}/`);
  return (
    <nav class="rail" aria-label={t("Screens")}>
      <svg class="mark" viewBox="0 0 32 32" role="img" aria-label="Milepost">
        <rect width="32" height="32" rx="8" />
        <path d="M9 22v-8a3.5 3.5 0 0 1 7 0v4m0-4a3.5 3.5 0 0 1 7 0v8" fill="none" stroke-width="2.6" stroke-linecap="round" />
        <circle cx="16" cy="22.4" r="1.7" />
      </svg>
      <Item to="/" icon="live" word={t("Live")} at={at === "/" || begins("/van") || begins("/replay")} />
      <Item to="/exceptions" icon="exceptions" word={t("Exceptions")} at={begins("/exceptions")} badge={pressing.value.length} />
      <Item to="/routes" icon="routes" word={t("Routes")} at={begins("/routes")} />
      <Item to="/messages" icon="mail" word={t("Messages")} at={begins("/messages")} />
      <Item to="/analytics" icon="analytics" word={t("Analytics")} at={begins("/analytics")} />
      <Item to="/links" icon="link" word={t("Links")} wide at={begins("/links")} />
      <span class="gap" />
      <button type="button" class="item wide" aria-expanded={help.value} onClick={() => { help.value = !help.value; }}>
        <Icon name="keys" /><span class="word">{t("Keys")}</span>
      </button>
      <Item to="/settings/devices" icon="settings" word={t("Settings")} at={begins("/settings")} />
    </nav>
  );
}

function ToastView() {
  const shown = toast.value;
  if (shown === null) return null;
  return (
    <aside class="toast" data-part="toast" data-kind={shown.kind} aria-label={t("What happened")}>
      {shown.kind === "failed" && <Shape tone="failed" />}
      <span>{shown.text}{shown.small !== undefined && <small> {shown.small}</small>}</span>
      {shown.undo !== undefined && <button type="button" class="btn" onClick={undo}>{t("Undo")} <span class="key">Z</span></button>}
      {shown.kind === "failed" && <button type="button" class="btn" onClick={close}>{t("Close")}</button>}
    </aside>
  );
}

function keyList(): [string[], string][] {
  return [
    [["/"], t("Search")], [["J", "K"], t("Next, previous row")], [["Enter"], t("Do the best remedy")], [["O"], t("Open the van")],
    [["G", "L"], t("Go to Live")], [["G", "E"], t("Go to Exceptions")], [["G", "P"], t("Go to Routes")], [["G", "A"], t("Go to Analytics")],
    [["1", "4"], t("Filter on time, at risk, late, no signal")], [["F"], t("Fit the map")], [["+", "−"], t("Zoom")], [["M"], t("Focus the map")],
    [["I"], t("Say the selected van")], [["T", "Enter"], t("Tell customers")], [["S"], t("Leave alone for 30 min")], [["A"], t("Take care of it")], [["Z"], t("Undo")], [["L"], t("Back to live")], [["?"], t("These keys")], [["Ctrl", "Enter"], t("Run the query")], [["Esc"], t("Close, one level; end the query")],
  ];
}

function Keys() {
  if (!help.value) return null;
  return (
    <aside class="keys-panel float" aria-label={t("Keys")}>
      <h2>{t("Keys")}</h2>
      <dl>
        {keyList().map(([keys, what]) => (
          <>
            <dt>{keys.map((key) => <kbd class="key">{key}</kbd>)}</dt>
            <dd>{what}</dd>
          </>
        ))}
      </dl>
      <p style="margin-top:14px">
        <label><input type="checkbox" checked={enabled.value} onChange={(e) => enable(e.currentTarget.checked)} /> {t("Single keys work")}</label>
      </p>
      <button type="button" class="btn" style="margin-top:12px" onClick={() => { help.value = false; }}>{t("Close")}</button>
    </aside>
  );
}

/** A screen in its frame. `title` is the top bar's left side. */
export function Shell({ screen, bar, children }: { screen: string; bar: ComponentChildren; children: ComponentChildren }) {
  return (
    <div class="shell" data-screen={screen} data-state={connection.value} data-stale={stale.value}>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById("main")?.focus(); }}>{t("Skip to content")}</a>
      <Rail />
      {layout.value !== "phone" && (
        <header class="bar">
          {bar}
          <span class="space" />
          <Connection />
          <Clock />
        </header>
      )}
      <Banner />
      <main class="main" id="main" tabIndex={-1}>{children}</main>
      <ToastView />
      <Keys />
      <div class="vh" role="status" aria-live="polite">{polite.value}</div>
      <div class="vh" role="alert" aria-live="assertive">{urgent.value}</div>
    </div>
  );
}
