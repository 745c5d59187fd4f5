# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `unit` and the links by which units are enabled: all that [Install] asks for, none that is left, none by halves."""

from __future__ import annotations

import typing as t

import pytest

from tests.hosts.test_unit import converge, good, is_active, is_enabled, refused, run
from tests.lab.fixtures import every_version
from tests.lab.host import Host

ETC, LIB = "/etc/systemd/system", "/usr/local/lib/systemd/system"
SERVICE = "[Service]\nExecStart=/bin/sleep 100000\n"
WANTED = "[Install]\nWantedBy=multi-user.target\n"
WANTS = f"{ETC}/multi-user.target.wants"
TREE = "/srv/ul"
SCRIPT = """#!/bin/sh
### BEGIN INIT INFO
# Provides: ul-script
# Required-Start: $local_fs
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: a script of the tests
### END INIT INFO
exit 0
"""


@pytest.fixture(autouse=True)
def clean(host: Host) -> t.Iterator[None]:
    """Nothing of these tests is left on the host."""
    host.run(f"mkdir -p {LIB}", check=True)
    yield
    host.run(
        "systemctl stop 'ul*'; systemctl disable reboot.target; rm -f /etc/init.d/ul-script /etc/rc?.d/*ul-script "
        "/etc/systemd/system/ctrl-alt-del.target /etc/systemd/system-preset/00-ul.preset; "
        f"find /etc/systemd /run/systemd/system {LIB} /usr/local/lib/systemd/user /opt -name 'ul*' -delete; rm -rf {TREE}; "
        f"rm -rf /etc/systemd/system/ul*.d {LIB}/ul*.d; systemctl daemon-reload; systemctl reset-failed"
    )


def write(host: Host, *files: tuple[str, str]) -> None:
    for path, text in files:
        host.write(path, text)
    host.run("systemctl daemon-reload", check=True)


def target(host: Host, path: str) -> str:
    return host.run(["readlink", path]).stdout.strip()


class TestMasks:
    """Disabled and masked means that no link is left."""

    @pytest.mark.parametrize("name", ["ul-a", "ul-t@1"])
    def test_disabled_then_masked(self, host: Host, name: str) -> None:
        write(host, (f"{LIB}/{name.replace('@1', '@')}.service", SERVICE + WANTED))
        host.run(["systemctl", "enable", name], check=True)
        done = converge(host, name=name, enabled=False, masked=True)
        assert [step.split()[0] for step in done["steps"]] == ["disable", "mask", "daemon-reload"]
        assert not host.exists(f"{WANTS}/{name}.service")
        converge(host, name=name, masked=False)
        assert is_enabled(host, name) == ["disabled"]

    @pytest.mark.parametrize("masked", [True, False, None])
    def test_links_below_a_mask_go(self, host: Host, masked: bool | None) -> None:
        write(host, (f"{LIB}/ul-a.service", SERVICE + WANTED + "Alias=ul-nick.service\n"))
        host.run("systemctl enable ul-a; systemctl mask ul-a", check=True)
        done = converge(host, name="ul-a", enabled=False, **({} if masked is None else {"masked": masked}))
        assert sorted(link["path"] for link in done["links"] if "ul-a.service" not in link["path"] or "wants" in link["path"]) == [
            f"{WANTS}/ul-a.service",
            f"{ETC}/ul-nick.service",
        ]
        assert is_enabled(host, "ul-a") == ["disabled" if masked is False else "masked"]
        good(host, name="ul-a", masked=False)
        assert is_enabled(host, "ul-a") == ["disabled"]

    def test_a_failure_puts_them_back(self, host: Host) -> None:
        write(host, (f"{LIB}/ul-a.service", SERVICE + WANTED), (f"{LIB}/ul-bad.service", "[Service]\nExecStart=/bin/false\n"))
        host.run("systemctl enable ul-a; systemctl mask ul-a", check=True)
        result = run(host, name=["ul-a", "ul-bad"], enabled=False, masked=False, state="started", rollback=True)
        assert result["failed"]
        assert host.exists(f"{WANTS}/ul-a.service")
        assert is_enabled(host, "ul-a") == ["masked"]

    def test_disabling_clears_the_place_of_the_mask(self, host: Host) -> None:
        host.run("systemctl enable reboot.target", check=True)
        assert host.exists(f"{ETC}/ctrl-alt-del.target")
        refused(host, "is a link in the place of the mask", "`force: true`", name="ctrl-alt-del.target", masked=True)
        converge(host, name="ctrl-alt-del.target", enabled=False, masked=True)
        assert target(host, f"{ETC}/ctrl-alt-del.target") == "/dev/null"


