# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running process is, read from /proc (proc(5)): who it runs as, where, with which limits, and where it listens.

Values of environment variables are left out: they may be secrets, and end in reports.
"""

from __future__ import annotations

import os
import time
import typing as t

# As limits are named in /proc/PID/limits -> as unit files and getrlimit(2) name them.
_LIMITS = {
    "Max cpu time": "CPU",
    "Max file size": "FSIZE",
    "Max data size": "DATA",
    "Max stack size": "STACK",
    "Max core file size": "CORE",
    "Max resident set": "RSS",
    "Max processes": "NPROC",
    "Max open files": "NOFILE",
    "Max locked memory": "MEMLOCK",
    "Max address space": "AS",
    "Max file locks": "LOCKS",
    "Max pending signals": "SIGPENDING",
    "Max msgqueue size": "MSGQUEUE",
    "Max nice priority": "NICE",
    "Max realtime priority": "RTPRIO",
    "Max realtime timeout": "RTTIME",
}
# Of the state of a socket in /proc/net (include/net/tcp_states.h), and the flag of a unix socket that accepts.
_LISTEN, _UNCONNECTED = "0A", "07"
_ACCEPTS = 0x10000


class Stat(t.NamedTuple):
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    name: str
    state: str
    parent: int
    group: int
    session: int
    nice: int
    started: int


def read_stat(pid: int, proc: str = "/proc") -> Stat | None:
    """Who a process is; None where there is no such process. `started` is in clock ticks since the boot."""
    data = _read(f"{proc}/{pid}/stat")
    # The name is in parentheses and may hold any character, these included.
    head, paren, rest = data.rpartition(b")")
    fields = rest.split()
    if not paren or len(fields) < 20:
        return None
    name = head.partition(b"(")[2].decode("utf-8", "replace")
    return Stat(
        pid,
        name,
        fields[0].decode(),
        int(fields[1]),
        int(fields[2]),
        int(fields[3]),
        int(fields[16]),
        int(fields[19]),
    )


def is_running(pid: int, started: int | None = None, proc: str = "/proc") -> bool:
    """Whether the process is there, is no zombie and, with `started`, is that one and not another of the same number."""
    stat = read_stat(pid, proc)
    return stat is not None and stat.state not in ("Z", "X") and started in (None, stat.started)


def all_processes(proc: str = "/proc") -> list[Stat]:
    """All processes that can be seen."""
    found = (read_stat(int(name), proc) for name in os.listdir(proc) if name.isdigit())
    return [stat for stat in found if stat is not None]


def family(pid: int, proc: str = "/proc") -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in all_processes(proc):
        children.setdefault(stat.parent, []).append(stat.pid)
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def in_cgroup(path: str, proc: str = "/proc") -> list[int]:
    """The processes in a cgroup and below it, by the path that systemd gives it (`/system.slice/web.service`)."""
    found = []
    for name in os.listdir(proc):
        if name.isdigit():
            own = _cgroup(int(name), proc)
            if own == path or own.startswith(path + "/"):
                found.append(int(name))
    return found


def snapshot(pid: int, others: t.Sequence[int] = (), proc: str = "/proc") -> dict[str, t.Any] | None:
    """All that is compared of a service, as plain data.

    :param pid: its main process.
    :param others: processes that belong to it beside those that descend from the main one.
    :returns: None where the process is gone.
    """
    base = f"{proc}/{pid}"
    stat = read_stat(pid, proc)
    if stat is None or stat.state in ("Z", "X"):
        return None
    status = _status(_read(f"{base}/status"))
    # What leads a session of its own, such as that of somebody who logged in over sshd, is not the service any more.
    related = (read_stat(each, proc) for each in dict.fromkeys([*family(pid, proc), *others]))
    pids = [each.pid for each in related if each is not None and each.session == stat.session]
    words = _command_line(base).rstrip(b"\0").split(b"\0")
    # A program that shows what it does in place of its arguments has written over its environment too, which lies behind.
    has_title = len(words) == 1 and b" " in words[0]
    uids, gids = status.get("Uid", "").split(), status.get("Gid", "").split()
    if len(uids) < 4 or len(gids) < 4:
        return None
    group_ids = sorted({int(number) for number in status.get("Groups", "").split()})
    return {
        "pid": pid,
        "started": stat.started,
        "command": [word.decode("utf-8", "replace") for word in words],
        "program": _link(f"{base}/exe").replace(" (deleted)", ""),
        "uid": int(uids[1]),
        "user": _user(int(uids[1])),
        "gid": int(gids[1]),
        "group": _group(int(gids[1])),
        "group_ids": group_ids,
        "groups": [_group(number) for number in group_ids],
        "cwd": _link(f"{base}/cwd"),
        "root": _link(f"{base}/root"),
        "environment": [] if has_title else _names(_read(f"{base}/environ")),
        "umask": status.get("Umask", ""),
        "limits": _limits(_read(f"{base}/limits")),
        "nice": stat.nice,
        "cgroup": _cgroup(pid, proc),
        "session": stat.session,
        "process_group": stat.group,
        "stdio": [_link(f"{base}/fd/{number}") for number in (0, 1, 2)],
        "sockets": sockets_of(pids, proc),
        "processes": len(pids),
    }


def sockets_of(pids: t.Sequence[int], proc: str = "/proc") -> list[str]:
    """Where processes listen: `tcp 0.0.0.0:80`, `udp [::]:53`, `unix /run/app.sock`; each once, sorted."""
    inodes: dict[str, set[str]] = {}
    where: dict[str, int] = {}
    for pid in pids:
        base = f"{proc}/{pid}"
        try:
            numbers = os.listdir(f"{base}/fd")
        except OSError:
            continue
        network = _link(f"{base}/ns/net")
        where.setdefault(network, pid)
        for number in numbers:
            target = _link(f"{base}/fd/{number}")
            if target.startswith("socket:["):
                inodes.setdefault(network, set()).add(target[8:-1])
    found: set[str] = set()
    for network, mine in inodes.items():
        found.update(_listening(f"{proc}/{where[network]}/net", mine))
    return sorted(found)


def _listening(directory: str, inodes: set[str]) -> t.Iterator[str]:
    for kind in ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "sctp"):
        for line in _read(f"{directory}/{kind}").decode("ascii", "replace").splitlines()[1:]:
            fields = line.split()
            if len(fields) < 10 or fields[9] not in inodes:
                continue
            if fields[3] == (_LISTEN if kind.startswith("tcp") else _UNCONNECTED):
                yield f"{kind.rstrip('6')} {_address(fields[1])}"
    for line in _read(f"{directory}/unix").decode("utf-8", "replace").splitlines()[1:]:
        fields = line.split(None, 7)
        # Datagram sockets have nobody to accept, so that having a name is all there is to listening.
        if len(fields) == 8 and fields[6] in inodes and (int(fields[3], 16) & _ACCEPTS or fields[4] == "0002"):
            yield f"unix {fields[7]}"


def _address(text: str) -> str:
    """`0100007F:0050` as `127.0.0.1:80`: words of four bytes in the byte order of the host, the port in hexadecimal."""
    import socket
    import sys

    host, _colon, port = text.partition(":")
    words = [bytes.fromhex(host[at : at + 8]) for at in range(0, len(host), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    if len(raw) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, raw)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, raw)}]:{int(port, 16)}"


def _command_line(base: str) -> bytes:
    """The arguments of a process. A program that is just taking the place of another has none yet (execve(2))."""
    for dummy in range(20):
        words = _read(f"{base}/cmdline")
        if words or not os.path.lexists(f"{base}/exe"):
            break
        time.sleep(0.005)
    return words


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        # The process ended meanwhile, or this kernel has no such file.
        return b""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _status(data: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in data.decode("utf-8", "replace").splitlines())
    return {key: value.strip() for key, _colon, value in pairs}


def _names(data: bytes) -> list[str]:
    names = {item.partition(b"=")[0].decode("utf-8", "replace") for item in data.split(b"\0") if b"=" in item}
    return sorted(names)


def _limits(data: bytes) -> dict[str, list[str]]:
    found = {}
    for line in data.decode("ascii", "replace").splitlines():
        for text, name in _LIMITS.items():
            if line.startswith(text):
                found[name] = line[len(text) :].split()[:2]
    return found


def _cgroup(pid: int, proc: str) -> str:
    """The path in the unified hierarchy or, without one, in systemd's own."""
    other = ""
    for line in _read(f"{proc}/{pid}/cgroup").decode("utf-8", "replace").splitlines():
        number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        if number == "0":
            return path
        if controllers == "name=systemd":
            other = path
    return other


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
