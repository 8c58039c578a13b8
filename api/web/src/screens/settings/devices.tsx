/** Which tracker or phone belongs to which van, from when on. */
import type { Device } from "../../api/client";
import { dayClock } from "../../format";
import { t } from "../../messages/translate";
import { names, nameOf } from "../../state/live";
import { may } from "../../state/session";
import { change, field, Table, useList } from "./list";

export function Devices() {
  const list = useList<Device>("/v1/devices?limit=500", "devices", 30_000);
  const admin = may("admin");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget;
    const [id, vehicle] = [field(event, "id"), field(event, "vehicle")];
    void change(`/v1/devices/${encodeURIComponent(id)}`, { method: "PUT", body: { vehicle: vehicle === "" ? null : vehicle } }, t("{id} belongs to {van} from now on.", { id, van: vehicle === "" ? t("no van") : vehicle }))
      .then((done) => {
        if (done !== undefined && form instanceof HTMLFormElement) form.reset();
        list.refresh();
      });
  };
  const retire = (device: Device) => void change(`/v1/devices/${encodeURIComponent(device.id)}`, { method: "DELETE", headers: { "If-Match": `"${device.version}"` } }, t("{id} is retired. Its history stays.", { id: device.id })).then(list.refresh);
  return (
    <>
      <header class="part-head"><h2>{t("Devices")}</h2><p class="soft">{t("Trackers and phones that may speak, and whose they are. A change counts from now on, never for the past.")}</p></header>
      <form class="line-form" onSubmit={submit}>
        <label>{t("Device id (IMEI or name)")}<input class="field" name="id" required maxLength={64} /></label>
        <label>{t("Van id")}<input class="field" name="vehicle" list="van-ids" maxLength={64} /></label>
        <datalist id="van-ids">{[...names.value].slice(0, 500).map(([id, name]) => <option value={id}>{name}</option>)}</datalist>
        <button class="btn ink" aria-disabled={!admin} disabled={!admin}>{t("Assign device")}</button>
        {!admin && <small>{t("Only an admin assigns devices.")}</small>}
      </form>
      <Table list={list} idOf={(d) => d.id} what={t("devices")} empty={<b>{t("No device is known yet. Assign the first one above.")}</b>} columns={[
        { word: t("Device"), cell: (d) => <code>{d.id}</code> },
        { word: t("Van"), cell: (d) => (d.vehicle == null ? <span class="faint">{t("none")}</span> : nameOf(d.vehicle)) },
        { word: t("Since"), cell: (d) => (d.valid_from == null ? "–" : dayClock(Date.parse(d.valid_from))) },
        { word: t("Protocols"), cell: (d) => (d.protocols.length === 0 ? t("any") : d.protocols.join(", ")) },
        { word: "", cell: (d) => <button type="button" class="btn small" disabled={!admin} title={admin ? "" : t("Only an admin retires devices.")} onClick={() => retire(d)}>{t("Retire")}</button> },
      ]} />
    </>
  );
}
