# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a task load ansible-core's own part of its archive from what is kept on the host, too.

A module can say how the rest of its archive is loaded (module_utils/_compiled.py) only once it runs, and by then half of the
archive is loaded and was compiled: ansible-core's basic.py and what that needs. So the program that Ansible sends is made to
import _compiled.py first. The program is ansible-core's own business: where it is not as it is known to be, it is sent as it
is, and the module's own import does the rest, which is slower and not wrong.
"""

from __future__ import annotations

import dataclasses
import typing as t

_LOADS = b"\n        from ansible.module_utils._internal._ansiballz import _loader\n"
_FIRST = b"""
        try:
            import ansible_collections.pidone.systemd.plugins.module_utils._compiled
        except Exception:
            pass
"""


def start_early(program: bytes) -> bytes:
    """The program that Ansible sends for a module of ours, with the import; unchanged where it does not look as it should."""
    if program.count(_LOADS) != 1:
        return program
    return program.replace(_LOADS, _FIRST + _LOADS[1:])


def with_early_start(configured: t.Any) -> t.Any:
    """What ansible-core's `ActionBase._configure_module` returned, with the program so changed; unchanged if it is not that."""
    try:
        built, path = configured
        return dataclasses.replace(built, b_module_data=start_early(built.b_module_data)), path
    except (AttributeError, TypeError, ValueError):
        return configured
