# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that others may have put there are opened by one reader, and directories are listed by it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

UTILS = Path(__file__).resolve().parents[2] / "plugins/module_utils"
# The reader itself; what has rules of its own for what it opens.
READER = ("_systemd/reading.py", "_systemd/tree.py")
ELSEWHERE = ("_dbus/", "_kept/", "_sources/", "_tasks/handover/", "_tasks/init/")
# Functions that open or list by themselves, and why they may.
EXCEPTIONS = {
    "_engine/bring_about.py": {"_at_work": "a lock, of which nothing is read", "_machine": "the host's own number"},
    "_engine/durable.py": {
        "replace": "makes files of its own, under names nobody knows",
        "sync_directory": "a directory, which is not read",
        "tidy": "names only, of what is removed",
        "is_empty": "whether there is any name",
    },
    "_engine/guardian.py": {"watch_over": "/dev/null"},
    "_tasks/configuration/check.py": {"_ask_systemd": "makes files of its own, in a scratch directory"},
    "_engine/lock.py": {"*": "a lock in a directory of its user's own, and the first bytes of it"},
    "_engine/undo_log.py": {
        "boot_id": "/proc",
        "_stat_of": "/proc",
        "is_written_by_the_living": "the first line of what `load` reads",
        "_put": "makes files of its own, in a directory of its user's",
        "load": "as the reader does; it is larger, and must be its user's own",
    },
    "_engine/accounts_were.py": {"locked": "a lock, which is never read, by the name in its directory and no link"},
    "_engine/node_was.py": {
        "parent_of": "walks without following a link",
        "make": "what is new, and nothing else (O_EXCL)",
        "set_attributes": "by O_PATH, and no link",
        "_put_back_content": "what was looked at, and no link",
    },
    "_observe/kernel.py": {"_booted": "/proc"},
    "_observe/outdated.py": {"*": "/proc"},
    "_observe/packages.py": {"_newest_first": "looks at times only, of databases of root's"},
    "_observe/processes.py": {"*": "/proc, where the kernel alone makes files"},
    "_observe/sockets.py": {"*": "/proc"},
    "_systemd/cgroup_values.py": {"read_attribute": "/sys/fs/cgroup; hundreds of them, so without a look first"},
    "_systemd/enablement.py": {"entries_of": "has the reader's limit, and needs the kind of each entry"},
    "_systemd/freshness.py": {"_changed": "looks at times only, of one entry after the other"},
    "_systemd/links.py": {"_scan": "has the reader's limit, and needs the kind of each entry"},
    "_systemd/directives/resource.py": {"_read_number": "/proc and /sys"},
    "_systemd/calendar.py": {"*": "the host's own time zones"},
    "_systemd/machines.py": {"_hold": "/proc", "_told": "/proc"},
    "_systemd/programs.py": {"*": "pipes and memory of its own; names of scratch directories"},
    "_systemd/verify.py": {"_write": "a scratch directory of ours"},
    "_tasks/configuration_lines/steps.py": dict.fromkeys(
        ("_remove_tree", "_what_is_in_the_way", "why_not_removable"), "directories, and no link, by their names in a descriptor"
    ),
    "_tasks/configuration_lines/tmpfiles_aged.py": {"_names": "the reader lists, of what is opened without changing its times"},
    "_tasks/configuration_lines/tool.py": {"verify": "files of its own in a scratch directory"},
    "_tasks/unit/look.py": {"runs_in": "/proc"},
    "_tasks/unit_action/mounts.py": {"*": "/proc and /sys, where the kernel alone makes files"},
    "_tasks/unit_action/read.py": {"_holds_something": "whether there is any name"},
    "_tasks/run/scope.py": {"*": "/dev/null"},
    "_tasks/security/files.py": {"write": "makes files of its own, in a scratch directory"},
    "_tasks/run/service.py": {"_no_link": "writes in place, and checks what it opened", "mend_file": "by _no_link"},
    "_tasks/run/task.py": {"_skip": "names only, of the options creates and removes"},
}
CALLS = {"open", "os.open", "os.listdir", "os.scandir", "os.walk", "os.fdopen", "io.open", "glob.glob", "glob.iglob"}
METHODS = {"read_bytes", "read_text", "iterdir", "rglob"}
FILES = [
    path
    for path in sorted(UTILS.rglob("*.py"))
    if not path.relative_to(UTILS).as_posix().startswith((*READER, *ELSEWHERE))
]


def opening(path: Path) -> set[str]:
    """The functions of a file that open files or list directories."""
    found = set()

    def look(node: ast.AST, inside: str) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inside = node.name
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            # Those of a tree have the reader behind them.
            method = called.rpartition(".")[2] in METHODS and "tree" not in called and "." in called
            if called in CALLS or method:
                found.add(inside)
        for child in ast.iter_child_nodes(node):
            look(child, inside)

    look(ast.parse(path.read_text()), "")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(UTILS).as_posix())
def test_files_are_opened_by_the_reader(path: Path) -> None:
    known = EXCEPTIONS.get(path.relative_to(UTILS).as_posix(), {})
    found = opening(path)
    if "*" not in known:
        assert found <= known.keys(), "use read_small, list_small or a Tree; or say why not, in EXCEPTIONS"


def test_exceptions_are_there() -> None:
    for name, functions in EXCEPTIONS.items():
        assert functions.keys() <= opening(UTILS / name) | {"*"}, name


def test_what_opens_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "def a():\n  with open('x') as f: pass\ndef b(tree):\n  tree.read_text('x')\ndef c(): return os.listdir('x')\n"
    )
    assert opening(path) == {"a", "c"}
