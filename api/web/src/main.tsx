import { render } from "preact";
import { whenRefused } from "./api/client";
import "./css/fonts.css";
import "./css/tokens.css";
import "./css/base.css";
import "./css/shell.css";
import "./css/live.css";
import "./css/list.css";
import "./css/vehicle.css";
import "./css/exceptions.css";
import "./css/fleet.css";
import "./css/settings.css";
import "./css/phone.css";
import { beginOffline } from "./offline/begin";
import { beginLanguage } from "./messages/language";
import { followLinks } from "./state/address";
import { beginExceptions } from "./state/exceptions";
import { begin } from "./state/live";
import { beginKeys } from "./state/keyboard";
import { beginTheme } from "./state/theme";
import { enter, leave, session, whose } from "./state/session";
import { App } from "./screens/app";

beginTheme();
followLinks();
beginKeys();
beginOffline();
whenRefused(leave);
const root = document.getElementById("app");
if (root !== null) void beginLanguage().then(() => render(<App />, root));

let begun = false;
session.subscribe((who) => {
  if (who === null || begun) return;
  begun = true;
  begin(leave, whose(who));
  beginExceptions();
});
void enter();
