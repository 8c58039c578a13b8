"""Queries of bench.py: by name a text for both engines, or ours and DuckDB's.

TSBS's are those of its TimescaleDB client, over tables that hold the trucks' tags beside what was
measured; where it draws a random period or truck, one is named.
"""

LAST_LOC = """SELECT DISTINCT ON (name) name, driver, longitude, latitude FROM readings
WHERE name IS NOT NULL AND fleet = 'South' ORDER BY name, time DESC"""

SINGLE_LAST_LOC = """SELECT DISTINCT ON (name) name, driver, longitude, latitude FROM readings
WHERE name IN ('truck_1', 'truck_17', 'truck_333', 'truck_500', 'truck_999') ORDER BY name, time DESC"""

LOW_FUEL = """SELECT * FROM (SELECT DISTINCT ON (name) name, driver, fuel_state FROM diagnostics
WHERE name IS NOT NULL AND fleet = 'South' ORDER BY name, time DESC) WHERE fuel_state < 0.1"""

HIGH_LOAD = """SELECT * FROM (SELECT DISTINCT ON (name) name, driver, current_load, load_capacity FROM diagnostics
WHERE name IS NOT NULL AND fleet = 'South' ORDER BY name, time DESC) WHERE current_load / load_capacity > 0.9"""

STATIONARY = """SELECT name, driver FROM readings
WHERE time >= TIMESTAMP '2026-01-01T12:10:00' AND time < TIMESTAMP '2026-01-01T12:20:00'
AND name IS NOT NULL AND fleet = 'West' GROUP BY name, driver HAVING avg(velocity) < 1"""


def long_sessions(start, end, buckets):
    return f"""SELECT name, driver FROM (
SELECT name, driver, time_bucket(INTERVAL '10 minutes', time) AS ten_minutes FROM readings
WHERE time >= TIMESTAMP '{start}' AND time < TIMESTAMP '{end}' AND name IS NOT NULL AND fleet = 'West'
GROUP BY name, driver, time_bucket(INTERVAL '10 minutes', time) HAVING avg(velocity) > 1)
GROUP BY name, driver HAVING count(*) > {buckets}"""


AVG_VS_PROJECTED = """SELECT fleet, avg(fuel_consumption) AS avg_fuel_consumption,
avg(nominal_fuel_consumption) AS projected_fuel_consumption FROM readings
WHERE velocity > 1 AND nominal_fuel_consumption IS NOT NULL AND name IS NOT NULL AND fleet IS NOT NULL
GROUP BY fleet"""

AVG_DAILY_DURATION = """SELECT fleet, name, driver, avg(hours_driven) AS avg_daily_hours FROM (
SELECT date_trunc('day', ten_minutes) AS day, fleet, name, driver, count(*) / 6.0 AS hours_driven FROM (
SELECT name, driver, fleet, time_bucket(INTERVAL '10 minutes', time) AS ten_minutes FROM readings
WHERE name IS NOT NULL GROUP BY name, driver, fleet, time_bucket(INTERVAL '10 minutes', time)
HAVING avg(velocity) > 1) GROUP BY day, fleet, name, driver) GROUP BY fleet, name, driver"""

AVG_DAILY_SESSION = """WITH driver_status AS (
SELECT name, time_bucket(INTERVAL '10 minutes', time) AS ten_minutes, avg(velocity) > 5 AS driving FROM readings
WHERE name IS NOT NULL GROUP BY name, time_bucket(INTERVAL '10 minutes', time)),
driver_status_change AS (SELECT name, ten_minutes AS start, lead(ten_minutes) OVER (PARTITION BY name ORDER BY ten_minutes) AS stop, driving
FROM (SELECT name, ten_minutes, driving, lag(driving) OVER (PARTITION BY name ORDER BY ten_minutes) AS prev_driving FROM driver_status) x
WHERE x.driving <> x.prev_driving)
SELECT name, time_bucket(INTERVAL '1 day', start) AS day, avg({minutes}) AS duration FROM driver_status_change
WHERE driving AND stop IS NOT NULL GROUP BY name, time_bucket(INTERVAL '1 day', start)"""

AVG_LOAD = """SELECT fleet, model, load_capacity, avg(mean_load / load_capacity) AS avg_load_percentage FROM (
SELECT fleet, model, load_capacity, name, avg(current_load) AS mean_load FROM diagnostics
WHERE name IS NOT NULL GROUP BY fleet, model, load_capacity, name) GROUP BY fleet, model, load_capacity"""

