#!/usr/bin/env python3
"""A day on which promises break, and everybody concerned is told once, though the api dies.

  day.py --milepost BINARY [--minutes 180] [--vehicles 80] [--jam 20] [--kills 20] [--keep DIR]

Drives a simulated fleet with customers' addresses on its stops against real processes, with a jam.
With --compress, for a day of half an hour, customers are promised narrow windows once the vans have
set off; the simulator's own are two hours wide, and none of them closes before an hour and a half.
Kills the api with SIGKILL and starts it again, half of the times at the very moment in which a
message arrives; receives webhooks and mail on real sockets (receivers.py). With KAFKA_BOOTSTRAP
(deploy/kafka/with-broker.sh day.py …) gateway, engine and api are processes of their own and only
the api is killed; without it all are one process on a disk log, and that is killed.

Prints one JSON document. Exit code 0: every late window was told once by either channel, nothing
was lost, ids stayed the same over tries, signatures verified, and 80 % of the windows that could be
foreseen were told 10 minutes before they closed.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import receivers

HOST = "127.0.0.1"
# A window counts as one that can be foreseen when it closes so long after the jam began, seconds;
# the simulator's own score says the same.
FORESEEABLE_S = 1_200
# Told so long before it closes is told in time, seconds.
AHEAD_S = 600
# The api is not killed again while it starts, seconds.
LIVES_S = 15
# What waits is sent within this, seconds: the pauses after a first failure, and the lane's rest.
DRAIN_S = 90
# One of so many first tries is turned away.
FAIL_ONE_IN = 8
# What is promised: from so long before what is expected to so long after it, seconds, on full minutes.
PROMISE_S = (600, 720)
# The promise is made so long after the first fixes are due, seconds.
PROMISED_AFTER_S = 100
LANGUAGES = ("en", "de", "es", "pt", "fr", "ar")
# Later than its window by less than this may be the receiver's noise, seconds.
NOISE_S = 15


class Processes:
    """Milepost's processes, of which the victim is killed and started again."""

    def __init__(self, binary, folder, port):
        self.binary, self.folder, self.port = binary, folder, port
        self.kafka = os.environ.get("KAFKA_BOOTSTRAP")
        self.running = {}
        self.log = open(folder / "milepost.log", "ab")

    def command(self, role):
        at = lambda n: f"{HOST}:{self.port + n}"
        common = ["--config", self.folder / "milepost.toml"]
        data, road = ["--data", self.folder / "data"], ["--map", self.folder / "town.mpr"]
        if role == "run":
            door = ["--listen", f"{HOST}:0", "--listen", f"api={at(0)}", "--listen", f"ops={at(1)}"]
            # The door keeps its ports over a restart, as a device knows only one.
            for n, name in enumerate(("teltonika", "osmand", "t55")):
                door += ["--listen", f"{name}={at(20 + n)}"]
            return ["run", *data, *road, *door, *common]
        log = ["--log", f"kafka://{self.kafka}"]
        if role == "api":
            listen = ["--listen", f"api={at(0)}", "--listen", f"ops={at(1)}"]
            return ["api", *log, *data, *road, *listen, *common]
        if role == "engine":
            return ["engine", *log, *road, "--listen", f"ops={at(2)}", *common]
        return ["gateway", *log, "--listen", f"{HOST}:0", "--listen", f"ops={at(3)}", *common]

    def start(self, role):
        """Starts one and returns the line that it prints when its sockets are open."""
        command = [str(part) for part in (self.binary, *self.command(role))]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        self.running[role] = child
        line = child.stdout.readline().decode()
        if not line:
            raise SystemExit(f"{role} did not start; see {self.folder}/milepost.log")
        return line

    def kill(self, role):
        self.running[role].kill()
        self.running[role].wait()

    def stop(self):
        for child in self.running.values():
            child.send_signal(signal.SIGTERM)
        for child in self.running.values():
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


