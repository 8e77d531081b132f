#!/usr/bin/env python3
"""Upgrade in place: USR2 makes the process run the binary on disk, and no
request, descriptor or worker gets lost on the way."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from upgraded import *

TWO = {"mode": "static", "max": 2}


def exe(pid):
    return os.stat("/proc/%d/exe" % pid).st_ino


@test
def becomes_the_binary_on_disk():
    """USR2: same pid, same sockets, the binary on disk, new workers; the pid
    file stays locked and right"""
    with Upgraded(workers=TWO) as d:
        old, before = d.wait_workers(2), exe(d.pid)
        inode = os.stat(d.address()).st_ino
        install(LUA_FPM, d.program)
        d.usr2()
        assert exe(d.pid) != before, "the old image still runs"
        equal(exe(d.pid), os.stat(d.program).st_ino)
        for pid in d.wait_workers(2):
            assert pid not in old
            equal(exe(pid), exe(d.pid))
        equal(os.stat(d.address()).st_ino, inode, "the socket file")
        equal(open(d.top["pid_file"]).read(), "%d\n" % d.pid)
        equal(d.fetch().status, 200)
        code = tool("-c", d.file, timeout=20)
        assert code[0] != 0 and "runs already" in code[2], code


@test
def to_a_newer_build():
    """from one build to another, with another version and another layout of
    the scoreboard, and back, under load of fresh and of kept connections"""
    for keep in (False, True):
        with Upgraded(workers=TWO) as d:
            d.wait_workers(2)
            load = Load(d.address(), clients=4, keep=keep)
            for program, version in ((NEXT, "next"), (LUA_FPM, r"\d")):
                load.more(50)
                install(program, d.program)
                mark = d.usr2()
                d.wait_log(r"upgraded from \S+ to " + version, mark)
                equal(exe(d.pid), os.stat(d.program).st_ino)
            load.more(50)
            equal(load.stop()[1], [])


@test
def fifty_in_a_row():
    """50 upgrades in a row under load, of fresh and of kept connections: no
    request fails, no descriptor is left over"""
    for keep in (False, True):
        with Upgraded(workers=TWO) as d:
            load = Load(d.address(), clients=4, keep=keep,
                        check=lambda r: r.status == 200)
            for i in range(25):
                load.more(10)
                d.usr2()
                if i == 0:
                    first = d.count_fds()
            load.more(50)
            done, failures = load.stop()
            equal(failures[:3], [], "%d of %d" % (len(failures), done))
            until(lambda: d.count_fds() <= first, "descriptors: %d, %d" %
                  (d.count_fds(), first))
            d.fds_before = first
            diag("%d requests over 25 upgrades" % done)


@test
def many_signals():
    """a burst of USR2 and HUP: every one is acted on or covered by a later
    one, and the daemon goes on"""
    with Upgraded(workers=TWO) as d:
        d.wait_ready(2)
        load = Load(d.address(), clients=2)
        for _ in range(10):
            d.kill(signal.SIGUSR2)
            d.kill(signal.SIGHUP)
            load.more(5)
        d.write_app("return { accept = function() return {}, 'last' end }")
        d.kill(signal.SIGHUP)
        until(lambda: d.fetch().body == b"last", "the last HUP has counted")
        equal(load.stop()[1], [])
        d.usr2()
        equal(d.fetch().body, b"last")


@test
def request_in_hand():
    """a request in hand is finished by its old worker, new ones do not wait
    for it"""
    with Upgraded(workers=TWO) as d:
        d.wait_workers(2)
        gate = d.gate()
        held = Background(d.lua, gate.lua + "return {}, 'held'")
        gate.wait()
        for _ in range(2):
            mark = d.log_mark()
            d.kill(signal.SIGUSR2)
            d.wait_log(" ready: ", mark)
            until(lambda: len(d.workers()) == 3, "two new ones, an old one")
            equal(d.fetch().status, 200)
        gate.open()
        equal(held.result().body, b"held")
        d.wait_workers(2)


@test
def old_worker_is_still_ours():
    """a worker of the former image is reaped, its output logged, and killed
    when it does not leave in time"""
    with Upgraded(workers={"mode": "static", "max": 1},
                  timeouts={"stop": "500ms"}) as d:
        old = d.wait_workers(1)[0]
        gate = d.gate()
        held = Background(d.connect().ask, lua="io.stderr:write('half ') " +
                          gate.lua + " print('a line')")
        gate.wait()
        mark = d.log_mark()
        d.kill(signal.SIGUSR2)
        d.wait_log(" ready: ", mark)
        d.wait_log(r"\[pid %d\] does not leave in time: killed" % old, mark)
        until(lambda: not alive(old), "it is gone")
        d.wait_log(r"\[pid %d\] \[request \S+\] half" % old, mark)
        held.join(5)
        d.wait_workers(1)
        equal(zombies(d.pid), [])


@test
def bad_binary():
    """a binary that does not run, hangs up, does not understand what this one
    would leave, or is gone is refused"""
    with Upgraded(workers=TWO) as d:
        d.wait_workers(2)
        write(d.program + ".new", "#!/bin/sh\necho broken as can be\nexit 3\n")
        os.chmod(d.program + ".new", 0o755)
        os.rename(d.program + ".new", d.program)
        d.refused("broken as can be")
        write(d.program + ".new", "\x7fELF nonsense")
        os.chmod(d.program + ".new", 0o755)
        os.rename(d.program + ".new", d.program)
        d.refused("Exec format error")
        write(d.program + ".new", "#!/bin/sh\nkill -SEGV $$\n")
        os.chmod(d.program + ".new", 0o755)
        os.rename(d.program + ".new", d.program)
        d.refused("was killed by signal 11")
        write(d.program + ".new", "#!/bin/sh\nLUA_FPM_UPGRADE=another "
              "exec %s \"$@\"\n" % LUA_FPM)
        os.chmod(d.program + ".new", 0o755)
        os.rename(d.program + ".new", d.program)
        d.refused("only a restart")
        os.unlink(d.program)
        d.refused("No such file")
        install(LUA_FPM, d.program)
        d.usr2()


@test
def bad_configuration():
    """a bad configuration or an application that does not load is refused
    with its place"""
    with Upgraded(workers=TWO) as d:
        d.wait_ready(2)
        good = d.configuration()
        d.write_conf("nonsense = 1;\n" + good)
        d.refused(re.escape(d.file) + ":1: .*nonsense")
        d.write_conf(good)
        good = open(d.dir + "/app.lua").read()
        d.write_app("return {")
        d.refused("app.lua:1: ")
        d.write_app(good)
        d.usr2()


@test
def start_fails():
    """an application whose start fails only in the new workers: the old ones
    serve on, under the new binary, and the next HUP mends it"""
    with Upgraded(workers=TWO) as d:
        old = d.wait_ready(2)
        good = open(d.dir + "/app.lua").read()
        d.expect("start returned 3", "do not come up", "before it was ready",
                 "what was in force stays")
        d.write_app("return { start = function() return 3 end, "
                    "accept = function() return {}, 'bad' end }")
        mark = d.log_mark()
        d.kill(signal.SIGUSR2)
        d.wait_log("upgraded from", mark)
        d.wait_log("new workers do not come up, the old ones stay", mark)
        d.wait_log("what was in force stays.*; 1 of 1 pools serve$", mark)
        equal(set(old) - set(d.workers()), set())
        equal(d.fetch().status, 200)
        kill(old[0], signal.SIGKILL)
        d.wait_log(r"\[pid %d\] (.* )?was killed" % old[0], mark)
        d.write_app(good)
        d.reload()
        until(lambda: not set(old) & set(d.workers()) and
              len(d.workers()) == 2, "new workers")
        equal(d.fetch().status, 200)


@test
def configuration_changes():
    """the configuration on disk comes into force: a pool more, one less, one
    with another address"""
    with Upgraded(pools={"www": {"workers": TWO}, "gone": {"workers": TWO}}
                  ) as d:
        d.wait_workers(4)
        gone = d.address("gone")
        d.drop_pool("gone")
        d.set_pool("more", workers=TWO)
        d.set_pool("www", workers=TWO, listen=d.dir + "/other.sock")
        first = d.dir + "/www.sock"
        d.write_conf()
        d.usr2()
        equal(d.fetch("more").status, 200)
        equal(d.fetch("www").status, 200)
        until(lambda: not os.path.exists(gone), "the dropped pool's socket")
        until(lambda: not os.path.exists(first), "the former address")
        d.fds_before = d.count_fds()


@test
def dynamic_and_ondemand():
    """pools of every mode, an empty one too, go on as before"""
    with Upgraded(pools={
            "dynamic": {"workers": {"mode": "dynamic", "max": 4, "start": 2,
                                    "min_spare": 1, "max_spare": 2}},
            "ondemand": {"workers": {"mode": "ondemand", "max": 3,
                                     "idle_timeout": "200ms"}}}) as d:
        until(lambda: not d.workers("ondemand"), "nobody is idle")
        for _ in range(3):
            mark = d.log_mark()
            d.kill(signal.SIGUSR2)
            d.wait_log(" ready: ", mark)
            equal(d.fetch("dynamic").status, 200)
            equal(d.fetch("ondemand").status, 200)
        until(lambda: not d.workers("ondemand"), "nobody is idle again")


@test
def command_line_pool():
    """a pool from the command line (-l) is upgraded as well"""
    d = Upgraded()
    address = d.dir + "/www.sock"
    d.top["pid_file"] = d.dir + "/none"
    d.spawn(["-l", spelt(address), "-n", "2", "-u", pool_user(), d.dir + "/app.lua"])
    d.wait_note("READY=1")
    old = d.wait_workers(2)
    mark = d.log_mark()
    d.kill(signal.SIGUSR2)
    d.wait_log(" ready: ", mark)
    until(lambda: not set(old) & set(d.workers()) and len(d.workers()) == 2,
          "new workers")
    equal(fetch(address).status, 200)
    d.stop()


@test
def detached():
    """a daemon started with -D does not detach again"""
    d = Upgraded(workers=TWO, top={"error_log": scratch() + "/log"})
    log = d.top["error_log"]
    d.write_conf()
    d.spawn(["-D", "-c", d.file])
    equal(d.wait_exit(), 0)
    pid = int(open(d.top["pid_file"]).read())
    old = until(lambda: len(children(pid)) == 2 and children(pid), "workers")
    os.kill(pid, signal.SIGUSR2)
    until(lambda: not set(old) & set(children(pid)) and
          len(children(pid)) == 2, "new workers")
    equal(fetch(d.address()).status, 200)
    equal(int(open(d.top["pid_file"]).read()), pid)
    os.kill(pid, signal.SIGTERM)
    until(lambda: not alive(pid), "it stops")
    assert "upgraded from" in open(log).read()
    d.destroy()
    shutil.rmtree(os.path.dirname(log))


@test
def passed_socket():
    """a socket that systemd passed by name is there after two upgrades"""
    listener = socket.socket(socket.AF_UNIX)
    d = Upgraded(workers=TWO, listen="systemd:front")
    place = scratch()
    path = place + "/passed.sock"
    listener.bind(path)
    listener.listen(64)
    os.chmod(path, 0o666)
    d.write_conf()
    program = d.dir + "/lua-fpm"
    install(LUA_FPM, program)
    d.program = program
    d.notify = None
    Daemon.spawn(d, ["-c", 'exec 3<&%d; export LISTEN_FDS=1 '
                     'LISTEN_FDNAMES=front LISTEN_PID=$$; exec %s -c %s' %
                     (listener.fileno(), program, d.file)],
                 program="/bin/sh", pass_fds=(listener.fileno(),))
    d.wait_note("READY=1")
    for _ in range(2):
        old = d.wait_workers(2)
        mark = d.log_mark()
        d.kill(signal.SIGUSR2)
        d.wait_log(" ready: ", mark)
        until(lambda: not set(old) & set(d.workers()) and
              len(d.workers()) == 2, "new workers")
        equal(fetch(path).status, 200)
    d.stop(leaks=False)
    assert os.path.exists(path), "the file of an activated socket is gone"
    shutil.rmtree(place)


@test
def log_cannot_be_opened():
    """an error log that cannot be opened: a reload and an upgrade are refused,
    by name, and the log stays where it was"""
    with Upgraded(workers=TWO) as d:
        d.wait_workers(2)
        old = d.workers()
        d.top["error_log"] = d.dir + "/missing/x.log"
        d.write_conf()
        d.expect("cannot open .*/missing/x.log", "reload refused")
        d.refused("cannot open .*/missing/x.log: No such file")
        mark = d.log_mark()
        d.reload()
        d.wait_log("reload refused: nothing has changed", mark)
        equal(d.workers(), old)


@test
def fails_after_the_trial():
    """what was good at the trial and cannot be had afterwards ends nothing:
    log, workers and sockets of before go on in the new image"""
    with Upgraded(workers=TWO) as d:
        old = d.wait_workers(2)
        real = d.dir + "/real"
        shutil.copy2(d.program, real)
        write(d.program + ".sh", '#!/bin/bash\n'
              'test "$1" = -t || exec -a "$0" %s "$@"\n' % real)
        os.chmod(d.program + ".sh", 0o755)
        os.rename(d.program + ".sh", d.program)
        d.expect("cannot open", "cannot be put into effect",
                 "cannot make", "cannot be read")
        for top in ({"error_log": d.dir + "/missing/x.log"},
                    {"control": d.dir + "/missing/control"}):
            before = dict(d.top)
            d.top.update(top)
            d.write_conf()
            mark = d.log_mark()
            d.kill(signal.SIGUSR2)
            d.wait_log(" upgraded from ", mark)
            d.wait_log("error .*missing/", mark)
            d.wait_log("what was in force stays.*; 1 of 1 pools serve$",
                       mark)
            assert " ready: " not in d.read_log(mark)
            equal(exe(d.pid), os.stat(real).st_ino)
            until(lambda: d.workers() == old, "the new ones are gone")
            equal(d.fetch().status, 200)
            d.top = before
        d.write_conf()
        mark = d.log_mark()
        d.usr2()
        assert not set(old) & set(d.workers())


@test
def stops_while_it_tries():
    """TERM while the new binary is tried: it stops, and the trial with it"""
    with Upgraded(workers=TWO) as d:
        d.wait_workers(2)
        fifo = d.dir + "/trial"
        os.mkfifo(fifo)
        write(d.program + ".new", "#!/bin/sh\necho $$ >%s\nexec sleep 60\n" %
              fifo)
        os.chmod(d.program + ".new", 0o755)
        os.rename(d.program + ".new", d.program)
        d.kill(signal.SIGUSR2)
        with open(fifo) as f:
            trial = int(f.read())
        d.stop()
        until(lambda: not alive(trial), "the trial is gone")


@test
def killed_afterwards():
    """kill -9 of the master after an upgrade: old and new workers leave"""
    d = Upgraded(workers=TWO)
    d.start()
    d.wait_workers(2)
    gate = d.gate()
    held = Background(d.lua, gate.lua + "return {}, 'held'")
    gate.wait()
    mark = d.log_mark()
    d.kill(signal.SIGUSR2)
    d.wait_log(" ready: ", mark)
    until(lambda: len(d.workers()) == 3, "two new ones and the old one")
    pids = d.workers()
    d.kill(signal.SIGKILL)
    d.wait_exit()
    gate.open()
    equal(held.result().status, 200)
    until(lambda: not any(alive(p) for p in pids), "all are gone")
    d.destroy()


run(240, over=BOTH)
