# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a changing task is about to do is on the host before it does it, so that a task that was cut short can be undone.

A file for each manager holds what was before, a note a line (`way_back.py`). It is there from before the first change to the end of
the task. Who finds one that nobody is at work on puts back what its notes say, before anything else.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import stat
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import finish_way_back, start_again
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import (
    missing_directories,
    remove,
    sync_directory,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import (
    Context,
    LeftAlone,
    Note,
    Step,
    stop,
    undo,
)
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, explained, short

_VERSION = 1
# The last line of a log that could not be removed.
_AT_ITS_END = '"the task has come to its end"'
# Bytes of a log, which holds small files: of the system's, and of a user's, who may write whatever he likes.
_LIMIT = 1 << 26
_USERS_LIMIT = 1 << 24
# Of the first line, who is at work.
_HEADER = 1 << 16


def boot_id() -> str:
    """What differs after each boot: of the kernel (random(4)), and of a container, by when its PID 1 began (proc_pid_stat(5))."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return f"{boot} {_stat_of(1)[1]}"
    except (OSError, IndexError, ValueError):
        return ""


def _stat_of(pid: int) -> tuple[bytes, int]:
    """The state of a process, a letter, and when it began, in ticks since the boot (proc_pid_stat(5)).

    :raises OSError, IndexError, ValueError: there is none, or it cannot be seen.
    """
    with open(f"/proc/{pid}/stat", "rb") as process:
        words = process.read().rpartition(b")")[2].split()
    return words[0], int(words[19])


def _began(pid: int) -> int | None:
    """When a process began, which tells it from others with its number; None where it has ended, or cannot be seen."""
    try:
        state, began = _stat_of(pid)
    except (OSError, IndexError, ValueError):
        return None
    # Nobody may have waited for it yet.
    return None if state in b"ZXx" else began


def is_written_by_the_living(path: str) -> bool:
    """Whether the task that wrote a log is at work still, or the log is gone; who was killed left what others put back."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            header = json.loads(file.readline(_HEADER))
        began = _began(int(header["pid"]))
        return began is not None and began == header["began"] and header["boot"] == boot_id()
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return False


class UndoLog:
    """The file of one task that is at work.

    :param places: directories that may hold it, the first one that can be written to is taken: a full or read-only /var must
        not keep a task from freeing room.
    :param name: of the file.
    :param header: who is at work: `module`, `task` (what tells the same task again), `rollback`.
    :param left: notes of a task that was cut short, which this one takes over.
    """

    def __init__(
        self, places: t.Sequence[str], name: str, header: t.Mapping[str, t.Any], left: t.Sequence[Note] = ()
    ) -> None:
        self._places = list(places)
        self._name = name
        pid = os.getpid()
        about = {"version": _VERSION, "pid": pid, "began": _began(pid), "since": time.time(), "boot": boot_id(), **header}
        self._lines = [json.dumps(about), *map(_line, left)]
        self._notes: list[Note] = list(left)
        self._file: int | None = None
        # Logs that may be in place although they could not be put there for good, where all of it moved on.
        self._stale: list[str] = []
        self.path = ""

    def add(self, *notes: Note) -> None:
        """Write notes down, so that they survive whatever comes next.

        :raises SystemdError: they can be written nowhere.
        """
        lines = list(map(_line, notes))
        self._lines += lines
        self._notes += notes
        if self._file is not None:
            try:
                _write(self._file, "".join(f"{line}\n" for line in lines))
                return
            except OSError:
                # No room any more: all of it moves to the next place, where a reader looks first.
                self._places.pop(0)
        error: OSError | None = None
        tried = list(self._places) or [os.path.dirname(self.path)]
        while self._places:
            try:
                self._begin(self._places[0])
            except OSError as e:
                error = error or e
                self._stale.append(f"{self._places.pop(0)}/{self._name}")
            else:
                self._remove_stale()
                return
        self._remove_stale()
        del self._lines[len(self._lines) - len(lines) :]
        why = error or OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise SystemdError(
            f"cannot write down what was before, by which a task that is cut short is put back: {why.strerror} in "
            f"{' and in '.join(tried)}; make room there, or make one of them writable"
        ) from error

    def _begin(self, directory: str) -> None:
        """Write all of it into a file in this directory, and forget the one before."""
        path = f"{directory}/{self._name}"
        for each in missing_directories(directory):
            # Also those above it, whatever the umask is.
            os.mkdir(each, 0o700)
        descriptor = _put(path, self._lines)
        if self._file is not None and self.path != path:
            self.forget()
        self._file, self.path = descriptor, path

    def _remove_stale(self) -> None:
        """Have no log but this task's: a later task would take what is in another one for owed.

        :raises SystemdError: that cannot be; nothing may be changed then.
        """
        for path in self._stale:
            try:
                if path != self.path and remove(path):
                    sync_directory(os.path.dirname(path))
            except OSError as e:
                # What is not there, or is gone for everybody but after a power cut, is in nobody's way.
                if os.path.lexists(path):
                    raise SystemdError(f"cannot remove {path}, which is of no use any more: {e.strerror}; remove it") from e
        self._stale.clear()

    def forget(self) -> None:
        """The task has come to its end: nothing is owed any more.

        :raises OSError: that can neither be done nor be written down.
        """
        if self._file is None:
            return
        _settle(self._notes)
        try:
            remove(self.path)
        except OSError:
            # It can be told that it is of no use any more, then.
            _write(self._file, f"{_AT_ITS_END}\n")
        os.close(self._file)
        self._file = None
        try:
            sync_directory(os.path.dirname(self.path))
        except OSError:
            # It is gone for everybody but after a power cut.
            pass

    def leave(self) -> None:
        """The task ends, and the next one shall put back what it did."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _settle(notes: t.Iterable[Note]) -> None:
    """Have the disk hold what was made and removed: a power cut must not take that back when nobody knows of it any more."""
    for place in dict.fromkeys(place for note in notes for place in note.places()):
        try:
            sync_directory(place)
        except OSError:
            # It is gone, or has nothing to be synced.
            pass


def _line(note: Note) -> str:
    return json.dumps({"kind": note.kind, "lasting": note.lasting, **note.as_data()})


def _put(path: str, lines: t.Sequence[str]) -> int:
    """Put a log in place, whole, in that of one that may be there; returns its descriptor, for more lines."""
    temporary = f"{path}.new"
    remove(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        _write(descriptor, "".join(f"{line}\n" for line in lines))
        os.rename(temporary, path)
        sync_directory(os.path.dirname(path))
    except BaseException:
        os.close(descriptor)
        remove(temporary)
        raise
    return descriptor


def _write(descriptor: int, text: str) -> None:
    data = memoryview(text.encode("ascii"))
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


class Interrupted(t.NamedTuple):
    """An undo log that nobody is at work on: its path, who wrote it, and its notes in their order."""

    path: str
    header: dict[str, t.Any]
    notes: list[Note]

    def told(self) -> str:
        """Which task it was, for people."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(self.header.get("since", 0))))
        return f"an earlier task of {self.header.get('module', 'pidone.systemd')} was cut short ({since})"


def load(path: str) -> Interrupted | None:
    """Read a log; None where it is gone, or holds no note as its task had not begun to change anything.

    :raises SystemdError: it is none of this user's, or damaged.
    """
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import note_class

    remedy = f"see what an earlier task may have left half-done, and remove {path}"
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise SystemdError(f"{path} is not a file that only this user can have written; {remedy}")
            limit = _LIMIT if status.st_uid == 0 else _USERS_LIMIT
            content = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise SystemdError(f"cannot read {path}: {e.strerror or e}; {remedy}") from e
    # A line without an end was being written when its task was cut short: what it is about had not begun.
    lines = content.split(b"\n")[:-1]
    if not lines or lines[-1] == _AT_ITS_END.encode():
        return Interrupted(path, {}, [])
    try:
        header = json.loads(lines[0])
        if header["version"] != _VERSION or len(content) > limit:
            raise ValueError("it is of another version, or too large")
        Interrupted(path, header, []).told()
        booted = header["boot"] != boot_id()
        notes = []
        for line in lines[1:]:
            data = json.loads(line)
            if data["lasting"] or not booted:
                notes.append(note_class(data["kind"]).from_data(data))
                if any("\0" in each or not each.startswith("/") for each in notes[-1].paths):
                    raise ValueError("it has a path that is none")
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, OSError, RecursionError) as e:
        raise SystemdError(f"cannot make sense of {path}: {str(e)[:200]!r}; {remedy}") from e
    return Interrupted(path, header, notes)