class Api:
    """What the api answers; it is asked again while it is down."""

    def __init__(self, port, key):
        self.base, self.key = f"http://{HOST}:{port}/v1", key

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method)
        request.add_header("authorization", f"Bearer {self.key}")
        text = None if body is None else json.dumps(body).encode()
        if text is not None:
            request.add_header("content-type", "application/json")
        for left in reversed(range(60)):
            try:
                with urllib.request.urlopen(request, text, timeout=20) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code < 500 or not left:
                    raise SystemExit(f"{method} {path}: {error.code} {error.read()[:300]}")
            except OSError:
                if not left:
                    raise
            time.sleep(0.5)
        return None

    def pages(self, path, name):
        """All members of a list."""
        members, after = [], None
        while True:
            cursor = "" if after is None else f"&after={after}"
            page = self.ask("GET", f"{path}limit=1000{cursor}")
            members += page[name]
            after = page.get("next")
            if not page[name] or after is None:
                return members


class Killer:
    """Kills and starts again, spread over the day; every second time when a message arrives."""

    def __init__(self, processes, role, book, times, seconds):
        self.processes, self.role, self.times, self.seconds = processes, role, times, seconds
        self.chance = random.Random(7)
        self.called = threading.Event()
        self.moments = []
        book.arrived = lambda line: self.called.set()

    def kill_all(self):
        began, pause = time.time(), self.seconds / self.times
        for n in range(self.times):
            due = began + n * pause + self.chance.uniform(0, max(pause - LIVES_S, 1))
            time.sleep(max(due - time.time(), 0))
            if n % 2:
                self.called.clear()
                self.called.wait(pause / 2)
                time.sleep(self.chance.choice([0, 0.001, 0.005, 0.02]))
            self.processes.kill(self.role)
            self.moments.append(time.time())
            self.processes.start(self.role)


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def prepare(args, folder):
    """The town's map and the configuration."""
    milepost = lambda *parts: subprocess.run(
        [args.milepost, *map(str, parts)], check=True, stdout=subprocess.PIPE
    ).stdout
    milepost("simulate", "--town", folder / "town.osm.pbf", "--seed", args.seed)
    milepost("map", "build", folder / "town.osm.pbf", folder / "town.mpr")
    (folder / "milepost.toml").write_text(
        f"""[webhooks]
allow_private = true
[mail]
smtp = "smtp://{HOST}:{args.port + 10}"
from = "Milepost <post@example.org>"
page = "http://{HOST}:{args.port}"
"""
    )
    if os.environ.get("KAFKA_BOOTSTRAP"):
        milepost("topics", "create", "--log", f"kafka://{os.environ['KAFKA_BOOTSTRAP']}")
    (folder / "data").mkdir(mode=0o700, exist_ok=True)
    key = milepost("keys", "create", "--data", folder / "data", "--tenant", "day", "--role", "admin")
    return json.loads(key)["key"]


def drive(args, folder, key, ports):
    """The simulator, which returns when the day is over."""
    (folder / "ports").write_text(ports)
    command = [args.milepost, "simulate", "--map", folder / "town.mpr", "--seed", args.seed]
    command += ["--vehicles", args.vehicles, "--minutes", args.minutes, "--interval", args.interval]
    command += ["--ports", folder / "ports", "--api", f"http://{HOST}:{args.port}", "--key", key]
    command += ["--jam", f"auto@{args.jam}", "--score", folder / "score.json"]
    with open(folder / "simulate.log", "wb") as log:
        done = subprocess.run([str(part) for part in command], stdout=log, stderr=log)
    if done.returncode:
        raise SystemExit(f"simulate failed; see {folder}/simulate.log")


