# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `resource_control` on real hosts: values, files, the way back. What limits do is in the virtual machine."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import contract
from tests.lab.fixtures import in_full
from tests.lab.host import Host

MODULE = "pidone.systemd.resource_control"
CONTROL = "/etc/systemd/system.control"
VOLATILE = "/run/systemd/system.control"

# One value for each property that some version of systemd can change on a loaded service.
VALUES: dict[str, t.Any] = {
    "CPUAccounting": False,
    "MemoryAccounting": "yes",
    "IOAccounting": True,
    "BlockIOAccounting": True,
    "TasksAccounting": "off",
    "IPAccounting": True,
    "MemoryZSwapWriteback": False,
    "CPUQuota": "20.5%",
    "CPUQuotaPeriodSec": "50ms",
    "ManagedOOMMemoryPressureDurationSec": "10s",
    "CPUWeight": 50,
    "StartupCPUWeight": 60,
    "IOWeight": 20,
    "StartupIOWeight": "30",
    "CPUShares": 100,
    "StartupCPUShares": 200,
    "BlockIOWeight": 500,
    "StartupBlockIOWeight": 400,
    "AllowedCPUs": "0-1 3",
    "StartupAllowedCPUs": [0, 2],
    "AllowedMemoryNodes": 0,
    "StartupAllowedMemoryNodes": "0",
    "MemoryMin": "1M",
    "MemoryLow": "2.5M",
    "MemoryHigh": "1.5G",
    "MemoryMax": "33.3%",
    "MemoryLimit": 2147483648,
    "MemorySwapMax": 0,
    "MemoryZSwapMax": "1G",
    "DefaultMemoryMin": "1M",
    "DefaultMemoryLow": "1M",
    "StartupMemoryLow": "3M",
    "StartupMemoryHigh": "1G",
    "StartupMemoryMax": "infinity",
    "StartupMemorySwapMax": "1G",
    "StartupMemoryZSwapMax": "1G",
    "DefaultStartupMemoryLow": "1M",
    "TasksMax": "50%",
    "IOReadBandwidthMax": {"/var": "1.5M", "/etc": "infinity"},
    "IOWriteBandwidthMax": ["/var 2M", "/etc 1000"],
    "IOReadIOPSMax": "/var 100",
    "IOWriteIOPSMax": {"/var": 200},
    "IODeviceWeight": {"/var": 200},
    "IODeviceLatencyTargetSec": {"/var": "20ms"},
    "BlockIOReadBandwidth": "/var 1M",
    "BlockIOWriteBandwidth": "/var 1M",
    "BlockIODeviceWeight": "/var 100",
    "IPAddressAllow": ["localhost", "10.1.2.3/8", "2001:db8::/32"],
    "IPAddressDeny": "any",
    "SocketBindAllow": ["ipv4:tcp:1000-2000", "udp"],
    "SocketBindDeny": "any",
    "DeviceAllow": ["/dev/null rw", "char-pts"],
    "DevicePolicy": "closed",
    "RestrictNetworkInterfaces": "~eth0 eth1",
    "ManagedOOMSwap": "kill",
    "ManagedOOMMemoryPressure": "kill",
    "ManagedOOMMemoryPressureLimit": "20%",
    "ManagedOOMPreference": "avoid",
    "DisableControllers": ["cpu", "io"],
    "NFTSet": "cgroup:inet:filter:some_set",
}
# The names on D-Bus that are not those of the directives.
ON_BUS = {"CPUQuota": "CPUQuotaPerSecUSec"}


def service(host: Host, name: str, more: str = "", command: str = "/bin/sleep infinity") -> str:
    """Make a service and start it; returns its full name."""
    host.write(f"/etc/systemd/system/{name}.service", f"[Service]\nExecStart={command}\n{more}")
    host.run(f"systemctl daemon-reload; systemctl reset-failed {name}; systemctl start {name}", check=True)
    return f"{name}.service"


@pytest.fixture
def unit(host: Host, request: pytest.FixtureRequest) -> t.Iterator[str]:
    """A running service whose file sets a few properties."""
    yield service(host, "rc-one", "MemoryMax=1G\nAllowedCPUs=1\nSocketBindDeny=tcp:22\nIPAddressDeny=192.0.2.1\n")
    remove(host, "rc-one")


def remove(host: Host, *names: str) -> None:
    for name in names:
        host.run(
            f"systemctl stop '{name}*'; rm -rf /etc/systemd/system/{name}*.service* {CONTROL}/{name}* {VOLATILE}/{name}*;"
            f"systemctl reset-failed '{name}*'"
        )
    host.run("systemctl daemon-reload")


