# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource properties (systemd.resource-control(5)): as users write them, as D-Bus carries them, as files hold them.

A property's *canonical* value is one that compares: `20%` of CPUQuota and 200 ms per second are both 200000, and lists are
sorted tuples. From it come the D-Bus values, the lines of a drop-in and the text for people.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, plain
from ansible_collections.pidone.systemd.plugins.module_utils._errors import shown as quoted
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_slice
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import (
    BLANKS,
    HIGHEST,
    INFINITY,
    check_sendable,
    count,
    is_digits,
    number_text,
    parse_number,
    words_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import (
    exact_bytes,
    parse_bytes,
    parse_percent,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan

# Types of units that have a control group, and with it these properties.
CGROUP_TYPES = ("service", "slice", "scope", "socket", "mount", "swap")

# Names that systemd knows ranges of addresses by, as (family, address, length of the prefix).
_V4, _V6 = 2, 10
_ADDRESS_BITS = {_V4: 32, _V6: 128}
_NAMED_ADDRESSES: dict[str, tuple[tuple[int, bytes, int], ...]] = {
    "any": ((_V4, bytes(4), 0), (_V6, bytes(16), 0)),
    "localhost": ((_V4, b"\x7f" + bytes(3), 8), (_V6, bytes(15) + b"\x01", 128)),
    "link-local": ((_V4, b"\xa9\xfe\0\0", 16), (_V6, b"\xfe\x80" + bytes(14), 64)),
    "multicast": ((_V4, b"\xe0\0\0\0", 4), (_V6, b"\xff" + bytes(15), 8)),
}
_PROTOCOLS = {"tcp": 6, "udp": 17}
_FAMILIES = {"ipv4": _V4, "ipv6": _V6}
_NFT_SOURCES = {"cgroup": 3, "user": 4, "group": 5}
_NFT_FAMILIES = {"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10}
_YES = ("1", "yes", "y", "true", "t", "on")
_NO = ("0", "no", "n", "false", "f", "off")


class Scaled(int):
    """A share of the host's memory or tasks, resolved: a number that still knows its percentage.

    Systemd rounds such a share in more than one way, so it equals whatever is less than two `grains` away (`same`).
    """

    permyriad: int
    grain: int

    def __new__(cls, whole: int, permyriad: int, grain: int) -> Scaled:
        it = super().__new__(cls, whole // grain * permyriad // 10000 * grain)
        it.permyriad, it.grain = permyriad, grain
        return it


class Property(t.NamedTuple):
    """One row of the table.

    :param kind: which of the `_KINDS` reads and writes it.
    :param bus: its name on D-Bus where that is not the directive's.
    :param default: its canonical value where no file sets it; None where the manager's own settings decide.
    :param live: whether SetUnitProperties takes it; others can only be given to a unit that is being made.
    :param detail: the lowest and the highest number, or the words that are allowed.
    """

    kind: str
    bus: str
    default: t.Any
    live: bool = True
    detail: tuple[t.Any, ...] = ()


def _table() -> dict[str, Property]:
    found: dict[str, Property] = {}

    def add(kind: str, names: str, default: t.Any = (), live: bool = True, detail: tuple[t.Any, ...] = ()) -> None:
        for name in names.split():
            bus = name[:-3] + "USec" if name.endswith("Sec") else "CPUQuotaPerSecUSec" if name == "CPUQuota" else name
            found[name] = Property(kind, bus, default, live, detail)

    add("bool", "CPUAccounting MemoryAccounting IOAccounting BlockIOAccounting TasksAccounting IPAccounting", None)
    add("bool", "MemoryZSwapWriteback", True)
    add("bool", "CoredumpReceive", False, live=False)
    add("quota", "CPUQuota", INFINITY)
    add("timespan", "CPUQuotaPeriodSec", INFINITY)
    add("timespan", "ManagedOOMMemoryPressureDurationSec", INFINITY)
    add("timespan", "MemoryPressureThresholdSec", 200_000, live=False)
    add("cpu_weight", "CPUWeight StartupCPUWeight", INFINITY, detail=(1, 10000))
    add("weight", "IOWeight StartupIOWeight", INFINITY, detail=(1, 10000))
    add("weight", "CPUShares StartupCPUShares", INFINITY, detail=(2, 262144))
    add("weight", "BlockIOWeight StartupBlockIOWeight", INFINITY, detail=(10, 1000))
    add("numbers", "AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes StartupAllowedMemoryNodes", detail=(0, 8191))
    add("memory", "MemoryHigh MemoryMax MemoryLimit StartupMemoryHigh StartupMemoryMax", INFINITY, detail=(1,))
    add("memory", "MemorySwapMax MemoryZSwapMax StartupMemorySwapMax StartupMemoryZSwapMax", INFINITY, detail=(0,))
    add("memory", "MemoryMin MemoryLow DefaultMemoryMin DefaultMemoryLow", 0, detail=(0,))
    add("memory", "StartupMemoryLow DefaultStartupMemoryLow", 0, detail=(0,))
    add("tasks", "TasksMax", None)
    add("device_bytes", "IOReadBandwidthMax IOWriteBandwidthMax BlockIOReadBandwidth BlockIOWriteBandwidth")
    add("device_number", "IOReadIOPSMax IOWriteIOPSMax", detail=(1, INFINITY))
    add("device_number", "IODeviceWeight", detail=(1, 10000))
    add("device_number", "BlockIODeviceWeight", detail=(10, 1000))
    add("device_timespan", "IODeviceLatencyTargetSec")
    add("addresses", "IPAddressAllow IPAddressDeny")
    add("ports", "SocketBindAllow SocketBindDeny")
    add("devices", "DeviceAllow")
    add("word", "DevicePolicy", "auto", detail=("auto", "closed", "strict"))
    add("word", "ManagedOOMSwap ManagedOOMMemoryPressure", "auto", detail=("auto", "kill"))
    add("word", "ManagedOOMPreference", "none", detail=("none", "avoid", "omit"))
    add("word", "MemoryPressureWatch", "auto", live=False, detail=("auto", "on", "off", "skip"))
    add("fraction", "ManagedOOMMemoryPressureLimit", 0)
    add("interfaces", "RestrictNetworkInterfaces", (False, ()))
    add("words", "DisableControllers")
    add("nft", "NFTSet")
    add("delegate", "Delegate", (False, ()), live=False)
    add("text", "DelegateSubgroup Slice", "", live=False)
    add("words", "IPIngressFilterPath IPEgressFilterPath", live=False)
    add("pairs", "BPFProgram", live=False)
    return found


PROPERTIES = _table()

# Of these two, an empty assignment to the one resets the other as well, when systemd reads it from a file.
_NO_RESET = ("BlockIOReadBandwidth", "BlockIOWriteBandwidth")

# Of which property only the manager knows the default, by the manager's property that says it.
MANAGER_DEFAULTS = {
    name: f"Default{name}" for name in (*(n for n in PROPERTIES if n.endswith("Accounting")), "TasksMax")
}


def is_resource_property(name: str) -> bool:
    """Whether it is a directive of systemd.resource-control(5), in systemd's spelling."""
    return name in PROPERTIES


def is_live(name: str) -> bool:
    """Whether systemd can change it on a loaded unit; the others are read when a unit is started or made."""
    return PROPERTIES[name].live


def similar(name: str) -> list[str]:
    """Properties that a name that is none may have been meant to be, best first; names of D-Bus are translated."""
    import difflib

    if len(name) > 100:
        return []
    known = {key.lower(): key for key in PROPERTIES}
    for key, row in PROPERTIES.items():
        known.setdefault(row.bus.lower(), key)
    close = difflib.get_close_matches(name.lower(), known, 3, 0.7)
    return list(dict.fromkeys(known[key] for key in close))


def is_unset(value: t.Any) -> bool:
    """Whether a value means that the property is to be what the unit's file says."""
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip(BLANKS))


def canonical(name: str, value: t.Any, option: str = "properties") -> t.Any:
    """The value that a user wrote, as one that compares.

    :param name: a key of `PROPERTIES`.
    :param value: text, number, boolean, list of texts, or, per device, a dictionary.
    :param option: name of the option, for the error.
    :raises BadInput: the value is none for this property.
    """
    return from_texts(name, _texts(name, value, f"{option}: {name}"), option)


def from_texts(name: str, texts: t.Sequence[str], option: str = "properties") -> t.Any:
    """The canonical value of a property that a unit file assigns these texts to, one after the other.

    An empty text undoes those before it; a list collects the others, and of a single value the last one counts.
    """
    row = PROPERTIES[name]
    parse, collects = _KINDS[row.kind][0], _KINDS[row.kind][1]
    label = f"{option}: {name}"
    since: list[str] = []
    for text in texts:
        if text:
            since.append(text)
        else:
            since = []
    if not since:
        return row.default
    if collects:
        return parse(since, row, label)
    return parse(since[-1], row, label)


def to_bus(name: str, value: t.Any, option: str = "properties") -> list[tuple[str, tuple[str, t.Any]]]:
    """What SetUnitProperties and StartTransientUnit take for a value that a user wrote; `(property, (signature, value))`.

    Lists are sent empty first, since systemd adds to what is there.

    :raises BadInput: the value is none for this property.
    """
    return canonical_to_bus(name, canonical(name, value, option))


def canonical_to_bus(name: str, value: t.Any) -> list[tuple[str, tuple[str, t.Any]]]:
    """The same as `to_bus` for a canonical value; nothing for None, which leaves it to the manager's own settings."""
    if value is None:
        return []
    row = PROPERTIES[name]
    rows: list[tuple[str, tuple[str, t.Any]]] = _KINDS[row.kind][2](value, row)
    return rows


def bus_names(name: str) -> tuple[str, ...]:
    """The D-Bus properties that tell the current value, on the interface of the unit's type; for `from_bus`."""
    return ("Delegate", "DelegateControllers") if name == "Delegate" else (PROPERTIES[name].bus,)


def from_bus(name: str, values: t.Sequence[t.Any]) -> t.Any:
    """The canonical value of what was read from the `bus_names`."""
    row = PROPERTIES[name]
    try:
        return _KINDS[row.kind][3](values[0] if len(values) == 1 else tuple(values), row)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        # The manager of a user is that user's, and may answer anything.
        raise SystemdError(f"{name}: systemd answered {quoted(values)}, which is no value for it") from error


def same(one: t.Any, other: t.Any) -> bool:
    """Whether two canonical values of a property mean the same."""
    if isinstance(one, Scaled) or isinstance(other, Scaled):
        grain = one.grain if isinstance(one, Scaled) else other.grain
        return other is not None and one is not None and abs(one - other) <= 2 * grain
    return bool(one == other)


def told(name: str, value: t.Any) -> str:
    """A canonical value for people, in the spelling of unit files: `20%`, `512M`, `infinity`; empty for an empty list."""
    return " ".join(_words(name, value))


def shown(name: str, value: t.Any) -> str:
    """The same with a word where unit files would have nothing at all."""
    if value is None:
        return "default"
    words = told(name, value)
    if words:
        return words
    return {"quota": "infinity", "timespan": "default", "cpu_weight": "default", "weight": "default"}.get(
        PROPERTIES[name].kind, "none"
    )


def to_data(name: str, value: t.Any) -> t.Any:
    """A canonical value as JSON has it: numbers as D-Bus has them, `infinity` for 2^64-1, lists of texts."""
    row = PROPERTIES[name]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if value < INFINITY else "infinity"
    if row.kind == "numbers":
        return list(value)
    if row.kind.startswith("device"):
        return dict(value)
    return _words(name, value)


def drop_in_lines(name: str, value: t.Any) -> list[str]:
    """The assignments that give a property this canonical value, whatever files before them say."""
    words = _words(name, value)
    collects = _KINDS[PROPERTIES[name].kind][1]
    if name == "RestrictNetworkInterfaces":
        words = [" ".join(words)] if value[1] else []
    if name in _NO_RESET and words:
        return [f"{name}={word}" for word in words]
    if collects or not words:
        return [f"{name}=", *(f"{name}={word}" for word in words)]
    return [f"{name}={words[0]}"]


def percent_of(name: str, value: t.Any) -> int:
    """The value as ten-thousandths where it is a percentage, for versions that take fewer decimals; 0 elsewhere."""
    if isinstance(value, Scaled):
        return value.permyriad
    if PROPERTIES[name].kind == "quota" and value != INFINITY:
        return int(value) // 100
    return 0


def device_paths(name: str, value: t.Any) -> list[str]:
    """The paths of devices that a canonical value names: all of them have to be there."""
    kind = PROPERTIES[name].kind
    if kind.startswith("device_"):
        return [path for path, _value in value]
    if kind == "devices":
        return [path for path, _modes in value if path.startswith("/") and not set("*?[") & set(path)]
    return []


def check_devices(name: str, value: t.Any, option: str = "properties") -> None:
    """Refuse devices that do not exist, or of which systemd could not tell what block device is meant.

    :raises BadInput: with what to write instead.
    """
    for path in device_paths(name, value):
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError):
            mode = 0
        if mode:
            if name != "DeviceAllow" and not (stat.S_ISBLK(mode) or stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                raise BadInput(
                    f"{option}: {name}: {plain(path, 255)} is no block device, and systemd would ignore it; "
                    "name a block device, or a file or directory on its file system (see lsblk)"
                )
            continue
        if name == "DeviceAllow":
            hint = "for one that comes and goes allow its class, such as char-ttyUSB or block-sd (see /proc/devices)"
        else:
            hint = "name a block device, or a file or directory on its file system (see lsblk)"
        raise BadInput(f"{option}: {name}: there is no device {plain(path, 255)} on this host; {hint}")


# -- values as users write them


def _texts(name: str, value: t.Any, label: str) -> list[str]:
    if isinstance(value, dict):
        if not PROPERTIES[name].kind.startswith("device"):
            raise BadInput(f"{label}: takes no dictionary; write it as text, such as systemctl set-property takes")
        return [f"{_device(path, label)} {_text(item, label)}" for path, item in value.items()]
    if isinstance(value, (list, tuple)):
        if not _KINDS[PROPERTIES[name].kind][1]:
            if len(value) != 1:
                raise BadInput(f"{label}: takes one value, not a list of {len(value)}")
            value = value[0]
        else:
            return [_text(item, label) for item in value]
    return [_text(value, label)]


def _device(path: t.Any, label: str) -> str:
    if not isinstance(path, str) or not path.startswith("/") or path != "".join(words_of(path)):
        raise BadInput(f"{label}: {quoted(path)} is no path of a device; write one without blanks, such as /dev/sda")
    return path


def _text(value: t.Any, label: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number_text(value, label)
    if not isinstance(value, str):
        raise BadInput(f"{label}: {quoted(value)} is no text or number; write it as in a unit file")
    bare = check_sendable(value, label).strip(BLANKS)
    if "\n" in bare or "\r" in bare:
        raise BadInput(f"{label}: {quoted(value)} holds a line break; give several values as a list")
    return bare


def _range(word: str, low: int, high: int, label: str, what: str) -> tuple[int, int]:
    """The two ends of `3-7`, or of `3`, which is a range of one."""
    first, dash, last = word.partition("-")
    if not is_digits(first) or (dash and not is_digits(last)):
        raise BadInput(f"{label}: {quoted(word)} is not {what}")
    start = parse_number(first, label, low, high, what, decimal=True)
    stop = parse_number(last, label, low, high, what, decimal=True) if dash else start
    if stop < start:
        raise BadInput(f"{label}: the range {quoted(word)} runs backwards")
    return start, stop


def _parse_bool(text: str, row: Property, label: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise BadInput(f"{label}: {quoted(text)} is neither yes nor no")
    return text.lower() in _YES


def _parse_quota(text: str, row: Property, label: str) -> int:
    # No word of systemd's for it; files say it with an empty value.
    if text == "infinity":
        return INFINITY
    value = parse_percent(text, label, None)
    if value <= 0:
        raise BadInput(f"{label}: {quoted(text)} is too little to run at all; write at least 0.01%")
    return value * 100


def _parse_timespan(text: str, row: Property, label: str) -> int:
    value = parse_timespan(text, label)
    if "CPUQuotaPeriod" in label and value != INFINITY and not 1000 <= value <= 1_000_000:
        raise BadInput(f"{label}: {quoted(text)} is out of range; it goes from 1ms to 1s")
    return value


def _parse_weight(text: str, row: Property, label: str) -> int:
    if row.kind == "cpu_weight" and text == "idle":
        return 0
    what = "a weight: a whole number" + (" or idle" if row.kind == "cpu_weight" else "")
    return parse_number(text, label, row.detail[0], row.detail[1], what)


def _parse_numbers(texts: t.Sequence[str], row: Property, label: str) -> tuple[int, ...]:
    mask = 0
    for word in words_of(" ".join(texts).replace(",", " ")):
        low, high = _range(word, row.detail[0], row.detail[1], label, "a list of numbers such as 0-3 8")
        mask |= ((1 << (high - low + 1)) - 1) << low
    return _numbers(mask)


def _numbers(mask: int) -> tuple[int, ...]:
    return tuple(number for number, bit in enumerate(reversed(f"{mask:b}")) if bit == "1")


def _parse_memory(text: str, row: Property, label: str) -> int:
    if text.endswith(("%", "‰", "‱")):
        value: int = Scaled(memory_of_host(), parse_percent(text, label), os.sysconf("SC_PAGE_SIZE"))
    else:
        value = parse_bytes(text, label)
    if value < row.detail[0]:
        raise BadInput(f"{label}: {quoted(text)} is too little; write at least one page of memory, such as 4K")
    return value


def _parse_tasks(text: str, row: Property, label: str) -> int:
    if text == "infinity":
        return INFINITY
    if text.endswith(("%", "‰", "‱")):
        value: int = Scaled(tasks_of_host(), parse_percent(text, label), 1)
        if value < 1:
            raise BadInput(f"{label}: {quoted(text)} of this host's tasks is none; write more, or a number")
        return value
    return parse_number(text, label, 1, INFINITY - 1, "a number of tasks; write one such as 100, 10% or infinity")


def _parse_per_device(texts: t.Sequence[str], row: Property, label: str) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for text in texts:
        path, _blank, rest = text.partition(" ")
        rest = rest.strip(BLANKS)
        if not path.startswith("/") or not rest:
            raise BadInput(f"{label}: {quoted(text)} is not a device and a value; write it like '/dev/sda 10M'")
        path = os.path.normpath(path)
        if row.kind == "device_timespan":
            found[path] = parse_timespan(rest, label)
        elif row.kind == "device_number":
            high = row.detail[1]
            limitless = rest == "infinity" and high == INFINITY
            found[path] = INFINITY if limitless else parse_number(rest, label, row.detail[0], high)
        else:
            found[path] = _parse_decimal_bytes(rest, label)
            if not found[path]:
                raise BadInput(
                    f"{label}: {quoted(text)} would let nothing through; write more, or infinity for no limit"
                )
    return tuple(sorted((path, value) for path, value in found.items() if value != INFINITY))


def _parse_decimal_bytes(text: str, label: str) -> int:
    """Bytes per second, whose suffixes are powers of 1000, other than those of memory."""
    if text == "infinity":
        return INFINITY
    number, factor = text, 1
    if text[-1:] == "B" and len(text) > 1:
        number = text[:-1]
    if number[-1:] in "KMGTPE" and len(number) > 1:
        factor = int(1000 ** ("KMGTPE".index(number[-1]) + 1))
        number = number[:-1]
    whole, dot, fraction = number.strip(BLANKS).partition(".")
    if not is_digits(whole) or (dot and not is_digits(fraction)) or count(fraction) > HIGHEST["t"]:
        raise BadInput(f"{label}: {quoted(text)} is not a number of bytes per second; write it like 10M or 1.5G")
    fraction = fraction[:30]
    size = count(whole) * factor + count(fraction) * factor // int(10 ** len(fraction))
    if size >= INFINITY:
        raise BadInput(f"{label}: {quoted(text)} is more than systemd can count; write infinity")
    return size


def _parse_addresses(texts: t.Sequence[str], row: Property, label: str) -> tuple[tuple[int, bytes, int], ...]:
    import socket

    found: set[tuple[int, bytes, int]] = set()
    for word in words_of(" ".join(texts)):
        if word in _NAMED_ADDRESSES:
            found.update(_NAMED_ADDRESSES[word])
            continue
        address, slash, length = word.partition("/")
        family = _V6 if ":" in address else _V4
        try:
            packed = socket.inet_pton(socket.AF_INET6 if family == _V6 else socket.AF_INET, address)
        except (OSError, ValueError, UnicodeError):
            raise BadInput(
                f"{label}: {quoted(word)} is no address; write one such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1, "
                "or any, localhost, link-local, multicast"
            ) from None
        bits = len(packed) * 8
        what = f"the length of a prefix (in {quoted(word)})"
        prefix = parse_number(length, label, 0, bits, what, decimal=True) if slash else bits
        number = int.from_bytes(packed, "big") >> (bits - prefix) << (bits - prefix)
        found.add((family, number.to_bytes(len(packed), "big"), prefix))
    return _reduced(found)


def _reduced(found: t.Iterable[tuple[int, bytes, int]]) -> tuple[tuple[int, bytes, int], ...]:
    """Without what others cover, as some versions of systemd do by themselves."""
    kept: list[tuple[int, bytes, int]] = []
    # The networks that are kept, by family and length of their prefix.
    networks: dict[tuple[int, int], set[int]] = {}
    for family, address, prefix in sorted(set(found), key=lambda item: (item[0], item[2], item[1])):
        number, bits = int.from_bytes(address, "big"), len(address) * 8
        if bits != _ADDRESS_BITS.get(family) or not 0 <= prefix <= bits:
            raise ValueError("no address")
        for (other, length), known in networks.items():
            if other == family and number >> (bits - length) in known:
                break
        else:
            kept.append((family, address, prefix))
            networks.setdefault((family, prefix), set()).add(number >> (bits - prefix))
    return tuple(sorted(kept))


def _parse_ports(texts: t.Sequence[str], row: Property, label: str) -> tuple[tuple[int, int, int, int], ...]:
    found = set()
    for word in words_of(" ".join(texts)):
        family, protocol, rest = 0, 0, word.split(":")
        if rest and rest[0] in _FAMILIES:
            family = _FAMILIES[rest.pop(0)]
        if rest and rest[0] in _PROTOCOLS:
            protocol = _PROTOCOLS[rest.pop(0)]
        ports = rest.pop(0) if rest else "any"
        what = f"a rule such as tcp:80, ipv6:udp:1000-2000 or any (in {quoted(word)})"
        if rest:
            raise BadInput(f"{label}: {quoted(word)} is not {what}")
        if ports == "any":
            found.add((family, protocol, 0, 0))
            continue
        low, high = _range(ports, 1, HIGHEST["q"], label, what)
        found.add((family, protocol, high - low + 1, low))
    return tuple(sorted(found))


def _parse_devices(texts: t.Sequence[str], row: Property, label: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for text in texts:
        path, _blank, modes = text.partition(" ")
        modes = modes.strip(BLANKS) or "rwm"
        if not path.startswith(("/dev/", "/run/systemd/inaccessible/", "char-", "block-")):
            raise BadInput(
                f"{label}: {quoted(text)} is no device; write it like '/dev/null rw' or 'char-pts rw' (r read, w write, m mknod)"
            )
        if set(modes) - set("rwm"):
            raise BadInput(
                f"{label}: {quoted(modes)} in {quoted(text)} is not made of r (read), w (write) and m (mknod)"
            )
        found[os.path.normpath(path)] = "".join(mode for mode in "rwm" if mode in modes)
    return tuple(sorted(found.items()))


def _parse_word(text: str, row: Property, label: str) -> str:
    if text not in row.detail:
        raise BadInput(f"{label}: {quoted(text)} is none of {', '.join(row.detail)}")
    return text


def _parse_fraction(text: str, row: Property, label: str) -> int:
    return (parse_percent(text, label) * 0xFFFFFFFF + 5000) // 10000


def _parse_interfaces(texts: t.Sequence[str], row: Property, label: str) -> tuple[bool, tuple[str, ...]]:
    words = words_of(" ".join(texts))
    deny = words[0].startswith("~") if words else False
    names = [word.lstrip("~") for word in words]
    if any(word.startswith("~") != deny for word in words[1:] if deny is False):
        raise BadInput(f"{label}: allow interfaces or deny them ('~eth0 eth1'), not both")
    for name in names:
        # ifname_valid() of systemd.
        if (
            not 0 < len(name) < 16
            or name in (".", "..")
            or any(not "!" <= char <= "~" or char in ":/%" for char in name)
        ):
            raise BadInput(f"{label}: {quoted(name)} is no name of a network interface; write one such as eth0")
    return (not deny, tuple(sorted(set(names)))) if names else (False, ())


def _parse_words(texts: t.Sequence[str], row: Property, label: str) -> tuple[str, ...]:
    return tuple(sorted(set(words_of(" ".join(texts)))))


def _parse_pairs(texts: t.Sequence[str], row: Property, label: str) -> tuple[tuple[str, str], ...]:
    found = set()
    for text in texts:
        kind, _colon, path = text.partition(":")
        if not kind or not path.startswith("/"):
            raise BadInput(f"{label}: {quoted(text)} is no type and path; write it like egress:/sys/fs/bpf/filter")
        found.add((kind, path))
    return tuple(sorted(found))


def _parse_nft(texts: t.Sequence[str], row: Property, label: str) -> tuple[tuple[int, int, str, str], ...]:
    found = set()
    for word in words_of(" ".join(texts)):
        parts = word.split(":")
        if len(parts) != 4 or parts[0] not in _NFT_SOURCES or parts[1] not in _NFT_FAMILIES:
            raise BadInput(
                f"{label}: {quoted(word)} is not source:family:table:set; write it like cgroup:inet:filter:my_set"
            )
        found.add((_NFT_SOURCES[parts[0]], _NFT_FAMILIES[parts[1]], parts[2], parts[3]))
    return tuple(sorted(found))


def _parse_delegate(text: str, row: Property, label: str) -> tuple[bool, tuple[str, ...]]:
    if text.lower() in (*_YES, *_NO):
        return text.lower() in _YES, ()
    return True, tuple(sorted(set(words_of(text))))


def _parse_text(text: str, row: Property, label: str) -> str:
    return check_slice(text, label) if row.bus == "Slice" else text


# -- values as D-Bus carries them


def _scalar(signature: str) -> t.Callable[[t.Any, Property], t.Any]:
    return lambda value, row: [(row.bus, (signature, int(value) if signature in "tu" else value))]


def _array(signature: str, pack: t.Callable[[t.Any], t.Any] = list) -> t.Callable[[t.Any, Property], t.Any]:
    def encode(value: t.Any, row: Property) -> list[tuple[str, tuple[str, t.Any]]]:
        items = pack(value)
        empty = (row.bus, (signature, type(items)()))
        return [empty, (row.bus, (signature, items))] if items else [empty]

    return encode


def _mask(numbers: t.Sequence[int]) -> bytes:
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def _unmask(value: t.Any, row: Property) -> tuple[int, ...]:
    if isinstance(value, int):
        raise TypeError("no mask")
    # Systemd counts no further; a mask of megabytes is none of its.
    return _numbers(int.from_bytes(bytes(value[:1024]), "little"))


def _encode_interfaces(value: tuple[bool, tuple[str, ...]], row: Property) -> t.Any:
    allow, names = value
    empty: tuple[str, t.Any] = (row.bus, ("(bas)", (False, [])))
    return [empty, (row.bus, ("(bas)", (allow, list(names))))] if names else [empty]


def _encode_delegate(value: tuple[bool, tuple[str, ...]], row: Property) -> t.Any:
    wanted, controllers = value
    if controllers:
        return [("DelegateControllers", ("as", list(controllers)))]
    return [("Delegate", ("b", wanted))]


def _one(kind: type) -> t.Callable[[t.Any, Property], t.Any]:
    """Reads a single value of this type of Python's, and refuses others."""

    def decode(value: t.Any, row: Property) -> t.Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise TypeError(f"no {kind.__name__}")
        if isinstance(value, int) and not 0 <= value <= INFINITY:
            raise ValueError("no number of the bus")
        return value

    return decode


def _rows(*kinds: type) -> t.Callable[[t.Any, Property], t.Any]:
    """Reads a list of structures whose fields have these types; of one field, a list of such values."""

    def decode(value: t.Any, row: Property) -> t.Any:
        found = [tuple(item) if len(kinds) > 1 else (item,) for item in value]
        for item in found:
            if len(item) != len(kinds) or not all(isinstance(field, kind) for field, kind in zip(item, kinds)):
                raise TypeError("another structure")
        return tuple(sorted(item if len(kinds) > 1 else item[0] for item in found))

    return decode


_decode_names = _rows(str)


def _decode_limits(value: t.Any, row: Property) -> t.Any:
    return tuple((path, number) for path, number in _rows(str, int)(value, row) if number != INFINITY)


def _decode_devices(value: t.Any, row: Property) -> t.Any:
    rows = _rows(str, str)(value, row)
    return tuple(sorted((path, "".join(m for m in "rwm" if m in modes)) for path, modes in rows))


def _decode_addresses(value: t.Any, row: Property) -> t.Any:
    return _reduced((family, bytes(address), prefix) for family, address, prefix in value)


def _decode_interfaces(value: t.Any, row: Property) -> t.Any:
    allow, names = value
    return (bool(allow), _decode_names(names, row)) if names else (False, ())


def _decode_delegate(value: t.Any, row: Property) -> t.Any:
    # Which controllers `yes` means is for the host to know, so a list of them all is not told from it.
    return bool(value[0]), _decode_names(value[1] or (), row) if value[0] else ()


# -- values for people and for files


def _words(name: str, value: t.Any) -> list[str]:
    row = PROPERTIES[name]
    kind = row.kind
    if value is None:
        return []
    if kind == "bool":
        return ["yes" if value else "no"]
    if kind == "quota":
        return [] if value == INFINITY else [_percent(value, 100)]
    if kind in ("timespan",):
        return [] if value == INFINITY else [format_timespan(value).replace(" ", "")]
    if kind in ("cpu_weight", "weight"):
        if value == INFINITY:
            return []
        return ["idle" if value == 0 and kind == "cpu_weight" else str(value)]
    if kind == "numbers":
        return _ranges(value)
    if kind in ("memory", "tasks"):
        if isinstance(value, Scaled):
            return [_percent(value.permyriad, 1)]
        return [exact_bytes(value) if kind == "memory" else "infinity" if value == INFINITY else str(value)]
    if kind == "device_bytes":
        return [f"{path} {_decimal_bytes(number)}" for path, number in value]
    if kind == "device_number":
        return [f"{path} {number}" for path, number in value]
    if kind == "device_timespan":
        return [f"{path} {format_timespan(usec).replace(' ', '')}" for path, usec in value]
    if kind == "addresses":
        return _address_words(value)
    if kind == "ports":
        return [_port_word(*rule) for rule in value]
    if kind == "devices":
        return [f"{path} {modes}" for path, modes in value]
    if kind == "fraction":
        return [_percent((value * 10000 + 0x7FFFFFFF) // 0xFFFFFFFF, 1)]
    if kind == "interfaces":
        allow, names = value
        return list(names) if allow else [("~" if not index else "") + each for index, each in enumerate(names)]
    if kind == "nft":
        sources = {number: word for word, number in _NFT_SOURCES.items()}
        families = {number: word for word, number in _NFT_FAMILIES.items()}
        return [f"{sources.get(s, s)}:{families.get(f, f)}:{table}:{name_}" for s, f, table, name_ in value]
    if kind == "delegate":
        wanted, controllers = value
        return [" ".join(controllers) if controllers else "yes" if wanted else "no"]
    if kind == "pairs":
        return [f"{one}:{other}" for one, other in value]
    if kind == "words":
        return list(value)
    return [value] if value else []


def _percent(value: int, unit: int) -> str:
    """A percentage of a number that counts hundredths of a percent, or `unit` of them."""
    whole, rest = divmod(int(value), 100 * unit)
    digits = f"{rest / unit / 100:.4f}".rstrip("0")[2:] if rest else ""
    return f"{whole}.{digits}%" if digits else f"{whole}%"


def _decimal_bytes(number: int) -> str:
    for suffix, factor in (("T", 1000**4), ("G", 1000**3), ("M", 1000**2), ("K", 1000)):
        if number and number % factor == 0:
            return f"{number // factor}{suffix}"
    return str(number)


def _ranges(numbers: t.Sequence[int]) -> list[str]:
    words: list[str] = []
    at = 0
    while at < len(numbers):
        end = at
        while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
            end += 1
        words.append(str(numbers[at]) if end == at else f"{numbers[at]}-{numbers[end]}")
        at = end + 1
    return words


def _address_words(value: t.Sequence[tuple[int, bytes, int]]) -> list[str]:
    import socket

    left = set(value)
    words = []
    for word, pair in _NAMED_ADDRESSES.items():
        if left.issuperset(pair):
            left.difference_update(pair)
            words.append(word)
    for family, address, prefix in sorted(left):
        text = socket.inet_ntop(socket.AF_INET6 if family == _V6 else socket.AF_INET, address)
        words.append(text if prefix == len(address) * 8 else f"{text}/{prefix}")
    return words


def _port_word(family: int, protocol: int, count: int, first: int) -> str:
    words = [word for word, number in _FAMILIES.items() if number == family]
    words += [word for word, number in _PROTOCOLS.items() if number == protocol]
    words.append("any" if not count else str(first) if count == 1 else f"{first}-{first + count - 1}")
    return ":".join(words)


# -- what the host has


def memory_of_host() -> int:
    """Bytes of memory that systemd takes percentages of: what the machine has, or what the root cgroup may use."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = os.sysconf("SC_PHYS_PAGES") * page
    limit = _read_number("/sys/fs/cgroup/memory.max")
    return total if limit is None else min(total, limit // page * page)


def tasks_of_host() -> int:
    """The number of tasks that systemd takes percentages of."""
    found = (_read_number(f"/proc/sys/kernel/{name}") for name in ("threads-max", "pid_max"))
    limits = [number for number in (*found, _read_number("/sys/fs/cgroup/pids.max")) if number is not None]
    return min(limits, default=4194303)


def _read_number(path: str) -> int | None:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


# kind: parse, whether it collects several assignments, to D-Bus, from D-Bus
_KINDS: dict[str, tuple[t.Any, bool, t.Any, t.Any]] = {
    "bool": (_parse_bool, False, _scalar("b"), _one(bool)),
    "quota": (_parse_quota, False, _scalar("t"), _one(int)),
    "timespan": (_parse_timespan, False, _scalar("t"), _one(int)),
    "cpu_weight": (_parse_weight, False, _scalar("t"), _one(int)),
    "weight": (_parse_weight, False, _scalar("t"), _one(int)),
    "numbers": (_parse_numbers, True, _array("ay", _mask), _unmask),
    "memory": (_parse_memory, False, _scalar("t"), _one(int)),
    "tasks": (_parse_tasks, False, _scalar("t"), _one(int)),
    "device_bytes": (_parse_per_device, True, _array("a(st)"), _decode_limits),
    "device_number": (_parse_per_device, True, _array("a(st)"), _decode_limits),
    "device_timespan": (_parse_per_device, True, _array("a(st)"), _decode_limits),
    "addresses": (_parse_addresses, True, _array("a(iayu)"), _decode_addresses),
    "ports": (_parse_ports, True, _array("a(iiqq)"), _rows(int, int, int, int)),
    "devices": (_parse_devices, True, _array("a(ss)"), _decode_devices),
    "word": (_parse_word, False, _scalar("s"), _one(str)),
    "fraction": (_parse_fraction, False, _scalar("u"), _one(int)),
    "interfaces": (_parse_interfaces, True, _encode_interfaces, _decode_interfaces),
    "words": (_parse_words, True, _array("as"), _decode_names),
    "nft": (_parse_nft, True, _array("a(iiss)"), _rows(int, int, str, str)),
    "delegate": (_parse_delegate, False, _encode_delegate, _decode_delegate),
    "text": (_parse_text, False, _scalar("s"), _one(str)),
    "pairs": (_parse_pairs, True, _array("a(ss)"), _rows(str, str)),
}
