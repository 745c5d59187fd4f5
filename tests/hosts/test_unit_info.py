# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `unit_info` on real hosts."""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.host import Host

SYSTEM = "/etc/systemd/system"


@pytest.fixture(scope="module")
def units(host: Host) -> t.Iterator[None]:
    """A running service with two processes, a template, a drop-in, a unit that failed."""
    sleepers = "ExecStart=/bin/sh -c 'sleep 1001 & exec sleep 1002'"
    host.write(f"{SYSTEM}/ui-run.service", f"[Unit]\nDescription=Two\n[Service]\n{sleepers}\nMemoryMax=1G\n")
    host.run(["mkdir", "-p", f"{SYSTEM}/ui-run.service.d"], check=True)
    host.write(f"{SYSTEM}/ui-run.service.d/10-x.conf", "[Unit]\nAfter=ui-bad.service\nConditionPathExists=/etc\n")
    host.write(
        f"{SYSTEM}/ui-t@.service", "[Service]\nExecStart=/bin/sleep 1003\n[Install]\nWantedBy=multi-user.target\n"
    )
    host.write(f"{SYSTEM}/ui-bad.service", "[Service]\nExecStart=/bin/false\n")
    host.run(
        "ln -s ui-run.service /etc/systemd/system/ui-alias.service; systemctl daemon-reload; "
        "systemctl start ui-run ui-t@1; systemctl enable -q ui-t@1; systemctl start ui-bad",
    )
    # Started is when systemd has forked: until all processes are what they shall be, and the one that fails has failed.
    ready = "pid=$(systemctl show -p MainPID --value ui-run); systemctl is-failed -q ui-bad && grep -qx sleep /proc/$pid/comm && pgrep -x sleep -P $pid"
    host.run(f"for i in $(seq 600); do {ready} && exit; sleep 0.1; done; exit 1", check=True)
    yield
    host.run(
        "systemctl disable -q ui-t@1; systemctl stop 'ui-*'; rm -rf /etc/systemd/system/ui-*; "
        "systemctl daemon-reload; systemctl reset-failed"
    )


def info(host: Host, **args: t.Any) -> dict[str, dict[str, t.Any]]:
    result = host.ansible("pidone.systemd.unit_info", args)
    assert not result["failed"], result["msg"]
    assert result["changed"] is False
    return {unit["name"]: unit for unit in result["units"]}


