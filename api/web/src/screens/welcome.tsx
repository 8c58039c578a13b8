/** Somebody was invited, or forgot the password: chooses one by the link that works once. */
import { useState } from "preact/hooks";
import { ask, Problem } from "../api/client";
import { t } from "../messages/translate";
import { href } from "../state/address";

/** As the server asks. */
const LENGTH = { least: 10, most: 200 };

export function Welcome() {
  const [wrong, setWrong] = useState("");
  const [state, setState] = useState<"ready" | "running" | "done">("ready");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement) || state === "running") return;
    const form = new FormData(event.currentTarget);
    const [password, again] = ["password", "again"].map((name) => String(form.get(name) ?? ""));
    if (password !== again) {
      setWrong(t("The two passwords differ."));
      return;
    }
    setState("running");
    setWrong("");
    try {
      // Behind the number sign the token reaches no log.
      await ask("/v1/people/welcome", { method: "POST", body: { token: location.hash.slice(1), password } });
      history.replaceState(null, "", location.pathname);
      setState("done");
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(0, "", String(error));
      setWrong(problem.status === 429 ? t("Too many attempts from here. Wait a minute, then try again.")
        : problem.status === 404 ? t("This link was used, or is over. Ask who invited you for a new one.")
        : problem.detail);
      setState("ready");
    }
  };
  if (state === "done") {
    return (
      <main class="login" data-screen="welcome" data-state="done">
        <div class="card">
          <h1>{t("Your password is set")}</h1>
          <a class="btn ink" href={href("/")}>{t("Log in")}</a>
        </div>
      </main>
    );
  }
  const field = { class: "field", type: "password", autocomplete: "new-password", required: true, minLength: LENGTH.least, maxLength: LENGTH.most } as const;
  return (
    <main class="login" data-screen="welcome" data-state={wrong === "" ? state : "failed"}>
      <form class="card" onSubmit={(e) => void submit(e)}>
        <h1>{t("Choose a password")}</h1>
        <p class="soft">{t("At least {n} characters. The link works once.", { n: LENGTH.least })}</p>
        <label>{t("Password")}<input {...field} name="password" /></label>
        <label>{t("The same again")}<input {...field} name="again" /></label>
        <button class="btn ink" aria-disabled={state === "running"}>{state === "running" ? t("Setting…") : t("Set the password")}</button>
        <p class="t-late" role="alert">{wrong}</p>
      </form>
    </main>
  );
}
