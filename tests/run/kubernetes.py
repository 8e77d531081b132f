#!/usr/bin/env python3
"""What conf/kubernetes says: the API knows every word of it, its numbers agree
with each other and with the configuration in it, and its pods, made of this
machine's programs, serve, answer their probes and stop in time."""

import functools
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from contained import *

PYTHON = "/usr/bin/python3"  # which has the system's packages
PLACE = SRC + "/conf/kubernetes/"
FILE = "/etc/lua-fpm/lua-fpm.conf"
ONES = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30,
        "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
TIMES = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def read_all(*paths):
    """path -> (documents, faults)"""
    code, out, err = tool("-B", SRC + "/tests/kubernetes/read.py", *paths,
                          program=PYTHON)
    if "ModuleNotFoundError" in err:
        raise Skip(err.splitlines()[-1])
    equal(code, 0, err)
    return {path: (found["documents"], found["faults"])
            for path, found in zip(paths, json.loads(out))}


@functools.lru_cache(None)
def all_of_them():
    return read_all(*(PLACE + name for name in sorted(os.listdir(PLACE))))


def read(path):
    """(documents, faults) of one of the files that are installed."""
    return all_of_them()[path]


def document(name, kind):
    found, = [d for d in read(PLACE + name)[0] if d.get("kind") == kind]
    return found


def size(text):
    number, one = re.fullmatch(r"(\d+)(\D*)", str(text)).groups()
    return int(number) * ONES[one]


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(\w*)", str(text)).groups()
    return int(number) * TIMES[unit or "s"]


