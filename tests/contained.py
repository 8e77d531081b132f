"""A container made of what this machine has: namespaces of its own for
processes, mounts and network, a file system that is read-only, a user without
an account and without rights, and its command as process 1.

What a runtime of containers does beside that (images, limits of control groups)
is in tests/container/image.py."""

import ctypes

import harness
from harness import *

NEEDS = ("unshare", "nsenter", "setpriv", "ip", "mount")
USER = 10001  # as in conf/container/Containerfile
PATH = "/app:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# ROOT USER MOUNTS COMMAND...: a mount is SOURCE:TARGET:OPTIONS, with no source
# one of memory.
BEGIN_LIFE = r"""
set -e
root=$1 user=$2 mounts=$3
shift 3
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
for d in usr bin sbin lib lib32 lib64 libx32; do
	if [ -L "/$d" ]; then
		cp -P "/$d" "$d"
	elif [ -d "/$d" ]; then
		mkdir "$d"
		mount --bind "/$d" "$d"
		mount -o remount,bind,ro "$d"
	fi
done
mkdir -p app dev etc proc run srv tmp
cp -r /etc/ld.so.cache /etc/nginx etc 2>/dev/null || :
for f in null zero urandom; do
	: >"dev/$f"
	mount --bind "/dev/$f" "dev/$f"
done
ln -s /proc/self/fd dev/fd
for n in 0:stdin 1:stdout 2:stderr; do
	ln -s "/proc/self/fd/${n%:*}" "dev/${n#*:}"
done
for program in lua-fpm lua-fpmctl lua-fcgi; do
	: >"app/$program"
	mount --bind "$PROGRAMS/$program" "app/$program"
done
for m in $mounts; do
	source=${m%%:*} m=${m#*:}
	target=${m%%:*} options=${m#*:}
	mkdir -p "$root$target"
	if [ -z "$source" ]; then
		mount -t tmpfs -o "$options" tmpfs "$root$target"
	else
		mount --bind "$source" "$root$target"
		mount -o "remount,bind,$options" "$root$target"
	fi
done
mount -t proc proc proc
mount -o remount,ro "$root"
[ -z "$LOOPBACK" ] || ip link set lo up
unset PROGRAMS LOOPBACK OLDPWD PWD
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups \
    --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
"""

_libc = ctypes.CDLL(None, use_errno=True)


