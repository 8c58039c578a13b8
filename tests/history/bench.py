"""bench.py BINARY [TRUCKS] [HOURS]: Milepost's SQL against DuckDB on the same files.

The 13 queries of the TSBS IoT benchmark over trucks that report every ten seconds (its schema,
ranges and gaps; breakdown-frequency both as published, where `count(status = 0)` counts every
row, and as meant), and 12 of the last mile over the archive of a simulated fleet (ARCHIVE=FOLDER
in the environment: over that one; TSBS=FOLDER keeps the trucks' files). Both engines get two threads and the same Parquet files; each query runs
RUNS times, the best counts. What is compared is processor time of the process; both answers must
be the same rows. Needs duckdb, numpy and pyarrow.
"""
import datetime
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from queries import LAST_MILE, TSBS

BINARY = sys.argv[1]
TRUCKS, HOURS = (int(x) for x in (sys.argv[2:4] + ["1000", "24"][len(sys.argv) - 2:]))
RUNS = 10
STEP_S = 10
START = np.datetime64("2026-01-01T00:00:00", "us")
FLEETS = ["East", "West", "North", "South"]
DRIVERS = ["Derek", "Rodney", "Albert", "Andy", "Seth", "Trish"]
# Model: load capacity, fuel capacity, nominal fuel consumption.
MODELS = {"F-150": (2000, 200, 15), "G-2000": (5000, 300, 19), "H-2": (1500, 150, 12)}


def walk(random, shape, step, low, high, start):
    """Random walks along the last axis, held between low and high by reflection."""
    path = start[:, None] + np.cumsum(random.uniform(-step, step, shape), axis=1)
    span = high - low
    return high - np.abs((path - low) % (2 * span) - span)


def trucks(random):
    pick = lambda words: np.array(words)[random.integers(0, len(words), TRUCKS)]
    model = pick(list(MODELS))
    facts = np.array([MODELS[m] for m in model], dtype=float)
    return {
        "name": np.array([f"truck_{i}" for i in range(TRUCKS)]), "fleet": pick(FLEETS), "driver": pick(DRIVERS),
        "model": model, "device_version": pick(["v1.0", "v1.5", "v2.0", "v2.3"]),
        "load_capacity": facts[:, 0], "fuel_capacity": facts[:, 1], "nominal_fuel_consumption": facts[:, 2],
    }


