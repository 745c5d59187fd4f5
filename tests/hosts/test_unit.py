# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `unit` on real hosts: states, enablement, masks, jobs, the health gate, rollback, failures."""

from __future__ import annotations

import typing as t

import pytest

from tests import contract
from tests.contract import invocation
from tests.lab.host import Host

SYSTEM = "/etc/systemd/system"
SLEEP = "/bin/sleep 100000"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"

# Units of all tests; `un-NAME.service`. Written once for each host.
UNITS = {
    "un-plain.service": f"[Service]\nExecStart={SLEEP}\nExecReload=/bin/true\n{INSTALL}",
    "un-other.service": f"[Service]\nExecStart={SLEEP}\n{INSTALL}",
    "un-static.service": f"[Service]\nExecStart={SLEEP}\n",
    "un-t@.service": f"[Service]\nExecStart={SLEEP}\nExecReload=/bin/true\n{INSTALL}",
    "un-default@.service": f"[Service]\nExecStart={SLEEP}\n{INSTALL}DefaultInstance=one\n",
    "un-also.service": f"[Service]\nExecStart={SLEEP}\n[Install]\nAlso=un-plain.service\n",
    "un-aliased.service": f"[Service]\nExecStart={SLEEP}\n{INSTALL}Alias=un-nick.service\n",
    "un-oneshot.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "un-stays.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    "un-noexec.service": f"[Service]\nExecStart=/nope/un --flag\n{INSTALL}",
    "un-dies.service": f"[Service]\nExecStart=/bin/sh -c 'echo last words; exit 7'\n{INSTALL}",
    "un-late.service": f"[Service]\nExecStart=/bin/sh -c 'sleep 1; echo too late; exit 3'\n{INSTALL}",
    "un-quits.service": "[Service]\nExecStart=/bin/true\n",
    "un-killed.service": "[Service]\nExecStart=/bin/sh -c 'kill -SEGV $$$$'\n",
    "un-loops.service": "[Service]\nRestart=always\nRestartSec=100ms\nExecStart=/bin/sh -c 'sleep 0.05; exit 1'\n",
    "un-pre.service": f"[Service]\nExecStartPre=/bin/sh -c 'echo no; exit 9'\nExecStart={SLEEP}\n",
    "un-condition.service": f"[Unit]\nConditionPathExists=/nope/un\n[Service]\nExecStart={SLEEP}\n{INSTALL}",
    "un-assertion.service": f"[Unit]\nAssertPathExists=/nope/un\n[Service]\nExecStart={SLEEP}\n",
    "un-dependent.service": f"[Unit]\nRequires=un-dies-first.service\nAfter=un-dies-first.service\n[Service]\nExecStart={SLEEP}\n",
    "un-dies-first.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo first words; exit 5'\n",
    "un-slow.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep 6\n",
    "un-limited.service": "[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=1h\n[Service]\nExecStart=/bin/false\n",
    "un-broken.service": "[Service]\nType=nonsense\n",
    "un-environment.service": f"[Service]\nEnvironmentFile=/nope/un\nExecStart={SLEEP}\n",
    "un-beside.service": f"[Service]\nExecStart={SLEEP}\nExecStartPost=/bin/sh -c 'exit 5'\nExecReload=/bin/sh -c 'exit 6'\n",
    "un-check.service": f"[Service]\nExecCondition=/bin/sh -c 'exit 1'\nExecStart={SLEEP}\n",
    "un-woken.service": f"[Service]\nExecStart={SLEEP}\n",
    "un-woken.socket": "[Socket]\nListenStream=/run/un-woken\n",
    "un-awaited.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep 2\n",
}


@pytest.fixture(scope="module", autouse=True)
def units(host: Host) -> t.Iterator[None]:
    """All units of these tests."""
    for name, text in UNITS.items():
        host.write(f"{SYSTEM}/{name}", text)
    host.run("systemctl daemon-reload", check=True)
    yield
    host.run(
        "systemctl stop 'un-*'; rm -rf /etc/systemd/system/un-* /run/systemd/system/un-* "
        "/etc/systemd/system/*.wants/un-* /run/systemd/system/*.wants/un-*; "
        "systemctl daemon-reload; systemctl reset-failed"
    )


@pytest.fixture(autouse=True)
def clean(host: Host) -> t.Iterator[None]:
    """Every test begins with all of them down, disabled and unmasked."""
    yield
    host.run(
        "systemctl stop 'un-*' 2>/dev/null; "
        "find /etc/systemd/system /run/systemd/system -name 'un-*' -type l -delete; "
        "systemctl daemon-reload; systemctl reset-failed"
    )


def run(host: Host, check: bool = False, **args: t.Any) -> dict[str, t.Any]:
    options = {key: args.pop(key) for key in ("remote_user", "become_user") if key in args}
    return host.ansible("pidone.systemd.unit", args, check=check, diff=True, **options)


