# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the files of a set can be together: in what order they ask to be started, and what systemd says of them."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import instance_of, template_of, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import NO, YES
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import names_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.decide import check_order

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.files import GoneFile, SetFile
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Item


# Units that start another one, and are before it: where they name it (systemd.socket(5), systemd.timer(5), systemd.path(5)).
_STARTS = {"socket": ("Socket", "Service"), "timer": ("Timer", "Unit"), "path": ("Path", "Unit")}
# What a target pulls in so, it is after (systemd.target(5), Default Dependencies).
_WANTS = ("Wants", "Requires", "Requisite", "BindsTo")
_WANTED = ("WantedBy", "RequiredBy")


def order_of(items: t.Sequence[Item]) -> dict[str, set[str]]:
    """Which unit of a set waits for which other one of it, as its files say (After=, Before=), and as systemd has it without a word."""
    targets = {name for item in items for name in item.targets}
    by_name = {item.name: item for item in items}
    texts: dict[str, list[UnitText]] = {}
    for name in targets:
        # Drop-ins may be of a prefix, or for all units of a type.
        entries = [by_name[each] for each in (*names_of(name), unit_type(name)) if each in by_name]
        # The unit file first, then what is said of many.
        entries.sort(key=lambda item: item.name not in (name, template_of(name)))
        texts[name] = [text for item in entries for text in _texts_of(item, item.name in (name, template_of(name)))]
    known = {name: name for name in targets}
    for item in items:
        for name in item.targets if item.enabled and item.file else ():
            known.update((_full(word, name), name) for word in _words(texts[name], "Install", "Alias") if _full(word, name) not in targets)
    after: dict[str, set[str]] = {}

    def wait(one: str, word: str, of: str, turned: bool = False) -> None:
        other = known.get(_full(word, of), one)
        if other != one:
            first, second = (other, one) if turned else (one, other)
            after.setdefault(first, set()).add(second)

    for name in targets:
        for key in ("After", "Before"):
            for word in _words(texts[name], "Unit", key):
                wait(name, word, name, key == "Before")
        if unit_type(name) == "service":
            for word in _words(texts[name], "Service", "Sockets"):
                wait(name, word, name)
        section, key = _STARTS.get(unit_type(name), ("", ""))
        if section and not _says(texts[name], section, "Accept", YES):
            told = _words(texts[name], section, key)
            wait(name, told[-1] if told else f"{name.rpartition('.')[0]}.service", name, True)
    for name in [name for name in targets if unit_type(name) == "target" and not _says(texts[name], "Unit", "DefaultDependencies", NO)]:
        pulled = {known.get(_full(word, name), name) for key in _WANTS for word in _words(texts[name], "Unit", key)}
        for item in items:
            for each in item.targets if item.enabled else ():
                if any(known.get(_full(word, each)) == name for key in _WANTED for word in _words(texts[each], "Install", key)):
                    pulled.add(each)
        for other in pulled - {name}:
            # Where a unit says that it is after the target, it is.
            if name not in after.get(other, ()) and not _says(texts[other], "Unit", "DefaultDependencies", NO):
                after.setdefault(name, set()).add(other)
    return after


def _texts_of(item: Item, is_own: bool) -> list[UnitText]:
    """What an entry says; `is_own`: also in its unit file."""
    return [text.text for text in (*([item.file] if item.file and is_own else []), *item.dropins.values())]


def _words(texts: t.Sequence[UnitText], section: str, key: str) -> list[str]:
    return [word for text in texts for word in text.words(section, key)]


def _says(texts: t.Sequence[UnitText], section: str, key: str, values: t.Container[str]) -> bool:
    words = _words(texts, section, key)
    return bool(words) and words[-1].lower() in values


def _full(word: str, name: str) -> str:
    """The name of a unit in the file of another one, by the specifiers that are used there."""
    return word.replace("%i", instance_of(name)).replace("%n", name)


def check(
    items: t.Sequence[Item],
    files: t.Sequence[SetFile],
    mode: str,
    paths: UnitPaths,
    home: str,
    gone: t.Sequence[GoneFile] = (),
) -> list[str]:
    """Have the files that will be written checked, with all others of the set beside; returns warnings.

    :param mode: the option `verify`.
    :param gone: files that the task removes.
    :raises BadInput: they must not be put in place.
    """
    new = [file for file in files if file.wrote is not None and file.text is not None]
    if not new:
        return []
    check_order(order_of(items))
    if mode == "nothing":
        return []
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import table_for
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import scratch_directory
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import explain
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import verify_set

    warnings: list[str] = []
    texts = {
        (file.unit, file.dropin): (file.text.text, file.text.raw) for file in files if file.text is not None
    }
    with scratch_directory() as scratch:
        table = table_for(paths.tree, warnings)
        removed = {each.path for each in gone if each.before is not None and each.entry["kind"] != "file"}
        verdicts = verify_set(texts, [(file.unit, file.dropin) for file in new], paths, table, scratch, home, removed)
    for file in new:
        errors, told = verdicts[file.unit, file.dropin]
        if mode == "strict":
            errors, told = [*errors, *told], []
        what = f"{file.unit}.d/{file.dropin}" if file.dropin else file.unit
        if errors:
            listed = [{"line": e.line or None, "text": e.text, "message": e.message} for e in errors]
            raise BadInput(
                explain(
                    errors, f"{file.option}: {what}", "was not accepted by this host's systemd, and nothing has been written"
                ),
                problems=listed,
                path=file.path,
            )
        warnings += [f"{what}: {warning}" for warning in told]
    return warnings
