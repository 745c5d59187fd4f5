# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel has: resource properties in the attribute files of a unit's control group (cgroups(7), version 2)."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import (
    NumberSet,
    TimeSpan,
    Weight,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import (
    PROPERTIES,
    Memory,
    PerDevice,
    Quota,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY, count, is_digits

_ROOT = "/sys/fs/cgroup"
# Nothing to wait for and no link: those of the kernel are neither, and nobody shall be able to put something else there.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
# Property -> attribute, and for the per-device ones the word in its lines.
_ATTRIBUTES: dict[str, tuple[str, str]] = {
    "CPUQuota": ("cpu.max", ""),
    "CPUQuotaPeriodSec": ("cpu.max", ""),
    "CPUWeight": ("cpu.weight", ""),
    "AllowedCPUs": ("cpuset.cpus", ""),
    "AllowedMemoryNodes": ("cpuset.mems", ""),
    "MemoryMin": ("memory.min", ""),
    "MemoryLow": ("memory.low", ""),
    "MemoryHigh": ("memory.high", ""),
    "MemoryMax": ("memory.max", ""),
    "MemorySwapMax": ("memory.swap.max", ""),
    "MemoryZSwapMax": ("memory.zswap.max", ""),
    "TasksMax": ("pids.max", ""),
    "IOWeight": ("io.weight", "default"),
    "IOReadBandwidthMax": ("io.max", "rbps"),
    "IOWriteBandwidthMax": ("io.max", "wbps"),
    "IOReadIOPSMax": ("io.max", "riops"),
    "IOWriteIOPSMax": ("io.max", "wiops"),
}

# Property -> the attribute with what there is of what it limits.
_IN_USE = {
    "MemoryHigh": "memory.current", "MemoryMax": "memory.current", "MemorySwapMax": "memory.swap.current", "TasksMax": "pids.current",
}  # fmt: skip


def cgroup_directory(control_group: str, owner: int | None = None) -> str | None:
    """The directory of a unit's control group; None where it has none or the host no version 2.

    :param control_group: the property ControlGroup.
    :param owner: the user whose manager told it; None for the system's. What a user's manager tells is not to be believed:
        only a directory below the slice of that user counts, and no link.
    """
    parts = control_group.split("/")[1:]
    if not control_group.startswith("/") or not {"", ".", ".."}.isdisjoint(parts):
        return None
    if not os.path.exists(f"{_ROOT}/cgroup.controllers"):
        return None
    if owner is not None:
        if parts[:2] != ["user.slice", f"user-{owner}.slice"]:
            return None
        path = _ROOT
        for part in parts:
            path = f"{path}/{part}"
            try:
                if not stat.S_ISDIR(os.lstat(path).st_mode):
                    return None
            except OSError:
                return None
    return _ROOT + control_group


def controllers(owner: int | None = None) -> frozenset[str] | None:
    """The controllers that a manager has for its units, such as `memory`; None where the host has no control groups of version 2.

    :param owner: the user whose manager it is; None for the system's. A user's has those alone that are delegated to it.
    """
    directory: str | None = _ROOT
    if owner is not None:
        directory = cgroup_directory(f"/user.slice/user-{owner}.slice/user@{owner}.service", owner)
    text = read_attribute(directory, "cgroup.controllers")
    return None if text is None else frozenset(text.split())


def controller_of(name: str) -> str:
    """The controller that enforces a property; empty where none does."""
    return attribute_of(name).partition(".")[0]


def in_use(directory: str | None, name: str) -> int | None:
    """How much a control group has of what a property limits; None where that cannot be told."""
    text = read_attribute(directory, _IN_USE[name]) if name in _IN_USE else None
    return count(text) if text is not None and is_digits(text) else None


def attribute_of(name: str) -> str:
    """The attribute file that has a property; empty where none has."""
    return _ATTRIBUTES.get(name, ("", ""))[0]


def read_attribute(directory: str | None, attribute: str) -> str | None:
    """The text of an attribute file; None where the controller is not there for this group."""
    if directory is None:
        return None
    try:
        # Unbuffered and undecoded: there are hundreds of these to read.
        descriptor = os.open(f"{directory}/{attribute}", _READ)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, 1 << 16).decode("ascii", "replace").strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)


