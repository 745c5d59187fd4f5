# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `unit_file` on real hosts."""

from __future__ import annotations

import re
import typing as t

import pytest

from tests import contract
from tests.contract import invocation, show
from tests.lab.host import Host

SYSTEM = "/etc/systemd/system"
VERSIONS = {"bullseye": 247, "bookworm": 252, "trixie": 257}
SLEEP = "/bin/sleep 100000"

# What no version of systemd has a part in.
one_version = pytest.mark.lab_kinds("trixie")


def task(host: Host, check: bool = False, diff: bool = False, options: dict[str, t.Any] | None = None, **args: t.Any) -> dict[str, t.Any]:
    """Run `unit_file` once; the result, failed or not."""
    return host.ansible("pidone.systemd.unit_file", args, check=check, diff=diff, **(options or {}))


def good(host: Host, **args: t.Any) -> dict[str, t.Any]:
    """Run `unit_file` once; it has to succeed."""
    result = task(host, **args)
    assert not result["failed"], result["msg"]
    return result


def converge(host: Host, again: bool = True, **args: t.Any) -> dict[str, t.Any]:
    """Plan, do, and do again; check mode knows what is written and what becomes of units."""

    def told(result: dict[str, t.Any]) -> object:
        units = [(unit["name"], unit.get("after")) for unit in result["units"]]
        return [result.get(key) for key in ("written", "meaning_changed", "path")], units

    done = contract.converge(lambda check: task(host, check, True, **args), lambda: snapshot(host), told, again)
    assert done["changed"] is bool(done.get("steps")), "every step of these plans is a change, or comes with one"
    return done


def refused(host: Host, *words: str, check_too: bool = True, **args: t.Any) -> dict[str, t.Any]:
    """The task fails with the words, in check mode too unless that takes what is missing for made earlier; it changes nothing."""
    checks = (True, False) if check_too else (False,)
    return contract.refused(lambda check: task(host, check, **args), lambda: snapshot(host), *words, checks=checks)


def snapshot(host: Host) -> str:
    """All unit files and links, their contents and times, and what runs."""
    return contract.picture(host, "uf*")


def reloads(host: Host) -> int:
    """How often systemd has read its files again since the boot."""
    journal = host.run("journalctl --sync; journalctl -q --no-pager -o cat _PID=1", check=True).stdout
    return len(re.findall(r"^Reloading\.", journal, re.M))


def service(name: str = "", **directives: t.Any) -> dict[str, t.Any]:
    return {"Unit": {"Description": name or "a test"}, "Service": {"ExecStart": SLEEP, **directives}}


@pytest.fixture
def unit(host: Host, request: pytest.FixtureRequest) -> t.Iterator[str]:
    """A name without suffix for the test's units; whatever is called so is gone afterwards."""
    name = "uf-" + re.sub(r"[^a-z0-9]+", "-", request.node.originalname.lower()).removeprefix("test-")[:40].strip("-") + "x"
    yield name
    host.run(
        f"systemctl stop '{name}*' 2>/dev/null; "
        f"rm -rf /etc/systemd/*/{name}* /run/systemd/*/{name}* /usr/lib/systemd/system/{name}* "
        f"/etc/systemd/*/*.wants/{name}* /run/systemd/*/*.wants/{name}*; "
        f"systemctl daemon-reload; systemctl reset-failed '{name}*' 2>/dev/null; true"
    )


@pytest.fixture
def user(host: Host) -> t.Iterator[str]:
    host.run("loginctl enable-linger deploy", check=True)
    host.run("for i in $(seq 600); do [ -S /run/user/$(id -u deploy)/systemd/private ] && exit 0; sleep 0.1; done; exit 1", check=True)
    yield "deploy"
    host.run("loginctl disable-linger deploy; rm -rf /home/deploy/.config/systemd", check=True)


