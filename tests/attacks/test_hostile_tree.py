# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees (`root`) made by somebody who is up to no good: whatever links and programs they hold, the host stays as it is."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import parse_table, read_table
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from tests.lab.host import Host

TREE = "/srv/hostile"
SYSTEM = "/etc/systemd/system"
SERVICE = {"Service": {"ExecStart": "/bin/sleep 100000"}, "Install": {"WantedBy": "multi-user.target"}}

# Of a tree that is otherwise a good one: what is a link there, and where it leads.
LAYOUTS: dict[str, dict[str, str]] = {
    "units": {"etc/systemd/system": SYSTEM},
    "units, upwards": {"etc/systemd/system": "../../../../../../etc/systemd/system"},
    "etc": {"etc": "/etc"},
    "run": {"run/systemd/system": SYSTEM},
    "wants": {
        f"etc/systemd/system/{name}": f"{SYSTEM}/{name}"
        for name in ("multi-user.target.wants", "timers.target.wants", "at-victim.service.d")
    },
    "stamps": {"var/lib": "/var/lib"},
    "by another name": {"etc/systemd/system": "/srv/host/system", "run/systemd/system": "../../../host/system"},
}
# What is done in the trees: the module, and its options. First what works on files, then what has systemctl make links.
FILES: list[tuple[str, dict[str, t.Any]]] = [
    ("unit_file", {"name": "at-new.service", "sections": SERVICE, "activate": True}),
    ("unit_file", {"name": "at-victim.service", "sections": SERVICE, "enabled": True}),
    ("unit_file", {"name": "at-victim.service", "dropin": "x", "sections": {"Unit": {"Description": "x"}}}),
    ("unit_file", {"name": "at-victim.service", "dropin": "own", "state": "absent"}),
    ("unit_file", {"name": "at-victim.service", "state": "absent"}),
    ("unit_file", {"name": "at-victim.service", "state": "absent", "runtime": True}),
    ("unit_file", {"name": "at-other.service", "state": "absent"}),
    (
        "timer",
        {
            "timers": [{"name": "at-new", "OnCalendar": "daily", "unit": "at-victim.service"}],
            "marker": "at",
            "purge": True,
        },
    ),
    ("timer", {"name": "at-old", "state": "absent"}),
    ("timer", {"name": "at-victim", "OnCalendar": "daily", "unit": "at-victim.service", "enabled": False}),
]
LINKS: list[tuple[str, dict[str, t.Any]]] = [
    ("unit", {"name": "at-victim.service", "enabled": False}),
    ("unit", {"name": "at-victim.service", "enabled": True}),
    ("unit", {"name": "at-victim.service", "masked": True, "force": True}),
    ("unit", {"name": "at-masked.service", "masked": False}),
    ("unit", {"name": "at-old.timer", "preset": True}),
    ("manager", {"default_target": "rescue.target"}),
]

READ: list[tuple[str, dict[str, t.Any]]] = [
    ("unit_info", {"name": ["at-*"]}),
    ("timer_info", {"name": ["at-*"]}),
    ("security_info", {"name": ["at-*"]}),
]
# Of these, each way to the directory of units.
CIRCLE = [FILES[0], FILES[4], FILES[7], LINKS[2], LINKS[5], *READ]

pytestmark = pytest.mark.lab_kinds("bookworm")