def good(host: Host, **args: t.Any) -> dict[str, t.Any]:
    result = run(host, **args)
    assert not result["failed"], result["msg"]
    return result


def picture(host: Host) -> str:
    """All files, links and states of these tests' units."""
    return contract.picture(host, "un-*")


def converge(host: Host, **args: t.Any) -> dict[str, t.Any]:
    """Plan, do, and do again; check mode knows what becomes of each unit."""

    def told(result: dict[str, t.Any]) -> object:
        return [[unit.get(key) for key in ("name", "changed", "before", "after")] for unit in result["units"]]

    return contract.converge(lambda check: run(host, check, **args), lambda: picture(host), told)


def refused(host: Host, *words: str, check_too: bool = True, **args: t.Any) -> dict[str, t.Any]:
    """The task fails with the words, in check mode too unless that cannot know, and changes nothing."""
    checks = (True, False) if check_too else (False,)
    return contract.refused(lambda check: run(host, check, **args), lambda: picture(host), *words, checks=checks)


def is_active(host: Host, *names: str) -> list[str]:
    return host.run(["systemctl", "is-active", *names]).stdout.split()


def is_enabled(host: Host, *names: str) -> list[str]:
    return host.run(["systemctl", "is-enabled", *names]).stdout.split()


class TestStates:
    """Each state has systemd's exact meaning."""

    def test_started_and_stopped(self, host: Host) -> None:
        done = converge(host, name=["un-plain", "un-other.service", "un-t@1"], state="started")
        assert is_active(host, "un-plain", "un-other", "un-t@1") == ["active"] * 3
        assert [unit["job"]["result"] for unit in done["units"]] == ["done"] * 3
        assert done["units"][0]["before"] == "inactive (dead)"
        assert done["diff"][0]["prepared"].startswith(
            "--- before\n+++ after\n@@ un-plain.service\n-inactive (dead)\n+active"
        )
        done = converge(host, name="un-*", state="stopped")
        assert {unit["name"] for unit in done["units"] if unit["changed"]} == {
            "un-plain.service",
            "un-other.service",
            "un-t@1.service",
        }
        assert "active" not in is_active(host, "un-plain", "un-other", "un-t@1")

    def test_restarted_always_restarts_and_starts_what_is_down(self, host: Host) -> None:
        good(host, name="un-plain", state="started")
        first = invocation(host, "un-plain")
        assert run(host, check=True, name=["un-plain", "un-other"], state="restarted")["changed"]
        assert invocation(host, "un-plain") == first
        assert good(host, name=["un-plain", "un-other"], state="restarted")["changed"]
        assert invocation(host, "un-plain") != first
        assert is_active(host, "un-plain", "un-other") == ["active", "active"]

    def test_try_restarted_leaves_alone_what_is_down(self, host: Host) -> None:
        good(host, name="un-plain", state="started")
        first = invocation(host, "un-plain")
        done = good(host, name=["un-plain", "un-other"], state="try_restarted")
        assert [unit["changed"] for unit in done["units"]] == [True, False]
        assert invocation(host, "un-plain") != first
        assert is_active(host, "un-other") == ["inactive"]

    def test_reloaded_never_starts(self, host: Host) -> None:
        refused(host, "un-plain.service is inactive", "reload_or_restarted", name="un-plain", state="reloaded")
        good(host, name=["un-plain", "un-other"], state="started")
        first = invocation(host, "un-plain")
        refused(host, "un-other.service", "ExecReload", name=["un-plain", "un-other"], state="reloaded")
        done = good(host, name="un-plain", state="reloaded")
        assert done["units"][0]["job"]["type"] == "reload"
        assert invocation(host, "un-plain") == first

    def test_reload_or_restarted(self, host: Host) -> None:
        good(host, name=["un-plain", "un-other"], state="started")
        first = [invocation(host, "un-plain"), invocation(host, "un-other")]
        good(host, name=["un-plain", "un-other", "un-static"], state="reload_or_restarted")
        assert invocation(host, "un-plain") == first[0], "reloads what can reload"
        assert invocation(host, "un-other") != first[1], "restarts what cannot"
        assert is_active(host, "un-static") == ["active"], "starts what is down"

    def test_try_reload_or_restarted(self, host: Host) -> None:
        assert not good(host, name="un-plain", state="try_reload_or_restarted")["changed"]
        assert is_active(host, "un-plain") == ["inactive"]
        good(host, name="un-plain", state="started")
        assert good(host, name="un-plain", state="try_reload_or_restarted")["changed"]

    def test_oneshot(self, host: Host) -> None:
        converge(host, name="un-stays", state="started")
        done = good(host, name="un-oneshot", state="started", settle="300ms")
        assert done["changed"]
        assert done["units"][0]["active_state"] == "inactive", "it ran to its end, which is no failure"

    def test_a_oneshot_is_not_said_to_become_active(self, host: Host) -> None:
        for check in (True, False):
            done = run(host, check=check, name=["un-oneshot", "un-stays"], state="started")
            assert [unit["after"] for unit in done["units"]] == ["inactive (dead), having run", "active"]

    def test_try_restarted_of_what_an_earlier_task_makes(self, host: Host) -> None:
        planned = run(host, check=True, name="un-new", state="try_restarted")
        assert planned["changed"]
        assert "made and started by an earlier task" in planned["warnings"][0]
        refused(host, "un-new.service", check_too=False, name="un-new", state="try_restarted")

    @pytest.mark.parametrize("name", ["-.slice", "init.scope", "system.slice"])
    def test_what_systemd_never_stops(self, host: Host, name: str) -> None:
        refused(host, name, "cannot be stopped", name=name, state="stopped")

    @pytest.mark.parametrize("state", ["restarted", "try_restarted", "reload_or_restarted"])
    def test_a_socket_whose_service_runs(self, host: Host, state: str) -> None:
        good(host, name=["un-woken.socket", "un-woken"], state="started")
        refused(host, "un-woken.socket", "name un-woken.service in the same task", name="un-woken.socket", state=state)
        assert good(host, name=["un-woken.socket", "un-woken"], state=state)["changed"]
        assert is_active(host, "un-woken.socket", "un-woken") == ["active", "active"]

    def test_a_mount_of_another_path(self, host: Host) -> None:
        host.write(f"{SYSTEM}/un-mount.mount", "[Mount]\nWhat=tmpfs\nType=tmpfs\nWhere=/srv/un right\n")
        host.run("systemctl daemon-reload")
        try:
            refused(host, "/srv/un right", r"srv-un\x20right.mount", check_too=False, name="un-mount.mount", state="started")
            planned = run(host, check=True, name="un-mount.mount", state="started")
            assert r"srv-un\x20right.mount" in planned["warnings"][0]
        finally:
            host.run(f"rm {SYSTEM}/un-mount.mount; systemctl daemon-reload")

    def test_waiting_for_a_restart_is_not_running(self, host: Host) -> None:
        host.write(f"{SYSTEM}/un-again.service", "[Service]\nRestart=always\nRestartSec=1h\nExecStart=/bin/false\n")
        # auto-restart-queued comes after the hour.
        waits = "systemctl show un-again -p SubState --value | grep -qx auto-restart"
        host.run(f"systemctl daemon-reload; systemctl start un-again; for i in $(seq 600); do {waits} && exit; sleep 0.1; done; exit 1", check=True)
        assert run(host, check=True, name="un-again", state="started")["changed"]
        assert run(host, name="un-again", state="started")["failed"]
        assert converge(host, name="un-again", state="stopped")["changed"]

    def test_what_starts_it_again_is_told(self, host: Host) -> None:
        good(host, name=["un-woken.socket", "un-woken"], state="started")
        assert any("un-woken.socket may start it again" in text for text in good(host, name="un-woken", state="stopped").get("warnings", []))
        good(host, name="un-woken", state="started")
        assert not good(host, name=["un-woken", "un-woken.socket"], state="stopped").get("warnings")

    def test_order_in_one_task(self, host: Host) -> None:
        host.run("systemctl mask un-plain 2>/dev/null; systemctl mask --runtime un-nothing 2>/dev/null", check=True)
        host.run("rm /run/systemd/system/un-nothing.service; rm -f /etc/systemd/system/un-plain.service")
        host.write(f"{SYSTEM}/un-plain.service", UNITS["un-plain.service"])
        host.run("systemctl daemon-reload; systemctl mask --runtime un-t@5", check=True)
        done = converge(host, name="un-t@5", state="started", enabled=True, masked=False)
        assert [step.split()[0] for step in done["steps"]] == ["unmask", "enable", "daemon-reload", "start", "watch"]
        done = converge(host, name="un-t@5", state="stopped", enabled=False)
        assert [step.split()[0] for step in done["steps"]] == ["stop", "disable", "daemon-reload"]


