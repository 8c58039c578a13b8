"""reports.py BINARY MAP [VEHICLES] [MINUTES]: every report against a second computation.

A fleet drives a day on a virtual clock; its archive answers the reports. The same figures are
then computed by pandas, from the rows (must be equal) and from the simulator's truth, where the
vehicles really were (how far off is printed). Needs pandas and deltalake.
"""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import numpy as np
import pandas as pd
from deltalake import DeltaTable

BINARY, MAP = sys.argv[1:3]
VEHICLES, MINUTES = (sys.argv[3:5] + ["40", "480"][len(sys.argv) - 3:])[:2]
# Yesterday: what the log keeps for a week is archived before it goes.
DAY = pd.Timestamp.now("UTC").normalize() - pd.Timedelta(days=1)
START = DAY.strftime("%Y-%m-%dT06:00:00Z")
PERIOD = (DAY.strftime("%Y-%m-%dT00:00:00Z"), (DAY + pd.Timedelta(days=1)).strftime("%Y-%m-%dT12:00:00Z"))
PORT = 18650
EARTH_M = 6_371_008.8
FAILED = []


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def metres(lat1, lng1, lat2, lng2):
    a, b, c, d = (np.radians(x) for x in (lat1, lng1, lat2, lng2))
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return 2 * EARTH_M * np.arcsin(np.sqrt(h))


def ask(path, body=None):
    url = f"http://127.0.0.1:{PORT}{path}"
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    answer = json.load(urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60))
    frame = pd.DataFrame(answer["rows"], columns=[c["name"] for c in answer["columns"]])
    for column in answer["columns"]:
        if column["type"] == "timestamp":
            frame[column["name"]] = pd.to_datetime(frame[column["name"]], utc=True, format="ISO8601")
    return frame


def report(name):
    query = urllib.parse.urlencode({"from": PERIOD[0], "to": PERIOD[1]})
    return ask(f"/v1/reports/{name}?{query}")


