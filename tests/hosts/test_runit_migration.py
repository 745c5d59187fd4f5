# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that boots runit boots systemd on trial: whatever goes wrong in that boot, runit comes back.

The migrations that go well, and those that are interrupted, are scenarios of molecule (extensions/molecule/runit_*).
"""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.nspawn import NspawnHost

# One host goes through all of it, test after test.
pytestmark = pytest.mark.xdist_group("runit-migration")

MODULE = "pidone.systemd.init_handover"
UNIT = "[Service]\nExecStart=/usr/bin/sleep 1000\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"
PACKAGED = "/usr/lib/systemd/system/ssh.service"


@pytest.fixture(scope="module")
def runit(lab: t.Any) -> t.Iterator[NspawnHost]:
    """A host that boots runit, with a service of its own; given back after each use."""
    host = lab.fresh("runit")
    host.write("/etc/sv/hello/run", "#!/bin/sh\nexec sleep 1000\n", mode=0o755)
    host.run("ln -s /etc/sv/hello /etc/service/hello", check=True)
    host.run("for i in $(seq 600); do sv status hello | grep ^run: && exit; sleep 0.2; done; exit 1", check=True)
    yield host
    lab.forget(host)


def services(host: NspawnHost) -> list[dict[str, t.Any]]:
    pid = int(host.run("cat /etc/sv/hello/supervise/pid", check=True).stdout)
    up = {"enabled": True, "down": False, "pid": pid}
    ssh = {"name": "ssh", "path": "/etc/sv/ssh", "units": [], "packaged": {"name": "ssh.service", "path": PACKAGED}}
    hello = {"name": "hello", "path": "/etc/sv/hello", "units": [{"name": "hello.service", "content": UNIT}]}
    return [{**hello, "state": up}, {**ssh, "state": {**up, "pid": None}}]


def prepare(host: NspawnHost, **options: t.Any) -> dict[str, t.Any]:
    return host.ansible(MODULE, {"state": "prepared", "services": services(host), "trial": "10min"}, **options)


def picture(host: NspawnHost) -> str:
    """All that may be changed: files and links with their targets, and what dpkg was told."""
    return host.run(
        "find /etc/systemd /usr/sbin/init* /var/lib/pidone.systemd -printf '%p %y %l %s\\n' 2>/dev/null | sort; dpkg-divert --list"
    ).stdout


def test_check_mode_and_the_way_back_change_nothing(runit: NspawnHost) -> None:
    before = picture(runit)
    planned = prepare(runit, check=True)
    assert planned["changed"]
    assert picture(runit) == before

    done = prepare(runit)
    assert done["steps"] == planned["steps"]
    assert (done["phase"], done["runs"], done["boots"], done["reboot"]) == ("prepared", "runit", "systemd", True)
    assert not prepare(runit)["changed"]
    assert runit.run("readlink /sbin/init").stdout == "/usr/lib/systemd/systemd\n"
    assert "/usr/sbin/init.before-systemd" in runit.run("dpkg-divert --list").stdout

    # Before the reboot somebody has second thoughts: another unit for one service, and none for the other.
    hello = services(runit)[0]
    more = {**hello, "name": "more", "units": [{"name": "more.service", "content": UNIT}]}
    assert runit.ansible(MODULE, {"state": "prepared", "services": [hello, more]})["changed"]
    hello["units"][0]["content"] = UNIT.replace("1000", "2000")
    assert runit.ansible(MODULE, {"state": "prepared", "services": [hello]})["changed"]
    assert not runit.ansible(MODULE, {"state": "prepared", "services": [hello]})["changed"]
    links = "/etc/systemd/system/multi-user.target.wants"
    assert runit.run("grep ^ExecStart /etc/systemd/system/hello.service").stdout == "ExecStart=/usr/bin/sleep 2000\n"
    assert runit.run(f"ls {links} /etc/systemd/system | grep -E 'hello|more'").stdout.split() == ["hello.service"] * 2
    assert runit.run("ls /etc/systemd/system/sysinit.target.wants | grep -c pidone").stdout == "2\n", "still on trial"

    back = runit.ansible(MODULE, {"state": "given_back"})
    assert back["changed"]
    assert (back["phase"], back["boots"], back["reboot"]) == ("", "runit-init", False)
    assert picture(runit).replace("/var/lib/pidone.systemd d  4096\n", "") == before
    assert not runit.ansible(MODULE, {"state": "given_back"})["changed"]


def test_a_bad_unit_is_refused_before_anything_is_changed(runit: NspawnHost) -> None:
    before = picture(runit)
    bad = services(runit)
    bad[0]["units"][0]["content"] = UNIT.replace("Restart=always", "Restart=sometimes")
    refused = runit.ansible(MODULE, {"state": "prepared", "services": bad})
    assert refused["failed"]
    assert "hello.service" in refused["msg"]
    assert "Restart=sometimes" in refused["msg"]
    assert picture(runit) == before


def test_without_a_first_boot_there_is_nothing_to_confirm(runit: NspawnHost) -> None:
    assert "use `state: prepared` first" in runit.ansible(MODULE, {"state": "confirmed"})["msg"]
    assert "only a host that boots systemd" in runit.ansible(MODULE, {"state": "finished"})["msg"]


def test_a_power_cut_in_the_first_boot_leads_back_to_runit(runit: NspawnHost) -> None:
    command = prepare(runit)["reboot_command"]
    assert command == "/usr/sbin/runit-init 6"
    old = runit.leader()
    runit.run(command)
    runit.wait_rebooted(old)
    assert runit.first_process() == "systemd"
    assert runit.run("systemctl is-active hello ssh").stdout.split() == ["active", "active"]
    assert runit.run("readlink /sbin/init").stdout == "runit-init\n"
    runit.kill()
    runit.boot()
    assert runit.first_process() == "runit"
    failed = runit.ansible(MODULE, {"state": "confirmed"})
    assert failed["failed"]
    assert failed["fell_back"]
    assert "was not confirmed in time" in failed["msg"]


def test_a_host_that_nobody_reaches_goes_back_by_itself_and_the_next_try_succeeds(runit: NspawnHost) -> None:
    # on from the test before: the host fell back once
    again = runit.ansible(MODULE, {"state": "prepared", "services": services(runit), "trial": "3s"})
    assert "another try" in str(again["warnings"])
    old = runit.leader()
    runit.run(again["reboot_command"])
    runit.wait_rebooted(old)
    old = runit.leader()
    runit.wait_rebooted(old)
    assert runit.first_process() == "runit"

    old = runit.leader()
    runit.run(prepare(runit)["reboot_command"])
    runit.wait_rebooted(old)
    checked = runit.ansible(MODULE, {"state": "confirmed", "settle": "0"}, check=True)
    assert checked["changed"], checked.get("msg")
    done = runit.ansible(MODULE, {"state": "confirmed", "settle": "0"})
    assert done["steps"] == checked["steps"]
    assert [one["outcome"] for one in done["services"]] == ["handed_over", "handed_over"]
    assert done["services"][0]["parity"] is True
    assert done["boots"] == "systemd"
    assert runit.run("ls -a /etc/systemd/system | grep pidone").stdout == ""
    assert not runit.ansible(MODULE, {"state": "confirmed"})["changed"]
    assert not runit.ansible(MODULE, {"state": "prepared", "services": []})["changed"]
    runit.reboot()
    assert runit.first_process() == "systemd"