def converge(host: Host, name: str | list[str], properties: dict[str, t.Any], **args: t.Any) -> dict[str, t.Any]:
    """Plan, do, and do again; check mode knows what becomes of each property, but for what only systemd can tell."""
    args.update(name=name, properties=properties)
    planned: dict[str, t.Any] = {}

    def run(check: bool) -> dict[str, t.Any]:
        result = host.ansible(MODULE, args, check=check, diff=True)
        planned.update(result if check else {})
        return result

    done = contract.converge(run, lambda: contract.picture(host, "rc-*"))
    for before, after in zip(planned["units"], done["units"]):
        for prop, entry in before["properties"].items():
            if entry["after_value"] is not None:
                assert entry["after"] == after["properties"][prop]["after"], prop
    return done


def known(host: Host, name: str = "rc-one.service") -> dict[str, t.Any]:
    """Those of VALUES that this version of systemd knows."""
    path = "/org/freedesktop/systemd1/unit/" + name.replace("-", "_2d").replace(".", "_2e")
    face = "org.freedesktop.systemd1.Service"
    listed = host.run(f"busctl introspect --list org.freedesktop.systemd1 {path} {face} | cut -d' ' -f1", check=True)
    there = set(listed.stdout.split())
    buses = {key: ON_BUS.get(key, f"{key[:-3]}USec" if key.endswith("Sec") else key) for key in VALUES}
    return {key: value for key, value in VALUES.items() if f".{buses[key]}" in there}


def show(host: Host, name: str, *properties: str) -> list[str]:
    found = contract.show(host, name, *properties)
    return [found[each] for each in properties]


def drop_ins(host: Host, name: str) -> list[str]:
    found = host.run(f"find {CONTROL} {VOLATILE} -path '*/{name}*' -type f", check=False).stdout
    return sorted(found.split())


def files_of(host: Host, name: str) -> str:
    """All about a unit's files and the properties used here, to compare before and after."""
    return host.run(
        f"find /etc/systemd/system /run/systemd -path '*{name}*' ! -type d -printf '%p %T@ %m %U\\n' | grep -v /units/ | sort;"
        f"find {CONTROL} {VOLATILE} -path '*{name}*' -type f -exec cat {{}} + ;"
        f"systemctl show {name} -p CPUQuotaPerSecUSec -p MemoryMax -p TasksMax -p IPAddressDeny -p AllowedCPUs"
    ).stdout


class TestEveryProperty:
    """All properties that the host's systemd can change, at once."""

    def test_set_survives_reload_and_unset(self, host: Host, unit: str) -> None:
        values = known(host)
        assert len(values) > 40
        empty = dict.fromkeys(values)
        # The defaults in the table are those of systemd.
        fresh = host.ansible(MODULE, {"name": unit, "properties": empty})
        assert not fresh["failed"], fresh["msg"]
        assert not fresh["changed"], [fresh["steps"], fresh["units"]]
        assert not fresh["units"][0]["drift"], fresh
        before = fresh["units"][0]["properties"]

        done = converge(host, unit, values)
        assert done["changed"]
        assert show(host, unit, "NeedDaemonReload") == ["no"]
        # What was written is what was meant: systemd reads the same from the files.
        host.run("systemctl daemon-reload", check=True)
        again = host.ansible(MODULE, {"name": unit, "properties": values})
        assert not again["changed"], [again["steps"], again["units"]]
        assert [key for key, entry in again["units"][0]["properties"].items() if entry["drift"]] == []

        done = converge(host, unit, empty)
        assert done["changed"]
        after = {key: entry["after_value"] for key, entry in done["units"][0]["properties"].items()}
        assert after == {key: entry["after_value"] for key, entry in before.items()}
        assert drop_ins(host, "rc-one") == []
        assert show(host, unit, "MemoryMax", "AllowedCPUs") == [str(1 << 30), "1"]

    def test_units_are_what_their_files_say(self, host: Host) -> None:
        """All of them, also where systemd adds something of itself; and asking for it changes nothing."""
        names = [
            "CPUQuota",
            "CPUWeight",
            "MemoryMax",
            "MemoryLow",
            "TasksMax",
            "IPAddressDeny",
            "DeviceAllow",
            "DevicePolicy",
        ]
        result = host.ansible(MODULE, {"name": "*", "properties": dict.fromkeys(names)}, check=True)
        assert not result["failed"], result["msg"]
        assert len(result["units"]) > 50
        assert {each["name"].rpartition(".")[2] for each in result["units"]} >= {
            "service",
            "slice",
            "scope",
            "socket",
            "mount",
        }
        assert [each for each in result["units"] if each["drift"] or each["changed"]] == []


