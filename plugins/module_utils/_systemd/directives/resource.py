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
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import (
    Boolean,
    BusProperty,
    Kind,
    Number,
    NumberSet,
    Size,
    Text,
    TimeSpan,
    Weight,
    Word,
    is_boolean,
    parse_boolean,
    parse_range,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_slice
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import (
    BLANKS,
    HIGHEST,
    INFINITY,
    count,
    is_digits,
    parse_number,
    words_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import format_percent, parse_percent

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
_PERCENT = ("%", "\u2030", "\u2031")


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


# -- shares of what the host has


class Share(Kind):
    """A number that may be given as a percentage of what the host has."""

    def to_bus(self, name: str, value: int) -> list[BusProperty]:
        return super().to_bus(name, int(value))

    def words(self, value: int) -> list[str]:
        return [format_percent(value.permyriad)] if isinstance(value, Scaled) else super().words(value)


class Memory(Share, Size):
    """Bytes, or a share of the host's memory; `low` is the least that is allowed."""

    def __init__(self, low: int) -> None:
        self._low = low

    def parse(self, text: str, label: str) -> int:
        if text.endswith(_PERCENT):
            value: int = Scaled(memory_of_host(), parse_percent(text, label), os.sysconf("SC_PAGE_SIZE"))
        else:
            value = super().parse(text, label)
        if value < self._low:
            raise BadInput(f"{label}: {quoted(text)} is too little; write at least one page of memory, such as 4K")
        return value


class Tasks(Share, Number):
    """A number of tasks, or a share of those that the host may have."""

    def parse(self, text: str, label: str) -> int:
        if not text.endswith(_PERCENT):
            return super().parse(text, label)
        value = Scaled(tasks_of_host(), parse_percent(text, label), 1)
        if value < 1:
            raise BadInput(f"{label}: {quoted(text)} of this host's tasks is none; write more, or a number")
        return value


class Quota(Kind):
    """Processor time as a percentage of one processor; microseconds per second."""

    signature = "t"
    nothing = "infinity"

    def bus_name(self, name: str) -> str:
        return f"{name}PerSecUSec"

    def parse(self, text: str, label: str) -> int:
        # No word of systemd's for it; files say it with an empty value.
        if text == "infinity":
            return INFINITY
        value = parse_percent(text, label, None)
        if value <= 0:
            raise BadInput(f"{label}: {quoted(text)} is too little to run at all; write at least 0.01%")
        return value * 100

    def words(self, value: int) -> list[str]:
        return [] if value == INFINITY else [format_percent(value, 100)]


class Fraction(Kind):
    """A percentage, as a part of 2^32-1."""

    signature = "u"

    def parse(self, text: str, label: str) -> int:
        return (parse_percent(text, label) * HIGHEST["u"] + 5000) // 10000

    def words(self, value: int) -> list[str]:
        return [format_percent((value * 10000 + HIGHEST["u"] // 2) // HIGHEST["u"])]


# -- lists


class Rows(Kind):
    """A sorted list without repetitions, of single values or of structures (tuples)."""

    collects = True
    # What the fields are in Python.
    fields: tuple[type, ...] = (str,)

    def to_bus(self, name: str, value: t.Any) -> list[BusProperty]:
        return super().to_bus(name, list(value))

    def from_bus(self, value: t.Any) -> t.Any:
        many = len(self.fields) > 1
        found = [tuple(item) if many else (item,) for item in value]
        for item in found:
            if len(item) != len(self.fields) or not all(map(isinstance, item, self.fields)):
                raise TypeError("another structure")
        return tuple(sorted(item if many else item[0] for item in found))


class Names(Rows):
    signature = "as"

    def parse(self, text: str, label: str) -> tuple[str, ...]:
        return tuple(sorted(set(words_of(text))))

    def words(self, value: tuple[str, ...]) -> list[str]:
        return list(value)


class Keyed(Rows):
    """Pairs, of which each assignment gives one; a user may write them as a dictionary."""

    def texts(self, value: t.Any, label: str) -> list[str]:
        if isinstance(value, dict):
            return [f"{_device(path, label)} {self.text(item, label)}" for path, item in value.items()]
        return super().texts(value, label)

    def parse_all(self, texts: t.Sequence[str], label: str) -> tuple[tuple[str, t.Any], ...]:
        return tuple(sorted({key: value for text in texts for key, value in self.parse(text, label)}.items()))

    def words(self, value: t.Any) -> list[str]:
        return [f"{path} {word}" for path, word in value]

    def to_data(self, value: t.Any) -> dict[str, t.Any]:
        return dict(value)


class PerDevice(Keyed):
    """A limit for each of some block devices; those without one are left out."""

    signature = "a(st)"
    fields = (str, int)

    def __init__(self, limit: Kind) -> None:
        self._limit = limit

    def parse(self, text: str, label: str) -> tuple[tuple[str, int], ...]:
        path, _blank, rest = text.partition(" ")
        rest = rest.strip(BLANKS)
        if not path.startswith("/") or not rest:
            raise BadInput(f"{label}: {quoted(text)} is not a device and a value; write it like '/dev/sda 10M'")
        return ((os.path.normpath(path), self._limit.parse(rest, label)),)

    def parse_all(self, texts: t.Sequence[str], label: str) -> tuple[tuple[str, int], ...]:
        return tuple((path, limit) for path, limit in super().parse_all(texts, label) if limit != INFINITY)

    def from_bus(self, value: t.Any) -> t.Any:
        return tuple((path, limit) for path, limit in super().from_bus(value) if limit != INFINITY)

    def words(self, value: t.Any) -> list[str]:
        return super().words((path, self._limit.words(limit)[0]) for path, limit in value)


class Bandwidth(Kind):
    """Bytes per second, whose suffixes are powers of 1000, other than those of memory."""

    def parse(self, text: str, label: str) -> int:
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
        if not size:
            raise BadInput(f"{label}: {quoted(text)} would let nothing through; write more, or infinity for no limit")
        return size

    def words(self, value: int) -> list[str]:
        for suffix, factor in (("T", 1000**4), ("G", 1000**3), ("M", 1000**2), ("K", 1000)):
            if value and value % factor == 0:
                return [f"{value // factor}{suffix}"]
        return [str(value)]


class Devices(Keyed):
    """Devices or classes of them, and what may be done with them."""

    signature = "a(ss)"
    fields = (str, str)

    def parse(self, text: str, label: str) -> tuple[tuple[str, str], ...]:
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
        return ((os.path.normpath(path), _ordered(modes)),)

    def from_bus(self, value: t.Any) -> t.Any:
        return tuple(sorted((path, _ordered(modes)) for path, modes in super().from_bus(value)))


def _ordered(modes: str) -> str:
    return "".join(mode for mode in "rwm" if mode in modes)


def _device(path: t.Any, label: str) -> str:
    if not isinstance(path, str) or not path.startswith("/") or path != "".join(words_of(path)):
        raise BadInput(f"{label}: {quoted(path)} is no path of a device; write one without blanks, such as /dev/sda")
    return path


class Addresses(Rows):
    """Networks and addresses, as (family, address, length of the prefix)."""

    signature = "a(iayu)"

    def parse(self, text: str, label: str) -> tuple[tuple[int, bytes, int], ...]:
        import socket

        found: set[tuple[int, bytes, int]] = set()
        for word in words_of(text):
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

    def from_bus(self, value: t.Any) -> t.Any:
        # Through a tuple: of a number, bytes() would make as many.
        return _reduced((family, bytes(tuple(address)), prefix) for family, address, prefix in value)

    def words(self, value: t.Any) -> list[str]:
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


class Ports(Rows):
    """Ports that a socket may be bound to, as (family, protocol, how many, the first one)."""

    signature = "a(iiqq)"
    fields = (int, int, int, int)

    def parse(self, text: str, label: str) -> tuple[tuple[int, int, int, int], ...]:
        found = set()
        for word in words_of(text):
            family, protocol, rest = 0, 0, word.split(":")
            if rest and rest[0] in _FAMILIES:
                family = _FAMILIES[rest.pop(0)]
            if rest and rest[0] in _PROTOCOLS:
                protocol = _PROTOCOLS[rest.pop(0)]
            ports = rest.pop(0) if rest else "any"
            what = f"a rule such as tcp:80, ipv6:udp:1000-2000 or any (in {quoted(word)})"
            if rest:
                raise BadInput(f"{label}: {quoted(word)} is not {what}")
            low, high = (0, -1) if ports == "any" else parse_range(ports, 1, HIGHEST["q"], label, what, decimal=True)
            found.add((family, protocol, high - low + 1, low))
        return tuple(sorted(found))

    def words(self, value: t.Any) -> list[str]:
        return [_port_word(*rule) for rule in value]


def _port_word(family: int, protocol: int, ports: int, first: int) -> str:
    words = [word for word, number in _FAMILIES.items() if number == family]
    words += [word for word, number in _PROTOCOLS.items() if number == protocol]
    words.append("any" if not ports else str(first) if ports == 1 else f"{first}-{first + ports - 1}")
    return ":".join(words)


class Interfaces(Kind):
    """Network interfaces that are allowed (True) or denied, and their names."""

    signature = "(bas)"
    collects = True

    def parse(self, text: str, label: str) -> tuple[bool, tuple[str, ...]]:
        words = words_of(text)
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

    def to_bus(self, name: str, value: tuple[bool, tuple[str, ...]]) -> list[BusProperty]:
        return super().to_bus(name, (value[0], list(value[1])))

    def from_bus(self, value: t.Any) -> t.Any:
        allow, names = value
        return (bool(allow), Names().from_bus(names)) if names else (False, ())

    def words(self, value: tuple[bool, tuple[str, ...]]) -> list[str]:
        allow, names = value
        return list(names) if allow else [("~" if not index else "") + each for index, each in enumerate(names)]

    def lines(self, value: tuple[bool, tuple[str, ...]]) -> list[str]:
        return [" ".join(self.words(value))] if value[1] else []


class Programs(Rows):
    """Types and paths of BPF programs."""

    signature = "a(ss)"
    fields = (str, str)

    def parse(self, text: str, label: str) -> tuple[str, str]:
        kind, _colon, path = text.partition(":")
        if not kind or not path.startswith("/"):
            raise BadInput(f"{label}: {quoted(text)} is no type and path; write it like egress:/sys/fs/bpf/filter")
        return kind, path

    def parse_all(self, texts: t.Sequence[str], label: str) -> tuple[tuple[str, str], ...]:
        return tuple(sorted({self.parse(text, label) for text in texts}))

    def words(self, value: t.Any) -> list[str]:
        return [f"{kind}:{path}" for kind, path in value]


class NftSets(Rows):
    """Sets of nftables, as (source, family, table, set)."""

    signature = "a(iiss)"
    fields = (int, int, str, str)

    def parse(self, text: str, label: str) -> tuple[tuple[int, int, str, str], ...]:
        found = set()
        for word in words_of(text):
            parts = word.split(":")
            if len(parts) != 4 or parts[0] not in _NFT_SOURCES or parts[1] not in _NFT_FAMILIES:
                raise BadInput(
                    f"{label}: {quoted(word)} is not source:family:table:set; write it like cgroup:inet:filter:my_set"
                )
            found.add((_NFT_SOURCES[parts[0]], _NFT_FAMILIES[parts[1]], parts[2], parts[3]))
        return tuple(sorted(found))

    def words(self, value: t.Any) -> list[str]:
        sources = {number: word for word, number in _NFT_SOURCES.items()}
        families = {number: word for word, number in _NFT_FAMILIES.items()}
        return [f"{sources.get(s, s)}:{families.get(f, f)}:{table}:{name}" for s, f, table, name in value]


class Delegation(Kind):
    """Whether a control group is delegated, and if not with all controllers, with which."""

    def bus_names(self, name: str) -> tuple[str, ...]:
        return "Delegate", "DelegateControllers"

    def parse(self, text: str, label: str) -> tuple[bool, tuple[str, ...]]:
        return (parse_boolean(text, label), ()) if is_boolean(text) else (True, Names().parse(text, label))

    def to_bus(self, name: str, value: tuple[bool, tuple[str, ...]]) -> list[BusProperty]:
        wanted, controllers = value
        if controllers:
            return [("DelegateControllers", ("as", list(controllers)))]
        return [("Delegate", ("b", wanted))]

    def from_bus(self, value: t.Any) -> t.Any:
        # Which controllers `yes` means is for the host to know, so a list of them all is not told from it.
        return bool(value[0]), Names().from_bus(value[1] or ()) if value[0] else ()

    def words(self, value: tuple[bool, tuple[str, ...]]) -> list[str]:
        wanted, controllers = value
        return [" ".join(controllers) if controllers else "yes" if wanted else "no"]


# -- the table


class Property(t.NamedTuple):
    """One row of the table.

    :param default: its canonical value where no file sets it; None where the manager's own settings decide.
    :param live: whether SetUnitProperties takes it; others can only be given to a unit that is being made.
    """

    kind: Kind
    default: t.Any
    live: bool = True


def _table() -> dict[str, Property]:
    found: dict[str, Property] = {}

    def add(kind: Kind, names: str, default: t.Any = (), live: bool = True) -> None:
        found.update((name, Property(kind, default, live)) for name in names.split())

    add(
        Boolean(),
        "CPUAccounting MemoryAccounting IOAccounting BlockIOAccounting TasksAccounting IPAccounting",
        None,
    )
    add(Boolean(), "MemoryZSwapWriteback", True)
    add(Boolean(), "CoredumpReceive", False, live=False)
    add(Quota(), "CPUQuota", INFINITY)
    add(TimeSpan(1000, 1_000_000), "CPUQuotaPeriodSec", INFINITY)
    add(TimeSpan(), "ManagedOOMMemoryPressureDurationSec", INFINITY)
    add(TimeSpan(), "MemoryPressureThresholdSec", 200_000, live=False)
    add(Weight(1, 10000, idle=True), "CPUWeight StartupCPUWeight", INFINITY)
    add(Weight(1, 10000), "IOWeight StartupIOWeight", INFINITY)
    add(Weight(2, 262144), "CPUShares StartupCPUShares", INFINITY)
    add(Weight(10, 1000), "BlockIOWeight StartupBlockIOWeight", INFINITY)
    add(NumberSet(), "AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes StartupAllowedMemoryNodes")
    add(Memory(1), "MemoryHigh MemoryMax MemoryLimit StartupMemoryHigh StartupMemoryMax", INFINITY)
    add(Memory(0), "MemorySwapMax MemoryZSwapMax StartupMemorySwapMax StartupMemoryZSwapMax", INFINITY)
    add(Memory(0), "MemoryMin MemoryLow DefaultMemoryMin DefaultMemoryLow", 0)
    add(Memory(0), "StartupMemoryLow DefaultStartupMemoryLow", 0)
    tasks = "a number of tasks; write one such as 100, 10% or infinity"
    add(Tasks(1, INFINITY - 1, "t", tasks, {"infinity": INFINITY}), "TasksMax", None)
    add(PerDevice(Bandwidth()), "IOReadBandwidthMax IOWriteBandwidthMax BlockIOReadBandwidth BlockIOWriteBandwidth")
    add(PerDevice(Number(1, INFINITY, named={"infinity": INFINITY})), "IOReadIOPSMax IOWriteIOPSMax")
    add(PerDevice(Number(1, 10000)), "IODeviceWeight")
    add(PerDevice(Number(10, 1000)), "BlockIODeviceWeight")
    add(PerDevice(TimeSpan()), "IODeviceLatencyTargetSec")
    add(Addresses(), "IPAddressAllow IPAddressDeny")
    add(Ports(), "SocketBindAllow SocketBindDeny")
    add(Devices(), "DeviceAllow")
    add(Word("auto", "closed", "strict"), "DevicePolicy", "auto")
    add(Word("auto", "kill"), "ManagedOOMSwap ManagedOOMMemoryPressure", "auto")
    add(Word("none", "avoid", "omit"), "ManagedOOMPreference", "none")
    add(Word("auto", "on", "off", "skip"), "MemoryPressureWatch", "auto", live=False)
    add(Fraction(), "ManagedOOMMemoryPressureLimit", 0)
    add(Interfaces(), "RestrictNetworkInterfaces", (False, ()))
    add(Names(), "DisableControllers")
    add(NftSets(), "NFTSet")
    add(Delegation(), "Delegate", (False, ()), live=False)
    add(Text(), "DelegateSubgroup", "", live=False)
    add(Text(check_slice), "Slice", "", live=False)
    add(Names(), "IPIngressFilterPath IPEgressFilterPath", live=False)
    add(Programs(), "BPFProgram", live=False)
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
        known.setdefault(row.kind.bus_names(key)[0].lower(), key)
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
    return from_texts(name, PROPERTIES[name].kind.texts(value, f"{option}: {name}"), option)


def from_texts(name: str, texts: t.Sequence[str], option: str = "properties") -> t.Any:
    """The canonical value of a property that a unit file assigns these texts to, one after the other.

    An empty text undoes those before it; a list collects the others, and of a single value the last one counts.
    """
    row = PROPERTIES[name]
    since: list[str] = []
    for text in texts:
        if text:
            since.append(text)
        else:
            since = []
    return row.kind.parse_all(since, f"{option}: {name}") if since else row.default


def to_bus(name: str, value: t.Any, option: str = "properties") -> list[BusProperty]:
    """What SetUnitProperties and StartTransientUnit take for a value that a user wrote; `(property, (signature, value))`.

    Lists are sent empty first, since systemd adds to what is there.

    :raises BadInput: the value is none for this property.
    """
    return canonical_to_bus(name, canonical(name, value, option))


def canonical_to_bus(name: str, value: t.Any) -> list[BusProperty]:
    """The same as `to_bus` for a canonical value; nothing for None, which leaves it to the manager's own settings."""
    if value is None:
        return []
    row = PROPERTIES[name]
    sent = row.kind.to_bus(name, value)
    return [*row.kind.to_bus(name, row.default), *sent] if row.kind.collects and value != row.default else sent


def bus_names(name: str) -> tuple[str, ...]:
    """The D-Bus properties that tell the current value, on the interface of the unit's type; for `from_bus`."""
    return PROPERTIES[name].kind.bus_names(name)


def from_bus(name: str, values: t.Sequence[t.Any]) -> t.Any:
    """The canonical value of what was read from the `bus_names`."""
    try:
        return PROPERTIES[name].kind.from_bus(values[0] if len(values) == 1 else tuple(values))
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
    return "" if value is None else " ".join(PROPERTIES[name].kind.words(value))


def shown(name: str, value: t.Any) -> str:
    """The same with a word where unit files would have nothing at all."""
    if value is None:
        return "default"
    return told(name, value) or PROPERTIES[name].kind.nothing


def to_data(name: str, value: t.Any) -> t.Any:
    """A canonical value as JSON has it: numbers as D-Bus has them, `infinity` for 2^64-1, lists of texts."""
    return None if value is None else PROPERTIES[name].kind.to_data(value)


def drop_in_lines(name: str, value: t.Any) -> list[str]:
    """The assignments that give a property this canonical value, whatever files before them say."""
    kind = PROPERTIES[name].kind
    texts = [] if value is None else kind.lines(value)
    reset = [""] if not texts or (kind.collects and name not in _NO_RESET) else []
    return [f"{name}={text}" for text in [*reset, *(texts if kind.collects else texts[:1])]]


def percent_of(name: str, value: t.Any) -> int:
    """The value as ten-thousandths where it is a percentage, for versions that take fewer decimals; 0 elsewhere."""
    if isinstance(value, Scaled):
        return value.permyriad
    if isinstance(PROPERTIES[name].kind, Quota) and value != INFINITY:
        return int(value) // 100
    return 0


def device_paths(name: str, value: t.Any) -> list[str]:
    """The paths of devices that a canonical value names: all of them have to be there."""
    kind = PROPERTIES[name].kind
    if isinstance(kind, PerDevice):
        return [path for path, _value in value]
    if isinstance(kind, Devices):
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
