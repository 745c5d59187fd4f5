# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own systemd-tmpfiles and systemd-sysusers: what they say of lines, and what they do with them.

They are given lines on their standard input, so that nothing but these is looked at, in every version alike.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, plain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import (
    ProgramMissing,
    run_program,
    scratch_directory,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

# Seconds for what only reads.
_QUICK = 60.0
# `<stdin>:3: Unknown...` of tmpfiles and new sysusers, `-:3:` and `[-:3]` of older ones.
_AT_LINE = re.compile(r"^(?:<stdin>|\[?-):(\d+)[\]:]*:? (.*)$")
# Exit status of a line that makes no sense (EX_DATAERR), and of sysusers for anything.
_BAD_LINE = {"systemd-tmpfiles": (65,), "systemd-sysusers": (1, 65)}
# What systemd-sysusers says of what it would do, and of a user or group that another file of the host makes.
_DOING = re.compile("^(Creating|Would|Suggested|.*already exists|Adding)")


class Tool:
    """One of the two programs.

    :param name: `systemd-tmpfiles` or `systemd-sysusers`.
    :param user: whether it is about the files of the user that the task acts as.
    :param root: the tree; empty for this host.
    """

    def __init__(self, name: str, user: bool = False, root: str = "") -> None:
        self.name, self._user, self._root = name, user, root

    def _run(self, args: t.Sequence[str], text: str, timeout: float, root: str | None = None) -> tuple[int, list[str]]:
        """Run it on lines; returns its exit status and what it said."""
        where = self._root if root is None else root
        options = ["--user"] if self._user and not where else [f"--root={where}"] if where else []
        # Not every login of a user sets it, and what it stands for is the same without one.
        extra = {"XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}"} if self._user else None
        status, printed = self._start([*args, *options, "-"], timeout, text.encode("utf-8", "surrogateescape"), extra)
        said = printed.decode("utf-8", "replace").splitlines()
        return status, [line.strip() for line in said if line.strip()]

    def _start(
        self, args: t.Sequence[str], timeout: float, text: bytes | None = None, extra: t.Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Run it; returns its exit status and what it printed."""
        try:
            done = run_program([self.name, *args], timeout, text, env_extra=extra, merge=True)
        except ProgramMissing as e:
            raise SystemdError(
                f"{self.name} is not there, which checks lines and applies them; install the package of systemd that has it "
                "(systemd, or systemd-standalone-" + self.name.partition("-")[2] + ")"
            ) from e
        return done.returncode, done.stdout

    def has_dry_run(self) -> bool:
        """Whether it can tell what it would do (systemd-tmpfiles since 256, systemd-sysusers since 250)."""
        return b"--dry-run" in self._start(["--help"], _QUICK)[1]

    def verify(self, lines: t.Sequence[str], accounts: t.Mapping[str, bytes]) -> list[str]:
        """Have it read lines, one for each element of the option `lines`, without doing anything; returns what it warns of.

        Where the version has no `--dry-run` it is given a tree in which nothing is.

        :param accounts: /etc/passwd and /etc/group of where the lines are for.
        :raises BadInput: it refuses one.
        """
        if not lines:
            return []
        text = "\n".join(lines) + "\n"
        create = ["--create"] if self.name == "systemd-tmpfiles" else []
        if self.has_dry_run():
            status, said = self._run([*create, "--dry-run"], text, _QUICK)
        else:
            with scratch_directory() as scratch:
                os.mkdir(f"{scratch}/etc")
                for name, content in accounts.items():
                    descriptor = os.open(f"{scratch}/etc/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
                    with open(descriptor, "wb") as file:
                        file.write(content)
                # Nothing is old there, and nobody is missed.
                verb = ["--clean"] if create else []
                status, said = self._run(verb, text, _QUICK, scratch)
        told: list[tuple[int | None, str]] = []
        for line in said:
            at = _AT_LINE.match(line)
            if at:
                told.append((int(at.group(1)) - 1, at.group(2)))
            elif self.name == "systemd-sysusers" and not _DOING.match(line):
                told.append((None, line))
        if status in _BAD_LINE[self.name]:
            raise BadInput(self._refusal(told or [(None, line) for line in said], lines))
        return [f"{_where(index)}: {plain(message, 300)}" for index, message in told if index is None or index < len(lines)]

    def _refusal(self, told: t.Sequence[tuple[int | None, str]], lines: t.Sequence[str]) -> str:
        index, message = told[-1] if told else (None, "it does not say why")
        line = f" ({plain(lines[index])})" if index is not None and index < len(lines) else ""
        return (
            f"{_where(index)}: {self.name} of this host refuses it: {plain(message, 300).rstrip('.')}{line}; correct it, or leave it out "
            "where this version does not know it; nothing has been written"
        )

    def do(self, args: t.Sequence[str], lines: t.Sequence[str], timeout: float) -> list[str]:
        """Have it do something with lines; returns what it said.

        :raises SystemdError: it failed.
        """
        status, said = self._run(args, "\n".join(lines) + "\n", timeout)
        if status:
            told = "; ".join(plain(line, 300) for line in said[:5]) or f"exit status {status}"
            raise SystemdError(f"{self.name} could not do all of it: {told}")
        return said


def _where(index: int | None) -> str:
    return "lines" if index is None else f"lines[{index}]"


def account_files(tree: Tree) -> dict[str, bytes]:
    """The files of users and groups, for `Tool.verify`."""
    found = ((name, tree.read(f"{tree.root}/etc/{name}")) for name in ("passwd", "group"))
    return {name: content for name, content in found if content is not None}
