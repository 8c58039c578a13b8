/** Who may come in, and as what. */
import { useState } from "preact/hooks";
import { t } from "../../messages/translate";
import { may } from "../../state/session";
import { change, field, Once, Table, useList } from "./list";

interface Person { id: string; email: string; name: string; role: string; last_seen?: string }

export function People() {
  const list = useList<Person>("/v1/people", "people");
  const [link, setLink] = useState("");
  const admin = may("admin");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const body = { email: field(event, "email"), name: field(event, "name"), role: field(event, "role") };
    void change<{ link?: string; url?: string }>("/v1/people", { method: "POST", body }, t("{name} may come in.", { name: body.name })).then((made) => {
      const given = made?.link ?? made?.url ?? "";
      setLink(given.startsWith("/") ? location.origin + given : given);
      list.refresh();
    });
  };
  const remove = (person: Person) => void change(`/v1/people/${encodeURIComponent(person.id)}`, { method: "DELETE" }, t("{name} may no longer come in.", { name: person.name })).then(list.refresh);
  return (
    <>
      <header class="part-head"><h2>{t("People")}</h2><p class="soft">{t("Each gets a link that works once, and chooses a password there.")}</p></header>
      <form class="line-form" onSubmit={submit}>
        <label>{t("Name")}<input class="field" name="name" required maxLength={100} /></label>
        <label>{t("E-mail")}<input class="field" name="email" type="email" required /></label>
        <label>{t("Role")}<select class="field" name="role">{["dispatcher", "viewer", "driver", "admin"].map((role) => <option>{role}</option>)}</select></label>
        <button class="btn ink" disabled={!admin}>{t("Invite")}</button>
        {!admin && <small>{t("Only an admin invites people.")}</small>}
      </form>
      {link !== "" && <Once words={t("The link, which works once")} text={link} close={() => setLink("")} />}
      <Table list={list} idOf={(p) => p.id ?? p.email} what={t("people")} empty={<b>{t("Nobody has been invited yet.")}</b>} columns={[
        { word: t("Name"), cell: (p) => p.name }, { word: t("E-mail"), cell: (p) => p.email }, { word: t("Role"), cell: (p) => p.role },
        { word: "", cell: (p) => <button type="button" class="btn small" disabled={!admin} onClick={() => remove(p)}>{t("Remove")}</button> },
      ]} />
    </>
  );
}
