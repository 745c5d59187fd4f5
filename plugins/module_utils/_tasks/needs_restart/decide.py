# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a service is put right that runs replaced files: restarted, or why it is not; pure."""

from __future__ import annotations

import fnmatch
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import python_pattern
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_active

# What puts it right.
RESTART, REEXEC, REBOOT, LOGIN, MANUAL, WAIT, USER = (
    "restart", "daemon-reexec", "reboot", "login", "manual", "wait", "user",
)  # fmt: skip

# Patterns of services that are not restarted, with what puts them right, and why.
LEFT_OUT: t.Sequence[tuple[str, str, str]] = (
    ("dbus.service dbus-broker.service", REBOOT, "all that talks over the bus would lose its connection"),
    ("systemd-logind.service elogind.service", REBOOT, "sessions would lose their devices and inhibitors"),
    (
        "display-manager.service gdm.service gdm3.service sddm.service lightdm.service lxdm.service xdm.service kdm.service "
        "wdm.service nodm.service slim.service greetd.service ly.service",
        MANUAL,
        "graphical sessions would end with it",
    ),
    (
        "getty@*.service serial-getty@*.service console-getty.service container-getty@*.service autovt@*.service",
        LOGIN,
        "whoever is logged in there would be logged out; it is a new process after each login",
    ),
    (
        "docker.service containerd.service lxc.service lxc@*.service lxcfs.service lxd.service incus.service snap.lxd.* "
        "systemd-nspawn@*.service libvirt-guests.service",
        MANUAL,
        "its containers or machines might end with it",
    ),
    ("virtlogd.service virtlockd.service", MANUAL, "its machines would lose their logs and locks; reload it instead"),
    (
        "wpa_supplicant*.service iwd.service ModemManager.service openvpn*.service strongswan*.service ipsec.service "
        "libreswan.service tinc*.service bird*.service frr.service quagga.service",
        MANUAL,
        "the connection of this task may go through it",
    ),
    ("user@*.service user-runtime-dir@*.service", LOGIN, "all that the user runs would end with it"),
    ("pacemaker.service corosync.service", MANUAL, "the cluster would take this host for failed"),
    ("packagekit.service unattended-upgrades.service", WAIT, "it may be installing packages"),
    ("emergency.service rescue.service", MANUAL, "whoever is at work there would be logged out"),
)
_ONESHOT = "it runs to its end, which a restart would have it begin anew"


class Service(t.NamedTuple):
    """A service that runs replaced files, as systemd knows it.

    `pids` are its processes that do; `dependents` the units that systemd would restart with it; `stale` is whether its unit file
    has changed since it was read.
    """

    name: str
    active_state: str = "active"
    kind: str = "simple"
    main_pid: int = 0
    kill_mode: str = "control-group"
    transient: bool = False
    refuses: bool = False
    triggered_by: tuple[str, ...] = ()
    stale: bool = False
    restart: str = ""
    pids: tuple[int, ...] = ()
    dependents: frozenset[str] = frozenset()

    @property
    def is_replaced_by_restart(self) -> bool:
        """Whether a restart ends a process that runs replaced files; by KillMode= it may leave all but the main process."""
        return self.kill_mode not in ("process", "none") or self.main_pid in self.pids


class Verdict(t.NamedTuple):
    """What puts something right, and why that is not a restart."""

    remedy: str
    reason: str = ""


def matches(name: str, patterns: t.Iterable[str]) -> bool:
    """Whether a unit's name is one of those, or matches one of the patterns."""
    return any(fnmatch.fnmatchcase(name, python_pattern(pattern)) for pattern in patterns)


def left_out(name: str) -> Verdict | None:
    """What the table says of a service."""
    for patterns, remedy, reason in LEFT_OUT:
        if matches(name, patterns.split()):
            return Verdict(remedy, reason)
    return None


def decide(service: Service, own: str = "", include: t.Sequence[str] = (), exclude: t.Sequence[str] = ()) -> Verdict:
    """What puts a service right.

    :param own: the unit that this task runs in; empty where it is in none.
    :param include: patterns of services that are restarted although this is left to others by default.
    :param exclude: patterns of services that are not restarted.
    """
    name = service.name
    if matches(name, exclude):
        return Verdict(MANUAL, "it is excluded")
    if service.refuses:
        return Verdict(REBOOT, "it refuses to be restarted by hand (RefuseManualStart=, RefuseManualStop=)")
    if not service.is_replaced_by_restart:
        return Verdict(WAIT, f"a restart would leave these processes (KillMode={service.kill_mode}); they end by themselves")
    if not is_active(service.active_state):
        return Verdict(WAIT, _ONESHOT if service.kind == "oneshot" else f"it is {service.active_state}")
    if name == own and service.kill_mode not in ("process", "none"):
        return Verdict(MANUAL, "this task runs in it, and would end with it")
    kept = sorted(each for each in service.dependents if matches(each, exclude) or _is_kept(each, include))
    if kept:
        return Verdict(MANUAL, f"{kept[0]} would be restarted with it")
    if matches(name, include):
        return Verdict(RESTART)
    if service.kind == "oneshot":
        return Verdict(MANUAL, _ONESHOT)
    found = left_out(name)
    if found is not None:
        return found
    if service.transient:
        return Verdict(WAIT, "somebody has it run something once (systemd-run), which would begin anew")
    timers = [trigger for trigger in service.triggered_by if trigger.endswith(".timer")]
    if timers:
        return Verdict(WAIT, f"{timers[0]} has it run to its end, and then it begins anew by itself")
    return Verdict(RESTART)


def _is_kept(name: str, include: t.Sequence[str]) -> bool:
    if name.endswith(".service"):
        return left_out(name) is not None and not matches(name, include)
    # Sessions, and what others have put into one.
    return name.endswith(".scope")