class TestEnablement:
    """Every kind of unit file, sensibly and idempotently."""

    def test_enable_and_disable(self, host: Host) -> None:
        done = converge(host, name=["un-plain", "un-other"], enabled=True)
        assert is_enabled(host, "un-plain", "un-other") == ["enabled", "enabled"]
        assert {link["type"] for link in done["links"]} == {"symlink"}
        assert done["steps"].count("daemon-reload") == 1
        assert all(unit["enabled"] for unit in done["units"])
        converge(host, name=["un-plain", "un-other"], enabled=False)
        assert is_enabled(host, "un-plain", "un-other") == ["disabled", "disabled"]

    def test_instances_have_links_of_their_own(self, host: Host) -> None:
        converge(host, name="un-t@1", enabled=True)
        assert converge(host, name="un-t@2", enabled=True)["changed"]
        converge(host, name="un-t@1", enabled=False)
        assert is_enabled(host, "un-t@1", "un-t@2") == ["disabled", "enabled"]

    def test_templates(self, host: Host) -> None:
        refused(host, "un-t@.service", "DefaultInstance", name="un-t@.service", enabled=True, check_too=False)
        refused(host, "un-t@.service", "template", "un-t@1.service", name="un-t@.service", state="started")
        converge(host, name="un-default@.service", enabled=True)
        assert is_enabled(host, "un-default@one") == ["enabled"]
        host.run("systemctl enable -q un-t@1; systemctl enable -q --runtime un-t@2", check=True)
        converge(host, name=["un-default@.service", "un-t@.service"], enabled=False)
        assert is_enabled(host, "un-default@one", "un-t@1", "un-t@2") == ["disabled"] * 3

    @pytest.mark.parametrize("name", ["un-plain", "un-t@7"])
    def test_runtime(self, host: Host, name: str) -> None:
        converge(host, name=name, enabled=True, runtime=True)
        assert host.exists(f"/run/systemd/system/multi-user.target.wants/{name}.service")
        done = converge(host, name=name, enabled=True)
        assert done["changed"], "until the reboot is not for good"
        converge(host, name=name, enabled=False)
        assert not host.exists(f"/run/systemd/system/multi-user.target.wants/{name}.service")

    def test_static_and_generated_are_left_alone_with_a_warning(self, host: Host) -> None:
        result = good(host, name="un-static", enabled=True)
        assert not result["changed"]
        assert "[Install]" in str(result["warnings"])
        assert not good(host, name="un-static", enabled=False)["changed"]

    def test_also(self, host: Host) -> None:
        converge(host, name="un-also", enabled=True)
        assert is_enabled(host, "un-plain") == ["enabled"]
        converge(host, name="un-also", enabled=False)
        assert is_enabled(host, "un-plain") == ["disabled"]

    def test_aliases(self, host: Host) -> None:
        converge(host, name="un-aliased", enabled=True)
        result = good(host, name="un-nick", enabled=True, state="started")
        assert result["units"][0]["id"] == "un-aliased.service"
        assert is_active(host, "un-aliased") == ["active"]
        assert not good(host, name=["un-nick", "un-aliased"], enabled=True, state="started")["changed"]
        host.run(f"ln -s un-other.service {SYSTEM}/un-hand.service; systemctl daemon-reload", check=True)
        converge(host, name="un-other", enabled=True)
        converge(host, name="un-other", enabled=False)

    def test_linked(self, host: Host) -> None:
        host.write("/opt/un-linked.service", UNITS["un-plain.service"])
        host.run("systemctl link /opt/un-linked.service", check=True)
        converge(host, name="un-linked", enabled=True, state="started")
        assert is_active(host, "un-linked") == ["active"]
        converge(host, name="un-linked", state="stopped")

    def test_masked(self, host: Host) -> None:
        host.run(f"mkdir -p /usr/lib/systemd/system; cp {SYSTEM}/un-plain.service /usr/lib/systemd/system/unv.service")
        try:
            host.run("systemctl daemon-reload", check=True)
            converge(host, name="unv", state="started", enabled=True)
            done = converge(host, name="unv", state="stopped", enabled=False, masked=True)
            assert is_enabled(host, "unv") == ["masked"]
            assert done["steps"][0] == "stop unv.service"
            refused(host, "unv.service is masked", "masked: false", name="unv", state="started")
            refused(host, "unv.service is masked", "masked: false", name="unv", enabled=True)
            converge(host, name="unv", masked=False, enabled=True, state="started")
            assert is_active(host, "unv") == ["active"]
            converge(host, name="unv", state="stopped", enabled=False, masked=True, runtime=True)
            assert is_enabled(host, "unv") == ["masked-runtime"]
            converge(host, name="unv", masked=False)
            converge(host, name="un-none", masked=True)
            converge(host, name="un-none", masked=False)
            # Each name of a unit has a mask of its own, and that of a package stays.
            host.run("ln -s unv.service /usr/lib/systemd/system/unv-nick.service; systemctl daemon-reload", check=True)
            converge(host, name=["unv-nick", "unv"], masked=True)
            assert is_enabled(host, "unv-nick", "unv") == ["masked", "masked"]
            converge(host, name="unv*", masked=False)
            host.run("ln -sf /dev/null /usr/lib/systemd/system/unv-nick.service; systemctl daemon-reload", check=True)
            refused(host, "masked:", "/systemd/system/unv-nick.service", name="unv-nick", masked=False)
        finally:
            host.run(
                "systemctl stop unv; rm -f /usr/lib/systemd/system/unv*.service /etc/systemd/system/*.wants/unv.service "
                "/etc/systemd/system/unv.service; systemctl daemon-reload"
            )

    def test_presets(self, host: Host) -> None:
        host.run("mkdir -p /etc/systemd/system-preset", check=True)
        host.write("/etc/systemd/system-preset/00-un.preset", "enable un-plain.service\ndisable un-other.service\n")
        try:
            good(host, name="un-other", enabled=True)
            host.run("systemctl daemon-reload", check=True)
            converge(host, name=["un-plain", "un-other"], preset=True)
            assert is_enabled(host, "un-plain", "un-other") == ["enabled", "disabled"]
        finally:
            host.run("rm /etc/systemd/system-preset/00-un.preset; systemctl daemon-reload")

    def test_transient(self, host: Host) -> None:
        host.run("systemd-run --unit=un-transient sleep 1000", check=True)
        refused(host, "un-transient.service", "transient", name="un-transient", enabled=True)
        converge(host, name="un-transient", state="stopped")

    def test_units_that_do_not_exist(self, host: Host) -> None:
        for args in ({"state": "started"}, {"enabled": True}):
            result = run(host, name="un-plian", **args)
            assert result["failed"]
            assert "un-plian.service" in result["msg"]
            assert "un-plain.service" in result["msg"], "it says what may have been meant"
            planned = run(host, check=True, name="un-plian", **args)
            assert planned["changed"]
            assert "un-plian" in str(planned["warnings"])
        result = good(host, name="un-plian", state="stopped", enabled=False)
        assert not result["changed"]
        assert "un-plian" in str(result["warnings"])

    def test_check_mode_knows_of_units_of_earlier_tasks(self, host: Host) -> None:
        play = [
            {
                "hosts": "all",
                "gather_facts": False,
                "tasks": [
                    {
                        "name": "write",
                        "pidone.systemd.unit_file": {
                            "name": "un-new@.service",
                            "sections": {"Service": {"ExecStart": SLEEP}, "Install": {"WantedBy": "multi-user.target"}},
                        },
                    },
                    {
                        "name": "start",
                        "pidone.systemd.unit": {"name": ["un-new@1", "un-new@2"], "state": "started", "enabled": True},
                    },
                ],
            }
        ]
        planned = host.playbook(play, "--check").ok()
        done = host.playbook(play).ok()
        again = host.playbook(play).ok()
        assert [planned.task(n).changed for n in ("write", "start")] == [True, True]
        assert [done.task(n).changed for n in ("write", "start")] == [True, True]
        assert not again.changed


