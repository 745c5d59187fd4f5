# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of `unit_action` ask for, before a look at the host."""

from __future__ import annotations

import signal
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory, check_range
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import parse_signal
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.exits import signal_name
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import leading_number

WHOM = ["all", "main", "control"]
KINDS = ["state", "cache", "logs", "runtime", "configuration", "fdstore", "all"]
LEVELS = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
TARGETS = ["console", "journal", "kmsg", "journal-or-kmsg", "syslog", "syslog-or-kmsg", "auto", "null"]
# Option -> the first version of systemd that has it, and what else leads there.
_SINCE = {
    "kill_value": (254, "send the signal without a value"),
    "clean": (254, "leave out `fdstore`"),
    "bind": (248, "write BindPaths= into a drop-in (pidone.systemd.unit_file) and restart the service"),
    "mount_image": (248, "write MountImages= into a drop-in (pidone.systemd.unit_file) and restart the service"),
}


class Mount(t.NamedTuple):
    """Something to be mounted into a running service; `option` is where it stands in the task."""

    option: str
    source: str
    destination: str
    read_only: bool
    mkdir: bool

    @property
    def is_image(self) -> bool:
        return self.option.startswith("mount_image")


class Asked:
    """The options of a task, checked.

    `signal` is the signal's number, 0 for none, `whom` it is for, and `value` goes with it (None: none does). `clean` are kinds of
    resources, `mounts` what is to be mounted, and `log` what is to become of LogLevel and LogTarget.

    :raises BadInput: an option is wrong, or does not go with another.
    """

    def __init__(self, params: dict[str, t.Any]) -> None:
        self.names = [check_name(name, f"name[{at}]", globs=True) for at, name in enumerate(params["name"])]
        self.allow_empty = bool(params["allow_empty"])
        if not self.names and not self.allow_empty:
            raise BadInput("name: the list is empty; name at least one unit, or set `allow_empty: true` where that may be")
        if params["scope"] == "global":
            raise BadInput("scope: nothing runs behind scope `global`; use `system` or `user`")
        self.signal = 0 if params["signal"] is None else parse_signal(params["signal"], "signal")
        self.whom: str = params["kill_whom"] or "all"
        self.value: int | None = params["kill_value"]
        self.clean: list[str] = list(dict.fromkeys(params["clean"] or ()))
        self.mounts = [*_mounts(params, "bind"), *_mounts(params, "mount_image")]
        wanted = {"LogLevel": params["log_level"], "LogTarget": params["log_target"]}
        self.log: dict[str, str] = {name: value for name, value in wanted.items() if value is not None}
        self._check_signal(params)
        if params["clean"] is not None and not self.clean:
            raise BadInput(f"clean: the list is empty; name what is to be removed ({', '.join(KINDS)})")
        self._check_together(params)

    @property
    def signal_name(self) -> str:
        return signal_name(self.signal)

    def _check_signal(self, params: dict[str, t.Any]) -> None:
        for option in ("kill_whom", "kill_value"):
            if params[option] is not None and not self.signal:
                raise BadInput(f"{option}: there is no signal to be sent; give `signal`, or leave out `{option}`")
        if self.value is None:
            return
        check_range(self.value, "kill_value", -(2**31), 2**31 - 1, "write a number of 32 bits")
        if not signal.SIGRTMIN <= self.signal <= signal.SIGRTMAX:
            raise BadInput(
                f"kill_value: systemd sends no value with {self.signal_name}, only with real-time signals; use one from SIGRTMIN to "
                "SIGRTMAX, or leave out `kill_value`"
            )

    def _check_together(self, params: dict[str, t.Any]) -> None:
        given = {"signal": self.signal, "log_level": params["log_level"], "log_target": params["log_target"]}
        given.update(bind=params["bind"], mount_image=params["mount_image"])
        running = [option for option, value in given.items() if value]
        if not running and not self.clean:
            raise BadInput(
                "name: what is to be done to the units is missing; give `signal`, `clean`, `bind`, `mount_image`, `log_level` or `log_target`"
            )
        if running and self.clean:
            raise BadInput(
                f"clean: is for units that are down, and `{running[0]}` for those that run; make two tasks of them"
            )
        for mount in self.mounts if params["scope"] == "user" else ():
            raise BadInput(
                f"{mount.option}: only the system's manager mounts into services that run, not that of a user; leave out "
                f"`{mount.option.partition('[')[0]}`, or write BindPaths= into a drop-in (pidone.systemd.unit_file)"
            )

    def check_version(self, version: str) -> None:
        """Refuse what the host's systemd does not have yet.

        :param version: as systemd tells it; nothing is refused where it tells none.
        :raises BadInput: naming option, version and remedy.
        """
        number = leading_number(version)
        if number is None:
            return
        used = {"kill_value": self.value is not None, "clean": "fdstore" in self.clean}
        used.update({mount.option.partition("[")[0]: True for mount in self.mounts})
        for option, (since, remedy) in _SINCE.items():
            if used.get(option) and number < since:
                what = f"{option}: fdstore" if option == "clean" else option
                raise BadInput(f"{what}: came with systemd {since}, and this host has {number}; {remedy}")


def _mounts(params: dict[str, t.Any], option: str) -> list[Mount]:
    given = params[option]
    if given is not None and not given:
        raise BadInput(f"{option}: the list is empty; name what is to be mounted, or leave out `{option}`")
    found: list[Mount] = []
    for at, each in enumerate(given or ()):
        where = f"{option}[{at}]"
        source = check_directory(each["source"], f"{where}.source")
        destination = source
        if each["destination"] is not None:
            destination = check_directory(each["destination"], f"{where}.destination")
        destination = "/".join(part for part in destination.split("/") if part not in ("", "."))
        if not destination:
            raise BadInput(f"{where}.destination: nothing can be mounted over the root of a service that runs; name a path below it")
        mount = Mount(where, source, f"/{destination}", bool(each["read_only"]), bool(each["mkdir"]))
        if any(other.destination == mount.destination for other in found):
            raise BadInput(f"{where}.destination: {shown(mount.destination)} is named twice; leave one of them out")
        found.append(mount)
    return found
