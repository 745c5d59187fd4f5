# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of `reboot` mean. Both halves of the module read them: the one on the host, and the action on the controller."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory, check_line
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import INFINITY, parse_timespan

# As the commands of systemctl.
METHODS = ("reboot", "soft-reboot", "kexec")

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "method": {"type": "str", "choices": list(METHODS), "default": "reboot"},
    "removes": {"type": "str"},
    "ignore_inhibitors": {"type": "bool", "default": False},
    "msg": {"type": "str", "default": "Reboot initiated by Ansible"},
    "pre_reboot_delay": {"type": "str", "default": "0"},
    "post_reboot_delay": {"type": "str", "default": "0"},
    "reboot_timeout": {"type": "str", "default": "10min"},
    "connect_timeout": {"type": "str"},
    "settle": {"type": "str", "default": "0"},
    "ignore_units": {"type": "list", "elements": "str", "default": []},
    "test_command": {"type": "str"},
}
# logind takes a time of the calendar, and a year is more than anybody waits for.
_LONGEST = 366 * 86400.0


class Options(t.NamedTuple):
    """The options, checked; times are seconds."""

    method: str
    removes: str | None
    ignore_inhibitors: bool
    message: str
    before: float
    after: float
    timeout: float
    connect_timeout: float | None
    settle: float
    ignored: list[str]
    test_command: str | None


def read_options(params: t.Mapping[str, t.Any]) -> Options:
    """The options of a task.

    :param params: as `ARGUMENTS` has them.
    :raises BadInput: one cannot be meant.
    """
    removes, command = params["removes"], params["test_command"]
    if removes is not None:
        # Of a file, it says the same.
        check_directory(removes, "removes")
    if command is not None and not command.strip():
        raise BadInput("test_command: is empty; write a command such as `true`, or leave `test_command` out")
    check_line(params["msg"], "msg", "a message to users", "write one line such as 'Reboot for updates'", 1024)
    timeout = _seconds(params, "reboot_timeout")
    connect = None if params["connect_timeout"] is None else _seconds(params, "connect_timeout")
    for name, seconds in (("reboot_timeout", timeout), ("connect_timeout", connect)):
        if seconds is not None and seconds < 1:
            raise BadInput(f"{name}: is less than a second; give the time that it may take, such as 10min")
    after, settle = _seconds(params, "post_reboot_delay"), _seconds(params, "settle")
    for name, seconds in (("post_reboot_delay", after), ("settle", settle)):
        if seconds >= timeout:
            raise BadInput(f"{name}: is not less than `reboot_timeout`, of which it is a part; give a shorter or a longer one")
    return Options(
        params["method"],
        removes,
        params["ignore_inhibitors"],
        params["msg"],
        _seconds(params, "pre_reboot_delay"),
        after,
        timeout,
        connect,
        settle,
        [check_name(name, f"ignore_units[{index}]", globs=True) for index, name in enumerate(params["ignore_units"])],
        command,
    )


def _seconds(params: t.Mapping[str, t.Any], option: str) -> float:
    usec = parse_timespan(params[option], option)
    if usec == INFINITY or usec / 1e6 > _LONGEST:
        raise BadInput(f"{option}: is more than a year; give a time that somebody waits, such as 10min")
    return usec / 1e6
