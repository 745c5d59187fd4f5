# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `unit` where something is in its way: files where masks go, jobs of somebody else."""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.fixtures import every_version
from tests.lab.host import Host

pytestmark = every_version

SYSTEM = "/etc/systemd/system"
FILE = "[Service]\nExecStart=/bin/sleep 100000\n"


@pytest.fixture(autouse=True)
def units(host: Host) -> t.Iterator[None]:
    host.write(f"{SYSTEM}/uc-own.service", FILE)
    host.write("/opt/uc-linked.service", FILE)
    # The stop of `first` waits in the queue until `last` is down.
    host.write(f"{SYSTEM}/uc-last.service", f"{FILE}ExecStop=/bin/sleep 3\n")
    host.write(f"{SYSTEM}/uc-first.service", f"[Unit]\nBefore=uc-last.service\n{FILE}")
    host.write(f"{SYSTEM}/uc-slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 4\n")
    host.run("systemctl link /opt/uc-linked.service; systemctl daemon-reload", check=True)
    yield
    host.run(
        f"systemctl kill -s KILL 'uc-*'; systemctl stop 'uc-*'; rm -f {SYSTEM}/uc-* /run/systemd/system/uc-* "
        "/opt/uc-*; systemctl daemon-reload; systemctl reset-failed"
    )


def run(host: Host, check: bool = False, **args: t.Any) -> dict[str, t.Any]:
    return host.ansible("pidone.systemd.unit", args, check=check)


def enablement(host: Host, name: str) -> str:
    return host.run(["systemctl", "is-enabled", name]).stdout.strip()


@pytest.mark.parametrize(
    "args",
    [
        {"name": "uc-own"},
        {"name": "uc-own", "force": True},
        {"name": "uc-own", "runtime": True},
        {"name": "uc-linked"},
    ],
    ids=["file", "forced", "runtime", "link"],
)
def test_something_is_where_the_mask_goes(host: Host, args: dict[str, t.Any]) -> None:
    before = enablement(host, args["name"])
    for check in (True, False):
        result = run(host, check=check, masked=True, **args)
        assert result["failed"]
        assert not result["changed"]
        assert f"{SYSTEM}/{args['name']}.service" in result["msg"]
        assert "masked:" in result["msg"]
        assert "enabled: false" in result["msg"]
    assert host.exists(f"{SYSTEM}/{args['name']}.service")
    assert enablement(host, args["name"]) == before


def test_a_link_gives_way_by_force(host: Host) -> None:
    assert run(host, check=True, name="uc-linked", masked=True, force=True)["changed"]
    result = run(host, name="uc-linked", masked=True, force=True)
    assert not result["failed"], result["msg"]
    assert enablement(host, "uc-linked") == "masked"
    assert not run(host, name="uc-linked", masked=True, force=True)["changed"]


def test_started_takes_back_a_stop_that_waits(host: Host) -> None:
    host.run("systemctl start uc-first uc-last", check=True)
    host.run("systemctl stop --no-block uc-last uc-first", check=True)
    result = run(host, name="uc-first", state="started")
    assert result["changed"], result
    host.run("systemctl stop uc-last", check=True)
    assert host.run("systemctl is-active uc-first").stdout.strip() == "active"


def test_a_job_that_somebody_else_cancels(host: Host) -> None:
    host.run("(sleep 2; systemctl stop uc-slow) >/dev/null 2>&1 &", check=True)
    result = run(host, name="uc-slow", state="started")
    assert result["failed"]
    assert "canceled" in result["msg"]
    assert result["failures"][0]["job"]["result"] == "canceled"
