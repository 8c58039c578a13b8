/** Links for customers: made for one order, copied once, revoked at any time. */
import { useState } from "preact/hooks";
import type { Link } from "../api/client";
import { dayClock, number } from "../format";
import { t } from "../messages/translate";
import { Connection } from "../parts/connection";
import { Shell } from "../parts/shell";
import { param } from "../state/address";
import { selected } from "../state/live";
import { may } from "../state/session";
import { layout } from "../state/theme";
import { reached } from "../map/route";
import { change, field, Once, Table, useList } from "./settings/list";

export function Links() {
  const list = useList<Link>("/v1/links?limit=500", "links", 15_000);
  const [made, setMade] = useState<{ order: string; url: string } | null>(null);
  const allowed = may("dispatcher");
  const van = selected.value;
  const open = van === null ? [] : van.visits.filter((v) => !reached(v));
  const make = async (order: string) => {
    const link = await change<{ url: string }>("/v1/links", { method: "POST", body: { order } }, t("Link made for order {order}.", { order }));
    if (link !== undefined) setMade({ order, url: new URL(link.url, location.origin).href });
    list.refresh();
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    void make(field(event, "order"));
  };
  const revoke = (link: Link) => void change(`/v1/links/${encodeURIComponent(link.id)}`, { method: "DELETE" }, t("The link of order {order} no longer works.", { order: link.order })).then(list.refresh);
  return (
    <Shell screen="links" bar={<h1>{t("Customer links")}</h1>}>
      <div class="page scroll">
        {layout.value === "phone" && <div class="phone-top"><h1 class="here">{t("Customer links")}</h1><span class="space" /><Connection short /></div>}
        <header class="part-head"><p class="soft">{t("A link shows one customer one delivery: its window, and the van only when theirs is the next stop.")}</p></header>
        <form class="line-form" onSubmit={submit}>
          <label>{t("Order")}<input class="field" name="order" required maxLength={64} list="orders" defaultValue={open[0]?.order ?? ""} key={param("van") + (open[0]?.order ?? "")} /></label>
          <datalist id="orders">{open.map((v) => <option value={v.order}>{v.name}</option>)}</datalist>
          <button class="btn ink" disabled={!allowed}>{t("Make link")}</button>
          {!allowed && <small>{t("Your role may look, not act")}</small>}
        </form>
        {made !== null && (
          <>
            <Once words={t("The link of order {order}, shown only now", { order: made.order })} text={made.url} close={() => setMade(null)} />
            <p class="pad"><a href={made.url} target="_blank" rel="noreferrer">{t("Open as the customer sees it")}</a></p>
          </>
        )}
        <Table list={list} idOf={(l) => l.id} what={t("links")} empty={<b>{t("No link has been made yet.")}</b>} columns={[
          { word: t("Order"), cell: (l) => <code>{l.order}</code> },
          { word: t("Made"), cell: (l) => dayClock(Date.parse(l.created_at)) },
          { word: t("Works until"), cell: (l) => (l.revoked ? t("revoked") : Date.parse(l.expires_at) < Date.now() ? t("expired {time}", { time: dayClock(Date.parse(l.expires_at)) }) : dayClock(Date.parse(l.expires_at))) },
          { word: t("Opened"), cell: (l) => (l.opened === undefined ? "–" : number(l.opened)), numeric: true },
          { word: "", cell: (l) => (l.revoked ? null : <button type="button" class="btn small" disabled={!allowed} onClick={() => revoke(l)}>{t("Revoke")}</button>) },
        ]} />
      </div>
    </Shell>
  );
}
