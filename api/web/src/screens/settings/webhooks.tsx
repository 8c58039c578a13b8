/** Programs that are told: where, about what, and what came of it. */
import { useState } from "preact/hooks";
import { dayClock } from "../../format";
import { t } from "../../messages/translate";
import { Shape } from "../../parts/shape";
import { may } from "../../state/session";
import type { Tone } from "../../status";
import { change, field, Once, Table, useList } from "./list";

interface Hook { id: string; url: string; events: string[]; description?: string; state?: string }
interface Sent { id: string; at?: string; event?: string; state: string; status?: number; tries?: number; error?: string }

const EVENTS = ["predicted_late", "back_on_time", "arriving_soon", "arrived", "departed", "completed", "failed", "no_signal", "reroute_proposed"];

export function stateTone(state: string): Tone {
  switch (state) {
    case "sent": return "done";
    case "waiting": case "kept": return "off";
    default: return "failed";
  }
}
export function stateWord(state: string): string {
  switch (state) {
    case "sent": return t("Sent");
    case "waiting": return t("Waiting");
    case "failed": return t("Failed, will be tried again");
    case "dead": return t("Given up");
    case "kept": return t("Kept here, no mail server is set up");
    default: return state;
  }
}

function Deliveries({ hook }: { hook: Hook }) {
  const path = `/v1/webhooks/${encodeURIComponent(hook.id)}/deliveries`;
  const list = useList<Sent>(path, "deliveries", 10_000);
  const replay = (sent: Sent) => void change(`${path}/${encodeURIComponent(sent.id)}/replay`, { method: "POST", body: {} }, t("Sent again with the same id.")).then(list.refresh);
  return (
    <Table list={list} idOf={(s) => s.id} what={t("deliveries")} empty={t("Nothing has been sent there yet.")} columns={[
      { word: t("At"), cell: (s) => (s.at === undefined ? "–" : dayClock(Date.parse(s.at))) }, { word: t("Event"), cell: (s) => s.event ?? "–" },
      { word: t("State"), cell: (s) => <span class="with-shape"><Shape tone={stateTone(s.state)} size={15} /> {stateWord(s.state)}{s.error === undefined ? "" : ` · ${s.error}`}</span> },
      { word: t("Tries"), cell: (s) => s.tries ?? 1, numeric: true },
      { word: "", cell: (s) => <button type="button" class="btn small" onClick={() => replay(s)}>{t("Send again")}</button> },
    ]} />
  );
}

export function Webhooks() {
  const list = useList<Hook>("/v1/webhooks", "webhooks");
  const [secret, setSecret] = useState("");
  const [open, setOpen] = useState("");
  const admin = may("admin");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement)) return;
    const body = { url: field(event, "url"), description: field(event, "description"), events: new FormData(form).getAll("event").map(String) };
    void change<{ secret?: string }>("/v1/webhooks", { method: "POST", body }, t("Webhook made.")).then((made) => {
      setSecret(made?.secret ?? "");
      if (made !== undefined) form.reset();
      list.refresh();
    });
  };
  const at = (hook: Hook, rest: string) => `/v1/webhooks/${encodeURIComponent(hook.id)}${rest}`;
  const test = (hook: Hook) => void change(at(hook, "/test"), { method: "POST", body: {} }, t("A test is on its way to {url}.", { url: hook.url }));
  const rotate = (hook: Hook) => void change<{ secret?: string }>(at(hook, "/secret"), { method: "POST", body: {} }, t("New secret made.")).then((made) => setSecret(made?.secret ?? ""));
  const remove = (hook: Hook) => void change(at(hook, ""), { method: "DELETE" }, t("{url} is no longer told.", { url: hook.url })).then(list.refresh);
  return (
    <>
      <header class="part-head"><h2>{t("Webhooks")}</h2><p class="soft">{t("Signed as Standard Webhooks. What fails is tried again with growing waits; replays carry the same id.")}</p></header>
      <form class="line-form tall" onSubmit={submit}>
        <label>{t("Address")}<input class="field" name="url" type="url" required placeholder="https://" /></label>
        <label>{t("Description")}<input class="field" name="description" maxLength={200} /></label>
        <fieldset><legend>{t("Events")}</legend>{EVENTS.map((event, i) => <label class="check"><input type="checkbox" name="event" value={event} defaultChecked={i === 0} /> {event}</label>)}</fieldset>
        <button class="btn ink" disabled={!admin}>{t("Add webhook")}</button>
        {!admin && <small>{t("Only an admin adds webhooks.")}</small>}
      </form>
      {secret !== "" && <Once words={t("The secret, shown only now")} text={secret} close={() => setSecret("")} />}
      <Table list={list} idOf={(h) => h.id} what={t("webhooks")} empty={<b>{t("No program is told yet. Add the first address above.")}</b>}
        below={(hook) => open === hook.id && <Deliveries hook={hook} />} columns={[
        { word: t("Address"), cell: (h) => h.url }, { word: t("Events"), cell: (h) => h.events.join(", ") },
        { word: "", cell: (h) => (
          <span class="acts">
            <button type="button" class="btn small" aria-expanded={open === h.id} onClick={() => setOpen(open === h.id ? "" : h.id)}>{t("Deliveries")}</button>
            <button type="button" class="btn small" disabled={!admin} onClick={() => test(h)}>{t("Test")}</button>
            <button type="button" class="btn small" disabled={!admin} onClick={() => rotate(h)}>{t("New secret")}</button>
            <button type="button" class="btn small" disabled={!admin} onClick={() => remove(h)}>{t("Remove")}</button>
          </span>
        ) },
      ]} />
    </>
  );
}