class TestWriting:
    def test_template_from_sections(self, host: Host, unit: str) -> None:
        sections = {
            "Unit": {"Description": "App worker %i", "After": ["network-online.target"], "Wants": ["network-online.target"]},
            "Service": {"ExecStart": SLEEP, "Restart": "on-failure", "Environment": ["LOG=json", "GREETING=hello world"]},
            "Install": {"WantedBy": "multi-user.target"},
        }
        done = converge(host, name=f"{unit}@.service", sections=sections)
        assert done["steps"] == [f"write {SYSTEM}/{unit}@.service", "daemon-reload"]
        assert host.read(f"{SYSTEM}/{unit}@.service") == (
            "[Unit]\nDescription=App worker %i\nAfter=network-online.target\nWants=network-online.target\n\n"
            f"[Service]\nExecStart={SLEEP}\nRestart=on-failure\nEnvironment=LOG=json\n"
            'Environment="GREETING=hello world"\n\n[Install]\nWantedBy=multi-user.target\n'
        )
        told = show(host, f"{unit}@7.service", "Description", "Environment", "Restart")
        assert told == {"Description": "App worker 7", "Environment": 'LOG=json "GREETING=hello world"', "Restart": "on-failure"}

    @one_version
    def test_values_as_the_process_sees_them(self, host: Host, unit: str) -> None:
        wanted = {"A": "x y", "B": 'say "hi" it\'s', "C": "back\\slash\\n", "D": "tab\there", "E": "100%%", "F": "$HOME;#"}
        sections = {"Service": {"Type": "oneshot", "ExecStart": f"/bin/sh -c 'env -0 >/run/{unit}'", "Environment": wanted}}
        good(host, name=unit, sections=sections)
        host.run(f"systemctl start {unit}", check=True)
        seen = dict(pair.split("=", 1) for pair in host.read(f"/run/{unit}").split("\0") if "=" in pair)
        assert {key: seen.get(key) for key in wanted} == {**wanted, "E": "100%"}

    @one_version
    def test_content_and_its_line_ends(self, host: Host, unit: str) -> None:
        done = converge(host, name=unit, content=f"# mine\r\n[Service]\r\nExecStart={SLEEP} \\\r\n  1")
        assert host.read(f"{SYSTEM}/{unit}.service") == f"# mine\n[Service]\nExecStart={SLEEP} \\\n  1\n"
        assert (done["written"], done["meaning_changed"]) == (True, True)

    def test_same_meaning_is_not_rewritten(self, host: Host, unit: str) -> None:
        path = f"{SYSTEM}/{unit}.service"
        host.write(path, f"; by hand\n[Service]\nUser = root\n\nExecStart={SLEEP} \\\n   1\n[Unit]\nDescription=x\n")
        host.run("systemctl daemon-reload", check=True)
        before = snapshot(host)
        sections = {"Unit": {"Description": "x"}, "Service": {"User": "root", "ExecStart": f"{SLEEP} 1"}}
        assert good(host, name=unit, sections=sections)["changed"] is False
        assert snapshot(host) == before

    def test_comments_alone_rewrite_and_restart_nothing(self, host: Host, unit: str) -> None:
        text = f"[Service]\nExecStart={SLEEP}\n"
        good(host, name=unit, content=text, activate=True)
        first, count = invocation(host, f"{unit}.service"), reloads(host)
        done = converge(host, name=unit, content="# a note\n" + text, activate=True, on_change="restart")
        assert (done["written"], done["meaning_changed"]) == (True, False)
        assert done["steps"] == [f"rewrite {SYSTEM}/{unit}.service", "daemon-reload"]
        assert invocation(host, f"{unit}.service") == first
        assert reloads(host) == count + 1
        assert show(host, unit, "NeedDaemonReload")["NeedDaemonReload"] == "no"

    @one_version
    def test_diff_is_the_file_and_the_plan(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service("one"))
        old = host.read(f"{SYSTEM}/{unit}.service")
        done = converge(host, name=unit, sections=service("two"), started=True)
        contents, plan = done["diff"]
        assert contents["before"] == old
        assert contents["after"] == old.replace("one", "two") == host.read(f"{SYSTEM}/{unit}.service")
        assert contents["before_header"] == contents["after_header"] == f"{SYSTEM}/{unit}.service"
        assert f"@@ {unit}.service\n-inactive (dead)\n+active\n" in plan["prepared"]
        assert "daemon-reload; start" in plan["prepared"]

    @one_version
    def test_owner_mode_and_backup(self, host: Host, unit: str) -> None:
        path = f"{SYSTEM}/{unit}.service"
        converge(host, name=unit, sections=service("one"), owner="deploy", group="deploy", mode="0640")
        assert host.run(["stat", "-c", "%U %G %a", path]).stdout.split() == ["deploy", "deploy", "640"]
        done = converge(host, name=unit, sections=service("one"), mode="u=rw,go=r")
        assert done["steps"] == [f"set attributes of {path}"]
        done = good(host, name=unit, sections=service("two"), backup=True)
        assert host.run(["stat", "-c", "%U %G %a", path]).stdout.split() == ["deploy", "deploy", "644"]
        assert "Description=one" in host.read(done["backup_file"])
        done = good(host, name=unit, state="absent", backup=True)
        assert "Description=two" in host.read(done["backup_file"])
        assert not host.exists(path)

    def test_runtime_and_shadows(self, host: Host, unit: str) -> None:
        done = converge(host, name=unit, sections=service("one") | {"Install": {"WantedBy": "basic.target"}}, runtime=True, activate=True)
        assert done["path"] == f"/run/systemd/system/{unit}.service"
        assert host.exists(f"/run/systemd/system/basic.target.wants/{unit}.service")
        assert not host.exists(f"{SYSTEM}/{unit}.service")
        good(host, name=unit, sections=service("two"))
        done = good(host, name=unit, sections=service("three"), runtime=True)
        assert f"has no effect while there is {SYSTEM}/{unit}.service" in done["warnings"][0]
        assert show(host, unit, "Description")["Description"] == "two"
        good(host, name=unit, state="absent", runtime=True)
        assert show(host, unit, "ActiveState")["ActiveState"] == "active"

    def test_parser_reads_what_systemd_reads(self, host: Host, unit: str) -> None:
        text = (
            "\ufeff[Service]\nEnvironment=A=1 \\\n  # in between\n  B=2\\\n C=3\n;x\\\nEnvironment= D=4  \n"
            f"ExecStart={SLEEP}\n[Unit]\nDescription = a  b \n[Service]\nEnvironment=E=5\\\\\nX-Some=thing\n"
            "Environment=\nEnvironment=F=6\n  Environment = G=7\n[Unit]\nDocumentation=https://a/ \\\n\n  https://b/=\n"
        )
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse

        found = parse(text)
        assert [p.line for p in found.problems] == []
        host.write(f"{SYSTEM}/{unit}.service", text)
        host.run("systemctl daemon-reload", check=True)
        told = show(host, unit, "Environment", "Description", "Documentation")
        assert told["Environment"] == " ".join(found.values("Service", "Environment")) == "F=6 G=7"
        assert told["Description"] == found.values("Unit", "Description")[-1] == "a  b"
        assert told["Documentation"] == found.values("Unit", "Documentation")[-1] == "https://a/"
        host.write(f"{SYSTEM}/{unit}.service", text.replace("Environment=\n", ""))
        host.run("systemctl daemon-reload", check=True)
        assert show(host, unit, "Environment")["Environment"] == 'A=1 B=2 C=3 D=4 "E=5\\\\" F=6 G=7'


