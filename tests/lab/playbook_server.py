# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-playbook many times without importing Ansible many times.

Of the 0.75 s of a playbook of one task, 0.3 s go into importing Ansible's command line and 0.2 s into reading its tables
and the documentation of the plugins that every run uses. This process does both once and forks for each run, so each run
is an ansible-playbook of its own in every respect but that. Its environment is that of the process that started it: use
another server for another environment.

Protocol: a JSON line on stdin, ``{"args": [...], "stdout": PATH, "stderr": PATH, "results": PATH}``; a JSON line on
stdout, ``{"rc": N}``. It ends with its stdin.

Ansible makes the archive of a module when it is first used, for which it reads and compiles some hundred sources (0.6 s), and
keeps it for as long as this process lives. With LAB_ARCHIVES, the directory of that name has the archives of several servers;
Ansible itself locks each of them while it is made.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
import warnings

import ansible.executor.module_common  # pylint: disable=unused-import
import ansible.executor.playbook_executor  # pylint: disable=unused-import
import ansible.plugins.connection.ssh  # pylint: disable=unused-import
import ansible.plugins.strategy.linear  # noqa: F401  # pylint: disable=unused-import
from ansible import constants
from ansible.cli.playbook import PlaybookCLI
from ansible.plugins import loader


def _read_what_every_run_reads() -> None:
    """Load the usual plugins, with which come ansible.builtin's routing table and their options."""
    loader.init_plugin_loader()
    for plugins in (
        loader.inventory_loader,
        loader.vars_loader,
        loader.callback_loader,
        loader.connection_loader,
        loader.shell_loader,
        loader.become_loader,
        loader.filter_loader,
        loader.test_loader,
    ):
        list(plugins.all(class_only=True))
    loader.strategy_loader.get("linear", class_only=True)
    for name in ("normal", "pidone.systemd.unit"):
        loader.action_loader.get(name, class_only=True)
    # each run does it again, as it must
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")


def _share_archives(folder: str) -> None:
    """Have Ansible keep the archives of modules in *folder*, by the name that it gives their place (module_common.py)."""
    os.symlink(folder, os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache"))


def _run(request: dict[str, object]) -> None:
    """In the child: become that ansible-playbook. Does not return."""
    for number, key in ((1, "stdout"), (2, "stderr")):
        target = os.open(str(request[key]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(target, number)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ["LAB_RESULTS"] = str(request["results"])
    code: object = 99
    try:
        PlaybookCLI.cli_executor(request["args"])
    except SystemExit as exc:
        code = exc.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def main() -> None:
    """Serve requests until stdin ends."""
    _read_what_every_run_reads()
    if os.environ.get("LAB_ARCHIVES"):
        _share_archives(os.environ["LAB_ARCHIVES"])
    # What is there by now stays: a run that looked for garbage in it would have to copy its memory.
    gc.collect()
    gc.freeze()
    # Only the file descriptor is read, never sys.stdin: a forked child must not find half of the next request buffered.
    buffered = b""
    while True:
        while b"\n" not in buffered:
            chunk = os.read(0, 65536)
            if not chunk:
                return
            buffered += chunk
        line, _newline, buffered = buffered.partition(b"\n")
        pid = os.fork()
        if pid == 0:
            _run(json.loads(line))
        _pid, status = os.waitpid(pid, 0)
        os.write(1, json.dumps({"rc": os.waitstatus_to_exitcode(status)}).encode() + b"\n")


if __name__ == "__main__":
    main()
