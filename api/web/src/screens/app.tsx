/** Which screen the address means. */
import type { FunctionComponent } from "preact";
import { lazy, Suspense } from "preact/compat";
import { t } from "../messages/translate";
import { parts } from "../state/address";
import { login, session, unreachable } from "../state/session";
import { Timeline } from "./fleet/timeline";
import { Links } from "./links";
import { Live } from "./live/live";
import { Exceptions } from "./exceptions/exceptions";
import { Login } from "./login";
import { Messages } from "./messages";
import { Settings } from "./settings/settings";
import { Vehicle } from "./vehicle/vehicle";
import { Welcome } from "./welcome";

/** Screens that are not needed at once come when they are opened. */
const SCREENS: Record<string, FunctionComponent> = {
  van: Vehicle,
  exceptions: Exceptions,
  routes: Timeline,
  links: Links,
  messages: Messages,
  settings: Settings,
  analytics: lazy(() => import("./analytics/analytics").then((m) => ({ default: m.Analytics }))),
  replay: lazy(() => import("./fleet/replay").then((m) => ({ default: m.Replay }))),
};

export function App() {
  if (parts.value[0] === "welcome") return <Welcome />;
  if (login.value) return <Login />;
  if (session.value === null) {
    return (
      <div class="waiting" role="status">
        {unreachable.value === "" ? t("Opening Milepost") : t("The server does not answer: {why}. Trying again.", { why: unreachable.value })}
      </div>
    );
  }
  const Screen = SCREENS[parts.value[0] ?? ""];
  if (Screen === undefined) return <Live />;
  return <Suspense fallback={<div class="waiting" role="status">{t("Opening the screen")}</div>}><Screen /></Suspense>;
}