class TestPatterns:
    """Globs."""

    def test_patterns_match_what_is_loaded_and_what_has_a_file(self, host: Host) -> None:
        good(host, name="un-t@3", state="started")
        names = {unit["name"] for unit in run(host, check=True, name="un-[pt]*", state="restarted")["units"]}
        assert names == {"un-plain.service", "un-pre.service", "un-t@3.service"}

    def test_nothing_matches(self, host: Host) -> None:
        refused(host, "unx-*", "allow_empty", name="unx-*", state="stopped")
        assert not good(host, name="unx-*", state="stopped", allow_empty=True)["changed"]
        refused(host, "name:", "allow_empty", name=[], state="stopped")
        assert not good(host, name="un-t@*", state="stopped")["changed"], "a template without instances"


class TestFailures:
    """A failure says what one would look up by hand."""

    def fails(self, host: Host, name: str, **args: t.Any) -> dict[str, t.Any]:
        result = run(host, name=name, **{"state": "started", **args})
        assert result["failed"], result
        assert "Traceback" not in str(result)
        assert len(result["msg"].splitlines()) <= 24, "it fits on one screen"
        assert "started" not in result
        (failure,) = result["failures"]
        failure["msg"] = result["msg"]
        return t.cast("dict[str, t.Any]", failure)

    def test_command_that_is_not_there(self, host: Host) -> None:
        failure = self.fails(host, "un-noexec")
        assert (failure["result"], failure["exit_code"], failure["exit_status"]) == ("exit-code", 203, "EXEC")
        assert failure["command"] == "/nope/un --flag"
        assert "203/EXEC" in failure["msg"]
        assert any("/nope/un" in line["message"] for line in failure["journal"])

    def test_service_that_dies_at_once(self, host: Host) -> None:
        failure = self.fails(host, "un-dies")
        assert failure["exit_code"] == 7
        assert "last words" in failure["msg"]
        assert failure["invocation_id"] == invocation(host, "un-dies")
        assert "un-dies.service did not stay up" in failure["msg"]

    def test_service_that_quits_at_once_without_an_error(self, host: Host) -> None:
        failure = self.fails(host, "un-quits")
        assert failure["active_state"] == "inactive"

    def test_signal(self, host: Host) -> None:
        failure = self.fails(host, "un-killed")
        assert failure["signal"] == "SIGSEGV"
        assert "SIGSEGV" in failure["msg"]

    def test_restart_loop(self, host: Host) -> None:
        failure = self.fails(host, "un-loops", settle="1s")
        assert "un-loops.service did not stay up" in failure["msg"]

    def test_command_before_the_main_one(self, host: Host) -> None:
        failure = self.fails(host, "un-pre")
        assert (failure["failed_setting"], failure["exit_code"]) == ("ExecStartPre", 9)
        assert failure["job"]["result"] == "failed"

    def test_condition(self, host: Host) -> None:
        failure = self.fails(host, "un-condition")
        assert failure["unmet_conditions"] == ["ConditionPathExists=/nope/un"]
        assert "allow_skipped" in failure["msg"]
        result = good(host, name="un-condition", state="started", allow_skipped=True)
        assert not result["changed"]

    def test_assertion(self, host: Host) -> None:
        failure = self.fails(host, "un-assertion")
        assert failure["unmet_assertions"] == ["AssertPathExists=/nope/un"]

    def test_dependency(self, host: Host) -> None:
        failure = self.fails(host, "un-dependent")
        assert failure["job"]["result"] == "dependency"
        assert [unit["unit"] for unit in failure["failed_dependencies"]] == ["un-dies-first.service"]
        assert "first words" in failure["msg"]

    @pytest.mark.parametrize("name", ["un-dies", "un-dependent"])
    def test_last_words_that_reach_the_journal_after_the_end(self, host: Host, name: str) -> None:
        # By then systemd has told journald nothing of the invocation any more.
        stop = "systemctl kill --signal STOP --kill-who main systemd-journald"
        host.run(f"systemctl reset-failed; {stop}; (sleep 3; pkill -CONT systemd-journal) >/dev/null 2>&1 &", check=True)
        failure = self.fails(host, name)
        assert " words" in failure["msg"]

    def test_file_that_does_not_parse(self, host: Host) -> None:
        result = run(host, name="un-broken", state="started")
        assert result["failed"]
        assert "un-broken.service" in result["msg"]

    def test_what_is_no_matter_of_limits(self, host: Host) -> None:
        result = run(host, name=["un-environment", "un-beside", "un-check"], state="started")
        environment, post, check = result["failures"]
        assert environment["result"] == "resources"
        assert not any("start_limit" in failure for failure in result["failures"]), result["msg"]
        assert (post["failed_setting"], post["exit_code"]) == ("ExecStartPost", 5)
        assert check["unmet_conditions"] == ["ExecCondition=/bin/sh -c exit 1"]
        assert not good(host, name="un-check", state="started", allow_skipped=True)["changed"]

    def test_failed_reload(self, host: Host) -> None:
        host.write("/run/systemd/system/un-beside.service.d/a.conf", "[Service]\nExecStartPost=\n")
        host.run("systemctl daemon-reload; systemctl start un-beside", check=True)
        failure = self.fails(host, "un-beside", state="reloaded")
        assert (failure["failed_setting"], failure["exit_code"]) == ("ExecReload", 6)
        assert "reload failed" in failure["msg"]
        host.run("rm -r /run/systemd/system/un-beside.service.d")

    def test_start_limit_and_reset_failed(self, host: Host) -> None:
        for dummy in range(3):
            result = run(host, name="un-limited", state="started")
        assert result["failures"][0]["start_limit"] == {"burst": 2, "interval_usec": 3600 * 10**6}
        assert "reset_failed: true" in result["msg"]
        done = good(host, name="un-limited", reset_failed=True)
        assert done["steps"] == ["reset-failed un-limited.service"]
        assert not good(host, name="un-limited", reset_failed=True)["changed"]
        assert "start_limit" not in run(host, name="un-limited", state="started")["failures"][0]

    def test_many(self, host: Host) -> None:
        result = run(host, name=["un-plain", "un-pre", "un-dependent"], state="started")
        assert {failure["unit"] for failure in result["failures"]} == {"un-pre.service", "un-dependent.service"}
        assert is_active(host, "un-plain") == ["active"]
        assert result["changed"], "one of them was started"