def promise(api, folder):
    """Waits for the vans to set off, then promises each customer a window around what is expected."""
    log = folder / "simulate.log"
    while not log.exists() or "driving" not in log.read_text():
        time.sleep(1)
    time.sleep(PROMISED_AFTER_S)
    stamp = lambda at: datetime.fromtimestamp(at, timezone.utc).isoformat().replace("+00:00", "Z")
    for route in api.pages("/routes?", "routes"):
        stops = []
        for n, stop in enumerate(route["stops"]):
            new = {name: stop[name] for name in ("id", "order", "lat", "lng", "service_s", "name")}
            new["contact"] = {
                "email": f"{stop['order']}@example.com", "language": LANGUAGES[n % len(LANGUAGES)],
            }
            if "eta" in stop and "arrived_at" not in stop:
                expected = seconds(stop["eta"]["p50"]) // 60 * 60
                opens, closes = expected - PROMISE_S[0], expected + PROMISE_S[1]
                new["window"] = {"from": stamp(opens), "to": stamp(closes)}
            stops.append(new)
        whole = {name: route[name] for name in ("vehicle", "depot", "shift", "time_zone")}
        api.ask("PUT", f"/routes/{route['id']}", whole | {"stops": stops})


def truth(api, ended):
    """Every order with a window: when it closes, and whether its service began later."""
    windows = {}
    for route in api.pages("/routes?", "routes"):
        for stop in route["stops"]:
            if "window" in stop:
                windows[stop["order"]] = seconds(stop["window"]["to"])
    arrived = {}
    after = ""
    while True:
        page = api.ask("GET", f"/events?type=arrived&limit=1000{after}")
        for event in page["events"]:
            arrived.setdefault(event.get("order"), seconds(event["at"]))
        if not page["events"]:
            break
        after = f"&after={page['next']}"
    late = {
        order: closes
        for order, closes in windows.items()
        if arrived.get(order, ended) > closes + NOISE_S and closes <= ended
    }
    kept = {order for order, closes in windows.items() if order in arrived and order not in late}
    return windows, arrived, late, kept


def drained(api):
    """Waits until nothing waits any more; all messages."""
    until = time.time() + DRAIN_S
    while True:
        messages = api.pages("/messages?", "messages")
        if not any(m["state"] in ("waiting", "failed") for m in messages) or time.time() > until:
            return messages
        time.sleep(2)


