# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that are full, have no room for another file, or cannot be written to: done, or one clear error and nothing half-written."""

from __future__ import annotations

import typing as t

import pytest

from tests.attacks import kill_points
from tests.attacks.bad_inputs_on_host import ModulesOnHost
from tests.lab.full import is_full
from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("bookworm")

_A = "/etc/systemd/system/nr-a.service"
_SERVICE = "[Service]\nExecStart=/bin/sleep 1000001\n"
_USER = {"scope": "user", "user": "deploy"}

#: What cannot be written to -> the directories.
PLACES = {
    "temporary files": ("/tmp", "/var/tmp"),
    "undo log": ("/var/lib/pidone.systemd",),
    "undo log and locks": ("/var/lib/pidone.systemd", "/run/pidone.systemd"),
    "drop-ins of systemd": ("/etc/systemd/system.control", "/run/systemd/system.control"),
    "transient units": ("/run/systemd/transient",),
    "stamps of timers": ("/var/lib/systemd/timers",),
}
HOW = {
    "full": "mount -t tmpfs -o size=4k,mode=1777 nr {0}; head -c 100000 /dev/zero >{0}/.fill; true",
    "without inodes": "mount -t tmpfs -o nr_inodes=2,mode=1777 nr {0}; touch {0}/.fill; true",
    "read-only": "mount -t tmpfs -o ro,mode=1777 nr {0}",
}
TASKS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "timer": ("timer", {"name": "nr-t", "OnCalendar": "*-12-24 03:00", "command": "/bin/true", "Persistent": True}),
    "timer, verified loosely": ("timer", {"name": "nr-t", "OnBootSec": "99y", "command": "/bin/true", "verify": "nothing"}),
    "timer of a user": ("timer", {"name": "nr-u", "OnCalendar": "*-12-24 03:00", "command": "/bin/true", **_USER}),
    "file": ("unit_file", {"name": "nr-n.service", "content": _SERVICE, "started": True, "settle": "0"}),
    "file with a drop-in": ("unit_file", {"name": "nr-a.service", "dropin": "10-x", "sections": {"Service": {"Nice": "1"}}}),
    "file of a user": ("unit_file", {"name": "nr-n.service", "content": _SERVICE, **_USER}),
    "limits": ("resource_control", {"name": ["nr-a.service"], "properties": {"TasksMax": "77"}}),
    "limits until the reboot": (
        "resource_control",
        {"name": ["nr-a.service"], "properties": {"TasksMax": "77"}, "persist": "runtime"},
    ),
    "limits on trial": ("resource_control", {"name": ["nr-a.service"], "properties": {"TasksMax": "77"}, "trial": "100ms"}),
    "run": ("run", {"name": "nr-r", "command": ["/bin/echo", "out"]}),
    "run, with input": ("run", {"name": "nr-r", "command": ["/bin/cat"], "stdin": "x" * 100_000}),
    "run as a scope": ("run", {"name": "nr-r", "command": ["/bin/echo", "out"], "unit_type": "scope"}),
    "run later": ("run", {"name": "nr-r", "command": ["/bin/echo", "$HOME"], "on_calendar": ["*-12-24 03:00"]}),
    "unit": ("unit", {"name": ["nr-a.service"], "state": "restarted", "enabled": True, "settle": "0"}),
    "manager": ("manager", {"environment": {"NR_A": "1"}, "log_level": "notice"}),
    "configuration": ("configuration", {"name": "system", "dropin": "nr", "settings": {"Manager": {"DefaultTimeoutStartSec": "99s"}}}),
    "user_manager": ("user_manager", {"name": ["nosudo"]}),
    "credential": ("credential", {"name": "nr", "content": "secret", "unit": "nr-a.service"}),
}

#: Without PIDONE_FULL, one task of so many meets a place in one condition: each place, condition and task has its turn in every run, and
#: all of their combinations within as many days (kill_points.seed), as with kill points.
STEP = 3