class TestPersist:
    """How long values last."""

    def test_drop_ins_of_several_tasks_are_no_reason_to_restart(self, host: Host, unit: str) -> None:
        """Systemd notes what it writes in another order than it reads it in, and takes that for a change of the unit's files."""
        text = host.run(f"cat /etc/systemd/system/{unit}", check=True).stdout
        content = {"name": unit, "content": text, "on_change": "restart", "verify": "nothing"}
        first = host.ansible("pidone.systemd.unit_file", content)
        assert not first["failed"], first["msg"]
        process = show(host, unit, "MainPID")
        for persist, properties in (("true", {"MemoryMax": "1G", "TasksMax": 50}), ("runtime", {"CPUWeight": 50}), ("true", {"CPUQuota": "50%"})):
            assert converge(host, unit, properties, persist=persist)["changed"]
            assert show(host, unit, "NeedDaemonReload") == ["no"]
        again = host.ansible("pidone.systemd.unit_file", content)
        assert not again["failed"], again["msg"]
        assert not again["changed"], again["steps"]
        assert show(host, unit, "MainPID") == process
        assert show(host, unit, "CPUWeight", "TasksMax") == ["50", "50"]

    def test_typed_values_before_and_after(self, host: Host, unit: str) -> None:
        done = converge(host, unit, {"CPUQuota": "20%", "MemoryMax": "512M", "TasksMax": "infinity"})
        (entry,) = done["units"]
        quota, memory, tasks = (entry["properties"][key] for key in ("CPUQuota", "MemoryMax", "TasksMax"))
        assert [quota[key] for key in ("before", "after", "before_value", "after_value")] == [
            "infinity", "20%", "infinity", 200000,
        ]  # fmt: skip
        assert [memory[key] for key in ("before", "after", "before_value", "after_value")] == [
            "1G", "512M", 1 << 30, 512 << 20,
        ]  # fmt: skip
        assert memory["path"] == f"{CONTROL}/rc-one.service.d/50-MemoryMax.conf"
        assert tasks["after_value"] == "infinity"
        assert show(host, unit, "CPUQuotaPerSecUSec", "MemoryMax") == ["200ms", str(512 << 20)]
        # The same by another spelling is the same.
        other = {"CPUQuota": "20.0%", "MemoryMax": 536870912, "TasksMax": "infinity"}
        assert not host.ansible(MODULE, {"name": unit, "properties": other})["changed"]

    def test_what_is_live_only_is_made_to_last(self, host: Host, unit: str) -> None:
        done = converge(host, unit, {"CPUQuota": "30%"}, persist="false")
        assert done["changed"]
        assert drop_ins(host, "rc-one") == []
        assert done["units"][0]["properties"]["CPUQuota"]["drift"] is True
        assert done["units"][0]["properties"]["CPUQuota"]["files"] == "infinity"
        assert converge(host, unit, {"CPUQuota": "30%"}, persist="runtime")["changed"]
        assert drop_ins(host, "rc-one") == [f"{VOLATILE}/rc-one.service.d/50-CPUQuota.conf"]
        assert converge(host, unit, {"CPUQuota": "30%"})["changed"]
        assert f"{CONTROL}/rc-one.service.d/50-CPUQuota.conf" in drop_ins(host, "rc-one")
        host.run("systemctl daemon-reload", check=True)
        assert show(host, unit, "CPUQuotaPerSecUSec") == ["300ms"]

    def test_the_units_own_file_is_enough(self, host: Host, unit: str) -> None:
        """What the unit's file says already needs no drop-in."""
        assert not host.ansible(MODULE, {"name": unit, "properties": {"MemoryMax": "1G"}})["changed"]
        assert drop_ins(host, "rc-one") == []

    def test_live_value_that_was_lost_is_set_again(self, host: Host, unit: str) -> None:
        converge(host, unit, {"CPUQuota": "30%"})
        host.run(f"systemctl set-property --runtime {unit} CPUQuota=70%; rm -r {VOLATILE}/{unit}.d", check=True)
        done = converge(host, unit, {"CPUQuota": "30%"})
        assert done["changed"]
        assert done["units"][0]["properties"]["CPUQuota"]["before"] == "70%"
        assert show(host, unit, "CPUQuotaPerSecUSec") == ["300ms"]

    def test_a_percentage_of_systemctl_gives_way(self, host: Host, unit: str) -> None:
        """systemctl keeps percentages in drop-ins of another name, which would win at the next reload."""
        host.run(f"systemctl set-property {unit} MemoryMax=50%", check=True)
        assert drop_ins(host, "rc-one") == [f"{CONTROL}/rc-one.service.d/50-MemoryMaxScale.conf"]
        converge(host, unit, {"MemoryMax": "700M"})
        host.run("systemctl daemon-reload", check=True)
        assert show(host, unit, "MemoryMax") == [str(700 << 20)]
        assert converge(host, unit, {"MemoryMax": None})["changed"]
        assert show(host, unit, "MemoryMax") == [str(1 << 30)]

    def test_a_file_that_is_read_later(self, host: Host, unit: str) -> None:
        host.write("/etc/systemd/system/rc-one.service.d/90-mine.conf", "[Service]\nMemoryMax=2G\n")
        host.run("systemctl daemon-reload", check=True)
        before = files_of(host, "rc-one")
        wish = {"name": unit, "properties": {"MemoryMax": "3G"}}
        failed = host.ansible(MODULE, wish)
        assert failed["failed"]
        assert "/etc/systemd/system/rc-one.service.d/90-mine.conf sets it too" in failed["msg"]
        assert files_of(host, "rc-one") == before
        warned = host.ansible(MODULE, {**wish, "persist": "runtime"})
        assert warned["changed"]
        assert "90-mine.conf" in warned["warnings"][0]
        assert show(host, unit, "MemoryMax") == [str(3 << 30)]
        assert not host.ansible(MODULE, {**wish, "persist": "runtime"})["changed"]

    def test_inactive_units(self, host: Host, unit: str) -> None:
        host.run(f"systemctl stop {unit}", check=True)
        live = host.ansible(MODULE, {"name": unit, "properties": {"CPUQuota": "30%"}, "persist": False})
        assert live["failed"]
        assert "is inactive (dead), and systemd would forget CPUQuota at once" in live["msg"]
        tried = host.ansible(MODULE, {"name": unit, "properties": {"CPUQuota": "30%"}, "trial": "1s"})
        assert tried["failed"]
        assert "start it first" in tried["msg"]
        assert converge(host, unit, {"CPUQuota": "30%", "IPAddressDeny": "any"})["changed"]
        host.run(f"systemctl start {unit}", check=True)
        assert show(host, unit, "CPUQuotaPerSecUSec") == ["300ms"]
        assert not host.ansible(MODULE, {"name": unit, "properties": {"CPUQuota": "30%"}})["changed"]

    def test_slice_and_transient_units(self, host: Host) -> None:
        host.run("systemd-run --unit rc-made --slice rc-made.slice sleep 1000", check=True)
        try:
            lasting = host.ansible(MODULE, {"name": "rc-made", "properties": {"CPUQuota": "30%"}})
            assert lasting["failed"]
            assert "persist: rc-made.service was made at run time" in lasting["msg"]
            # A pattern does not fail because of what happens to run just now.
            passed = host.ansible(MODULE, {"name": "rc-made.s*", "properties": {"CPUQuota": "30%"}}, check=True)
            assert [entry["name"] for entry in passed["units"]] == ["rc-made.slice"]
            assert "rc-made.service was made at run time" in passed["warnings"][0]
            assert converge(host, "rc-made", {"CPUQuota": "30%"}, persist="runtime")["changed"]
            host.run("systemctl daemon-reload", check=True)
            assert not host.ansible(
                MODULE, {"name": "rc-made", "properties": {"CPUQuota": "30%"}, "persist": "runtime"}
            )["changed"]
            assert converge(host, "rc-made", {"CPUQuota": None}, persist="runtime")["changed"]
            assert converge(host, "rc-made.slice", {"MemoryMax": "1G", "TasksMax": 100})["changed"]
            assert "[Slice]" in host.read(f"{CONTROL}/rc-made.slice.d/50-TasksMax.conf")
            host.run("systemctl daemon-reload", check=True)
            assert converge(host, "rc-made.slice", {"MemoryMax": None, "TasksMax": None})["changed"]
        finally:
            remove(host, "rc-made")

    def test_without_become(self, host: Host, unit: str) -> None:
        before = files_of(host, "rc-one")
        args = {"name": unit, "properties": {"CPUQuota": "30%"}}
        refused = host.ansible(MODULE, args, remote_user="deploy")
        assert refused["failed"]
        assert "not permitted to set CPUQuota of rc-one.service" in refused["msg"]
        assert "`become: true`" in refused["msg"]
        assert files_of(host, "rc-one") == before
        assert host.ansible(MODULE, args, remote_user="deploy", become=True)["changed"]

    def test_user_scope(self, host: Host) -> None:
        host.run(
            "loginctl enable-linger deploy; for i in $(seq 600); do test -S /run/user/$(id -u deploy)/systemd/private && break; sleep 0.1; done"
        )
        home = host.run("getent passwd deploy | cut -d: -f6", check=True).stdout.strip()
        where = f"{home}/.config/systemd/user"
        host.run(
            f"install -d -o deploy -g deploy {home}/.config {home}/.config/systemd {where};"
            f"printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > {where}/rc-user.service",
            check=True,
        )
        scope = {"scope": "user", "user": "deploy"}
        try:
            started = host.ansible(
                "pidone.systemd.unit", {"name": "rc-user", "state": "started", "daemon_reload": "always", **scope}
            )
            assert not started["failed"], started["msg"]
            assert converge(host, "rc-user", {"TasksMax": "50%", "CPUQuota": "20.5%"}, **scope)["changed"]
            control = f"{where}.control/rc-user.service.d"
            assert "CPUQuota=20.5" in host.read(f"{control}/50-CPUQuota.conf")
            assert host.run(f"stat -c %U {control}/50-CPUQuota.conf", check=True).stdout.strip() == "deploy"
            assert converge(host, "rc-user", {"TasksMax": None, "CPUQuota": ""}, **scope)["changed"]
            assert not host.exists(control)
        finally:
            host.ansible("pidone.systemd.unit", {"name": "rc-user", "state": "stopped", **scope})
            host.run(f"rm -rf {where}/rc-user.service {where}.control; loginctl disable-linger deploy")


