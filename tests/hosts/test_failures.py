# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What failure reports say on real hosts, where what failed is gone by the time that anybody can ask."""

from __future__ import annotations

import time
import typing as t

import pytest

from tests.lab.host import Host

CONDITIONS = (
    "ConditionVirtualization=container\nConditionUser=root\nConditionPathExists=|/nothere/fl\nConditionPathExists=|/etc\n"
    "ConditionPathExists={condition}\nAssertPathExists=/etc\nAssertPathExists={assertion}\n"
)
UNITS = {
    "fl-condition": f"[Unit]\n{CONDITIONS.format(condition='/nothere/fl', assertion='/etc')}[Service]\nExecStart=/bin/sleep 1000\n",
    "fl-assertion": f"[Unit]\n{CONDITIONS.format(condition='/etc', assertion='/nothere/fl')}[Service]\nExecStart=/bin/sleep 1000\n",
    # The first time it dies after a while, and is well from then on.
    "fl-heals": "[Service]\nExecStart=/bin/sh -c 'test -e /run/fl-healed && exec sleep 1000; touch /run/fl-healed; sleep 0.7; "
    "echo cannot open the database >&2; exit 3'\nRestart=on-failure\n",
    "fl-quick": "[Service]\nExecStart=/bin/sh -c 'test -e /run/fl-healed && exec sleep 1000; touch /run/fl-healed; kill -SEGV $$$$'\n"
    "Restart=always\nRestartSec=0\n",
}


@pytest.fixture(autouse=True)
def units(host: Host) -> t.Iterator[None]:
    for name, text in UNITS.items():
        host.write(f"/etc/systemd/system/{name}.service", text)
    host.run("systemctl daemon-reload", check=True)
    yield
    names = " ".join(f"{name}.service" for name in UNITS)
    host.run(f"systemctl stop {names}; rm -f /run/fl-healed; cd /etc/systemd/system; rm -f {names}; systemctl daemon-reload")


def fails(host: Host, name: str, **args: t.Any) -> tuple[dict[str, t.Any], str]:
    result = host.ansible("pidone.systemd.unit", {"name": name, **args})
    assert result["failed"], result
    return result["failures"][0], result["msg"]


def test_only_what_is_not_met(host: Host) -> None:
    """Units that nobody needs, which systemd forgets at once, and the same that it remembers."""
    for _remembered in range(2):
        failure, text = fails(host, "fl-condition", state="started")
        assert (failure["unmet_conditions"], failure.get("unmet_assertions")) == (["ConditionPathExists=/nothere/fl"], None)
        assert text.count("is not met\n") + text.endswith("is not met") == 1
        failure, text = fails(host, "fl-assertion", state="started")
        assert (failure["unmet_assertions"], failure.get("unmet_conditions")) == (["AssertPathExists=/nothere/fl"], None)
        # What something wants stays in memory.
        for name in ("fl-condition", "fl-assertion"):
            host.run(f"mkdir -p /run/systemd/system/multi-user.target.wants; ln -sf /etc/systemd/system/{name}.service "
                     "/run/systemd/system/multi-user.target.wants/; systemctl daemon-reload", check=True)  # fmt: skip
    host.run("rm /run/systemd/system/multi-user.target.wants/fl-*", check=True)


@pytest.mark.parametrize("state", ["started", "restarted"])
def test_the_first_death_is_told(host: Host, state: str) -> None:
    host.run("rm -f /run/fl-healed", check=True)
    begun = time.monotonic()
    failure, text = fails(host, "fl-heals", state=state, settle="60s")
    assert time.monotonic() - begun < 30, "all of `settle` was waited for"
    assert (failure["exit_code"], failure["result"]) == (3, "exit-code")
    assert failure["invocation_id"] != host.run("systemctl show -p InvocationID --value fl-heals").stdout.strip()
    assert [line["message"] for line in failure["journal"] if line["identifier"] == "sh"] == ["cannot open the database"]
    assert "exited with status 3" in text and "restarted" not in text.partition("unit ")[2]


def test_a_death_before_anybody_looks(host: Host) -> None:
    failure, text = fails(host, "fl-quick", state="started", settle="60s")
    assert (failure["signal"], "was killed by SIGSEGV" in text) == ("SIGSEGV", True)
