# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directives as StartTransientUnit takes them: typed D-Bus properties.

Each assignment `Key=value` becomes one or more `(property, (signature, value))`; where a directive may be given several
times, several assignments are sent one after another, and systemd takes each like a line of a unit file. What D-Bus
calls a directive and how it types it is in org.freedesktop.systemd1(5); resource control is in directives/resource.py.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import (
    BLANKS,
    HIGHEST,
    INFINITY,
    check_sendable,
    count,
    is_digits,
    is_variable,
    number_text,
    parse_hexadecimal,
    parse_number,
    words_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import parse_bytes
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import SEARCH_PATH, program_problem
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan

Property = t.Tuple[str, t.Tuple[str, t.Any]]

# Kinds of value, and the directives of each kind. What is not here is taken by the type that systemd itself tells of it
# (see `_KIND_OF_TYPE`), so that directives of later versions work where their values are plain ones.
_KINDS = {
    "string": "Description SourcePath OnFailureJobMode OnSuccessJobMode JobTimeoutAction JobTimeoutRebootArgument "
    "StartLimitAction FailureAction SuccessAction RebootArgument CollectMode PIDFile Type ExitType Restart RestartMode "
    "BusName NotifyAccess USBFunctionDescriptors USBFunctionStrings OOMPolicy TimeoutStartFailureMode "
    "TimeoutStopFailureMode FileDescriptorStorePreserve KillMode Unit User Group UtmpIdentifier UtmpMode PAMName TTYPath "
    "WorkingDirectory RootDirectory RootImage RootVerity SyslogIdentifier ProtectSystem ProtectHome SELinuxContext "
    "RuntimeDirectoryPreserve Personality KeyringMode ProtectProc ProcSubset NetworkNamespacePath IPCNamespacePath "
    "LogNamespace PrivatePIDs",
    "boolean": "StopWhenUnneeded RefuseManualStart RefuseManualStop AllowIsolate IgnoreOnIsolate SurviveFinalKillSignal "
    "DefaultDependencies RemainAfterExit GuessMainPID RootDirectoryStartOnly NonBlocking SendSIGHUP SendSIGKILL "
    "WakeSystem RemainAfterElapse Persistent OnTimezoneChange OnClockChange FixedRandomDelay DeferReactivation "
    "IgnoreSIGPIPE TTYVHangup TTYReset TTYVTDisallocate PrivateDevices PrivateNetwork PrivateMounts PrivateIPC "
    "NoNewPrivileges SyslogLevelPrefix MemoryDenyWriteExecute RestrictRealtime DynamicUser RemoveIPC "
    "ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock MountAPIVFS BindLogSockets "
    "CPUSchedulingResetOnFork MemoryKSM LockPersonality RestrictSUIDSGID RootEphemeral SetLoginEnvironment",
    # systemd made words of these booleans; other words than yes and no go under another name.
    "boolean_or_word": "PrivateTmp PrivateUsers ProtectControlGroups ProtectHostname",
    "timespan": "StartLimitIntervalSec RestartSec RestartMaxDelaySec "
    "TimeoutStartSec TimeoutStopSec TimeoutAbortSec RuntimeMaxSec RuntimeRandomizedExtraSec WatchdogSec "
    "AccuracySec RandomizedDelaySec RandomizedOffsetSec LogRateLimitIntervalSec",
    "unsigned": "StartLimitBurst FileDescriptorStoreMax RestartSteps LogRateLimitBurst",
    "exit_action": "SuccessActionExitStatus FailureActionExitStatus",
    "words": "Requires Requisite Wants BindsTo PartOf Upholds Conflicts Before After OnFailure OnSuccess "
    "PropagatesReloadTo ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom JoinsNamespaceOf Documentation "
    "RequiresMountsFor WantsMountsFor ReadWritePaths ReadOnlyPaths InaccessiblePaths ReadWriteDirectories "
    "ReadOnlyDirectories InaccessibleDirectories ExecPaths NoExecPaths ExecSearchPath "
    "ExtensionDirectories SupplementaryGroups SystemCallArchitectures UnsetEnvironment PassEnvironment "
    "ImportCredential ConfigurationDirectory",
    "directories": "RuntimeDirectory StateDirectory CacheDirectory LogsDirectory",
    "filter": "RestrictAddressFamilies SystemCallFilter SystemCallLog RestrictFileSystems",
    "commands": "ExecCondition ExecStartPre ExecStartPost ExecReload ExecStop ExecStopPost",
    "statuses": "RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus",
    "signal": "ReloadSignal KillSignal RestartKillSignal FinalKillSignal WatchdogSignal",
    "mode": "UMask RuntimeDirectoryMode StateDirectoryMode CacheDirectoryMode LogsDirectoryMode "
    "ConfigurationDirectoryMode",
    "stream": "StandardInput StandardOutput StandardError",
    "bind": "BindPaths BindReadOnlyPaths",
    "label": "AppArmorProfile SmackProcessLabel",
    "capabilities": "CapabilityBoundingSet AmbientCapabilities",
    "credential": "LoadCredential LoadCredentialEncrypted",
    "set_credential": "SetCredential SetCredentialEncrypted",
    "monotonic": "OnActiveSec OnBootSec OnStartupSec OnUnitActiveSec OnUnitInactiveSec",
    "level": "SyslogLevel LogLevelMax",
    "integer": "CPUSchedulingPriority OOMScoreAdjust IOSchedulingPriority Nice",
}
# Directives with a kind of their own.
_SINGLE = {
    "TimeoutSec": "timeouts", "Environment": "environment", "EnvironmentFile": "environment_file",
    "StandardInputText": "input_text", "StandardInputData": "input_data", "LogExtraFields": "log_fields",
    "LogFilterPatterns": "log_patterns", "SyslogFacility": "facility", "SecureBits": "secure_bits",
    "CPUSchedulingPolicy": "cpu_policy", "IOSchedulingClass": "io_class", "CPUAffinity": "cpu_affinity",
    "NUMAMask": "cpu_mask", "NUMAPolicy": "numa_policy", "CoredumpFilter": "coredump_filter",
    "TimerSlackNSec": "nanoseconds", "MountFlags": "mount_flags", "TemporaryFileSystem": "temporary_file_system",
    "RestrictNamespaces": "namespaces", "SystemCallErrorNumber": "errno", "OpenFile": "open_file",
    "OnCalendar": "calendar", "TTYRows": "unsigned", "TTYColumns": "unsigned",
}  # fmt: skip
# Spellings of old that systemd still reads, and what it calls them on D-Bus now.
_RENAMED = {
    "StartLimitInterval": "StartLimitIntervalSec", "BindTo": "BindsTo", "PropagateReloadTo": "PropagatesReloadTo",
    "PropagateReloadFrom": "ReloadPropagatedFrom", "ReadWriteDirectories": "ReadWritePaths",
    "ReadOnlyDirectories": "ReadOnlyPaths", "InaccessibleDirectories": "InaccessiblePaths",
}  # fmt: skip
# What `systemd --dump-configuration-items` calls the types of values that need no knowledge of the directive.
_KIND_OF_TYPE = {
    "BOOLEAN": "boolean", "SECONDS": "timespan", "STRING": "string", "UNSIGNED": "unsigned", "SIGNAL": "signal",
    "MODE": "mode", "UNIT": "words",
}  # fmt: skip
# Repeated assignments add to what was there; of all others there is one value.
_REPEATED = frozenset((
    "words", "directories", "filter", "commands", "statuses", "bind", "capabilities", "credential", "set_credential",
    "environment", "environment_file", "input_text", "input_data", "log_fields", "log_patterns", "cpu_affinity",
    "cpu_mask", "temporary_file_system", "namespaces", "open_file", "calendar", "monotonic", "condition", "secure_bits",
))  # fmt: skip
# These stand in unit files only.
_NOT_HERE = {
    "ExecStart": "the command is told in `command`",
    "RootHash": "", "RootHashSignature": "", "RootImageOptions": "", "RootImagePolicy": "", "MountImages": "",
    "MountImagePolicy": "", "ExtensionImages": "", "ExtensionImagePolicy": "",
    "Sockets": "", "PermissionsStartOnly": "write `+` before those commands that need privileges",
    "OnFailureIsolate": "set OnFailureJobMode", "RequiresOverridable": "set Requires", "RequisiteOverridable": "set Requisite",
    "ManagedOOMMemoryPressureLimitPercent": "", "SourcePath": "", "JobTimeoutSec": "", "JobRunningTimeoutSec": "", "TimeoutCleanSec": "",
}  # fmt: skip

_YES = frozenset(("1", "yes", "y", "true", "t", "on"))
_NO = frozenset(("0", "no", "n", "false", "f", "off"))
_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_FACILITIES = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp - - - - "
    "local0 local1 local2 local3 local4 local5 local6 local7"
).split()
# linux/sched.h and linux/ioprio.h.
_CPU_POLICIES = {"other": 0, "fifo": 1, "rr": 2, "batch": 3, "idle": 5}
_IO_CLASSES = {"none": 0, "realtime": 1, "best-effort": 2, "idle": 3}
_NUMA_POLICIES = {"default": 0, "preferred": 1, "bind": 2, "interleave": 3, "local": 4}
_MOUNT_FLAGS = {"shared": 1 << 20, "slave": 1 << 19, "private": 1 << 18}
_SECURE_BITS = {
    "keep-caps": 1 << 4, "keep-caps-locked": 1 << 5, "no-setuid-fixup": 1 << 2, "no-setuid-fixup-locked": 1 << 3,
    "noroot": 1 << 0, "noroot-locked": 1 << 1,
}  # fmt: skip
_NAMESPACES = {
    "cgroup": 0x02000000, "ipc": 0x08000000, "net": 0x40000000, "mnt": 0x00020000, "pid": 0x20000000,
    "user": 0x10000000, "uts": 0x04000000, "time": 0x00000080,
}  # fmt: skip
_COREDUMP = {
    "private-anonymous": 0, "shared-anonymous": 1, "private-file-backed": 2, "shared-file-backed": 3, "elf-headers": 4,
    "private-huge": 5, "shared-huge": 6, "private-dax": 7, "shared-dax": 8,
}  # fmt: skip
# linux/capability.h, in order.
_CAPABILITIES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
    "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin "
    "sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override "
    "mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
).split()
# What the numbers of a limit count; RLIMIT_NICE and RLIMIT_RTPRIO among the plain ones.
_BYTE_LIMITS = frozenset(("FSIZE", "DATA", "STACK", "CORE", "RSS", "AS", "MEMLOCK", "MSGQUEUE"))
_LIMITS = _BYTE_LIMITS | {"CPU", "NOFILE", "NPROC", "LOCKS", "SIGPENDING", "NICE", "RTPRIO", "RTTIME"}
_EXEC_FLAGS = {"-": "ignore-failure", ":": "no-env-expand", "+": "privileged"}
_EXEC_MARKS = {"ignore-failure": "-", "privileged": "+", "no-setuid": "!", "ambient": "!!"}
# Values that systemd writes in a form that takes anything.
_MULTILINE = frozenset((
    "StandardInputText", "StandardInputData", "SetCredential", "SetCredentialEncrypted", "Environment", "ExecCondition",
    "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost",
))  # fmt: skip
# What means something in a value of several words.
_SPECIAL = re.compile("[ \\t\\n\\r\"'\\\\]")
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ", "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip


