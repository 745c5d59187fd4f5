# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `service_import_info` module's task on the host, which needs neither systemd nor D-Bus there: definitions as they are."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._sources import load
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module


def gather(module: Module) -> dict[str, t.Any]:
    """Collect what the module's options ask for; the action plugin returns `services` in place of these `definitions`."""
    options = module.params
    definitions = options["definitions"]
    if definitions is None:
        for option in ("root", "path"):
            if options[option] is not None:
                check_directory(options[option], option)
        definitions = load(options["source"]).find(options["root"], options["path"], options["name"])
    return {"changed": False, "definitions": definitions}
