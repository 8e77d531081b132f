#!/usr/bin/env python3
"""The image of conf/container/Containerfile, built by buildah and run by
podman.  No registry is asked: its base is what debootstrap makes of Debian.

What debootstrap has made is kept where DEBIAN_CACHE says (tests/full/tree)."""

import datetime
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from contained import *

NEEDS = ("buildah", "podman", "crun", "debootstrap", "unshare", "nsenter",
         "git")
ADDRESS = "http:127.0.0.1:8080"
# crun knows either version of control groups, but not both mounted.
APART = "umount /sys/fs/cgroup/unified 2>/dev/null; echo; exec sleep 3600"
LIMIT = 1200  # seconds for a command that builds
place = None  # an Engine
running = None


class Engine:
    """buildah and podman with storage and mounts of their own."""

    def __init__(self):
        self.dir = scratch()
        self.storage = ["--root", self.dir + "/store", "--runroot",
                        self.dir + "/state", "--storage-driver", "vfs"]
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             APART], stdout=subprocess.PIPE, start_new_session=True)
        self.holder.stdout.readline()
        harness._live.append(self)

    def call(self, *command, timeout=None, cwd=None):
        env = {k: v for k, v in os.environ.items()
               if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        return tool("-t", str(self.holder.pid), "-m", *command,
                    program="nsenter", timeout=timeout or 60, env=env,
                    **({"cwd": cwd} if cwd else {}))

    def good(self, *command, **how):
        code, out, err = self.call(*command, **how)
        equal(code, 0, "%s: %s" % (" ".join(command), (out + err)[-3000:]))
        return out

    def buildah(self, *args, **how):
        return self.good("buildah", *self.storage, *args, **how)

    def podman_words(self, *args):
        return ("podman", *self.storage, "--cgroup-manager", "cgroupfs",
                "--events-backend", "none", *args)

    def podman(self, *args, **how):
        return self.good(*self.podman_words(*args), **how)

    def build(self, name, context, *args):
        # The format of Docker knows health checks.
        self.buildah("bud", "--isolation", "chroot", "--pull-never",
                     "--format", "docker", "-q", "-t", name, *args, context,
                     timeout=LIMIT)

    def size(self, name):
        return int(self.podman("image", "inspect", "-f", "{{.Size}}", name))

    def tail(self):
        return ""

    def stop(self):
        self.destroy()

    def destroy(self):
        if self in harness._live:
            harness._live.remove(self)
        if running is not None:
            self.call(*self.podman_words("rm", "-f", "-t", "0", running.name))
        for pid in session(self.holder.pid):
            kill(pid, signal.SIGKILL)
        self.holder.wait()
        self.holder.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Running:
    """A container of podman."""

    def __init__(self, image, name, *options):
        self.name = name
        most = str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        code, _, err = place.call(*place.podman_words(
            "run", "-d", "--pull", "never", "--name", name, "--network",
            "none", "--ulimit", "nofile=%s:%s" % (most, most), "--ulimit",
            "nproc=1000:1000", "--read-only", "--cap-drop", "all",
            "--security-opt", "no-new-privileges", "--tmpfs",
            "/run/lua-fpm:mode=1777,size=1m", *options, image))
        if code == 125:  # podman's own
            raise Skip("podman cannot run it here: " + err.strip()[-200:])
        equal(code, 0, err)
        self.pid = int(self.inspect("{{.State.Pid}}"))

    def inspect(self, what):
        return place.podman("inspect", "-f", what, self.name).strip()

    def log(self):
        _, out, err = place.call(*place.podman_words("logs", self.name))
        return out, err

    def wait_ready(self):
        return until(lambda: re.search(r"(?m)^(\S+) notice \[pid 1\] ready: ",
                                       self.log()[1]), "it is ready")[1]

    network = Container.network
    fetch = Container.fetch

    def stop(self):
        """As any runtime does it: TERM, and KILL after the grace period."""
        began = time.monotonic()
        place.podman("stop", "-t", "30", self.name)
        equal(self.inspect("{{.State.ExitCode}}"), "0")
        return time.monotonic() - began


def release():
    with open("/etc/os-release") as f:
        return re.search(r"(?m)^VERSION_CODENAME=(\w+)", f.read())[1]


def make_base(suite):
    """What docker.io has under that name, but for the man pages."""
    tree = place.dir + "/tree"
    code, _, err = tool("--mount", "--pid", "--fork", "--kill-child",
                        SRC + "/tests/full/tree", suite, tree,
                        program="unshare", timeout=LIMIT)
    if code != 0:
        raise Skip("no tree of %s can be made: %s" % (
            suite, (err.splitlines() or [""])[-1]))
    with open(tree + "/etc/apt/apt.conf.d/99acquire", "w") as f:
        f.write(subprocess.run(["apt-config", "dump", "Acquire"],
                               capture_output=True, text=True).stdout)
    for name in ("var/lib/apt/lists", "usr/share/doc", "usr/share/man",
                 "usr/share/locale"):
        shutil.rmtree("%s/%s" % (tree, name), ignore_errors=True)
    write(place.dir + "/Base", "FROM scratch\nCOPY tree /\n")
    name = "docker.io/library/debian:%s-slim" % suite
    place.build(name, place.dir, "-f", place.dir + "/Base")
    shutil.rmtree(tree)
    return name


def checkout():
    """What git has, so that no file of a build gets into the image."""
    path = place.dir + "/checkout"
    os.mkdir(path)
    archive = subprocess.run(["git", "-c", "safe.directory=*", "-C", SRC,
                              "archive", "HEAD"], capture_output=True)
    equal(archive.returncode, 0, archive.stderr)
    subprocess.run(["tar", "-C", path, "-x"], input=archive.stdout, check=True)
    return path


@test
def builds():
    """Containerfile makes an image, without a registry"""
    global place
    if not ROOT:
        raise Skip("not root")
    place = Engine()
    suite = os.environ.get("SUITE") or release()
    base, source = make_base(suite), checkout()
    began = time.monotonic()
    place.build("lua-fpm", source, "-f", source +
                "/conf/container/Containerfile", "--build-arg",
                "DEBIAN=" + suite)
    added = (place.size("lua-fpm") - place.size(base)) / 1e6
    diag("built in %.0f s; %.1f MB, %.1f MB of it above Debian's" % (
        time.monotonic() - began, place.size("lua-fpm") / 1e6, added))
    assert added < 12, "more than the package and its libraries"


@test
def runs():
    """podman runs it read-only, without a capability and as nobody; it serves
    and is healthy"""
    global running
    if place is None:
        raise Skip("there is no image")
    running = Running("lua-fpm", "plain")
    ready = datetime.datetime.fromisoformat(running.wait_ready())
    began = running.inspect("{{.State.StartedAt.UnixMilli}}")
    diag("ready %.0f ms after its start" % (ready.timestamp() * 1e3 -
                                            int(began)))
    r = running.fetch(ADDRESS)
    equal(r.status, 200)
    assert b"lua-fpm works" in r.body
    place.podman("healthcheck", "run", running.name)
    matches(r'"GET /" 200', running.log()[0])
    equal(running.inspect("{{.State.Pid}} {{.Config.StopSignal}}"),
          "%d 15" % running.pid)
    with open("/proc/%d/status" % running.pid) as f:
        status = f.read()
    matches(r"Uid:\t10001\t10001", status)
    matches(r"CapBnd:\t0+\n", status)
    matches(r"Seccomp:\t2\n", status)


@test
def stops():
    """podman stop: it ends by itself, with code 0"""
    if running is None:
        raise Skip("there is no container")
    diag("stopped in %.2f s" % running.stop())
    matches("stopped\n", running.log()[1])
    place.podman("rm", running.name)


@test
def application():
    """an application is one layer more"""
    global running
    if running is None:
        raise Skip("there is no image")
    context = place.dir + "/shop"
    os.makedirs(context + "/app")
    write(context + "/app/app.lua", app_source("eval.lua"))
    write(context + "/Containerfile",
          "FROM lua-fpm\nCOPY app/ /srv/www/\n")
    place.build("shop", context)
    running = Running("shop", "shop")
    running.wait_ready()
    equal(running.fetch(ADDRESS, lua="local n = '/run/lua-fpm/x' "
                        "local f = assert(io.open(n, 'w')) f:write('text') "
                        "f:close() return text(io.open(n):read('a') .. "
                        "tostring(os.execute('true')))").body, b"texttrue")
    place.podman("exec", running.name, "lua-fpmctl", "reload")
    place.podman("kill", "-s", "USR2", running.name)
    until(lambda: "upgraded from" in running.log()[1], "it is upgraded")
    equal(running.fetch(ADDRESS).body, b"hello")
    running.stop()
    place.podman("rm", running.name)


@test
def limits():
    """what takes more memory or processes than the container has is ended or
    refused, and the others go on"""
    global running
    if running is None or running.name != "shop":
        raise Skip("there is no image")
    running = Running("shop", "limited", "--memory", "200m", "--pids-limit",
                      "40")
    running.wait_ready()

    def execute(command):
        return running.fetch(
            ADDRESS, lua="return text(tostring(select(3, os.execute("
                         "[[%s]]))))" % command).body
    equal(execute("tail /dev/zero"), b"137", "by SIGKILL")
    # sh ends with 2 where it cannot fork.
    equal(execute("i=0; while [ $i -lt 60 ]; do sleep 1 & i=$((i + 1)); done"),
          b"2")
    equal(execute("true"), b"0")
    place.podman("exec", running.name, "lua-fpmctl", "-t", "5s", "ping")
    running.stop()


run(limit=1500, needs=NEEDS, over=FCGI)
