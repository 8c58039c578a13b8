/** Keys for programs: made once, shown once. */
import { useState } from "preact/hooks";
import type { Key } from "../../api/client";
import { t } from "../../messages/translate";
import { may } from "../../state/session";
import { change, field, Once, Table, useList } from "./list";


export function Keys() {
  const list = useList<Key>("/v1/keys", "keys");
  const [secret, setSecret] = useState("");
  const admin = may("admin");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const body = { role: field(event, "role") };
    void change<{ key?: string; secret?: string }>("/v1/keys", { method: "POST", body }, t("Key made.")).then((made) => {
      setSecret(made?.key ?? made?.secret ?? "");
      list.refresh();
    });
  };
  const revoke = (key: Key) => void change(`/v1/keys/${encodeURIComponent(key.id)}`, { method: "DELETE" }, t("Key revoked. Its sessions and streams end.")).then(list.refresh);
  return (
    <>
      <header class="part-head"><h2>{t("Keys")}</h2><p class="soft">{t("For programs. A key is shown once and stored as a hash; a revoked one ends its sessions and streams.")}</p></header>
      {list.state === "absent" ? (
        <div class="empty" data-part="list" data-state="absent">
          <b>{t("This server makes keys by command only.")}</b>
          <code>milepost keys create --role viewer</code>
        </div>
      ) : (
        <>
          <form class="line-form" onSubmit={submit}>
            <label>{t("Role")}<select class="field" name="role">{["viewer", "dispatcher", "driver", "admin"].map((role) => <option>{role}</option>)}</select></label>
            <button class="btn ink" disabled={!admin}>{t("Make key")}</button>
            {!admin && <small>{t("Only an admin makes keys.")}</small>}
          </form>
          {secret !== "" && <Once words={t("The key, shown only now")} text={secret} close={() => setSecret("")} />}
          <Table list={list} idOf={(k) => k.id} what={t("keys")} empty={<b>{t("No key has been made yet.")}</b>} columns={[
            { word: t("Key"), cell: (k) => <code>{k.id}</code> }, { word: t("Role"), cell: (k) => k.role },
            { word: "", cell: (k) => (<button type="button" class="btn small" disabled={!admin} onClick={() => revoke(k)}>{t("Revoke")}</button>) },
          ]} />
        </>
      )}
    </>
  );
}