DAILY_ACTIVITY = """SELECT fleet, model, day, sum(busy) / 144.0 AS daily_activity FROM (
SELECT date_trunc('day', ten_minutes) AS day, fleet, model, name, count(*) AS busy FROM (
SELECT name, fleet, model, time_bucket(INTERVAL '10 minutes', time) AS ten_minutes FROM diagnostics
WHERE name IS NOT NULL GROUP BY name, fleet, model, time_bucket(INTERVAL '10 minutes', time)
HAVING avg(status) < 5) GROUP BY day, fleet, model, name) GROUP BY fleet, model, day"""


def breakdown(broken):
    return f"""WITH breakdown AS (
SELECT name, model, time_bucket(INTERVAL '10 minutes', time) AS ten_minutes, {broken} AS broken_down FROM diagnostics
WHERE name IS NOT NULL GROUP BY name, model, time_bucket(INTERVAL '10 minutes', time)),
counted AS (SELECT name, model, broken_down, lead(broken_down) OVER (PARTITION BY name ORDER BY ten_minutes) AS next_broken_down FROM breakdown)
SELECT model, count(*) AS breakdowns FROM counted WHERE broken_down = false AND next_broken_down = true GROUP BY model"""


# DuckDB's last value of a group may be quicker as an aggregate.
def arg_max(*columns, table, of="", having=""):
    what = ", ".join(f"arg_max_null({c}, time) AS {c}" for c in columns)
    return f"SELECT * FROM (SELECT name, {what} FROM {table} WHERE name IS NOT NULL {of} GROUP BY name) {having}"


SOUTH = "AND fleet = 'South'"
NAMED = "AND name IN ('truck_1', 'truck_17', 'truck_333', 'truck_500', 'truck_999')"

TSBS = {
    "last-loc": (LAST_LOC, [LAST_LOC, arg_max("driver", "longitude", "latitude", table="readings", of=SOUTH)]),
    "single-last-loc": (SINGLE_LAST_LOC, [SINGLE_LAST_LOC, arg_max("driver", "longitude", "latitude", table="readings", of=NAMED)]),
    "low-fuel": (LOW_FUEL, [LOW_FUEL, arg_max("driver", "fuel_state", table="diagnostics", of=SOUTH, having="WHERE fuel_state < 0.1")]),
    "high-load": (HIGH_LOAD, [HIGH_LOAD, arg_max("driver", "current_load", "load_capacity", table="diagnostics", of=SOUTH, having="WHERE current_load / load_capacity > 0.9")]),
    "stationary": STATIONARY,
    "long-driving-sessions": long_sessions("2026-01-01T08:00:00", "2026-01-01T12:00:00", 22),
    "long-daily-sessions": long_sessions("2026-01-01T00:00:00", "2026-01-02T00:00:00", 60),
    "avg-vs-projected-fuel-consumption": AVG_VS_PROJECTED,
    "avg-daily-driving-duration": AVG_DAILY_DURATION,
    "avg-daily-driving-session": (
        AVG_DAILY_SESSION.replace("{minutes}", "seconds_between(start, stop)"),
        [AVG_DAILY_SESSION.replace("{minutes}", "epoch(stop) - epoch(start)")]),
    "avg-load": AVG_LOAD,
    "daily-activity": DAILY_ACTIVITY,
    "breakdown-frequency": breakdown("CAST(count(*) FILTER (WHERE status = 0) AS DOUBLE) / count(*) > 0.5"),
    "breakdown-frequency, as published": breakdown("CAST(count(status = 0) AS DOUBLE) / count(*) > 0.5"),
}

EARTH = "6371008.8"
HAVERSINE = (f"2 * {EARTH} * asin(sqrt(power(sin(radians(lat - from_lat) / 2), 2) + cos(radians(from_lat)) * "
             "cos(radians(lat)) * power(sin(radians(lng - from_lng) / 2), 2)))")

# Floats on both sides: the files hold decimals.
LINKED = """SELECT vehicle, time, lat, lng, speed_mps, lag(time) OVER w AS since, lag(lat) OVER w AS from_lat, lag(lng) OVER w AS from_lng
FROM (SELECT vehicle, time, seq, CAST(lat AS DOUBLE) AS lat, CAST(lng AS DOUBLE) AS lng, CAST(speed_mps AS DOUBLE) AS speed_mps FROM positions WHERE valid)
WINDOW w AS (PARTITION BY vehicle ORDER BY time, seq)"""


def pair(text, **different):
    """Ours and DuckDB's, where words differ."""
    ours = theirs = text
    for word, (a, b) in different.items():
        ours, theirs = ours.replace("{" + word + "}", a), theirs.replace("{" + word + "}", b)
    return ours, [theirs]


SECONDS = {"seconds": ("seconds_between(since, time)", "(epoch(time) - epoch(since))")}

