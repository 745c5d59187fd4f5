# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a set: as they are, as they are wanted, and those that go."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved, is_empty
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable, read_file_seen
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.marker import marker_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.texts import decide
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import MODULE

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.record import FileEntry, Record
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Asked, Item, Text

# What others than the owner and the group may do.
_FOR_ALL = 0o004


class SetFile:
    """One file that the set wants.

    `kind` is `unit`, `dropin` or `file`, `unit` the name of whose it is (for `file`: empty) and `dropin` its file name.
    `path` is where it is, with links on the way resolved; `place` how systemd comes by it. `wrote` is None where it is as
    wanted, else whether its meaning changes; `sets` whether only owner or mode are to be put right.
    """

    __slots__ = (
        "kind", "unit", "dropin", "place", "path", "text", "content", "before", "wrote", "sets", "tools", "where",
        "option", "take_over", "private", "mode", "is_others", "link",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        unit: str,
        dropin: str,
        place: str,
        path: str,
        content: bytes,
        text: Text | None,
        tools: FileTools,
        where: str,
        option: str,
        take_over: bool,
    ) -> None:
        self.kind, self.unit, self.dropin, self.place, self.path = kind, unit, dropin, place, path
        self.content, self.text, self.tools = content, text, tools
        self.where, self.option, self.take_over = where, option, take_over
        self.before: Saved | None = None
        self.wrote: bool | None = None
        self.sets = False
        # The mode that is asked for, and whether the content is for nobody else to see.
        self.mode: t.Any = None
        self.private = False
        # Whether it is as wanted, but neither written by the set nor taken over; the target of a link in its place that goes.
        self.is_others = False
        self.link = ""

    def decide(self, whose: str) -> None:
        """Find out whether it is written."""
        before = self.before.content if self.before else None
        if before == self.content:
            self.wrote = None
        elif self.text is None:
            self.wrote = True
        else:
            commented = self.text.is_content or (before is not None and marker_of(before, MODULE) != whose)
            self.wrote = decide(before, self.text.raw, commented, self.kind == "dropin")

    def meaning(self) -> bytes:
        """What matters of it to a unit that runs."""
        return self.content if self.text is None else meaning_of(self.text.text)

    def diff(self) -> dict[str, str]:
        """The file's change as Ansible shows it."""
        old, new = self.before.content if self.before else b"", self.content
        header = {"before_header": self.path, "after_header": self.path}
        if self.private:
            told = "(not shown, as not everybody may read it)\n"
            return {"before": told if self.before else "", "after": f"(another content) {told}", **header}
        return {"before": old.decode("utf-8", "replace"), "after": new.decode("utf-8", "replace"), **header}


class GoneFile(t.NamedTuple):
    """A file of the set that is not listed any more, as it is; `before` is None where it is gone already.

    `leftover` is its directory of drop-ins, where that is there still with nothing in it.
    """

    path: str
    entry: FileEntry
    before: Saved | None
    leftover: str = ""

    def diff(self, private: bool) -> dict[str, str]:
        """The file's removal as Ansible shows it."""
        content = self.before.content.decode("utf-8", "replace") if self.before else ""
        shown = "(not shown, as not everybody may read it)\n" if private else content
        return {"before": shown, "after": "", "before_header": self.path, "after_header": self.path}


def meaning_of(text: UnitText) -> bytes:
    """What a unit file says to a unit that runs, as bytes; [Install] is about what pulls it in."""
    sections = text.meaning()
    sections.pop("Install", None)
    return json.dumps(sections, sort_keys=True).encode("utf-8", "surrogatepass")


def is_private(before: Saved | None, mode: t.Any) -> bool:
    """Whether not everybody may read a file, as it is or as it shall be; of a mode in letters nobody knows."""
    if before is not None and not before.mode & _FOR_ALL:
        return True
    if mode is None:
        return False
    if isinstance(mode, int):
        return not mode & _FOR_ALL
    return not (is_digits(str(mode)) and int(str(mode)[-1]) & _FOR_ALL)


def look_at(
    file: SetFile,
    paths: UnitPaths,
    record: Record,
    whose: str,
    others: t.Mapping[str, str],
    leaving: t.Container[str] = (),
) -> None:
    """See what is where a file shall be, and whether the set may write there.

    :param others: path -> the set that has it.
    :param leaving: units of which the set removes the file, and the links to it.
    :raises BadInput: it may not, or what is there is no file.
    """
    tree, path = paths.tree, file.path
    if _is_as_wanted(file, tree):
        _check_owner(file, record, whose, others)
        return
    target = tree.target(path)
    masked = file.unit in record.units and "masked" in record.units[file.unit]["made"]
    if file.kind == "unit" and ((target == "/dev/null" and masked) or os.path.basename(target) in leaving):
        # Such as a mask that the set has made, or another name of a unit that it does not list any more.
        file.link = target
        file.decide(whose)
        return
    if target:
        if target == "/dev/null" and file.kind == "unit":
            raise BadInput(
                f"{file.where}name: {file.unit} is masked ({path} is a link to /dev/null); unmask it first, "
                "with pidone.systemd.unit and `masked: false`"
            )
        raise BadInput(f"{file.option}: {path} is a link to {target}; remove the link first")
    status = tree.status(path, False)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise BadInput(f"{file.option}: {path} is a directory; remove it first")
    file.before = Saved.of(path) if status is not None else None
    file.decide(whose)
    file.private = file.kind == "file" and is_private(file.before, file.mode)
    file.sets = file.wrote is None and file.before is not None and file.tools.attributes(path, True)
    _check_owner(file, record, whose, others)


