# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files that are not installed, or lie in a tree, as what systemd-analyze(1) is given of them: copies in a directory of ours.

Files may be anybody's, and anything: they are read here, by the one reader, and systemd-analyze sees neither them nor what lies
beside them or what they link to.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, short, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    check_name,
    is_template,
    template_of,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.store import folders_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST, Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import unit_files_on_disk

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# Bytes of all files together.
_LARGEST = 64 << 20


class Service(t.NamedTuple):
    """A service by its files.

    :param name: what it is called.
    :param path: its unit file.
    :param fragment: the content of that.
    :param drop_ins: file name -> path and content.
    :param named: whether it was named, and not only meant by a pattern: then it has to be one that can be assessed.
    """

    name: str
    path: str
    fragment: bytes
    drop_ins: dict[str, tuple[str, bytes]]
    named: bool = True

    @property
    def instance(self) -> str:
        """What is assessed: of a template, an instance."""
        return self.name.replace("@.", "@i.") if is_template(self.name) else self.name


def at_paths(paths: t.Sequence[str], expected: list[str] | None) -> list[Service]:
    """The services of unit files that are named.

    :param expected: takes the paths where there is nothing, which is an error where it is None.
    :raises BadInput: a path is none, or there is no unit file of a service.
    """
    found: dict[str, Service] = {}
    for index, given in enumerate(paths):
        option = f"path[{index}]"
        path = check_directory(given, option)
        directory, name = os.path.split(path)
        if unit_type(name) != "service":
            raise BadInput(f"{option}: {shown(path)} is no unit file of a service, whose name ends with .service; only services are assessed")
        check_name(name, option)
        try:
            content = HOST.read(path)
            if content is None:
                if expected is None:
                    raise BadInput(f"{option}: there is no file {path} on this host; copy it there first, or correct the path")
                expected.append(path)
            elif not content:
                raise BadInput(f"{option}: {path} is empty, or a link to /dev/null, so that there is nothing to assess; leave it out")
            else:
                found[path] = Service(name, path, content, _drop_ins(HOST, [directory], name))
        except Unreadable as e:
            raise BadInput(f"{option}: {e.msg}; name the unit file of a service") from e
    return list(found.values())


def in_tree(manager: UnitManager, names: t.Sequence[str] | None, expected: list[str] | None) -> list[Service]:
    """The services of a tree.

    :param manager: of the tree.
    :param names: names and patterns; None for all that have a file.
    :param expected: takes the names that are no units, which are an error where it is None.
    :raises BadInput: a name is none of a service in the tree, or its file cannot be read.
    """
    import fnmatch

    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import is_glob, python_pattern

    there = sorted(name for name in unit_files_on_disk(manager) if unit_type(name) == "service" and not is_template(name))
    wanted: dict[str, bool] = {}
    for name in ["*"] if names is None else names:
        matches = fnmatch.filter(there, python_pattern(name)) if is_glob(name) else [name]
        for match in matches:
            wanted[match] = wanted.get(match, False) or not is_glob(name)
    services = []
    for name, named in wanted.items():
        try:
            service = _in_tree(manager, name)
        except Unreadable as e:
            if named:
                raise BadInput(f"name: {name} cannot be assessed: {e.msg}") from e
            continue
        if service is None and named:
            if expected is None:
                raise BadInput(f"name: there is no unit file of {name} in {manager.root} (looked in {short(manager.unit_path())})")
            expected.append(name)
        elif service is not None and service.fragment and (named or not _is_alias(manager.tree, service, wanted)):
            services.append(service._replace(named=named))
        elif service is not None and named:
            raise BadInput(f"name: {name} is masked in {manager.root}, so that it cannot be assessed; leave it out")
    return services


def _in_tree(manager: UnitManager, name: str) -> Service | None:
    for candidate in filter(None, (name, template_of(name))):
        for directory in manager.unit_path():
            content = manager.tree.read(f"{directory}/{candidate}")
            if content is not None:
                return Service(name, f"{directory}/{candidate}", content, _drop_ins(manager.tree, manager.unit_path(), name))
    return None


def _is_alias(tree: Tree, service: Service, others: t.Container[str]) -> bool:
    """Whether it is another name of one that is assessed anyway."""
    real = os.path.basename(tree.resolve(service.path))
    return real != os.path.basename(service.path) and real in others


def _drop_ins(tree: Tree, directories: t.Sequence[str], name: str) -> dict[str, tuple[str, bytes]]:
    """The drop-ins of a unit in these directories, the first of one name counting (systemd.unit(5))."""
    found: dict[str, tuple[str, bytes]] = {}
    for folder in (*folders_of(name), f"{unit_type(name)}.d"):
        for directory in directories:
            for file in sorted(tree.names(f"{directory}/{folder}")):
                path = f"{directory}/{folder}/{file}"
                if file.endswith(".conf") and file not in found:
                    content = tree.read(path)
                    if content is not None:
                        found[file] = (path, content)
    return found


def lay_out(services: t.Sequence[Service], directory: str) -> dict[str, str]:
    """Write the files of services into an empty directory, where systemd-analyze shall find them.

    Returns the paths of the copies, with those of the files.

    :raises BadInput: they are too large.
    """
    copies: dict[str, str] = {}
    size = 0
    for service in services:
        size += len(service.fragment) + sum(len(content) for _path, content in service.drop_ins.values())
        if size > _LARGEST:
            raise BadInput(f"path: the files are larger than the {_LARGEST >> 20} MiB that one task assesses; name fewer")
        copy = f"{directory}/{service.instance}"
        write(copy, service.fragment)
        copies[copy] = service.path
        if service.drop_ins:
            os.mkdir(f"{copy}.d")
        for file, (path, content) in service.drop_ins.items():
            write(f"{copy}.d/{file}", content)
            copies[f"{copy}.d/{file}"] = path
    return copies


def write(path: str, content: bytes) -> None:
    """Make a file in a directory of ours."""
    with open(path, "wb") as file:
        file.write(content)