class TestMany:
    """Several units in one task."""

    def test_patterns_lists_and_a_failure_half_way(self, host: Host) -> None:
        text = "[Service]\nExecStart=/bin/sleep infinity\nCPUQuota=90%\n"
        host.write("/etc/systemd/system/rc-many@.service", text)
        names = [f"rc-many@{number}.service" for number in range(3)]
        host.run(f"systemctl daemon-reload; systemctl start {' '.join(names)}", check=True)
        try:
            done = converge(host, "rc-many@*.service", {"CPUQuota": "40%"})
            assert [entry["name"] for entry in done["units"]] == names
            before = files_of(host, "rc-many@1")
            # The last unit is of a type for which systemd refuses one of the properties.
            host.write("/etc/systemd/system/rc-many.socket", "[Socket]\nListenStream=/run/rc-many\nAccept=yes\n")
            wish = {"CPUQuota": "10%", "MemoryMax": "1G", "ManagedOOMSwap": "kill"}
            failed = host.ansible(MODULE, {"name": [*names, "rc-many.socket"], "properties": wish})
            assert failed["failed"]
            assert failed["changed"] is False
            assert "rc-many.socket" in failed["msg"]
            assert failed["rolled_back"] == [
                f"CPUQuota, MemoryMax, ManagedOOMSwap of {names[0]}, {names[1]} and 2 more as before"
            ]
            assert files_of(host, "rc-many@1") == before
            assert [show(host, name, "CPUQuotaPerSecUSec", "MemoryMax") for name in names] == [
                ["400ms", "infinity"]
            ] * 3
        finally:
            remove(host, "rc-many")