def _is_as_wanted(file: SetFile, tree: Tree) -> bool:
    """Whether a unit file of the system's is there and as it shall be, by one look: of most files of most sets that is all."""
    if file.kind == "file" or tree.root or os.geteuid() != 0:
        return False
    try:
        found = read_file_seen(file.path)
    except Unreadable:
        return False
    if found is None or found[0] != file.content:
        return False
    content, status = found
    times = (status.st_atime_ns, status.st_mtime_ns)
    # Nobody puts back what nobody changes, so its label is not asked for.
    file.before = Saved(content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, times, None)
    return True


def _check_owner(file: SetFile, record: Record, whose: str, others: t.Mapping[str, str]) -> None:
    """Refuse what is there and is not the set's; `others` as for `look_at`."""
    path = file.path
    if file.take_over:
        return
    if path in others:
        raise BadInput(
            f"{file.option}: {path} belongs to the set {others[path]}; take it off there first, or take it over with `take_over: true`"
        )
    if file.before is None or record.has(path, file.before.content):
        return
    if file.kind == "file" or marker_of(file.before.content, MODULE) != whose:
        if file.kind == "file" and file.wrote is None and not file.sets:
            # It is as wanted, whoever wrote it, and stays whose it is.
            file.is_others = True
            return
        raise BadInput(
            f"{file.option}: there is {path} already, which this set has not written; choose another name, or replace it with "
            "`take_over: true`"
        )


def look_at_gone(path: str, entry: FileEntry, record: Record, paths: UnitPaths) -> tuple[GoneFile | None, str]:
    """A file that the set has and does not list any more; None, and a warning, where it is not the set's to remove by now."""
    if paths.tree.real(path) != path:
        return None, f"{path} is left as it is, since a link leads there by now; remove it by hand"
    if paths.tree.target(path):
        return None, f"{path} is left as it is, since somebody has put a link there; remove it by hand"
    try:
        before = Saved.of(path)
    except Unreadable as e:
        return None, f"{path} is left as it is: {e.msg}"
    if before is None:
        directory = os.path.dirname(path)
        left = entry["kind"] == "dropin" and is_empty(directory)
        return GoneFile(path, entry, None, directory if left else ""), ""
    if not record.wrote(path, before.content):
        return None, f"{path} is left as it is, since somebody has changed it after the set {record.name} wrote it; remove it by hand"
    return GoneFile(path, entry, before), ""


def collect(asked: Asked, paths: UnitPaths, home: str, tools: FileTools, beside_tools: t.Callable[..., FileTools]) -> list[SetFile]:
    """All files that a set wants, unit files first, then drop-ins, then those beside.

    :param tools: for unit files; `beside_tools(path, params, where)` makes those of a file beside.
    """
    tree = paths.tree
    units: list[SetFile] = []
    dropins: list[SetFile] = []

    def add(found: list[SetFile], kind: str, item: Item, name: str, place: str, text: Text) -> None:
        content = text.raw.encode("utf-8", "surrogateescape")
        found.append(
            SetFile(kind, item.name, name, place, tree.real(place), content, text, tools, item.where, text.option, item.take_over)
        )

    for item in asked.items:
        if item.file is not None:
            add(units, "unit", item, "", paths.unit(item.name), item.file)
        for name, text in item.dropins.items():
            add(dropins, "dropin", item, name, paths.dropin(item.name, name), text)
    beside: list[SetFile] = []
    for each in asked.files:
        place = f"{home}{each.path[1:]}" if each.path.startswith("~") else f"{tree.root}{each.path}"
        # Of this host too: it is one file, and belongs to one set, by whatever way.
        path = tree.real(place) if tree.root else _real(place)
        for directory in paths.search:
            if f"{path}/".startswith(f"{directory}/") or f"{place}/".startswith(f"{directory}/"):
                raise BadInput(f"{each.where}path: {each.path} is where unit files are; list it in `units`")
        file = SetFile(
            "file", "", "", place, path, each.content, None, beside_tools(path, each.params, each.where), each.where,
            f"{each.where}path", each.take_over,
        )  # fmt: skip
        file.mode = each.params["mode"]
        beside.append(file)
    found = [*units, *dropins, *beside]
    _check_doubles(found)
    return found


def _real(path: str) -> str:
    """A path with the links on the way resolved, as `Tree.real` does it in a tree."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def _check_doubles(files: t.Sequence[SetFile]) -> None:
    """Refuse a file that is listed by two ways to it, one of which is by a link.

    :raises BadInput: naming both.
    """
    places: dict[str, SetFile] = {}
    directories: dict[str, str] = {}
    for file in files:
        directory, name = os.path.split(file.path)
        if directory not in directories:
            # Of drop-ins; those of all units are in one place, and other paths have no link left in them.
            directories[directory] = os.path.realpath(directory) if os.path.islink(directory) else directory
        other = places.setdefault(f"{directories[directory]}/{name}", file)
        if other is not file:
            raise BadInput(f"{file.option}: {file.place} is the same file as {other.place}, in {other.option}, by a link; make one of the two")
