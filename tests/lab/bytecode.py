# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what Python compiles out of zip archives; put on test hosts, as ``lab_bytecode``, by ``lab up --keep-bytecode``.

Ansible sends each module as an archive of sources, which the host compiles again for every task: half of the processor time
that a task takes. Here each source is compiled once per host. Nothing else differs: the archive is sent, unpacked and
imported as ever, and what is kept is found by the content of the source.
"""

from __future__ import annotations

import _imp
import marshal
import os
import types
import zipimport

#: Of the Python that made them alone: a host has one.
STORE = "/var/cache/lab-bytecode"

#: The files that make Python load this as it starts, by their paths in the root file system.
PACKAGES = "usr/lib/python3/dist-packages"
HOOK = f"{PACKAGES}/lab_bytecode.pth"
MODULE = f"{PACKAGES}/lab_bytecode.py"
HOOK_TEXT = "import lab_bytecode; lab_bytecode.install()\n"

_compile = zipimport._compile_source  # type: ignore[attr-defined]


def compile_source(path: str, source: bytes) -> types.CodeType:
    """Return the code of *source*, which Python found at *path* in an archive: from the store, or compiled and stored."""
    name = f"{STORE}/{_imp.source_hash(0, source).hex()}-{len(source)}"
    try:
        with open(name, "rb") as file:
            code = marshal.loads(file.read())
        _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]  # as importlib does with its own
    except (OSError, EOFError, ValueError, TypeError):
        code = _compile(path, source)
        _keep(name, code)
    return code


def _keep(name: str, code: types.CodeType) -> None:
    """Store *code*, where the user may write there (root)."""
    partial = f"{name}.{os.getpid()}"
    try:
        os.makedirs(STORE, exist_ok=True)
        with open(partial, "wb") as file:
            file.write(marshal.dumps(code))
        os.rename(partial, name)
    except OSError:
        pass


def install() -> None:
    """Make imports from archives use the store."""
    zipimport._compile_source = compile_source  # type: ignore[attr-defined]