class Unsettable(BadInput):
    """A directive that this module does not pass on."""


def to_bus(
    name: str, value: t.Any, option: str, type_: str = "", find: t.Callable[[str, str], str] | None = None
) -> list[Property]:
    """The properties that assign `value` to the directive `name`.

    :param value: text as in a unit file, a number, a boolean, or a list of these, each of which is an assignment of its
        own; of Environment also a mapping. An empty text resets what may be given several times. None: no assignment.
    :param option: what to call the value in errors (`properties.Nice`).
    :param type_: the type of value as systemd's own table calls it, for directives that are not known here.
    :param find: returns the absolute path of a program, and takes its name and the option; `find_program` by default.
    :raises BadInput: the value is none for this directive, or nothing is known of the directive.
    """
    if value is None:
        return []
    if not isinstance(name, str) or not name:
        raise BadInput(f"{option}: {shown(name)} is no directive; write one such as Description")
    name = _RENAMED.get(name, name)
    if name in _NOT_HERE:
        hint = _NOT_HERE[name] or "write the service with the module unit_file"
        raise Unsettable(f"{option}: {plain(name)} cannot be set on a transient unit here; {hint}")
    kind = kind_of(name) or _KIND_OF_TYPE.get(type_, "")
    if not kind:
        raise Unsettable(
            f"{option}: {plain(name)} cannot be set on a transient unit here; write a unit with the module unit_file"
        )
    found: list[Property] = []
    for text in _assignments(name, kind, value, option):
        if kind == "commands":
            # A program that is not told by its path is looked for, as systemd-run does.
            found.append(command_property(name, *parse_command(text, option, find or find_program) if text else ()))
        else:
            found += _CONVERTERS[kind](name, text, option)
    for _property, (_signature, sent) in found:
        _check_texts(sent, option)
    return found


