"""What the kernel says of this machine and of the processes on it."""

import contextlib
import os
import platform


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def _field(text, name):
    """The value in the first line "name: value"."""
    for line in text.splitlines():
        if line.partition(":")[0].strip() == name:
            return line.partition(":")[2].strip()
    return None


def describe():
    """Processor, cores, kernel and distribution, in one line."""
    processor = _field(read("/proc/cpuinfo"), "model name") or \
        platform.machine()
    cores = len(os.sched_getaffinity(0))
    parts = [processor, "%d core%s" % (cores, "s" * (cores != 1)),
             "Linux " + platform.release()]
    with contextlib.suppress(OSError):
        parts.append(platform.freedesktop_os_release()["PRETTY_NAME"])
    return ", ".join(parts)


def _stat(pid):
    """The fields of /proc/PID/stat after the name: state, parent, ..."""
    return read("/proc/%s/stat" % pid).rpartition(")")[2].split()


def session(leader):
    """{pid: parent} of the processes of that session."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            stat = _stat(pid)
            if int(stat[3]) == leader and stat[0] != "Z":
                found[int(pid)] = int(stat[1])
    return found


def cpu_times(pids):
    """{task: nanoseconds of processor time} of all threads of these; raises
    FileNotFoundError where one has ended."""
    tasks = ["/proc/%d/task/%s" % (pid, tid) for pid in pids
             for tid in os.listdir("/proc/%d/task" % pid)]
    return {task: int(read(task + "/schedstat").split()[0]) for task in tasks}


def memory(pid):
    """Pss and what is the process's own, in KB."""
    lines = read("/proc/%d/smaps_rollup" % pid)
    pss, clean, dirty = (
        int(_field(lines, name).split()[0])
        for name in ("Pss", "Private_Clean", "Private_Dirty"))
    return pss, clean + dirty