class TestTrial:
    """Values that have to prove themselves."""

    def test_good(self, host: Host, unit: str) -> None:
        done = converge(host, unit, {"CPUQuota": "30%", "MemoryMax": None}, trial="1s")
        assert done["steps"][1] == "watch rc-one.service for 1s"
        assert done["trial"][unit]["seconds"] >= 1
        assert drop_ins(host, "rc-one") == [f"{CONTROL}/rc-one.service.d/50-CPUQuota.conf"]

    def test_a_unit_that_goes_down(self, host: Host) -> None:
        """Whatever made it go down: everything is put back, and it is brought up again."""
        limited = "systemctl show --value -p CPUQuotaPerSecUSec rc-dies | grep -qv infinity"
        name = service(
            host, "rc-dies", "Environment=N=1\n", f"/bin/sh -c 'echo last words; until {limited}; do sleep 0.1; done; exit 7'"
        )
        try:
            host.run(f"systemctl restart {name}", check=True)
            before = files_of(host, "rc-dies")
            begun = host.ansible(MODULE, {"name": name, "properties": {"CPUQuota": "30%"}, "trial": "20s"})
            assert begun["failed"]
            assert begun["changed"] is False
            assert "did not stay up: it is failed (failed), Result: exit-code" in begun["msg"]
            assert "last words" in begun["msg"]
            assert begun["failures"][0]["exit_code"] == 7
            assert begun["trial"][name]["seconds"] < 10
            assert files_of(host, "rc-dies") == before
            assert "brought rc-dies.service up again" in begun["rolled_back"]
        finally:
            remove(host, "rc-dies")

    def test_a_unit_that_is_restarted(self, host: Host) -> None:
        name = service(host, "rc-again", "Restart=always\nRestartSec=0\n", "/bin/sh -c 'sleep 1.5; exit 7'")
        try:
            failed = host.ansible(MODULE, {"name": name, "properties": {"TasksMax": 10}, "trial": "20s"})
            assert failed["failed"]
            # As it died, not as it is by now.
            assert "Result: exit-code, its main process exited with status 7" in failed["msg"]
            assert (failed["trial"][name]["exit_code"], failed["failures"][0]["exit_code"]) == (7, 7)
            assert drop_ins(host, "rc-again") == []
            assert show(host, name, "TasksMax") != ["10"]
        finally:
            remove(host, "rc-again")

    @pytest.mark.parametrize("how", ["signal", "hangup"])
    def test_interrupted(self, host: Host, unit: str, how: str) -> None:
        """The module is told to end, or whoever waits for it is gone: nothing lasts, and old values are back."""
        before = files_of(host, "rc-one")
        args = {"name": unit, "properties": {"CPUQuota": "30%", "MemoryMax": None}, "trial": "100s"}
        keywords = {"async": 120, "poll": 0} if how == "signal" else {}
        with ThreadPoolExecutor(1) as pool:
            result = pool.submit(host.ansible, MODULE, args, keywords=keywords)
            until(host, f"systemctl show {unit} -p CPUQuotaPerSecUSec | grep -q 300ms")
            assert drop_ins(host, "rc-one") == []
            log = "journalctl -q -n 1 -o verbose --output-fields _PID SYSLOG_IDENTIFIER=ansible-" + MODULE
            pid = int(host.run(f"{log} | sed -n 's/.* _PID=//p'", check=True).stdout)
            if how == "hangup":
                pid = ancestor(host, pid, "sshd")
            # Not from a connection that it would end.
            host.run(f"systemd-run --quiet sh -c 'sleep 0.3; kill -TERM {pid}'", check=True)
            begun = time.monotonic()
            assert result.result(60)["unreachable"] is (how == "hangup")
            until(host, f"! systemctl show {unit} -p CPUQuotaPerSecUSec | grep -q 300ms")
            assert time.monotonic() - begun < 20
        if how == "signal":
            assert "the task was interrupted by SIGTERM" in until(host, "grep -h rolled_back /root/.ansible_async/*")
            host.run("rm -r /root/.ansible_async")
        assert files_of(host, "rc-one") == before


