# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the output of commands goes."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import INFO
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, constant, lit
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.kept_shell import KeptShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    NeedShell,
    Redirect,
    is_logger,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


class Redirections(KeptShell):
    """Redirections as StandardOutput= and its kin."""

    def redirects(self, node: Node, start: int = 1) -> list[Redirect]:
        found = []
        for child in node.children[start:]:
            if child.type != "file_redirect":
                if child.type in ("heredoc_redirect", "herestring_redirect"):
                    raise NeedShell("a here-document")
                continue
            fd = -1
            operator = ""
            targets = []
            for part in child.children:
                if part.type == "file_descriptor":
                    text = text_of(part)
                    if not text.isdigit():
                        raise NeedShell("a redirection")
                    fd = int(text)
                elif not part.is_named and not operator:
                    operator = text_of(part)
                else:
                    targets.append(part)
            if not operator:
                raise NeedShell("a redirection")
            target = self.evaluator.value(targets[0]) if targets else lit("")
            if targets and targets[0].type == "process_substitution":
                target = [Piece("shell", text_of(targets[0]))]
            found.append(Redirect(fd, operator, target, list(targets[1:])))
        return found

    def redirects_of(self, child: Node) -> list[Redirect]:
        class _Holder:
            children: t.ClassVar[list[Node]] = [child]

        return self.redirects(t.cast(t.Any, _Holder), 0)

    @staticmethod
    def _silent(found: list[Redirect]) -> bool:
        """Whether redirections only throw output away or join it."""
        for one in found:
            target = constant(one.target)
            if (
                one.more
                or one.operator not in (">", ">>", "&>", "&>>", ">&", "<", ">|")
                or target not in ("/dev/null", "1", "2", "-")
            ):
                return False
        return True

    def _try_redirects(self, node: Node) -> list[Redirect]:
        try:
            return self.redirects(node)
        except NeedShell:
            return [Redirect(9, "?", [], [])]

    def redirect(self, found: list[Redirect]) -> None:
        """Redirections of the main command."""
        for one in found:
            target = constant(one.target)
            fd = one.fd if one.fd >= 0 else (0 if one.operator == "<" else 1)
            if target is None:
                raw = one.target[0].text if one.target and one.target[0].kind == "shell" else ""
                if raw.startswith(">(") and fd in (1, 2):
                    words = self.parse_command(raw[2:-1].strip())
                    if words and is_logger(words):
                        self.logged(words)
                        continue
                raise NeedShell("a redirection")
            if one.operator in (">&", "<&", ">&-", "<&-") and target in ("1", "2", "0", "-", ""):
                if target in ("-", "") or one.operator.endswith("-"):
                    target = "null"
                elif target == "1":
                    target = self.stdout
                elif target == "2":
                    target = self.stderr if self.stderr != "separate" else "journal"
                else:
                    raise NeedShell("a redirection")
                if fd == 1:
                    self.stdout = target
                elif fd == 2:
                    self.stderr = target
                elif fd != 0:
                    raise NeedShell("a redirection")
                continue
            if not target.startswith("/"):
                if target.isdigit() or not target:
                    raise NeedShell("a redirection")
                target = self.absolute(target)
            if one.operator == "<" and fd == 0:
                if target != "/dev/null":
                    self._input(target)
                continue
            if one.operator not in (">", ">>", "&>", "&>>", ">|", ">&"):
                raise NeedShell("a redirection")
            where = self._output(target, one.operator in (">>", "&>>"))
            if one.operator in ("&>", "&>>", ">&") and one.fd < 0:
                self.stdout = self.stderr = where
            elif fd == 1:
                self.stdout = where
            elif fd == 2:
                self.stderr = where
            else:
                raise NeedShell("a redirection")

    def _input(self, target: str) -> None:
        if target.startswith("/dev/tty") or target == "/dev/console":
            self.service.set("StandardInput", "tty")
            self.service.set("TTYPath", target)
        else:
            self.service.set("StandardInput", "file:" + target.replace("%", "%%"))

    def _output(self, target: str, append: bool) -> str:
        if target in ("/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"):
            return self.stdout
        if target in ("/dev/stderr", "/proc/self/fd/2", "/dev/fd/2"):
            return self.stderr if self.stderr != "separate" else "journal"
        if target == "/dev/null":
            return "null"
        if target.startswith("/dev/tty") or target == "/dev/console":
            self.service.set("TTYPath", target)
            return "tty"
        if not append:
            self.note(
                INFO, ">", f"StandardOutput=truncate: needs systemd 248; {target} is emptied at each start, as before"
            )
        return ("append:" if append else "truncate:") + target.replace("%", "%%")