def _check_texts(value: t.Any, option: str) -> None:
    """Refuse what D-Bus cannot carry: an escape such as `\\xff` may have made half a character."""
    if isinstance(value, str):
        check_sendable(value, option)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_texts(item, option)


def kind_of(name: str) -> str:
    """The kind of the directive's value, a key of the converters; empty where this file does not know it."""
    if name in _SINGLE:
        return _SINGLE[name]
    if name.startswith(("Condition", "Assert")):
        return "condition"
    if name.startswith("Limit") and name[5:] in _LIMITS:
        return "limit"
    for kind, names in _KINDS.items():
        if name in names.split():
            return kind
    return ""


def is_known(name: str) -> bool:
    """Whether the directive is known here, be it as one that cannot be set."""
    return name in _RENAMED or name in _NOT_HERE or kind_of(name) != ""


def _assignments(name: str, kind: str, value: t.Any, option: str) -> list[str]:
    """The value as assignments, each the text that would follow the `=` in a unit file."""
    if isinstance(value, dict):
        if kind != "environment":
            raise BadInput(f"{option}: takes a value or a list of values, not a mapping")
        pairs = []
        for key, item in value.items():
            if not isinstance(key, str) or not key or "=" in key:
                raise BadInput(f"{option}: {shown(key)} is no name of a variable")
            if item is not None:
                pairs.append(quote(f"{key}={_text(item, f'{option}.{plain(key)}', name, True)}"))
        return pairs
    if not isinstance(value, (list, tuple)):
        return [_text(value, option, name)]
    if kind not in _REPEATED and len(value) != 1:
        raise BadInput(f"{option}: takes one value, not a list of {len(value)}")
    texts = []
    for index, item in enumerate(value):
        text = _text(item, f"{option}[{index}]", name)
        # As in unit_file: each item is one variable, whatever it holds.
        texts.append(quote(text) if kind in ("environment", "log_fields") and text[:1] not in "\"'" else text)
    return texts


