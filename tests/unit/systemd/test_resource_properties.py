# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource properties: what users write, what D-Bus carries, what files hold."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.cgroup_values import agrees
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import resource as resource_properties
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import (
    PROPERTIES,
    Scaled,
    bus_names,
    canonical,
    canonical_to_bus,
    check_devices,
    drop_in_lines,
    from_bus,
    from_texts,
    is_resource_property,
    is_unset,
    same,
    shown,
    similar,
    to_bus,
    to_data,
    told,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY

MIB = 1 << 20
ANY = [(2, bytes(4), 0), (10, bytes(16), 0)]

# name, what a user writes, what is told of it, the last value that goes over D-Bus
CASES: list[tuple[str, t.Any, str, tuple[str, tuple[str, t.Any]]]] = [
    ("CPUQuota", "20%", "20%", ("CPUQuotaPerSecUSec", ("t", 200_000))),
    ("CPUQuota", "250.5%", "250.5%", ("CPUQuotaPerSecUSec", ("t", 2_505_000))),
    ("CPUQuota", "0.01%", "0.01%", ("CPUQuotaPerSecUSec", ("t", 100))),
    ("CPUQuota", "infinity", "", ("CPUQuotaPerSecUSec", ("t", INFINITY))),
    ("CPUQuotaPeriodSec", "50ms", "50ms", ("CPUQuotaPeriodUSec", ("t", 50_000))),
    ("CPUWeight", 50, "50", ("CPUWeight", ("t", 50))),
    ("CPUWeight", "idle", "idle", ("CPUWeight", ("t", 0))),
    ("IOWeight", "100", "100", ("IOWeight", ("t", 100))),
    ("AllowedCPUs", "0-2,9", "0-2 9", ("AllowedCPUs", ("ay", b"\x07\x02"))),
    ("AllowedCPUs", 0, "0", ("AllowedCPUs", ("ay", b"\x01"))),
    ("AllowedCPUs", [1, "3-4"], "1 3-4", ("AllowedCPUs", ("ay", b"\x1a"))),
    ("MemoryMax", "512M", "512M", ("MemoryMax", ("t", 512 * MIB))),
    ("MemoryMax", 1073741824, "1G", ("MemoryMax", ("t", 1 << 30))),
    ("MemoryMax", "1.5G", "1536M", ("MemoryMax", ("t", 1536 * MIB))),
    ("MemoryHigh", "infinity", "infinity", ("MemoryHigh", ("t", INFINITY))),
    ("MemoryMax", "50%", "50%", ("MemoryMax", ("t", 512 * MIB))),
    ("MemorySwapMax", 0, "0", ("MemorySwapMax", ("t", 0))),
    ("TasksMax", "10%", "10%", ("TasksMax", ("t", 100))),
    ("TasksMax", 7, "7", ("TasksMax", ("t", 7))),
    ("IOReadBandwidthMax", {"/dev/sda": "10M"}, "/dev/sda 10M", ("IOReadBandwidthMax", ("a(st)", [("/dev/sda", 10_000_000)]))),
    ("IOReadBandwidthMax", "/dev//sda 1.5K", "/dev/sda 1500", ("IOReadBandwidthMax", ("a(st)", [("/dev/sda", 1500)]))),
    ("IOWriteIOPSMax", {"/a": 5, "/b": "infinity"}, "/a 5", ("IOWriteIOPSMax", ("a(st)", [("/a", 5)]))),
    ("IODeviceWeight", "/a 5", "/a 5", ("IODeviceWeight", ("a(st)", [("/a", 5)]))),
    ("IODeviceLatencyTargetSec", {"/a": "20ms"}, "/a 20ms", ("IODeviceLatencyTargetUSec", ("a(st)", [("/a", 20_000)]))),
    ("IPAddressDeny", "any", "any", ("IPAddressDeny", ("a(iayu)", ANY))),
    ("IPAddressDeny", ["any", "10.0.0.0/8"], "any", ("IPAddressDeny", ("a(iayu)", ANY))),
    ("IPAddressAllow", "10.1.2.3/8", "10.0.0.0/8", ("IPAddressAllow", ("a(iayu)", [(2, b"\x0a\0\0\0", 8)]))),
    ("IPAddressAllow", "::1 127.0.0.0/8", "localhost", ("IPAddressAllow", ("a(iayu)", [(2, b"\x7f\0\0\0", 8), (10, bytes(15) + b"\1", 128)]))),
    ("IPAddressAllow", "192.0.2.1", "192.0.2.1", ("IPAddressAllow", ("a(iayu)", [(2, b"\xc0\0\x02\x01", 32)]))),
    ("SocketBindAllow", "ipv6:tcp:80-90", "ipv6:tcp:80-90", ("SocketBindAllow", ("a(iiqq)", [(10, 6, 11, 80)]))),
    ("SocketBindDeny", ["any", "udp:53"], "any udp:53", ("SocketBindDeny", ("a(iiqq)", [(0, 0, 0, 0), (0, 17, 1, 53)]))),
    ("DeviceAllow", "/dev/null wr", "/dev/null rw", ("DeviceAllow", ("a(ss)", [("/dev/null", "rw")]))),
    ("DeviceAllow", ["char-pts"], "char-pts rwm", ("DeviceAllow", ("a(ss)", [("char-pts", "rwm")]))),
    ("DevicePolicy", "closed", "closed", ("DevicePolicy", ("s", "closed"))),
    ("RestrictNetworkInterfaces", "~eth1 eth0", "~eth0 eth1", ("RestrictNetworkInterfaces", ("(bas)", (False, ["eth0", "eth1"])))),
    ("RestrictNetworkInterfaces", ["lo"], "lo", ("RestrictNetworkInterfaces", ("(bas)", (True, ["lo"])))),
    ("ManagedOOMMemoryPressureLimit", "20%", "20%", ("ManagedOOMMemoryPressureLimit", ("u", 858993459))),
    ("MemoryAccounting", True, "yes", ("MemoryAccounting", ("b", True))),
    ("MemoryAccounting", "off", "no", ("MemoryAccounting", ("b", False))),
    ("DisableControllers", "io cpu", "cpu io", ("DisableControllers", ("as", ["cpu", "io"]))),
    ("NFTSet", "cgroup:ip6:f:s", "cgroup:ip6:f:s", ("NFTSet", ("a(iiss)", [(3, 10, "f", "s")]))),
    ("Delegate", True, "yes", ("Delegate", ("b", True))),
    ("Delegate", "memory cpu", "cpu memory", ("DelegateControllers", ("as", ["cpu", "memory"]))),
    ("Slice", "app.slice", "app.slice", ("Slice", ("s", "app.slice"))),
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Percentages are of 1 GiB and of 1,000 tasks."""
    monkeypatch.setattr(resource_properties, "memory_of_host", lambda: 1 << 30)
    monkeypatch.setattr(resource_properties, "tasks_of_host", lambda: 1000)


@pytest.mark.parametrize(("name", "value", "text", "bus"), CASES, ids=lambda value: str(value)[:30])
def test_values(name: str, value: t.Any, text: str, bus: tuple[str, tuple[str, t.Any]]) -> None:
    found = canonical(name, value)
    assert told(name, found) == text
    assert to_bus(name, value)[-1] == bus
    # Files say the same, whatever stands before.
    lines = [line.partition("=")[2] for line in drop_in_lines(name, found)]
    assert same(from_texts(name, lines), found)
    # And so does what systemd tells of it.
    if name != "Delegate":
        (wire,) = {bus_name: wire for bus_name, (_signature, wire) in canonical_to_bus(name, found)}.values()
        assert same(from_bus(name, [wire]), found)


@pytest.mark.parametrize("name", PROPERTIES)
def test_defaults(name: str) -> None:
    """What nobody set can be sent, told, and written."""
    default = PROPERTIES[name].default
    assert from_texts(name, ["", ""]) == default
    assert shown(name, default)
    if default is not None:
        assert canonical_to_bus(name, default)
        if name != "Delegate":
            assert from_bus(name, [canonical_to_bus(name, default)[-1][1][1]]) == default
    assert isinstance(to_data(name, default), (bool, int, str, list, dict, type(None)))
    assert len(bus_names(name)) == (2 if name == "Delegate" else 1)


def test_lists_replace_what_is_there() -> None:
    assert to_bus("IPAddressDeny", "any")[0] == ("IPAddressDeny", ("a(iayu)", []))
    assert drop_in_lines("IPAddressDeny", canonical("IPAddressDeny", ["any", "10.0.0.0/8"])) == [
        "IPAddressDeny=",
        "IPAddressDeny=any",
    ]
    assert drop_in_lines("RestrictNetworkInterfaces", (False, ("a", "b"))) == [
        "RestrictNetworkInterfaces=",
        "RestrictNetworkInterfaces=~a b",
    ]
    # An empty assignment to one of these two empties the other too.
    assert drop_in_lines("BlockIOReadBandwidth", (("/a", 5),)) == ["BlockIOReadBandwidth=/a 5"]


def test_files_collect_lists_and_the_last_single_value_counts() -> None:
    assert from_texts("IPAddressDeny", ["10.0.0.0/8", "", "192.0.2.1", "localhost"]) == canonical(
        "IPAddressDeny", ["192.0.2.1", "localhost"]
    )
    assert from_texts("MemoryMax", ["1G", "2G"]) == 2 << 30
    assert from_texts("MemoryMax", ["1G", ""]) == INFINITY
    assert from_texts("TasksMax", []) is None


def test_shares_are_equal_to_what_they_come_to() -> None:
    half = canonical("MemoryMax", "50%")
    assert isinstance(half, Scaled)
    assert same(half, 512 * MIB)
    # Systemd rounds in more than one way, but never further than a page.
    assert same(half, 512 * MIB - 4096)
    assert not same(half, 500 * MIB)
    assert not same(half, None)
    assert not same(512 * MIB, 512 * MIB - 4096)
    assert drop_in_lines("MemoryMax", half) == ["MemoryMax=50%"]
    assert to_data("MemoryMax", half) == 512 * MIB
    assert isinstance(to_data("MemoryMax", half), int)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CPUQuota", 20, "CPUQuota: '20' is not a percentage; write it like 20%"),
        ("CPUQuota", "0%", "is too little to run at all"),
        ("CPUQuota", "1.234%", "more decimals"),
        ("CPUQuotaPeriodSec", "2s", "goes from 1ms to 1s"),
        ("CPUWeight", 0, "CPUWeight: 0 is out of range; it goes from 1 to 10000"),
        ("IOWeight", "idle", "'idle' is not a weight"),
        ("AllowedCPUs", "3-1", "'3-1' runs backwards"),
        ("AllowedCPUs", "a", "'a' is not a list of numbers"),
        ("MemoryMax", "101%", "'101%' is above 100%"),
        ("MemoryMax", "1X", "is not a size in bytes: at character 2"),
        ("MemoryMax", 0, "is too little"),
        ("MemoryMax", ["1G", "2G"], "takes one value, not a list of 2"),
        ("MemoryMax", "1G\n[Service]", "holds a line break"),
        ("TasksMax", "0", "0 is out of range; it goes from 1 on"),
        ("TasksMax", "0.01%", "of this host's tasks is none"),
        ("TasksMax", "many", "'many' is not a number of tasks"),
        ("IOReadBandwidthMax", "10M", "'10M' is not a device and a value"),
        ("IOReadBandwidthMax", {"/dev/sda": "10X"}, "'10X' is not a number of bytes per second"),
        ("IOReadBandwidthMax", {"/dev/sda": 0}, "would let nothing through"),
        ("IODeviceWeight", {"/dev/sda": 0}, "0 is out of range"),
        ("IPAddressAllow", "10.0.0.0/33", "33 is out of range; it goes from 0 to 32"),
        ("IPAddressAllow", "example.com", "'example.com' is no address"),
        ("SocketBindAllow", "tcp:0", "0 is out of range"),
        ("SocketBindAllow", "tcp:90-80", "'90-80' runs backwards"),
        ("SocketBindAllow", "tcp:80:90", "is not a rule such as"),
        ("DeviceAllow", "null rw", "'null rw' is no device"),
        ("DeviceAllow", "/dev/null rx", "'rx' in '/dev/null rx' is not made of r"),
        ("DevicePolicy", "open", "'open' is none of auto, closed, strict"),
        ("RestrictNetworkInterfaces", "eth0 ~eth1", "allow interfaces or deny them"),
        ("MemoryAccounting", "maybe", "'maybe' is not a boolean"),
        ("NFTSet", "cgroup:x:f:s", "is not source:family:table:set"),
        ("CPUWeight", {"a": 1}, "not a mapping"),
        ("IPAddressAllow", [None], "IPAddressAllow[0]: None is no text or number"),
    ],
)
def test_bad_values(name: str, value: t.Any, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        canonical(name, value)
    assert caught.value.msg.startswith((f"properties: {name}: ", f"properties: {name}["))
    assert says in caught.value.msg


def test_names() -> None:
    assert is_resource_property("CPUQuota")
    assert not is_resource_property("CPUQuotaPerSecUSec")
    assert similar("cpuquota")[0] == "CPUQuota"
    assert similar("CPUQuotaPerSecUSec")[0] == "CPUQuota"
    assert similar("MemoryMaximum")[0] == "MemoryMax"
    assert similar("ExecStart") == []


@pytest.mark.parametrize("value", [None, "", "  ", [], {}])
def test_unset(value: t.Any) -> None:
    assert is_unset(value)


@pytest.mark.parametrize("value", [0, False, "0", [0]])
def test_not_unset(value: t.Any) -> None:
    assert not is_unset(value)


def test_devices(tmp_path: Path) -> None:
    check_devices("IOReadBandwidthMax", ((str(tmp_path), 5),))
    check_devices("DeviceAllow", (("/dev/null", "r"), ("char-pts", "rw"), ("/dev/tty*", "rw")))
    with pytest.raises(BadInput, match="there is no device /dev/nope on this host; name a block device"):
        check_devices("IODeviceWeight", (("/dev/nope", 5),))
    with pytest.raises(BadInput, match="/dev/null is no block device, and systemd would ignore it"):
        check_devices("IOReadBandwidthMax", (("/dev/null", 5),))
    with pytest.raises(BadInput, match="there is no device /dev/nope on this host; for one that comes and goes"):
        check_devices("DeviceAllow", (("/dev/nope", "r"),))


@pytest.mark.parametrize(
    ("name", "loaded", "kernel", "expected"),
    [
        ("CPUQuota", 333_300, 333_299, True),
        ("CPUQuota", 333_300, 300_000, False),
        ("CPUQuota", INFINITY, 200_000, False),
        ("CPUWeight", INFINITY, 100, True),
        ("CPUWeight", INFINITY, 50, False),
        ("CPUQuotaPeriodSec", INFINITY, 100_000, True),
        # The kernel counts in pages.
        ("MemoryMax", 5000, 4096, True),
        ("MemoryMax", 8192, 4096, False),
        ("MemoryMax", INFINITY, 4096, False),
        # What a slice above says by DefaultMemoryLow=.
        ("MemoryLow", 0, 5 << 20, True),
        ("MemoryLow", 1 << 20, 5 << 20, False),
        ("TasksMax", 7, 7, True),
        ("TasksMax", 7, 8, False),
        ("IOReadBandwidthMax", (("/dev/vda", 5),), (("8:0", 5),), True),
        ("IOReadBandwidthMax", (("/dev/vda", 5),), (), False),
        # No controller, no opinion.
        ("MemoryMax", 8192, None, True),
    ],
)
def test_kernel_agrees(name: str, loaded: t.Any, kernel: t.Any, expected: bool) -> None:
    assert agrees(name, loaded, kernel) is expected