def shell(host: Host, script: str) -> str:
    done = host.run(f"set -eu\n{script}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def picture(host: Host) -> str:
    """All that the tasks could change outside of the tree: every entry with what would tell that it was touched."""
    return shell(
        host,
        # Scopes of logins come and go.
        "find /etc/systemd /run/systemd/system /run/systemd/transient /srv/host /srv/unseen "
        "! -path /run/systemd/transient ! -path '/run/systemd/transient/session-*' -printf '%p %y %i %m %u %l %C@\\n' 2>/dev/null "
        "| sort; find /var/lib/systemd/timers -name '*at-*' -printf '%p %i %C@\\n'; ls -d /tmp/at-*",
    )


def act(host: Host, module: str, args: dict[str, t.Any], check: bool = False) -> dict[str, t.Any]:
    """Run one task in the tree; it succeeds, or fails with a clear message, but never with a traceback."""
    result = host.ansible(f"pidone.systemd.{module}", {**args, "root": TREE}, check=check)
    check_clear(result)
    return result


def check_clear(result: dict[str, t.Any]) -> None:
    """A failure is one of ours: neither a traceback nor Python's words for an error of the system."""
    said = f"{result.get('msg')} {result.get('exception')} {result.get('module_stderr')}"
    assert not any(word in said for word in ("Traceback (most", "Module failed", "[Errno")), result


@pytest.fixture(scope="module")
def victim(host: Host) -> t.Iterator[None]:
    """What is there to lose on the host."""
    unit = "[Service]\nExecStart=/bin/sleep 100000\n[Install]\nWantedBy=multi-user.target\n"
    shell(
        host,
        f"""
        mkdir -p {SYSTEM}/at-victim.service.d /usr/lib/systemd/system /srv/host /srv/unseen /tmp/at-was
        printf '{unit}' > {SYSTEM}/at-victim.service
        printf '[Unit]\\nDescription=own\\n' > {SYSTEM}/at-victim.service.d/own.conf
        ln -s {SYSTEM} /srv/host/system
        ln -s /dev/null {SYSTEM}/at-masked.service
        printf '{unit}' > /usr/lib/systemd/system/at-other.service
        systemctl enable at-victim.service at-other.service
        """,
    )
    args = {"name": "at-old", "marker": "at", "command": "/bin/true", "OnCalendar": "daily", "Persistent": True}
    done = host.ansible("pidone.systemd.timer", args)
    assert not done["failed"], done["msg"]
    assert host.exists("/var/lib/systemd/timers/stamp-at-old.timer")
    yield
    host.ansible("pidone.systemd.timer", {"name": "at-old", "state": "absent"})
    shell(
        host,
        f"""
        systemctl disable at-victim.service at-other.service
        rm -rf /usr/lib/systemd/system/at-other.service {SYSTEM}/at-* /srv/host /srv/unseen /tmp/at-* {TREE}
        # Where /lib is a directory of its own, nothing else is there, and other tests count on that.
        rmdir --ignore-fail-on-non-empty /usr/lib/systemd/system
        systemctl daemon-reload
        """,
    )


def plant(host: Host, links: dict[str, str]) -> None:
    """A tree with a systemd's directories, a unit of its own, and these links in place of what was there."""
    lines = [
        f"rm -rf {TREE}",
        f"mkdir -p {TREE}/etc/systemd/system {TREE}/run/systemd/system {TREE}/usr/lib/systemd/system {TREE}/var/lib/systemd/timers",
        f"mkdir -p {TREE}/bin; touch {TREE}/bin/sleep; chmod 755 {TREE}/bin/sleep",
        f"cp {SYSTEM}/at-victim.service {SYSTEM}/at-old.timer {TREE}/usr/lib/systemd/system/",
        f"ln -s usr/lib {TREE}/lib",
    ]
    for path, target in links.items():
        lines.append(f"rm -rf {TREE}/{path}; mkdir -p $(dirname {TREE}/{path}); ln -s {target} {TREE}/{path}")
    shell(host, "\n".join(lines))


@pytest.mark.usefixtures("victim")
class TestLinks:
    @pytest.mark.parametrize("layout", ["run", "wants", "by another name"])
    def test_the_host_stays_as_it_is(self, host: Host, layout: str) -> None:
        plant(host, LAYOUTS[layout])
        before = picture(host)
        for module, args in FILES:
            act(host, module, args)
            assert picture(host) == before, (module, args)

    @pytest.mark.lab_kinds("bullseye", "bookworm", "trixie")
    @pytest.mark.parametrize("layout", ["wants", "by another name"])
    def test_systemctl_is_not_let_out(self, host: Host, layout: str) -> None:
        plant(host, LAYOUTS[layout])
        before = picture(host)
        for module, args in LINKS:
            result = act(host, module, args)
            assert result["failed"], (module, args)
            if layout == "wants":
                assert f"root: the links at {TREE}{SYSTEM}/" in result["msg"], (module, args)
                assert ".target.wants go round in a circle" in result["msg"], (module, args)
            else:
                assert f"root: {TREE}{SYSTEM} leads out of the tree" in result["msg"], (module, args)
                assert "make it a relative link" in result["msg"], (module, args)
            assert picture(host) == before, (module, args)

    @pytest.mark.parametrize("layout", ["units", "units, upwards", "etc"])
    def test_circles_are_said_in_check_mode_too(self, host: Host, layout: str) -> None:
        """An absolute link holds inside of the tree, and so leads to itself."""
        plant(host, LAYOUTS[layout])
        before = picture(host)
        for module, args in CIRCLE[: None if layout == "units" else 3]:
            for check in (True, False):
                result = act(host, module, args, check)
                assert result["failed"], (module, args)
                assert f"root: the links at {TREE}/etc/systemd/system" in result["msg"], (module, args)
                assert "go round in a circle" in result["msg"]
                assert picture(host) == before, (module, args)

    def test_stamps_of_the_host_are_not_those_of_a_tree(self, host: Host) -> None:
        plant(host, LAYOUTS["stamps"])
        before = picture(host)
        result = act(host, "timer", {"name": "at-old", "state": "absent"})
        assert picture(host) == before
        assert result["failed"]
        assert (
            f"root: the links at {TREE}/var/lib/systemd/timers/stamp-at-old.timer go round in a circle" in result["msg"]
        )


@pytest.mark.usefixtures("victim")
class TestPrograms:
    def test_nothing_of_a_tree_is_run(self, host: Host) -> None:
        """Neither its systemd, which would leave a bare chroot at once, nor its tools for System V scripts."""
        plant(host, {})
        script = "#!/bin/sh\ntouch /tmp/at-pwned /proc/1/root/tmp/at-pwned\n"
        for path in (
            "usr/lib/systemd/systemd",
            "usr/lib/systemd/systemd-sysv-install",
            "usr/sbin/update-rc.d",
            "usr/bin/systemctl",
        ):
            host.write(f"{TREE}/{path}", script, 0o755)
        shell(
            host,
            f"""
            cp -L /bin/sh /usr/bin/touch {TREE}/usr/bin/; rm -rf {TREE}/bin; ln -s usr/bin {TREE}/bin
            for file in $(ldd /bin/sh /usr/bin/touch | grep -o '/[^ ]*\\.so[^ ]*'); do
                mkdir -p $(dirname {TREE}/$file); cp -L $file {TREE}/$file
            done
            ln -sfn usr/lib64 {TREE}/lib64; mkdir -p {TREE}/usr/lib64 {TREE}/tmp; cp -L /lib64/ld-linux* {TREE}/usr/lib64/
            touch {TREE}/usr/bin/sleep; chmod 755 {TREE}/usr/bin/sleep
            mkdir -p {TREE}/etc/init.d
            printf '#!/bin/sh\\n### BEGIN INIT INFO\\n# Provides: at-sysv\\n# Default-Start: 3\\n# Default-Stop:\\n### END INIT INFO\\n' \
                > {TREE}/etc/init.d/at-sysv
            chmod 755 {TREE}/etc/init.d/at-sysv
            chroot {TREE} /usr/sbin/update-rc.d || true
            test -e {TREE}/tmp/at-pwned; rm {TREE}/tmp/at-pwned
            """,
        )
        before = picture(host)
        for check in (True, False):
            done = act(host, "unit_file", {"name": "at-run", "sections": SERVICE, "enabled": True}, check)
            assert not done["failed"], done["msg"]
            assert any("could not be read from" in warning for warning in done["warnings"]), done["warnings"]
            timer = {"name": "at-run2", "command": "/bin/sleep 1", "OnCalendar": "daily", "unsupported": "drop"}
            done = act(host, "timer", timer, check)
            assert not done["failed"], done["msg"]
            done = act(host, "unit", {"name": "at-sysv.service", "enabled": True}, check)
        assert done["failed"], "a script has no unit file"
        assert not host.exists(f"{TREE}/tmp/at-pwned")
        assert picture(host) == before


@pytest.mark.lab_kinds("bullseye", "bookworm", "trixie")
def test_what_the_systemd_of_a_tree_knows_is_read(host: Host) -> None:
    """The same directives as the program tells when it is run, and of those that were dropped some more."""
    told = parse_table(shell(host, "/lib/systemd/systemd --dump-configuration-items"))
    read, program = read_table(Tree(str(host.root)))
    assert read is not None, program
    assert program.startswith(f"{host.root}/")
    known = {section: set(keys) for section, keys in told.items() if keys}
    assert known.keys() == read.keys()
    dropped = {"Capabilities", "NetClass", "BusPolicy", "SysVStartPriority", "IgnoreOnSnapshot"}
    for section, keys in known.items():
        assert keys <= set(read[section]), section
        assert set(read[section]) - keys <= dropped, section


class TestGoodTrees:
    """What images of distributions are like, and what those do who make them."""

    def test_links_that_hold_inside_are_followed(self, host: Host) -> None:
        shell(
            host,
            f"""
            rm -rf {TREE} {TREE}-link
            mkdir -p {TREE}/opt/units {TREE}/usr/lib/systemd/system {TREE}/etc/systemd {TREE}/usr/bin {TREE}/var/lib/systemd/timers
            touch {TREE}/usr/bin/sleep; chmod 755 {TREE}/usr/bin/sleep
            ln -s usr/bin {TREE}/bin; ln -s /usr/lib {TREE}/lib; ln -s var/run {TREE}/run
            ln -s ../../opt/units {TREE}/etc/systemd/system
            printf '[Service]\\nExecStart=/bin/sleep 1\\n[Install]\\nWantedBy=multi-user.target\\nAlias=tg-alias.service\\n' \
                > {TREE}/usr/lib/systemd/system/tg-own.service
            touch {TREE}/var/lib/systemd/timers/stamp-tg-timer.timer
            ln -s {TREE} {TREE}-link
            """,
        )
        try:
            for root in (TREE, f"{TREE}-link"):
                self.use(host, root)
        finally:
            shell(host, f"rm -rf {TREE} {TREE}-link")

    def use(self, host: Host, root: str) -> None:
        units = f"{TREE}/opt/units"

        def good(module: str, **args: t.Any) -> dict[str, t.Any]:
            results = []
            for check in (True, False, False):
                results.append(host.ansible(f"pidone.systemd.{module}", {**args, "root": root}, check=check))
                assert not results[-1]["failed"], results[-1]["msg"]
            assert [result["changed"] for result in results] == [True, True, False], (module, args)
            return results[1]

        done = good("unit_file", name="tg-new", sections=SERVICE, enabled=True)
        assert done["path"] == f"{root}/opt/units/tg-new.service"
        assert host.read(f"{units}/tg-new.service").startswith("[Service]")
        assert host.exists(f"{units}/multi-user.target.wants/tg-new.service")
        good("unit_file", name="tg-own", dropin="x", sections={"Unit": {"Description": "mine"}})
        assert host.exists(f"{units}/tg-own.service.d/x.conf")
        good("unit", name="tg-own", enabled=True)
        # Such links are absolute, and hold inside.
        found = host.ansible("pidone.systemd.unit_info", {"name": "tg-*", "root": root})
        states = {unit["name"]: (unit["exists"], unit["enabled"]) for unit in found["units"]}
        assert states["tg-own.service"] == states["tg-new.service"] == (True, True)
        good("unit", name="tg-none.service", masked=True)
        good("unit", name="tg-none.service", masked=False)
        good("timer", name="tg-timer", OnCalendar="daily", unit="tg-own.service")
        (timer,) = host.ansible("pidone.systemd.timer_info", {"name": "tg-timer", "root": root})["timers"]
        assert timer["enabled"] is True
        assert timer["fragment_path"] == f"{root}/opt/units/tg-timer.timer"
        good("timer", name="tg-timer", state="absent")
        assert host.exists(f"{TREE}/var/lib/systemd/timers/stamp-tg-timer.timer") is False
        good("unit", name="tg-own", enabled=False)
        good("unit_file", name="tg-own", dropin="x", state="absent")
        good("unit_file", name="tg-new", state="absent")
        assert shell(host, f"find {units} -mindepth 1") == ""
        shell(host, f"touch {TREE}/var/lib/systemd/timers/stamp-tg-timer.timer")


class TestFiles:
    """What is no unit file, where unit files are: nothing waits for it, nothing is filled by it, and it is named."""

    SPOILED = """
        mkfifo {units}/tf-pipe.service {units}/tf-pipe.timer
        mkdir {units}/tf-directory.timer
        truncate -s 100G {units}/tf-huge.service {units}/tf-huge.timer
        ln -s /dev/zero {units}/tf-zero.service
        ln -s tf-loop.service {units}/tf-loop.service
        ln -s nowhere {units}/tf-nowhere.service
        mkdir {units}/tf-one@.service.d
        printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=default.target\\nAlso=tf-x.service\\n' > {units}/tf-one@.service
        mkfifo {units}/tf-one@.service.d/x.conf
        printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n' > {units}/tf-good.timer
        printf '[Service]\\nExecStart=/bin/true\\n' > {units}/tf-good.service
        mkfifo {stamps}/stamp-tf-good.timer
        mkdir {stamps}/stamp-tf-gone.timer
    """

    def spoil(self, host: Host, units: str, stamps: str) -> None:
        shell(host, f"mkdir -p {units} {stamps}" + self.SPOILED.format(units=units, stamps=stamps))

    def tasks(self, host: Host, units: str, stamps: str, **where: t.Any) -> None:
        def failed(module: str, *words: str, **args: t.Any) -> None:
            for check in (True, False):
                result = host.ansible(f"pidone.systemd.{module}", {**args, **where}, check=check)
                check_clear(result)
                assert result["failed"], (module, args)
                for word in words:
                    assert word in result["msg"], (module, args)

        text = {"Unit": {"Description": "x"}}
        failed("unit_file", f"{units}/tf-pipe.service", "not a regular file", name="tf-pipe", sections=SERVICE)
        failed("unit_file", f"{units}/tf-pipe.service: it is a named pipe", name="tf-pipe", dropin="x", sections=text)
        failed(
            "unit_file", f"{units}/tf-huge.service: it is larger than 1 MiB", name="tf-huge", dropin="x", sections=text
        )
        failed("timer", f"{units}/tf-pipe.timer", "not a regular file", name="tf-pipe", state="absent")
        failed("timer", f"{stamps}/stamp-tf-good.timer", "not a regular file", name="tf-good", state="absent")

    def test_in_a_tree(self, host: Host) -> None:
        shell(host, f"rm -rf {TREE}; mkdir -p {TREE}/bin; touch {TREE}/bin/sleep; chmod 755 {TREE}/bin/sleep")
        units, stamps = f"{TREE}{SYSTEM}", f"{TREE}/var/lib/systemd/timers"
        self.spoil(host, units, stamps)
        self.tasks(host, units, stamps, root=TREE)
        found = act(host, "timer_info", {"name": "tf-*"})
        assert not found["failed"], found["msg"]
        assert {"tf-good.timer", "tf-pipe.timer"} <= {timer["name"] for timer in found["timers"]}
        assert any("tf-pipe.timer: it is a named pipe" in warning for warning in found["warnings"])
        found = act(host, "unit_info", {"name": "tf-*"})
        assert not found["failed"], found["msg"]
        states = {unit["name"]: unit["unit_file_state"] for unit in found["units"]}
        assert (states["tf-good.service"], states["tf-pipe.service"], states["tf-huge.service"]) == (
            "static",
            "bad",
            "bad",
        )
        result = act(host, "unit", {"name": "tf-good.timer", "preset": True})
        assert "name: systemctl cannot look at tf-" in result["msg"]
        for name, what in [
            ("tf-pipe", "it is a named pipe"),
            ("tf-huge", "it is larger than 1 MiB"),
            ("tf-nowhere", "is a link that leads nowhere"),
        ]:
            result = act(host, "unit", {"name": f"{name}.service", "enabled": True})
            assert result["failed"]
            assert f"{name}.service" in result["msg"]
            assert what in result["msg"]
        result = act(host, "unit", {"name": "tf-one@1.service", "enabled": True})
        assert "tf-one@.service.d/x.conf: it is a named pipe" in result["msg"]
        shell(host, f"rm -rf {TREE}")

    def test_of_a_user(self, host: Host) -> None:
        units, stamps = "/home/deploy/.config/systemd/user", "/home/deploy/.local/share/systemd/timers"
        shell(
            host,
            """
            loginctl enable-linger deploy
            for i in $(seq 600); do [ -S /run/user/$(id -u deploy)/systemd/private ] && exit 0; sleep 0.1; done; exit 1
            """,
        )
        self.spoil(host, units, stamps)
        shell(host, "chown -Rh deploy: /home/deploy/.config /home/deploy/.local")
        try:
            self.tasks(host, units, stamps, scope="user", user="deploy")
        finally:
            shell(
                host,
                "loginctl disable-linger deploy; rm -rf /home/deploy/.config/systemd /home/deploy/.local/share/systemd",
            )

    @pytest.mark.parametrize("kind", ["loop", "file", "closed"])
    def test_a_directory_of_units_that_is_none(self, host: Host, kind: str) -> None:
        home = "/home/deploy/.config/systemd"
        made = {"loop": f"ln -s user {home}/user", "file": f"touch {home}/user", "closed": f"mkdir -m 0 {home}/user"}[
            kind
        ]
        shell(host, f"loginctl enable-linger deploy; mkdir -p {home}; {made}; chown -hR deploy: /home/deploy/.config")
        timer = {"name": "tf-new", "OnCalendar": "daily", "command": "/bin/true"}
        args = {"timers": [timer], "purge": True, "scope": "user", "user": "deploy"}
        try:
            for check in (True, False):
                result = host.ansible("pidone.systemd.timer", args, check=check)
                check_clear(result)
                if kind != "closed":
                    assert result["failed"]
                    assert f"{home}/user" in result["msg"]
        finally:
            shell(host, f"loginctl disable-linger deploy; rm -rf {home}")

    def test_journal_files(self, host: Host) -> None:
        shell(
            host,
            "mkdir -p /srv/tf-journal; mkfifo /srv/tf-journal/system.journal; ln -s /dev/zero /srv/tf-journal/user-1.journal",
        )
        try:
            result = host.ansible("pidone.systemd.journal_info", {"directory": "/srv/tf-journal", "timeout": "20s"})
            assert result["failed"] or result["entries"] == []
            for wrong in ("/srv/none", "", "/etc/hostname"):
                result = host.ansible("pidone.systemd.journal_info", {"directory": wrong})
                assert result["failed"]
                assert result["msg"].startswith("directory: ")
        finally:
            shell(host, "rm -rf /srv/tf-journal")
