# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `systemd-analyze security` prints, read."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.module_utils._tasks.security.info import parse_assessment

ONE = """\
  NAME            DESCRIPTION       EXPOSURE
✓ PrivateDevices= Service has none
✗ PrivateNetwork= Service has access      0.5

→ Overall exposure level for {name}: 9.6 UNSAFE 😨
"""


def test_what_is_printed_after_the_last_unit() -> None:
    """Versions from 249 on end with a list of all units, as wide as the longest name."""
    long = f"{'x' * 240}.service"
    head = f"\n{'UNIT':{len(long)}} EXPOSURE PREDICATE HAPPY\n{long} 9.6      UNSAFE    😨\n"
    units = parse_assessment(ONE.format(name="a.service") + ONE.format(name=long) + head)
    assert [(unit["name"], unit["exposure"], unit["level"]) for unit in units] == [
        ("a.service", 9.6, "UNSAFE"),
        (long, 9.6, "UNSAFE"),
    ]
    assert [[(each["name"], each["exposure"]) for each in unit["directives"]] for unit in units] == [
        [("PrivateDevices", None), ("PrivateNetwork", 0.5)]
    ] * 2