def counters(text: str | None) -> dict[str, int]:
    """The numbers of a flat-keyed attribute such as memory.events or cpu.stat."""
    found = {}
    for line in (text or "").splitlines():
        key, _blank, number = line.partition(" ")
        if is_digits(number):
            found[key] = count(number)
    return found


def stalled_usec(text: str | None) -> int | None:
    """Microseconds in which some task waited, of a pressure attribute; None where the kernel does not tell."""
    for line in (text or "").splitlines():
        total = line.rpartition("total=")[2]
        if line.startswith("some ") and is_digits(total):
            return count(total)
    return None


def read_value(directory: str | None, name: str) -> tuple[str | None, t.Any]:
    """What the kernel has for a property: the attribute's text, and a canonical value; both None where it has nothing."""
    attribute, word = _ATTRIBUTES.get(name, ("", ""))
    text = read_attribute(directory, attribute) if attribute else None
    if text is None:
        return None, None
    try:
        return text, _value(directory, name, text, word)
    except (ValueError, KeyError, ZeroDivisionError):
        return text, None


def _number(text: str) -> int:
    """A number as the kernel writes it.

    :raises ValueError: it is none.
    """
    if not is_digits(text):
        raise ValueError(text)
    return count(text)


def _value(directory: str | None, name: str, text: str, word: str) -> t.Any:
    kind = PROPERTIES[name].kind
    if isinstance(kind, (Quota, TimeSpan)):
        quota, period = text.split()
        if isinstance(kind, TimeSpan):
            return _number(period)
        return INFINITY if quota == "max" else _number(quota) * 1_000_000 // _number(period)
    if isinstance(kind, NumberSet):
        found: list[int] = []
        for part in filter(None, text.split(",")):
            first, _dash, last = part.partition("-")
            low, high = _number(first), _number(last or first)
            if high > kind.HIGHEST:
                raise ValueError(part)
            found += range(low, high + 1)
        return tuple(found)
    if name == "CPUWeight":
        return 0 if read_attribute(directory, "cpu.idle") == "1" else _number(text)
    if word == "default":
        return _number(dict(line.split() for line in text.splitlines())["default"])
    if word:
        limits = []
        for line in text.splitlines():
            device, *fields = line.split()
            number = dict(field.split("=") for field in fields)[word]
            if number != "max":
                limits.append((device, _number(number)))
        return tuple(sorted(limits))
    return INFINITY if text == "max" else _number(text)


def agrees(name: str, loaded: t.Any, kernel: t.Any) -> bool:
    """Whether the kernel's value is what systemd's value makes it."""
    kind = PROPERTIES[name].kind
    if kernel is None or loaded == kernel:
        return True
    if isinstance(kind, Quota) and INFINITY not in (loaded, kernel):
        # Both numbers of cpu.max are whole microseconds.
        return bool(abs(loaded - kernel) <= max(loaded // 100, 100))
    if loaded == INFINITY and isinstance(kind, (TimeSpan, Weight)):
        # Not set: the kernel's own default holds.
        return bool(kernel == (100_000 if isinstance(kind, TimeSpan) else 100))
    if name in ("MemoryMin", "MemoryLow") and loaded == 0:
        # Not set: DefaultMemoryMin= or DefaultMemoryLow= of a slice above may hold.
        return True
    if isinstance(kind, Memory) and INFINITY not in (loaded, kernel):
        return bool(0 <= loaded - kernel < os.sysconf("SC_PAGE_SIZE"))
    if isinstance(kind, PerDevice):
        return sorted(number for _path, number in loaded) == sorted(number for _device, number in kernel)
    return False
