# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that prepare a process and then run another become directives, one after the other.

Each handler gets the words after the wrapper's name and returns the words of the command it would run. Where an option
has no directive the handler raises `Keep`: the wrapper then stays part of the command, which is always correct.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.accounts import (
    envuidgid,
    runuser,
    setpriv,
    setuidgid,
    su,
    su_exec,
    sudo,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.chpst import chpst
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.environment import (
    env,
    envdir,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.limits import prlimit, softlimit
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.scheduling import (
    chrt,
    ionice,
    nice,
    taskset,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.sessions import (
    aa_exec,
    chroot,
    command_builtin,
    exec_builtin,
    ip,
    nohup,
    pgrphack,
    setsid,
    start_stop_daemon,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, lit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


Wrapper = t.Callable[["Interpreter", list[Word]], list[Word]]


def busybox(it: Interpreter, words: list[Word]) -> list[Word]:
    if not words or (fixed(it, words[0]) or "") not in WRAPPERS:
        raise Keep("an applet of busybox")
    return words


WRAPPERS: dict[str, Wrapper] = {
    "chpst": chpst,
    "setuidgid": setuidgid,
    "s6-setuidgid": setuidgid,
    "su-exec": su_exec,
    "gosu": su_exec,
    "setuser": su_exec,
    "envuidgid": envuidgid,
    "envdir": envdir,
    "s6-envdir": envdir,
    "softlimit": softlimit,
    "s6-softlimit": softlimit,
    "nice": nice,
    "ionice": ionice,
    "chrt": chrt,
    "taskset": taskset,
    "env": env,
    "setsid": setsid,
    "s6-setsid": setsid,
    "pgrphack": pgrphack,
    "nohup": nohup,
    "command": command_builtin,
    "exec": exec_builtin,
    "su": su,
    "runuser": runuser,
    "sudo": sudo,
    "setpriv": setpriv,
    "prlimit": prlimit,
    "chroot": chroot,
    "start-stop-daemon": start_stop_daemon,
    "ip": ip,
    "aa-exec": aa_exec,
    "busybox": busybox,
}


def peel(it: Interpreter, argv: list[Word]) -> list[Word]:
    """Take the wrappers off a command, outermost first, and give the service what they do."""
    for _turn in range(32):
        if not argv:
            return argv
        name = argv[0][0].text if len(argv[0]) == 1 and argv[0][0].kind == "lit" else None
        handler = WRAPPERS.get(name.rsplit("/", 1)[-1]) if name else None
        if handler is None or len(argv) < 2:
            return argv
        saved = it.saved()
        try:
            rest = handler(it, argv[1:])
        except Keep as why:
            it.undo(saved)
            it.note("account.late" if "-u" in str(why) else "process.wrapper", str(name), f"{name} stays part of the command: {why}")
            return argv
        if not rest:
            return rest
        if rest[0] in (lit("/usr/bin/chpst"), lit("/usr/bin/flock")) and not any(rest[0] is word for word in argv):
            # What is left of a wrapper: peel what it runs, and put it back.
            end = 1
            while (
                end < len(rest)
                and len(rest[end]) == 1
                and rest[end][0].kind == "lit"
                and rest[end][0].text.startswith("-")
            ):
                end += 2 if rest[end][0].text in ("-U", "-e", "-l", "-L") else 1
            if rest[0] == lit("/usr/bin/flock"):
                end += 1
            return rest[:end] + peel(it, rest[end:])
        argv = rest
    return argv