class TestDropins:
    def test_dropin_with_a_reset_restarts_the_unit(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service(), activate=True)
        first = invocation(host, f"{unit}.service")
        sections = {"Unit": {"After": ["ssh.service"]}, "Service": {"ExecStart": ["", "/bin/sleep 4711"]}}
        done = converge(host, name=unit, dropin="10-command", sections=sections, on_change="restart")
        path = f"{SYSTEM}/{unit}.service.d/10-command.conf"
        assert done["steps"][:3] == [f"write {path}", "daemon-reload", f"try-restart {unit}.service"]
        assert host.read(path).endswith("[Service]\nExecStart=\nExecStart=/bin/sleep 4711\n")
        assert invocation(host, f"{unit}.service") != first
        assert "argv[]=/bin/sleep 4711" in show(host, unit, "ExecStart")["ExecStart"]
        done = converge(host, name=unit, dropin="10-command.conf", state="absent", on_change="restart")
        assert not host.exists(f"{SYSTEM}/{unit}.service.d")
        assert f"argv[]={SLEEP}" in show(host, unit, "ExecStart")["ExecStart"]
        assert show(host, unit, "ActiveState")["ActiveState"] == "active"

    @one_version
    def test_other_dropins_stay(self, host: Host, unit: str) -> None:
        for name in ("a", "b"):
            good(host, name=unit, dropin=name, sections={"Unit": {"Description": name}})
        converge(host, name=unit, dropin="a", state="absent")
        assert host.exists(f"{SYSTEM}/{unit}.service.d/b.conf")

    def test_unit_that_is_not_there_yet(self, host: Host, unit: str) -> None:
        converge(host, name=unit, dropin="early", sections={"Service": {"Nice": 5}}, on_change="restart")
        refused(host, "Nicee= in [Service]; did you mean Nice=?", name=unit, dropin="early", sections={"Service": {"Nicee": 5}})
        good(host, name=unit, sections=service())
        assert show(host, unit, "Nice")["Nice"] == "5"

    def test_a_unit_that_is_meant_otherwise(self, host: Host, unit: str) -> None:
        good(host, name=f"{unit}-server", sections=service())
        done = converge(host, name=f"{unit}-sevrer", dropin="x", sections={"Service": {"Nice": 1}}, on_change="restart")
        (warning,) = done["warnings"]
        assert f"{unit}-sevrer.service" in warning and f"did you mean {unit}-server.service?" in warning
        for name in (f"{unit}-server", f"{unit}-.service", f"{unit}.slice", "user@4711.service"):
            assert "warnings" not in good(host, name=name, dropin=unit, content="[Unit]\n"), name
            good(host, name=name, dropin=unit, state="absent")
        refused(host, "name: service is a type of units", name="service", dropin="x", content="[Unit]\n")

    def test_one_may_be_empty(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service(), started=True)
        good(host, name=unit, dropin="x", sections={"Service": {"Environment": "A=1"}}, on_change="restart")
        converge(host, name=unit, dropin="x", content="", on_change="restart")
        assert show(host, unit, "Environment")["Environment"] == ""

    def test_what_runs_on_is_told(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service(), started=True)
        done = converge(host, name=unit, dropin="x", sections={"Service": {"Environment": "A=1"}})
        assert done["warnings"] == [
            f"{unit}.service runs on with what the files said before; give `on_change: restart` (or `nothing`, where it is restarted later)"
        ]
        assert "warnings" not in converge(host, name=unit, dropin="x", sections={"Service": {"Environment": "A=2"}}, on_change="nothing")

    def test_one_instance_and_all_with_a_prefix(self, host: Host, unit: str) -> None:
        good(host, name=f"{unit}@.service", sections=service())
        host.run(f"systemctl start {unit}@1 {unit}@2", check=True)
        before = [invocation(host, f"{unit}@{n}.service") for n in (1, 2)]
        done = converge(host, name=f"{unit}@1", dropin="mine", sections={"Service": {"Nice": 3}}, on_change="restart")
        assert f"try-restart {unit}@1.service" in done["steps"]
        after = [invocation(host, f"{unit}@{n}.service") for n in (1, 2)]
        assert (after[0] != before[0], after[1] == before[1]) == (True, True)
        good(host, name=f"{unit}-one", sections=service(), started=True)
        good(host, name=f"{unit}-two", sections=service())
        done = converge(host, name=f"{unit}-.service", dropin="all", sections={"Service": {"Nice": 4}}, on_change="restart")
        assert f"try-restart {unit}-one.service" in done["steps"]
        assert show(host, f"{unit}-one", "Nice")["Nice"] == "4"
        assert show(host, f"{unit}-two", "Nice", "ActiveState") == {"Nice": "4", "ActiveState": "inactive"}
        # One of the same name for one unit goes before that for all, which is as wanted all the same.
        good(host, name=f"{unit}-one", dropin="all", sections={"Service": {"Nice": 5}}, on_change="restart")
        done = good(host, name=f"{unit}-.service", dropin="all", sections={"Service": {"Nice": 4}}, on_change="restart")
        assert done["changed"] is False, done["steps"]
        assert show(host, f"{unit}-one", "Nice")["Nice"] == "5"

    @one_version
    def test_links_in_the_place_of_dropins(self, host: Host, unit: str) -> None:
        directory = f"{SYSTEM}/{unit}.service.d"
        host.run(f"mkdir {directory}; ln -s /dev/null {directory}/a.conf; ln -s /etc/hostname {directory}/b.conf", check=True)
        for name, target in (("a", "/dev/null"), ("b", "/etc/hostname")):
            result = task(host, name=unit, dropin=name, sections={"Service": {"Nice": 1}})
            assert result["msg"].startswith(f"dropin: {directory}/{name}.conf is a link to {target};"), result["msg"]
        converge(host, name=unit, dropin="a", state="absent")
        good(host, name=unit, dropin="b", state="absent")
        assert host.run(["ls", directory]).stdout == ""
        assert host.exists("/etc/hostname")


