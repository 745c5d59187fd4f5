# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares a service under its old supervisor with the same under systemd: which differences are to be expected, and which
make it worse. Pure functions over the snapshots of `_observe/processes.py`."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._observe.expected import Expected

# What may differ, as `accept` names it.
KINDS = (
    "command",
    "program",
    "user",
    "group",
    "groups",
    "cwd",
    "root",
    "environment",
    "umask",
    "limits",
    "nice",
    "sockets",
)
# Set by systemd for its services (systemd.exec(5), "Environment Variables Set or Propagated by the Service Manager").
_FROM_SYSTEMD = frozenset(
    """CACHE_DIRECTORY CONFIGURATION_DIRECTORY CREDENTIALS_DIRECTORY DEBUG_INVOCATION EXIT_CODE EXIT_STATUS FDSTORE HOME
    INVOCATION_ID JOURNAL_STREAM LANG LC_ALL LISTEN_FDNAMES LISTEN_FDS LISTEN_PID LISTEN_PIDFDID LOGNAME LOGS_DIRECTORY MAINPID
    MANAGERPID MANAGERPIDFDID MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE MONITOR_EXIT_CODE NOTIFY_SOCKET PATH PIDFILE
    RUNTIME_DIRECTORY SERVICE_RESULT SHELL STATE_DIRECTORY SYSTEMD_EXEC_PID TERM TRIGGER_PATH TRIGGER_TIMER_MONOTONIC_USEC
    TRIGGER_TIMER_REALTIME_USEC TRIGGER_UNIT USER WATCHDOG_PID WATCHDOG_USEC XDG_RUNTIME_DIR""".split()
)
# Set by the shell of a start script.
_FROM_SHELL = frozenset(("PWD", "OLDPWD", "SHLVL", "_"))


_NOTHING = Expected()


if t.TYPE_CHECKING:

    class Difference(t.TypedDict):
        """What is not as it was: one of KINDS, both sides, and whether that is for the worse, or was to be expected, and why."""

        what: str
        before: t.Any
        after: t.Any
        expected: bool
        worse: bool
        reason: str


def compare(
    before: t.Mapping[str, t.Any],
    after: t.Mapping[str, t.Any],
    accept: t.Container[str] = (),
    ephemeral: tuple[int, int] = (32768, 60999),
    expected: Expected = _NOTHING,
) -> list[Difference]:
    """The differences between two snapshots of a service.

    :param accept: names of `KINDS` that are no reason to go back.
    :param ephemeral: the ports that the host gives to those who ask for none.
    :param expected: what follows from the old supervisor.
    :returns: `what`, `before`, `after`, `expected`, `reason` and `worse` (a reason to go back) of each.
    """
    found = _Differences(accept)
    _commands(found, before, after)
    for what, number in (("user", "uid"), ("group", "gid")):
        if before[number] != after[number]:
            found.add(what, _account(before, what, number), _account(after, what, number), f"another {what}")
    # Its own group among the others or not is the same to the kernel.
    mine, its = ({*side["group_ids"]} - {side["gid"]} for side in (before, after))
    if mine != its:
        found.add("groups", before["groups"], after["groups"], "other supplementary groups")
    for what in ("cwd", "root"):
        if before[what] == after[what]:
            continue
        if what == "cwd" and before[what] == expected.directory and after[what] == after["root"]:
            found.expect(what, before[what], after[what], expected.why)
        else:
            found.add(what, before[what], after[what], "another directory")
    _environment(found, before, after, expected.variables)
    if before["umask"] != after["umask"]:
        found.add("umask", before["umask"], after["umask"], "another umask")
    _limits(found, before["limits"], after["limits"])
    if before["nice"] != after["nice"]:
        found.add("nice", before["nice"], after["nice"], "another priority")
    _sockets(found, before, after, ephemeral)
    if before["cgroup"] != after["cgroup"]:
        found.expect("cgroup", before["cgroup"], after["cgroup"], "each unit has a cgroup of its own")
    leads = [side["session"] == side["pid"] for side in (before, after)]
    if leads[0] != leads[1]:
        words = [
            "leads its session" if one else f"in session {side['session']}" for one, side in zip(leads, (before, after))
        ]
        found.expect("session", words[0], words[1], "systemd starts each service in a session of its own")
    for name, old, new in zip(("stdin", "stdout", "stderr"), before["stdio"], after["stdio"]):
        if _stream(old) != _stream(new):
            found.expect(name, old, new, "systemd connects it: by default input to nothing, output to the journal")
    return found.all


class _Differences:
    def __init__(self, accept: t.Container[str]) -> None:
        self.accept = accept
        self.all: list[Difference] = []

    def add(self, what: str, before: t.Any, after: t.Any, reason: str, worse: bool = True) -> None:
        accepted = what in self.accept
        self.all.append(
            {
                "what": what,
                "before": before,
                "after": after,
                "expected": False,
                "worse": worse and not accepted,
                "reason": f"{reason}; accepted" if accepted else reason,
            }
        )

    def expect(self, what: str, before: t.Any, after: t.Any, reason: str) -> None:
        self.all.append(
            {"what": what, "before": before, "after": after, "expected": True, "worse": False, "reason": reason}
        )


