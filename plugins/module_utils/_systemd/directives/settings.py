# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of systemd's own configuration files: their kinds of values, and which of them a host's systemd knows.

Which there are is not typed in here. Systemd's files list them as comments, and where a program's parser was made by gperf it has
`Section.Setting` as text between two NULs, of others the names alone. What is in the table is checked and compared by meaning, and
what is not is taken as it is.
"""

from __future__ import annotations

import itertools
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import (
    LIMITS,
    Boolean,
    Kind,
    Number,
    Plain,
    Size,
    TimeSpan,
    Word,
    is_boolean,
    parse_boolean,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import nearest
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import (
    HIGHEST,
    INFINITY,
    words_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import format_percent, parse_percent
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.settings import Said
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


class Level(Word):
    """A level of the log, by its name or number."""

    def parse(self, text: str, label: str) -> str:
        return super().parse(_LEVELS[int(text)] if text in tuple("01234567") else text, label)


class Switch(Kind):
    """A boolean, or one of some words, or of another kind of value."""

    signature = "s"

    def __init__(self, words: str = "", other: Kind | None = None) -> None:
        self._words, self._other = words.split(), other

    def parse(self, text: str, label: str) -> t.Any:
        if is_boolean(text) or not (self._words or self._other):
            return parse_boolean(text, label)
        if text in self._words:
            return text
        if self._other is not None:
            return self._other.parse(text, label)
        raise BadInput(f"{label}: {shown(text)} is none of yes, no, {', '.join(self._words)}")

    def from_bus(self, value: t.Any) -> t.Any:
        return value if isinstance(value, bool) else self.parse(super().from_bus(value), "")

    def words(self, value: t.Any) -> list[str]:
        if isinstance(value, bool):
            return ["yes" if value else "no"]
        return [value] if isinstance(value, str) or self._other is None else self._other.words(value)


class Percent(Kind):
    """A share of a hundred, in parts of ten thousand."""

    signature = "u"

    def parse(self, text: str, label: str) -> int:
        return parse_percent(text, label)

    def words(self, value: int) -> list[str]:
        return [format_percent(value)]


_BOOLEAN = Boolean()
_SIZE = Size()
_SPAN = TimeSpan()
# 0 has meant that there is no limit since ever.
_TIMEOUT = TimeSpan(zero=INFINITY)
_COUNT = Number(0, HIGHEST["t"])
_UNSIGNED = Number(0, HIGHEST["u"], "u")
_LIST = Plain("as", lambda text, label: tuple(words_of(text)), collects=True)
_PERCENT = Percent()
_LEVEL = Level(*_LEVELS)
_KEY = Word(
    "ignore", "poweroff", "reboot", "halt", "kexec", "suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate", "sleep", "lock",
    "factory-reset", "soft-reboot", "secure-attention-key",
)  # fmt: skip
_DUMPS = Word("none", "external", "journal")

# Section -> kinds of values, and the settings of each kind (the manual page of each file). Newer ones than anybody has are in
# none of them, and are no less settings.
_ROWS: dict[str, tuple[tuple[Kind, str], ...]] = {
    "Manager": (
        *((kind, f"Default{name}") for name, kind in LIMITS.items()),
        (_TIMEOUT, "DefaultTimeoutStartSec DefaultTimeoutStopSec"),
        (_SPAN, "DefaultRestartSec DefaultStartLimitIntervalSec DefaultTimerAccuracySec DefaultDeviceTimeoutSec"),
        (_UNSIGNED, "DefaultStartLimitBurst"),
        (
            _BOOLEAN,
            "DefaultCPUAccounting DefaultIOAccounting DefaultIPAccounting DefaultMemoryAccounting DefaultTasksAccounting "
            "DefaultBlockIOAccounting NoNewPrivileges DumpCore CrashShell CrashReboot",
        ),
        (_LEVEL, "LogLevel"),
        (Word("stop", "continue", "kill"), "DefaultOOMPolicy"),
        (Number(-1000, 1000, "i"), "DefaultOOMScoreAdjust"),
        (_LIST, "DefaultEnvironment ManagerEnvironment SystemCallArchitectures CapabilityBoundingSet CPUAffinity NUMAMask"),
    ),
    "Journal": (
        (Word("volatile", "persistent", "auto", "none"), "Storage"),
        (Switch(other=_SIZE), "Compress"),
        (_BOOLEAN, "Seal ReadKMsg ForwardToSyslog ForwardToKMsg ForwardToConsole ForwardToWall"),
        (Switch("keep"), "Audit"),
        (Word("uid", "login", "none"), "SplitMode"),
        (_SPAN, "SyncIntervalSec RateLimitIntervalSec RateLimitInterval MaxRetentionSec MaxFileSec"),
        (_UNSIGNED, "RateLimitBurst"),
        (_SIZE, "SystemMaxUse SystemMaxFileSize SystemKeepFree RuntimeMaxUse RuntimeMaxFileSize RuntimeKeepFree LineMax"),
        (_COUNT, "SystemMaxFiles RuntimeMaxFiles"),
        (
            _LEVEL,
            "MaxLevelStore MaxLevelSyslog MaxLevelKMsg MaxLevelConsole MaxLevelWall MaxLevelSocket",
        ),
    ),
    "Login": (
        (
            _BOOLEAN,
            "KillUserProcesses RemoveIPC PowerKeyIgnoreInhibited SuspendKeyIgnoreInhibited HibernateKeyIgnoreInhibited "
            "LidSwitchIgnoreInhibited RebootKeyIgnoreInhibited",
        ),
        (_UNSIGNED, "NAutoVTs ReserveVT"),
        (_LIST, "KillOnlyUsers KillExcludeUsers"),
        (_SPAN, "InhibitDelayMaxSec UserStopDelaySec HoldoffTimeoutSec IdleActionSec StopIdleSessionSec"),
        (
            _KEY,
            "HandlePowerKey HandlePowerKeyLongPress HandleRebootKey HandleRebootKeyLongPress HandleSuspendKey "
            "HandleSuspendKeyLongPress HandleHibernateKey HandleHibernateKeyLongPress HandleLidSwitch "
            "HandleLidSwitchExternalPower HandleLidSwitchDocked IdleAction",
        ),
        (_COUNT, "InhibitorsMax SessionsMax"),
    ),
    "Resolve": (
        (_LIST, "DNS FallbackDNS Domains"),
        (Switch("resolve"), "LLMNR MulticastDNS"),
        (Switch("allow-downgrade"), "DNSSEC"),
        (Switch("opportunistic"), "DNSOverTLS"),
        (Switch("no-negative"), "Cache"),
        (Switch("udp tcp"), "DNSStubListener"),
        (_BOOLEAN, "CacheFromLocalhost ReadEtcHosts ResolveUnicastSingleLabel"),
    ),
    "Time": (
        (_LIST, "NTP FallbackNTP"),
        (_SPAN, "RootDistanceMaxSec PollIntervalMinSec PollIntervalMaxSec ConnectionRetrySec SaveIntervalSec"),
    ),
    "Network": (
        (_BOOLEAN, "SpeedMeter ManageForeignRoutingPolicyRules ManageForeignRoutes ManageForeignNextHops"),
        (_SPAN, "SpeedMeterIntervalSec"),
        (_LIST, "RouteTable"),
    ),
    "OOM": (
        (_PERCENT, "SwapUsedLimit DefaultMemoryPressureLimit"),
        (_SPAN, "DefaultMemoryPressureDurationSec"),
    ),
    "Coredump": (
        (_DUMPS, "Storage"),
        (_BOOLEAN, "Compress EnterNamespace"),
        (_SIZE, "ProcessSizeMax ExternalSizeMax JournalSizeMax MaxUse KeepFree"),
    ),
    "Sleep": (
        (_BOOLEAN, "AllowSuspend AllowHibernation AllowSuspendThenHibernate AllowHybridSleep HibernateOnACPower"),
        (_LIST, "SuspendMode SuspendState HibernateMode HibernateState HybridSleepMode HybridSleepState MemorySleepMode"),
        (_SPAN, "HibernateDelaySec SuspendEstimationSec"),
    ),
    "PStore": ((_DUMPS, "Storage"), (_BOOLEAN, "Unlink")),
}
KINDS: dict[str, dict[str, Kind]] = {
    section: {name: kind for kind, names in rows for name in names.split()} for section, rows in _ROWS.items()
}


def kind_of(section: str, key: str) -> Kind | None:
    """The kind of a setting's values; None for one that is taken as it is."""
    return KINDS.get(section, {}).get(key)


