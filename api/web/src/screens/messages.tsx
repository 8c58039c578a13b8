/** What was told to whom: mail, texts and webhooks, newest first. */
import { useState } from "preact/hooks";
import { age, dayClock } from "../format";
import { t } from "../messages/translate";
import { Connection } from "../parts/connection";
import { Icon, Shape } from "../parts/shape";
import { Shell } from "../parts/shell";
import { href } from "../state/address";
import { nameOf, now } from "../state/live";
import { layout } from "../state/theme";
import { stateTone, stateWord } from "./settings/webhooks";
import { useList } from "./settings/list";

interface Message {
  id: string; at: string; channel: "mail" | "webhook" | "sms"; to: string; order?: string; vehicle?: string;
  event: string; language?: string; subject?: string; text?: string; html?: string; state: string; tries: number; error?: string;
}
/** How often the list is read, milliseconds. */
const EVERY = 5_000;

function channelWord(channel: Message["channel"]): string {
  switch (channel) {
    case "mail": return t("Mail");
    case "sms": return t("Text");
    case "webhook": return t("Webhook");
  }
}

function Reader({ message }: { message: Message }) {
  return (
    <article class="letter" data-part="letter" data-state={message.state}>
      <header>
        <h2>{message.subject ?? message.event}</h2>
        <p class="soft">{t("{channel} to {to}", { channel: channelWord(message.channel), to: message.to })} · {dayClock(Date.parse(message.at))}{message.language === undefined ? "" : ` · ${message.language}`}</p>
        <p class="with-shape"><Shape tone={stateTone(message.state)} size={15} /> {stateWord(message.state)} · {t("{n, plural, one {# try} other {# tries}}", { n: message.tries })}{message.error === undefined ? "" : ` · ${message.error}`}</p>
        {message.vehicle !== undefined && <a class="btn" href={href(`/van/${encodeURIComponent(message.vehicle)}`)}>{t("Open {van}", { van: nameOf(message.vehicle) })}</a>}
      </header>
      <div class="letter-text" dir="auto">{(message.text ?? t("This message has no text.")).split("\n").map((line) => <p>{line}</p>)}</div>
    </article>
  );
}

export function Messages() {
  const list = useList<Message>("/v1/messages?limit=200", "messages", EVERY);
  const [id, setId] = useState("");
  const [show, setShow] = useState("all");
  const messages = [...list.members].sort((a, b) => Date.parse(b.at) - Date.parse(a.at)).filter((m) => show === "all" || m.channel === show || m.state === show);
  const chosen = messages.find((m) => m.id === id) ?? (layout.value === "phone" ? undefined : messages[0]);
  const filters: [string, string][] = [["all", t("All")], ["mail", t("Mail")], ["webhook", t("Webhooks")], ["sms", t("Texts")], ["failed", t("Failed")]];
  const pills = (
    <div class="filters" role="group" aria-label={t("Filter messages")}>
      {filters.map(([of, word]) => <button type="button" class="pill" aria-pressed={show === of} onClick={() => setShow(of)}>{word} <span>{list.members.filter((m) => of === "all" || m.channel === of || m.state === of).length}</span></button>)}
    </div>
  );
  return (
    <Shell screen="messages" bar={<><h1>{t("Messages")}</h1>{pills}</>}>
      <div class="mailbox" data-part="list" data-state={list.state}>
        <div class="scroll inbox">
          {layout.value === "phone" && <><div class="phone-top"><h1 class="here">{t("Messages")}</h1><span class="space" /><Connection short /></div>{pills}</>}
          {list.state === "loading" && <p class="pad soft" role="status">{t("Loading messages")}</p>}
          {list.state === "absent" && <div class="empty"><b>{t("This server does not send messages yet.")}</b></div>}
          {list.state === "failed" && <div class="empty" role="alert"><b>{t("Cannot be read: {why}", { why: list.why })}</b></div>}
          {list.state === "empty" && <div class="empty"><b>{t("Nobody has been told anything yet.")}</b><span>{t("A customer is told when a delivery will miss its window.")}</span></div>}
          {messages.map((m) => (
            <button type="button" class="mail" key={m.id} aria-current={m.id === chosen?.id ? "true" : undefined} data-state={m.state} onClick={() => setId(m.id)}>
              <Shape tone={stateTone(m.state)} size={16} />
              <b class="cut">{m.subject ?? m.event}</b><span class="soft num">{age(Date.parse(m.at), now.value)}</span>
              <span class="cut soft">{t("{channel} to {to}", { channel: channelWord(m.channel), to: m.to })}</span><span class="soft num">{stateWord(m.state)}</span>
            </button>
          ))}
        </div>
        {chosen !== undefined ? (
          <div class="scroll reading">
            {layout.value === "phone" && <button type="button" class="btn plain" onClick={() => setId("")}><Icon name="close" size={15} /> {t("Close")}</button>}
            <Reader message={chosen} />
          </div>
        ) : <div class="reading none" />}
      </div>
    </Shell>
  );
}