@pytest.mark.usefixtures("units")
class TestUnitInfo:
    """Facts against what systemctl says."""

    def test_summary(self, host: Host) -> None:
        found = info(host, name=["ui-run", "ui-bad", "ui-t@1", "ui-t@2", "ui-t@.service", "ui-none", "ui-alias"])
        assert (found["ui-run.service"]["active"], found["ui-run.service"]["enabled"]) == (True, False)
        assert found["ui-run.service"]["description"] == "Two"
        assert (found["ui-bad.service"]["failed"], found["ui-bad.service"]["active"]) == (True, False)
        assert (found["ui-t@1.service"]["active"], found["ui-t@1.service"]["enabled"]) == (True, True)
        assert (found["ui-t@2.service"]["active"], found["ui-t@2.service"]["enabled"]) == (False, False)
        assert found["ui-t@.service"]["exists"]
        assert "active_state" not in found["ui-t@.service"]
        assert found["ui-none.service"]["exists"] is False
        assert found["ui-none.service"]["load_state"] == "not-found"
        assert found["ui-alias.service"]["id"] == "ui-run.service"
        assert found["ui-alias.service"]["active"]

    def test_a_pattern_lists_each_unit_once(self, host: Host) -> None:
        assert "ui-alias.service" not in info(host, name="ui-*.service")
        assert {"ui-alias.service", "ui-run.service"} <= set(info(host, name=["ui-*.service", "ui-alias"]))
        assert set(info(host, name="ui-al*")) == {"ui-alias.service"}

    def test_a_directive_that_is_no_property(self, host: Host) -> None:
        result = host.ansible("pidone.systemd.unit_info", {"name": "ui-run", "properties": ["CPUQuota"]})
        assert result["failed"]
        assert "did you mean CPUQuotaPerSecUSec for 'CPUQuota'?" in result["msg"]

    def test_files(self, host: Host) -> None:
        found = info(host, name=["ui-run", "ui-t@.service", "ui-none"])
        assert found["ui-run.service"]["fragment_path"] == f"{SYSTEM}/ui-run.service"
        assert found["ui-run.service"]["dropin_paths"] == [f"{SYSTEM}/ui-run.service.d/10-x.conf"]
        assert found["ui-t@.service"]["fragment_path"] == f"{SYSTEM}/ui-t@.service"
        assert found["ui-none.service"]["fragment_path"] == ""

    def test_globs(self, host: Host) -> None:
        assert sorted(info(host, name="ui-t@*")) == ["ui-t@1.service"]
        assert sorted(info(host, name="ui-*.service")) == [
            "ui-bad.service",
            "ui-run.service",
            "ui-t@1.service",
        ]
        assert info(host, name="ui-nothing-*") == {}

    def test_states(self, host: Host) -> None:
        assert "ui-bad.service" in info(host, states=["failed"])
        assert "ui-run.service" not in info(host, states=["failed"])
        assert sorted(info(host, name="ui-*", states=["running"])) == [
            "ui-run.service",
            "ui-t@1.service",
        ]

    def test_all_loaded_units_without_names(self, host: Host) -> None:
        listed = host.run("systemctl list-units --all --plain --no-legend", check=True).stdout.splitlines()
        expected = {line.split()[0] for line in listed if line.split()[1] != "not-found"}
        found = set(info(host))
        # Units of the very connections that ask come and go.
        assert {name for name in expected ^ found if not name.startswith(("session-", "user", "run-"))} == set()

    def test_typed_properties(self, host: Host) -> None:
        wanted = ["MainPID", "MemoryMax", "MemoryHigh", "ExecStart", "InvocationID", "Conditions", "NoNewPrivileges"]
        unit = info(host, name="ui-run", properties=wanted)["ui-run.service"]["properties"]
        shown = dict(
            line.split("=", 1)
            for line in host.run("systemctl show ui-run -p MainPID,InvocationID", check=True).stdout.splitlines()
        )
        assert unit["MainPID"] == int(shown["MainPID"])
        assert unit["InvocationID"] == shown["InvocationID"]
        assert unit["MemoryMax"] == 1024**3
        assert unit["MemoryHigh"] == "infinity"
        assert unit["NoNewPrivileges"] is False
        assert unit["ExecStart"][0]["argv"] == ["/bin/sh", "-c", "sleep 1001 & exec sleep 1002"]
        assert unit["ExecStart"][0]["ignore_errors"] is False
        assert unit["Conditions"][0]["type"] == "ConditionPathExists"
        assert unit["Conditions"][0]["parameter"] == "/etc"

    def test_properties_of_mixed_types(self, host: Host) -> None:
        found = info(host, name=["ui-run", "multi-user.target"], properties=["MainPID", "Names"])
        assert found["ui-run.service"]["properties"]["Names"]
        assert "MainPID" in found["ui-run.service"]["properties"]
        assert list(found["multi-user.target"]["properties"]) == ["Names"]

    def test_all_properties(self, host: Host) -> None:
        found = info(host, name=["ui-run", "ui-none"], properties=["all"])["ui-run.service"]["properties"]
        listed = host.run("systemctl show ui-run --all", check=True).stdout.splitlines()
        names = {line.split("=", 1)[0] for line in listed}
        # systemctl renames some and prints structures as several; the common stock is large.
        assert len(names & set(found)) > 150
        assert found["Id"] == "ui-run.service"

    def test_dependencies(self, host: Host) -> None:
        found = info(host, name=["ui-run", "ui-t@1"], dependencies=True)
        assert "ui-bad.service" in found["ui-run.service"]["dependencies"]["After"]
        assert found["ui-t@1.service"]["dependencies"]["WantedBy"] == ["multi-user.target"]

    def test_processes(self, host: Host) -> None:
        processes = info(host, name="ui-run", processes=True)["ui-run.service"]["processes"]
        assert sorted(entry["command"] for entry in processes) == ["sleep 1001", "sleep 1002"]
        for entry in processes:
            assert host.read(f"/proc/{entry['pid']}/comm") == "sleep\n"
            assert entry["cgroup"].endswith("/ui-run.service")

    def test_unprivileged_users_may_read(self, host: Host) -> None:
        result = host.ansible("pidone.systemd.unit_info", {"name": "ui-run"}, remote_user="nosudo")
        assert not result["failed"], result["msg"]
        assert result["units"][0]["active"]

    def test_offline_tree(self, host: Host) -> None:
        unit = info(host, name=["ui-t@1", "ui-none"], root="/")
        assert unit["ui-t@1.service"]["enabled"]
        assert unit["ui-t@1.service"]["fragment_path"] == f"{SYSTEM}/ui-t@.service"
        assert unit["ui-none.service"]["exists"] is False

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            ({"name": "ui-run", "properties": ["MainPid"]}, ["properties:", "MainPid"]),
            ({"name": "../x"}, ["name:", "slash"]),
            ({"name": "ui-run", "root": "/nowhere"}, ["root:", "/nowhere"]),
            ({"name": "ui-run", "root": "/", "processes": True}, ["processes:", "root"]),
            ({"name": "ui-run", "scope": "user", "user": "nobody-there"}, ["user:", "nobody-there"]),
            ({"name": "ui-run", "user": "deploy"}, ["user:", "scope"]),
            ({"name": "ui-run", "timeout": "soon"}, ["timeout:", "soon", "5min"]),
        ],
    )
    def test_bad_input(self, host: Host, args: dict[str, t.Any], words: list[str]) -> None:
        result = host.ansible("pidone.systemd.unit_info", args)
        assert result["failed"]
        for word in words:
            assert word in result["msg"]
        assert "Traceback" not in str(result)