def meanings(said: t.Iterable[Said]) -> dict[tuple[str, str], t.Any]:
    """What assignments, in the order in which they are read, make of each setting, for comparisons.

    What systemd would ignore is ignored. Of a setting of an unknown kind all assignments since the last empty one count.
    """
    found: dict[tuple[str, str], t.Any] = {}
    for each in said:
        at = (each.section, each.key)
        kind = kind_of(*at)
        if not each.value and (kind is None or kind.collects or each.section == "Manager"):
            found.pop(at, None)
        elif kind is None:
            found[at] = (*found.get(at, ()), each.value)
        else:
            try:
                value = kind.parse(each.value, "")
            except BadInput:
                continue
            found[at] = (*found.get(at, ()), *value) if kind.collects else value
    return found


def worded(section: str, key: str, meaning: t.Any) -> str:
    """What `meanings` tells, for people; None is what systemd has by default."""
    if meaning is None:
        return "default"
    kind = kind_of(section, key)
    if kind is None or kind.collects:
        return " ".join(map(str, meaning)) or "none"
    return "".join(kind.words(meaning)) or str(meaning)


def winners(said: t.Sequence[Said], path: str) -> dict[tuple[str, str], str]:
    """Which settings that the file says are said otherwise by a later one: (section, setting) -> that file."""
    mine = {(each.section, each.key) for each in said if each.path == path}
    without: dict[tuple[str, str], t.Any] = meanings(each for each in said if each.path != path)
    real = meanings(said)
    found = {}
    for at in mine:
        later = [each for each in said if (each.section, each.key) == at]
        last = max(index for index, each in enumerate(later) if each.path == path)
        after = later[last + 1 :]
        own = meanings(each for each in later[: last + 1])
        kind = kind_of(*at)
        if not after or own.get(at) == real.get(at):
            continue
        # Of what collects values, ours are lost only where something empties the list after them.
        if (kind is None or kind.collects) and all(each.value for each in after):
            continue
        if real.get(at) == without.get(at):
            found[at] = after[-1].path
    return found