class Recovery:
    """What becomes of the jobs of a task that was cut short.

    Restarts that it may not have come to are `owed`: they are made where the plan that follows makes no job for these units. What
    the same task, run again, would only have to do again is left as it is; `taken_over` is how to undo it after all.
    """

    def __init__(self, same_task: bool) -> None:
        self.same_task = same_task
        self.owed: list[str] = []
        # Whether it may have started what was down, as far as its notes have been seen, the last one first.
        self.has_started = False
        self.taken_over: list[Note] = []

    def left(self) -> list[Note]:
        """What has to be known still if this task is cut short as well."""
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.way_back import JobsWere

        known = {name for note in self.taken_over for name in getattr(note, "up", ())}
        owed = [name for name in self.owed if name not in known]
        return [*self.taken_over, *([JobsWere(owed, "restart", [])] if owed else [])]

    def takes_back(self, note: t.Any) -> bool:
        """Whether the jobs are to be undone now."""
        if note.again == "restart":
            self.owed += [name for name in note.up if name not in self.owed]
        elif note.for_now or not self.same_task:
            return True
        self.has_started = self.has_started or bool(getattr(note, "down", ()))
        self.keeps(note)
        return False

    def keeps(self, note: Note) -> None:
        """Leave what a note is about as it is, unless the same task, run again, fails."""
        if self.same_task:
            # They come backwards, and are undone so once more.
            self.taken_over.insert(0, note)