def test_files_of_many_units_are_those_that_systemd_has_read(host: Host) -> None:
    """Of many units files are looked at; what systemd has not read yet is not told."""
    stem, count, local = "uim", 40, "/usr/local/lib/systemd/system"
    names = [f"{stem}{number}.service" for number in range(count)]
    text = "[Unit]\\nSourcePath=/etc/hosts\\n[Service]\\nExecStart=/bin/sleep infinity\\n"
    gone = names[4]
    plain = text.replace("SourcePath=/etc/hosts", "Description=x")
    made = [f"printf '{text if name == names[0] else plain}' > {local}/{name}" for name in names]
    made.append(f"mkdir {local}/{names[1]}.d; printf '[Unit]\\n' > {local}/{names[1]}.d/a.conf")

    def told() -> dict[str, list[t.Any]]:
        found = info(host, name=[f"{stem}*.service"])
        return {name: [found[name][key] for key in ("fragment_path", "dropin_paths")] for name in names}

    def show() -> dict[str, list[t.Any]]:
        words = ["systemctl", "show", "-p", "FragmentPath", "-p", "DropInPaths", *names]
        blocks = host.run(words, check=True).stdout.strip().split("\n\n")
        values = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
        return {name: [each["FragmentPath"], each["DropInPaths"].split()] for name, each in zip(names, values)}

    try:
        host.run("\n".join(["set -e", f"mkdir -p {local}", *made, f"systemctl daemon-reload; systemctl start {' '.join(names)}"]), check=True)
        found = told()
        assert found == show()
        assert found[names[1]][1] == [f"{local}/{names[1]}.d/a.conf"]
        assert info(host, name=[f"{stem}*.service"])[names[0]]["source_path"] == "/etc/hosts"
        # A file in another place, drop-ins of one and of all, one that is gone; none of them has been read.
        host.run(
            f"cd /run/systemd/system && printf '{plain}' > {names[2]} && mkdir {names[3]}.d && printf '[Unit]\\n' > {names[3]}.d/b.conf"
            f" && mkdir service.d && printf '[Unit]\\n' > service.d/pidone.conf && rm {local}/{gone}",
            check=True,
        )
        assert told() == found == show()
        host.run("systemctl daemon-reload", check=True)
        # Of this one there is nothing but processes now, and no pattern matches it.
        names.remove(gone)
        after = told()
        assert after == show()
        assert after[names[2]] == [f"/run/systemd/system/{names[2]}", ["/run/systemd/system/service.d/pidone.conf"]]
        assert len(after[names[3]][1]) == 2
    finally:
        host.run(
            f"systemctl stop '{stem}*'; cd /run/systemd/system; rm -rf {local}/{stem}* {stem}* service.d; systemctl daemon-reload"
        )


