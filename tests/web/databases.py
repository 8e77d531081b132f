"""PostgreSQL and Redis of the system, each started for a test in a scratch
directory, on loopback, as the user of the pools."""

import glob
import os
import shutil
import subprocess

from harness import *
from harness import Server

NEEDS = ("redis-server",)


class Database(Server):
    stop_signal = signal.SIGINT  # PostgreSQL: ends sessions, then itself

    def __init__(self, host="127.0.0.1"):
        self.host = host
        super().__init__()
        if pool_user():
            shutil.chown(self.dir, pool_user(), pool_group())
        self.run()

    def as_user(self):
        return {"user": pool_user(), "group": pool_group(),
                "cwd": self.dir} if pool_user() else {"cwd": self.dir}

    def restart(self):
        """It ends what it serves, and comes back at the same address."""
        self.end()
        self.run()

    def end(self):
        self.process.send_signal(self.stop_signal)
        self.process.wait(PATIENCE)
        until(lambda: not session(self.process.pid), "it leaves no process")
        self.forget()


class Postgres(Database):
    def __init__(self, host="127.0.0.1"):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            raise Skip("postgresql is not installed")
        self.bin = found[-1]
        super().__init__(host)

    def run(self):
        data = self.dir + "/data"
        if not os.path.exists(data):
            subprocess.run(
                [self.bin + "/initdb", "-D", data, "-A", "trust", "-N", "-U",
                 "app", "--no-locale", "-E", "UTF8"], check=True,
                stdout=subprocess.DEVNULL, **self.as_user())
            with open(data + "/pg_hba.conf", "a") as f:
                f.write("host all all samenet trust\n")
        self.launch([self.bin + "/postgres", "-D", data, "-p", str(self.port),
                     "-h", self.host, "-k", self.dir, "-F"],
                    **self.as_user())
        until(lambda: self.sql("select 1") == "1", "PostgreSQL answers")

    @property
    def address(self):
        return "host=%s port=%d user=app dbname=postgres" % (self.host,
                                                             self.port)

    def sql(self, text):
        r = subprocess.run([self.bin + "/psql", "-Atc", text, self.address],
                           capture_output=True, text=True)
        return r.stdout.strip()


class Redis(Database):
    stop_signal = signal.SIGTERM

    def run(self):
        self.launch(["redis-server", "--port", str(self.port), "--bind",
                     self.host, "--protected-mode", "no", "--dir", self.dir, "--save", "1 1",
                     "--daemonize", "no"], **self.as_user())

    @property
    def address(self):
        return "redis://%s:%d" % (self.host, self.port)
