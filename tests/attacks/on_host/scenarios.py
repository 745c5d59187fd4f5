# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is cut short: tasks of every module that changes something, each with the state of the host that it begins with.

What the host is afterwards is not written down here: it is what an undisturbed run leaves.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t

from tests.attacks.on_host.pictures import HOME, JOB, MADE, TRACES, TREE

SYSTEM = "/etc/systemd/system"
USERS = f"{HOME}/.config/systemd/user"
_QUICK = {"settle": "50ms"}
_FAR = "*-12-24 03:00"
_FARTHER = "*-12-25 04:00"
_DAILY = "*-*-* 00:00"


class Scenario(t.NamedTuple):
    """A task and what it begins with.

    :param files: those that are there before, by path.
    :param before: what is done once to have the state before, as shell.
    :param again: the same, before each run: what is not in files.
    :param up: units that are up before.
    :param units: all units that the task may change.
    :param other: a task that may come in between, when this one was cut short; None where there is none.
    :param steady: whether a second run of it has nothing to do.
    :param fails: it cannot succeed, and everything shall be as it was.
    """

    module: str
    args: dict[str, t.Any]
    files: dict[str, str] = {}
    before: str = ""
    again: str = ""
    up: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    other: tuple[str, dict[str, t.Any]] | None = None
    steady: bool = True
    fails: bool = False

    @property
    def user(self) -> bool:
        """Whether it is about a user's manager."""
        return self.args.get("scope") == "user"


def service(version: int = 1, wanted_by: str = "multi-user.target", more: str = "", unit: str = "") -> str:
    """A service whose process tells the version of the file that it was started from."""
    return (
        f"[Unit]\nDescription=kp\n{unit}\n[Service]\nExecStart=/bin/sleep {1000000 + version}\n{more}\n"
        f"[Install]\nWantedBy={wanted_by}\n"
    )


def _sections(version: int = 1, wanted_by: str = "multi-user.target") -> dict[str, t.Any]:
    return {
        "Unit": {"Description": "kp"},
        "Service": {"ExecStart": f"/bin/sleep {1000000 + version}"},
        "Install": {"WantedBy": wanted_by},
    }


def _timer(calendar: str = _FAR, more: str = "") -> str:
    return (
        "# Written by Ansible (pidone.systemd.timer); what is changed here is lost.\n"
        "# pidone.systemd.timer marker: kp\n\n"
        f"[Timer]\nOnCalendar={calendar}\n{more}\n[Install]\nWantedBy=timers.target\n"
    )


def _job() -> str:
    return (
        "# Written by Ansible (pidone.systemd.timer); what is changed here is lost.\n"
        "# pidone.systemd.timer marker: kp\n\n"
        f"[Service]\nType=oneshot\nExecStart={JOB} kp\n"
    )


def _timers(*names: str, directory: str = SYSTEM, **options: str) -> dict[str, str]:
    found = {}
    for name in names:
        found[f"{directory}/{name}.timer"] = _timer(**options)
        found[f"{directory}/{name}.service"] = _job()
    return found


