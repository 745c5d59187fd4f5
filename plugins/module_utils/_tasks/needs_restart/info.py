# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `needs_restart_info` module's task, and how what still runs replaced files is told."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._observe.kernel import look_at_kernel, wants_reboot
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.decide import (
    LOGIN,
    MANUAL,
    REBOOT,
    REEXEC,
    RESTART,
    USER,
    decide,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.needs_restart.read import (
    Found,
    entry,
    find,
    packages_of,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session

# Where the kernel is not the host's own (Virtualization of org.freedesktop.systemd1(5), as systemd-detect-virt(1) names them).
_CONTAINERS = (
    "systemd-nspawn", "lxc", "lxc-libvirt", "docker", "podman", "rkt", "wsl", "proot", "pouch", "openvz", "container-other",
)  # fmt: skip


def gather(module: Module) -> dict[str, t.Any]:
    """Read what the module's options ask for; returns the module's result."""
    with open_session(module.params, module=module) as session, session.reading():
        found = find(session)
        packages = packages_for(session, found)
        kernel, reasons = about_reboot(session) if session.owner is None else (None, [])
    told = tell(found, packages)
    result: dict[str, t.Any] = {"changed": False, **told, "in_containers": found.in_containers}
    reasons += [f"{each['name']}: {each['reason']}" for each in told["units"] if each["remedy"] == REBOOT]
    result["needed"] = any(each["remedy"] in (RESTART, REEXEC) for each in [*told["units"], *told["managers"]])
    if session.owner is None:
        result.update(reboot=bool(reasons), reboot_reasons=reasons, kernel=kernel)
    return result


def packages_for(session: Session, found: Found) -> dict[str, str]:
    """File -> package, of all that was found."""
    groups = [group for _service, group in found.services]
    groups += found.managers + found.sessions + found.of_users + found.others
    return packages_of(groups, max(session.deadline - time.monotonic(), 0.1))


def tell(
    found: Found, packages: t.Mapping[str, str], include: t.Sequence[str] = (), exclude: t.Sequence[str] = ()
) -> dict[str, list[dict[str, t.Any]]]:
    """All that was found, each with what puts it right; for parameters see `decide`."""
    units = []
    for service, group in found.services:
        verdict = decide(service, found.own, include, exclude)
        units.append(entry(group, packages, remedy=verdict.remedy, reason=verdict.reason))
    ends = "it ends when its user logs out"
    at_home = "it is restarted with `scope: user` for that user"
    unknown = "it is no service, so that nobody but who has started it knows how to begin anew"
    return {
        "units": sorted(units, key=lambda each: str(each["name"])),
        "managers": [entry(group, packages, remedy=REEXEC, reason="") for group in found.managers],
        "sessions": [entry(group, packages, remedy=LOGIN, reason=ends) for group in found.sessions],
        "user_units": [entry(group, packages, remedy=USER, reason=at_home) for group in found.of_users],
        "others": [entry(group, packages, remedy=MANUAL, reason=unknown) for group in found.others],
    }


def about_reboot(session: Session) -> tuple[dict[str, t.Any] | None, list[str]]:
    """The kernel as it is told, None for that of somebody else, and why the host is to be rebooted, as far as others say."""
    reasons = ["a package asks for it (/run/reboot-required)"] if wants_reboot() else []
    if session.manager.manager_property("Virtualization") in _CONTAINERS:
        return None, reasons
    kernel = look_at_kernel()
    if kernel.outdated:
        reasons.append(
            f"the kernel {kernel.running} runs, and {kernel.newest} is installed"
            if kernel.newest != kernel.running
            else f"the kernel {kernel.running} was replaced since it was booted"
        )
    return kernel._asdict(), reasons