def _text(value: t.Any, option: str, name: str, multiline: bool = False) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith(("Mode", "UMask")) and value > 7:
        raise BadInput(f"{option}: {shown(value)} is a number; write file modes as text in quotes, such as '0755'")
    if isinstance(value, (int, float)):
        return number_text(value, option)
    if not isinstance(value, str):
        raise BadInput(f"{option}: takes text, a number or a boolean, not {type(value).__name__}")
    # systemd writes some values into the unit's file as they are: a line break would begin another directive there.
    check_sendable(value, option)
    bare = value.strip(BLANKS)
    if not multiline and name not in _MULTILINE and ("\n" in bare or "\r" in bare):
        raise BadInput(f"{option}: {shown(value)} holds a line break, which it cannot; write it in one line")
    return value if multiline or name in ("StandardInputText", "SetCredential") else bare


def quote(word: str) -> str:
    """The text as one word of `split_words`."""
    if word and not any(char in word for char in " \t\n\r\"'\\"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


def split_words(text: str, option: str) -> list[str]:
    """The words of a value, taken apart as systemd does (systemd.syntax(7), "Quoting").

    :raises BadInput: a quote is not closed, or an escape is none.
    """
    check_sendable(text, option)
    words: list[str] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in BLANKS:
            at += 1
        if at >= end:
            return words
        word, quoted = bytearray(), ""
        while at < end and (quoted or text[at] not in BLANKS):
            char = text[at]
            if char == quoted:
                quoted = ""
            elif char in "\"'" and not quoted:
                quoted = char
            elif char == "\\":
                piece, at = _escape(text, at, option)
                word += piece
                continue
            else:
                # This one, and all up to the next that may mean something.
                found = _SPECIAL.search(text, at + 1)
                start, at = at, found.start() if found else end
                word += text[start:at].encode()
                continue
            at += 1
        if quoted:
            raise BadInput(f"{option}: the quote {quoted} is not closed in {shown(text)}")
        words.append(word.decode("utf-8", "surrogateescape"))


def _escape(text: str, at: int, option: str) -> tuple[bytes, int]:
    """What the escape at this place stands for, and where the text goes on."""
    char = text[at + 1 : at + 2]
    if char in _ESCAPES and char:
        return _ESCAPES[char].encode(), at + 2
    size = {"x": 2, "u": 4, "U": 8}.get(char)
    digits = text[at + 2 : at + 2 + size] if size else text[at + 1 : at + 4]
    base = 16 if size else 8
    if len(digits) == (size or 3) and all(
        digit in "0123456789abcdefABCDEF"[: 8 if base == 8 else 22] for digit in digits
    ):
        number = int(digits, base)
        if number and (number < 256 or (size or 0) > 2):
            try:
                piece = bytes((number,)) if (size or 3) <= 3 else chr(number).encode()
            except (ValueError, OverflowError):
                pass
            else:
                return piece, at + 2 + size if size else at + 4
    raise BadInput(
        f"{option}: at character {at + 1} of {shown(text)}, {plain(text[at : at + 2])} is no escape; write \\\\ for a backslash"
    )


def parse_boolean(text: str, option: str) -> bool:
    """A boolean of systemd's.

    :raises BadInput: it is none.
    """
    lower = text.lower()
    if lower in _YES or lower in _NO:
        return lower in _YES
    raise BadInput(f"{option}: {shown(text)} is not a boolean; write true or false")


def _one_of(text: str, table: dict[str, int], option: str, what: str) -> int:
    if text in table:
        return table[text]
    if is_digits(text) and count(text) in table.values():
        return count(text)
    raise BadInput(f"{option}: {shown(text)} is no {what}; there are {', '.join(table)}")


def parse_signal(text: str, option: str) -> int:
    """Number of a signal, told by name with or without SIG, by number, or from SIGRTMIN on."""
    import signal

    word = text.upper() if text.isascii() else ""
    if is_digits(word) and 1 <= count(word) <= 64:
        return count(word)
    word = word[3:] if word.startswith("SIG") else word
    base, sign, offset = word.partition("+" if "+" in word else "-")
    if base in ("RTMIN", "RTMAX") and (is_digits(offset) if sign else True):
        number = int(getattr(signal, f"SIG{base}")) + count(offset) * (-1 if sign == "-" else 1)
        if signal.SIGRTMIN <= number <= signal.SIGRTMAX:
            return number
    else:
        found = getattr(signal, f"SIG{word}", None)
        if isinstance(found, signal.Signals):
            return int(found)
    raise BadInput(f"{option}: {shown(text)} is no signal; write a name such as SIGTERM")


# -- converters: (directive, text, option) -> properties


def _string(name: str, text: str, option: str) -> list[Property]:
    if name == "Type" and text == "":
        raise BadInput(f"{option}: is empty; leave it out for the default")
    return [(name, ("s", text))]


def _boolean(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("b", parse_boolean(text, option)))]


def _boolean_or_word(name: str, text: str, option: str) -> list[Property]:
    if text.lower() in _YES or text.lower() in _NO:
        return [(name, ("b", text.lower() in _YES))]
    return [(f"{name}Ex", ("s", text))]


def _timespan(name: str, text: str, option: str) -> list[Property]:
    usec = INFINITY if text == "" else parse_timespan(text, option)
    if usec == 0 and name.startswith(("TimeoutStart", "TimeoutStop", "RuntimeMax")):
        usec = INFINITY  # since ever, 0 means that there is no limit
    return [(f"{name[:-3]}USec" if name.endswith("Sec") else name, ("t", usec))]


