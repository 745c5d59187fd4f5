# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the files of a set can be together: in what order they ask to be started, and what systemd says of them."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import instance_of, template_of, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import names_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.decide import check_order

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.files import GoneFile, SetFile
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_set.options import Item


def order_of(items: t.Sequence[Item]) -> dict[str, set[str]]:
    """Which unit of a set waits for which other one of it, as its files say (After=, Before=)."""
    targets = {name for item in items for name in item.targets}
    by_name = {item.name: item for item in items}
    after: dict[str, set[str]] = {}
    for name in targets:
        # Drop-ins may be of a prefix, or for all units of a type.
        entries = [by_name[each] for each in (*names_of(name), unit_type(name)) if each in by_name]
        for key, word in (pair for item in entries for pair in _said(item, item.name in (name, template_of(name)))):
            other = word.replace("%i", instance_of(name)).replace("%n", name)
            if other in targets and other != name:
                one, two = (name, other) if key == "After" else (other, name)
                after.setdefault(one, set()).add(two)
    return after


def _said(item: Item, is_own: bool) -> list[tuple[str, str]]:
    """What an entry says of the order: `After` or `Before`, and a unit; `is_own`: also in its unit file."""
    texts = [*([item.file] if item.file and is_own else []), *item.dropins.values()]
    return [(key, word) for text in texts for key in ("After", "Before") for word in text.text.words("Unit", key)]


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
