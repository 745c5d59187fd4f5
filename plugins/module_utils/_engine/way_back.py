# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was before a step, so small that it can be written down: the way back of a rollback, and of a task that was killed.

A step notes each of these before it does what the note takes back (`Step.note`). A rollback undoes them in reverse; those of a
task that was cut short are read from the host (`undo_log.py`) and undone by the next one. Each may be undone twice, and
leaves alone what somebody else has changed since.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import (
    Saved,
    chown,
    remove,
    remove_empty,
    replace_link,
    set_label,
    tidy,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, LeftAlone, Note, stop
from ansible_collections.pidone.systemd.plugins.module_utils._engine.manager_was import (
    EnvironmentWas,
    LingerWas,
    SettingWas,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.read_again import ReadAgain
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short

_PERSISTENT = b"[Timer]\nPersistent=yes\n"
# No trigger but one that is as far away as systemd reckons.
_FAR_AWAY = b"OnCalendar=\nOnCalendar=2199-01-01\n"


class FileWas(Note):
    """A regular file before it is written, replaced or removed.

    :param before: the file as it is; None where there is none.
    :param after: what it will hold; None where it is removed.
    """

    kind = "file"

    def __init__(self, path: str, before: Saved | None, after: bytes | None) -> None:
        self.path = path
        self.paths = (path,)
        self._before = before
        self._digest = None if after is None else hashlib.sha256(after).hexdigest()

    def undo(self, ctx: Context) -> None:
        tidy(self.path, ctx.temporaries)
        now = None if os.path.islink(self.path) else Saved.of(self.path)
        if now is None and (self._before is None or os.path.islink(self.path)):
            return
        if now is not None and now == (
            self._before and self._before._replace(times=(now.times[0], self._before.times[1]))
        ):
            # Not the time of the last access, which looking alone changes.
            return
        if now is not None:
            ours = hashlib.sha256(now.content).hexdigest() == self._digest
            if not ours and (self._before is None or now.content != self._before.content):
                raise LeftAlone(f"{self.path} was changed by somebody else meanwhile, and is left as it is")
        ctx.stale = True
        if self._before is None:
            remove(self.path)
        else:
            self._before.put_back(self.path)

    def told(self) -> str:
        return f"{self.path} {'as it was' if self._before else 'removed again'}"

    def as_data(self) -> dict[str, t.Any]:
        before = None if self._before is None else self._before.as_data()
        return {"path": self.path, "before": before, "digest": self._digest}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> FileWas:
        note = cls(str(data["path"]), None if data["before"] is None else Saved.from_data(data["before"]), None)
        note._digest = data["digest"]
        return note


class RecordWas(FileWas):
    """A record before a task writes down there what it is going to have.

    What a task that was killed has started stays, and so does what this says of it: only the same task, run again, undoes both
    where it fails. Where it had not come to start anything, nothing stays.

    :param directories: those on the way to it that are not there yet, the uppermost first.
    """

    kind = "record"

    def __init__(self, path: str, before: Saved | None, after: bytes | None, directories: t.Sequence[str] = ()) -> None:
        super().__init__(path, before, after)
        self._directories = list(directories)

    def places(self) -> t.Iterable[str]:
        return [*super().places(), *map(os.path.dirname, self._directories)]

    def undo(self, ctx: Context) -> None:
        tidy(self.path, ctx.temporaries)
        if ctx.recovery is not None and ctx.recovery.has_started:
            ctx.recovery.keeps(self)
            return
        super().undo(ctx)
        for directory in reversed(self._directories):
            remove_empty(directory)

    def told(self) -> str:
        return ""

    def as_data(self) -> dict[str, t.Any]:
        return {**super().as_data(), "directories": self._directories}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> RecordWas:
        before = None if data["before"] is None else Saved.from_data(data["before"])
        note = cls(str(data["path"]), before, None, _texts(data["directories"]))
        note._digest = data["digest"]
        return note


class AttributesWere(Note):
    """Owner, mode, label and times of a file before they are set."""

    kind = "attributes"

    def __init__(self, path: str, before: Saved) -> None:
        self._path, self._before = path, before
        self.paths = (path,)

    def undo(self, ctx: Context) -> None:
        if not os.path.isfile(self._path) or os.path.islink(self._path):
            return
        chown(self._path, self._before.uid, self._before.gid)
        os.chmod(self._path, self._before.mode)
        set_label(self._path, self._before.label)
        os.utime(self._path, ns=self._before.times)

    def told(self) -> str:
        return f"attributes of {self._path} as they were"

    def as_data(self) -> dict[str, t.Any]:
        return {"path": self._path, "before": self._before._replace(content=b"").as_data()}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> AttributesWere:
        return cls(str(data["path"]), Saved.from_data(data["before"]))


class DirectoryWas(Note):
    """A directory before it is made, or removed while it is empty."""

    kind = "directory"

    def __init__(self, path: str, there: bool) -> None:
        self._path, self.there = path, there
        self.paths = (path,)

    def undo(self, ctx: Context) -> None:
        if self.there and not os.path.isdir(self._path):
            os.makedirs(self._path, exist_ok=True)
        elif not self.there:
            remove_empty(self._path)

    def as_data(self) -> dict[str, t.Any]:
        return {"path": self._path, "there": self.there}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> DirectoryWas:
        return cls(str(data["path"]), bool(data["there"]))


class LinkWas(Note):
    """A link before it is removed."""

    kind = "link"

    def __init__(self, path: str, target: str) -> None:
        self._path, self._target = path, target
        self.paths = (path,)

    def undo(self, ctx: Context) -> None:
        tidy(self._path, ctx.temporaries)
        if not os.path.lexists(self._path):
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            replace_link(self._path, self._target)
            ctx.stale = True

    def told(self) -> str:
        return f"linked {self._path} again"

    def as_data(self) -> dict[str, t.Any]:
        return {"path": self._path, "target": self._target}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> LinkWas:
        return cls(str(data["path"]), str(data["target"]))


class LinksWere(Note):
    """All links by which units are enabled and masked, before systemd is asked to change those of some.

    :param directories: in which such links are.
    :param before: path -> target.
    :param names: the units that it is about.
    :param root: the tree that the directories are in.
    """

    kind = "links"

    def __init__(
        self, directories: t.Sequence[str], before: t.Mapping[str, str], names: t.Sequence[str], root: str = ""
    ) -> None:
        self._directories, self._before, self._names = list(directories), dict(before), list(names)
        self._root = root
        # The links that were made and removed; None where the task was killed before it knew.
        self.touched: set[str] | None = None

    def places(self) -> t.Iterable[str]:
        return [*self._directories, *map(os.path.dirname, self.touched or ())]

    def undo(self, ctx: Context) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import (
            led_to,
            read_links,
            restore_links,
        )
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

        tree = Tree(self._root)
        touched = self.touched
        if touched is None:
            differing = set(read_links(self._directories, tree=tree).items()) ^ set(self._before.items())
            names = set(self._names)
            touched = {
                path
                for path, target in differing
                if os.path.basename(path) in names or not names.isdisjoint(led_to(path, target))
            }
        if touched and restore_links(self._before, self._directories, touched, tree):
            ctx.stale = True

    def told(self) -> str:
        return f"links of {short(self._names)} as they were"

    def as_data(self) -> dict[str, t.Any]:
        return {"directories": self._directories, "before": self._before, "names": self._names, "root": self._root}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> LinksWere:
        before = data["before"]
        _texts([*before.keys(), *before.values()])
        return cls(_texts(data["directories"]), before, _texts(data["names"]), str(data["root"]))


class Held(t.NamedTuple):
    """A timer that is held back for a moment.

    `drop_in` is the path of what holds it back, `far` whether its triggers are far away meanwhile, `stamp` the path of the file by
    which systemd takes it for elapsed just now; empty where there is one already.
    """

    name: str
    drop_in: str
    far: bool
    stamp: str

    @property
    def text(self) -> bytes:
        """What the drop-in says."""
        return _PERSISTENT + (_FAR_AWAY if self.far else b"")


class JobsWere(Note):
    """States of units before jobs are made for them.

    :param up: the units that are up, and shall be again.
    :param again: the job that brings these up, `start` or `restart`: at the very end, after files and links.
    :param down: the units that are down, and are brought up now.
    :param for_now: whether they are only taken down for a later step, which brings them up again.
    :param anew: timers that count from now on when they come up again (`Held`).
    """

    kind = "jobs"
    # What a process has done and what was up belongs to the boot.
    lasting = False

    def __init__(
        self,
        up: t.Sequence[str],
        again: str,
        down: t.Sequence[str],
        for_now: bool = False,
        anew: t.Sequence[t.Any] = (),
    ) -> None:
        self.up, self.again, self.down, self.for_now, self.anew = list(up), again, list(down), for_now, list(anew)

    def undo(self, ctx: Context) -> None:
        if not ctx.manager.runs:
            # What a user's manager ran is gone with it.
            return
        if ctx.recovery is not None and not ctx.recovery.takes_back(self):
            return
        ctx.bring_up += [(name, self.again) for name in self.up]
        ctx.anew += self.anew
        if self.down:
            # Notes are undone backwards: a later one may be of a unit that this one brought up.
            ctx.bring_up = [(name, kind) for name, kind in ctx.bring_up if name not in self.down]
            stop(ctx, self.down)
            ctx.manager.reset_failed(self.down)

    def as_data(self) -> dict[str, t.Any]:
        anew = [list(timer) for timer in self.anew]
        return {"up": self.up, "again": self.again, "down": self.down, "for_now": self.for_now, "anew": anew}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> JobsWere:
        anew = [Held(*timer) for timer in data["anew"]]
        for timer in anew:
            _texts([timer.name, timer.drop_in, timer.stamp])
        return cls(_texts(data["up"]), str(data["again"]), _texts(data["down"]), bool(data["for_now"]), anew)


class DropInsWere(Note):
    """Drop-ins before systemd writes them (SetUnitProperties).

    :param files: path -> how it is, None where there is none.
    """

    kind = "drop-ins"

    def __init__(self, files: t.Mapping[str, Saved | None]) -> None:
        self._files = dict(files)

    def places(self) -> t.Iterable[str]:
        return map(os.path.dirname, self._files)

    def undo(self, ctx: Context) -> None:
        put_back(self._files, ctx)

    def as_data(self) -> dict[str, t.Any]:
        return {"files": _saved_data(self._files)}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> DropInsWere:
        return cls(_saved_from(data["files"]))


class PropertiesWere(Note):
    """Resource properties of units before they are set.

    :param values: unit -> `[(property, (signature, value)), ...]`, as SetUnitProperties takes them.
    :param volatile: drop-ins that are gone after a reboot, which that writes on the way back: path -> how it is, or None.
    """

    kind = "properties"
    lasting = False

    def __init__(self, values: t.Mapping[str, t.Sequence[t.Any]], volatile: t.Mapping[str, Saved | None]) -> None:
        self._values, self._volatile = dict(values), dict(volatile)
        # Units that refused the new values.
        self.refused: set[str] = set()

    def undo(self, ctx: Context) -> None:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import explain

        # Not by a daemon-reload: that would bring in what others changed in unit files meanwhile, and what systemd forgets by
        # it the kernel keeps.
        error = None
        units = list(self._values) if ctx.manager.runs else []
        try:
            for unit, failed in zip(
                units, ctx.manager.set_properties([(u, list(self._values[u])) for u in units], True)
            ):
                # What took none of the new values may take none of the old ones either; nor does what is gone.
                if failed is not None and unit not in self.refused and ctx.recovery is None:
                    error = error or explain(failed, f"set the former properties of {unit}")
        finally:
            put_back(self._volatile, ctx)
        if error is not None:
            raise error

    def told(self) -> str:
        return f"properties of {short(list(self._values))} as before"

    def as_data(self) -> dict[str, t.Any]:
        values = {unit: [_plain(pair) for pair in pairs] for unit, pairs in self._values.items()}
        return {"values": values, "volatile": _saved_data(self._volatile)}

    @classmethod
    def from_data(cls, data: t.Mapping[str, t.Any]) -> PropertiesWere:
        values = {unit: [_unplain(pair) for pair in pairs] for unit, pairs in data["values"].items()}
        return cls(values, _saved_from(data["volatile"]))


def _texts(value: t.Any) -> list[str]:
    """A list of names or paths, as it was read.

    :raises ValueError: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(each, str) and "\0" not in each for each in value):
        raise ValueError("it is no list of names")
    return value


def _saved_data(files: t.Mapping[str, Saved | None]) -> dict[str, t.Any]:
    return {path: None if saved is None else saved.as_data() for path, saved in files.items()}


def _saved_from(data: t.Mapping[str, t.Any]) -> dict[str, Saved | None]:
    return {path: None if saved is None else Saved.from_data(saved) for path, saved in data.items()}


def put_back(files: t.Mapping[str, Saved | None], ctx: Context) -> None:
    """Make drop-ins what they were, and remove directories that are empty then.

    :raises SystemdError: one cannot be; the others are.
    """
    failed = None
    for path, before in files.items():
        try:
            tidy(path, ctx.temporaries)
            if before is not None:
                if Saved.of(path) != before:
                    before.put_back(path)
                continue
            remove(path)
            directory = os.path.dirname(path)
            # Systemd makes its own directory for them again when it has one to write.
            if remove_empty(directory) and os.path.dirname(directory).endswith(".control"):
                remove_empty(os.path.dirname(directory))
        except OSError as e:
            hint = "" if os.geteuid() == 0 else "; this needs root, so add `become: true` to the task or play"
            failed = failed or SystemdError(f"cannot put back {path}: {e.strerror or e}{hint}")
    if failed is not None:
        raise failed


def _plain(value: t.Any) -> t.Any:
    """A D-Bus value as JSON has it, which knows neither bytes nor structures."""
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, tuple):
        return {"struct": [_plain(each) for each in value]}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def _unplain(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return bytes.fromhex(value["bytes"]) if "bytes" in value else tuple(_unplain(each) for each in value["struct"])
    if isinstance(value, list):
        return [_unplain(each) for each in value]
    return value


KINDS: dict[str, type[Note]] = {
    note.kind: note
    for note in (
        FileWas,
        RecordWas,
        AttributesWere,
        DirectoryWas,
        LinkWas,
        LinksWere,
        JobsWere,
        DropInsWere,
        PropertiesWere,
        EnvironmentWas,
        SettingWas,
        LingerWas,
        ReadAgain,
    )
}


def note_class(kind: str) -> type[Note]:
    """The class of notes of a kind, as they are read from an undo log; few tasks need some of them.

    :raises KeyError: there is none.
    """
    if kind == "node":
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.node_was import NodeWas

        return NodeWas
    if kind == "accounts":
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.accounts_were import AccountsWere

        return AccountsWere
    if kind == "freezer":
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.freezer import FreezerWas

        return FreezerWas
    if kind == "service-log":
        from ansible_collections.pidone.systemd.plugins.module_utils._engine.service_log import ServiceLogWas

        return ServiceLogWas
    return KINDS[kind]