LAST_MILE = {
    "where everybody is": pair(
        "SELECT vehicle, {last}(lat, time) AS lat, {last}(lng, time) AS lng, max(time) AS time FROM positions WHERE NOT backfill GROUP BY vehicle",
        last=("last_by", "arg_max")),
    "one vehicle's afternoon": (
        "SELECT time, lat, lng, speed_mps FROM positions WHERE vehicle = (SELECT max(vehicle) FROM positions) "
        "AND extract(hour FROM time) BETWEEN 12 AND 15"),
    "fixes an hour": "SELECT vehicle, date_trunc('hour', time) AS hour, count(*) AS fixes FROM positions GROUP BY vehicle, date_trunc('hour', time)",
    "kilometres a vehicle": f"SELECT vehicle, sum({HAVERSINE}) / 1000 AS km FROM ({LINKED}) WHERE since IS NOT NULL GROUP BY vehicle",
    "driving time": pair(
        f"SELECT vehicle, sum({{seconds}}) AS driven_s FROM ({LINKED}) WHERE speed_mps >= 1 GROUP BY vehicle", **SECONDS),
    "silences": pair(f"SELECT vehicle, max({{seconds}}) AS longest_s, count(*) AS steps FROM ({LINKED}) WHERE {{seconds}} > 0 GROUP BY vehicle", **SECONDS),
    "fastest of ten minutes": (
        "SELECT vehicle, time_bucket(INTERVAL '10 minutes', time) AS ten_minutes, max(speed_mps) AS mps, avg(CAST(speed_mps AS DOUBLE)) AS mean_mps "
        "FROM positions GROUP BY vehicle, time_bucket(INTERVAL '10 minutes', time)"),
    "fixes in a box": (
        "SELECT vehicle, count(*) AS fixes FROM positions CROSS JOIN (SELECT avg(CAST(lat AS DOUBLE)) AS y, avg(CAST(lng AS DOUBLE)) AS x FROM positions) "
        "WHERE lat BETWEEN y - 0.05 AND y + 0.05 AND lng BETWEEN x - 0.05 AND x + 0.05 GROUP BY vehicle"),
    "on time by vehicle": (
        "WITH said AS (SELECT route, stop, max(window_to) AS window_to FROM etas WHERE place IS NOT NULL GROUP BY route, stop), "
        "came AS (SELECT vehicle, route, stop, min(time) AS arrived FROM events WHERE type = 'arrived' GROUP BY vehicle, route, stop) "
        "SELECT vehicle, count(*) AS stops, count(*) FILTER (WHERE arrived <= window_to) AS on_time FROM came JOIN said USING (route, stop) GROUP BY vehicle"),
    "error of ETAs by lead time": pair(
        "WITH came AS (SELECT vehicle, route, stop, min(time) AS arrived FROM events WHERE type = 'arrived' GROUP BY vehicle, route, stop), "
        "judged AS (SELECT {lead} AS lead_s, {error} AS error_s, arrived BETWEEN p10 AND p90 AS covered FROM etas e JOIN came c "
        "ON c.vehicle = e.vehicle AND c.route = e.route AND c.stop = e.stop WHERE e.p50 IS NOT NULL AND e.time < c.arrived) "
        "SELECT floor(lead_s / 600) AS tens, count(*) AS n, avg(abs(error_s)) AS mean_s, count(*) FILTER (WHERE covered) AS covered FROM judged GROUP BY floor(lead_s / 600)",
        lead=("seconds_between(e.time, c.arrived)", "(epoch(c.arrived) - epoch(e.time))"),
        error=("seconds_between(c.arrived, e.p50)", "(epoch(e.p50) - epoch(c.arrived))")),
    "dwell at stops": pair(
        "SELECT vehicle, route, stop, {dwell} AS dwell_s FROM (SELECT vehicle, route, stop, min(time) FILTER (WHERE type = 'arrived') AS came, "
        "max(time) FILTER (WHERE type = 'departed') AS left_at FROM events WHERE stop IS NOT NULL GROUP BY vehicle, route, stop) WHERE left_at > came",
        dwell=("seconds_between(came, left_at)", "epoch(left_at) - epoch(came)")),
    "where it was when it was said": pair(
        "SELECT e.vehicle, e.time, e.type, p.lat, p.lng FROM events e {asof} WHERE e.type = 'predicted_late'",
        asof=("ASOF JOIN positions p MATCH_CONDITION (e.time >= p.time) ON e.vehicle = p.vehicle",
              "ASOF LEFT JOIN positions p ON e.vehicle = p.vehicle AND e.time >= p.time")),
}
