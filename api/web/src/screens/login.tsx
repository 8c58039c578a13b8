/** Who is there? With a key, or with e-mail and password. */
import { useState } from "preact/hooks";
import { Problem } from "../api/client";
import { t } from "../messages/translate";
import { type Credentials, logIn } from "../state/session";

export function Login() {
  const [how, setHow] = useState<"person" | "key">("person");
  const [wrong, setWrong] = useState("");
  const [running, setRunning] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement) || running) return;
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const totp = text("totp");
    const given: Credentials = how === "key" ? { key: text("key") }
      : { email: text("email"), password: String(form.get("password") ?? ""), ...(totp === "" ? {} : { totp }) };
    setRunning(true);
    setWrong("");
    try {
      await logIn(given);
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(0, "", String(error));
      setWrong(problem.status === 429 ? t("Too many attempts from here. Wait a minute, then try again.")
        : problem.status === 401 ? (how === "key" ? t("That key is not valid here.") : t("E-mail and password do not fit together."))
        : problem.detail);
    }
    setRunning(false);
  };
  return (
    <main class="login" data-screen="login" data-state={wrong === "" ? "ready" : "failed"}>
      <form class="card" onSubmit={(e) => void submit(e)}>
        <h1>{t("Milepost")}</h1>
        <div class="segments" role="group" aria-label={t("How to log in")}>
          <button type="button" aria-pressed={how === "person"} onClick={() => setHow("person")}>{t("Person")}</button>
          <button type="button" aria-pressed={how === "key"} onClick={() => setHow("key")}>{t("Key")}</button>
        </div>
        {how === "key" ? (
          <label>{t("Key")}<input key="key" class="field" name="key" type="password" autocomplete="off" required /></label>
        ) : (
          <>
            <label>{t("E-mail")}<input class="field" name="email" type="email" autocomplete="username" required /></label>
            <label>{t("Password")}<input class="field" name="password" type="password" autocomplete="current-password" required /></label>
            <label>{t("Code of the second factor, if you have one")}<input class="field" name="totp" inputMode="numeric" autocomplete="one-time-code" /></label>
          </>
        )}
        <button class="btn ink" aria-disabled={running}>{running ? t("Logging in…") : t("Log in")}</button>
        <p class="t-late" role="alert">{wrong}</p>
      </form>
    </main>
  );
}