def _timeouts(name: str, text: str, option: str) -> list[Property]:
    return _timespan("TimeoutStartSec", text, option) + _timespan("TimeoutStopSec", text, option)


def _nanoseconds(name: str, text: str, option: str) -> list[Property]:
    # A number without a unit counts nanoseconds here.
    digits = text
    for suffix in ("nsec", "ns"):
        if text.endswith(suffix):
            digits = text[: -len(suffix)].strip(BLANKS)
            break
    if is_digits(digits):
        number = count(digits)
    else:
        usec = parse_timespan(text, option)
        number = INFINITY if usec == INFINITY else usec * 1000
    if number > INFINITY:
        raise BadInput(f"{option}: {shown(text)} is longer than systemd can count in nanoseconds; write infinity")
    return [(name, ("t", number))]


def _unsigned(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("u", parse_number(text, option, 0, HIGHEST["u"])))]


def _exit_action(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("i", -1 if text == "" else parse_number(text, option, 0, 255)))]


def _words(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("as", split_words(text, option)))]


def _directories(name: str, text: str, option: str) -> list[Property]:
    plain, links = [], []
    for word in split_words(text, option):
        source, colon, target = word.partition(":")
        if colon:
            links.append((source, target, 0))
        else:
            plain.append(source)
    found: list[Property] = [(name, ("as", plain))] if plain or not links else []
    return found + ([(f"{name}Symlink", ("a(sst)", links))] if links else [])


def _filter(name: str, text: str, option: str) -> list[Property]:
    allow = not text.startswith("~")
    if name in ("SystemCallFilter", "SystemCallLog"):
        check_system_calls(split_words(text if allow else text[1:], option), option, known_system_calls())
    if name == "RestrictAddressFamilies" and text == "none":
        return [(name, ("(bas)", (True, [])))]
    return [(name, ("(bas)", (allow, split_words(text if allow else text[1:], option))))]


def known_system_calls() -> t.Container[str] | None:
    """System calls and groups of them that this host's systemd knows; None where it cannot be asked.

    Asking takes a process and about 20 ms, so it is done for a directive that has some, and not before.
    """
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

    try:
        answer = run_program(["systemd-analyze", "--no-pager", "syscall-filter"], 10.0, clean=True)
    except SystemdError:
        return None
    known = parse_system_calls(answer.stdout.decode("utf-8", "replace"))
    # A systemd without seccomp says so and lists nothing; before @known there was no list of all.
    return known if "@known" in known else None


def parse_system_calls(listing: str) -> t.FrozenSet[str]:
    """The names in an answer of `systemd-analyze syscall-filter`.

    Those of the kernel that are in no group are listed as comments, among which there are sentences.
    """
    lines = (words_of(line.replace("#", " ")) for line in listing.split("\n"))
    return frozenset(words[0] for words in lines if len(words) == 1)


def check_system_calls(words: t.Sequence[str], option: str, known: t.Container[str] | None) -> None:
    """Refuse names of system calls that systemd would pass over, so that the process is killed (SIGSYS) for using them.

    :param known: from `known_system_calls`; where it is None, only how names are spelled is looked at.
    :raises BadInput: there is one.
    """
    for word in words:
        # `name:EPERM` says what is to happen for one of them.
        name = word.partition(":")[0]
        bare = name[name.startswith("@") :]
        if not bare or not bare.isascii() or not bare.replace("_", "a").replace("-", "a").isalnum():
            raise BadInput(
                f"{option}: {shown(word)} is no name of a system call; write one such as read, or a group such as "
                "@system-service"
            )
        if known is not None and name not in known:
            what = "group of system calls" if name != bare else "system call"
            raise BadInput(
                f"{option}: {shown(word)} is no {what} that systemd here knows, and it would pass over it; see "
                "`systemd-analyze syscall-filter` for those there are"
            )


def parse_command(text: str, option: str, resolve: t.Callable[[str, str], str]) -> tuple[str, list[str], list[str]]:
    """A command line of a unit file as (path, arguments from the 0th on, flags of systemd's).

    :param resolve: returns the absolute path of a program; takes what is written and the option.
    """
    flags: list[str] = []
    own_name = False
    while text[:1] and text[0] in "@-:+!":
        char, text = text[0], text[1:]
        if char == "@":
            own_name = True
        elif char == "!":
            double = text.startswith("!")
            text = text[1:] if double else text
            flags.append("ambient" if double else "no-setuid")
        else:
            flags.append(_EXEC_FLAGS[char])
    words = split_words(text.strip(), option)
    if len(words) < (2 if own_name else 1):
        raise BadInput(f"{option}: there is no command in {shown(text)}")
    path = resolve(words[0], option)
    return path, words[1:] if own_name else [path if "/" in words[0] else words[0], *words[1:]], flags


def command_property(name: str, path: str = "", argv: t.Sequence[str] = (), flags: t.Sequence[str] = ()) -> Property:
    """The property that adds a command to one of the Exec directives; without a path, the one that resets it."""
    if not path:
        return name, ("a(sasb)", [])
    if "no-env-expand" in flags:
        flags = [flag for flag in flags if flag != "no-env-expand"]
        argv = [word.replace("$", "$$") for word in argv]
    if set(flags) <= {"ignore-failure"}:
        return name, ("a(sasb)", [(path, list(argv), bool(flags))])
    return f"{name}Ex", ("a(sasas)", [(path, list(argv), list(flags))])


