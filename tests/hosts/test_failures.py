# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What failure reports say on real hosts, where what failed is gone by the time that anybody can ask."""

from __future__ import annotations

import time
import typing as t

import pytest

from tests.lab.fixtures import every_version
from tests.lab.host import Host

pytestmark = every_version

CONDITIONS = (
    "ConditionVirtualization=container\nConditionUser=root\nConditionPathExists=|/nothere/fl\nConditionPathExists=|/etc\n"
    "ConditionPathExists={condition}\nAssertPathExists=/etc\nAssertPathExists={assertion}\n"
)
UNITS = {
    "fl-condition": f"[Unit]\n{CONDITIONS.format(condition='/nothere/fl', assertion='/etc')}[Service]\nExecStart=/bin/sleep 1000\n",
    "fl-assertion": f"[Unit]\n{CONDITIONS.format(condition='/etc', assertion='/nothere/fl')}[Service]\nExecStart=/bin/sleep 1000\n",
    # The first time it says which invocation it is, dies after a while, and is well from then on.
    "fl-heals": "[Service]\nExecStart=/bin/sh -c 'test -e /run/fl-healed && exec sleep 1000; echo $$INVOCATION_ID >/run/fl-healed; sleep 0.7; "
    "echo cannot open the database >&2; exit 3'\nRestart=on-failure\n",
    # journald finds nothing that tells the invocation of its lines, as where it comes to them too late.
    "fl-nameless": "[Service]\nExecStart=/bin/sh -c 'test -e /run/fl-healed && exec sleep 1000; touch /run/fl-healed; "
    "rm /run/systemd/units/invocation:fl-nameless.service; echo cannot open the database >&2; exit 3'\nRestart=on-failure\n",
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
    host.run(f"systemctl stop {names}; rm -f /run/fl-healed; cd /etc/systemd/system; rm -f {names}; systemctl daemon-reload; systemctl reset-failed")


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
    assert failure["invocation_id"] == host.run("cat /run/fl-healed").stdout.strip() != ""
    assert [line["message"] for line in failure["journal"] if line["identifier"] == "sh"] == ["cannot open the database"]
    assert "exited with status 3" in text and "restarted" not in text.partition("unit ")[2]


@pytest.mark.parametrize("state", ["started", "restarted"])
def test_lines_that_bear_the_unit_alone(host: Host, state: str) -> None:
    host.run("rm -f /run/fl-healed", check=True)
    failure, _text = fails(host, "fl-nameless", state=state, settle="60s")
    said = host.run("journalctl -u fl-nameless -o json --output-fields=_SYSTEMD_INVOCATION_ID _TRANSPORT=stdout").stdout
    assert said and "_SYSTEMD_INVOCATION_ID" not in said
    assert [line["message"] for line in failure["journal"] if line["identifier"] == "sh"] == ["cannot open the database"]


def test_a_death_before_anybody_looks(host: Host) -> None:
    failure, text = fails(host, "fl-quick", state="started", settle="60s")
    assert (failure["signal"], "was killed by SIGSEGV" in text) == ("SIGSEGV", True)


@pytest.fixture
def covered(host: Host) -> t.Iterator[dict[str, t.Any]]:
    """How to run a task whose own code is below a directory over which srv-fl.mount mounts something."""
    host.run("mkdir -p /srv/fl", check=True)
    host.write("/etc/systemd/system/srv-fl.mount", "[Mount]\nWhat=tmpfs\nType=tmpfs\nWhere=/srv/fl\n")
    host.write(
        "/etc/systemd/system/fl-needs.service",
        "[Unit]\nRequiresMountsFor=/srv/fl\n[Service]\nExecStart=/bin/sh -c 'echo last words; exit 5'\nType=oneshot\n",
    )
    host.run("systemctl daemon-reload", check=True)
    yield {"keywords": {"environment": {"TMPDIR": "/srv/fl"}}}
    host.run(
        "systemctl stop srv-fl.mount; cd /etc/systemd/system; rm -f srv-fl.mount fl-needs.service; systemctl daemon-reload; rm -rf /srv/fl"
    )


def test_a_job_that_mounts_over_the_task(host: Host, covered: dict[str, t.Any]) -> None:
    def task(module: str, **args: t.Any) -> dict[str, t.Any]:
        host.run("systemctl stop srv-fl.mount", check=True)
        result = host.ansible(f"pidone.systemd.{module}", args, **covered)
        mounted = host.run("findmnt /srv/fl || mountpoint /srv/fl").returncode == 0
        assert mounted, result
        return result

    done = task("unit", name="srv-fl.mount", state="started")
    assert done["changed"] and not done["failed"], done["msg"]
    away = host.ansible("pidone.systemd.unit", {"name": "srv-fl.mount", "state": "stopped"}, **covered)
    assert away["changed"] and not away["failed"], away["msg"]
    failed = task("unit", name="fl-needs", state="started")
    assert failed["failures"][0]["exit_code"] == 5 and "last words" in failed["msg"], failed
    ran = task("run", command="false", properties={"RequiresMountsFor": "/srv/fl"})
    assert ran["failed"] and "exited with status 1" in ran["msg"], ran
    content = "[Unit]\nRequiresMountsFor=/srv/fl\n[Service]\nExecStart=/bin/sleep 1000\nExecStartPre=/bin/sh -c 'exit {}'\n"
    try:
        for code in (6, 0):
            made = task("unit_file", name="fl-made", content=content.format(code), activate=True)
            assert made["failed"] is bool(code), made
            assert not code or made["failures"][0]["exit_code"] == code
    finally:
        host.run("systemctl stop fl-made; rm -f /etc/systemd/system/fl-made.service; systemctl daemon-reload")