class TakenOver(Step):
    """What an interrupted task has done and the same task, run again, would do: undone only where that one fails."""

    counts = False

    def __init__(self, notes: t.Sequence[Note]) -> None:
        super().__init__()
        self.notes = list(notes)

    def describe(self) -> str:
        return "take over what an interrupted task had begun"


def put_back(found: Interrupted, ctx: Context, task: str) -> tuple[list[str], Recovery]:
    """Undo what an interrupted task had begun; returns what was done, and what is owed. Its log is to be removed then.

    :param task: tells whether it was the same one as this.
    :raises SystemdError: something cannot be put back; the log stays.
    """
    told: list[str] = []
    failed: list[SystemdError] = []
    recovery = ctx.recovery = Recovery(found.header.get("task") == task)

    def attempt(told_if_done: str, action: t.Callable[[], t.Any]) -> None:
        try:
            action()
        except LeftAlone as e:
            told.append(e.msg)
        except Exception as e:
            # Whatever it is: the rest is to be put back, too.
            failed.append(explained(e, "put it back"))
        else:
            told.append(told_if_done)

    held = [timer.name for note in found.notes for timer in getattr(note, "anew", ())]
    if held and ctx.manager.runs:
        # Somebody may have brought them up meanwhile; systemd would have them elapse when their files become others.
        attempt("", functools.partial(stop, ctx, held))
    for note in reversed(found.notes):
        attempt(note.told(), functools.partial(undo, note, ctx))
    # Systemd may have read what is gone now; a reload that is not needed is cheap beside that.
    ctx.stale = ctx.manager.runs and bool(found.notes)
    finish_way_back(ctx, attempt)
    ctx.recovery = None
    _settle(found.notes)
    if failed:
        listed = "; ".join(dict.fromkeys(each.msg for each in failed[:5]))
        raise SystemdError(
            f"{found.told()}, and what it had begun cannot all be put back: {listed}; mend that and run the task again, or remove "
            f"{found.path} to leave things as they are"
        )
    return [line for line in told if line], recovery


def replace_log(paths: t.Sequence[str], header: t.Mapping[str, t.Any], left: t.Sequence[Note]) -> None:
    """Have only these notes left of logs, in the last of them; remove them where there are none."""
    if not left:
        forget(paths)
        return
    os.close(_put(paths[-1], [json.dumps(header), *map(_line, left)]))
    forget(paths[:-1])


def forget(paths: t.Sequence[str]) -> None:
    """Remove logs: nothing is owed any more."""
    for path in paths:
        if remove(path):
            sync_directory(os.path.dirname(path))


def owed_restarts(ctx: Context, names: t.Sequence[str], planned: t.Container[str]) -> list[str]:
    """Restart what an interrupted task may not have come to, and no step of the plan will; returns the units.

    :raises SystemdError: one did not come up.
    """
    missing = [name for name in names if name not in planned]
    if not missing:
        return []
    _refused, bad = start_again(ctx, [(name, "try-restart") for name in missing])
    if bad:
        raise SystemdError(
            f"an earlier task that was cut short had {short(bad)} still to restart, which failed now; see its log, and run the task again"
        )
    return missing
