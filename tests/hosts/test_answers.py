# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types that the bus insists on are those that each version of systemd says it has."""

from __future__ import annotations

import collections
import xml.etree.ElementTree as ET

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import ANSWERS, TYPES
from tests.lab.host import Host

_UNIT_TYPES = "service socket target device mount automount swap timer path slice scope"
_INTROSPECT = f"""
at=/org/freedesktop/systemd1
for path in $at $(for type in {_UNIT_TYPES}; do echo $at/unit/zz_2e$type; done); do
    busctl --xml-interface introspect org.freedesktop.systemd1 $path | grep -v '^<[!?]\\|^ *"http'
done
"""


def test_types(host: Host) -> None:
    text = host.run(_INTROSPECT, check=True).stdout
    found: dict[str, set[str]] = collections.defaultdict(set)
    properties: dict[str, set[str]] = collections.defaultdict(set)
    for face in ET.fromstring(f"<all>{text}</all>").iter("interface"):
        if face.get("name", "").startswith("org.freedesktop.systemd1"):
            for prop in face.findall("property"):
                properties[prop.get("name", "")].add(prop.get("type", ""))
        if face.get("name") == "org.freedesktop.systemd1.Manager":
            for member in (*face.findall("method"), *face.findall("signal")):
                out = [arg.get("type", "") for arg in member.findall("arg") if arg.get("direction") != "in"]
                found[member.get("name", "")].add("".join(out))
    assert len(found) > 50 and len(properties) > 400
    assert {name: kinds for name, kinds in found.items() if ANSWERS.get(name, *kinds) not in kinds} == {}
    assert {name: kinds for name, kinds in properties.items() if name in TYPES and kinds != {TYPES[name]}} == {}
    # Those of older and newer versions aside.
    assert len(TYPES.keys() & properties.keys()) > len(TYPES) * 0.8
