# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of resources: softlimit and prlimit."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.options import Options, need, number_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, lit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


# Resources whose hard limit is unlimited under systemd: only the soft one is set, as chpst and softlimit do.
_SOFT = {
    "DATA": "infinity",
    "STACK": "infinity",
    "AS": "infinity",
    "RSS": "infinity",
    "FSIZE": "infinity",
    "CORE": "infinity",
}


def soft_limit(resource: str, number: int) -> str:
    """A soft limit as a value of Limit...=, the hard one left where systemd has it."""
    if number < 0:
        return "infinity"
    if resource in _SOFT:
        return f"{number}:{_SOFT[resource]}"
    if resource == "CPU":
        return f"{number}:infinity"
    if resource == "NOFILE" and number < 524288:
        return f"{number}:524288"
    return str(number)


def limit(it: Interpreter, resource: str, number: int, construct: str) -> None:
    """Give the service a soft limit."""
    it.outcome.limit(resource, soft_limit(resource, number))
    if resource in ("NPROC", "MEMLOCK"):
        it.note(
            "limit.hard", construct, f"Limit{resource}={number} sets the hard limit too; {construct} sets only the soft one"
        )


def keep_at_command(it: Interpreter) -> list[Word]:
    """The limits that are not for the steps before the command, as the words of a prlimit that the command is given to.

    The unit loses them; there are none where systemd may set them for all.
    """
    late = sorted(it.outcome.late_limits & set(it.service.settings))
    if not late:
        return []
    if it.outcome.argv0 is not None or "RootDirectory" in it.service.settings:
        it.note(
            "limit.steps",
            "limits",
            f"{', '.join(f'{one}=' for one in late)}: for the steps before the command too, which the script ran without; look whether they can",
        )
        return []
    words = [lit("/usr/bin/prlimit")]
    names = {resource: name for name, resource in _PRLIMIT.items()}
    for directive in late:
        soft, both, _hard = it.service.settings.pop(directive)[0].partition(":")
        words.append(lit(f"--{names[directive[len('Limit') :]]}={soft}{':' if both else ''}"))
    return words


def softlimit(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "", "madstlofcrp")
    rest = options.read()
    limits: dict[str, tuple[str, ...]] = {
        "m": ("DATA", "STACK", "MEMLOCK", "AS"),
        "a": ("AS",),
        "d": ("DATA",),
        "s": ("STACK",),
        "l": ("MEMLOCK",),
        "o": ("NOFILE",),
        "f": ("FSIZE",),
        "c": ("CORE",),
        "r": ("RSS",),
        "p": ("NPROC",),
        "t": ("CPU",),
    }
    for letter, raw in options.found:
        if fixed(it, raw) == "=":
            # As high as the hard limit.
            for resource in limits[letter]:
                if resource in _SOFT or resource == "CPU":
                    it.service.set(f"Limit{resource}", "infinity")
                elif resource == "NOFILE":
                    it.service.set("LimitNOFILE", "524288")
                else:
                    it.note("limit.left", f"softlimit -{letter} =", f"Limit{resource}= is left as systemd has it")
            continue
        for resource in limits[letter]:
            limit(it, resource, number_of(it, raw, f"the limit of softlimit -{letter}"), f"softlimit -{letter}")
    return rest


_PRLIMIT = {
    "nofile": "NOFILE", "nproc": "NPROC", "memlock": "MEMLOCK", "core": "CORE", "as": "AS", "data": "DATA", "stack": "STACK",
    "rtprio": "RTPRIO", "nice": "NICE", "fsize": "FSIZE", "cpu": "CPU", "rss": "RSS", "locks": "LOCKS", "sigpending": "SIGPENDING",
    "msgqueue": "MSGQUEUE", "rttime": "RTTIME",
}  # fmt: skip


def prlimit(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "", "", dict.fromkeys(_PRLIMIT, True))
    rest = options.read()
    if not rest:
        raise Keep("prlimit without a command")
    for name, raw in options.found:
        text = (
            need(it, raw, f"the limit of prlimit --{name}").replace("unlimited", "infinity").replace("-1", "infinity")
        )
        if not re.match(r"(\d+|infinity)(:(\d+|infinity))?\Z", text):
            raise Keep(f"--{name}={text} leaves one of the limits as it is")
        it.outcome.limit(_PRLIMIT[name], text)
    return rest