class TestUnitsThatAreGone:
    """Links to them are removed by whoever disables them."""

    def test_gone(self, host: Host) -> None:
        host.run(f"mkdir -p {WANTS}; ln -s {LIB}/ul-gone.service {LIB}/ul-gone@1.service {WANTS}/", check=True)
        done = converge(host, name=["ul-gone", "ul-gone@1"], enabled=False)
        assert done["links"][0] == {"type": "unlink", "path": f"{WANTS}/ul-gone.service", "target": ""}
        assert [unit["changed"] for unit in done["units"]] == [True, True]
        assert not host.exists(f"{WANTS}/ul-gone.service")
        assert not host.exists(f"{WANTS}/ul-gone@1.service")
        result = good(host, name="ul-never", enabled=False)
        assert not result["changed"]
        assert "no such unit" in result["warnings"][0]

    def test_gone_but_running(self, host: Host) -> None:
        write(host, (f"{LIB}/ul-gone.service", SERVICE + WANTED))
        host.run(f"systemctl enable --now ul-gone; rm {LIB}/ul-gone.service; systemctl daemon-reload", check=True)
        done = converge(host, name="ul-gone", enabled=False, state="stopped")
        assert [step.split()[0] for step in done["steps"]] == ["stop", "unlink", "daemon-reload"]
        assert not host.exists(f"{WANTS}/ul-gone.service")

    def test_in_a_tree(self, host: Host) -> None:
        wants = f"{TREE}/etc/systemd/system/multi-user.target.wants"
        host.run(f"mkdir -p {wants}; ln -s /usr/lib/systemd/system/ul-gone.service {wants}/", check=True)
        converge(host, root=TREE, name="ul-gone", enabled=False)
        assert not host.exists(f"{wants}/ul-gone.service")

    def test_a_linked_unit_goes_with_its_links(self, host: Host) -> None:
        host.write("/opt/ul-linked.service", SERVICE + WANTED)
        host.run("systemctl enable /opt/ul-linked.service", check=True)
        done = converge(host, name="ul-linked", enabled=False)
        assert done["units"][0]["after"].endswith("disabled and unlinked")
        assert "/opt/ul-linked.service" in done["warnings"][0]
        refused(host, "state: linked", "pidone.systemd.unit_file", name="/opt/ul-linked.service", enabled=True)


