# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of transient units and resource control: refused, or such that the bus can carry them in their type."""

from __future__ import annotations

import typing as t

from jeepney import DBusAddress, new_method_call

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import exec as exec_properties
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import resource as resource_properties
from tests.attacks.inputs import BETWEEN, as_bytes, as_text

# A directive of each kind of value.
_EXEC = (
    "Description RemainAfterExit PrivateTmp RestartSec TimeoutSec StartLimitBurst SuccessActionExitStatus "
    "Requires RuntimeDirectory RestrictAddressFamilies SuccessExitStatus KillSignal UMask StandardOutput "
    "BindPaths AppArmorProfile CapabilityBoundingSet LoadCredential SetCredential OnBootSec SyslogLevel Nice "
    "Environment EnvironmentFile StandardInputText StandardInputData LogExtraFields LogFilterPatterns "
    "SyslogFacility SecureBits CPUSchedulingPolicy IOSchedulingClass CPUAffinity NUMAMask NUMAPolicy "
    "CoredumpFilter TimerSlackNSec MountFlags TemporaryFileSystem RestrictNamespaces SystemCallErrorNumber "
    "OpenFile OnCalendar ConditionPathExists LimitNOFILE LimitRTTIME LimitCPU LimitNICE LimitAS"
).split()
_VALUES = (
    "yes", "20", "0755", "5min", "infinity", "SIGTERM", "SIGRTMIN+3", "a b 'c d'", "A=b C=\"d\"", "%h/x:/y:rbind",
    "~CAP_KILL CAP_CHOWN", "1-3,8", "0x1F", "10ns", "64:128", "kill", "ENOSYS", "info", "daemon", "append:/x",
    "private-dax 33", "-1", "/x:/y:read-only", "!|/path", "daily", "Zm9v", "name:Zm9v", "143 SIGTERM TEMPFAIL",
    "ipc net", "idle", "512M", "20%", "tcp:80 any", "/dev/sda 10M", "10.0.0.0/8 localhost ::1/64", "~eth0 eth1",
    "cgroup:inet:filter:set", "char-pts rw", "cpu io", "machine.slice", "egress:/sys/fs/bpf/x", "kill",
)  # fmt: skip
_RESOURCES = tuple(resource_properties.PROPERTIES)
SEEDS = [as_bytes(f"{name}{BETWEEN}{value}") for name in _EXEC for value in _VALUES[:6]]
SEEDS += [as_bytes(f"{name}{BETWEEN}{value}") for name, value in zip(_EXEC * 3, _VALUES * 5, strict=False)]
SEEDS += [as_bytes(f"{name}{BETWEEN}{value}") for name in _RESOURCES for value in _VALUES[28:]]
TOKENS = [as_bytes(word) for word in (BETWEEN, *_VALUES, *_EXEC)]


_BUS = DBusAddress("/", "a.b", "a.b")


def one_input(data: bytes) -> None:
    name, _between, rest = as_text(data).partition(BETWEEN)
    values = rest.split(BETWEEN)
    value: t.Any = values if len(values) > 1 else rest
    found: list[tuple[str, tuple[str, t.Any]]] = []
    try:
        if name in _RESOURCES:
            found = resource_properties.to_bus(name, value)
            canonical = resource_properties.canonical(name, value)
            lines = resource_properties.drop_in_lines(name, canonical)
            assert not any("\n" in line or "\r" in line or "\0" in line for line in lines)
            texts = [line.partition("=")[2] for line in lines]
            if name not in ("DeviceAllow",):
                again = resource_properties.from_texts(name, texts)
                assert resource_properties.same(again, canonical), f"{canonical} is written {lines}, which is {again}"
            resource_properties.to_data(name, canonical)
            resource_properties.shown(name, canonical)
        else:
            commands = isinstance(exec_properties.kind_of(name), exec_properties.Commands)
            if not commands and name not in ("SystemCallFilter", "SystemCallLog"):
                found = exec_properties.to_bus(name, value, "properties")
    except BadInput as error:
        assert len(error.msg) < 1500 and error.msg.isprintable(), error.msg
    for _name, (signature, sent) in found:
        assert new_method_call(_BUS, "A", "v", ((signature, sent),)).serialise(1)