class TestActivation:
    def test_activate_then_change_then_stop(self, host: Host, unit: str) -> None:
        install = {"Install": {"WantedBy": "multi-user.target"}}
        count = reloads(host)
        done = converge(host, name=unit, sections=service("one") | install, activate=True)
        assert [s.split()[0] for s in done["steps"]] == ["write", "enable", "daemon-reload", "start", "watch"]
        assert done["units"][0]["before"] == "not found"
        assert reloads(host) == count + 1
        assert show(host, unit, "ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "enabled"}
        first = invocation(host, f"{unit}.service")
        done = converge(host, name=unit, sections=service("two") | install, activate=True)
        assert [s.split()[0] for s in done["steps"]] == ["rewrite", "daemon-reload", "restart", "watch"]
        assert invocation(host, f"{unit}.service") != first
        done = converge(host, name=unit, sections=service("two") | install, enabled=False, started=False)
        assert [s.split()[0] for s in done["steps"]] == ["disable", "daemon-reload", "stop"]
        done = converge(host, name=unit, sections=service("two") | install, activate=True, enabled=False)
        assert show(host, unit, "ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "disabled"}

    @one_version
    def test_a_socket_whose_service_runs(self, host: Host, unit: str) -> None:
        name, sections = f"{unit}.socket", {"Socket": {"ListenStream": f"/run/{unit}", "SocketMode": "0660"}}
        good(host, name=unit, sections=service())
        good(host, name=name, sections=sections, started=True)
        good(host, name=unit, sections=service(), started=True)
        changed = {"Socket": {**sections["Socket"], "SocketMode": "0600"}}
        refused(host, "on_change: ", f"{unit}.service runs", name=name, sections=changed, on_change="restart")
        assert show(host, name, "ActiveState")["ActiveState"] == "active"
        # One that accepts connections may be restarted whatever their services do.
        good(host, name=unit, state="absent")
        good(host, name=f"{unit}@.service", content=f"[Service]\nExecStart={SLEEP}\nStandardInput=socket\n")
        good(host, name=name, sections={"Socket": {**sections["Socket"], "Accept": "yes"}}, on_change="restart")
        host.run(f"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/{unit}\")'; sleep 0.3", check=True)
        assert f"{unit}@0" in host.run(f"systemctl list-units --plain --no-legend '{unit}@*' --state active").stdout
        done = good(host, name=name, sections={"Socket": {**changed["Socket"], "Accept": "yes"}}, on_change="restart")
        assert f"try-restart {name}" in done["steps"]

    def test_install_section_changes(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service())
        done = good(host, name=unit, sections=service(), enabled=True)
        assert "cannot be enabled" in done["warnings"][0]
        wants = f"{SYSTEM}/{{}}.target.wants/{unit}.service"
        converge(host, name=unit, sections=service() | {"Install": {"WantedBy": "multi-user.target"}}, enabled=True)
        assert host.exists(wants.format("multi-user"))
        converge(host, name=unit, sections=service() | {"Install": {"WantedBy": "basic.target"}}, enabled=True)
        assert host.exists(wants.format("basic"))
        assert not host.exists(wants.format("multi-user"))

    def test_template_with_a_default_instance(self, host: Host, unit: str) -> None:
        sections = service() | {"Install": {"WantedBy": "basic.target", "DefaultInstance": "main"}}
        converge(host, name=f"{unit}@.service", sections=sections, enabled=True)
        assert host.exists(f"{SYSTEM}/basic.target.wants/{unit}@main.service")

    @pytest.mark.parametrize(
        ("on_change", "restarted"),
        [("restart", True), ("reload", False), ("reload_or_restart", False), ("nothing", False), (None, False)],
    )
    def test_on_change(self, host: Host, unit: str, on_change: str | None, restarted: bool) -> None:
        count = f"/run/{unit}-reloads"
        sections = service(ExecReload=f"/bin/sh -c 'echo x >>{count}'")
        good(host, name=unit, sections=sections, started=True)
        first = invocation(host, f"{unit}.service")
        sections["Service"]["Nice"] = 1
        options: dict[str, t.Any] = {"on_change": on_change} if on_change else {}
        converge(host, name=unit, sections=sections, **options)
        assert (invocation(host, f"{unit}.service") != first) is restarted
        assert host.exists(count) is (on_change in ("reload", "reload_or_restart"))
        host.run(f"rm -f {count}; systemctl stop {unit}", check=True)
        sections["Service"]["Nice"] = 2
        converge(host, name=unit, sections=sections, **options)
        assert show(host, unit, "ActiveState")["ActiveState"] == "inactive"

    def test_reload_of_a_unit_that_cannot(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service(), started=True)
        refused(host, "on_change", "no way to reload", name=unit, sections=service("two"), on_change="reload")
        reloading = service("two", ExecReload="/bin/true")
        converge(host, name=unit, sections=reloading, on_change="reload")

    def test_template_restarts_its_instances_that_run(self, host: Host, unit: str) -> None:
        good(host, name=f"{unit}@.service", sections=service("one"))
        host.run(f"systemctl start {unit}@a {unit}@b", check=True)
        before = [invocation(host, f"{unit}@{n}.service") for n in "ab"]
        count = reloads(host)
        done = converge(host, name=f"{unit}@.service", sections=service("two"), on_change="restart")
        assert f"try-restart {unit}@a.service, {unit}@b.service" in done["steps"]
        assert reloads(host) == count + 1
        after = [invocation(host, f"{unit}@{n}.service") for n in "ab"]
        assert not set(before) & set(after)
        assert {u["name"] for u in done["units"]} == {f"{unit}@.service", f"{unit}@a.service", f"{unit}@b.service"}

    @pytest.mark.parametrize("which", ["file", "first drop-in", "removed drop-in", "new unit"])
    def test_an_earlier_run_that_did_not_get_to_its_reload(self, host: Host, unit: str, which: str) -> None:
        if which != "new unit":
            good(host, name=unit, sections=service("one"), started=True)
        if which == "removed drop-in":
            good(host, name=unit, sections=service("two"))
            good(host, name=unit, dropin="x", sections={"Unit": {"Description": "one"}})
        before = invocation(host, f"{unit}.service")
        args: dict[str, t.Any] = {"name": unit, "sections": service("two")}
        if which == "removed drop-in":
            args = {"name": unit, "dropin": "x", "state": "absent"}
        if which == "first drop-in":
            args |= {"dropin": "x"}
            args["sections"] = {"Unit": {"Description": "two"}}
        host.run("sleep 1.1")  # files are told apart by whole seconds on some file systems
        good(host, daemon_reload="never", **args)
        if which == "new unit":
            converge(host, started=True, **args)
            return
        assert show(host, unit, "Description")["Description"] == "one"
        done = converge(host, on_change="restart", **args)
        assert done["written"] is False
        assert [s.split()[0] for s in done["steps"]] == ["daemon-reload", "try-restart", "watch"]
        assert show(host, unit, "Description")["Description"] == "two"
        assert invocation(host, f"{unit}.service") != before

    @one_version
    def test_daemon_reload(self, host: Host, unit: str) -> None:
        count = reloads(host)
        good(host, name=unit, sections=service(), daemon_reload="never")
        assert reloads(host) == count
        for dummy in range(2):
            assert good(host, name=unit, sections=service(), daemon_reload="always")["changed"] is True
        assert reloads(host) == count + 2
        assert good(host, name=unit, sections=service())["changed"] is False
        assert reloads(host) == count + 2


class TestRestartedForMore:
    def test_what_others_write(self, host: Host, unit: str) -> None:
        """Each change is one restart, whoever made it and whenever; none is lost, and none is made twice."""
        conf = f"/etc/systemd/system/{unit}.conf"
        args: dict[str, t.Any] = {"name": unit, "sections": service(), "restart_on": [conf, "version 1"]}
        converge(host, started=True, **args)
        began = invocation(host, f"{unit}.service")

        def restarted(why: list[str] | None, **more: t.Any) -> None:
            nonlocal began
            done = converge(host, **{**args, **more})
            assert done["units"][0].get("why") == why
            now = invocation(host, f"{unit}.service")
            assert (now != began) is bool(why)
            began = now

        host.write(conf, "1")
        # Also without `started`, and together with a change of the file that restarts it as well.
        restarted([conf])
        host.write(conf, "2")
        args["sections"] = service("other")
        restarted([conf, f"{SYSTEM}/{unit}.service"], on_change="restart")
        args["restart_on"][1] = "version 2"
        restarted(["restart_on"])
        assert host.run("grep -r 'version 2' /var/lib/pidone.systemd").stdout == ""
        host.write(conf, "3")
        host.run(f"sleep 0.05; systemctl restart {unit}", check=True)
        began = invocation(host, f"{unit}.service")
        restarted(None)
        # What does not run is not started by it.
        host.run(f"systemctl stop {unit}", check=True)
        host.write(conf, "4")
        converge(host, **args)
        assert show(host, unit, "ActiveState") == {"ActiveState": "inactive"}
        converge(host, name=unit, state="absent")
        assert host.run(f"ls /var/lib/pidone.systemd/unit_file/system | grep {unit}").stdout == ""

    @one_version
    def test_instances_and_reloads(self, host: Host, unit: str) -> None:
        made = f"/run/{unit}-%i"
        good(host, name=f"{unit}@", sections=service(ExecReload=f"/bin/touch {made}"))
        host.run(f"systemctl start {unit}@a {unit}@b", check=True)
        args: dict[str, t.Any] = {"name": f"{unit}@", "dropin": "x", "sections": {"Unit": {"Description": "x"}}}
        good(host, **args, reload_on=["1"])
        assert not host.exists(f"/run/{unit}-a")
        done = converge(host, **args, reload_on=["2"], probe={"socket": "/run/systemd/private"})
        assert f"reload {unit}@a.service, {unit}@b.service" in done["steps"]
        assert f"probe {unit}@a.service, {unit}@b.service" in done["steps"]
        host.run(f"rm /run/{unit}-a /run/{unit}-b", check=True)
        refused(host, "probe.tcp", f"{unit}@a.service", **args, reload_on=["3"], probe={"tcp": "9%i"})

    @one_version
    def test_probe(self, host: Host, unit: str) -> None:
        probe = {"command": f"test -e /run/{unit}", "timeout": "300ms", "interval": "50ms"}
        result = task(host, name=unit, sections=service(), activate=True, probe=probe, rollback=True)
        assert result["failed"]
        assert result["probe"]["unit"] == f"{unit}.service"
        assert show(host, unit, "LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}
        assert host.run(f"ls /var/lib/pidone.systemd/unit_file/system | grep {unit}").stdout == ""
        # Without a way back it runs, and has yet to answer.
        for dummy in range(2):
            assert task(host, name=unit, sections=service(), started=True, probe=probe)["failed"]
            assert show(host, unit, "ActiveState") == {"ActiveState": "active"}
        host.run(f"touch /run/{unit}", check=True)
        converge(host, name=unit, sections=service(), started=True, probe=probe)
        host.run(f"rm /run/{unit}", check=True)
        # What is left alone is not asked.
        assert good(host, name=unit, sections=service(), started=True, probe=probe)["changed"] is False

    @one_version
    def test_units_of_users(self, host: Host, unit: str, user: str) -> None:
        """As the user: what root may read and he may not is none of his units'."""
        args: dict[str, t.Any] = {"name": unit, "scope": "user", "user": user, "sections": service(), "started": True}
        host.run(f"echo 1 >/home/{user}/conf; chown {user} /home/{user}/conf", check=True)
        good(host, **args, restart_on=["~/conf"])
        host.run(f"echo 2 >/home/{user}/conf", check=True)
        done = good(host, **args, restart_on=["~/conf"])
        assert done["units"][0]["why"] == [f"/home/{user}/conf"]
        assert good(host, **args, restart_on=["~/conf"])["changed"] is False
        refused(host, "restart_on", "/etc/shadow", **args, restart_on=["/etc/shadow"])
        good(host, name=unit, scope="user", user=user, state="absent")
        assert host.run(f"find /home/{user}/.local/state/pidone.systemd -name '{unit}*'").stdout == ""


class TestFailure:
    FAILING: t.ClassVar = {"ExecStart": "/bin/false"}

    def test_rollback_of_a_change(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service("good"), activate=True, mode="0640")
        before = host.run(f"stat -c '%a %Y' {SYSTEM}/{unit}.service; cat {SYSTEM}/{unit}.service").stdout
        result = task(host, name=unit, sections=service("bad", **self.FAILING), activate=True, settle="1s", rollback=True)
        assert result["failed"]
        assert result["changed"] is False
        assert f"{unit}.service" in result["msg"]
        assert "rolled back" in result["msg"]
        assert f"{SYSTEM}/{unit}.service as it was" in result["rolled_back"]
        assert host.run(f"stat -c '%a %Y' {SYSTEM}/{unit}.service; cat {SYSTEM}/{unit}.service").stdout == before
        assert show(host, unit, "ActiveState", "Description", "NeedDaemonReload") == {
            "ActiveState": "active",
            "Description": "good",
            "NeedDaemonReload": "no",
        }
        assert good(host, name=unit, sections=service("good"), activate=True)["changed"] is False

    def test_rollback_of_a_new_unit(self, host: Host, unit: str) -> None:
        before = snapshot(host)
        sections = service("bad", **self.FAILING) | {"Install": {"WantedBy": "basic.target"}}
        result = task(host, name=unit, sections=sections, activate=True, settle="1s", rollback=True)
        assert result["failed"]
        strip = re.compile(r"^(/etc/systemd/system \S* .*|/etc/systemd/system/basic.target.wants .*)$", re.M)
        assert strip.sub("", snapshot(host)).split() == strip.sub("", before).split()
        assert show(host, unit, "LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}

    @one_version
    def test_rollback_where_the_start_limit_was_hit(self, host: Host, unit: str) -> None:
        def limited(name: str, **directives: t.Any) -> dict[str, t.Any]:
            limit = {"Description": name, "StartLimitIntervalSec": "1h", "StartLimitBurst": 3}
            return service(**directives) | {"Unit": limit}

        good(host, name=unit, sections=limited("good"), activate=True)
        for attempt in range(3):
            bad = limited(f"bad {attempt}", **self.FAILING, Restart="always", RestartSec="1ms")
            result = task(host, name=unit, sections=bad, activate=True, settle="1s", rollback=True)
            assert result["failed"]
            assert not [line for line in result["rolled_back"] if "did not" in line], result["msg"]
            assert show(host, unit, "ActiveState", "Description") == {"ActiveState": "active", "Description": "good"}

    @one_version
    def test_without_rollback_the_file_stays(self, host: Host, unit: str) -> None:
        result = task(host, name=unit, sections=service("bad", **self.FAILING), started=True, settle="1s")
        assert result["failed"]
        assert result["changed"] is True
        assert result["failures"][0]["exit_code"] == 1
        assert host.exists(f"{SYSTEM}/{unit}.service")
        assert result["steps"][0] == f"write {SYSTEM}/{unit}.service"


class TestAbsent:
    def test_running_and_enabled(self, host: Host, unit: str) -> None:
        sections = service() | {"Install": {"WantedBy": "multi-user.target", "Alias": f"{unit}-alias.service"}}
        good(host, name=unit, sections=sections, activate=True)
        host.run(f"mkdir {SYSTEM}/{unit}.service.d", check=True)
        assert host.exists(f"{SYSTEM}/{unit}-alias.service")
        done = converge(host, name=unit, state="absent")
        assert [s.split()[0] for s in done["steps"]] == ["stop", "remove", "unlink", "remove", "daemon-reload"]
        assert unit not in host.run(f"find {SYSTEM}").stdout
        assert show(host, unit, "LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}

    @one_version
    def test_left_running(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service(), started=True)
        converge(host, name=unit, state="absent", on_change="nothing")
        assert show(host, unit, "ActiveState")["ActiveState"] == "active"
        converge(host, name=unit, state="absent")
        assert show(host, unit, "ActiveState")["ActiveState"] == "inactive"

    def test_template_with_instances(self, host: Host, unit: str) -> None:
        good(host, name=f"{unit}@.service", sections=service() | {"Install": {"WantedBy": "multi-user.target"}})
        own = f"{unit}@own.service"
        host.write(f"{SYSTEM}/{own}", f"[Service]\nExecStart={SLEEP}\n[Install]\nWantedBy=multi-user.target\n")
        host.run(f"systemctl enable --now {unit}@1 {unit}@2 {own}", check=True)
        converge(host, name=f"{unit}@.service", state="absent")
        assert show(host, own, "ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "enabled"}
        converge(host, name=own, state="absent")
        assert unit not in host.run(f"find {SYSTEM}; systemctl list-units --all --plain --no-legend '{unit}*'").stdout

    def test_package_has_a_file_of_its_own(self, host: Host, unit: str) -> None:
        host.write(f"/usr/lib/systemd/system/{unit}.service", f"[Unit]\nDescription=vendor\n[Service]\nExecStart={SLEEP}\n")
        good(host, name=unit, sections=service("mine"), started=True)
        first = invocation(host, f"{unit}.service")
        converge(host, name=unit, state="absent", on_change="restart")
        assert show(host, unit, "Description", "ActiveState") == {"Description": "vendor", "ActiveState": "active"}
        assert invocation(host, f"{unit}.service") != first

    @one_version
    def test_leftovers_of_an_interrupted_run(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service() | {"Install": {"WantedBy": "multi-user.target"}}, activate=True)
        host.run(f"rm {SYSTEM}/{unit}.service; mkdir -p {SYSTEM}/{unit}.service.d; systemctl daemon-reload", check=True)
        converge(host, name=unit, state="absent")
        assert unit not in host.run(f"find {SYSTEM}").stdout
        assert show(host, unit, "ActiveState")["ActiveState"] == "inactive"

    @one_version
    def test_mount_of_somebody_else_is_not_unmounted(self, host: Host) -> None:
        assert good(host, name="run-lock.mount", state="absent")["changed"] is False
        assert good(host, name="-.mount", state="absent")["changed"] is False

    @one_version
    def test_unit_that_systemd_has_without_a_file(self, host: Host) -> None:
        good(host, name="system.slice", sections={"Unit": {"Description": "mine"}})
        done = converge(host, name="system.slice", state="absent")
        assert [s.split()[0] for s in done["steps"]] == ["remove", "daemon-reload"]
        assert show(host, "system.slice", "ActiveState")["ActiveState"] == "active"

    def test_linked_masked_and_alias(self, host: Host, unit: str) -> None:
        host.write(f"/root/{unit}.service", f"[Service]\nExecStart={SLEEP}\n")
        host.run(f"systemctl link /root/{unit}.service", check=True)
        refused(host, "is a link to", name=unit, sections=service())
        converge(host, name=unit, state="absent")
        assert not host.exists(f"{SYSTEM}/{unit}.service")
        assert host.exists(f"/root/{unit}.service")
        host.run(f"systemctl mask {unit}", check=True)
        refused(host, "is masked", "unmask it first", name=unit, sections=service())
        assert "masked" in good(host, name=unit, state="absent")["warnings"][0]
        assert host.run(["readlink", f"{SYSTEM}/{unit}.service"]).stdout.strip() == "/dev/null"
        host.run(f"ln -s ssh.service {SYSTEM}/{unit}-alias.service", check=True)
        refused(host, "is a link to ssh.service", name=f"{unit}-alias", state="absent")


class TestVerify:
    def test_old_file_stays_and_the_line_is_named(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service("old"), activate=True)
        text = f"# line 1\n[Service]\nExecStart={SLEEP}\nRestrat=always\nPrivateTmp=perhaps\n[Servcie]\nA=b\n"
        result = refused(
            host,
            "the file on the host is untouched",
            "line 4: systemd here knows no Restrat= in [Service]; did you mean Restart=?",
            "line 5: Failed to parse",
            "line 6: there is no section [Servcie]; did you mean [Service]?",
            name=unit,
            content=text,
            activate=True,
        )
        assert [(p["line"], p["text"]) for p in result["problems"]] == [(4, "Restrat=always"), (5, "PrivateTmp=perhaps"), (6, "[Servcie]")]
        assert "Description=old" in host.read(f"{SYSTEM}/{unit}.service")

    def test_directive_of_a_newer_version(self, host: Host, unit: str) -> None:
        sections = service(PrivatePIDs=True)  # systemd 257
        if VERSIONS[host.kind.name] >= 257:
            converge(host, name=unit, sections=sections)
        else:
            refused(host, "knows no PrivatePIDs= in [Service]", name=unit, sections=sections)
        converge(host, name=unit, sections=sections, verify="nothing")

    @pytest.mark.parametrize(
        ("suffix", "text", "word"),
        [
            (".service", "[Service]\nType=simple\n", "has no ExecStart="),
            (".service", "[Service]\nExecStart=/bin/true\nExecStart=/bin/true\n", "more than one ExecStart="),
            (".service", "[Service]\nExecStart=/bin/true \\\n --x \\\n --y %Z\n", "line 2: Failed to resolve unit specifiers"),
            (".service", '[Service]\nExecStart=/bin/true "x\n', "line 2: Unbalanced quoting"),
            (".service", "[Service]\nExecStart=/bin/true\nEnvironment=A=hello world\n", "give it as an item of a list"),
            ("@.service", "[Service]\nExecStart=/bin/true\nNice=99\n", "line 3: Nice priority out of range"),
            (".timer", "[Timer]\nOnCalendar=someday\n", "line 2: Failed to parse calendar"),
            (".mount", "[Mount]\nWhat=/dev/x\nWhere=/elsewhere\n", "doesn't match unit name"),
            (".socket", "[Socket]\nListenStream=x y\n", "line 2: Failed to parse"),
            (".slice", "[Slice]\nMemoryMax=lots\n", "line 2: Invalid memory limit"),
            (".swap", "[Swap]\nWhat=/dev/elsewhere\n", "What= and unit name do not match"),
            (".service", "[Unit]\nAfter=network\n[Service]\nExecStart=/bin/true\n", "line 2: Failed to add dependency on network, ignoring"),
            (".service", "[Unit]\nRequires=postgresql\n[Service]\nExecStart=/bin/true\n", "such as postgresql.service"),
            (".service", "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user\n", "line 4: 'multi-user' is no name of a unit"),
            (".service", "[Service]\nExecStart=/bin/true\n[Install]\nAlias=foobar\n", "such as foobar.service"),
            ("@.service", "[Service]\nExecStart=/bin/true\nNice=%i\nMemoryMax=%iM\n", "line 4: Invalid memory limit '%iM'"),
            ("@.socket", "[Socket]\nListenStream=%i\nIPAddressAllow=%i\n", "line 3: "),
        ],
    )
    def test_refused(self, host: Host, unit: str, suffix: str, text: str, word: str) -> None:
        result = task(host, name=unit + suffix, content=text)
        assert result["failed"]
        assert word in result["msg"]
        assert not host.exists(f"{SYSTEM}/{unit}{suffix}")

    def test_names_in_drop_ins(self, host: Host, unit: str) -> None:
        good(host, name=unit, sections=service())
        refused(host, "did you mean network.target?", name=unit, dropin="x", sections={"Unit": {"After": "network"}})
        refused(host, "did you mean multi-user.target?", name=unit, dropin="x", sections={"Install": {"WantedBy": "multi-user"}})
        good(host, name=unit, dropin="x", sections={"Unit": {"After": "network.target", "OnFailure": "alert@%n"}}, verify="strict")

    @pytest.mark.parametrize(
        ("suffix", "text"),
        [
            ("timer", "[Timer]\nOnCalendar=%i\n"),
            ("timer", "[Timer]\nOnActiveSec=1d\nUnit=%i\n"),
            ("socket", "[Socket]\nListenStream=%i\n"),
            ("socket", "[Socket]\nListenStream=127.0.0.1:%i\n"),
            ("path", "[Path]\nPathModified=%I\n"),
            ("service", "[Service]\nExecStart=/bin/true\nWorkingDirectory=%I\n"),
            ("service", "[Unit]\nAfter=%i\n[Service]\nExecStart=/bin/true\nSlice=%i\n"),
        ],
    )
    def test_values_that_depend_on_the_instance(self, host: Host, unit: str, suffix: str, text: str) -> None:
        if suffix != "service":
            good(host, name=f"{unit}@.service", sections=service())
        done = good(host, name=f"{unit}@.{suffix}", content=text)
        assert all("made-up instance" in warning for warning in done["warnings"])

    def test_what_a_later_task_may_put_right_is_a_warning(self, host: Host, unit: str) -> None:
        sections = service("x", ExecStart="/opt/not/yet --here") | {"Unit": {"Requires": f"{unit}-other.service"}}
        refused(host, "/opt/not/yet is not executable", name=unit, sections=sections, verify="strict")
        done = good(host, name=unit, sections=sections)
        assert any("/opt/not/yet is not executable" in warning for warning in done["warnings"])
        done = good(host, name=f"{unit}-lone.socket", sections={"Socket": {"ListenStream": "/run/x"}})
        assert any("not loaded" in warning for warning in done["warnings"])
        good(host, name=f"{unit}-lone.service", sections=service())
        done = converge(host, name=f"{unit}-lone.socket", sections={"Socket": {"ListenStream": "/run/y"}}, verify="strict")
        assert "warnings" not in done

    def test_new_units_resolve_and_are_not_blamed_for_others(self, host: Host, unit: str) -> None:
        host.write(f"{SYSTEM}/{unit}-bad.service", "[Service]\nExecStart=/bin/true\nBroken=1\nPrivateTmp=zz\n")
        host.run("systemctl daemon-reload", check=True)
        good(host, name=f"{unit}-tpl@.service", sections=service())
        sections = service() | {"Unit": {"Requires": [f"{unit}-bad.service", f"{unit}-tpl@7.service"]}}
        assert "warnings" not in good(host, name=unit, sections=sections, verify="strict")
        dropin = good(host, name=f"{unit}-bad", dropin="x", sections={"Service": {"Nice": 1}}, verify="strict")
        assert "warnings" not in dropin

    def test_dropped_directives_only_warn(self, host: Host, unit: str) -> None:
        done = good(host, name=unit, content=f"[Service]\nExecStart={SLEEP}\nSysVStartPriority=5\n")
        assert "line 3: Support for option SysVStartPriority= has been removed" in done["warnings"][0]


class TestScopes:
    def test_user(self, host: Host, unit: str, user: str) -> None:
        sections = service() | {"Install": {"WantedBy": "default.target"}}
        options: dict[str, t.Any] = {"name": unit, "scope": "user", "user": user}
        done = converge(host, sections=sections, activate=True, **options)
        path = f"/home/{user}/.config/systemd/user/{unit}.service"
        assert done["path"] == path
        assert done["units"][0]["active_state"] == "active"
        owners = host.run(f"stat -c %U /home/{user}/.config /home/{user}/.config/systemd {path}").stdout.split()
        assert owners == [user] * 3
        refused(host, "did you mean ExecStart=?", sections={"Service": {"ExecStrat": "/x"}}, **options)
        converge(host, dropin="x", sections={"Service": {"Nice": 3}}, on_change="restart", **options)
        converge(host, dropin="x", state="absent", **options)
        result = task(host, sections=service("bad", ExecStart="/bin/false"), activate=True, settle="1s", rollback=True, **options)
        assert f"{path} as it was" in result["rolled_back"]
        converge(host, state="absent", **options)
        assert unit not in host.run(f"find /home/{user}/.config").stdout

    @one_version
    def test_user_logged_in_as_such(self, host: Host, unit: str, user: str) -> None:
        options = {"remote_user": user}
        done = good(host, options=options, name=unit, scope="user", sections=service(), started=True)
        assert done["units"][0]["active_state"] == "active"
        assert good(host, options=options, name=unit, scope="user", sections=service(), started=True)["changed"] is False
        good(host, options=options, name=unit, scope="user", state="absent")

    @one_version
    def test_user_whose_manager_does_not_run(self, host: Host, unit: str) -> None:
        # A test that logged in as this user may have left it running.
        host.run("systemctl stop user@$(id -u nosudo).service", check=True)
        options: dict[str, t.Any] = {"name": unit, "scope": "user", "user": "nosudo"}
        done = converge(host, sections=service(), **options)
        assert done["steps"] == [f"write /home/nosudo/.config/systemd/user/{unit}.service"]
        # In check mode an earlier task may be the one that starts it.
        planned = task(host, check=True, sections=service(), activate=True, **options)
        assert any("service manager of user nosudo" in warning for warning in planned["warnings"])
        result = task(host, sections=service(), activate=True, **options)
        assert result["failed"] and "user_manager" in result["msg"]
        converge(host, state="absent", **options)
        host.run("rm -rf /home/nosudo/.config")

    @one_version
    def test_root_is_not_led_out_of_a_home_directory(self, host: Host, unit: str) -> None:
        host.run("mkdir -p /home/nosudo/.config && ln -s /etc/systemd /home/nosudo/.config/systemd", check=True)
        result = task(host, name=unit, scope="user", user="nosudo", sections=service())
        assert result["failed"]
        assert not host.exists(f"/etc/systemd/user/{unit}.service")
        host.run("rm -rf /home/nosudo/.config")

    def test_global(self, host: Host, unit: str) -> None:
        sections = service() | {"Install": {"WantedBy": "default.target"}}
        done = converge(host, name=unit, scope="global", sections=sections, enabled=True)
        assert [s.split()[0] for s in done["steps"]] == ["write", "enable"]
        assert host.exists(f"/etc/systemd/user/default.target.wants/{unit}.service")
        assert done["units"][0]["enabled"] is True
        refused(host, "started", "nothing runs", name=unit, scope="global", sections=sections, started=True)
        converge(host, name=unit, scope="global", state="absent")
        assert unit not in host.run("find /etc/systemd/user").stdout

    def test_root(self, host: Host, unit: str) -> None:
        host.run("rm -rf /srv/tree; mkdir -p /srv/tree/etc", check=True)
        sections = service() | {"Install": {"WantedBy": "multi-user.target"}}
        done = converge(host, name=unit, root="/srv/tree", sections=sections, activate=True)
        assert [s.split()[0] for s in done["steps"]] == ["write", "enable"]
        assert done["path"] == f"/srv/tree{SYSTEM}/{unit}.service"
        assert (done["units"][0]["enabled"], done["units"][0]["unit_file_state"]) == (True, "enabled")
        link = host.run(["readlink", f"/srv/tree{SYSTEM}/multi-user.target.wants/{unit}.service"]).stdout.strip()
        assert link == f"{SYSTEM}/{unit}.service"
        refused(host, "did you mean", name=unit, root="/srv/tree", sections={"Service": {"ExecStrat": "/x"}})
        converge(host, name=unit, root="/srv/tree", dropin="x", sections={"Unit": {"Description": "y"}})
        converge(host, name=unit, root="/srv/tree", dropin="x", state="absent")
        converge(host, name=unit, root="/srv/tree", state="absent")
        assert unit not in host.run("find /srv/tree").stdout
        assert not host.exists(f"{SYSTEM}/{unit}.service")
        refused(host, "root", "not an existing directory", name=unit, root="/srv/nowhere", sections=sections)
        host.run("rm -r /srv/tree/etc/systemd; ln -s /etc/systemd /srv/tree/etc/systemd", check=True)
        refused(host, "root: ", "/srv/tree/etc/systemd/system go round in a circle", name=unit, root="/srv/tree", sections=sections)


class TestBadInput:
    @pytest.mark.parametrize(
        ("args", "words"),
        [
            ({"name": "a/b"}, ["name", "slash"]),
            ({"name": "../a.service"}, ["name", "slash"]),
            ({"name": "a\nb"}, ["name", "line break"]),
            ({"name": "a\0b"}, ["name", "NUL"]),
            ({"name": "x" * 300}, ["name", "255"]),
            ({"name": ""}, ["name"]),
            ({"name": "uf*.service"}, ["name", "pattern"]),
            ({"name": "uf.scope"}, ["name", "scope"]),
            ({"dropin": "a/b"}, ["dropin", "slash"]),
            ({"dropin": "../../x"}, ["dropin"]),
            ({"dropin": "a\nb"}, ["dropin", "line break"]),
            ({"dropin": ""}, ["dropin"]),
            ({"sections": None}, ["sections", "content"]),
            ({"sections": None, "content": ""}, ["content", "empty"]),
            ({"sections": None, "content": "[Unit\n"}, ["content", "line 1", "']'"]),
            ({"sections": None, "content": "Description=x\n[Unit]\n"}, ["line 1", "before the first section"]),
            ({"sections": {}}, ["sections", "empty"]),
            ({"content": "x"}, ["mutually exclusive"]),
            ({"sections": {"Unit": {"Description": "x\n[Service]"}}}, ["sections.Unit.Description", "line break"]),
            ({"sections": {"Unit": {"Description": "x\\"}}}, ["backslash"]),
            ({"sections": {"Unit": ["x"]}}, ["sections.Unit", "mapping"]),
            ({"sections": {"Service": {"UMask": 18}}}, ["sections.Service.UMask", "'0755'"]),
            ({"state": "purged"}, ["state", "present, absent"]),
            ({"state": "absent", "activate": True}, ["activate", "absent"]),
            ({"name": "uf@.service", "started": True}, ["started", "template"]),
            ({"name": "uf@.service", "activate": True}, ["activate", "template"]),
            ({"name": "uf@.service", "enabled": True}, ["enabled", "DefaultInstance"]),
            ({"user": "deploy"}, ["user", "scope: user"]),
            ({"scope": "user", "user": "nobody-here"}, ["user", "no user"]),
            ({"root": "/srv", "scope": "user"}, ["root"]),
            ({"root": "relative"}, ["root"]),
            ({"owner": "nobody-here"}, ["owner", "no user"]),
            ({"group": "nobody-here"}, ["group", "no group"]),
            ({"mode": "u=rq"}, ["mode", "'0644'"]),
            ({"scope": "user", "user": "deploy", "owner": "root"}, ["owner", "written as that user"]),
            ({"timeout": "soon"}, ["timeout"]),
            ({"settle": "soon"}, ["settle"]),
        ],
    )
    @one_version
    def test_one_clear_error(self, host: Host, args: dict[str, t.Any], words: list[str]) -> None:
        given = {"name": "uf-bad.service", "sections": service() | {"Install": {"WantedBy": "basic.target"}}, **args}
        given = {key: value for key, value in given.items() if value is not None}
        refused(host, *words, check_too="nobody-here" not in args.values(), **given)

    @one_version
    def test_without_permission(self, host: Host, unit: str) -> None:
        result = refused(host, "become: true", name=unit, sections=service(), options={"remote_user": "nosudo"})
        assert result["msg"].startswith("not permitted to write to /etc/systemd")
        host.run(f"mkdir -m 700 {SYSTEM}/{unit}.target.wants", check=True)
        refused(host, "cannot read", "become: true", name=unit, state="absent", options={"remote_user": "nosudo"})

    @one_version
    def test_absent_of_what_never_was(self, host: Host) -> None:
        assert good(host, name="uf-never", state="absent")["changed"] is False
        assert good(host, name="uf-never", dropin="x", state="absent")["changed"] is False

    @one_version
    def test_after_a_unit_that_an_earlier_task_would_have_made(self, host: Host, unit: str) -> None:
        done = task(host, check=True, name=unit, dropin="x", sections={"Service": {"Nice": 1}}, activate=True)
        assert not done["failed"], done["msg"]
        assert any("earlier task" in warning for warning in done["warnings"])
        result = task(host, name=unit, dropin="x", sections={"Service": {"Nice": 1}}, activate=True)
        assert "there is no unit" in result["msg"]