class TestAllLinks:
    """A unit is enabled when all links are there that [Install] asks for."""

    @pytest.mark.parametrize("runtime", [False, True])
    def test_links_that_install_gained(self, host: Host, runtime: bool) -> None:
        write(host, (f"{LIB}/ul-a.service", SERVICE + WANTED), (f"{LIB}/ul-t@.service", SERVICE + WANTED))
        where = "/run/systemd/system" if runtime else ETC
        names = ["ul-a", "ul-t@1"]
        converge(host, name=names, enabled=True, runtime=runtime)
        more = "WantedBy=ul-%p.target\nAlias=ul-n%i.service\nRequiredBy=ul-r.service\n"
        write(host, (f"{LIB}/ul-a.service", SERVICE + WANTED + more))
        write(host, (f"{LIB}/ul-t@.service.d/more.conf", "[Install]\nWantedBy=ul-%i.target\n"))
        done = converge(host, name=names, enabled=True, runtime=runtime)
        assert done["steps"] == ["enable ul-a.service, ul-t@1.service", "daemon-reload"]
        assert "with the links that were missing" in done["units"][0]["after"]
        for link in ("ul-ul-a.target.wants/ul-a.service", "ul-n.service", "ul-r.service.requires/ul-a.service", "ul-1.target.wants/ul-t@1.service"):
            assert host.exists(f"{where}/{link}"), link
        converge(host, name=names, enabled=False, runtime=runtime)

    def test_aliases_of_instances_and_names_that_systemd_knows_alone(self, host: Host) -> None:
        install = "Alias=ul-nick@.service\nWantedBy=ul-%H.target %i.target\nUpheldBy=ul-up.target\n"
        write(host, (f"{LIB}/ul-t@.service", SERVICE + WANTED + install))
        host.run("systemctl enable ul-t@x", check=True)
        assert not good(host, name="ul-t@x", enabled=True)["changed"], "systemd has made all that there is to make"
        host.run(f"rm {WANTS}/ul-t@x.service", check=True)
        converge(host, name="ul-t@x", enabled=True)

    def test_in_a_tree_and_for_all_users(self, host: Host) -> None:
        unit = f"{TREE}/usr/lib/systemd/system/ul-a.service"
        host.write(unit, SERVICE + WANTED)
        converge(host, root=TREE, name="ul-a", enabled=True)
        host.write(unit, SERVICE + WANTED + "WantedBy=ul-b.target\n")
        converge(host, root=TREE, name="ul-a", enabled=True)
        assert host.run(f"find {TREE} -name ul-a.service -type l | wc -l").stdout.strip() == "2"
        unit = "/usr/local/lib/systemd/user/ul-g.service"
        host.write(unit, SERVICE + WANTED)
        converge(host, scope="global", name="ul-g", enabled=True)
        host.write(unit, SERVICE + WANTED + "WantedBy=ul-b.target\n")
        converge(host, scope="global", name="ul-g", enabled=True)
        assert host.exists("/etc/systemd/user/ul-b.target.wants/ul-g.service")
        converge(host, scope="global", name="ul-g", enabled=False)

    def test_a_link_goes_with_the_dropin_that_asked_for_it(self, host: Host) -> None:
        write(host, (f"{LIB}/ul-a.service", SERVICE + WANTED))
        file = {"name": "ul-a", "dropin": "more"}
        sections = {"Install": {"WantedBy": "ul-b.target"}}
        done = host.ansible("pidone.systemd.unit_file", {**file, "sections": sections, "enabled": True})
        assert not done["failed"], done["msg"]
        assert host.exists(f"{ETC}/ul-b.target.wants/ul-a.service")
        for changed in (True, False):
            done = host.ansible("pidone.systemd.unit_file", {**file, "state": "absent"})
            assert (done["failed"], done["changed"]) == (False, changed)
            assert not host.exists(f"{ETC}/ul-b.target.wants/ul-a.service")
            assert host.exists(f"{WANTS}/ul-a.service")


class TestNamesThatAreTaken:
    """One name is one unit's: who does not get it is not enabled by halves."""

    @pytest.fixture(autouse=True)
    def two(self, host: Host) -> None:
        for name in ("ul-a", "ul-b"):
            write(host, (f"{LIB}/{name}.service", SERVICE + WANTED + "Alias=ul-dm.service\n"))
        host.run("systemctl enable ul-a", check=True)

    def test_unit(self, host: Host) -> None:
        words = (f"{ETC}/ul-dm.service", "ul-a.service first", "`force: true`")
        refused(host, *words, name="ul-b", enabled=True)
        # Another one, or an earlier version, has enabled it by halves.
        host.run("systemctl enable ul-b")
        assert is_enabled(host, "ul-b") == ["enabled"]
        refused(host, *words, name="ul-b", enabled=True)
        refused(host, "both ask for the name ul-dm.service", name=["ul-a", "ul-b"], enabled=True, force=True)
        converge(host, name="ul-b", enabled=True, force=True)
        assert target(host, f"{ETC}/ul-dm.service").endswith("/ul-b.service")

    def test_unit_file(self, host: Host) -> None:
        options: dict[str, t.Any] = {"name": "ul-c", "activate": True}
        options["sections"] = {"Service": {"ExecStart": "/bin/sleep 1d"}, "Install": {"WantedBy": "multi-user.target", "Alias": "ul-dm.service"}}
        for _run in range(2):
            result = host.ansible("pidone.systemd.unit_file", options)
            assert result["failed"]
            assert "`force: true` of pidone.systemd.unit" in result["msg"]
            assert not host.exists(f"{ETC}/ul-c.service")
            assert is_active(host, "ul-c") == ["inactive"]

    def test_timer(self, host: Host) -> None:
        # A link that leads nowhere is none for systemd 257, which makes its own in its place.
        write(host, (f"{LIB}/ul-a.timer", "[Timer]\nOnCalendar=daily\n"))
        host.run(f"ln -s {LIB}/ul-a.timer {ETC}/ul-dm.timer", check=True)
        timer = {"Install": {"WantedBy": "timers.target", "Alias": "ul-dm.timer"}}
        for _run in range(2):
            result = host.ansible("pidone.systemd.timer", {"name": "ul-c", "OnCalendar": "daily", "command": "/bin/true", "timer": timer})
            assert result["failed"]
            assert "`force: true`" in result["msg"]
            assert not host.exists(f"{ETC}/timers.target.wants/ul-c.timer")

    def test_what_systemd_refuses_leaves_nothing(self, host: Host) -> None:
        """Where no look at [Install] tells it before."""
        write(host, (f"{LIB}/ul-b.service", SERVICE + WANTED + "Alias=ul-%m.service\n"))
        machine = host.run("cat /etc/machine-id").stdout.strip()
        host.run(f"ln -s {LIB}/ul-a.service {ETC}/ul-{machine}.service", check=True)
        result = run(host, name="ul-b", enabled=True)
        assert result["failed"]
        assert "`force: true`" in result["msg"]
        assert not host.exists(f"{WANTS}/ul-b.service")
        assert is_enabled(host, "ul-b") == ["disabled"]