#: What takes away whatever a task of the system's manager makes, and one of a user's.
_CLEAN = (
    "systemctl stop nr-t.timer nr-r.timer nr-r.service nr-n.service 2>/dev/null; systemctl disable -q nr-a nr-t.timer 2>/dev/null; "
    "rm -rf /etc/systemd/system/nr-[tn]* /etc/systemd/system/nr-a.service.d /etc/systemd/system.control/nr-* "
    "/run/systemd/system.control/nr-* /var/lib/systemd/timers/stamp-nr-* "
    "/etc/credstore.encrypted/nr; systemctl unset-environment NR_A; systemctl log-level info; systemctl daemon-reload; "
    "loginctl disable-linger nosudo; systemctl reset-failed; "
)
_CLEAN_USER = (
    "rm -rf /home/deploy/.config/systemd/user/*nr-* /home/deploy/.config/systemd/user/*/nr-*; "
    "asdeploy() { setpriv --reuid=deploy --regid=deploy --init-groups env XDG_RUNTIME_DIR=/run/user/$(id -u deploy) systemctl --user \"$@\"; }; "
    "asdeploy stop nr-u.timer nr-n.service 2>/dev/null; asdeploy daemon-reload; "
)


@pytest.fixture(scope="module")
def modules(lab: t.Any) -> t.Iterator[ModulesOnHost]:
    """Modules on a host of their own, as what is mounted there is in the way of everybody."""
    host: Host = lab("bookworm", "no-room")
    host.write(_A, _SERVICE.replace("01\n", "02\n") + "[Install]\nWantedBy=multi-user.target\n")
    host.run("loginctl enable-linger deploy; systemctl daemon-reload; systemctl start nr-a", check=True)
    # Each task is cleaned up after; what generators make of that is not looked at.
    host.run(
        "for kind in system user; do mkdir -p /etc/systemd/$kind-generators; for each in /lib/systemd/$kind-generators/*; do "
        "ln -sf /dev/null /etc/systemd/$kind-generators/${each##*/}; done; done",
        check=True,
    )
    with ModulesOnHost(host) as found:
        yield found


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("place", PLACES)
def test_no_room(lab: t.Any, modules: ModulesOnHost, place: str, how: str) -> None:
    """Whatever fails names the directory or file and what to do; with room again, the same task is done and steady."""
    host: Host = lab("bookworm", "no-room")
    bad: list[str] = []
    mounts = " ".join(f"mkdir -p {path}; {HOW[how].format(path)};" for path in PLACES[place])
    host.run(_CLEAN + _CLEAN_USER)
    for name in _chosen(place, how):
        module, args = TASKS[name]
        host.run(mounts, check=True)
        try:
            checked = modules(module, args, check=True)
            done = modules(module, args)
        finally:
            host.run(f"umount {' '.join(PLACES[place])}", check=True)
        for what, answer in (("check mode", checked), ("a real run", done)):
            result = answer["result"]
            if result is None or "Traceback" in answer["output"] or "defect" in result or "exception" in result:
                told = (answer["output"] or str(result))[-700:]
                bad.append(f"{name}, {what}: a traceback: {told}")
            elif result.get("failed"):
                msg = result["msg"]
                if not any(path in msg for path in (*PLACES[place], "/etc/systemd", "/run/systemd")) or not _says_what_to_do(msg):
                    bad.append(f"{name}, {what}: {msg[:500]}")
                if len(msg.splitlines()) > 12 or len(msg) > 2000:
                    bad.append(f"{name}, {what}: a message of {len(msg)} characters: {msg[:300]}")
                if answer["touched"] and not _only_directories(host, answer["touched"]):
                    bad.append(f"{name}, {what}: failed, and left {answer['touched'][:6]}: {msg[:200]}")
        again = modules(module, args, watch=False)
        host.run(_CLEAN_USER if "user" in args else _CLEAN)
        if again["result"] is None or again["result"].get("failed"):
            bad.append(f"{name}: with room again: {again['output'][-500:]}")
    assert not bad, f"{len(bad)}:\n" + "\n".join(bad)


def _chosen(place: str, how: str) -> list[str]:
    """The tasks that this run does there; any three neighbours of `PLACES`, and the three of `HOW`, have all of them."""
    if is_full():
        return list(TASKS)
    begin = kill_points.seed() + list(PLACES).index(place) + list(HOW).index(how)
    return list(TASKS)[begin % STEP :: STEP]


def _says_what_to_do(msg: str) -> bool:
    """Whether a message says what is the matter with the disk, or what to do about it."""
    return any(word in msg for word in ("make room", "No space left", "read-only", "Read-only", "TMPDIR", "raise the quota", "writable"))


def _only_directories(host: Host, paths: t.Sequence[str]) -> bool:
    """Whether none of the paths that changed is a file or link that was left there."""
    words = " ".join(f"'{path}'" for path in paths)
    return not host.run(f"for p in {words}; do [ -f \"$p\" ] || [ -L \"$p\" ] && echo \"$p\"; done; true").stdout.strip()