def mend_commands(text: str, properties: t.Sequence[Property]) -> str:
    """The text of a transient unit's file, its commands written such that systemd reads of them what it was sent.

    What systemd itself writes, and reads at the next daemon-reload, is something else: before version 254 ExecStartEx= and its
    kin, which are no directives, and in some versions `\\$`; from 254 on each `$` is doubled.

    :param properties: what was sent.
    """
    wanted: dict[str, list[str]] = {}
    for name, (signature, value) in properties:
        if signature not in ("a(sasb)", "a(sasas)"):
            continue
        lines = wanted.setdefault(name[:-2] if name.endswith("Ex") else name, [])
        if not value:
            lines.clear()
        for path, argv, flags in value:
            marks = [_EXEC_MARKS[flag] for flag in flags] if signature == "a(sasas)" else ["-"] * bool(flags)
            words = [f"{''.join(marks)}@{path}", *argv]
            lines.append(" ".join(_written(word) for word in words))
    if not wanted:
        return text
    kept = [
        line
        # No other line ends than systemd's: in a value there may be what Python takes for one.
        for line in text.rstrip("\n").split("\n")
        if not line.startswith(tuple(f"{name}{end}" for name in wanted for end in ("=", "Ex=")))
    ]
    kept.append("[Service]")
    for name, lines in wanted.items():
        kept += [f"{name}={line}" for line in lines]
    return "\n".join(kept) + "\n"


def _written(word: str) -> str:
    """A word of a command as it stands in a unit file."""
    out = []
    for char in word:
        if char in '\\"':
            out.append("\\" + char)
        elif char == "%":
            out.append("%%")
        elif char < " " or char == "\x7f":
            out.append(f"\\x{ord(char):02x}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def find_program(program: str, option: str) -> str:
    """The absolute path of a program, found where systemd looks for it (systemd.service(5), "Command Lines").

    :raises BadInput: there is no such program on this host.
    """
    problem = program_problem(program) or ("" if program else "the program is missing")
    if problem:
        raise BadInput(f"{option}: {problem}; give the full path of a program, or install it")
    if program.startswith("/"):
        return program
    paths = [f"{directory}/{program}" for directory in SEARCH_PATH]
    return next((path for path in paths if not program_problem(path)), program)


def _statuses(name: str, text: str, option: str) -> list[Property]:
    numbers, signals = [], []
    for word in split_words(text, option):
        if is_digits(word):
            numbers.append(parse_number(word, option, 0, 255))
        elif word in _STATUS_NAMES:
            numbers.append(_STATUS_NAMES[word])
        else:
            try:
                signals.append(parse_signal(word, option))
            except BadInput:
                raise BadInput(f"{option}: {shown(word)} is neither an exit status (0 to 255) nor a signal") from None
    return [(name, ("(aiai)", (numbers, signals)))]


# sysexits.h.
_STATUS_NAMES = {
    "SUCCESS": 0, "FAILURE": 1, "USAGE": 64, "DATAERR": 65, "NOINPUT": 66, "NOUSER": 67, "NOHOST": 68,
    "UNAVAILABLE": 69, "SOFTWARE": 70, "OSERR": 71, "OSFILE": 72, "CANTCREAT": 73, "IOERR": 74, "TEMPFAIL": 75,
    "PROTOCOL": 76, "NOPERM": 77, "CONFIG": 78,
}  # fmt: skip


def _signal(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("i", parse_signal(text, option)))]


def _mode(name: str, text: str, option: str) -> list[Property]:
    if not text or any(digit not in "01234567" for digit in text) or int(text, 8) > 0o7777:
        raise BadInput(f"{option}: {shown(text)} is not a file mode; write it like '0755'")
    return [(name, ("u", int(text, 8)))]


def _stream(name: str, text: str, option: str) -> list[Property]:
    for prefix, suffix in (("fd:", "FileDescriptorName"), ("file:", "File"), ("append:", "FileToAppend"),
                           ("truncate:", "FileToTruncate")):  # fmt: skip
        if text.startswith(prefix):
            return [(name + suffix, ("s", text[len(prefix) :]))]
    return [(name, ("s", text))]


def _bind(name: str, text: str, option: str) -> list[Property]:
    rows = []
    for word in split_words(text, option):
        optional = word.startswith("-")
        source, _colon, rest = word[optional:].partition(":")
        target, _colon, how = rest.partition(":")
        if how not in ("", "rbind", "norbind"):
            raise BadInput(f"{option}: {shown(how)} is no option of a bind mount; there are rbind and norbind")
        rows.append((source, target or source, optional, 0 if how == "norbind" else 16384))  # MS_REC
    return [(name, ("a(ssbt)", rows))]


def _label(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("(bs)", (text.startswith("-"), text[text.startswith("-") :])))]


def _capabilities(name: str, text: str, option: str) -> list[Property]:
    inverted = text.startswith("~")
    mask = 0
    for word in split_words(text[inverted:], option):
        short = word.lower()[4:] if word.isascii() and word.lower().startswith("cap_") else ""
        if short not in _CAPABILITIES:
            raise BadInput(f"{option}: {shown(word)} is no capability; write a name such as CAP_NET_BIND_SERVICE")
        mask |= 1 << _CAPABILITIES.index(short)
    return [(name, ("t", ~mask & INFINITY if inverted else mask))]