def _account(side: t.Mapping[str, t.Any], name: str, number: str) -> str:
    return f"{side[name]} ({side[number]})"


def _stream(target: str) -> str:
    return target.partition(":[")[0]


# -- command lines


def _commands(found: _Differences, before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> None:
    if before["program"] != after["program"]:
        found.add("program", before["program"], after["program"], "another program")
    old, new = before["command"], after["command"]
    if old == new:
        return
    told = (" ".join(old), " ".join(new))
    # Programs that show what they do in place of their arguments have one word.
    old_words, new_words = ([word for item in side for word in item.split()] for side in (old, new))
    name = os.path.basename(before["program"])
    if len(old_words) == len(new_words) and all(
        _same_word(a, b, before["cwd"], after["cwd"], at == 0 or os.path.basename(a) == name)
        for at, (a, b) in enumerate(zip(old_words, new_words))
    ):
        found.expect("command", *told, "the same, with the path of the program or script in full")
    else:
        found.add("command", *told, "another command line")


def _same_word(old: str, new: str, old_cwd: str, new_cwd: str, is_program: bool) -> bool:
    """Whether two words mean the same: a path in full or relative, or the program's name as it was looked for in PATH."""
    if old == new:
        return True
    if os.path.basename(old) != os.path.basename(new):
        return False
    if "/" not in old or "/" not in new:
        return is_program
    paths = [os.path.realpath(os.path.join(cwd, word)) for cwd, word in ((old_cwd, old), (new_cwd, new))]
    return paths[0] == paths[1]


# -- environment


def _environment(
    found: _Differences, before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any], handed_down: frozenset[str]
) -> None:
    old, new = set(before["environment"]), set(after["environment"])
    if not old or not new:
        # It cannot be seen.
        return
    gone, more = old - new, new - old
    expected_gone = gone & (_FROM_SHELL | handed_down)
    expected_more = more & (_FROM_SYSTEMD | _FROM_SHELL)
    if expected_gone or expected_more:
        found.expect(
            "environment",
            _words(expected_gone),
            _words(expected_more),
            "set by shells and supervisors, not by the service",
        )
    if gone - expected_gone:
        found.add("environment", _words(gone - expected_gone), "", "variables that are gone")
    if more - expected_more:
        found.add("environment", "", _words(more - expected_more), "variables that were not there", worse=False)


def _words(names: t.Iterable[str]) -> str:
    return " ".join(sorted(names))


# -- limits


def _limits(found: _Differences, before: dict[str, list[str]], after: dict[str, list[str]]) -> None:
    for name in before:
        if name not in after or before[name] == after[name]:
            continue
        lower = any(_number(b) > _number(a) for b, a in zip(before[name], after[name]))
        reason = f"a lower limit ({name})" if lower else f"a higher limit ({name})"
        found.add("limits", _limit(name, before), _limit(name, after), reason, worse=lower)


def _number(text: str) -> float:
    return float("inf") if text == "unlimited" else float(text)


def _limit(name: str, limits: dict[str, list[str]]) -> str:
    soft, hard = limits[name]
    return f"{name} {soft}" if soft == hard else f"{name} {soft}:{hard}"


# -- sockets


def missing_sockets(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any], ephemeral: tuple[int, int]) -> list[str]:
    """Where the service listened, and does not any more; places that nobody chose left out."""
    gone = [one for one in before["sockets"] if one not in after["sockets"]]
    more = [one for one in after["sockets"] if one not in before["sockets"]]
    return [one for one in gone if not _is_fleeting(one, before["pid"], more, ephemeral)]


def _sockets(
    found: _Differences, before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any], ephemeral: tuple[int, int]
) -> None:
    gone = [one for one in before["sockets"] if one not in after["sockets"]]
    more = [one for one in after["sockets"] if one not in before["sockets"]]
    moved = [one for one in gone if _is_fleeting(one, before["pid"], more, ephemeral)]
    moved_to = [one for one in more if _is_fleeting(one, after["pid"], gone, ephemeral)]
    if moved or moved_to:
        found.expect("sockets", moved, moved_to, "ports that the host chose, or names with a process ID")
    missing = [one for one in gone if one not in moved]
    extra = [one for one in more if one not in moved_to]
    if missing:
        found.add("sockets", missing, [], "does not listen there any more")
    if extra:
        found.add("sockets", [], extra, "did not listen there before", worse=False)


def _is_fleeting(socket: str, pid: int, others: t.Sequence[str], ephemeral: tuple[int, int]) -> bool:
    """Whether a socket has a name that is another after each start: a port that the host chose, or one with the process ID.

    :param others: those that only the other side has; a TCP port is one of the host's choice if there is another instead.
    """
    kind, _blank, place = socket.partition(" ")
    if kind == "unix":
        return str(pid) in place
    if not _is_ephemeral(socket, ephemeral):
        return False
    return kind == "udp" or any(
        other.rpartition(":")[0] == socket.rpartition(":")[0] and _is_ephemeral(other, ephemeral) for other in others
    )


def _is_ephemeral(socket: str, ephemeral: tuple[int, int]) -> bool:
    port = socket.rpartition(":")[2]
    return port.isdigit() and ephemeral[0] <= int(port) <= ephemeral[1]