def setns(path):
    """This thread into the namespace of a file of /proc."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, 0) == -1:
            raise OSError(ctypes.get_errno(), "setns", path)
    finally:
        os.close(fd)


class Container:
    """mounts: (source or "" for memory, target, options), in this order."""

    def __init__(self, mounts=(), env=None, user=USER, dir=None, network=None):
        """network: a container that this one shares its network with."""
        self.own_dir = dir is None
        self.dir = dir or scratch()
        self.name = "c%d" % random.randrange(1 << 30)
        self.root = "%s/%s" % (self.dir, self.name)
        os.mkdir(self.root)
        self.mounts = list(mounts)
        self.env = dict(env or {})
        self.user, self.network_of = user, network
        self.process = self.pid = None
        self.readers = []

    # -- life

    def log(self, stream):
        return "%s/%s.%s" % (self.dir, self.name, stream)

    def read(self, stream="stderr", since=0):
        with open(self.log(stream), errors="replace") as f:
            f.seek(since)
            return f.read()

    def wait_line(self, regex, stream="stderr", since=0):
        return until(lambda: re.search(regex, self.read(stream, since), re.M),
                     "%s: %r" % (stream, regex))

    def mark(self, stream="stderr"):
        return os.path.getsize(self.log(stream))

    def pipe(self, stream):
        """What a runtime gives a container, which keeps what comes out."""
        ours, theirs = os.pipe()
        os.fchown(theirs, self.user, self.user)

        def keep():
            with open(ours, "rb", buffering=0) as source, \
                    open(self.log(stream), "ab", buffering=0) as log:
                while True:
                    piece = source.read(65536)
                    if not piece:
                        return
                    log.write(piece)
        open(self.log(stream), "ab").close()
        self.readers.append(threading.Thread(target=keep, daemon=True))
        self.readers[-1].start()
        return theirs

    def launch(self, *command):
        """Without waiting."""
        before = ["nsenter", "-t", str(self.network_of.pid), "-n"] \
            if self.network_of else []
        apart = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork",
                 "--kill-child", *([] if self.network_of else ["--net"])]
        env = {"PATH": PATH, **NO_LEAK_SEARCH, **self.env,
               "PROGRAMS": BUILD, "LOOPBACK": "" if self.network_of else "up"}
        out, err = self.pipe("stdout"), self.pipe("stderr")
        self.process = subprocess.Popen(
            [*before, *apart, "sh", "-c", BEGIN_LIFE, "sh", self.root,
             str(self.user), " ".join(map(":".join, self.mounts)), *command],
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env,
            start_new_session=True)
        os.close(out)
        os.close(err)
        harness._live.append(self)
        return self

    def start(self, *command):
        """And wait until the command is process 1."""
        self.launch(*command)

        def begun():
            equal(self.process.poll(), None, "exit code: " + self.tail())
            found = [p for p in children(self.process.pid)
                     if comm(p) == os.path.basename(command[0])[:15]]
            return found and found[0]
        self.pid = until(begun, "%s is process 1" % command[0])
        return self

    def kill(self, signo):
        os.kill(self.pid, signo)

    def wait_exit(self, timeout=None):
        code = self.process.wait(timeout or PATIENCE)
        for reader in self.readers:
            reader.join(PATIENCE)
        return code

    def ended(self, code, timeout=None):
        """It leaves by itself, with that code."""
        try:
            equal(self.wait_exit(timeout), code, "exit code: " + self.tail())
        finally:
            self.destroy()

    def stop(self, signo=signal.SIGTERM, code=0, timeout=None):
        try:
            self.kill(signo)
            equal(self.wait_exit(timeout), code, "exit code")
            bad = [line for line in self.read().splitlines()
                   if re.match(r"\S+ (error|alert) |.*Sanitizer", line)]
            equal(bad, [], "in the log")
        except Exception:
            diag(self.tail())
            raise
        finally:
            self.destroy()

    def tail(self):
        return "".join("%s:\n%s\n" % (name, "\n".join(
            self.read(name).splitlines()[-15:]))
            for name in ("stdout", "stderr") if os.path.exists(self.log(name)))

    def destroy(self):
        if self in harness._live:
            harness._live.remove(self)
        if self.process is not None:
            for pid in session(self.process.pid):
                kill(pid, signal.SIGKILL)
            self.process.wait(PATIENCE)
        if self.own_dir and not os.environ.get("KEEP_SCRATCH"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        if self in harness._live:
            if kind is None:
                self.stop()
            else:
                diag(self.tail())
        self.destroy()

    # -- inside

    def call(self, *command, env=None):
        """A command in it, as its user: (code, stdout, stderr)."""
        settings = {"PATH": PATH, **NO_LEAK_SEARCH, **self.env, **(env or {})}
        return tool("-t", str(self.pid), "-m", "-p", "-n", "-i", "-u", "-r",
                    "-w", "-S", str(self.user), "-G", str(self.user), "env",
                    "-i", *("%s=%s" % item for item in settings.items()),
                    *command, program="nsenter")

    def good(self, *command):
        code, out, err = self.call(*command)
        equal(code, 0, "%s: %s%s" % (command, out, err))
        return out

    @contextlib.contextmanager
    def network(self):
        """This thread's new sockets are in its network."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns("/proc/%d/ns/net" % self.pid)
            yield
        finally:
            setns("/proc/self/fd/%d" % own)
            os.close(own)

    def fetch(self, address, **q):
        with self.network():
            return fetch(address, **q)

    def path(self, path):
        """A file in it, for somebody outside."""
        return "/proc/%d/root%s" % (self.pid, path)


def comm(pid):
    with contextlib.suppress(OSError):
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    return ""


def config_map(dir, files):
    """A volume of a ConfigMap as the kubelet makes it: names are links through
    ..data, which a change replaces at once."""
    version = "..%d" % time.monotonic_ns()
    os.makedirs(dir + "/" + version)
    for name, text in files.items():
        write("%s/%s/%s" % (dir, version, name), text)
    os.symlink(version, dir + "/..new")
    os.rename(dir + "/..new", dir + "/..data")
    for name in files:
        if not os.path.lexists(dir + "/" + name):
            os.symlink("..data/" + name, dir + "/" + name)
    return dir


def can_be():
    if not ROOT:
        raise Skip("not root")
    code, _, err = tool("--mount", "--pid", "--net", "--fork", "true",
                        program="unshare")
    if code != 0:
        raise Skip("no namespaces can be made: " + err.strip())