def configuration(text):
    """What lua-fpm -T prints, as objects."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[\w.-]+|[{}();,:=]', text)

    def value():
        token = tokens.pop(0)
        if token == "{":
            found = {}
            while tokens[0] != "}":
                name = tokens.pop(0)
                assert tokens.pop(0) in ":="
                found[name] = value()
                if tokens[0] in ";,":
                    tokens.pop(0)
            tokens.pop(0)
            return found
        if token == "(":
            found = []
            while tokens[0] != ")":
                found.append(value())
                if tokens[0] == ",":
                    tokens.pop(0)
            tokens.pop(0)
            return found
        return token.strip('"')
    tokens.insert(0, "{")
    tokens.append("}")
    return value()


class Pod:
    """What a manifest has the kubelet make."""

    def __init__(self, name):
        self.name = name
        self.spec = document(name, "Deployment")["spec"]["template"]["spec"]
        self.containers = {c["name"]: c for key in
                           ("initContainers", "containers")
                           for c in self.spec.get(key, [])}
        self.files = document(name, "ConfigMap")["data"]
        self.group = self.spec["securityContext"]["fsGroup"]
        self.dir = scratch()
        self.running = {}
        write(self.dir + "/app.lua", app_source("eval.lua"))
        os.mkdir(self.dir + "/www")
        os.rename(self.dir + "/app.lua", self.dir + "/www/app.lua")
        for volume in self.spec["volumes"]:
            self.make(volume)

    def make(self, volume):
        path = "%s/%s" % (self.dir, volume["name"])
        if "configMap" in volume:
            config_map(path, self.files)
        else:
            os.mkdir(path)
            os.chown(path, 0, self.group)
            os.chmod(path, 0o2777)

    def start(self, name):
        spec = self.containers[name]
        equal((spec["securityContext"]["readOnlyRootFilesystem"],
               self.spec["securityContext"]["runAsUser"]), (True, USER))
        others = list(self.running.values())
        c = Container(
            [(self.dir + "/www", "/srv/www", "ro"),
             *(("%s/%s" % (self.dir, m["name"]), m["mountPath"],
                "ro" if m.get("readOnly") else "rw")
               for m in spec["volumeMounts"])],
            env={e["name"]: e["value"] for e in spec.get("env", [])},
            dir=self.dir, network=others[0] if others else None)
        self.running[name] = c.start(*spec.get("command") or image_command())
        return c

    def port(self, name):
        """Of any container, as probes and the Service know it."""
        found, = [p["containerPort"] for c in self.containers.values()
                  for p in c.get("ports", []) if p["name"] == name]
        return found

    def probe(self, container, name):
        """Does it succeed?"""
        probe, c = self.containers[container][name], self.running[container]
        if "exec" in probe:
            return c.call(*probe["exec"]["command"])[0] == 0
        where = probe.get("httpGet") or probe["tcpSocket"]
        port = self.port(where["port"])
        with contextlib.suppress(ConnectionRefusedError), c.network():
            if "tcpSocket" in probe:
                socket.create_connection(("127.0.0.1", port)).close()
                return True
            return 200 <= http(port, path=where["path"])[0] < 400
        return False

    def wait_probe(self, container, name):
        until(lambda: self.probe(container, name), "%s of %s" % (
            name, container))

    def configuration(self):
        return configuration(self.running["lua-fpm"].good(
            "lua-fpm", "-T", "-c", FILE))

    def destroy(self):
        for c in self.running.values():
            c.destroy()
        if not os.environ.get("KEEP_SCRATCH"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        can_be()
        return self

    def __exit__(self, kind, value, tb):
        if kind is not None:
            for name, c in self.running.items():
                diag("%s: %s" % (name, c.tail()))
        self.destroy()


def image_command():
    with open(SRC + "/conf/container/Containerfile") as f:
        text = f.read()
    return [word for key in ("ENTRYPOINT", "CMD") for word in
            json.loads(re.search(r"(?m)^%s (\[.*\])" % key, text)[1])]


def pre_stop(container):
    """Seconds."""
    command = container.get("lifecycle", {}).get("preStop", {}).get(
        "exec", {}).get("command", ["sleep", "0"])
    equal(command[0], "sleep")
    return int(command[1])


def probe_time(probe):
    return probe["periodSeconds"] * probe["failureThreshold"]


# ---- the API ------------------------------------------------------------------


@test
def known():
    """the API of Kubernetes knows every word, none is missing, and each has
    the right type"""
    for name in ("http.yaml", "nginx.yaml"):
        equal(read(PLACE + name)[1], [], name)
        diag("%s: %s" % (name, ", ".join(d["kind"] for d in
                                         read(PLACE + name)[0])))


@test
def misspelt():
    """what would be refused or ignored is found by the same look"""
    with open(PLACE + "http.yaml") as f:
        text = f.read()
    dir = scratch()
    wrongs = {}
    for right, wrong in (
            ("terminationGracePeriodSeconds:", "terminationGraceSeconds:"),
            ("automountServiceAccountToken: false",
             'automountServiceAccountToken: "no"'),
            ("maxReplicas: 10", "maxReplicas: ten"),
            ("  scaleTargetRef:", "  scaleTarget:"),
            ("kind: PodDisruptionBudget", "kind: PodBudget"),
            ("autoscaling/v2", "autoscaling/v9"),
            ("  minReadySeconds: 5", "  selector: {}\n  minReadySeconds: 5")):
        assert right in text, right
        path = "%s/%d.yaml" % (dir, len(wrongs))
        write(path, text.replace(right, wrong))
        wrongs[path] = wrong
    for path, (_, faults) in read_all(*wrongs).items():
        assert faults, wrongs[path]
    shutil.rmtree(dir)


# ---- numbers and names ----------------------------------------------------------


def agree(pod):
    """What both pods have in common, proved of the one that runs."""
    conf = pod.configuration()
    www = conf["pools"]["www"]
    times = {k: seconds(v) for k, v in www["timeouts"].items()}
    own, grace = pod.containers["lua-fpm"], \
        pod.spec["terminationGracePeriodSeconds"]
    assert times["stop"] > times["request"] > times["queue"] > 0, times
    assert grace > times["stop"] + sum(map(pre_stop,
                                           pod.containers.values()))
    assert probe_time(own["startupProbe"]) > times["start"]
    live = own["livenessProbe"]
    given_up = seconds(live["exec"]["command"][2])
    assert live["timeoutSeconds"] > given_up, (live, given_up)
    for c in pod.containers.values():
        for probe in (c.get(n) for n in ("startupProbe", "readinessProbe")):
            if probe and "httpGet" in probe:
                equal(probe["httpGet"]["path"], www["ping_path"])
        if "readinessProbe" in c:
            assert c["readinessProbe"]["timeoutSeconds"] > times["queue"]
    memory = size(own["resources"]["limits"]["memory"])
    most = int(www["workers"]["max"]) * size(www["limits"]["rss"])
    assert memory >= most + (64 << 20), (memory, most)
    assert size(www["limits"]["memory"]) < size(www["limits"]["rss"])
    equal(www["status_listen"], "http:*:%d" % pod.port("metrics"))
    deployment = document(pod.name, "Deployment")["spec"]
    assert deployment["progressDeadlineSeconds"] > \
        probe_time(own["startupProbe"]) + deployment["minReadySeconds"]
    labels = deployment["template"]["metadata"]["labels"]
    service = document(pod.name, "Service")["spec"]
    equal((deployment["selector"]["matchLabels"], service["selector"]),
          (labels, labels))
    equal([p["targetPort"] for p in service["ports"]], ["http"])
    # sleep, lua-fcgi and others are there
    for c in pod.containers.values():
        for part in (c.get("startupProbe", {}), c.get("livenessProbe", {}),
                     c.get("lifecycle", {}).get("preStop", {})):
            if "exec" in part:
                pod.running[c["name"]].good(
                    "test", "-n", part["exec"]["command"][0])
    return www


metrics = ""


@test
def over_http():
    """http.yaml: the pod comes up, answers all probes and requests, and its
    numbers, ports and paths agree"""
    global metrics
    with Pod("http.yaml") as pod:
        c = pod.start("lua-fpm")
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            pod.wait_probe("lua-fpm", name)
        www = agree(pod)
        equal(www["listen"], "http:*:%d" % pod.port("http"))
        address = "http:127.0.0.1:%d" % pod.port("http")
        equal(c.fetch(address, lua="return text(os.getenv('APP_ENV'))").body,
              b"production")
        line, = [json.loads(s) for s in until(
            lambda: c.read("stdout").splitlines(), "an access log line")]
        equal(line["status"], 200)
        for s in c.read("stderr").splitlines():
            json.loads(s)
        metrics = c.fetch(
            "http:127.0.0.1:%d" % pod.port("metrics"),
            uri=www["status_path"] + "?openmetrics=").body.decode()
        # Out of service, it gets no requests but is not restarted.
        c.good("lua-fpmctl", "drain", "www")
        assert not pod.probe("lua-fpm", "readinessProbe")
        assert pod.probe("lua-fpm", "livenessProbe")
        c.good("lua-fpmctl", "resume", "www")
        pod.wait_probe("lua-fpm", "readinessProbe")
        c.stop()


@test
def behind_nginx():
    """nginx.yaml: nginx and lua-fpm share a unix socket that is for them
    alone; at the end nginx answers what it has, and then lua-fpm leaves"""
    if shutil.which("nginx") is None:
        raise Skip("no nginx")
    with Pod("nginx.yaml") as pod:
        own = pod.start("lua-fpm")
        pod.wait_probe("lua-fpm", "startupProbe")
        equal((pod.containers["lua-fpm"]["restartPolicy"],
               [c["name"] for c in pod.spec["initContainers"]]),
              ("Always", ["lua-fpm"]))
        front = pod.start("nginx")
        for name, probe in (("nginx", "readinessProbe"),
                            ("nginx", "livenessProbe"),
                            ("lua-fpm", "livenessProbe")):
            pod.wait_probe(name, probe)
        www = agree(pod)
        st = os.stat(pod.dir + "/run/www.sock")
        equal((oct(st.st_mode & 0o777), st.st_gid, www["listen"]),
              ("0o660", pod.group, "/run/lua-fpm/www.sock"))
        text = pod.files["nginx.conf"]
        assert "server unix:%s;" % www["listen"] in text
        assert "listen %d;" % pod.port("http") in text
        waits = seconds(re.search(r"worker_shutdown_timeout (\w+);", text)[1])
        assert waits >= seconds(www["timeouts"]["request"])
        assert seconds(re.search(r"fastcgi_read_timeout (\w+);", text)[1]) > \
            seconds(www["timeouts"]["request"])
        assert pod.spec["terminationGracePeriodSeconds"] > waits + \
            pre_stop(pod.containers["nginx"]) + \
            seconds(www["timeouts"]["stop"])
        # A body and an answer beyond what nginx keeps in memory.
        with own.network():
            status, _, body = http(
                pod.port("http"), "POST", body=b"x" * 500000,
                lua="return text(env.input:read('a'):rep(4))")
        equal((status, len(body)), (200, 2000000))
        stop_together(pod, own, front)


def stop_together(pod, own, front):
    """As the kubelet does it: nginx, and when it has ended, lua-fpm."""
    path = pod.dir + "/run/gate"
    os.mkfifo(path)
    os.chmod(path, 0o666)

    def ask():
        with own.network():
            return http(pod.port("http"), lua="gate('/run/lua-fpm/gate') "
                                              "return text('held')")
    held = Background(ask)
    until(lambda: os.path.exists(path + ".in"), "it is held")
    front.kill(signal.SIGQUIT)
    until(lambda: not pod.probe("nginx", "livenessProbe"), "it listens no more")
    open(path, "w").close()
    equal(held.result()[2], b"held")
    front.ended(0)
    own.stop()


@test
def scales():
    """the HorizontalPodAutoscaler asks for what the adapter makes of metrics
    that the status has: 2 of 4 workers busy and 1 client waiting are 75"""
    if not metrics:
        raise Skip("no pod has told its metrics")
    promtool = shutil.which("promtool")
    if promtool is None:
        raise Skip("no promtool")
    hpa = document("http.yaml", "HorizontalPodAutoscaler")["spec"]
    deployment = document("http.yaml", "Deployment")
    equal((hpa["scaleTargetRef"]["name"], hpa["scaleTargetRef"]["kind"]),
          (deployment["metadata"]["name"], "Deployment"))
    assert "replicas" not in deployment["spec"]
    budget = document("http.yaml", "PodDisruptionBudget")["spec"]
    equal(budget["selector"]["matchLabels"],
          deployment["spec"]["selector"]["matchLabels"])
    assert hpa["minReplicas"] > budget["maxUnavailable"]
    rule, = read(PLACE + "adapter.yaml")[0][0]["rules"]
    metric, = hpa["metrics"]
    equal(metric["pods"]["metric"]["name"], rule["name"]["as"])
    equal(int(metric["pods"]["target"]["averageValue"]) in range(1, 100), True)
    query = rule["metricsQuery"].replace(
        "<<.LabelMatchers>>", 'namespace="shop",pod=~"shop-1|shop-2"').replace(
        "<<.GroupBy>>", "pod").replace(
        "<<.Series>>", rule["seriesQuery"].partition("{")[0])
    assert "<<" not in query, query
    expect_value(promtool, query, pod_series(), 75)


def pod_series():
    """The samples of a pod as Prometheus keeps them, with other values."""
    busy = {'lua_fpm_workers{pool="www",state="active"}': 2,
            'lua_fpm_workers{pool="www",state="idle"}': 2,
            'lua_fpm_listen_queue_connections{pool="www"}': 1}
    found = []
    for line in metrics.splitlines():
        name, _, value = line.rpartition(" ")
        if "{" in name and not line.startswith("#"):
            value = busy.pop(name, value)
            found.append((name[:-1] + ',namespace="shop",pod="shop-1"}',
                          value))
    equal(busy, {}, "not in the status")
    return found


def expect_value(promtool, query, series, value):
    dir = scratch()
    write(dir + "/rules.yml", json.dumps({"groups": [{
        "name": "g", "rules": [{"record": "made", "expr": query}]}]}))
    write(dir + "/test.yml", json.dumps({
        "rule_files": ["rules.yml"],
        "tests": [{"interval": "15s", "input_series": [
            {"series": name, "values": "%s %s" % (v, v)}
            for name, v in series],
            "promql_expr_test": [{
                "expr": "made", "eval_time": "15s", "exp_samples": [
                    {"labels": 'made{pod="shop-1"}', "value": value}]}]}]}))
    code, out, err = tool("test", "rules", dir + "/test.yml",
                          program=promtool)
    equal(code, 0, out + err)
    shutil.rmtree(dir)


@test
def scraped():
    """the job of Prometheus asks the port, the path and the format of the
    pods, and gives the labels that the adapter looks for"""
    job, = read(PLACE + "prometheus.yml")[0][0]["scrape_configs"]
    equal((job["metrics_path"], job["params"]),
          ("/fpm-status", {"openmetrics": [""]}))
    relabel = job["relabel_configs"]
    ports = [r["regex"] for r in relabel if r.get("action") == "keep" and
             "port_name" in r["source_labels"][0]]
    equal(ports, ["metrics"])
    for name in ("http.yaml", "nginx.yaml"):
        template = document(name, "Deployment")["spec"]["template"]
        equal(template["metadata"]["annotations"],
              {"prometheus.io/scrape": "true"})
    rule, = read(PLACE + "adapter.yaml")[0][0]["rules"]
    equal(sorted(r["target_label"] for r in relabel if "target_label" in r),
          sorted(rule["resources"]["overrides"]))
    if shutil.which("promtool") is None:
        return
    # Debian's is built without the discovery of Kubernetes.
    del job["kubernetes_sd_configs"]
    dir = scratch()
    write(dir + "/prometheus.yml", json.dumps({"scrape_configs": [job]}))
    code, out, err = tool("check", "config", dir + "/prometheus.yml",
                          program="promtool")
    equal(code, 0, out + err)
    shutil.rmtree(dir)


run(needs=(*NEEDS, PYTHON), over=FCGI)