def until(host: Host, line: str) -> str:
    """Repeat a shell line until it succeeds; returns its output."""
    return host.run(f"for i in $(seq 600); do {line} && exit; sleep 0.1; done; exit 1", check=True).stdout


def ancestor(host: Host, pid: int, command: str) -> int:
    """The nearest process of that name above another."""
    while pid > 1:
        pid = int(host.run(f"sed 's/.*) . //; s/ .*//' /proc/{pid}/stat", check=True).stdout)
        if host.read(f"/proc/{pid}/comm").startswith(command):
            return pid
    raise AssertionError(f"no process {command} above")


# Some of what unit tests have more of.
BAD: list[tuple[dict[str, t.Any], str]] = [
    ({"CPUQuota": "20%", "MemoryMax": "101%"}, "properties: MemoryMax: '101%' is above 100%"),
    ({"MemoryMax": "12X"}, "properties: MemoryMax: '12X' is not a size in bytes: at character 3"),
    (
        {"CpuQuota": "20%"},
        "'CpuQuota' is no resource property that systemd can change on a loaded unit; did you mean CPUQuota",
    ),
    ({"Delegate": True}, "properties: Delegate: systemd cannot change it on a loaded unit"),
    ({"IOReadBandwidthMax": {"/dev/nope": "1M"}}, "properties: IOReadBandwidthMax: there is no device /dev/nope"),
]