class TestWaiting:
    """Jobs, deadlines, the health gate."""

    def test_timeout(self, host: Host) -> None:
        result = run(host, name="un-slow", state="started", timeout="500ms")
        assert result["failed"]
        assert "timeout" in result["msg"]
        assert "0.5 s" in result["msg"]
        (failure,) = result["failures"]
        assert failure["job"]["result"] == "unfinished"
        assert is_active(host, "un-slow") == ["activating"], "the job goes on"

    def test_without_waiting(self, host: Host) -> None:
        result = good(host, name=["un-slow", "un-plain"], state="started", wait=False, settle="5s")
        for unit in result["units"]:
            assert unit["job"]["id"] > 0
            assert unit["job"]["result"] is None

    def test_systemd_is_replaced_meanwhile(self, host: Host) -> None:
        host.run("(sleep 1.2; systemctl daemon-reexec) >/dev/null 2>&1 &", check=True)
        assert good(host, name="un-awaited", state="started")["changed"]

    def test_settle(self, host: Host) -> None:
        good(host, name="un-late", state="started", settle="0")
        host.run("sleep 1.3; systemctl reset-failed")
        result = run(host, name=["un-plain", "un-late"], state="started", settle="2s")
        assert result["failed"]
        assert "too late" in result["msg"]
        assert [failure["unit"] for failure in result["failures"]] == ["un-late.service"]

    def test_rollback(self, host: Host) -> None:
        good(host, name="un-other", state="started", enabled=True)
        before = host.run("find /etc/systemd /run/systemd/system -printf '%p %l\\n' | sort").stdout
        result = run(
            host,
            name=["un-plain", "un-other", "un-t@1", "un-late"],
            state="restarted",
            enabled=True,
            settle="2s",
            rollback=True,
        )
        assert result["failed"]
        assert result["changed"] is False
        assert result["rolled_back"]
        assert "rolled back:" in result["msg"]
        assert host.run("find /etc/systemd /run/systemd/system -printf '%p %l\\n' | sort").stdout == before
        assert is_active(host, "un-plain", "un-other", "un-t@1", "un-late") == [
            "inactive",
            "active",
            "inactive",
            "inactive",
        ]

    def test_rollback_where_enabling_one_of_several_fails(self, host: Host) -> None:
        host.write(f"{SYSTEM}/un-nick.service", f"[Service]\nExecStart={SLEEP}\n")
        before = picture(host)
        result = run(host, name=["un-plain", "un-aliased"], enabled=True, state="started", rollback=True)
        after = picture(host)
        host.run(["rm", f"{SYSTEM}/un-nick.service"], check=True)
        assert result["failed"]
        assert "un-nick.service" in result["msg"]
        assert result["changed"] is False
        assert after == before

    def test_daemon_reload(self, host: Host) -> None:
        host.write(f"{SYSTEM}/un-fresh.service", f"[Service]\nExecStart={SLEEP}\n")
        good(host, name="un-fresh", state="started")
        host.write(f"{SYSTEM}/un-fresh.service", "[Service]\nExecStart=/bin/sleep 99999\n")
        host.run(["touch", "-d", "1 minute", f"{SYSTEM}/un-fresh.service"])
        never = good(host, name="un-fresh", state="restarted", daemon_reload="never")
        assert "daemon-reload" not in never["steps"]
        auto = good(host, name="un-fresh", state="restarted")
        assert auto["steps"][0] == "daemon-reload"
        assert "99999" in host.run("systemctl show un-fresh -p ExecStart").stdout
        # What systemd could not make sense of when it read it, and holds in memory, is read again too.
        host.write(f"{SYSTEM}/un-fresh.service", UNITS["un-broken.service"])
        host.run("systemctl add-wants multi-user.target un-fresh; systemctl stop un-fresh", check=True)
        host.write(f"{SYSTEM}/un-fresh.service", UNITS["un-static.service"])
        host.run("systemctl add-wants multi-user.target un-t@3; systemctl mask --runtime un-t@3", check=True)
        host.run("rm /run/systemd/system/un-t@3.service", check=True)
        assert good(host, name=["un-fresh", "un-t@3"], state="started")["steps"][0] == "daemon-reload"
        always = good(host, name="un-fresh", state="started", daemon_reload="always")
        assert always["steps"] == ["daemon-reload"]
        assert always["changed"]
        host.run(f"systemctl stop un-fresh; rm {SYSTEM}/un-fresh.service")