def test_diagnosis_of_what_nobody_has_just_tried(host: Host) -> None:
    """As a task's failure tells it, of units that failed before: among them many others, and one that says very much."""
    names = {
        "fd-dead": "[Service]\nExecStart=/bin/sh -c 'sleep 0.2; echo cannot open the database >&2; exit 3'\n",
        "fd-loop": "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=0\n",
        "fd-loud": "[Service]\nLogRateLimitIntervalSec=0\nExecStart=/bin/sh -c 'seq 3000; exit 4'\n",
        "fd-needs": "[Unit]\nRequires=fd-once.service\nAfter=fd-once.service\n[Service]\nExecStart=/bin/sleep 1000\n",
        "fd-once": "[Service]\nType=oneshot\nExecStartPre=/bin/sh -c 'echo not ready; exit 5'\nExecStart=/bin/true\n",
        "fd-skips": "[Unit]\nConditionPathExists=/nothere/fd\n[Service]\nExecStart=/bin/sleep 1000\n",
        "fd-lacks": "[Unit]\nRequires=fd-none.service\n[Service]\nExecStart=/bin/sleep 1000\n",
        "fd-wrong": "[Servic]\nExecStart=/bin/sleep 1000\n",
        "fd-fine": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    }
    files = {**names, "fd-many@": "[Service]\nExecStart=/bin/sh -c 'echo this is %i; exit 7'\n"}
    write = "".join(f"cat >/run/systemd/system/{name}.service <<'END'\n{text}END\n" for name, text in files.items())
    many = [f"fd-many@{number}.service" for number in range(50)]
    try:
        host.run(f"{write}systemctl daemon-reload", check=True)
        host.run("systemctl start fd-dead fd-loop; systemctl start fd-needs; systemctl start fd-skips fd-lacks fd-wrong fd-fine")
        host.run(f"systemctl start {' '.join(many)}; systemctl start fd-loud")
        ended = "systemctl list-units --state=failed --no-legend 'fd-*' | wc -l"
        host.run(f"for i in $(seq 600); do [ $({ended}) = 54 ] && exit; sleep 0.1; done; exit 1", check=True)
        result = host.ansible("pidone.systemd.unit_info", {"name": [*names, "fd-many@*"], "diagnosis": True})
        assert not result["failed"] and not result["changed"] and "warnings" not in result, result
        found = {unit["name"]: unit.get("diagnosis") for unit in result["units"]}
        told = {name: found[f"{name}.service"] for name in names}
        assert told["fd-fine"] is None
        dead = told["fd-dead"]
        assert (dead["exit_code"], dead["result"], dead["job"]["result"]) == (3, "exit-code", "done") and dead["ran_seconds"] >= 0.2
        assert "cannot open the database" in [entry["message"] for entry in dead["journal"]]
        assert "fd-dead.service did not stay up: it was started, ran 0." in dead["msg"] and "cannot open the database" in dead["msg"]
        assert dead["invocation_id"] == host.run("systemctl show fd-dead -p InvocationID --value").stdout.strip()
        assert told["fd-loop"]["start_limit"]["burst"] == 5 and "was not started again" in told["fd-loop"]["msg"]
        assert "3000" in [entry["message"] for entry in told["fd-loud"]["journal"]]
        needs = told["fd-needs"]
        assert (needs["job"]["result"], needs["failed_dependencies"][0]["unit"]) == ("dependency", "fd-once.service")
        assert "not ready" in [entry["message"] for entry in needs["failed_dependencies"][0]["journal"]]
        assert (told["fd-once"]["failed_setting"], told["fd-once"]["exit_code"]) == ("ExecStartPre", 5)
        assert told["fd-skips"]["unmet_conditions"] == ["ConditionPathExists=/nothere/fd"]
        assert told["fd-lacks"]["failed_dependencies"] == [{"unit": "fd-none.service", "load_state": "not-found", "active_state": "inactive"}]
        assert "bad unit file setting" in told["fd-wrong"]["load_error"]
        for number, name in enumerate(many):
            assert [entry["message"] for entry in found[name]["journal"] if entry["identifier"] == "sh"] == [f"this is {number}"]
        assert result["msg"].startswith(dead["msg"]) and result["msg"].endswith("more likewise")
        # Of units that only a pattern means, failures alone; with what a task tells of the same, word by word.
        again = host.ansible("pidone.systemd.unit_info", {"name": "fd-[dnos]*", "diagnosis": True})
        assert {unit["name"] for unit in again["units"] if "diagnosis" in unit} == {"fd-dead.service", "fd-once.service"}
    finally:
        host.run(
            "systemctl stop 'fd-*'; cd /run/systemd/system; rm -f fd-*; systemctl daemon-reload; systemctl reset-failed"
        )