class Known:
    """The settings that are known of one configuration, by section.

    :param listed: from systemd's own files.
    :param program: the content of the program that reads them, loaded when it is asked; None where there is none.
    """

    def __init__(self, listed: dict[str, set[str]], program: t.Callable[[], bytes | None]) -> None:
        self.listed = listed
        self._program = program
        self._data: bytes | None = None
        self._loaded = False

    def __bool__(self) -> bool:
        return bool(self.listed) or bool(self._bytes())

    def _bytes(self) -> bytes:
        if not self._loaded:
            self._data, self._loaded = self._program(), True
        return self._data or b""

    def _of_parser(self) -> dict[str, set[str]]:
        """Settings by section, from a parser of gperf's; none where the program has another."""
        found: dict[str, set[str]] = {}
        for section, key in re.findall(rb"\0([A-Z][A-Za-z0-9]*)\.([A-Z][A-Za-z0-9]*)(?=\0)", self._bytes()):
            found.setdefault(section.decode(), set()).add(key.decode())
        return found

    def _all(self, section: str) -> set[str]:
        """The settings of a section that are known by name."""
        listed = self.listed.get(section, set())
        parser = self._of_parser().get(section, set())
        # Other files of networkd have sections of the same names, with many times as many directives.
        return parser | listed if not self.listed or len(parser) <= 2 * len(listed) else listed

    def has(self, section: str, key: str) -> bool:
        """Whether systemd knows the setting in that section, or may: its list of settings need not be whole."""
        if key in self.listed.get(section, ()) or key.startswith("X-") or section.startswith("X-"):
            return True
        parser = self._of_parser()
        # The parser may be of other files alone: in the manager's program that of units is made by gperf, and that of [Manager] is not.
        if parser and (section in parser or not self.listed):
            return key in self._all(section)
        return (not self.listed or section in self.listed) and b"\0" + key.encode() + b"\0" in self._bytes()

    def problem(self, section: str, key: str) -> str:
        """What is wrong with a setting that systemd does not know."""
        sections = sorted(self.listed or self._of_parser())
        if sections and section not in sections and not section.startswith("X-"):
            near = nearest(section, sections)
            meant = f"; did you mean [{near}]?" if near else f", but [{'], ['.join(sections)}]"
            return f"there is no section [{plain(section)}] here{meant}"
        for other in sections:
            if key in self.listed.get(other, ()):
                return f"{plain(key)}= belongs into [{other}], not into [{plain(section)}]"
        near = nearest(key, sorted(self._all(section)))
        meant = f"did you mean {near}=?" if near else "it may need a newer version, or another file"
        return f"systemd here knows no {plain(key)}= in [{plain(section)}]; {meant}"


def known_settings(tree: Tree, name: str) -> Known | None:
    """What the systemd of a host or a tree knows of a configuration; None where there is neither such a file nor a program.

    :param name: such as `journald`; of `journald@NAME` the part before the `@`.
    """
    listed: dict[str, set[str]] = {}
    there = False
    # One parser reads the files of all managers, and systemd lists in user.conf only a part of what that takes.
    names = ("system", "user") if name == "user" else (name,)
    for directory, each in itertools.product(("/usr/lib/systemd", "/lib/systemd", "/etc/systemd"), names):
        try:
            text = tree.read_text(f"{tree.root}{directory}/{each}.conf", errors="replace")
        except Unreadable:
            continue
        there = there or (text is not None and each == name)
        section = ""
        for line in (text or "").split("\n"):
            header = re.match(r"\[([A-Za-z0-9]+)\]\s*$", line)
            setting = re.match(r"#?\s?([A-Z][A-Za-z0-9]+)=", line)
            if header:
                section = header.group(1)
            elif setting and section:
                listed.setdefault(section, set()).add(setting.group(1))
    program = "systemd" if name in ("system", "user") else f"systemd-{name}"
    paths = [f"{tree.root}{directory}/{program}" for directory in ("/usr/lib/systemd", "/lib/systemd")]
    path = next((path for path in paths if tree.exists(path)), "")
    if not there and not path:
        return None
    return Known(listed, lambda: _program(tree, path))


def _program(tree: Tree, path: str) -> bytes | None:
    try:
        return tree.read(path, 64 << 20) if path else None
    except Unreadable:
        return None
