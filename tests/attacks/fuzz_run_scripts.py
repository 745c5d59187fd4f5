# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target for a fuzzer: bytes as a service directory, which is translated or refused, and nothing else."""

from __future__ import annotations

import base64

from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import runit, translate

# Where a part of the input begins another file than the run script.
_SEPARATOR = b"\n%%"
_FILES = ("finish", "check", "log/run", "control/t", "conf", "env/A")


def one_input(data: bytes) -> None:
    """Translate a service whose run script, and other files after `%%` at the beginning of a line, are these bytes.

    :raises AssertionError: the result is none that is documented.
    :raises Exception: whatever the translator stumbles over, which it would call a script that could not be understood.
    """
    run, *others = data.split(_SEPARATOR)
    files = [_file("run", b"#!/bin/sh\n" + run)]
    files += [_file(path, content) for path, content in zip(_FILES, others, strict=False)]
    raw = {"name": "web", "source": "runit", "path": "/etc/sv/web", "live": len(data) % 2 == 0, "files": files}
    strict, runit.STRICT = runit.STRICT, True
    try:
        results = translate(_answers.definitions([raw]), log="svlogd" if len(data) % 3 == 0 else "journald")
    finally:
        runit.STRICT = strict
    (result,) = _answers.services(results)
    assert bool(result["units"]) == (result["translation"] != "refused")
    for unit in result["units"]:
        unit["content"].encode()
        assert "\0" not in unit["content"]


def _file(path: str, content: bytes) -> dict[str, str]:
    """A file as the collector returns it."""
    try:
        return {"path": path, "type": "file", "mode": "0755", "content": content.decode()}
    except UnicodeDecodeError:
        encoded = base64.b64encode(content).decode("ascii")
        return {"path": path, "type": "file", "mode": "0755", "content": encoded, "encoding": "base64"}