class TestScopes:
    """Users' managers, all users at once, trees."""

    @pytest.fixture
    def user(self, host: Host) -> t.Iterator[str]:
        text = f"[Service]\nExecStart={SLEEP}\n[Install]\nWantedBy=default.target\n"
        host.run("loginctl enable-linger deploy; mkdir -p /home/deploy/.config/systemd/user", check=True)
        host.write("/home/deploy/.config/systemd/user/un-user.service", text, owner="deploy")
        host.run(
            "chown -R deploy: /home/deploy/.config; for i in $(seq 600); do "
            "test -S /run/user/$(id -u deploy)/systemd/private && break; sleep 0.1; done; "
            "sudo -u deploy XDG_RUNTIME_DIR=/run/user/$(id -u deploy) systemctl --user daemon-reload",
            check=True,
        )
        yield "deploy"
        host.run("rm -rf /home/deploy/.config/systemd; loginctl disable-linger deploy")

    def test_user_as_root_and_as_the_user(self, host: Host, user: str) -> None:
        converge(host, name="un-user", scope="user", user=user, state="started", enabled=True)
        # Started is when systemd has forked; the process becomes a sleep after that.
        host.run("for i in $(seq 600); do pgrep -u deploy -f 'sleep 100000' && exit; sleep 0.1; done; exit 1", check=True)
        assert host.exists("/home/deploy/.config/systemd/user/default.target.wants/un-user.service")
        own = good(host, name="un-user", scope="user", state="started", enabled=True, remote_user="deploy")
        assert not own["changed"]
        stopped = good(host, name="un-user", scope="user", state="stopped", enabled=False, remote_user="deploy")
        assert stopped["changed"]
        assert not host.exists("/home/deploy/.config/systemd/user/default.target.wants/un-user.service")
        result = run(host, name="un-user", scope="user", user="deploy", state="started", remote_user="nosudo")
        assert result["failed"]
        assert "become: true" in result["msg"]

    def test_global(self, host: Host) -> None:
        host.write(
            "/etc/systemd/user/un-global.service", f"[Service]\nExecStart={SLEEP}\n[Install]\nWantedBy=default.target\n"
        )
        try:
            converge(host, name="un-global", scope="global", enabled=True)
            assert host.exists("/etc/systemd/user/default.target.wants/un-global.service")
            refused(host, "state:", "scope", name="un-global", scope="global", state="started")
            converge(host, name="un-global", scope="global", enabled=False)
        finally:
            host.run("rm -rf /etc/systemd/user/un-global.service /etc/systemd/user/default.target.wants")

    def test_tree(self, host: Host) -> None:
        tree = "/opt/un-tree"
        host.run(f"mkdir -p {tree}/etc/systemd/system", check=True)
        for name in ("un-plain.service", "un-t@.service", "un-static.service"):
            host.write(f"{tree}/etc/systemd/system/{name}", UNITS[name])
        converge(host, name=["un-plain", "un-t@4"], root=tree, enabled=True)
        assert host.exists(f"{tree}/etc/systemd/system/multi-user.target.wants/un-t@4.service")
        assert not host.exists("/etc/systemd/system/multi-user.target.wants/un-t@4.service")
        converge(host, name="un-none", root=tree, masked=True)
        converge(host, name="un-none", root=tree, masked=False)
        converge(host, name=["un-plain", "un-t@4"], root=tree, enabled=False)
        refused(host, "state:", "root", name="un-plain", root=tree, state="started")
        refused(host, "root:", "/nowhere", name="un-plain", root="/nowhere", enabled=True)