def same(name, ours, theirs, tolerance=1e-6):
    """Equal figures, in equal order."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    equal = ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True)
    print(f"  {name}: {'equal' if equal else 'DIFFERENT'}, {ours.size} figures")
    if not equal:
        FAILED.append(name)
        print("    ours", ours[:5], "pandas", theirs[:5])


def near(name, ours, truth):
    """How far our figures are from the truth."""
    off = np.abs(np.asarray(ours, dtype=float) - np.asarray(truth, dtype=float))
    off = off[~np.isnan(off)]
    if not len(off):
        return print(f"  truth, {name}: nothing to compare")
    share = off.sum() / max(np.abs(np.asarray(truth, dtype=float)).sum(), 1e-9)
    print(f"  truth, {name}: off by {off.mean():.3g} on average, {off.max():.3g} at most, {share:.2%} of all; {len(off)} figures")


def table(name, data):
    return DeltaTable(os.path.join(data, "archive", name)).to_pandas()


def seconds(times):
    counted = times.astype("int64") / {"us": 1e6, "ns": 1e9, "ms": 1e3}[times.dt.unit]
    return counted.where(times.notna())


def steps_of_rows(positions):
    p = positions[positions.valid].sort_values(["vehicle", "time", "seq"]).copy()
    for column in ("lat", "lng", "speed_mps"):
        p[column] = p[column].astype(float)
    p["t"] = seconds(p.time)
    before = p.groupby("vehicle")[["t", "lat", "lng", "speed_mps"]].shift()
    p["dt"] = p.t - before.t
    p["m"] = metres(before.lat, before.lng, p.lat, p.lng)
    known = p.speed_mps.notna() | before.speed_mps.notna()
    fast = np.fmax(p.speed_mps.fillna(0), before.speed_mps.fillna(0)) >= 1
    p["moving"] = np.where(p.dt > 0, np.where((p.dt <= 300) & known, fast, p.m / p.dt >= 1), False)
    p["since"] = before.t
    return p


def visits_of_rows(events):
    e = events[events.type.isin(["arrived", "departed"]) & events.stop.notna()]
    e = e.sort_values(["vehicle", "route", "stop", "time", "seq"]).copy()
    e["t"] = seconds(e.time)
    after = e.groupby(["vehicle", "route", "stop"])[["t", "type"]].shift(-1)
    e["departed"] = np.where(after.type == "departed", after.t, np.nan)
    return e[e.type == "arrived"].rename(columns={"t": "arrived"})[["vehicle", "route", "stop", "arrived", "departed"]]


def plan_of_rows(etas):
    """Each stop as the newest whole version of its route has it."""
    e = etas[etas.place.notna()].sort_values(["version", "time", "seq"])
    last = e.drop_duplicates(["route", "stop"], keep="last").copy()
    last["closes"], last["opens"] = seconds(last.window_to), seconds(last.window_from)
    for column in ("lat", "lng"):
        last[column] = last[column].astype(float)
    return last


def visits_of_truth(trace, plan):
    """When vehicles really stood at doors: from the first still fix near one to the last."""
    found = []
    doors = dict(tuple(plan.groupby("vehicle")))
    for vehicle, fixes in trace.groupby("trace"):
        still = metres(fixes.true_lat.shift(), fixes.true_lon.shift(), fixes.true_lat, fixes.true_lon) < 0.5
        since = fixes.t.shift()  # it has stood since the fix before, at the least
        for door in doors.get(vehicle, plan.iloc[:0]).itertuples():
            at = still & (metres(fixes.true_lat, fixes.true_lon, door.lat, door.lng) < 60)
            times = fixes.t[at]
            if len(times):
                # One visit: what comes after a silence of half an hour is another.
                gaps = times.diff().fillna(0).to_numpy()
                end = len(times) if not (gaps > 1_800).any() else int(np.argmax(gaps > 1_800))
                found.append((vehicle, door.route, door.stop, since[at].iloc[0], times.iloc[end - 1]))
    return pd.DataFrame(found, columns=["vehicle", "route", "stop", "came", "left"])


def judge(data, trace):
    positions, events, etas = (table(name, data) for name in ("positions", "events", "etas"))
    trace["t"] = trace.t_ms / 1000
    steps, visits, plan = steps_of_rows(positions), visits_of_rows(events), plan_of_rows(etas)
    true = visits_of_truth(trace, plan)
    first = visits.groupby(["route", "stop"]).arrived.min()
    plan["reached"] = [first.get(key, np.nan) for key in zip(plan.route, plan.stop)]
    came = true.set_index(["route", "stop"]).came
    plan["came"] = [came.get(key, np.nan) for key in zip(plan.route, plan.stop)]

    print("distance")
    ours = report("distance").set_index("vehicle").sort_index()
    moved = steps[steps.moving].groupby("vehicle")
    same("distance_m", ours.distance_m, moved.m.sum())
    same("driving_s", ours.driving_s, moved.dt.sum())
    same("first_moved, last_moved", np.r_[seconds(ours.first_moved), seconds(ours.last_moved)], np.r_[moved.since.min(), moved.t.max()])
    trace["m"] = trace.groupby("trace", group_keys=False)[["true_lat", "true_lon"]].apply(lambda f: metres(f.true_lat.shift(), f.true_lon.shift(), f.true_lat, f.true_lon))
    trace["dt"] = trace.groupby("trace").t.diff()
    really = trace[trace.m > 0.5].groupby("trace")
    near("metres", ours.distance_m, really.m.sum().reindex(ours.index))
    near("seconds driven", ours.driving_s, really.dt.sum().reindex(ours.index))

    print("on_time")
    ours = report("on_time").set_index("vehicle").sort_index()
    to = pd.Timestamp(PERIOD[1]).timestamp()
    due = plan[plan.closes.notna() & (plan.closes < to)].copy()
    due["fine"] = due.reached <= due.closes
    due["truly"] = due.came <= due.closes
    by = due.groupby("vehicle")
    same("stops, on_time", np.r_[ours.stops, ours.on_time], np.r_[by.size(), by.fine.sum()])
    late = np.fmax(due.reached, due.opens.fillna(-np.inf)) - due.closes
    same("late_avg_s", ours.late_avg_s, late.where(late > 0).groupby(due.vehicle).mean())
    near("stops on time", ours.on_time, by.truly.sum().reindex(ours.index))

    print("stops_per_hour")
    ours = report("stops_per_hour").set_index("vehicle").sort_index()
    v = visits.assign(end=visits.departed.fillna(visits.arrived), key=visits.route + "/" + visits.stop).groupby("vehicle")
    hours = (v.end.max() - v.arrived.min()) / 3600
    same("stops, hours, stops_per_hour", np.r_[ours.stops, ours.hours, ours.stops_per_hour], np.r_[v.key.nunique(), hours, v.key.nunique() / hours])
    t = true.groupby("vehicle")
    near("stops per hour", ours.stops_per_hour, (t.size() / ((t.left.max() - t.came.min()) / 3600)).reindex(ours.index))

    print("dwell")
    ours = report("dwell")
    cells = ask("/v1/sql", {"sql": "SELECT route, stop, h3_cell(lat, lng, 10) AS place, h3_cell(lat, lng, 8) AS cell FROM stops"}).set_index(["route", "stop"])
    done = visits.dropna(subset="departed").copy()
    done["place"] = [cells.place.get(key) for key in zip(done.route, done.stop)]
    done["dwell"] = done.departed - done.arrived
    by = done.groupby("place").dwell
    ours = ours.set_index("place").sort_index()
    same("visits, total, average, median, most", np.r_[ours.visits, ours.dwell_total_s, ours.dwell_avg_s, ours.dwell_median_s, ours.dwell_max_s], np.r_[by.size(), by.sum(), by.mean(), by.median(), by.max()])
    stood = true.assign(place=[cells.place.get(key) for key in zip(true.route, true.stop)], dwell=true.left - true.came)
    both = ours.index.intersection(stood.place.dropna().unique())
    near("seconds at a place", ours.dwell_total_s[both], stood.groupby("place").dwell.sum()[both])

    print("delay_by_h3")
    ours = report("delay_by_h3").set_index("cell").sort_index()
    reached = plan[plan.reached.notna() & plan.closes.notna()].copy()
    reached["cell"] = [cells.cell.get(key) for key in zip(reached.route, reached.stop)]
    reached["delay"] = (np.fmax(reached.reached, reached.opens.fillna(-np.inf)) - reached.closes).clip(lower=0)
    by = reached.groupby("cell")
    same("stops, average, most", np.r_[ours.stops, ours.delay_avg_s, ours.delay_max_s], np.r_[by.size(), by.delay.mean(), by.delay.max()])
    reached["truly"] = (np.fmax(reached.came, reached.opens.fillna(-np.inf)) - reached.closes).clip(lower=0)
    near("average delay of a cell", ours.delay_avg_s, reached.groupby("cell").truly.mean())

    print("eta_quality")
    ours = report("eta_quality").set_index("lead_from_min")
    e = etas[etas.p50.notna()].copy()
    arrived = visits.groupby(["vehicle", "route", "stop"]).arrived.min()
    keys = list(zip(e.vehicle, e.route, e.stop))
    e["arrived"], e["t"], e["mid"] = [arrived.get(key, np.nan) for key in keys], seconds(e.time), seconds(e.p50)
    e["came"] = [came.get(key[1:], np.nan) for key in keys]
    e["low"], e["high"] = seconds(e.p10), seconds(e.p90)
    e = e[e.t < e.arrived]
    lead = pd.cut((e.arrived - e.t) / 60, [0, 5, 10, 20, 30, 60, 120, math.inf], right=False, labels=[0, 5, 10, 20, 30, 60, 120])
    error = e.mid - e.arrived
    by = lambda column: column.groupby(lead, observed=True).mean()
    covered = ((e.arrived >= e.low) & (e.arrived <= e.high)).astype(float)
    same("predictions", ours.predictions, lead.value_counts().sort_index().loc[lambda c: c > 0])
    same("mae_s, bias_s, coverage, width_s", np.r_[ours.mae_s, ours.bias_s, ours.coverage, ours.width_s], np.r_[by(error.abs()), by(error), by(covered), by(e.high - e.low)])
    near("mean absolute error", ours.mae_s, by((e.mid - e.came).abs()))

    print("idle")
    ours = report("idle")
    same("seconds idle", [ours.idle_s.sum()], [idle_of_rows(steps, visits)])
    print("  truth: drivers' breaks and what a receiver makes of them are not told apart")

    print("failed:", len(report("failed")), "rows; nobody fails in this day:", "equal" if report("failed").empty else "DIFFERENT")
    ours = report("speeding")
    limits = ask("/v1/sql", {"sql": "SELECT count(*) AS n, count(speed_limit_mps(matched_way)) AS known FROM positions WHERE matched_way IS NOT NULL"}) if len(ours) else None
    print("speeding:", len(ours), "spells", "" if limits is None else limits.to_dict("records"))


def idle_of_rows(steps, visits):
    total = 0.0
    told = dict(tuple(visits.groupby("vehicle")))
    for vehicle, s in steps[steps.since.notna()].groupby("vehicle"):
        spell = (s.moving != s.moving.shift()).cumsum()
        spells = s.groupby(spell).agg(moving=("moving", "first"), since=("since", "min"), until=("t", "max"), seconds=("dt", "sum"), metres=("m", "sum"))
        trip = (~spells.moving & (spells.seconds >= 300)).cumsum()
        drives = spells[spells.moving].groupby(trip).agg(since=("since", "min"), until=("until", "max"), metres=("metres", "sum"))
        drives = drives[drives.metres >= 100]
        seen = told.get(vehicle, visits.iloc[:0])
        for x in spells[~spells.moving & (spells.seconds >= 300)].itertuples():
            ends = seen.departed.fillna(x.until)
            served = ((seen.arrived < x.until) & (ends > x.since)).any()
            if not served and len(drives) and x.since >= drives.since.min() and x.until <= drives.until.max():
                total += x.until - x.since
    return total


def wait(data):
    """Until everything is archived, as many rows as SQL sees, for ten seconds."""
    same_for, before = 0, None
    for _ in range(600):
        time.sleep(1)
        try:
            rows = (int(ask("/v1/sql", {"sql": "SELECT count(*) AS n FROM positions"}).n[0]), len(table("positions", data)))
        except Exception:  # nothing listens, or nothing is archived yet
            continue
        same_for = same_for + 1 if rows == before and rows[0] == rows[1] > 0 else 0
        before = rows
        if same_for == 10:
            return rows[0]
    sys.exit(f"rows in SQL and in the archive after ten minutes: {before}")


folder = tempfile.mkdtemp()
try:
    data, trace = os.path.join(folder, "data"), os.path.join(folder, "trace.csv")
    os.mkdir(data, 0o700)
    run(BINARY, "simulate", "--in-process", "--map", MAP, "--seed", "3", "--vehicles", VEHICLES, "--minutes", MINUTES, "--data", data, "--trace", trace, "--start", START, "--jam", "auto@120")
    KEY = json.loads(subprocess.run([BINARY, "keys", "create", "--data", data, "--tenant", "demo", "--role", "admin"], check=True, capture_output=True).stdout)["key"]
    environment = dict(os.environ, MILEPOST_ARCHIVE_FLUSH_S="2")
    server = subprocess.Popen([BINARY, "run", "--data", data, "--map", MAP, "--listen", "127.0.0.1:0", "--listen", f"api=127.0.0.1:{PORT}"], stdout=subprocess.DEVNULL, stderr=open(os.path.join(folder, "log"), "wb"), env=environment)
    try:
        fixes = sum(1 for _ in open(trace)) - 1
        rows = wait(data)
        print(fixes, "fixes were measured,", rows, "are rows")
        judge(data, pd.read_csv(trace))
    finally:
        server.terminate()
        server.wait()
finally:
    if FAILED and os.path.exists(os.path.join(folder, "log")):
        print(open(os.path.join(folder, "log")).read()[-2000:])
    shutil.rmtree(folder, ignore_errors=True)
sys.exit(f"not equal: {', '.join(FAILED)}" if FAILED else 0)
