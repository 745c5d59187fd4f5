# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a task: where it is, what it says, and the steps that make it what it shall be."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveFile,
    WriteFile,
    check_writable,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import check_dropin
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import lines_of

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Step
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session

# Characters of all lines together; systemd reads no line that is longer (LONG_LINE_MAX).
_LARGEST = 1 << 20
_LARGEST_OF_OTHERS = 1 << 24


class ConfigurationFile:
    """A file of lines.

    :param kind: the name of the module, `tmpfiles` or `sysusers`.
    :raises BadInput: the name, or where it would be, is none.
    """

    def __init__(self, module: Module, session: Session, kind: str) -> None:
        params = module.params
        name = params["name"]
        if not name:
            raise BadInput("name: is empty; write one such as app, which becomes app.conf")
        self.name = check_dropin(name, "app", "name")
        root = (params["root"] or "").rstrip("/")
        self.root = root
        self.tree = Tree(root)
        self.kind = kind
        # That of the system is there for all packages, that of a user only for what is in it.
        self._keep_directory = session.scope != "user"
        self.runtime = runtime = bool(params["runtime"])
        if session.scope == "user":
            if root:
                raise BadInput("root: a tree has no user whose files are managed there; leave out `scope` or `root`")
            base = f"/run/user/{session.uid}" if runtime else f"{session.home}/.config"
            directory = f"{base}/user-{kind}.d"
        else:
            directory = f"{root}/{'run' if runtime else 'etc'}/{kind}.d"
        self._directory = directory
        self._search = _search(kind, session, root)
        self.path = self.tree.real(f"{directory}/{self.name}")
        self._tools = FileTools(
            attributes=lambda path, check: False,
            backup=bool(params["backup"]),
            label=lambda path: module.set_default_selinux_context(path, False),
        )
        self.before: Saved | None = None
        self.written = False

    def read(self) -> str | None:
        """What the file says; None where there is none.

        :raises BadInput: what is there is no file of ours.
        """
        target = self.tree.target(self.path)
        if target:
            raise BadInput(
                f"name: {self.path} is a link to {shown(target)}"
                + (", which hides a file of that name of a package" if target == "/dev/null" else "")
                + "; remove the link first"
            )
        status = self.tree.status(self.path, False)
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise BadInput(f"name: {self.path} is a directory; remove it first")
        self.before = Saved.of(self.path)
        return None if self.before is None else self.before.content.decode("utf-8", "surrogateescape")

    def others(self, hidden: bool = False) -> list[tuple[str, str]]:
        """What the other files say that the tool would read: pairs of the path of a file and a line of it.

        :param hidden: whether a file is among them that is hidden by this one as it has the same name, such as that of a package.
        :raises Unreadable: one cannot be read.
        """
        chosen: dict[str, str] = {}
        own = self._real(self._directory)
        for directory in self._search:
            real = self._real(directory)
            for name in self.tree.names(directory):
                if name.endswith(".conf") and (real, name) != (own, self.name) and self._is_file(f"{directory}/{name}"):
                    chosen.setdefault(name, f"{directory}/{name}")
            if real == own and not hidden:
                chosen.setdefault(self.name, "")
        found = []
        for _name, path in sorted(chosen.items()):
            text = (self.tree.read_text(path, _LARGEST_OF_OTHERS) if path else "") or ""
            found += [(path, line) for line in lines_of(text)]
        return found

    def _real(self, directory: str) -> str:
        return self.tree.resolve(directory) if self.root else os.path.realpath(directory)

    def _is_file(self, path: str) -> bool:
        """Whether the tool takes what is there for one of its files, which a directory and a link to nowhere are not."""
        status = self.tree.status(path)
        return self.tree.is_null(path) if status is None else not stat.S_ISDIR(status.st_mode)

    def text(self, lines: t.Sequence[str]) -> str:
        """A file of these lines.

        :raises BadInput: it would be larger than systemd reads.
        """
        head = f"# Written by Ansible (pidone.systemd.{self.kind}); what is changed here is lost.\n"
        text = head + "".join(f"{line}\n" for line in lines)
        if len(text) > _LARGEST:
            raise BadInput(f"lines: they are more than {_LARGEST >> 20} MiB together; write several files")
        return text

    def steps(self, text: str | None) -> tuple[list[Step], list[dict[str, str]]]:
        """What makes the file say this, or be gone for None; and the diff of it."""
        old = "" if self.before is None else self.before.content.decode("utf-8", "replace")
        diff = {"before": old, "after": text or "", "before_header": self.path, "after_header": self.path}
        self.written = True
        if text is not None:
            check_writable(self.path)
            content = text.encode("utf-8", "surrogateescape")
            return [WriteFile(self.path, content, self.before, self._tools)], [diff]
        check_writable(self.path)
        return [RemoveFile(self.path, self.before, self._tools, keep_directory=self._keep_directory)], [diff]


def _search(kind: str, session: Session, root: str) -> list[str]:
    """The directories in which the tool looks for files; one in an earlier directory hides those of its name in later ones."""
    if session.scope != "user":
        # The last one is the same as that before it where /usr is merged.
        return [f"{root}/{base}/{kind}.d" for base in ("etc", "run", "usr/local/lib", "usr/lib", "lib")]
    home = session.home
    bases = ("/etc/xdg", f"{home}/.config", f"/run/user/{session.uid}", f"{home}/.local/share", "/usr/local/share", "/usr/share")
    return [f"{base}/user-{kind}.d" for base in bases]
