# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What [Install] of a unit asks for, and whether the links are there by which that is so (systemd.unit(5))."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import PULLS, leads_to
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    instance_of,
    is_template,
    prefix_of,
    template_of,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import BLANKS, leading_number, words_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable

# Directive of [Install] -> the names that it lists, in all of a unit's files together.
Install = t.Dict[str, t.List[str]]
# The first version of systemd that makes links for UpheldBy=.
_UPHOLDS = 254


class Taken(t.NamedTuple):
    """Where another name of a unit (Alias=) would be, there is something else already: a link to `target`, or a file."""

    path: str
    target: str


def add_install(found: Install, text: str) -> None:
    """Add what [Install] of one file says to what the files before it say."""
    # `syntax.parse` would be forty times slower, and this is asked of many files.
    text = text.replace("\r", "\n")
    start = text.find("[Install]")
    if start < 0:
        return
    start = text.rfind("\n", 0, start) + 1
    while text[:start].endswith("\\\n"):
        start = text.rfind("\n", 0, start - 1) + 1
    section, begun = "", ""
    for line in text[start:].split("\n"):
        stripped = line.lstrip(BLANKS)
        if stripped.startswith(("#", ";")):
            continue
        whole = begun + stripped
        if (len(whole) - len(whole.rstrip("\\"))) % 2:
            begun = f"{whole[:-1]} "
            continue
        begun = ""
        if whole.startswith("["):
            section = whole.rstrip(BLANKS)
        elif section == "[Install]" and "=" in whole:
            key, _equals, value = whole.partition("=")
            words = words_of(value)
            found[key.strip(BLANKS)] = [*found.get(key.strip(BLANKS), []), *words] if words else []


def places_of(install: Install, name: str) -> tuple[list[str], list[str]]:
    """The links that enabling a unit makes: those by which others pull it in, and its other names.

    Both are paths below a directory of unit files, such as `multi-user.target.wants/a.service`. What systemd would refuse, and
    what only systemd can tell (`%H` and other specifiers that are no part of the name), is left out.
    """
    if is_template(name):
        instance = "".join(install.get("DefaultInstance", [])[-1:])
        if not instance:
            return [], []
        name = name.replace("@.", f"@{instance}.")
    pulls = [
        f"{other}.{suffix}/{name}"
        for key, suffix in PULLS.items()
        for other in (_expand(each, name) for each in install.get(key, ()))
        if unit_type(other)
    ]
    aliases = []
    for each in install.get("Alias", ()):
        other = _expand(each, name)
        if is_template(other) and instance_of(name):
            other = other.replace("@.", f"@{instance_of(name)}.")
        if other != name and unit_type(other) == unit_type(name) and instance_of(other) == instance_of(name):
            aliases.append(other)
    return list(dict.fromkeys(pulls)), list(dict.fromkeys(aliases))


def _expand(text: str, name: str) -> str:
    """A name in [Install] with the specifiers that are about the unit's own name; empty where there are others."""
    known = {
        "i": instance_of(name),
        "j": prefix_of(name).rpartition("-")[2],
        "n": name,
        "N": name.rpartition(".")[0],
        "p": prefix_of(name),
        "%": "%",
    }
    out, rest = "", text
    while rest:
        before, percent, rest = rest.partition("%")
        out += before
        if percent:
            if rest[:1] not in known:
                return ""
            out += known[rest[:1]]
            rest = rest[1:]
    return "" if "/" in out else out


def _stands_for(path: str, target: str, name: str) -> bool:
    """Whether a link is another name of a unit; that of an instance leads to the template."""
    same = instance_of(os.path.basename(path)) == instance_of(name)
    return os.path.basename(target) in ((name, template_of(name)) if same and instance_of(name) else (name,))