def _credential(name: str, text: str, option: str) -> list[Property]:
    identifier, _colon, path = text.partition(":")
    return [(name, ("a(ss)", [(identifier, path or identifier)] if text else []))]


def _set_credential(name: str, text: str, option: str) -> list[Property]:
    identifier, colon, data = text.partition(":")
    if text and not colon:
        raise BadInput(f"{option}: there is no `:` between the credential's name and what it holds")
    if name == "SetCredentialEncrypted":
        return [(name, ("a(say)", [(identifier, _base64(data, option))] if text else []))]
    return [(name, ("a(say)", [(identifier, data.encode("utf-8", "surrogateescape"))] if text else []))]


def _base64(text: str, option: str) -> bytes:
    import base64
    import binascii

    try:
        return base64.b64decode("".join(words_of(text)), validate=True)
    except (binascii.Error, ValueError) as e:
        raise BadInput(f"{option}: is not base64: {plain(str(e))}") from None


def _environment(name: str, text: str, option: str) -> list[Property]:
    words = split_words(text, option)
    for word in words:
        variable = word.partition("=")[0]
        if "=" not in word or not is_variable(variable):
            raise BadInput(f"{option}: {shown(word)} is not NAME=VALUE; names have letters, digits and _")
    return [(name, ("as", words))]


def _environment_file(name: str, text: str, option: str) -> list[Property]:
    optional = text.startswith("-")
    path = text[optional:]
    if path and not path.startswith("/"):
        raise BadInput(f"{option}: {shown(text)} is not an absolute path")
    return [("EnvironmentFiles", ("a(sb)", [(path, optional)] if path else []))]


def _input_text(name: str, text: str, option: str) -> list[Property]:
    return [("StandardInputData", ("ay", (text + "\n").encode("utf-8", "surrogateescape") if text else b""))]


def _input_data(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("ay", _base64(text, option)))]


def _log_fields(name: str, text: str, option: str) -> list[Property]:
    words = split_words(text, option)
    for word in words:
        field = word.partition("=")[0]
        # journal_field_valid() of systemd: those that begin with _ are journald's own.
        if "=" not in word or not is_variable(field) or field != field.upper() or field[0] == "_" or len(field) > 64:
            raise BadInput(
                f"{option}: {shown(word)} is not FIELD=VALUE; names of fields have up to 64 capitals, digits and _, and begin "
                "with a capital"
            )
    return [(name, ("aay", [word.encode("utf-8", "surrogateescape") for word in words]))]


def _log_patterns(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("a(bs)", [(not text.startswith("~"), text[text.startswith("~") :])] if text else []))]


def _level(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("i", _one_of(text, {word: at for at, word in enumerate(_LEVELS)}, option, "log level")))]


def _facility(name: str, text: str, option: str) -> list[Property]:
    table = {word: at for at, word in enumerate(_FACILITIES) if word != "-"}
    return [(name, ("i", _one_of(text, table, option, "syslog facility")))]


def _secure_bits(name: str, text: str, option: str) -> list[Property]:
    mask = 0
    for word in split_words(text, option):
        mask |= _one_of(word, _SECURE_BITS, option, "secure bit")
    return [(name, ("i", mask))]


def _cpu_policy(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("i", _one_of(text, _CPU_POLICIES, option, "scheduling policy")))]


def _io_class(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("i", _one_of(text, _IO_CLASSES, option, "class of IO scheduling")))]


def _numa_policy(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("i", _one_of(text, _NUMA_POLICIES, option, "NUMA policy")))]


def _cpu_affinity(name: str, text: str, option: str) -> list[Property]:
    if text == "numa":
        return [("CPUAffinityFromNUMA", ("b", True))]
    return _cpu_mask(name, text, option)