class TestAliasesWithoutAManager:
    """In trees and for all users' managers, a name is followed as a manager follows it."""

    def test_in_a_tree(self, host: Host) -> None:
        host.write(f"{TREE}/etc/systemd/system/ul-a.service", SERVICE + WANTED + "Alias=ul-nick.service\n")
        converge(host, root=TREE, name="ul-a", enabled=True)
        result = good(host, root=TREE, name="ul-nick", enabled=True)
        assert not result["changed"]
        assert result["units"][0]["id"] == "ul-a.service"
        converge(host, root=TREE, name=["ul-a", "ul-nick"], enabled=True)
        converge(host, root=TREE, name="ul-a", enabled=False)
        host.run(f"ln -s ul-a.service {TREE}/etc/systemd/system/ul-hand.service", check=True)
        done = converge(host, root=TREE, name="ul-hand", enabled=True)
        assert done["steps"] == ["enable ul-a.service"]
        assert done["units"][0]["enabled"] is True

    def test_disabled_by_an_alias(self, host: Host) -> None:
        host.write(f"{TREE}/etc/systemd/system/ul-a.service", SERVICE + WANTED + "Alias=ul-nick.service\n")
        good(host, root=TREE, name="ul-a", enabled=True)
        assert good(host, root=TREE, name="ul-nick", enabled=False)["changed"]
        assert host.run(f"find {TREE} -type l").stdout == ""

    def test_for_all_users(self, host: Host) -> None:
        host.write("/usr/local/lib/systemd/user/ul-g.service", SERVICE + WANTED)
        host.run("ln -s ul-g.service /usr/local/lib/systemd/user/ul-gnick.service", check=True)
        done = converge(host, scope="global", name="ul-gnick", enabled=True)
        assert "warnings" not in done
        assert host.exists("/etc/systemd/user/multi-user.target.wants/ul-g.service")
        converge(host, scope="global", name="ul-gnick", enabled=False)