class UnitFiles:
    """The unit files and links of a manager, as far as enabling is concerned; directories are listed once.

    :param manager: a Manager or an OfflineManager.
    """

    def __init__(self, manager: t.Any) -> None:
        self._manager = manager
        self.tree = manager.tree
        self.directories: list[str] = manager.unit_path()
        self.own: list[str] = manager.link_directories()
        self._entries = {directory: frozenset(self._names(directory)) for directory in self.directories}

    def _names(self, folder: str) -> list[str]:
        try:
            names: list[str] = self.tree.names(folder)
        except Unreadable as e:
            if not e.is_passed_over:
                raise
            return []
        return names

    def _with(self, name: str) -> list[str]:
        """The paths of that name, in the directories that have it."""
        return [f"{directory}/{name}" for directory in self.directories if name in self._entries[directory]]

    def install(
        self,
        name: str,
        path: str = "",
        text: str = "",
        pending: t.Mapping[str, str] | None = None,
        gone: t.Container[str] = (),
    ) -> Install:
        """[Install] of a unit's file and of its drop-ins, as systemd reads them to enable it; empty where there is no file.

        What may not be read is passed over.

        :param path: the unit's file or drop-in that is about to be written, and `text` what it will hold.
        :param pending: the same for several: path -> what it will hold; the unit's file, or its template's, first.
        :param gone: files that are about to be removed.
        """
        found: Install = {}
        texts = {path: text} if path else dict(pending or ())
        paths = [each for each in self.files(name) if each not in gone]
        for each in texts:
            if each in paths:
                continue
            if each.endswith(".conf"):
                paths = [*paths[:1], *sorted([*paths[1:], each], key=os.path.basename)]
            else:
                paths = [each, *(other for other in paths if other.endswith(".conf"))]
        for each in paths:
            if each in texts:
                add_install(found, texts[each])
                continue
            try:
                content = self.tree.read_text(each, errors="replace") or ""
            except Unreadable as e:
                if not e.is_passed_over:
                    raise
                continue
            add_install(found, content)
        return found

    def files(self, name: str) -> list[str]:
        """Paths of the file that a unit is enabled by, its own or its template's, and then of its drop-ins.

        Drop-ins for all units of a type, or with a prefix, are not among them: systemd looks for no [Install] there.
        """
        names = [each for each in (name, template_of(name)) if each]
        path = next((path for each in names for path in self._with(each) if self.tree.exists(path)), "")
        if not path:
            return []
        dropins: dict[str, str] = {}
        for folder in (folder for each in names for folder in self._with(f"{each}.d")):
            for file in self._names(folder):
                if file.endswith(".conf"):
                    dropins.setdefault(file, f"{folder}/{file}")
        return [path, *(dropins[file] for file in sorted(dropins))]

    def look(
        self, name: str, install: Install, runtime: bool, gone: t.Container[str] = ()
    ) -> tuple[list[str], list[Taken], list[str]]:
        """Which of the links that [Install] asks for are not there, and in whose place there is something else.

        A link counts wherever systemd looks for it, but one that is gone at the next boot only with `runtime`.

        :param name: the unit, as systemd calls it.
        :param gone: files and links that are about to be removed.
        :returns: places as from `places_of`, what would be in the way of other names, and all these names.
        """
        pulls, aliases = places_of(install, name)
        if not pulls and not aliases:
            return [], [], []
        searched = list(dict.fromkeys([*self.own, *self.directories]))
        if not runtime:
            short_lived = (f"{self.tree.root}/run/", *self.own[1:])
            searched = [path for path in searched if not path.startswith(short_lived)]

        def is_nothing(path: str) -> bool:
            return path in gone or self.tree.status(path, False) is None

        def stands_for(path: str, alias: str) -> bool:
            return path not in gone and _stands_for(alias, self.tree.target(path), name)

        lacking = [place for place in pulls if all(is_nothing(f"{path}/{place}") for path in searched)]
        if any(".upholds/" in place for place in lacking):
            version = leading_number(self._manager.version().replace("systemd ", "", 1)) or 0
            lacking = [place for place in lacking if version >= _UPHOLDS or ".upholds/" not in place]
        taken = []
        for alias in aliases:
            path = f"{self.own[1 if runtime else 0]}/{alias}"
            target = "" if path in gone else self.tree.target(path)
            if target and not _stands_for(path, target, name):
                taken.append(Taken(path, target))
            elif not target and not is_nothing(path):
                taken.append(Taken(path, ""))
            elif not any(stands_for(f"{other}/{alias}", alias) for other in searched):
                lacking.append(alias)
        return lacking, taken, aliases

    def links_without(self, name: str, path: str) -> dict[str, str]:
        """Links (path -> target) that a unit's drop-in asks for and that nothing asks for without it.

        :param path: the drop-in.
        """
        pulls, aliases = places_of(self.install(name), name)
        left = {place for places in places_of(self.install(name, path), name) for place in places}
        found = {}
        for place in [*pulls, *aliases]:
            for directory in self.own if place not in left else ():
                target = self.tree.target(f"{directory}/{place}")
                if target and leads_to(f"{directory}/{place}", target, name):
                    found[f"{directory}/{place}"] = target
        return found

    def name_behind(self, name: str) -> str:
        """The unit that a name stands for: what links of that name lead to, or the name itself."""
        seen = {name}
        while True:
            names = [each for each in (name, template_of(name)) if each]
            path = next((path for each in names for path in self._with(each)), "")
            target = os.path.basename(self.tree.target(path)) if path else ""
            if is_template(target) and instance_of(name):
                target = target.replace("@.", f"@{instance_of(name)}.")
            if not target or target in seen or unit_type(target) != unit_type(name):
                return name
            seen.add(target)
            name = target
