#!/usr/bin/env python3
"""What is shipped for Prometheus and Grafana, with a real Prometheus that reads
three hosts.  The alerts are fired by what a daemon says of a fault that was
provoked: that is told to promtool as if it had gone on for minutes."""

import json
import urllib.parse

from topology import *

CONF = SRC + "/conf/monitoring"
RULES = CONF + "/lua-fpm.rules.yml"
STATUS = "/fpm-status"
INTERVAL = 15  # seconds between two samples, as in prometheus.yml
CALM, TROUBLE = 10, 40  # samples before the fault, and with it


def promtool(*args, cwd=CONF):
    r = subprocess.run(["promtool", *args], cwd=cwd, capture_output=True,
                       text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


def alert_names():
    with open(RULES) as f:
        return set(re.findall(r"- alert: (\w+)", f.read()))


@test
def shipped():
    """promtool finds nothing to blame in the files, and their own test holds"""
    promtool("check", "rules", RULES)
    promtool("check", "config", "--syntax-only", CONF + "/prometheus.yml")
    promtool("test", "rules", "lua-fpm.test.yml")
    with open(SRC + "/man/lua-fpm-status.7") as f:
        equal(set(re.findall(r"\bLuaFpm\w+", f.read())), alert_names())


# ---- alerts ------------------------------------------------------------------


class Watched(Daemon):
    """A pool whose status is read beside its requests."""

    def __init__(self, workers=2, **pool):
        super().__init__(workers={"mode": "static", "max": workers}, **pool)
        where = self.dir + "/status"
        self.sockets.add(where)
        self.set_pool("www", **{**self.pools["www"], "status_listen": where})

    def metrics(self):
        """{series: value}, and the names of the counters."""
        r = fetch(self.pools["www"]["status_listen"],
                  uri="/status?openmetrics")
        equal(r.status, 200)
        text = r.body.decode()
        Watched.counters = {name for name, kind in re.findall(
            r"^# TYPE (\S+) (\w+)$", text, re.M) if kind != "gauge"}
        return dict(re.findall(r"^(\w+\{.*\}) (\S+)$", text, re.M))

    def figure(self, name):
        return float(self.metrics()['lua_fpm_%s{pool="www"}' % name])

    def wait_figure(self, name, value):
        until(lambda: self.figure(name) == value, "%s is %s" % (name, value))


def is_counter(series):
    name = series.partition("{")[0]
    return re.sub("_(total|bucket|count|sum)$", "", name) in Watched.counters


def values(series, seen):
    """One sample after the other, from what was seen before a fault and during
    it: counters grow on, and so does what was seen to grow again and again."""
    known = [float(s.get(series, 0)) for s in seen]
    grows = is_counter(series) or len(known) > 2
    step = known[-1] - known[-2] if grows else 0
    return " ".join("%.9g" % v for v in [known[0]] * CALM + known[1:] + [
        known[-1] + step * n for n in range(1, TROUBLE)])


def case(seen, alerts):
    """A test of promtool's: nothing fires before the fault, then just these;
    but a machine that has much to do may make any request a slow one."""
    may = "" if "LuaFpmSlow" in alerts else ",alertname!='LuaFpmSlow'"

    def firing(minute, names):
        return {"expr": "count by (alertname) (ALERTS{alertstate='firing'%s})"
                        % may,
                "eval_time": "%dm" % minute,
                "exp_samples": [{"labels": '{alertname="%s"}' % n, "value": 1}
                                for n in names]}

    labels = '{instance="web1:80",job="lua-fpm",'
    return {"interval": "%ds" % INTERVAL,
            "input_series": [{"series": s.replace("{", labels),
                              "values": values(s, seen)} for s in seen[-1]],
            "promql_expr_test": [firing(CALM * INTERVAL // 60 - 1, []),
                                 firing(12, alerts)]}


def held(d, n):
    """So many workers busy, until the gates are opened."""
    gates = [d.gate() for _ in range(n)]
    asked = [Background(d.lua, g.lua + "return text('held')") for g in gates]
    for g in gates:
        g.wait()
    return gates, asked


def let_go(held):
    for gate in held[0]:
        gate.open()
    for asked in held[1]:
        asked.result()


def full():
    with Watched().start() as d:
        seen = [d.metrics()]
        busy = held(d, 2)
        seen.append(d.metrics())
        let_go(busy)
    return seen


def queue():
    with Watched(1).start() as d:
        seen, more = [d.metrics()], []
        busy = held(d, 1)
        for n in range(1, 4):
            more += [Background(d.fetch) for _ in range(3)]
            d.wait_figure("listen_queue_connections", 3 * n)
            seen.append(d.metrics())
        let_go(busy)
        for m in more:
            equal(m.result().status, 200)
    return seen


def queue_timeouts():
    with Watched(1, timeouts={"queue": "100ms"}).start() as d:
        seen = [d.metrics()]
        busy = held(d, 1)
        late = Background(d.fetch)
        d.wait_figure("listen_queue_connections", 1)
        lasts(0.2)  # it is about time
        let_go(busy)
        equal(late.result().status, 503)
        d.wait_figure("queue_timeouts_total", 1)
        seen.append(d.metrics())
    return seen


def crashes():
    d = Watched()
    d.expect("signal 9", "backoff|next worker")
    with d.start():
        seen = [d.metrics()]

        def crashed():
            for pid in list(filter(listens, d.workers()))[:1]:
                kill(pid, signal.SIGKILL)
            return d.figure("worker_crashes_total") >= 3

        until(crashed, "three crashes are counted")
        seen.append(d.metrics())
    return seen


def refused():
    d = Watched()
    d.expect("typo", "reload refused")
    with d.start():
        seen = [d.metrics()]
        d.write_conf("typo = 1;")
        d.kill(signal.SIGHUP)
        d.wait_log("reload refused: nothing has changed")
        seen.append(d.metrics())
        d.write_conf()
    return seen


def slow():
    with Watched().start() as d:
        seen = [d.metrics()]
        gate = d.gate()
        asked = Background(d.lua, gate.lua + "return text('late')")
        gate.wait()
        lasts(1.1)  # it is about time
        gate.open()
        equal(asked.result().status, 200)
        d.wait_figure("request_duration_seconds_count", 1)
        seen.append(d.metrics())
    return seen


def errors():
    d = Watched()
    d.expect("boom")
    with d.start():
        seen = [d.metrics()]
        for n in range(9):
            equal(d.fetch().status, 200)
        equal(d.lua("error('boom')").status, 500)
        d.wait_figure("request_duration_seconds_count", 10)
        seen.append(d.metrics())
    return seen


def killed():
    d = Watched()
    d.expect("signal 9")
    with d.start():
        seen = [d.metrics()]
        d.lua("os.execute('kill -9 ' .. io.open('/proc/self/stat'):read('n'))")
        d.wait_figure("killed_requests_total", 1)
        d.wait_ready(2)
        seen.append(d.metrics())
    return seen


def memory():
    with Watched(1).start() as d:
        seen = [d.metrics()]
        d.lua("big = ('x'):rep(300 * 1024 * 1024) return text('')")
        until(lambda: d.figure("resident_memory_bytes") > 300 << 20 and
            float(d.metrics()['lua_fpm_workers{pool="www",state="idle"}']),
            "it is told")
        seen.append(d.metrics())
    return seen


def timer():
    d = Watched(timers=[{"name": "t", "every": "100ms"}])
    d.write_app("return { accept = function() return {}, '' end, "
                "interval = function() error('no') end }")
    d.expect("interval")
    with d.start():
        seen = [until(lambda: (lambda m: m if float(m[
            'lua_fpm_timer_runs_total{pool="www",timer="t"}']) else None)(
                d.metrics()), "it has run")]
        calm = {**seen[0], **{s: "0" for s in seen[0] if "timer" in s}}
    return [calm, *seen]


@test
def alerts():
    """each alert fires for the fault that it is for, and no other one does"""
    cases = [case(fault(), ["LuaFpm" + name for name in names])
             for fault, *names in (
                 (full, "PoolFull"), (queue, "PoolFull", "QueueGrows"),
                 (queue_timeouts, "QueueTimeouts", "Errors"), (crashes, "CrashLoop"),
                 (refused, "ReloadRefused"), (slow, "Slow"),
                 (errors, "Errors"), (killed, "KilledRequests", "CrashLoop"),
                 (memory, "Memory"), (timer, "TimerFails"))]
    with tempfile.TemporaryDirectory() as dir:
        write(dir + "/test.yml", json.dumps({
            "rule_files": [RULES], "evaluation_interval": "15s",
            "tests": cases}))
        promtool("test", "rules", "test.yml", cwd=dir)
    fired = {re.search(r'"(\w+)"', s["labels"])[1] for c in cases
             for t in c["promql_expr_test"] for s in t["exp_samples"]}
    equal(alert_names() - fired, {"LuaFpmDown"}, "alerts that no fault fires")


# ---- a real one ----------------------------------------------------------------


class Prometheus(Server):
    """Reads the hosts with the shipped files, but every second."""
    stop_signal = signal.SIGTERM

    def __init__(self, hosts):
        super().__init__()
        with open(CONF + "/prometheus.yml") as f:
            text = f.read()
        for shown, here in (
                ('"10.0.0.11:8080", "10.0.0.12:8080", "10.0.0.13:8080"',
                 ", ".join('"%s:8080"' % h.ip for h in hosts)),
                ("scrape_interval: 15s", "scrape_interval: 1s"),
                ("evaluation_interval: 15s", "evaluation_interval: 1s")):
            assert shown in text, shown
            text = text.replace(shown, here)
        write(self.dir + "/prometheus.yml", text)
        shutil.copy(RULES, self.dir)
        self.launch(["prometheus", "--config.file",
                     self.dir + "/prometheus.yml", "--storage.tsdb.path",
                     self.dir + "/rw/data", "--web.listen-address",
                     "127.0.0.1:%d" % self.port])
        until(lambda: http(self.port, path="/-/ready")[0] == 200,
              "Prometheus is ready")

    def ask(self, path, **query):
        status, _, body = http(self.port, path="/api/v1/" + path + "?" +
                               urllib.parse.urlencode(query))
        answer = json.loads(body)
        equal((status, answer["status"]), (200, "success"), (query, answer))
        return answer["data"]

    def query(self, text):
        """[(labels, value)] of what it finds."""
        return [(r["metric"], float(r["value"][1]))
                for r in self.ask("query", query=text)["result"]]


def dashboard():
    """Each query of the dashboard, as Grafana asks it for everything."""
    with open(SRC + "/conf/monitoring/grafana.json") as f:
        board = json.load(f)
    for panel in board["panels"]:
        for target in panel["targets"]:
            text = target["expr"].replace("$__rate_interval", "4s")
            for variable in board["templating"]["list"]:
                text = text.replace("$" + variable["name"], ".*")
            assert "$" not in text, text
            yield panel["title"], text


APP = """return { accept = function(env) return {}, "hello" end,
interval = function() end }"""


@test
def scraped():
    """a Prometheus that reads three hosts evaluates every rule, answers every
    query of the dashboard, and sees that one is gone"""
    lan = Lan()
    hosts = [Host(lan, "web%d" % n, 10 + n, app=APP, status_path=STATUS,
                  listen=["http:*:8080"], allowed_clients=["10.0.0.0/24"],
                  timers=[{"name": "t", "every": "1s"}]) for n in (1, 2, 3)]
    for h in hosts:
        h.start()
    with Prometheus(hosts) as p:
        until(lambda: p.query("sum(up)") == [({}, 3)], "all are up")
        for h in hosts:
            equal(fetch("http:%s:8080" % h.ip).status, 200)
        until(lambda: p.query('sum(rate(lua_fpm_responses_total'
                              '{class="2xx"}[4s])) > 0'), "rates are known")
        for title, text in dashboard():
            assert until(lambda: p.query(text), (title, text)), title
        for group in until(lambda: (lambda g: g if all(
                r["lastEvaluation"][:4] != "0001" for r in g[0]["rules"])
                else None)(p.ask("rules")["groups"]), "all are evaluated"):
            for rule in group["rules"]:
                equal(rule["health"], "ok", rule)
        hosts[0].stop()
        until(lambda: [a for a in p.ask("alerts")["alerts"]
                       if a["labels"]["alertname"] == "LuaFpmDown" and
                       a["labels"]["instance"] == hosts[0].ip + ":8080"],
              "that one is gone is about to alarm")
        for h in hosts[1:]:
            h.stop()


run(180, needs=(*NEEDS, "prometheus", "promtool"), over=FCGI)
