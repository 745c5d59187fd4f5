# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The symbolic links by which units are enabled and masked: where they live, and putting them back exactly."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import template_of

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


def read_links(directories: t.Sequence[str], readable: bool = False) -> dict[str, str]:
    """All links in the directories and in their `.wants`, `.requires` and `.upholds`: path -> target.

    :param readable: pass over directories that may not be read, for those who only look.
    :raises PermissionError: without that.
    """
    links: dict[str, str] = {}
    for directory in directories:
        for entry in _scan(directory, readable):
            if entry.is_symlink():
                _add(links, entry.path)
            elif entry.name.endswith((".wants", ".requires", ".upholds")):
                for link in _scan(entry.path, readable):
                    if link.is_symlink():
                        _add(links, link.path)
    return links


def _add(links: dict[str, str], path: str) -> None:
    try:
        links[path] = os.readlink(path)
    except FileNotFoundError:
        # Somebody else removed it after the directory was read.
        pass


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
    pulls_in = os.path.basename(os.path.dirname(path)).endswith((".wants", ".requires", ".upholds"))
    names = [os.path.basename(target), *([os.path.basename(path)] if pulls_in else [])]
    return any(name in (each, template_of(each)) for each in names)


def restore_links(before: dict[str, str], directories: t.Sequence[str], only: t.Container[str]) -> bool:
    """Make links in the directories what they were; returns whether anything was to be done.

    :param only: paths of the links that may be touched; what others changed meanwhile is theirs.

    Directories that hold no link any more, and did not before, are removed as systemctl disable does.
    """
    now = read_links(directories)
    touched = False
    for path in now.keys() - before.keys():
        if path not in only:
            continue
        os.unlink(path)
        touched = True
        parent = os.path.dirname(path)
        if parent not in directories and not any(os.path.dirname(known) == parent for known in before):
            try:
                os.rmdir(parent)
            except OSError:
                pass
    for path, target in before.items():
        if path in only and now.get(path) != target:
            parent = os.path.dirname(path)
            if not os.path.isdir(parent):
                os.makedirs(parent, exist_ok=True)
            temporary = f"{path}.pidone-tmp"
            os.symlink(target, temporary)
            os.replace(temporary, path)
            touched = True
    return touched


def _scan(directory: str, readable: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError:
        if readable:
            return []
        raise
