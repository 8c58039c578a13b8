/** How old the data is: always in the top bar, as a sign and in words. */
import { clockSeconds } from "../format";
import { t } from "../messages/translate";
import { asOf, connection, dataAge, now, tries, zone } from "../state/live";
import { zoneName } from "../format";
import { Icon, Swap } from "./shape";

function Sign({ of }: { of: string }) {
  if (of === "offline") return <Icon name="offline" size={16} />;
  return (
    <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
      <circle cx="6" cy="6" r="4.6" fill={of === "live" ? "currentColor" : "none"} stroke="currentColor" stroke-width="1.6" />
      {of === "behind" && <path d="M6 1.4a4.6 4.6 0 0 0 0 9.2z" fill="currentColor" />}
    </svg>
  );
}

export function Connection({ short = false }: { short?: boolean }) {
  const state = connection.value;
  const stopped = asOf.value === 0 ? "" : clockSeconds(asOf.value);
  let strong = t("Live");
  let rest = t("data {n} s old", { n: dataAge.value });
  if (state === "connecting") [strong, rest] = [t("Connecting"), t("no data yet")];
  if (state === "behind") strong = t("Behind");
  if (state === "reconnecting") {
    strong = stopped === "" ? t("No data yet") : t("Data stopped {time}", { time: stopped });
    rest = t("reconnecting, try {n}", { n: Math.max(1, tries.value) });
  }
  if (state === "offline") [strong, rest] = [t("Offline"), stopped === "" ? t("no data yet") : t("view of {time}", { time: stopped })];
  if (short) rest = state === "live" || state === "behind" ? t("{n} s", { n: dataAge.value }) : "";
  if (short && state === "reconnecting") strong = t("Stopped");
  return (
    <div class="conn" data-state={state} data-part="connection">
      <Sign of={state} />
      <span><b>{strong}</b>{rest !== "" && (short ? ` ${rest}` : ` · ${rest}`)}</span>
    </div>
  );
}

export function Clock() {
  const name = zone.value === "" ? "" : zoneName(now.value);
  return <div class="clock"><Swap text={clockSeconds(now.value)} />{name !== "" && <small> {name}</small>}</div>;
}

/** What no longer works, under the top bar. */
export function Banner() {
  if (connection.value !== "offline") return null;
  const time = asOf.value === 0 ? "–" : clockSeconds(asOf.value);
  return <div class="banner" data-part="offline" role="status">{t("You are offline. This is the view of {time}; actions wait for the network.", { time })}</div>;
}