def test_sockets(host: Host) -> None:
    """All kinds of sockets that a host can have, against what systemctl lists, and connections that really come."""
    listens = {
        "ListenStream=127.0.0.1:7117", "ListenDatagram=/run/uis/datagram", "ListenSequentialPacket=/run/uis/packet", "ListenFIFO=/run/uis/fifo",
        "ListenNetlink=kobject-uevent 1", "ListenMessageQueue=/uis",
    }  # fmt: skip
    place = "/run/systemd/system"
    host.write(f"{place}/uis.socket", "[Socket]\n" + "\n".join(sorted(listens)) + "\nService=uis-one.service\n")
    # What is there all the time would start the service again and again.
    host.write(f"{place}/uis-idle.socket", "[Socket]\nListenSpecial=/dev/random\nService=uis-one.service\n")
    host.write(f"{place}/uis-one.service", "[Service]\nExecStart=/bin/sleep 1004\n")
    host.write(f"{place}/uis-each.socket", "[Socket]\nListenStream=/run/uis/each\nAccept=yes\nMaxConnections=1\n")
    host.write(f"{place}/uis-each@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n")
    server = "import socket, time; s = socket.create_server(('127.0.0.1', 7118)); time.sleep(1000)"
    host.write(f"{place}/uis-own.service", f'[Service]\nExecStart=/usr/bin/python3 -c "{server}"\n')
    calls = "import socket, time; socks = [socket.socket(socket.AF_UNIX) for _ in range(3)]\n"
    calls += "for s in socks: s.connect('/run/uis/each'); s.settimeout(20)\nfor s in socks[1:]: s.recv(1)\ntime.sleep(1000)"
    host.write("/run/uis.py", calls)
    try:
        host.run("systemctl daemon-reload; systemctl start uis.socket uis-each.socket uis-own; systemd-run --unit uis-calls python3 /run/uis.py", check=True)
        # Those that were refused have been hung up on, and somebody listens.
        ready = "[ $(systemctl show uis-each.socket -p NRefused --value) = 2 ] && ss -ltn | grep -q :7118"
        host.run(f"for i in $(seq 600); do {ready} && exit; sleep 0.1; done; exit 1", check=True)
        found = info(host, name=["uis*.socket", "uis-one", "uis-own"], sockets=True, listeners=True)
        sockets = found["uis.socket"]["sockets"]
        assert {f"Listen{each['kind']}={each['address']}" for each in sockets["listens"]} == listens
        assert sockets["activates"] == ["uis-one.service"] and sockets["accept"] is False
        listed = host.run("systemctl list-sockets --no-legend --full | cat", check=True).stdout
        for each in sockets["listens"]:
            assert any(line.startswith(each["address"]) and " uis.socket " in line for line in listed.splitlines()), listed
        idle = found["uis-idle.socket"]["sockets"]
        assert idle["listens"] == [{"address": "/dev/random", "kind": "Special"}]
        assert found["uis-one.service"]["activated_by"][-1] == {"name": "uis.socket", **sockets}
        each = found["uis-each.socket"]["sockets"]
        assert (each["accept"], each["connections"], each["accepted"], each["refused"]) == (True, 1, 1, 2)
        assert found["uis-own.service"]["listeners"] == [{"address": "127.0.0.1:7118", "kind": "tcp"}]
        assert "activated_by" not in found["uis-own.service"]
        result = host.ansible("pidone.systemd.unit_info", {"name": "uis-own", "listeners": True}, remote_user="nosudo")
        assert result["units"][0]["listeners"] == [] and "become: true" in result["warnings"][0]
    finally:
        host.run(f"systemctl stop 'uis*'; cd {place}; rm -rf uis* /run/uis*; systemctl daemon-reload; systemctl reset-failed")


def test_a_machine_where_nothing_knows_machines(host: Host) -> None:
    """What there is to be read where something does is in test_machines.py."""
    result = host.ansible("pidone.systemd.unit_info", {"machine": "web1"})
    assert result["failed"]
    assert "machine: 'web1': systemd-machined, which knows machines, is not on this host" in result["msg"], result["msg"]
    assert "install the package" in result["msg"] and "leave out `machine`" in result["msg"]
