# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has Python load the rest of a task's archive as an earlier task compiled it; what every module imports first.

Ansible sends each task as an archive of sources, its own and ours. Python would compile them for each task anew, and each of
them twice, since zipimport already does that to tell a file's name; this takes longer than all the rest of most tasks. So
what a source compiles to is kept in the user's own directory; _kept/folder.py says why that can be trusted. Its file is
named by the SHA-256 of the source and of the Python that compiled it: what is found belongs to this source, and nothing is
ever out of date. Where something is in doubt, or cannot be read or written, Python compiles as ever, and the task does the
same, later.

Nothing is read or written as anybody but the user whose process this is. Where root acts as another user, modules are
imported as root (see _systemd/accounts.py), or else compiled.

Only what is in the archive is dealt with: on the controller, and where modules are run by other means, nothing is.
"""

from __future__ import annotations

import gc
import os
import sys
import typing as t
from importlib.util import spec_from_file_location
from pkgutil import get_importer

from ansible_collections.pidone.systemd.plugins.module_utils._kept.folder import (
    bases,
    file_name,
    open_folder,
    read_code,
    sha256,
)

# An environment variable for users: with `false`, Python compiles all sources for each task.
SWITCH = "PIDONE_SYSTEMD_KEEP_COMPILED"

_SERVED = ("ansible.module_utils.", "ansible_collections.pidone.systemd.")
# Code is kept with its help, so its own cannot be.
_WRITING = "ansible_collections.pidone.systemd.plugins.module_utils._kept.writing"

# Bytes of a source: to compile less takes no longer than to look for it.
_SMALLEST = 400
# How many are kept. The modules of one release, with their part of ansible-core, have about 150 sources.
_MOST = 800
# How many more objects there are that may be part of a circle before Python looks for those that nobody needs any more: some
# ten for each of 10,000 units, of no more than 20 MB.
_GARBAGE = 100_000


class Finder:
    """Finds the modules of an archive before Python does, and has them loaded from what is kept."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._store = _Store()

    def find_spec(self, name: str, path: t.Any = None, target: t.Any = None) -> t.Any:
        """Find a module, as importlib asks for it; None where that is left to Python."""
        if not path or not name.startswith(_SERVED) or name == _WRITING:
            return None
        try:
            own: t.Any = get_importer(path[0])
            if getattr(own, "archive", None) != self._archive:
                return None
            # These are zipimport's own rules, but for archives with compiled code in them, where no source is found below.
            place = f"{path[0]}/{name.rpartition('.')[2]}"
            is_package = own.is_package(name)
            file = f"{place}/__init__.py" if is_package else f"{place}.py"
            loader: t.Any = _Loader(own, self._store, file, own.get_data(file))
        except Exception:  # ImportError or OSError: there is no such module
            return None
        return spec_from_file_location(
            name, file, loader=loader, submodule_search_locations=[place] if is_package else None
        )


class _Loader:
    """Python's own loader of a module in an archive in all but where the code is from."""

    def __init__(self, own: t.Any, store: _Store, file: str, source: bytes) -> None:
        self._own, self._store, self._file, self._source = own, store, file, source

    def __getattr__(self, name: str) -> t.Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._own, name)

    def create_module(self, spec: t.Any) -> None:
        """Have Python make the module."""

    def exec_module(self, module: t.Any) -> None:
        exec(self.get_code(module.__spec__.name), module.__dict__)  # noqa: S102 - this is what a loader does

    def get_filename(self, name: str) -> str:
        return self._file

    def get_code(self, name: str) -> t.Any:
        try:
            code = self._store.code(self._own, name, self._file, self._source)
        except Exception:  # whatever it is, Python can do without
            code = None
        return self._own.get_code(name) if code is None else code


class _Store:
    """What sources compile to, in the directory of the user whose process this is."""

    def __init__(self) -> None:
        self._process = (os.getpid(), os.geteuid())
        self._python = repr((sys.version, sys.flags.optimize)).encode()
        self._folder = _first(open_folder)
        self._tidied = False
        self._writes = not sys.dont_write_bytecode

    def code(self, own: t.Any, name: str, path: str, source: bytes) -> t.Any:
        """The code of a module that the loader *own* can compile; None where it is not to be had from here.

        :raises Exception: of any kind, which means the same.
        """
        # In a child, the directory's descriptor may be closed, and its number another file's.
        if (os.getpid(), os.geteuid()) != self._process:
            return None
        if len(source) < _SMALLEST:
            return None
        file = file_name("code", sha256(self._python + source).hex())
        code = None if self._folder is None else read_code(self._folder, file)
        if isinstance(code, type(_first.__code__)):
            import _imp

            # It says where the source was in an earlier task; importlib does the same with its own.
            _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]
            return code
        code = own.get_code(name)
        if self._writes:
            self._writes = False  # unless this goes well: one failure is enough
            self._writes = self._keep(file, code)
        return code

    def _keep(self, file: str, code: t.Any) -> bool:
        from ansible_collections.pidone.systemd.plugins.module_utils._kept.writing import make_folder, tidy, write_code

        if self._folder is None:
            self._folder = _first(make_folder)
            if self._folder is None:
                return False
        try:
            if not self._tidied:
                tidy(self._folder, "code", _MOST)
                self._tidied = True
            write_code(self._folder, file, code)
        except OSError:
            return False
        return True


def _first(opens: t.Callable[[str], int | str]) -> int | None:
    """The best of the user's directories that there are, or can be made; None without any."""
    for base in bases():
        found = opens(base)
        if isinstance(found, int):
            return found
    return None


def install(archive: str | None) -> None:
    """From now on, load modules from what is kept.

    :param archive: path of the task's archive, if there is one.
    """
    off = os.environ.get(SWITCH, "").lower() in ("0", "false", "no", "off")
    # Of a process with the rights of two users it is not clear whose the code should be.
    if archive is not None and not off and os.getuid() == os.geteuid():
        sys.meta_path.insert(0, t.cast("t.Any", Finder(archive)))


try:
    _archive = getattr(__spec__.loader, "archive", None) if __spec__ else None
    if _archive is not None:
        # What a task loads, and makes of thousands of units, lives until its end, and would be looked at again and again.
        gc.set_threshold(_GARBAGE)
    install(_archive)
except Exception:  # noqa: S110 - a task without it is slower, not wrong
    pass
