# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `credential` on real hosts: what services read, and what lies on the disk."""

from __future__ import annotations

import typing as t

import pytest

from tests.contract import converge, is_idle
from tests.lab.fixtures import every_version
from tests.lab.host import Host

FILE = "/etc/credstore.encrypted/cr-db"
DROPIN = "/etc/systemd/system/cr-app.service.d/credential-cr-db.conf"
TOLD = "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'cat $CREDENTIALS_DIRECTORY/cr-db >{}; systemd-notify --ready; exec sleep 1009'\n"
USER = "cr-user"


def task(host: Host, check: bool = False, **args: t.Any) -> dict[str, t.Any]:
    options = {"name": "cr-db", "unit": "cr-app.service", **args}
    result = host.ansible("pidone.systemd.credential", options, check=check, diff=True)
    secret = args.get("content")
    assert not secret or secret not in str(result), "a secret is told"
    return result


@pytest.fixture
def app(host: Host) -> t.Iterator[None]:
    host.write("/etc/systemd/system/cr-app.service", TOLD.format("/run/cr-seen"))
    host.run("systemctl daemon-reload; systemctl start cr-app", check=True)
    yield
    host.run(
        f"systemctl stop cr-app; rm -rf /etc/systemd/system/cr-app.service* {FILE} /run/cr-seen; systemctl daemon-reload"
    )


@every_version
@pytest.mark.usefixtures("app")
def test_a_service_reads_it(host: Host) -> None:
    wanted: dict[str, t.Any] = {"content": "first secret\n", "on_change": "restart"}
    if host.kind.name == "bullseye":
        result = task(host, **wanted)
        assert result["failed"]
        assert "encrypted credentials need systemd 250, and this host has 247" in result["msg"]
        assert host.run(f"test -e {FILE}").returncode
        return

    def look() -> str:
        told = f"stat -c '%a %i %Y' {FILE} {DROPIN} 2>&1; systemctl show -p InvocationID cr-app; cat /run/cr-seen"
        return host.run(told).stdout

    converge(lambda check: task(host, check, **wanted), look)
    assert host.run("cat /run/cr-seen").stdout == "first secret\n"
    assert host.run(f"stat -c %a {FILE}").stdout == "600\n"
    assert "first" not in host.run(f"cat {FILE} {DROPIN}; grep -rs first /var/lib/pidone.systemd").stdout
    # Another secret, and a time at which it ends.
    wanted = {"content": "second", "on_change": "restart", "not_after": "2090-01-01T00:00:00Z"}
    assert task(host, **wanted)["steps"] == [f"rewrite {FILE}", "try-restart cr-app.service"]
    assert host.run("cat /run/cr-seen").stdout == "second"
    is_idle(task(host, **wanted))
    later = task(host, **{**wanted, "not_after": "2090-01-01T00:00:01Z"})
    assert later["changed"]
    assert later["not_after"] == "2090-01-01T00:00:01Z"
    # One that has ended is of no use, though it says the same.
    assert task(host, content="second")["changed"], "no end is wished for"
    is_idle(task(host, content="second", with_key="host"))
    # Somebody else's file, under this name.
    host.run(f"systemd-creds encrypt --name=other /etc/hostname {FILE}", check=True)
    assert task(host, check=True, content="second")["changed"]
    assert task(host, content="second")["changed"]
    host.run(f"chmod 644 {FILE}")
    assert task(host, content="second")["steps"] == [f"set attributes of {FILE}"]
    gone = task(host, state="absent")
    assert gone["steps"] == [f"remove {DROPIN}", "daemon-reload", f"remove {FILE}"]
    is_idle(task(host, state="absent"))
    assert not host.run(f"ls {FILE} {DROPIN}").stdout


@pytest.mark.lab_kinds("trixie")
@pytest.mark.usefixtures("app")
def test_with_no_key(host: Host) -> None:
    assert task(host, content="open", with_key="null")["changed"]
    is_idle(task(host, content="open", with_key="null"))
    assert task(host, content="open")["changed"], "one that anybody can read is not good enough"
    is_idle(task(host, content="open"))


@pytest.mark.lab_kinds("trixie")
def test_of_a_user(host: Host) -> None:
    host.run(f"useradd -m {USER}", check=True)
    try:
        done = host.ansible("pidone.systemd.user_manager", {"name": USER})
        assert not done["failed"], done["msg"]
        directory = f"/home/{USER}/.config"
        mine: dict[str, t.Any] = {"scope": "user", "user": USER, "content": "hers alone"}
        refused = task(host, **mine)
        assert refused["failed"]
        assert "unit: the manager of a user of systemd 257 cannot decrypt" in refused["msg"]
        mine["unit"] = None
        assert task(host, **mine)["changed"]
        is_idle(task(host, **mine))
        assert host.run(f"stat -c '%U %a' {directory}/credstore.encrypted/cr-db").stdout == f"{USER} 600\n"
        decrypt = f"systemd-creds --user --name=cr-db decrypt {directory}/credstore.encrypted/cr-db -"
        assert host.run(f"runuser -u {USER} -- {decrypt}").stdout == "hers alone"
        assert not host.run(f"runuser -u deploy -- {decrypt}").stdout
        # A link of the user's leads root nowhere.
        host.run(f"rm {directory}/credstore.encrypted/cr-db; ln -s /etc/shadow {directory}/credstore.encrypted/cr-db")
        refused = task(host, **mine)
        assert refused["failed"]
        assert "is a link" in refused["msg"]
    finally:
        host.run(
            f"loginctl disable-linger {USER}; systemctl stop user@$(id -u {USER}); "
            f"for i in $(seq 600); do pgrep -u {USER} >/dev/null || break; sleep 0.1; done; userdel -r {USER}"
        )


@pytest.mark.lab_kinds("bookworm")
def test_instances_of_a_template_and_the_largest_secret(host: Host) -> None:
    host.write("/etc/systemd/system/cr-app@.service", TOLD.format("/run/cr-seen-%i"))
    host.run("systemctl daemon-reload", check=True)
    try:
        wanted: dict[str, t.Any] = {"unit": "cr-app@.service", "on_change": "restart"}
        assert task(host, content="x" * 100, **wanted)["changed"]
        host.run("systemctl start cr-app@1", check=True)
        largest = "0123456789abcdef" * (750 * 64)
        done = task(host, content=largest, **wanted)
        assert done["steps"] == [f"rewrite {FILE}", "try-restart cr-app@1.service"]
        assert host.run("cat /run/cr-seen-1").stdout == largest
        is_idle(task(host, content=largest, **wanted))
        assert task(host, unit="cr-app@.service", state="absent")["changed"]
    finally:
        host.run(
            "systemctl stop 'cr-app@*'; rm -rf /etc/systemd/system/cr-app@.service* /run/cr-seen-1; systemctl daemon-reload"
        )