class TestBadInput:
    """One clear error, and nothing is changed."""

    def refused(self, host: Host, says: str, **args: t.Any) -> None:
        options = {"properties": {"CPUQuota": "20%"}, **args}
        contract.refused(
            lambda check: host.ansible(MODULE, options, check=check), lambda: contract.picture(host, "rc-*"), says
        )

    def test_values(self, host: Host, unit: str) -> None:
        for properties, says in BAD:
            self.refused(host, says, name=unit, properties=properties)
        planned = host.ansible(MODULE, {"name": unit, "properties": BAD[0][0]}, check=True)
        assert BAD[0][1] in planned["msg"]

    def test_units(self, host: Host, unit: str) -> None:
        self.refused(host, "name: rc-one@.service is a template", name=[unit, "rc-one@"])
        self.refused(host, "a timer unit, which has no processes", name="systemd-tmpfiles-clean.timer")
        self.refused(host, "matches no unit on this host", name="rc-none*")
        if host.kind.name != "trixie":
            self.refused(
                host, "has no such property for units of type service", name=unit, properties={"MemoryZSwapMax": 0}
            )
        missing = host.ansible(MODULE, {"name": "rc-nine", "properties": {"CPUQuota": "20%"}})
        assert missing["failed"]
        assert "name: there is no unit rc-nine.service on this host" in missing["msg"]
        assert "did you mean rc-one.service" in missing["msg"]
        planned = host.ansible(MODULE, {"name": "rc-nine", "properties": {"CPUQuota": "20%"}}, check=True)
        assert "taken for made by an earlier task: rc-nine.service" in planned["warnings"][0]

    def test_options(self, host: Host, unit: str) -> None:
        self.refused(host, "trial: 'soon' is not a time span", name=unit, trial="soon")
        self.refused(host, "trial_throttled: '150%' is above 100%", name=unit, trial="1s", trial_throttled="150%")
        self.refused(host, "scope: there is no manager behind scope `global`", name=unit, scope="global")
        self.refused(host, "name: the list is empty", name=[])


