# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The symbolic links by which units are enabled and masked: where they live, and putting them back exactly."""

from __future__ import annotations

import os
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import template_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import ENTRIES, Unreadable, unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import HOST, Tree

# Where units of the host are enabled and masked for good.
LASTING = "/etc/systemd/system"


def link_directories(scope: str, home: str = "", uid: int = 0, root: str = "") -> list[str]:
    """The directories in which systemctl enable, disable, mask and unmask make and remove links (systemd.unit(5)).

    :param home: the user's home directory, for scope `user`.
    """
    if scope == "user":
        return [f"{home}/.config/systemd/user", f"/run/user/{uid}/systemd/user"]
    kind = "user" if scope == "global" else "system"
    return [f"{root}/etc/systemd/{kind}", f"{root}/run/systemd/{kind}"]


def read_links(directories: t.Sequence[str], readable: bool = False, tree: Tree = HOST) -> dict[str, str]:
    """All links in the directories and in their `.wants`, `.requires` and `.upholds`: path -> target.

    Directories of the latter kinds that are links themselves are not looked into, as systemd does not when it disables.

    :param readable: pass over directories that may not be read, for those who only look.
    :param tree: where the directories are, resolved in it.
    :raises Unreadable: without `readable`.
    """
    links: dict[str, str] = {}
    for directory, name in _links_in(directories, readable, tree):
        path = f"{directory}/{name}"
        try:
            links[path] = os.readlink(path) if not tree.root else tree.target(path)
        except OSError:
            # Somebody else removed it after the directory was read, or put something else there.
            pass
    return links


def names_of_links(directories: t.Sequence[str], readable: bool = False, tree: Tree = HOST) -> set[str]:
    """The names of all links that `read_links` would read, without reading them."""
    return {name for _directory, name in _links_in(directories, readable, tree)}


def _links_in(directories: t.Sequence[str], readable: bool, tree: Tree) -> t.Iterator[tuple[str, str]]:
    """The directory and name of each link, as for `read_links`."""
    for directory in directories:
        for name, is_link in _scan(directory, readable, tree):
            if is_link:
                yield directory, name
            elif name.endswith((".wants", ".requires", ".upholds")):
                path = f"{directory}/{name}"
                for other, is_link_too in _scan(path, readable, tree):
                    if is_link_too:
                        yield path, other


class LinkChange(t.NamedTuple):
    """A link that was made (`symlink`, with its path and what it points to) or removed (`unlink`)."""

    type: str
    path: str
    target: str


def differences(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> list[LinkChange]:
    """What changed between two answers of `read_links`."""
    made = [LinkChange("symlink", path, to) for path, to in after.items() if before.get(path) != to]
    return made + [LinkChange("unlink", path, "") for path in before if path not in after]


def is_masked(name: str) -> bool:
    """Whether somebody has masked a unit of the host for good, which can be taken back by removing a link."""
    try:
        return os.readlink(f"{LASTING}/{name}") == "/dev/null"
    except OSError:
        return False


# Directive of [Install] -> what ends the directory of the links that it asks for.
PULLS = {"WantedBy": "wants", "RequiredBy": "requires", "UpheldBy": "upholds"}


def installed_links(directory: str, name: str, install: t.Callable[[str], t.Iterable[str]]) -> list[str]:
    """The paths of the links that enabling a unit makes, as its [Install] section asks (systemd.unit(5)).

    :param install: directive -> the names it lists; specifiers in them are left as they are.
    """
    paths = [f"{directory}/{other}.{suffix}/{name}" for key, suffix in PULLS.items() for other in install(key)]
    return paths + [f"{directory}/{other}" for other in install("Alias")]


def leads_to(path: str, target: str, name: str) -> bool:
    """Whether a link of those from `read_links` enables the unit, or is another name of it, or of an instance of it."""
    return name in led_to(path, target)


def led_to(path: str, target: str) -> set[str]:
    """The names of units, and of templates of instances, for which `leads_to` is true of a link."""
    folder, _slash, own = path.rpartition("/")
    names = {target.rpartition("/")[2]}
    if folder.endswith((".wants", ".requires", ".upholds")):
        names.add(own)
    return names.union(template_of(each) or each for each in names)


def links_by_unit(links: t.Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Links from `read_links` by the names that they lead to: name -> path -> target."""
    found: dict[str, dict[str, str]] = {}
    for path, target in links.items():
        for name in led_to(path, target):
            found.setdefault(name, {})[path] = target
    return found


def restore_links(
    before: dict[str, str], directories: t.Sequence[str], only: t.Container[str], tree: Tree = HOST
) -> bool:
    """Make links in the directories what they were; returns whether anything was to be done.

    :param only: paths of the links that may be touched; what others changed meanwhile is theirs.
    :param tree: where the directories are, resolved in it.

    Directories that hold no link any more, and did not before, are removed as systemctl disable does.
    """
    now = read_links(directories, tree=tree)
    touched = False
    for path in now.keys() - before.keys():
        if path not in only:
            continue
        with tree.parent(path) as (directory, name):
            os.unlink(name, dir_fd=directory)
        touched = True
        parent = os.path.dirname(path)
        if parent not in directories and not any(os.path.dirname(known) == parent for known in before):
            try:
                with tree.parent(parent) as (directory, name):
                    os.rmdir(name, dir_fd=directory)
            except OSError:
                pass
    for path, target in before.items():
        if path in only and now.get(path) != target:
            put_link(path, target, tree)
            touched = True
    return touched


def put_link(path: str, target: str, tree: Tree = HOST) -> None:
    """Make a link, in the place of one that is there, and the directories above it that are missing."""
    tree.make(os.path.dirname(path))
    with tree.parent(path) as (directory, name):
        _put_link(directory, name, target)


def _put_link(directory: int, name: str, target: str) -> None:
    # A name that nobody else has: what a killed task left behind shall not be in the way.
    temporary = f".{name[:200]}.{os.urandom(4).hex()}.pidone-tmp"
    os.symlink(target, temporary, dir_fd=directory)
    try:
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(temporary, dir_fd=directory)
        raise


def _scan(directory: str, readable: bool, tree: Tree) -> list[tuple[str, bool]]:
    """The names in a directory, with whether each is a link; none where there is no such directory."""
    found: list[tuple[str, bool]] = []
    try:
        with _opened(directory, tree) as place, os.scandir(place) as entries:
            for entry in entries:
                if len(found) >= ENTRIES:
                    raise Unreadable(
                        directory, f"it has more than {ENTRIES} entries; remove what does not belong there"
                    )
                found.append((entry.name, entry.is_symlink()))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as e:
        if readable and isinstance(e, PermissionError):
            return []
        raise unreadable(directory, e) from e
    return found


@contextmanager
def _opened(directory: str, tree: Tree) -> t.Iterator[t.Any]:
    """What os.scandir can list: the path, or a descriptor of a directory in a tree."""
    if not tree.root:
        yield directory
        return
    with tree.directory(directory) as descriptor:
        yield descriptor
