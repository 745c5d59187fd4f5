# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many units in one task: what is done otherwise for many than for few gives the same answers."""

from __future__ import annotations

import typing as t

import pytest

UNIT = "pidone.systemd.unit"
NAMES = [f"many-{number:02}.service" for number in range(40)]
FOLDER = "/etc/systemd/system"
TEXT = "[Service]\nExecStart=/bin/sleep infinity\n"


@pytest.fixture
def many(host: t.Any) -> t.Iterator[t.Any]:
    """Forty services that run."""
    host.run(
        f"for n in $(seq -w 0 39); do printf '{TEXT}' > {FOLDER}/many-$n.service; done; "
        "systemctl daemon-reload; systemctl start $(seq -f many-%02g.service 0 39)",
        check=True,
    )
    yield host
    host.run(
        f"systemctl stop 'many-*'; rm -rf {FOLDER}/many-*; rm -rf /run/systemd/system.control/many-*; "
        "systemctl daemon-reload",
        check=True,
    )


def reloads(host: t.Any) -> bool:
    """Whether restarting all of them reloads; then do so, which has to work."""
    wanted = {"name": NAMES, "state": "restarted"}
    predicted = host.ansible(UNIT, wanted, check=True)
    result = host.ansible(UNIT, wanted)
    assert not result["failed"], result
    assert result["changed"]
    assert result["steps"] == predicted["steps"]
    return "daemon-reload" in result["steps"]


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (f"printf '{TEXT}Environment=A=1\\n' > {FOLDER}/many-07.service", True),
        # Before 2024-08 systemd itself does not see the first directory of drop-ins.
        (f"mkdir {FOLDER}/many-07.service.d && echo '[Service]' > {FOLDER}/many-07.service.d/a.conf", False),
    ],
    ids=["file", "drop-in"],
)
def test_changed_file(many: t.Any, change: str, seen: bool) -> None:
    """One unit whose files changed is enough for a reload, and after that there is no need of one."""
    assert not reloads(many)
    many.run(change, check=True)
    stale = many.run("systemctl show -P NeedDaemonReload many-07.service 2>/dev/null || true").stdout.strip()
    assert stale == "yes" or not seen
    assert reloads(many) is (stale == "yes")
    assert not reloads(many)


def test_properties_are_no_change(many: t.Any) -> None:
    """What systemd writes itself needs no reload."""
    many.run("systemctl set-property --runtime many-03.service CPUWeight=50", check=True)
    assert not reloads(many)


def test_links_are_no_change(many: t.Any) -> None:
    """Nor do links that enable units, which others made."""
    many.run(
        f"mkdir -p {FOLDER}/many-x.target.wants && ln -s ../many-01.service {FOLDER}/many-x.target.wants/", check=True
    )
    assert not reloads(many)
