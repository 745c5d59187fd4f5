# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service directory as the collector found it."""

from __future__ import annotations

import re

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition

# daemontools' svc, whose options are the letters of sv's commands.
_SVC = re.compile(
    r"(?m)(^|[;&|({]|\b(?:exec|then|do|else)\b)([ \t]*)(?:/[^\s;&|]*/)?(?:s6-)?svc[ \t]+-([a-z12]+)(?=[ \t])"
)


def _as_sv(match: re.Match[str]) -> str:
    letters = match.group(3)
    verb = letters[0]
    if len(letters) > 1:
        verb = "t" if "d" in letters and "u" in letters else "d" if set(letters) & set("dx") else verb
    return f"{match.group(1)}{match.group(2)}sv {verb}"


class Directory(Definition):
    """Of runit's or daemontools'; calls of daemontools' svc are read as calls of sv."""

    scripts = frozenset(("run", "finish", "check"))

    def text(self, relative: str) -> str | None:
        text = super().text(relative)
        if text is not None and "svc" in text and (relative in self.scripts or relative.startswith("control/")):
            return _SVC.sub(_as_sv, text)
        return text