def _cpu_mask(name: str, text: str, option: str) -> list[Property]:
    mask = 0
    for word in split_words(text.replace(",", " "), option):
        first, dash, last = word.partition("-")
        low = parse_number(first, option, 0, 8191)
        high = parse_number(last, option, low, 8191) if dash else low
        mask |= ((1 << (high - low + 1)) - 1) << low
    return [(name, ("ay", mask.to_bytes((mask.bit_length() + 7) // 8, "little")))]


def _coredump_filter(name: str, text: str, option: str) -> list[Property]:
    mask = 0
    for word in split_words(text, option):
        if word in ("default", "all"):
            mask |= 0x33 if word == "default" else 0x1FF
        elif word in _COREDUMP:
            mask |= 1 << _COREDUMP[word]
        else:
            what = f"a type of memory; there are {', '.join(_COREDUMP)}, and a mask in hexadecimal digits"
            mask |= parse_hexadecimal(word, option, what)
    return [(name, ("t", mask))]


def _mount_flags(name: str, text: str, option: str) -> list[Property]:
    return [(name, ("t", _one_of(text, _MOUNT_FLAGS, option, "mount propagation") if text else 0))]


def _temporary_file_system(name: str, text: str, option: str) -> list[Property]:
    rows = [word.partition(":")[::2] for word in split_words(text, option)]
    return [(name, ("a(ss)", [tuple(row) for row in rows]))]


def _namespaces(name: str, text: str, option: str) -> list[Property]:
    every = 0
    for flag in _NAMESPACES.values():
        every |= flag
    every &= ~_NAMESPACES["time"]  # which no version restricts yet
    if text.lower() in _YES or text.lower() in _NO:
        return [(name, ("t", 0 if text.lower() in _YES else every))]
    mask, inverted = 0, text.startswith("~")
    for word in split_words(text[inverted:], option):
        mask |= _one_of(word, _NAMESPACES, option, "type of namespace")
    return [(name, ("t", every & ~mask if inverted else mask))]


def _errno(name: str, text: str, option: str) -> list[Property]:
    import errno

    if text == "kill":
        return [(name, ("i", 2**31 - 1))]
    number = getattr(errno, text, None) if text.isascii() and text.isupper() else None
    return [(name, ("i", number if isinstance(number, int) else parse_number(text, option, 0, 4095)))]


def _open_file(name: str, text: str, option: str) -> list[Property]:
    path, _colon, rest = text.partition(":")
    named, _colon, options = rest.partition(":")
    bits = 0
    for word in words_of(options.replace(",", " ")):
        bits |= _one_of(word, {"read-only": 1, "append": 2, "truncate": 4, "graceful": 8}, option, "option of OpenFile")
    return [(name, ("a(sst)", [(path, named or path.rpartition("/")[2], bits)] if text else []))]


def _calendar(name: str, text: str, option: str) -> list[Property]:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar

    if text:
        parse_calendar(text, option)
    return [("TimersCalendar", ("a(ss)", [(name, text)] if text else []))]


def _monotonic(name: str, text: str, option: str) -> list[Property]:
    return [("TimersMonotonic", ("a(st)", [(name, parse_timespan(text, option))] if text else []))]


def _condition(name: str, text: str, option: str) -> list[Property]:
    trigger = text.startswith("|")
    negate = text[trigger : trigger + 1] == "!"
    rest = text[trigger + negate :]
    kind = "Conditions" if name.startswith("Condition") else "Asserts"
    return [(kind, ("a(sbbs)", [(name, trigger, negate, rest)] if text else []))]


def _integer(name: str, text: str, option: str) -> list[Property]:
    low, high = {"CPUSchedulingPriority": (0, 99), "OOMScoreAdjust": (-1000, 1000), "IOSchedulingPriority": (0, 7),
                 "Nice": (-20, 19)}[name]  # fmt: skip
    return [(name, ("i", parse_number(text, option, low, high)))]


def _limit(name: str, text: str, option: str) -> list[Property]:
    soft, colon, hard = text.partition(":")
    low = _limit_value(name[5:], soft, option)
    high = _limit_value(name[5:], hard, option) if colon else low
    if low > high:
        raise BadInput(f"{option}: the soft limit {plain(soft)} is above the hard limit {plain(hard)}")
    return [(name, ("t", high)), (f"{name}Soft", ("t", low))]


def _limit_value(resource: str, text: str, option: str) -> int:
    if text == "infinity":
        return INFINITY
    if resource in _BYTE_LIMITS:
        return parse_bytes(text, option)
    if resource == "RTTIME":
        # A number without a unit counts microseconds here.
        return parse_timespan(text, option, bare="us")
    if resource == "CPU":
        return -(-parse_timespan(text, option) // 1_000_000)
    if resource == "NICE" and text[:1] in ("+", "-"):
        # A signed number is a nice level, the limit counts from the other end.
        return 20 - _signed_nice(text, option)
    return parse_number(text, option, 0, INFINITY - 1)


def _signed_nice(text: str, option: str) -> int:
    found: list[Property] = _integer("Nice", text, option)
    return int(found[0][1][1])


_CONVERTERS: dict[str, t.Callable[[str, str, str], list[Property]]] = {
    "string": _string, "boolean": _boolean, "boolean_or_word": _boolean_or_word, "timespan": _timespan,
    "timeouts": _timeouts, "nanoseconds": _nanoseconds, "unsigned": _unsigned, "exit_action": _exit_action,
    "words": _words, "directories": _directories, "filter": _filter, "statuses": _statuses, "signal": _signal,
    "mode": _mode, "stream": _stream, "bind": _bind, "label": _label, "capabilities": _capabilities,
    "credential": _credential, "set_credential": _set_credential, "environment": _environment,
    "environment_file": _environment_file, "input_text": _input_text, "input_data": _input_data,
    "log_fields": _log_fields, "log_patterns": _log_patterns, "level": _level, "facility": _facility,
    "secure_bits": _secure_bits, "cpu_policy": _cpu_policy, "io_class": _io_class, "numa_policy": _numa_policy,
    "cpu_affinity": _cpu_affinity, "cpu_mask": _cpu_mask, "coredump_filter": _coredump_filter,
    "mount_flags": _mount_flags, "temporary_file_system": _temporary_file_system, "namespaces": _namespaces,
    "errno": _errno, "open_file": _open_file, "calendar": _calendar, "monotonic": _monotonic, "condition": _condition,
    "integer": _integer, "limit": _limit,
}  # fmt: skip
