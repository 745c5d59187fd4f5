# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules `manager`, `manager_info` and `user_manager` on real hosts."""

from __future__ import annotations

import typing as t

import pytest

from tests import contract
from tests.lab.host import Host


def converge(host: Host, module: str, **args: t.Any) -> dict[str, t.Any]:
    """Plan, do, and do again."""
    return contract.converge(
        lambda check: host.ansible(f"pidone.systemd.{module}", args, check=check, diff=True),
        lambda: contract.picture(host, "mi-*", more="systemctl show -p Environment,LogLevel,LogTarget"),
    )


def facts(host: Host) -> dict[str, t.Any]:
    result = host.ansible("pidone.systemd.manager_info", {"unit_times": True})
    assert not result["failed"], result["msg"]
    manager: dict[str, t.Any] = result["manager"]
    return manager


class TestManager:
    """The manager itself."""

    def test_environment(self, host: Host) -> None:
        assert converge(host, "manager", environment={"MI_A": "1 2", "MI_B": "b"})["changed"]
        assert facts(host)["environment"]["MI_A"] == "1 2"
        assert "MI_B=b" in host.run("systemctl show-environment", check=True).stdout
        assert converge(host, "manager", environment={"MI_A": None, "MI_B": None, "MI_C": None})["changed"]
        assert "MI_" not in host.run("systemctl show-environment", check=True).stdout
        refused = host.ansible("pidone.systemd.manager", {"environment": {"MI_A": ["1"]}})
        assert refused["failed"]
        assert refused["msg"].startswith("environment: MI_A: ")

    def test_default_target(self, host: Host) -> None:
        before = host.run("systemctl get-default", check=True).stdout.strip()
        has_link = host.exists("/etc/systemd/system/default.target")
        other = "rescue.target" if before != "rescue.target" else "multi-user.target"
        # What is so already is no reason to reload.
        both = {"default_target": before, "daemon_reload": "auto", "environment": {"MI_D": "1"}}
        assert converge(host, "manager", **both)["steps"] == ["set MI_D"]
        host.run("systemctl unset-environment MI_D", check=True)
        try:
            assert converge(host, "manager", default_target=other.removesuffix(".target"))["changed"]
            assert host.run("systemctl get-default", check=True).stdout.strip() == other
            assert facts(host)["default_target"] == other
            assert converge(host, "manager", default_target="poweroff.target", root="/")["changed"]
            assert host.run("systemctl get-default", check=True).stdout.strip() == "poweroff.target"
        finally:
            back = f"systemctl set-default {before}" if has_link else "rm /etc/systemd/system/default.target; systemctl daemon-reload"
            host.run(back, check=True)

    def test_logging(self, host: Host) -> None:
        before = facts(host)
        assert converge(host, "manager", log_level="debug")["changed"]
        assert host.run("systemctl show -p LogLevel --value", check=True).stdout.strip() == "debug"
        assert converge(host, "manager", log_level=before["log_level"])["changed"]
        # Nothing that was set is left, which would go before what is configured.
        host.write("/run/systemd/system.conf.d/mi.conf", "[Manager]\nLogLevel=notice\n")
        try:
            host.run("systemctl daemon-reload", check=True)
            assert facts(host)["log_level"] == "notice"
        finally:
            host.run("rm -r /run/systemd/system.conf.d; systemctl daemon-reexec", check=True)
        assert facts(host)["log_level"] == before["log_level"]

    def test_reload_by_need(self, host: Host) -> None:
        path = "/etc/systemd/system/mi-stale.service"
        host.write(path, "[Service]\nExecStart=/bin/sleep 1004\n")
        host.run("systemctl daemon-reload; systemctl start mi-stale", check=True)
        try:
            assert not host.ansible("pidone.systemd.manager", {"daemon_reload": "auto"})["changed"]
            host.run(f"sleep 1; echo >> {path}", check=True)
            assert converge(host, "manager", daemon_reload="auto")["steps"] == ["daemon-reload"]
            assert host.run("systemctl show mi-stale -p NeedDaemonReload --value").stdout.strip() == "no"
            assert host.ansible("pidone.systemd.manager", {"daemon_reload": "always"})["changed"]
        finally:
            host.run(f"systemctl stop mi-stale; rm {path}; systemctl daemon-reload")

    def test_reexec_returns_when_the_new_manager_answers(self, host: Host) -> None:
        host.run("systemctl set-environment MI_KEPT=1", check=True)
        result = host.ansible("pidone.systemd.manager", {"reexec": True})
        assert not result["failed"], result["msg"]
        assert result["steps"] == ["daemon-reexec"]
        assert host.run("systemctl is-active ssh", check=True).stdout.strip() == "active"
        host.run("systemctl unset-environment MI_KEPT", check=True)

    def test_isolate(self, host: Host, fresh: t.Callable[[str], Host]) -> None:
        alone = fresh(host.kind.name)
        text = "[Unit]\nAllowIsolate=yes\nRequires=basic.target ssh.service\nAfter=basic.target ssh.service\n"
        alone.write("/etc/systemd/system/mi-few.target", text)
        alone.write("/etc/systemd/system/mi-other.service", "[Service]\nExecStart=/bin/sleep 1005\n")
        alone.run("systemctl daemon-reload; systemctl start mi-other", check=True)
        assert alone.ansible("pidone.systemd.manager", {"isolate": "mi-few"}, check=True)["changed"]
        assert alone.run("systemctl is-active mi-other").stdout.strip() == "active"
        result = alone.ansible("pidone.systemd.manager", {"isolate": "mi-few"})
        assert result["changed"], result
        assert alone.run("systemctl is-active mi-other").stdout.strip() == "inactive"
        assert not alone.ansible("pidone.systemd.manager", {"isolate": "mi-few"})["changed"]

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            ({"default_target": "mi-none"}, ["default_target:", "mi-none.target"]),
            ({"default_target": "ssh.service"}, ["default_target:", "no target"]),
            ({"isolate": "ssh.service"}, ["isolate:", "AllowIsolate"]),
            ({"isolate": "mi-none.target"}, ["isolate:", "mi-none.target"]),
            ({"environment": {"A-B": "x"}}, ["environment:", "A-B"]),
            ({"scope": "global", "reexec": True}, ["scope:", "global"]),
            ({"root": "/", "log_level": "debug"}, ["log_level:", "root"]),
        ],
    )
    def test_bad_input(self, host: Host, args: dict[str, t.Any], words: list[str]) -> None:
        for check in (True, False):
            result = host.ansible("pidone.systemd.manager", args, check=check)
            assert result["failed"]
            assert not result["changed"]
            for word in words:
                assert word in result["msg"]
            assert "Traceback" not in str(result)

    def test_without_permission(self, host: Host) -> None:
        result = host.ansible("pidone.systemd.manager", {"environment": {"MI_X": "1"}}, remote_user="nosudo")
        assert result["failed"]
        assert "become: true" in result["msg"]

    def test_info(self, host: Host) -> None:
        host.write("/etc/systemd/system/mi-bad.service", "[Service]\nExecStart=/bin/false\n")
        failed = "for i in $(seq 600); do systemctl is-failed -q mi-bad && exit; sleep 0.1; done; exit 1"
        host.run(f"systemctl daemon-reload; systemctl start mi-bad; {failed}", check=True)
        try:
            manager = facts(host)
            assert manager["version"].startswith(host.run("systemctl --version").stdout.split()[1])
            assert manager["state"] == "degraded"
            assert "mi-bad.service" in manager["failed_units"]
            assert "+PAM" in manager["features"]
            assert manager["boot"]["finished"]
            assert manager["boot"]["timestamps"]["finish"] > manager["boot"]["timestamps"]["userspace"]
            took = [entry["took_usec"] for entry in manager["boot"]["units"]]
            assert took == sorted(took, reverse=True)
            # The very units that systemd-analyze has, and so those too that did their work and ended.
            times = {entry["name"] for entry in manager["boot"]["units"] if entry["took_usec"] > 0}
            blamed = {line.split()[-1] for line in host.run("systemd-analyze blame", check=True).stdout.splitlines()}
            assert "ssh.service" in times
            logins = {name for name in times | blamed if name.startswith("user")}
            assert times - logins == blamed - logins
        finally:
            host.run("systemctl reset-failed; rm /etc/systemd/system/mi-bad.service; systemctl daemon-reload")