def tell(book, messages, late, kept, began):
    """The figures of one day."""
    event_of = {m["id"]: m["event"] for m in messages}
    taken = [l for l in book.lines if l["taken"]]
    figures = {"late": len(late), "messages": len(messages), "tries_received": len(book.lines)}
    in_time = {}
    for channel in ("webhook", "mail"):
        told = {}
        for line in taken:
            if line["channel"] == channel and event_of.get(line["id"]) == "predicted_late":
                told.setdefault(line["order"], {}).setdefault(line["id"], line["at"])
        first = {order: min(ids.values()) for order, ids in told.items()}
        foreseeable = {o: c for o, c in late.items() if c >= began + FORESEEABLE_S}
        ahead = [o for o, c in foreseeable.items() if o in first and first[o] <= c - AHEAD_S]
        in_time[channel] = len(ahead) / len(foreseeable) if foreseeable else None
        every = [o for o, c in late.items() if o in first and first[o] <= c - AHEAD_S]
        figures[channel] = {
            "late_told": sum(order in told for order in late),
            "late_not_told": sorted(order for order in late if order not in told),
            "told_twice": sorted(order for order, ids in told.items() if len(ids) > 1),
            "told_in_all": len(told),
            "told_and_kept": sum(order in kept for order in told),
            "told_and_not_decided_by_the_end": sum(
                order not in late and order not in kept for order in told
            ),
            "foreseeable": len(foreseeable),
            "foreseeable_10_min_ahead": len(ahead),
            "late_10_min_ahead": len(every),
            "same_message_taken_again": sum(
                1 for line in taken if line["channel"] == channel and not line["first"]
            ) - sum(1 for line in book.lines if line["channel"] == channel and not line["taken"]),
        }
    bodies = {}
    for line in book.lines:
        bodies.setdefault(line["id"], set()).add(line["body"])
    arrived = {line["id"] for line in taken}
    figures |= {
        "tries_turned_away": sum(not line["taken"] for line in book.lines),
        "turned_away_and_never_again": sum(
            not any(t["id"] == line["id"] for t in taken) for line in book.lines if not line["taken"]
        ),
        "ids_with_two_contents": sum(len(texts) > 1 for texts in bodies.values()),
        "ids_unknown_to_the_api": sum(line["id"] not in event_of for line in book.lines),
        "lost": sum(m["state"] == "sent" and m["id"] not in arrived for m in messages),
        "not_sent": sorted({m["state"] for m in messages} - {"sent"}),
        "signatures": sum(line["channel"] == "webhook" for line in book.lines),
        "signatures_bad": sum(not line.get("signed", True) for line in book.lines),
        "verified_by": receivers.VERIFIER,
    }
    both = [figures["webhook"], figures["mail"]]
    figures["ok"] = bool(
        late
        and not any(one["late_not_told"] or one["told_twice"] for one in both)
        and all(share is not None and share >= 0.8 for share in in_time.values())
        and not figures["lost"] + figures["turned_away_and_never_again"]
        and not figures["ids_with_two_contents"] + figures["ids_unknown_to_the_api"]
        and not figures["not_sent"] and not figures["signatures_bad"]
    )
    return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--milepost", required=True, help="the binary")
    parser.add_argument("--minutes", type=float, default=180, help="length of the day")
    parser.add_argument("--vehicles", type=int, default=80)
    parser.add_argument("--interval", type=int, default=5, help="seconds between two fixes")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--jam", type=float, default=20, help="minute in which the jam begins")
    parser.add_argument("--compress", action="store_true", help="promise windows of half an hour")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--port", type=int, default=18_100, help="first of 50 ports")
    parser.add_argument("--keep", type=Path, help="folder for logs and the book of arrivals")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="milepost-day-"))
    folder.mkdir(parents=True, exist_ok=True)
    key = prepare(args, folder)
    book = receivers.Book(folder / "book.jsonl", FAIL_ONE_IN)
    hook = {}
    receivers.webhooks((HOST, args.port + 11), book, lambda: hook["secret"])
    receivers.mails((HOST, args.port + 10), book)
    processes = Processes(args.milepost, folder, args.port)
    try:
        if processes.kafka:
            processes.start("engine")
            victim, ports = "api", processes.start("gateway")
            processes.start("api")
        else:
            victim, ports = "run", processes.start("run")
        api = Api(args.port, key)
        # It may be night here: nobody waits for the morning.
        rules = {"quiet": None, "events": ["arriving_soon", "predicted_late", "back_on_time"]}
        api.ask("PUT", "/messages/rules", rules)
        hook |= api.ask("POST", "/webhooks", {
            "url": f"http://{HOST}:{args.port + 11}/", "events": ["predicted_late", "back_on_time"],
        })
        began = time.time()
        killer = Killer(processes, victim, book, args.kills, (args.minutes - 3) * 60)
        with ThreadPoolExecutor() as pool:
            driving = pool.submit(drive, args, folder, key, ports)
            if args.compress:
                promise(api, folder)
            killing = pool.submit(killer.kill_all)
            driving.result()
            killing.result()
        messages = drained(api)
        windows, arrived, late, kept = truth(api, began + args.minutes * 60)
        figures = {"windows": len(windows), "arrived": len(arrived), "kills": len(killer.moments)}
        figures["kafka"] = bool(processes.kafka)
        figures |= tell(book, messages, late, kept, began + args.jam * 60)
        score = json.loads((folder / "score.json").read_text())
        figures["simulator_says"] = score["alerts"]["predicted_late"] | {
            "acked": score["acked"], "lost": score["lost"],
        }
    finally:
        processes.stop()
    print(json.dumps(figures, indent=1))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