@every_version
class TestPresetsOfInstances:
    """They are what `systemctl preset NAME` makes of them."""

    PRESETS = "enable ul-t@.service one two\ndisable ul-t@*.service extra\ndisable ul-t@a*\nenable ul-u.service x\ndisable ul-[tu]@[1-4]*\n"
    INSTANCES = ("one", "two", "three", "abc", "1", "5")

    def test_as_systemctl_does(self, host: Host) -> None:
        write(host, (f"{LIB}/ul-t@.service", SERVICE + WANTED), ("/etc/systemd/system-preset/00-ul.preset", self.PRESETS))
        names = [f"ul-t@{each}.service" for each in self.INSTANCES]
        told = []
        for before in ("enable", "disable"):
            host.run(["systemctl", before, *names], check=True)
            host.run(["systemctl", "preset", *names], check=True)
            wanted = is_enabled(host, *names)
            host.run(["systemctl", before, *names], check=True)
            done = converge(host, name=names, preset=True)
            assert is_enabled(host, *names) == wanted
            changed = {"enable": "disabled", "disable": "enabled"}[before]
            assert [unit["changed"] for unit in done["units"]] == [state == changed for state in wanted]
            again = good(host, name=names, preset=True)
            assert not any(unit["changed"] for unit in again["units"])
            told.append(wanted)
        assert told[0] == told[1] == ["enabled", "enabled", "enabled", "disabled", "disabled", "enabled"]

    def test_in_a_tree(self, host: Host) -> None:
        host.write(f"{TREE}/usr/lib/systemd/system/ul-t@.service", SERVICE + WANTED)
        host.write(f"{TREE}/usr/lib/systemd/system-preset/00-ul.preset", self.PRESETS)
        done = converge(host, root=TREE, name=["ul-t@one", "ul-t@1"], preset=True)
        assert [unit["enabled"] for unit in done["units"]] == [True, False]


class TestScripts:
    """System V scripts are enabled as systemctl enables them, by the host's own tool."""

    @staticmethod
    def links(host: Host) -> str:
        return host.run("find /etc/rc?.d -name '*ul-script' | sort").stdout

    @pytest.fixture
    def script(self, host: Host) -> None:
        if not host.run("ls /lib/systemd/systemd-sysv-install").stdout:
            pytest.skip("this host has no systemd-sysv-install")
        host.write("/etc/init.d/ul-script", SCRIPT)
        host.run("chmod 755 /etc/init.d/ul-script", check=True)

    @pytest.mark.usefixtures("script")
    @pytest.mark.parametrize("loaded", [True, False])
    def test_enabled_and_disabled(self, host: Host, loaded: bool) -> None:
        if loaded:
            host.run("systemctl daemon-reload", check=True)
        assert run(host, check=True, name="ul-script", enabled=True)["changed"]
        assert self.links(host) == ""
        done = converge(host, name="ul-script", enabled=True)
        assert done["steps"] == ["enable /etc/init.d/ul-script", "daemon-reload"]
        assert is_enabled(host, "ul-script") == ["enabled"]
        assert done["units"][0]["enabled"] is True
        assert {link["path"] for link in done["links"]} >= {"/etc/rc2.d/S01ul-script", "/etc/rc6.d/K01ul-script"}
        ours = self.links(host)
        converge(host, name="ul-script", enabled=False)
        assert is_enabled(host, "ul-script") == ["disabled"]
        host.run("systemctl enable ul-script", check=True)
        assert self.links(host) == ours

    @pytest.mark.usefixtures("script")
    def test_a_failure_puts_the_links_back(self, host: Host) -> None:
        write(host, (f"{LIB}/ul-bad.service", "[Service]\nExecStart=/bin/false\n" + WANTED))
        options: dict[str, t.Any] = {"name": ["ul-script", "ul-bad"], "enabled": True, "state": "started", "rollback": True}
        assert run(host, **options)["failed"]
        assert self.links(host) == ""
        assert is_enabled(host, "ul-bad") == ["disabled"]

    @pytest.mark.usefixtures("script")
    def test_without_the_tool(self, host: Host) -> None:
        host.run("systemctl daemon-reload", check=True)
        host.run("chmod a-x /lib/systemd/systemd-sysv-install", check=True)
        try:
            result = good(host, name="ul-script", enabled=True)
        finally:
            host.run("chmod a+x /lib/systemd/systemd-sysv-install", check=True)
        assert not result["changed"]
        assert "/etc/init.d/ul-script" in result["warnings"][0]
        assert "update-rc.d or chkconfig" in result["warnings"][0]

    @pytest.mark.usefixtures("script")
    def test_started_before_systemd_has_read_it(self, host: Host) -> None:
        done = good(host, name="ul-script", state="started")
        assert done["steps"][:2] == ["daemon-reload", "start ul-script.service"]

    def test_in_a_tree(self, host: Host) -> None:
        host.write(f"{TREE}/etc/init.d/ul-script", SCRIPT)
        refused(host, f"{TREE}/etc/init.d/ul-script", "update-rc.d", root=TREE, name="ul-script", enabled=True, check_too=False)
