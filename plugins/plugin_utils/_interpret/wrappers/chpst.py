# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""chpst, which does a bit of everything."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import absolute, change_directory
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.accounts import give_account, user_id
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.environment import (
    environment_directory,
    set_environment,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.limits import limit
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.options import Options, need, number_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, lit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


_CHPST_LIMITS = {"d": "DATA", "o": "NOFILE", "p": "NPROC", "f": "FSIZE", "c": "CORE", "r": "RSS", "t": "CPU"}


def chpst(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "vP0123V", "uUbe/CnlLmdopfcrta")
    rest = options.read()
    service = it.service
    keep: list[Word] = []
    account: list[Word] = []
    for letter, raw in options.found:
        construct = f"chpst -{letter}"
        if letter == "v":
            continue
        if letter == "V":
            raise Keep("-V prints the version")
        if letter == "P":
            # systemd starts every service in a session of its own.
            continue
        if letter == "0":
            service.set("StandardInput", "null")
            it.note("output.closed", construct, "standard input is /dev/null under systemd rather than closed")
        elif letter == "1":
            service.set("StandardOutput", "null")
            service.settings.setdefault("StandardError", ["journal"])
            it.note("output.closed", construct, "standard output is /dev/null under systemd rather than closed")
        elif letter == "2":
            service.set("StandardError", "null")
            it.note("output.closed", construct, "standard error is /dev/null under systemd rather than closed")
        elif letter == "3":
            raise Keep("-3 has no directive")
        elif letter == "u":
            account = give_account(it, need(it, raw, "the user of chpst -u"), construct)
        elif letter == "U":
            name = need(it, raw, "the user of chpst -U")
            ids = user_id(it, name)
            if ids is None:
                keep += [lit("-U"), lit(name)]
                it.note(
                    "process.wrapper", construct, f"UID and GID of {name} are looked up when the service starts, so chpst -U stays"
                )
            else:
                set_environment(it, "UID", lit(ids[0]))
                set_environment(it, "GID", lit(ids[1]))
                it.note("account.ids", construct, f"UID and GID of {name} are fixed to {ids[0]} and {ids[1]}")
        elif letter in ("b", "a"):
            it.outcome.argv0 = need(it, raw, "the name of chpst -b")
        elif letter == "e":
            path = need(it, raw, "the directory of chpst -e")
            if not path:
                raise Keep("the directory of chpst -e is empty")
            path = absolute(it, path)
            if not environment_directory(it, path, construct):
                keep += [lit("-e"), lit(path)]
        elif letter == "/":
            service.set("RootDirectory", need(it, raw, "the directory of chpst -/"))
            service.set("RootDirectoryStartOnly", "yes")
        elif letter == "C":
            change_directory(it, need(it, raw, "the directory of chpst -C"))
        elif letter == "n":
            service.set("Nice", str(max(-20, min(19, number_of(it, raw, "the increment of chpst -n")))))
        elif letter in "lL":
            path = absolute(it, need(it, raw, f"the file of chpst -{letter}"))
            lock = [lit("/usr/bin/flock"), lit("--no-fork")]
            if letter == "L":
                lock.append(lit("--nonblock"))
            keep = [*lock, lit(path), *keep] if not keep else [*keep, lit(f"-{letter}"), lit(path)]
        elif letter == "m":
            number = number_of(it, raw, "the limit of chpst -m")
            for resource in ("DATA", "STACK", "MEMLOCK", "AS"):
                limit(it, resource, number, construct)
        else:
            limit(it, _CHPST_LIMITS[letter], number_of(it, raw, f"the limit of chpst -{letter}"), construct)
    if keep and fixed(it, keep[0]) == "/usr/bin/flock":
        return account + keep + rest
    return ([lit("/usr/bin/chpst"), *keep] if keep else []) + account + rest