@pytest.mark.lab_kinds("vm")
class TestEffects:
    """What the kernel makes of it, where it has all controllers."""

    def test_limits_hold(self, host: Host) -> None:
        """The control group has what was asked for, and a busy service gets a fifth of a CPU."""
        name = service(host, "rc-busy", "", "/bin/sh -c 'while :; do :; done'")
        wish = {
            "CPUQuota": "20%",
            "MemoryMax": "100M",
            "TasksMax": 7,
            "AllowedCPUs": 0,
            "CPUWeight": 50,
            "IOReadBandwidthMax": {"/dev/vda": "1M"},
        }
        group = f"/sys/fs/cgroup/system.slice/{name}"
        args = {"name": name, "properties": wish, "persist": "runtime"}
        try:
            # A service that uses all the time it can get suffers from a quota, unless that is what is wanted.
            failed = host.ansible(MODULE, {**args, "trial": "2s"})
            assert failed["failed"]
            assert "CPUQuota held it up in" in failed["msg"]
            assert int(failed["trial"][name]["throttled"].rstrip("%")) > 50
            # Where nothing is limited the controller may not even be in use.
            assert host.run(f"cat {group}/cpu.max").stdout in ("", "max 100000\n")
            assert drop_ins(host, "rc-busy") == []

            done = host.ansible(MODULE, {**args, "trial": "1s", "trial_throttled": "100%"})
            assert not done["failed"], done["msg"]
            (entry,) = done["units"]
            found = {key: value["cgroup"] for key, value in entry["properties"].items()}
            device = host.run("cat /sys/class/block/vda/dev", check=True).stdout.strip()
            assert found == {
                "CPUQuota": "20000 100000",
                "MemoryMax": str(100 << 20),
                "TasksMax": "7",
                "AllowedCPUs": "0",
                "CPUWeight": "50",
                "IOReadBandwidthMax": f"{device} rbps=1000000 wbps=max riops=max wiops=max",
            }
            assert not entry["drift"]
            lines = host.run(
                f"cd {group}; cat cpu.max memory.max pids.max;"
                "for i in 1 2; do date +%s%N; grep usage_usec cpu.stat; sleep 4; done",
                check=True,
            ).stdout.split()
            assert lines[:4] == ["20000", "100000", str(100 << 20), "7"]
            share = (int(lines[9]) - int(lines[6])) * 1000 / (int(lines[7]) - int(lines[4]))
            assert 0.15 < share < 0.25
            # The kernel has another value than systemd: that is drift, and mended.
            host.run(f"echo 30000 > {group}/cpu.max", check=True)
            looked = host.ansible(MODULE, args, check=True)
            assert looked["changed"]
            assert looked["steps"] == [f"tell the kernel CPUQuota of {name}"]
            assert [key for key, value in looked["units"][0]["properties"].items() if value["drift"]] == ["CPUQuota"]
            told = f"CPUQuota: systemd has 20% for {name}, but the kernel does not: its cpu.max is '30000 100000'"
            assert looked["warnings"] == [told]
            mended = host.ansible(MODULE, args)
            assert mended["changed"]
            assert not mended["units"][0]["drift"]
            assert host.run(f"cat {group}/cpu.max", check=True).stdout.split() == ["20000", "100000"]
            assert not host.ansible(MODULE, args)["changed"]
        finally:
            remove(host, "rc-busy")

    def test_memory_decides_a_trial(self, host: Host) -> None:
        """A process over MemoryMax is killed, the trial is taken back, and the service is up again as it was."""
        host.write(
            "/root/rc-eats.py",
            "import time\nx = bytearray(150 << 20)\nopen('/run/rc-eats', 'w').close()\ntime.sleep(1000)\n",
        )
        name = service(host, "rc-eats", "MemoryMax=300M\n", "/usr/bin/python3 /root/rc-eats.py")
        try:
            until(host, "test -e /run/rc-eats")
            looked = host.ansible(MODULE, {"name": name, "properties": {"MemoryMax": "50M", "MemoryHigh": "40M"}}, check=True)
            assert [text.partition(" is less than what ")[0] for text in looked["warnings"]] == ["MemoryMax=50M", "MemoryHigh=40M"]
            failed = host.ansible(MODULE, {"name": name, "properties": {"MemoryMax": "50M"}, "trial": "60s"})
            assert failed["failed"]
            assert failed["changed"] is False
            assert "the kernel killed a process of it once" in failed["msg"] or "Result: oom-kill" in failed["msg"]
            assert failed["trial"][name]["seconds"] < 55
            assert f"brought {name} up again" in failed["rolled_back"]
            assert host.read(f"/sys/fs/cgroup/system.slice/{name}/memory.max") == f"{300 << 20}\n"
            assert show(host, name, "MemoryMax", "ActiveState") == [str(300 << 20), "active"]
            assert drop_ins(host, "rc-eats") == []
        finally:
            remove(host, "rc-eats")

    @in_full
    def test_what_a_restart_hides_decides_a_trial(self, host: Host) -> None:
        """systemd starts it again at once, in a control group that knows nothing of the kill."""
        host.write(
            "/root/rc-grows.py",
            "import os, time\nopen('/run/rc-grows', 'w').close()\ntime.sleep(3)\nx = bytearray(150 << 20) if os.path.exists('/run/rc-grow') "
            "else 0\ntime.sleep(1000)\n",
        )
        name = service(host, "rc-grows", "MemoryMax=300M\nRestart=always\nRestartSec=0\n", "/usr/bin/python3 /root/rc-grows.py")
        try:
            host.run(f"touch /run/rc-grow; systemctl restart {name}", check=True)
            until(host, "test -e /run/rc-grows")
            limits = {"MemoryMax": "50M", "MemorySwapMax": "0"}
            failed = host.ansible(MODULE, {"name": name, "properties": limits, "trial": "60s"})
            assert failed["failed"] and "Result: oom-kill" in failed["msg"], failed["msg"]
            seen = failed["trial"][name]
            assert (seen["result"], seen["signal"], seen["memory_events"]["oom_kill"] >= 1) == ("oom-kill", "SIGKILL", True)
            assert failed["failures"][0]["result"] == "oom-kill"
        finally:
            remove(host, "rc-grows")

    @in_full
    def test_address_list_of_a_running_service(self, host: Host) -> None:
        """With IPAddressDeny=any it cannot connect; when that is lifted it can again."""
        host.write(
            "/root/rc-connects",
            "while sleep 0.1; do timeout 1 bash -c 'exec 3<>/dev/tcp/127.0.0.1/22' && echo can || echo cannot; done"
            " > /run/rc-connects 2>&1\n",
        )
        name = service(host, "rc-connects", "", "/bin/bash /root/rc-connects")
        try:
            until(host, "tail -n 1 /run/rc-connects | grep -qx can")
            assert host.ansible(MODULE, {"name": name, "properties": {"IPAddressDeny": "any"}})["changed"]
            seen = host.run("grep -c '^can$' /run/rc-connects; sleep 3; grep -c '^can$' /run/rc-connects", check=True)
            first, last = map(int, seen.stdout.split())
            assert last == first
            assert "cannot" in host.run("tail -n 1 /run/rc-connects").stdout
            assert host.ansible(MODULE, {"name": name, "properties": {"IPAddressDeny": None}})["changed"]
            until(host, f"test $(grep -c '^can$' /run/rc-connects) -gt {last + 1}")
        finally:
            remove(host, "rc-connects")
