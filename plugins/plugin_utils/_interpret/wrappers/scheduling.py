# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that run another at a priority: nice and its kin."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.options import Options, need, number_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def nice(it: Interpreter, words: list[Word]) -> list[Word]:
    if words:
        text = fixed(it, words[0]) or ""
        if re.match(r"--?\d+\Z", text):
            it.service.set("Nice", str(max(-20, min(19, int(text[1:])))))
            return words[1:]
    options = Options(it, words, "", "n", {"adjustment": True})
    rest = options.read()
    number = 10
    for _name, raw in options.found:
        number = number_of(it, raw, "the increment of nice")
    it.service.set("Nice", str(max(-20, min(19, number))))
    return rest


_IO_CLASSES = {"0": "none", "1": "realtime", "2": "best-effort", "3": "idle"}


def ionice(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "t", "cn", {"class": True, "classdata": True, "ignore": False})
    rest = options.read()
    for name, raw in options.found:
        if name in ("c", "class"):
            text = need(it, raw, "the class of ionice")
            if _IO_CLASSES.get(text, text) not in _IO_CLASSES.values():
                raise Keep(f"'{text}' is no class of ionice")
            it.service.set("IOSchedulingClass", _IO_CLASSES.get(text, text))
        elif name in ("n", "classdata"):
            it.service.set("IOSchedulingPriority", str(number_of(it, raw, "the level of ionice")))
    return rest


def chrt(it: Interpreter, words: list[Word]) -> list[Word]:
    long = {
        "batch": False,
        "fifo": False,
        "idle": False,
        "other": False,
        "rr": False,
        "reset-on-fork": False,
        "all-tasks": False,
    }
    options = Options(it, words, "abfiorRv", "", long)
    rest = options.read()
    names = {"b": "batch", "f": "fifo", "i": "idle", "o": "other", "r": "rr"}
    policy = "rr"
    for name, _raw in options.found:
        if name in ("R", "reset-on-fork"):
            it.service.set("CPUSchedulingResetOnFork", "yes")
        elif names.get(name, name) in names.values():
            policy = names.get(name, name)
    if not rest:
        raise Keep("chrt without a priority")
    priority = number_of(it, rest[0], "the priority of chrt")
    it.service.set("CPUSchedulingPolicy", policy)
    if policy in ("fifo", "rr"):
        it.service.set("CPUSchedulingPriority", str(priority))
    return rest[1:]


def taskset(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "c", "", {"cpu-list": False})
    rest = options.read()
    if not options.found or not rest:
        raise Keep("a mask of CPUs has no directive")
    text = need(it, rest[0], "the CPUs of taskset")
    if not re.match(r"[0-9,-]+\Z", text):
        raise Keep("a stride of CPUs has no directive")
    it.service.set("CPUAffinity", text.replace(",", " "))
    return rest[1:]
