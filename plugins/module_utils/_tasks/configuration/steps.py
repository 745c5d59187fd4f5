# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of `configuration` that no other task has.

What reads the files again is noted before they are changed: then it is undone after them, when they are what they were.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Note, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, RemoveFile, WriteFile
from ansible_collections.pidone.systemd.plugins.module_utils._engine.manager_was import SettingWas
from ansible_collections.pidone.systemd.plugins.module_utils._engine.read_again import ReadAgain, hang_up, reexecute
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Jobs
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.journal import read_journal, sync_journal
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.logind import users_read_again
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import Problem, explain

# SD_MESSAGE_INVALID_CONFIGURATION of sd-messages.h: what every reader of systemd's says of a line that it ignores.
_INVALID = "c772d24e9a884cbeb9ea12625c306c01"
_TIMES = re.compile(r"^(?:/[^\n]*?:(\d+): )?(.*)$", re.S)


class WriteSettings(WriteFile):
    """Write the drop-in.

    :param again: who is to read it again when it is what it was.
    """

    def __init__(
        self, path: str, content: bytes, before: Saved | None, tools: FileTools, same: bool, again: ReadAgain | None
    ) -> None:
        super().__init__(path, content, before, tools, as_old_as_before=same)
        self._again = again

    def foretell(self) -> list[Note]:
        known = super().foretell()
        return [self._again, *known] if known and self._again is not None else known

    def apply(self, ctx: Context) -> bool:
        if self._again is not None and not self.foretold:
            self.note(ctx, self._again)
        return super().apply(ctx)


class RemoveSettings(RemoveFile):
    """Remove a drop-in; `again` as of WriteSettings."""

    def __init__(self, path: str, before: Saved, tools: FileTools, again: ReadAgain | None) -> None:
        super().__init__(path, before, tools)
        self._again = again

    def apply(self, ctx: Context) -> bool:
        if self._again is not None:
            self.note(ctx, self._again)
        return super().apply(ctx)


class FollowFiles(Step):
    """Have LogLevel or LogTarget, which may have been set over the bus, be what the files say: otherwise they would not get a word in.

    It is the first step, so that on the way back the files are what they were by the time that it is undone.
    """

    counts = False

    def __init__(self, name: str, before: str) -> None:
        super().__init__((name,))
        self._was = SettingWas(name, before, "")

    def describe(self) -> str:
        return f"let {self.names[0]} follow the files"

    def foretell(self) -> list[Note]:
        return [self._was]

    def apply(self, ctx: Context) -> bool:
        self.note(ctx, self._was)
        ctx.manager.set_manager_property(self.names[0], "")
        return False


class ReloadDaemon(Jobs):
    """Have a daemon reload. On the way back it reloads once more (`ReadAgain`), where other units are restarted."""

    undoable = False

    def __init__(self, unit: str) -> None:
        super().__init__("reload", [unit])


class HangUp(Step):
    """Have a daemon read its files again by SIGHUP, which has no job for it."""

    def describe(self) -> str:
        return f"signal {self.names[0]} to read its files"

    def apply(self, ctx: Context) -> bool:
        hang_up(ctx.manager, self.names[0], ctx.timeout)
        return True


class UsersReadAgain(Step):
    """Have the managers of all users read their files again; `anew`: by replacing each by a new process of its own.

    One that does not is a warning: no user can keep the others from it.
    """

    def __init__(self, anew: bool) -> None:
        super().__init__()
        self._anew = anew

    def describe(self) -> str:
        return f"daemon-{'reexec' if self._anew else 'reload'} of all users' managers"

    def apply(self, ctx: Context) -> bool:
        ctx.warnings += users_read_again(self._anew, ctx.deadline(), reexecute)
        return True


class SeeWhatIsSaid(Step):
    """See in the journal that no line of the drop-in was ignored.

    :param path: the drop-in, and `lines` are those of it.
    :param who: who has read it.
    :param since: what is older counts no more; in seconds since 1970.
    :param uid: the user as whom it was read.
    :param by_kernel: whether it says so in the kernel's log, as the journal itself does: in text alone, without fields.
    """

    counts = False

    def __init__(
        self, path: str, lines: t.Sequence[str], who: str, since: float, uid: int = 0, by_kernel: bool = False
    ) -> None:
        super().__init__((path,))
        self._lines, self._who, self._since, self._uid, self._by_kernel = lines, who, since, uid, by_kernel

    def describe(self) -> str:
        return f"see what {self._who} says of it"

    def apply(self, ctx: Context) -> bool:
        (path,) = self.names
        sync_journal()
        where = [f"MESSAGE_ID={_INVALID}", f"CONFIG_FILE={path}", f"_UID={self._uid}"]
        if self._by_kernel:
            where = ["_TRANSPORT=kernel", "SYSLOG_IDENTIFIER=systemd-journald"]
        try:
            entries = read_journal([f"--since=@{int(self._since)}", *where], 100, ["CONFIG_LINE"])
        except SystemdError as e:
            ctx.warnings.append(f"what {self._who} says of {path} is not known: {e.msg}")
            return False
        found: dict[Problem, None] = {}
        for entry in entries:
            if entry["time"] < self._since * 1e6:
                continue
            match = _TIMES.match(entry["message"])
            told = match.group(2) if match else entry["message"]
            number = entry["fields"].get("CONFIG_LINE", "")
            if self._by_kernel:
                if match is None or not match.group(1) or not entry["message"].startswith(f"{path}:{match.group(1)}: "):
                    continue
                number = match.group(1)
            line = count(number) if isinstance(number, str) and is_digits(number) and len(number) < 8 else 0
            text = self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
            found[Problem(line, text, told)] = None
        if found:
            problems = list(found)
            raise SystemdError(
                explain(problems, path, f"is not all obeyed, as {self._who} says"),
                problems=[{"line": p.line or None, "text": p.text, "message": p.message} for p in problems[:20]],
            )
        return False
