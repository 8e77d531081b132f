#!/usr/bin/env python3
"""Every field of the status, in every format, read by a real parser."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

POOL = {
    "pool": str, "process manager": str, "start time": int,
    "start since": int, "accepted conn": int, "listen queue": int,
    "max listen queue": int, "listen queue len": int, "idle processes": int,
    "active processes": int, "starting processes": int,
    "leaving processes": int, "total processes": int,
    "max active processes": int, "max children reached": int,
    "slow requests": int, "memory peak": int, "generation": int,
    "idle connections": int, "lua heap": int, "resident memory": int,
    "requests": int, "responses": dict, "timeouts": int,
    "queue timeouts": int, "failed requests": int, "killed requests": int,
    "abandoned requests": int, "bytes in": int, "bytes out": int,
    "latency": list, "latency sum": float, "last reload": str,
    "reloads": int, "refused reloads": int, "forks": int, "restarts": int,
    "crashes": int, "failed loads": int, "recycled": dict, "backoff": dict,
    "timers": list}
GROUPS = {
    "responses": ["none", "1xx", "2xx", "3xx", "4xx", "5xx"],
    "recycled": ["requests", "age", "rss", "memory", "restart", "retire"],
    "backoff": ["state", "failures", "seconds"]}
WEBSOCKETS = {
    "state": "Running", "pid": None, "open": 0, "limit": 10000, "opened": 0,
    "refused": 0, "messages in": 0, "messages out": 0, "messages waiting": 0,
    "bytes waiting": 0, "channels": 0, "slow clients": 0,
    "silent clients": 0, "faulty clients": 0, "lost": 0}
BUCKET = ["le", "count"]
WORKER = {
    "pid": int, "state": str, "start time": int, "start since": int,
    "requests": int, "request duration": int, "request method": str,
    "request uri": str, "content length": int, "user": str, "script": str,
    "last request cpu": float, "last request memory": int, "remote": str,
    "request id": str, "lua heap": int, "resident memory": int,
    "idle connections": int, "slot": int}
TIMER = {
    "name": str, "schedule": str, "state": str, "pid": int, "last run": int,
    "result": str, "reason": str, "duration": float, "next run": int,
    "runs": int, "failures": int, "missed": int}
BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
          0.1, 0.25, 0.5, 1, 2.5, 5, 10, "+Inf"]
# What is the same from one look to the next while nobody else asks.
STEADY = ("pool", "process manager", "start time", "listen queue len",
          "total processes", "generation", "crashes", "failed loads", "forks",
          "max children reached", "failed requests", "bytes in")
METRICS = {
    "start_time_seconds": "gauge", "generation": "gauge",
    "last_reload_success": "gauge", "reloads_total": "counter",
    "refused_reloads_total": "counter", "accepted_requests_total": "counter",
    "request_timeouts_total": "counter", "queue_timeouts_total": "counter",
    "slow_requests_total": "counter",
    "failed_requests_total": "counter", "killed_requests_total": "counter",
    "abandoned_requests_total": "counter", "received_bytes_total": "counter",
    "sent_bytes_total": "counter", "listen_queue_connections": "gauge",
    "listen_queue_max_connections": "gauge",
    "listen_queue_limit_connections": "gauge", "idle_connections": "gauge",
    "lua_heap_bytes": "gauge", "lua_heap_max_bytes": "gauge",
    "resident_memory_bytes": "gauge", "workers_limit": "gauge",
    "workers_max_active": "gauge", "max_children_reached_total": "counter",
    "worker_forks_total": "counter", "worker_restarts_total": "counter",
    "worker_crashes_total": "counter",
    "worker_failed_loads_total": "counter", "backoff_failures": "gauge",
    "backoff_seconds": "gauge", "workers": "gauge",
    "workers_recycled_total": "counter", "responses_total": "counter",
    "request_duration_seconds": "histogram", "timer_runs_total": "counter",
    "timer_failures_total": "counter", "timer_missed_total": "counter",
    "timer_running": "gauge", "timer_success": "gauge",
    "timer_last_run_seconds": "gauge", "timer_duration_seconds": "gauge",
    "timer_next_run_seconds": "gauge"}
WEBSOCKET_METRICS = {
    "websocket_process_up": "gauge", "websocket_connections": "gauge",
    "websocket_limit_connections": "gauge",
    "websocket_opened_total": "counter", "websocket_refused_total": "counter",
    "websocket_received_messages_total": "counter",
    "websocket_sent_messages_total": "counter",
    "websocket_waiting_messages": "gauge", "websocket_waiting_bytes": "gauge",
    "websocket_channels": "gauge", "websocket_cut_total": "counter"}
UNITS = ("seconds", "bytes", "connections")
HOSTILE = b"/<script>&amp;\"'\\\n\r\t\x01\x7f\xff\xc3\xa4\0]]>\xef\xbf\xbe"
SHOWN = ("/<script>&amp;\"'\\\\n\\r\\t\\x01\\x7f\\xff\u00e4?]]>", "\ufffe")

d = Daemon(status_path="/s", workers={"mode": "static", "max": 2},
           timers=[{"name": "often", "every": "30d"},
                   {"name": "n", "at": "03:30"}])
d.write_app(app_source("eval.lua").replace(
    "return app", "function app.interval() end\nreturn app"))


def undisturbed(query):
    """The same as JSON and in another format: a look itself may be what makes
    all workers active for a moment."""
    def look():
        before, text, after = body("json"), body(query), body("json")
        before, after = json.loads(before), json.loads(after)
        same = all(before[name] == after[name] for name in STEADY)
        return same and (after, text)
    return until(look, "nothing changes between two looks")


def body(query=""):
    r = d.fetch(uri="/s" + ("?" + query if query else ""))
    equal((r.status, r.app_status), (200, 0), query)
    return r.body.decode()


def check_types(got, wanted, what):
    equal(list(got), list(wanted), what)
    for name, kind in wanted.items():
        equal(type(got[name]), kind, name)
        if kind in (int, float):
            assert got[name] >= 0, (name, got[name])


@test
def json_has_every_field():
    """JSON: every field of the pool and of each worker, with its type"""
    d.start()
    got = json.loads(body("json"))
    check_types(got, POOL, "pool")
    for name, names in GROUPS.items():
        equal(list(got[name]), names, name)
    equal([list(b) for b in got["latency"]], [BUCKET] * len(BOUNDS))
    equal([b["le"] for b in got["latency"]], BOUNDS)
    equal([t["name"] for t in got["timers"]], ["often", "n"])
    for t in got["timers"]:
        check_types(t, TIMER, "timer")
    counts = [b["count"] for b in got["latency"]]
    equal(counts, sorted(counts))
    equal(counts[-1], got["requests"])
    equal(sum(got["responses"].values()), got["requests"])
    gate = d.gate()
    with d.connect() as c:
        c.send(request(lua=gate.lua + "return text('x')", body="12345",
                       params=[("REMOTE_USER", "ann")]
                       if PROTOCOL == FCGI else []))
        gate.wait()
        full = json.loads(body("json&full"))
        gate.open()
        c.response()
    workers = full.pop("processes")
    check_types(full, POOL, "pool")
    equal(sorted(w["pid"] for w in workers), sorted(d.workers()))
    for w in workers:
        check_types(w, WORKER, "process")
        assert w["resident memory"] > 100000, w
        assert w["lua heap"] > 1000, w
    ann, = [w for w in workers if w["request uri"] == "/"]
    equal((ann["request method"], ann["content length"], ann["state"],
           ann["remote"], ann["user"]),
          ("POST", 5, "Running", *(("127.0.0.1", "ann") if PROTOCOL == FCGI
                                   else ("unix:", "-"))))
    other, = [w for w in workers if w["request uri"] != "/"]
    equal((other["request uri"], other["script"], other["user"]),
          ("/s?json&full", "/s", "-"))
    assert ann["request id"] != other["request id"] != "", workers


@test
def websockets():
    """with WebSockets in the application: their numbers, in each format"""
    with Daemon(app=app_source("eval.lua").replace(
            "return app", "app.websocket = {}\nreturn app"),
            status_path="/s") as other:
        def ask(query):
            return other.fetch(uri="/s?" + query).body.decode()
        until(lambda: "websockets" in json.loads(ask("json")), "the hub")
        def got():
            return json.loads(ask("json"))["websockets"]
        until(lambda: got()["state"] == "Running", "the hub")
        equal(got(), {**WEBSOCKETS, "pid": got()["pid"]})
        equal(list(got()), list(WEBSOCKETS))
        assert got()["pid"] in children(other.pid), got()
        matches(r"(?m)^websockets messages waiting: +0$", ask(""))
        root = xml.etree.ElementTree.fromstring(ask("xml"))
        equal([e.tag.replace("-", " ") for e in root.find("websockets")],
              list(WEBSOCKETS))
        check_metrics(families(ask("openmetrics")), {
            name: kind for name, kind in {**METRICS,
                                          **WEBSOCKET_METRICS}.items()
            if not name.startswith("timer_")})
        blame(ask("openmetrics"), {**METRICS, **WEBSOCKET_METRICS})


@test
def text_has_every_field():
    """text: the same fields, one on each line, groups spelled out"""
    pool, *items = body("full").split("\n\n" + "*" * 24 + "\n")
    timers, workers = items[:2], items[2:]
    form = re.compile(r"([a-zA-Z0-9+. ]+): +(.*)")
    names = [form.fullmatch(line)[1] for line in pool.splitlines()]
    wanted = []
    for name in POOL:
        if name == "timers":
            continue
        if name == "latency":
            wanted += ["latency to %s" % (b if b == "+Inf" else
                                          ("%f" % b).rstrip("0").rstrip("."))
                       for b in BOUNDS]
        else:
            wanted += ["%s %s" % (name, n)
                       for n in GROUPS.get(name, ())] or [name]
    equal([n for n in names if "0.0" not in n],
          [n for n in wanted if "0.0" not in n])
    equal(len(names), len(wanted))
    equal(len(workers), 2)
    for t in timers:
        equal([re.match("[a-z ]+", line)[0] for line in
               t.strip().splitlines()], list(TIMER))
    for w in workers:
        equal([form.fullmatch(line)[1].lower() for line in
               w.strip().splitlines()], list(WORKER))
    matches(r"(?m)^start time: +\d\d/[A-Z][a-z]{2}/20\d\d(:\d\d){3} [+-]\d{4}$",
            pool)


@test
def xml_has_every_field():
    """XML: the same fields as elements, in the same order, same values"""
    got, text = undisturbed("xml&full")
    root = xml.etree.ElementTree.fromstring(text)
    equal(root.tag, "status")
    pool = {e.tag.replace("-", " "): e for e in root}
    equal(list(pool), [*POOL, "processes"])
    for name, names in GROUPS.items():
        equal([e.tag.lstrip("_") for e in pool[name]], names)
    equal([e.find("le").text for e in pool["latency"]],
          [str(b) if b in (1, 5, 10, "+Inf") or b >= 0.001 else
           ("%f" % b).rstrip("0") for b in BOUNDS])
    for name in STEADY:
        equal(pool[name].text, str(got[name]), name)
    for timer in pool["timers"]:
        equal(timer.tag, "timer")
        equal([e.tag.replace("-", " ") for e in timer], list(TIMER))
    for process in pool["processes"]:
        equal(process.tag, "process")
        equal([e.tag.replace("-", " ") for e in process], list(WORKER))


@test(over=FCGI, because="no target of HTTP has such bytes")
def strings_are_escaped():
    """what a client sends is data in every format"""
    gate = d.gate()
    with d.connect() as c:
        c.send(request(lua=gate.lua + "return text('x')", params=[
            ("REQUEST_URI", HOSTILE), ("REMOTE_USER", HOSTILE),
            ("SCRIPT_FILENAME", HOSTILE), ("REQUEST_METHOD", "G<E>T")]))
        gate.wait()
        running = [w for w in json.loads(body("json&full"))["processes"]
                   if w["request method"] == "G<E>T"]
        root = xml.etree.ElementTree.fromstring(body("xml&full"))
        texts = body("full")
        body("openmetrics").encode("ascii")
        gate.open()
        c.response()
    equal(len(running), 1)
    want = "".join(SHOWN)
    for field in ("request uri", "script"):
        equal(running[0][field], want, field)
    equal(running[0]["state"], "Running")
    in_xml, = [p for p in root.find("processes")
               if p.find("request-method").text == "G<E>T"]
    equal(in_xml.find("request-uri").text, SHOWN[0] + "\\xef\\xbf\\xbe")
    assert texts.count("request URI:          " + want + "\n") == 1, texts


# ---- OpenMetrics --------------------------------------------------------------


def families(text):
    """name -> {type, unit, help, samples: [(name, labels, value)]}, as strict
    as the standard."""
    found, current = {}, None
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    for line in text[:-len("# EOF\n")].splitlines():
        meta = re.fullmatch(r"# (TYPE|UNIT|HELP) ([a-z_]+) (.+)", line)
        if meta and meta[1] == "TYPE":
            assert meta[2] not in found, line
            current = found[meta[2]] = {"name": meta[2], "type": meta[3],
                                        "samples": []}
        elif meta:
            equal(meta[2], current["name"], line)
            assert meta[1] not in current and not current["samples"], line
            current[meta[1]] = meta[3]
        else:
            s = re.fullmatch(r'([a-z_]+)\{((?:[a-z]+="[^"\\\n]*",?)+)\} '
                             r'(\d+(?:\.\d+)?)', line)
            assert s and s[1].startswith(current["name"]), line
            labels = dict(re.findall(r'([a-z]+)="([^"]*)"', s[2]))
            current["samples"].append((s[1], labels, float(s[3])))
    return found


@test
def openmetrics():
    """OpenMetrics: names, types, units and labels as the standard asks"""
    def ask():  # once who answered before has nothing in hand
        found = families(body("openmetrics"))
        states = {s[1]["state"]: s[2]
                  for s in found["lua_fpm_workers"]["samples"]}
        return states == {"starting": 0, "idle": 1, "active": 1,
                          "leaving": 0} and found

    found = until(ask, "one worker is active, one idle")
    check_metrics(found, METRICS)
    samples = found["lua_fpm_request_duration_seconds"]["samples"]
    buckets = [s for s in samples if s[0].endswith("_bucket")]
    equal([float(s[1]["le"]) for s in buckets],
          [float(b) for b in BOUNDS])
    assert all("." in s[1]["le"] or s[1]["le"] == "+Inf" for s in buckets)
    equal([s[2] for s in buckets], sorted(s[2] for s in buckets))
    count, = [s[2] for s in samples if s[0].endswith("_count")]
    equal(buckets[-1][2], count)


def check_metrics(found, wanted):
    equal(sorted(found), sorted("lua_fpm_" + (
        name[:-len("_total")] if kind == "counter" else name)
        for name, kind in wanted.items()))
    for name, kind in wanted.items():
        name = "lua_fpm_" + name
        family = found[name[:-len("_total")] if kind == "counter" else name]
        equal(family["type"], kind, name)
        assert family["HELP"][0].isupper() and family["HELP"][-1] == ".", name
        last = family["name"].rpartition("_")[2]
        equal(family.get("UNIT"), last if last in UNITS else None, name)
        names = {s[0] for s in family["samples"]}
        equal(names, {name} if kind != "histogram" else
              {name + "_bucket", name + "_sum", name + "_count"}, name)
        assert all(s[1]["pool"] == "www" for s in family["samples"]), name
        keys = [tuple(s[1].items()) + (s[0],) for s in family["samples"]]
        equal(len(keys), len(set(keys)), name)


def blame(text, names=METRICS):
    """promtool finds nothing to blame, once counters are called in the older
    text format as it expects them.  Returns that text."""
    for name, kind in names.items():
        if kind == "counter":
            family = "lua_fpm_" + name[:-len("_total")]
            text = re.sub(r"(?m)^# (TYPE|HELP) %s " % family,
                          r"# \1 %s_total " % family, text)
    got = subprocess.run(["promtool", "check", "metrics"], input=text,
                         capture_output=True, text=True)
    equal((got.returncode, got.stdout + got.stderr), (0, ""))
    return text


@test
def promtool():
    """promtool finds nothing to blame"""
    text = blame(body("openmetrics"))
    spoiled = subprocess.run(["promtool", "check", "metrics"],
                             input=text.replace("} ", "} x"),
                             capture_output=True, text=True)
    assert spoiled.returncode != 0, "promtool accepts anything"


run(needs=("promtool",), over=BOTH)
