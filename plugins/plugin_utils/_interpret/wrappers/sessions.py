# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that run another in a session, a root or a namespace of its own, and start-stop-daemon."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.places import change_directory
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.accounts import set_user
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.options import Options, need, number_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


def setsid(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "cw", "", {"ctty": False, "wait": False})
    rest = options.read()
    if any(name in ("c", "ctty") for name, _raw in options.found):
        raise Keep("a controlling terminal is asked for")
    return rest


def pgrphack(it: Interpreter, words: list[Word]) -> list[Word]:
    return words


def nohup(it: Interpreter, words: list[Word]) -> list[Word]:
    it.note("process.hangup", "nohup", "a service has no terminal that could hang up; SIGHUP is no longer ignored")
    return words


def command_builtin(it: Interpreter, words: list[Word]) -> list[Word]:
    if words and (fixed(it, words[0]) or "").startswith("-"):
        raise Keep("an option of command")
    return words


def exec_builtin(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "cl", "a")
    rest = options.read()
    for name, raw in options.found:
        if name == "a":
            it.outcome.argv0 = need(it, raw, "the name of exec -a")
        elif name == "c":
            it.note("environment.clean", "exec -c", "systemd starts services with a clean environment of a few variables of its own")
        else:
            raise Keep("exec -l has no directive")
    return rest


def chroot(it: Interpreter, words: list[Word]) -> list[Word]:
    if len(words) < 2:
        raise Keep("chroot without a command")
    path = need(it, words[0], "the directory of chroot")
    if path.startswith("-"):
        raise Keep(f"{path} has no directive here")
    it.service.set("RootDirectory", path)
    it.service.set("RootDirectoryStartOnly", "yes")
    return words[1:]


def ip(it: Interpreter, words: list[Word]) -> list[Word]:
    texts = [fixed(it, word) for word in words[:3]]
    if texts[:2] != ["netns", "exec"] or texts[2] is None or len(words) < 4:
        raise Keep("not ip netns exec")
    it.service.set("NetworkNamespacePath", f"/run/netns/{texts[2]}")
    return words[3:]


def aa_exec(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "", "p", {"profile": True})
    rest = options.read()
    for _name, raw in options.found:
        it.service.set("AppArmorProfile", need(it, raw, "the profile of aa-exec"))
    return rest


def start_stop_daemon(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(
        it,
        words,
        "SqomvC",
        "xacgdNupkrnI",
        {
            "start": False,
            "quiet": False,
            "oknodo": False,
            "make-pidfile": False,
            "verbose": False,
            "exec": True,
            "startas": True,
            "chuid": True,
            "group": True,
            "chdir": True,
            "nicelevel": True,
            "pidfile": True,
            "umask": True,
            "user": True,
            "name": True,
        },
    )
    rest = options.read()
    program: Word | None = None
    account = None
    for name, raw in options.found:
        if name in ("a", "startas") or (name in ("x", "exec") and program is None):
            program = raw
        elif name in ("c", "chuid"):
            account = need(it, raw, "the user of start-stop-daemon")
        elif name in ("m", "make-pidfile"):
            raise Keep("it writes a PID file")
        elif name in ("r", "I"):
            raise Keep(f"-{name} has no directive")
    if program is None:
        raise Keep("no program")
    for name, raw in options.found:
        if name in ("d", "chdir"):
            change_directory(it, need(it, raw, "the directory of start-stop-daemon"))
        elif name in ("N", "nicelevel"):
            it.service.set("Nice", str(max(-20, min(19, number_of(it, raw, "the nice level")))))
        elif name in ("k", "umask"):
            it.service.set("UMask", need(it, raw, "the umask"))
        elif name in ("g", "group"):
            it.service.group = need(it, raw, "the group")
    if account is not None:
        user, _colon, group = account.partition(":")
        set_user(it, user, group or it.service.group, (), False)
    return [program, *rest]