def values(random, n):
    """What every truck measures at every step of the day; whole day at once."""
    shape = (TRUCKS, n)
    start = lambda low, high: random.uniform(low, high, TRUCKS)
    w = lambda step, low, high, digits: np.round(walk(random, shape, step, low, high, start(low, high)), digits)
    # Trucks drive for some hours, then rest: a velocity of nothing, as TSBS has it by chance.
    rests = np.repeat(random.random((TRUCKS, n // 60 + 1)) < 0.08, 60, axis=1)[:, :n]
    velocity = np.where(rests, 0, w(10, 0, 100, 0))
    readings = {
        "latitude": w(0.005, -90, 90, 5), "longitude": w(0.005, -180, 180, 5), "elevation": w(10, 0, 5000, 0),
        "velocity": velocity, "heading": w(5, 0, 360, 0), "grade": w(5, 0, 100, 0),
        "fuel_consumption": w(1, 0, 50, 1),
    }
    broken = np.repeat(random.random((TRUCKS, n // 30 + 1)) < 0.05, 30, axis=1)[:, :n]
    diagnostics = {
        "fuel_state": w(0.01, 0, 1, 2), "current_load": w(100, 0, 2000, 0),
        "status": np.where(broken, 0, random.integers(1, 6, shape)).astype(np.int64),
    }
    return readings, diagnostics


def write(folder):
    """Both tables, a file an hour, sorted by truck and time, the encodings of the archive."""
    random = np.random.default_rng(123)
    of_truck = trucks(random)
    n = HOURS * 3600 // STEP_S
    per_hour = 3600 // STEP_S
    for name, columns in zip(("readings", "diagnostics"), values(random, n)):
        path = os.path.join(folder, name)
        os.makedirs(path)
        for hour in range(HOURS):
            steps = slice(hour * per_hour, (hour + 1) * per_hour)
            kept = random.random((TRUCKS, per_hour)) >= 0.1  # rows that never came
            truck, step = np.nonzero(kept)
            order = np.lexsort((step, of_truck["name"][truck]))
            truck, step = truck[order], step[order]
            nameless = random.random(len(truck)) < 0.01
            seconds = (hour * per_hour + step) * STEP_S
            table = {"time": pa.array(START + seconds.astype("timedelta64[s]"), pa.timestamp("us"))}
            for tag, facts in of_truck.items():
                table[tag] = pa.array(facts[truck], mask=nameless if tag == "name" else None)
            for column, measured in columns.items():
                missing = random.random(len(truck)) < 0.01
                table[column] = pa.array(measured[:, steps][truck, step], mask=missing)
            table = pa.table(table)
            table = table.cast(table.schema.set(0, pa.field("time", pa.timestamp("us"), nullable=False)))
            pq.write_table(
                table, os.path.join(path, f"{hour:02}.parquet"), compression="zstd", row_group_size=256 * 1024,
                use_dictionary=[c for c in table.column_names if c not in ("time", "latitude", "longitude")],
                column_encoding={"time": "DELTA_BINARY_PACKED"}, write_page_index=True)


def ours(sql, tables):
    """Rows, best milliseconds of processor."""
    named = [x for name, folder in tables.items() for x in ("--table", f"{name}={folder}")]
    config = os.path.join(WORK, "milepost.toml")
    done = subprocess.run([BINARY, "sql", sql, "--format", "arrow", "--times", str(RUNS), "--config", config] + named, capture_output=True)
    said = done.stderr.decode()
    if done.returncode:
        sys.exit(f"{sql}\n{said}")
    rows = pa.ipc.open_stream(done.stdout).read_all()
    spent = [float(x) for x in re.findall(r"([\d.]+) ms of processor", said)]
    return [list(row.values()) for row in rows.to_pylist()], min(spent)


def processor_ms():
    total = 0
    for thread in os.listdir("/proc/self/task"):
        try:
            total += int(open(f"/proc/self/task/{thread}/schedstat").read().split()[0])
        except FileNotFoundError:
            pass
    return total / 1e6


def duck(sql, tables):
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")
    for name, folder in tables.items():
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = false)")
    best = math.inf
    for _ in range(RUNS):
        before = processor_ms()
        rows = connection.execute(sql).fetchall()
        best = min(best, processor_ms() - before)
    return [list(row) for row in rows], best


def plain(value):
    """A value as both engines would say it."""
    if isinstance(value, (datetime.datetime, datetime.date)):
        value = value.isoformat()
    if isinstance(value, str):
        return re.sub(r"(\.\d*?)0*(Z|\+00:00)?$", r"\1", value.replace(" ", "T").removesuffix("Z").removesuffix("+00:00")).rstrip(".") if re.match(r"\d{4}-\d\d-\d\d", value) else value
    if isinstance(value, bool) or value is None:
        return value
    return float(value)


def key(row):
    return [(x is None, "" if isinstance(x, float) else str(x), round(x, 6) if isinstance(x, float) else 0.0) for x in row]


def same(a, b):
    if len(a) != len(b):
        return f"{len(a)} rows and {len(b)}"
    a, b = (sorted(([plain(x) for x in row] for row in rows), key=key) for rows in (a, b))
    for x, y in zip(a, b):
        for u, v in zip(x, y):
            equal = math.isclose(u, v, rel_tol=1e-9, abs_tol=1e-6) if isinstance(u, float) and isinstance(v, float) else u == v
            if not equal:
                return f"{x} and {y}"
    return ""


def archive():
    """The archive of a fleet that drives for a working day."""
    if "ARCHIVE" in os.environ:
        return os.environ["ARCHIVE"]
    run = lambda *command: subprocess.run([BINARY, *command], check=True, capture_output=True).stdout
    town, road, data = (os.path.join(WORK, name) for name in ("town.osm.pbf", "town.mpr", "data"))
    run("simulate", "--town", town)
    run("map", "build", town, road)
    day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    start = day.strftime("%Y-%m-%dT06:00:00Z")
    run("simulate", "--in-process", "--map", road, "--seed", "3", "--vehicles", "40", "--minutes", "480", "--data", data, "--start", start)
    environment = dict(os.environ, MILEPOST_ARCHIVE_FLUSH_S="30")
    server = subprocess.Popen([BINARY, "run", "--data", data, "--map", road, "--listen", "127.0.0.1:0"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rows = -1
    while True:
        time.sleep(60)
        before, rows = rows, sum(t["rows"] for t in json.loads(run("archive", "verify", "--data", data))["tables"])
        if rows == before:
            break
    server.terminate()
    server.wait()
    return os.path.join(data, "archive")


def compare(title, queries, tables):
    print(f"\n{title}\n{'query':34} {'rows':>7} {'ours ms':>9} {'DuckDB ms':>9} {'ratio':>6}", flush=True)
    ratios, wrong = [], 0
    for name, query in queries.items():
        text, theirs = query if isinstance(query, tuple) else (query, [query])
        rows, spent = ours(text, tables)
        # Where DuckDB knows two ways, its better one counts.
        other, other_spent = min((duck(one, tables) for one in theirs), key=lambda x: x[1])
        differs = same(rows, other)
        wrong += bool(differs)
        ratios.append(spent / other_spent)
        print(f"{name:34} {len(rows):7} {spent:9.1f} {other_spent:9.1f} {ratios[-1]:6.2f} {'DIFFERENT: ' + differs[:300] if differs else ''}", flush=True)
    mean = math.exp(np.mean(np.log(ratios)))
    print(f"{'geometric mean':34} {'':7} {'':9} {'':9} {mean:6.2f}   worst {max(ratios):.2f}; {wrong} answers differ", flush=True)
    return wrong


def main():
    print(f"duckdb {duckdb.__version__}, {TRUCKS} trucks, {HOURS} h")
    data = os.environ.get("TSBS") or os.path.join(WORK, "tsbs")
    if not os.path.exists(data):
        write(data)
    tables = {name: os.path.join(data, name) for name in ("readings", "diagnostics")}
    size = sum(os.path.getsize(os.path.join(t, f)) for t in tables.values() for f in os.listdir(t))
    rows = sum(pq.ParquetFile(os.path.join(t, f)).metadata.num_rows for t in tables.values() for f in os.listdir(t))
    print(f"{rows} rows, {size / 1e6:.1f} MB")
    wrong = compare("TSBS IoT", TSBS, tables)
    place = archive()
    mile = {name: os.path.join(place, name) for name in ("positions", "etas", "events", "paths")}
    wrong += compare("last mile", LAST_MILE, mile)
    sys.exit(1 if wrong else 0)


with tempfile.TemporaryDirectory() as WORK:
    open(os.path.join(WORK, "milepost.toml"), "w").write("[sql]\nthreads = 2\n")
    main()