class TestBadInput:
    """One clear error, naming option and remedy; nothing changed."""

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            ({"name": "a/b", "state": "started"}, ["name:", "a/b", "slash"]),
            ({"name": "/mnt/data", "state": "started"}, ["name:", "mnt-data", ".mount"]),
            ({"name": "../etc/passwd", "enabled": True}, ["name:", "slash"]),
            ({"name": "un-a\nb", "state": "started"}, ["name:", "line break"]),
            ({"name": "un a", "state": "started"}, ["name:", "' '", "systemd-escape"]),
            ({"name": "x" * 260, "state": "started"}, ["name:", "255"]),
            ({"name": "un-plain", "state": "running"}, ["state", "running", "started"]),
            ({"name": "un-plain", "state": "started", "masked": True}, ["masked:", "state"]),
            ({"name": "un-plain", "enabled": True, "masked": True}, ["masked:", "enabled"]),
            ({"name": "un-plain", "enabled": True, "preset": True}, ["preset:", "enabled"]),
            ({"name": "un-plain", "state": "started", "user": "deploy"}, ["user:", "scope: user"]),
            ({"name": "un-plain", "state": "started", "scope": "user", "user": "un-nobody"}, ["user:", "un-nobody"]),
            ({"name": "un-plain", "state": "started", "timeout": "soon"}, ["timeout:", "soon", "5min"]),
            ({"name": "un-plain", "state": "started", "settle": "5 parsecs"}, ["settle:", "parsecs"]),
        ],
        ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
    )
    def test_refused(self, host: Host, args: dict[str, t.Any], words: list[str]) -> None:
        # In check mode a user who is not there is taken for made by an earlier task.
        refused(host, *words, check_too=args.get("user") != "un-nobody", **args)

    def test_nul(self, host: Host) -> None:
        refused(host, "name[0]:", "NUL", name="un-a\0b", state="started")

    def test_user_manager_that_does_not_run(self, host: Host) -> None:
        refused(host, "user_manager", check_too=False, name="un-x", scope="user", user="games", state="started")

    def test_without_permission(self, host: Host) -> None:
        for args in ({"state": "started"}, {"enabled": True}):
            refused(host, "become: true", check_too=False, name="un-plain", remote_user="nosudo", **args)

    def test_where_systemd_does_not_run(self, host: Host) -> None:
        play = [
            {
                "hosts": "all",
                "gather_facts": False,
                "tasks": [
                    {
                        "name": "start",
                        "pidone.systemd.unit": {"name": "un-plain", "state": "started"},
                        "vars": {"ansible_python_interpreter": "/opt/un-python"},
                    }
                ],
            }
        ]
        hidden = '#!/bin/sh\nexec unshare -m sh -c \'mount -t tmpfs none /run/systemd && exec /usr/bin/python3 "$@"\' sh "$@"\n'
        host.write("/opt/un-python", hidden, mode=0o755)
        result = host.playbook(play).task("start").result
        assert "PID 1" in result["msg"]
        assert "root" in result["msg"]
        assert "Traceback" not in str(result)