class TestUserManager:
    """Lingering, and scope `user` right after it."""

    @pytest.fixture
    def user(self, host: Host) -> t.Iterator[str]:
        host.run("useradd -m mi-user", check=True)
        yield "mi-user"
        host.run(
            "loginctl disable-linger mi-user; systemctl stop user@$(id -u mi-user); "
            "for i in $(seq 600); do pgrep -u mi-user >/dev/null || break; sleep 0.1; done; userdel -r mi-user"
        )

    def test_linger_and_then_scope_user_at_once(self, host: Host, user: str) -> None:
        host.run(
            f"sudo -u {user} sh -c 'mkdir -p ~/.config/systemd/user; "
            'printf "[Service]\\nExecStart=/bin/sleep 1006\\n[Install]\\nWantedBy=default.target\\n" '
            "> ~/.config/systemd/user/mi-app.service'",
            check=True,
        )
        play = [
            {
                "hosts": "all",
                "gather_facts": False,
                "tasks": [
                    {"name": "linger", "pidone.systemd.user_manager": {"name": user}},
                    {
                        "name": "start",
                        "pidone.systemd.unit": {
                            "name": "mi-app",
                            "scope": "user",
                            "user": user,
                            "state": "started",
                            "enabled": True,
                        },
                    },
                ],
            }
        ]
        result = host.playbook(play).ok()
        assert result.task("linger").changed
        assert result.task("start").changed
        assert not host.playbook(play).ok().changed
        line = f"for i in $(seq 600); do pgrep -u {user} -x sleep && exit; sleep 0.1; done; exit 1"
        pid = host.run(line, check=True).stdout.split()
        assert len(pid) == 1

    def test_converges(self, host: Host, user: str) -> None:
        done = converge(host, "user_manager", name=[user])
        assert done["changed"]
        assert done["users"][0]["active"]
        assert done["users"][0]["linger"]
        assert host.run(f"loginctl show-user {user} -p Linger --value", check=True).stdout.strip() == "yes"
        off = converge(host, "user_manager", name=[user], linger=False)
        assert off["changed"]
        assert not host.exists(f"/var/lib/systemd/linger/{user}")

    def test_starts_a_manager_that_was_stopped(self, host: Host, user: str) -> None:
        converge(host, "user_manager", name=[user])
        host.run(f"systemctl stop user@$(id -u {user})", check=True)
        done = converge(host, "user_manager", name=[user])
        assert done["changed"]
        assert done["users"][0]["active"]

    def test_a_user_of_a_domain(self, host: Host) -> None:
        """logind escapes the backslash where it notes who lingers."""
        host.run("useradd --badname -M -d / -u 3907 'MI\\app'", check=True)
        try:
            done = converge(host, "user_manager", name=["MI\\app"], timeout="10s")
            assert done["users"][0]["linger"]
            assert not converge(host, "user_manager", name=["MI\\app"], linger=False)["users"][0]["linger"]
        finally:
            host.run(
                "loginctl disable-linger 3907; systemctl stop user@3907; sed -i '/^MI.app/d' /etc/passwd /etc/shadow /etc/group"
            )

    def test_unknown_user(self, host: Host) -> None:
        result = host.ansible("pidone.systemd.user_manager", {"name": "mi-nobody"})
        assert result["failed"]
        assert "mi-nobody" in result["msg"]
        planned = host.ansible("pidone.systemd.user_manager", {"name": "mi-nobody"}, check=True)
        assert planned["changed"]

    def test_without_permission(self, host: Host) -> None:
        result = host.ansible("pidone.systemd.user_manager", {"name": "root"}, remote_user="nosudo")
        assert result["failed"]
        assert "become: true" in result["msg"]