def _named(*names: str, calendar: str = _FARTHER, **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": name, "OnCalendar": calendar, "command": [JOB, "kp"], **more} for name in names]


def _settings(text: str) -> str:
    return (
        "# Written by Ansible (pidone.systemd.configuration); what is changed here is lost.\n"
        f"# pidone.systemd.configuration marker: kp\n\n{text}"
    )


A, B = "kp-a.service", "kp-b.service"
_AB = {f"{SYSTEM}/{A}": service(), f"{SYSTEM}/{B}": service(2)}
_FALSE = "[Unit]\nDescription=kp\n[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n"
_TREE = {
    f"{TREE}/etc/os-release": "ID=kp\n",
    f"{TREE}/usr/lib/systemd/system/multi-user.target": "[Unit]\nDescription=kp\n",
    f"{TREE}/usr/lib/systemd/system/timers.target": "[Unit]\nDescription=kp\n",
    f"{TREE}/usr/lib/systemd/system/kp-lib.service": service(),
    f"{TREE}/etc/systemd/system/.keep": "",
    f"{TREE}/var/lib/systemd/.keep": "",
    f"{TREE}{JOB}": "#!/bin/sh\n",
}
_OF_USER = {"scope": "user", "user": "deploy"}
_RESTART: tuple[str, dict[str, t.Any]] = ("unit", {"name": A, "state": "restarted", **_QUICK})
_STOP: tuple[str, dict[str, t.Any]] = ("unit", {"name": A, "state": "stopped"})
_RESTART_USERS: tuple[str, dict[str, t.Any]] = (
    "unit",
    {"name": A, "state": "restarted", **_QUICK, **_OF_USER},
)


def _unit_file(content: str, **args: t.Any) -> dict[str, t.Any]:
    # To have systemd verify the file takes long, changes nothing, and so is done where it is what is cut short.
    return {"name": A, "content": content, "verify": "nothing", **_QUICK, **args}


_RECORD = "/var/lib/pidone.systemd/sets/system/kp.json"
_SALT = "00"
_MARK = "# Written by Ansible (pidone.systemd.unit_set); what is changed here is lost.\n# pidone.systemd.unit_set marker: kp\n\n"
# The files of a set as they are before.
_SET = {
    f"{SYSTEM}/{A}": _MARK + service(),
    f"{SYSTEM}/{B}": _MARK + service(3),
    f"{SYSTEM}/{B}.d/kp.conf": _MARK + "[Service]\nNice=1\n",
    f"{SYSTEM}/kp-t@.service": _MARK + service(4),
}


def _made(**made: list[str]) -> str:
    """The record of what the lines of `kp.conf` have made."""
    return json.dumps({"version": 1, "file": "kp.conf", "made": made})


def _record(*paths: str) -> str:
    """The record of a set that has these files of `_SET`, and has started what is in them."""

    def digest(path: str) -> str:
        return hmac.new(_SALT.encode(), _SET[path].encode(), hashlib.sha256).hexdigest()

    files = {}
    units: dict[str, t.Any] = {}
    for path in paths:
        parts = path.split("/")
        unit = next(part for part in parts if part.startswith("kp-")).removesuffix(".d")
        kind = "dropin" if path.endswith(".conf") else "unit"
        files[path] = {"kind": kind, "unit": unit, "digest": digest(path), "meaning": "of old"}
        for name in ("kp-t@1.service", "kp-t@3.service") if "@" in unit else (unit,):
            known = units.setdefault(name, {"owned": True, "made": [], "on_change": "restart", "loaded": {}, "reloaded": {}})
            known["loaded"][path] = "of old"
    return json.dumps({"version": 1, "set": "kp", "salt": _SALT, "files": files, "units": units})


def _known(text: str) -> str:
    """What is remembered of a unit that was started when `restart_on` had this text."""
    digest = hmac.new(_SALT.encode(), text.encode(), hashlib.sha256).hexdigest()
    entry = {"owned": False, "made": [], "on_change": "", "loaded": {f"text {digest}": digest}, "reloaded": {}}
    return json.dumps({"version": 1, "set": A, "salt": _SALT, "files": {}, "units": {A: entry}})


def _set_of(*names: str, version: int = 1) -> list[dict[str, t.Any]]:
    found: list[dict[str, t.Any]] = []
    for name in names:
        each = {"name": name, "content": service(version), "enabled": True, "state": "started"}
        found.append({**each, "instances": 2} if "@" in name else each)
    return found


SCENARIOS: dict[str, Scenario] = {
    # -- unit
    "unit-enable-start": Scenario(
        "unit",
        {"name": [A, B], "enabled": True, "state": "started", "rollback": True, **_QUICK},
        files=_AB,
        units=(A, B),
        other=_RESTART,
    ),
    "unit-enable-start-fails": Scenario(
        "unit",
        {"name": [A, B], "enabled": True, "state": "restarted", "rollback": True, **_QUICK},
        files={f"{SYSTEM}/{A}": service(), f"{SYSTEM}/{B}": _FALSE},
        up=(A,),
        units=(A, B),
        fails=True,
    ),
    "unit-disable-stop": Scenario(
        "unit",
        {"name": [A, B], "enabled": False, "state": "stopped"},
        files=_AB,
        before=f"systemctl enable {A} {B}",
        up=(A, B),
        units=(A, B),
        other=_RESTART,
    ),
    "unit-mask": Scenario(
        "unit",
        {"name": A, "masked": True, "state": "stopped"},
        files={f"/run/systemd/system/{A}": service()},
        up=(A,),
        units=(A,),
    ),
    "unit-preset": Scenario(
        "unit",
        {"name": [A, B], "preset": True},
        files={**_AB, "/etc/systemd/system-preset/00-kp.preset": f"enable {A}\ndisable {B}\n"},
        before=f"systemctl disable {A}; systemctl enable {B}",
        units=(A, B),
        other=_STOP,
    ),
    "unit-restart": Scenario(
        "unit",
        {"name": A, "state": "restarted", **_QUICK},
        files={f"{SYSTEM}/{A}": service()},
        up=(A,),
        units=(A,),
        steady=False,
    ),
    "unit-user": Scenario(
        "unit",
        {"name": [A, B], "enabled": True, "state": "started", **_QUICK, **_OF_USER},
        files={f"{USERS}/{A}": service(wanted_by="default.target"), f"{USERS}/{B}": service(2, "default.target")},
        units=(A, B),
        other=_RESTART_USERS,
    ),
    "unit-root": Scenario("unit", {"name": "kp-lib.service", "enabled": True, "root": TREE}, files=_TREE),
    "unit-freeze": Scenario(
        "unit",
        {"name": [A, B], "enabled": True, "state": "frozen"},
        files=_AB,
        again=f"systemctl thaw {A} {B}",
        up=(A, B),
        units=(A, B),
    ),
    "unit-pulled-in": Scenario(
        "unit",
        {"name": [A, B], "add_wants": ["multi-user.target"], "add_requires": ["rescue.target"]},
        files=_AB,
        up=(A,),
        units=(A, B),
        other=_RESTART,
    ),
    # -- unit_action
    "action-clean": Scenario(
        "unit_action",
        {"name": A, "clean": ["state", "runtime"]},
        files={f"{SYSTEM}/{A}": service(more="StateDirectory=kp-state")},
        again="mkdir -p /var/lib/kp-state/deep; touch /var/lib/kp-state/deep/file",
        units=(A,),
    ),
    # -- unit_file
    "file-linked": Scenario(
        "unit_file",
        {"name": A, "state": "linked", "src": f"{MADE}/2/{A}", "activate": True, "verify": "nothing", **_QUICK},
        files={f"{MADE}/1/{A}": service(), f"{MADE}/2/{A}": service(2)},
        before=f"systemctl link {MADE}/1/{A}; systemctl enable {A}",
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "file-reverted": Scenario(
        "unit_file",
        {"name": A, "state": "reverted", "on_change": "restart", **_QUICK},
        files={
            f"{SYSTEM}/{A}": service(),
            f"{SYSTEM}/{A}.d/10-kp.conf": "[Service]\nExecStart=\nExecStart=/bin/sleep 1000002\n",
            f"/run/systemd/system/{A}.d/20-kp.conf": "[Service]\nNice=1\n",
            f"/etc/systemd/system.control/{A}.d/50-CPUWeight.conf": "[Service]\nCPUWeight=50\n",
        },
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "file-new": Scenario(
        "unit_file", _unit_file(service(), activate=True, verify="normal"), units=(A,), other=_RESTART
    ),
    "file-changed": Scenario(
        "unit_file",
        _unit_file(service(2), activate=True, on_change="restart"),
        files={f"{SYSTEM}/{A}": service()},
        before=f"systemctl enable {A}",
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "file-started-only": Scenario(
        "unit_file",
        _unit_file(service(2), started=True),
        files={f"{SYSTEM}/{A}": service(), f"{SYSTEM}/{B}": service(3)},
        up=(A, B),
        units=(A, B),
        other=("unit", {"name": B, "state": "restarted", **_QUICK}),
    ),
    "file-watched": Scenario(
        "unit_file",
        _unit_file(service(), started=True, restart_on=["version 2"], probe={"command": "true"}),
        files={f"{SYSTEM}/{A}": service(), f"/var/lib/pidone.systemd/unit_file/system/{A}.json": _known("version 1")},
        up=(A,),
        units=(A,),
        other=_STOP,
    ),
    "file-reload": Scenario(
        "unit_file",
        _unit_file(
            service(1, more=f"ExecReload=/bin/sh -c 'echo new >{TRACES}/reloaded'"), started=True, on_change="reload"
        ),
        files={f"{SYSTEM}/{A}": service(1, more=f"ExecReload=/bin/sh -c 'echo old >{TRACES}/reloaded'")},
        up=(A,),
        units=(A,),
    ),
    "file-template": Scenario(
        "unit_file",
        {"name": "kp-t@.service", "content": service(2), "on_change": "restart", "verify": "nothing", **_QUICK},
        files={f"{SYSTEM}/kp-t@.service": service()},
        up=("kp-t@1.service", "kp-t@2.service"),
        units=("kp-t@1.service", "kp-t@2.service"),
        other=("unit", {"name": "kp-t@1.service", "state": "started", **_QUICK}),
    ),
    "file-install": Scenario(
        "unit_file",
        _unit_file(service(1, "graphical.target"), activate=True),
        files={f"{SYSTEM}/{A}": service()},
        before=f"systemctl enable {A}",
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "file-dropin": Scenario(
        "unit_file",
        {
            "name": A,
            "dropin": "10-kp",
            "sections": {"Service": {"ExecStart": ["", "/bin/sleep 1000002"]}},
            "on_change": "restart",
            "verify": "nothing",
            **_QUICK,
        },
        files={f"{SYSTEM}/{A}": service()},
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "file-dropin-absent": Scenario(
        "unit_file",
        {"name": A, "dropin": "10-kp", "state": "absent", "on_change": "restart", **_QUICK},
        files={
            f"{SYSTEM}/{A}": service(),
            f"{SYSTEM}/{A}.d/10-kp.conf": "[Service]\nExecStart=\nExecStart=/bin/sleep 1000002\n",
        },
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "file-absent": Scenario(
        "unit_file",
        {"name": A, "state": "absent"},
        files={f"{SYSTEM}/{A}": service(), f"{SYSTEM}/{A}.d/10-kp.conf": "[Service]\nNice=1\n"},
        before=f"systemctl enable {A}",
        up=(A,),
        units=(A,),
    ),
    "file-rollback": Scenario(
        "unit_file",
        _unit_file(_FALSE, activate=True, on_change="restart", rollback=True),
        files={f"{SYSTEM}/{A}": service()},
        before=f"systemctl enable {A}",
        up=(A,),
        units=(A,),
        other=_RESTART,
        fails=True,
    ),
    "file-rollback-new": Scenario(
        "unit_file",
        _unit_file(_FALSE, activate=True, rollback=True),
        units=(A,),
        fails=True,
    ),
    "file-backup": Scenario(
        "unit_file",
        _unit_file(service(2), activate=True, backup=True, mode="0640", owner="deploy"),
        files={f"{SYSTEM}/{A}": service()},
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "file-user": Scenario(
        "unit_file",
        _unit_file(service(2, "default.target"), activate=True, **_OF_USER),
        files={f"{USERS}/{A}": service(1, "default.target")},
        up=(A,),
        units=(A,),
        other=_RESTART_USERS,
    ),
    "file-root": Scenario(
        "unit_file",
        {"name": A, "sections": _sections(), "enabled": True, "root": TREE, "verify": "nothing"},
        files=_TREE,
    ),
    # -- timer
    "timer-new": Scenario(
        "timer",
        {"timers": _named("kp-1", "kp-2", calendar=_FAR), "marker": "kp"},
        units=("kp-1.timer", "kp-2.timer", "kp-1.service"),
        other=("unit", {"name": "kp-1.timer", "state": "restarted", **_QUICK}),
    ),
    "timer-changed": Scenario(
        "timer",
        {"timers": _named("kp-1", "kp-2", calendar=_DAILY), "marker": "kp", "verify": "nothing"},
        files=_timers("kp-1", "kp-2"),
        before="systemctl enable kp-1.timer kp-2.timer",
        up=("kp-1.timer", "kp-2.timer"),
        units=("kp-1.timer", "kp-2.timer", "kp-1.service", "kp-2.service"),
        other=("unit", {"name": A, "state": "stopped"}),
    ),
    "timer-persistent": Scenario(
        "timer",
        {"timers": _named("kp-1", calendar=_DAILY, Persistent=True), "marker": "kp", "verify": "nothing"},
        files=_timers("kp-1", more="Persistent=yes"),
        # The new calendar should have elapsed since.
        before="systemctl enable kp-1.timer; touch -d '2 days ago' /var/lib/systemd/timers/stamp-kp-1.timer",
        up=("kp-1.timer",),
        units=("kp-1.timer", "kp-1.service"),
    ),
    "timer-boot": Scenario(
        "timer",
        {
            "timers": [{"name": "kp-1", "OnBootSec": "1s", "OnCalendar": _FARTHER, "command": [JOB, "kp"]}],
            "marker": "kp",
            "verify": "nothing",
        },
        files=_timers("kp-1"),
        before="systemctl enable kp-1.timer",
        up=("kp-1.timer",),
        units=("kp-1.timer",),
    ),
    "timer-purge": Scenario(
        "timer",
        {"timers": _named("kp-1", calendar=_FAR), "marker": "kp", "verify": "nothing", "purge": True},
        files=_timers("kp-1", "kp-2", "kp-3"),
        before="systemctl enable kp-1.timer kp-2.timer kp-3.timer",
        up=("kp-1.timer", "kp-2.timer", "kp-3.timer"),
        units=("kp-1.timer", "kp-2.timer", "kp-3.timer"),
        other=("unit", {"name": "kp-2.service", "state": "stopped"}),
    ),
    "timer-absent": Scenario(
        "timer",
        {"name": "kp-1", "state": "absent", "marker": "kp", "verify": "nothing"},
        files=_timers("kp-1", more="Persistent=yes"),
        before="systemctl enable kp-1.timer",
        up=("kp-1.timer",),
        units=("kp-1.timer", "kp-1.service"),
    ),
    "timer-user": Scenario(
        "timer",
        {"timers": _named("kp-1", calendar=_FARTHER), "marker": "kp", "verify": "nothing", **_OF_USER},
        files=_timers("kp-1", directory=USERS),
        up=("kp-1.timer",),
        units=("kp-1.timer", "kp-1.service"),
    ),
    "timer-root": Scenario(
        "timer", {"timers": _named("kp-1"), "marker": "kp", "verify": "nothing", "root": TREE}, files=_TREE
    ),
    # -- unit_set
    "set-new": Scenario(
        "unit_set",
        {"name": "kp", "units": _set_of(A, "kp-t@.service"), "verify": "nothing", **_QUICK},
        files={_RECORD: _record()},
        units=(A, "kp-t@1.service", "kp-t@2.service"),
        other=_RESTART,
    ),
    # One becomes another, one is new, one goes, with a drop-in; an instance less; and a file beside.
    "set-changed": Scenario(
        "unit_set",
        {
            "name": "kp",
            "units": [*_set_of(A, "kp-t@.service", version=2), *_set_of("kp-c.service")],
            "files": [{"path": "/etc/systemd/kp/env", "content": "A=2\n"}],
            "verify": "nothing",
            **_QUICK,
        },
        files={**_SET, _RECORD: _record(*_SET)},
        before=f"systemctl enable {A} {B} kp-t@1.service kp-t@3.service",
        up=(A, B, "kp-t@1.service", "kp-t@3.service"),
        units=(A, B, "kp-c.service", "kp-t@1.service", "kp-t@2.service", "kp-t@3.service"),
        other=_RESTART,
    ),
    "set-fails": Scenario(
        "unit_set",
        {
            "name": "kp",
            "units": [*_set_of(A, "kp-t@.service", version=2), {"name": "kp-c.service", "content": _FALSE, "state": "started"}],
            "rollback": True,
            "verify": "nothing",
            **_QUICK,
        },
        files={**_SET, _RECORD: _record(*_SET)},
        before=f"systemctl enable {A} {B} kp-t@1.service kp-t@3.service",
        up=(A, B, "kp-t@1.service", "kp-t@3.service"),
        units=(A, B, "kp-c.service", "kp-t@1.service", "kp-t@2.service", "kp-t@3.service"),
        fails=True,
    ),
    "set-absent": Scenario(
        "unit_set",
        {"name": "kp", "state": "absent"},
        files={**_SET, _RECORD: _record(*_SET)},
        before=f"systemctl enable {A} {B} kp-t@1.service kp-t@3.service",
        up=(A, B, "kp-t@1.service", "kp-t@3.service"),
        units=(A, B, "kp-t@1.service", "kp-t@3.service"),
    ),
    # -- resource_control
    "limits-lasting": Scenario(
        "resource_control",
        {"name": A, "properties": {"MemoryMax": "100M", "CPUQuota": "50%"}},
        files={f"{SYSTEM}/{A}": service()},
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "limits-runtime": Scenario(
        "resource_control",
        {"name": A, "properties": {"MemoryMax": "100M", "CPUQuota": "50%"}, "persist": "runtime"},
        files={f"{SYSTEM}/{A}": service()},
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "limits-trial": Scenario(
        "resource_control",
        {"name": A, "properties": {"MemoryMax": "100M", "CPUQuota": "50%"}, "trial": "100ms"},
        files={f"{SYSTEM}/{A}": service()},
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "limits-unset": Scenario(
        "resource_control",
        {"name": A, "properties": {"MemoryMax": None, "CPUQuota": None}},
        files={f"{SYSTEM}/{A}": service()},
        before=f"systemctl set-property {A} MemoryMax=100M CPUQuota=50%",
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    # -- configuration
    "configuration-manager": Scenario(
        "configuration",
        {"name": "system", "settings": {"Manager": {"DefaultTimeoutStartSec": "77s"}}, "marker": "kp", "purge": True},
        files={"/etc/systemd/system.conf.d/10-kp.conf": _settings("[Manager]\nDefaultTimeoutStartSec=66s\n"), f"{SYSTEM}/{A}": service()},
        again="systemctl daemon-reload",
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "configuration-signal-fails": Scenario(
        "configuration",
        {"name": "logind", "settings": {"Login": {"UserStopDelaySec": "77s", "RuntimeDirectorySize": "much"}}},
        files={"/etc/systemd/logind.conf.d/50-ansible.conf": "[Login]\nUserStopDelaySec=66s\n"},
        again="systemctl kill -s HUP systemd-logind",
        fails=True,
    ),
    "configuration-user": Scenario(
        "configuration",
        {"name": "user", "settings": {"Manager": {"DefaultTimeoutStartSec": "77s"}}, **_OF_USER},
        files={f"{USERS}/{A}": service(1, "default.target")},
        up=(A,),
        units=(A,),
        other=_RESTART_USERS,
    ),
    # -- manager, user_manager
    "manager-target": Scenario(
        "manager",
        {"default_target": "multi-user.target", "daemon_reload": "auto"},
        before="systemctl set-default rescue.target",
    ),
    "manager-many": Scenario(
        "manager",
        {
            "default_target": "multi-user.target",
            "environment": {"KP_A": "1", "KP_B": None, "KP_C": "2"},
            "log_level": "notice",
        },
        files={f"{SYSTEM}/{A}": service()},
        before="systemctl set-default rescue.target",
        again="systemctl unset-environment KP_A; systemctl set-environment KP_B=old KP_C=old; systemctl log-level info",
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "manager-environment": Scenario(
        "manager",
        {"environment": {"KP_A": "1", "KP_B": None}, "log_level": "notice"},
        again="systemctl unset-environment KP_A; systemctl set-environment KP_B=old; systemctl log-level info",
    ),
    "manager-user": Scenario(
        "manager",
        {"default_target": "basic.target", "environment": {"KP_A": "1", "KP_B": None}, "log_level": "notice", **_OF_USER},
        files={f"{USERS}/{A}": service(1, "default.target")},
        again="runuser -u deploy -- env XDG_RUNTIME_DIR=/run/user/1000 sh -c 'systemctl --user unset-environment KP_A; "
        "systemctl --user set-environment KP_B=old; systemctl --user log-level info'",
        up=(A,),
        units=(A,),
        other=_RESTART_USERS,
    ),
    "linger-on": Scenario(
        "user_manager",
        {"name": "nosudo"},
        files={f"{SYSTEM}/{A}": service()},
        again="loginctl disable-linger nosudo; systemctl stop user@1001.service",
        up=(A,),
        units=("user@1001.service", A),
        other=_RESTART,
    ),
    "linger-off": Scenario(
        "user_manager",
        {"name": "nosudo", "linger": False},
        files={f"{SYSTEM}/{A}": service()},
        again="loginctl enable-linger nosudo; systemctl start user@1001.service",
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    # -- needs_restart
    "needs-restart": Scenario(
        "needs_restart",
        {"name": "kp-*", **_QUICK},
        # What is started is the former file and the former unit; it runs, and has not only been forked, when it is replaced.
        files={f"{SYSTEM}/{name}": f"[Service]\nType=exec\nExecStart={TREE}/kp-daemon 1000002\n" for name in (A, B)},
        before=f"mkdir -p {TREE}",
        again=f"""
            cp /bin/sleep {TREE}/kp-daemon
            for unit in {A} {B}; do
                mkdir /run/systemd/system/$unit.d
                printf '[Service]\\nExecStart=\\nExecStart={TREE}/kp-daemon 1000001\\n' >/run/systemd/system/$unit.d/kp.conf
            done
            systemctl daemon-reload; systemctl restart {A} {B}; rm -r /run/systemd/system/kp-*.d
            cp {TREE}/kp-daemon {TREE}/kp-daemon.new; mv {TREE}/kp-daemon.new {TREE}/kp-daemon
        """,
        up=(A, B),
        units=(A, B),
    ),
    # -- credential
    "credential-new": Scenario(
        "credential",
        {"name": "kp", "content": "kp secret", "unit": A, "on_change": "restart"},
        files={f"{SYSTEM}/{A}": service()},
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "credential-absent": Scenario(
        "credential",
        {"name": "kp", "state": "absent", "unit": A},
        files={
            f"{SYSTEM}/{A}": service(),
            f"{SYSTEM}/{A}.d/credential-kp.conf": "[Service]\nLoadCredential=kp:/etc/credstore.encrypted/kp\n",
            "/etc/credstore.encrypted/kp": "nothing that anybody can decrypt",
        },
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    # -- tmpfiles, sysusers
    "tmpfiles-applied": Scenario(
        "tmpfiles",
        {
            "name": "kp",
            "lines": [
                {"type": "d", "path": f"{MADE}/new/in", "mode": "0750", "user": "deploy"},
                {"type": "d", "path": f"{MADE}/there", "mode": "0700", "group": "deploy"},
                {"type": "f+", "path": f"{MADE}/there/text", "argument": "new\n"},
                {"type": "L+", "path": f"{MADE}/link", "argument": "there"},
            ],
            "apply": True,
            "purge": "unused",
        },
        files={
            "/etc/tmpfiles.d/kp.conf": f"f {MADE}/gone - - - - old\nd {MADE}/there\n",
            f"{MADE}/there/text": "old\n",
            f"{MADE}/gone": "old",
            f"{SYSTEM}/{A}": service(),
        },
        before=f"ln -s nowhere {MADE}/link",
        up=(A,),
        units=(A,),
        other=_RESTART,
    ),
    "tmpfiles-purged": Scenario(
        "tmpfiles",
        {"name": "kp", "state": "absent", "purge": "everything"},
        files={
            "/etc/tmpfiles.d/kp.conf": f"d {MADE}/full\nd {MADE}/empty 0700 deploy\nL {MADE}/link - - - - full\n",
            f"{MADE}/full/file": "",
            f"{MADE}/empty/x": "",
            "/var/lib/pidone.systemd/made/tmpfiles/system/kp.json": _made(directories=[f"{MADE}/full", f"{MADE}/empty"]),
        },
        before=f"ln -s full {MADE}/link; rm {MADE}/empty/x; chown deploy {MADE}/empty; chmod 700 {MADE}/empty",
    ),
    "sysusers-applied": Scenario(
        "sysusers",
        {
            "name": "kp",
            "lines": [{"type": "u", "name": "kp-a", "id": "701"}, {"type": "m", "name": "kp-a", "group": "kp-b"}],
            "root": TREE,
            "apply": True,
            "purge": True,
        },
        files={
            f"{TREE}/etc/sysusers.d/kp.conf": "u kp-gone 702\n",
            f"{TREE}/var/lib/pidone.systemd/made/sysusers/system/kp.json": _made(users=["kp-gone"], groups=["kp-gone"]),
            f"{TREE}/etc/passwd": "kp-gone:x:702:702::/:/usr/sbin/nologin\n",
            f"{TREE}/etc/shadow": "kp-gone:!*:19000::::::\n",
            f"{TREE}/etc/group": "kp-gone:x:702:\nkp-b:x:703:kp-gone\n",
            f"{TREE}/etc/gshadow": "kp-gone:!*::\nkp-b:!*::kp-gone\n",
        },
    ),
    # -- run
    "run-waited": Scenario(
        "run", {"name": "kp-run", "command": ["/bin/true"]}, units=("kp-run.service",), steady=False
    ),
    "run-begun": Scenario(
        "run",
        {"name": "kp-run", "command": ["/bin/sleep", "1000001"], "wait": False},
        units=("kp-run.service",),
    ),
    "run-timer": Scenario(
        "run",
        {"name": "kp-run", "command": [JOB, "kp"], "on_calendar": [_FAR]},
        units=("kp-run.timer", "kp-run.service"),
    ),
    "run-scope": Scenario(
        "run",
        {"name": "kp-run", "unit_type": "scope", "command": ["/bin/true"]},
        units=("kp-run.scope",),
        steady=False,
    ),
}


class Pair(t.NamedTuple):
    """Two tasks that are run at once: the first one with the state before both, and the second, which has to succeed."""

    first: Scenario
    second: tuple[str, dict[str, t.Any]]


_V1 = {f"{SYSTEM}/{A}": service()}

PAIRS: dict[str, Pair] = {
    "one file, two contents": Pair(
        Scenario("unit_file", _unit_file(service(2), activate=True), files=_V1, up=(A,), units=(A,)),
        ("unit_file", _unit_file(service(3), activate=True)),
    ),
    "two files": Pair(
        Scenario("unit_file", _unit_file(service(2), activate=True), files=_V1, up=(A,), units=(A, B)),
        ("unit_file", {"name": B, "content": service(3), "activate": True, "verify": "nothing", **_QUICK}),
    ),
    "one list of timers, twice": Pair(
        Scenario(
            "timer",
            {"timers": _named("kp-1", "kp-2", calendar=_DAILY), "marker": "kp", "purge": True, "verify": "nothing"},
            files=_timers("kp-1", "kp-2", "kp-3"),
            before="systemctl enable kp-1.timer kp-2.timer kp-3.timer",
            up=("kp-1.timer", "kp-2.timer", "kp-3.timer"),
            units=("kp-1.timer", "kp-2.timer", "kp-3.timer"),
        ),
        (
            "timer",
            {"timers": _named("kp-1", "kp-2", calendar=_DAILY), "marker": "kp", "purge": True, "verify": "nothing"},
        ),
    ),
    "a file that is rolled back, and a restart": Pair(
        SCENARIOS["file-rollback"], ("unit", {"name": A, "state": "restarted", **_QUICK})
    ),
    "a file that is rolled back, and another content": Pair(
        SCENARIOS["file-rollback"], ("unit_file", _unit_file(service(3), activate=True))
    ),
    "limits and a file": Pair(SCENARIOS["limits-lasting"], ("unit_file", _unit_file(service(3), activate=True))),
    **{
        f"two re-executions{how}": Pair(
            Scenario("manager", {"reexec": True, **of}, again=again, steady=False), ("manager", {"reexec": True, **of})
        )
        for how, of, again in (
            ("", {}, ""),
            # Without it, systemd is reached over the bus, until the new process makes it again.
            (", over the bus", {}, "rm -f /run/systemd/private"),
            (" of a user's", _OF_USER, ""),
        )
    },
    # `run` takes no lock: that a name is one unit's is seen to by systemd.
    "one command, twice": Pair(SCENARIOS["run-begun"], ("run", SCENARIOS["run-begun"].args)),
    "one timer of run, twice": Pair(SCENARIOS["run-timer"], ("run", SCENARIOS["run-timer"].args)),
    "a re-execution and a file": Pair(
        Scenario("manager", {"reexec": True}, files=_V1, up=(A,), units=(A,), steady=False),
        ("unit_file", _unit_file(service(3), activate=True)),
    ),
}
