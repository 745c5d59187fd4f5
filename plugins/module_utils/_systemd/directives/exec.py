# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directives as StartTransientUnit takes them: typed D-Bus properties.

Each assignment `Key=value` becomes one or more `(property, (signature, value))`; where a directive may be given several
times, several assignments are sent one after another, and systemd takes each like a line of a unit file. What D-Bus
calls a directive and how it types it is in org.freedesktop.systemd1(5); resource control is in directives/resource.py.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import (
    LIMITS,
    NICE,
    Boolean,
    BusProperty,
    Choice,
    Kind,
    Mode,
    Number,
    NumberSet,
    Plain,
    Text,
    TimeSpan,
    is_boolean,
    one_of,
    parse_boolean,
    parse_signal,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import (
    BLANKS,
    HIGHEST,
    INFINITY,
    check_sendable,
    count,
    is_digits,
    is_variable,
    parse_hexadecimal,
    parse_number,
    words_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import SEARCH_PATH, program_problem
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.quoting import (
    DROP,
    KEEP,
    quote,
    quoted,
    split_fields,
    split_words,
    unescape,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan

# Spellings of old that systemd still reads, and what it calls them on D-Bus now.
_RENAMED = {
    "StartLimitInterval": "StartLimitIntervalSec", "BindTo": "BindsTo", "PropagateReloadTo": "PropagatesReloadTo",
    "PropagateReloadFrom": "ReloadPropagatedFrom", "ReadWriteDirectories": "ReadWritePaths",
    "ReadOnlyDirectories": "ReadOnlyPaths", "InaccessibleDirectories": "InaccessiblePaths",
}  # fmt: skip
# These stand in unit files only.
_NOT_HERE = {
    "ExecStart": "the command is told in `command`",
    "RootHash": "", "RootHashSignature": "", "RootImageOptions": "", "RootImagePolicy": "", "MountImages": "",
    "MountImagePolicy": "", "ExtensionImages": "", "ExtensionImagePolicy": "",
    "Sockets": "", "PermissionsStartOnly": "write `+` before those commands that need privileges",
    "OnFailureIsolate": "set OnFailureJobMode", "RequiresOverridable": "set Requires", "RequisiteOverridable": "set Requisite",
    "ManagedOOMMemoryPressureLimitPercent": "", "SourcePath": "", "JobTimeoutSec": "", "JobRunningTimeoutSec": "", "TimeoutCleanSec": "",
}  # fmt: skip

_LEVELS = {
    word: at for at, word in enumerate(("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"))
}
_FACILITIES = {
    word: at
    for at, word in enumerate(
        (
            "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp - - - - "
            "local0 local1 local2 local3 local4 local5 local6 local7"
        ).split()
    )
    if word != "-"
}
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
_EXEC_FLAGS = {"-": "ignore-failure", ":": "no-env-expand", "+": "privileged"}
_EXEC_MARKS = {"ignore-failure": "-", "privileged": "+", "no-setuid": "!", "ambient": "!!"}
# sysexits.h.
_STATUS_NAMES = {
    "SUCCESS": 0, "FAILURE": 1, "USAGE": 64, "DATAERR": 65, "NOINPUT": 66, "NOUSER": 67, "NOHOST": 68,
    "UNAVAILABLE": 69, "SOFTWARE": 70, "OSERR": 71, "OSFILE": 72, "CANTCREAT": 73, "IOERR": 74, "TEMPFAIL": 75,
    "PROTOCOL": 76, "NOPERM": 77, "CONFIG": 78,
}  # fmt: skip


class Unsettable(BadInput):
    """A directive that this module does not pass on."""


def to_bus(
    name: str, value: t.Any, option: str, type_: str = "", find: t.Callable[[str, str], str] | None = None
) -> list[BusProperty]:
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
    kind = kind_of(name) or _KIND_OF_TYPE.get(type_)
    if kind is None:
        raise Unsettable(
            f"{option}: {plain(name)} cannot be set on a transient unit here; write a unit with the module unit_file"
        )
    if find and isinstance(kind, Commands):
        kind = Commands(find)
    found: list[BusProperty] = []
    for text in kind.texts(value, option):
        found += kind.to_bus(name, kind.parse(text, option))
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


def kind_of(name: str) -> Kind | None:
    """The kind of the directive's value; None where this file does not know it."""
    return _CONDITION if name.startswith(("Condition", "Assert")) else DIRECTIVES.get(name)


def is_known(name: str) -> bool:
    """Whether the directive is known here, be it as one that cannot be set."""
    return name in _RENAMED or name in _NOT_HERE or kind_of(name) is not None


# -- commands and system calls


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


def parse_system_calls(listing: str) -> frozenset[str]:
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


def command_property(name: str, path: str = "", argv: t.Sequence[str] = (), flags: t.Sequence[str] = ()) -> BusProperty:
    """The property that adds a command to one of the Exec directives; without a path, the one that resets it."""
    if not path:
        return name, ("a(sasb)", [])
    if "no-env-expand" in flags:
        flags = [flag for flag in flags if flag != "no-env-expand"]
        argv = [word.replace("$", "$$") for word in argv]
    if set(flags) <= {"ignore-failure"}:
        return name, ("a(sasb)", [(path, list(argv), bool(flags))])
    return f"{name}Ex", ("a(sasas)", [(path, list(argv), list(flags))])


def mend_commands(text: str, properties: t.Sequence[BusProperty]) -> str:
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
            lines.append(" ".join(quoted(word.replace("%", "%%")) for word in words))
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


# -- what is read only: (text, label) -> what is sent


def _needed(text: str, label: str) -> str:
    if not text:
        raise BadInput(f"{label}: is empty; leave it out for the default")
    return text


def _filter(text: str, label: str) -> tuple[bool, list[str]]:
    allow = not text.startswith("~")
    return allow, split_words(text if allow else text[1:], label)


def _families(text: str, label: str) -> tuple[bool, list[str]]:
    return (True, []) if text == "none" else _filter(text, label)


def _system_calls(text: str, label: str) -> tuple[bool, list[str]]:
    allow, words = _filter(text, label)
    check_system_calls(words, label, known_system_calls())
    return allow, words


def _statuses(text: str, label: str) -> tuple[list[int], list[int]]:
    numbers, signals = [], []
    for word in split_words(text, label):
        if is_digits(word):
            numbers.append(parse_number(word, label, 0, 255))
        elif word in _STATUS_NAMES:
            numbers.append(_STATUS_NAMES[word])
        else:
            try:
                signals.append(parse_signal(word, label))
            except BadInput:
                raise BadInput(f"{label}: {shown(word)} is neither an exit status (0 to 255) nor a signal") from None
    return numbers, signals


def _nanoseconds(text: str, label: str) -> int:
    # A number without a unit counts nanoseconds here.
    digits = text
    for suffix in ("nsec", "ns"):
        if text.endswith(suffix):
            digits = text[: -len(suffix)].strip(BLANKS)
            break
    if is_digits(digits):
        number = count(digits)
    else:
        usec = parse_timespan(text, label)
        number = INFINITY if usec == INFINITY else usec * 1000
    if number > INFINITY:
        raise BadInput(f"{label}: {shown(text)} is longer than systemd can count in nanoseconds; write infinity")
    return number


def _bind(text: str, label: str) -> list[tuple[str, str, bool, int]]:
    rows = []
    for source, *rest in split_fields(text, label, DROP):
        optional = source.startswith("-")
        source = source[optional:]
        target, how = (rest[0] if rest else ""), ":".join(rest[1:])
        if how not in ("", "rbind", "norbind"):
            raise BadInput(f"{label}: {shown(how)} is no option of a bind mount; there are rbind and norbind")
        rows.append((source, target or source, optional, 0 if how == "norbind" else 16384))  # MS_REC
    return rows


def _security_label(text: str, label: str) -> tuple[bool, str]:
    return text.startswith("-"), text[text.startswith("-") :]


def _capabilities(text: str, label: str) -> int:
    inverted = text.startswith("~")
    mask = 0
    for word in split_words(text[inverted:], label):
        short = word.lower()[4:] if word.isascii() and word.lower().startswith("cap_") else ""
        if short not in _CAPABILITIES:
            raise BadInput(f"{label}: {shown(word)} is no capability; write a name such as CAP_NET_BIND_SERVICE")
        mask |= 1 << _CAPABILITIES.index(short)
    return ~mask & INFINITY if inverted else mask


def _credential(text: str, label: str) -> list[tuple[str, str]]:
    identifier, _colon, path = text.partition(":")
    identifier = _dropped(identifier)
    return [(identifier, path or identifier)] if text else []


def _set_credential(text: str, label: str) -> list[tuple[str, bytes]]:
    return [(name, unescape(data, label, nul=True)) for name, data in _named(text, label)]


def _set_encrypted(text: str, label: str) -> list[tuple[str, bytes]]:
    return [(name, _base64(data, label)) for name, data in _named(text, label)]


def _named(text: str, label: str) -> list[tuple[str, str]]:
    identifier, colon, data = text.partition(":")
    if text and not colon:
        raise BadInput(f"{label}: there is no `:` between the credential's name and what it holds")
    return [(_dropped(identifier), data)] if text else []


def _base64(text: str, label: str) -> bytes:
    import base64
    import binascii

    try:
        return base64.b64decode("".join(words_of(text)), validate=True)
    except (binascii.Error, ValueError) as e:
        raise BadInput(f"{label}: is not base64: {plain(str(e))}") from None


def _environment_file(text: str, label: str) -> list[tuple[str, bool]]:
    optional = text.startswith("-")
    path = text[optional:]
    if path and not path.startswith("/"):
        raise BadInput(f"{label}: {shown(text)} is not an absolute path")
    return [(path, optional)] if path else []


def _input_text(text: str, label: str) -> bytes:
    return unescape(text, label) + b"\n" if text else b""


def _log_patterns(text: str, label: str) -> list[tuple[bool, str]]:
    return [(not text.startswith("~"), text[text.startswith("~") :])] if text else []


def _secure_bits(text: str, label: str) -> int:
    mask = 0
    for word in split_words(text, label):
        mask |= one_of(word, _SECURE_BITS, label, "secure bit")
    return mask


def _coredump_filter(text: str, label: str) -> int:
    mask = 0
    for word in split_words(text, label):
        if word in ("default", "all"):
            mask |= 0x33 if word == "default" else 0x1FF
        elif word in _COREDUMP:
            mask |= 1 << _COREDUMP[word]
        else:
            what = f"a type of memory; there are {', '.join(_COREDUMP)}, and a mask in hexadecimal digits"
            mask |= parse_hexadecimal(word, label, what)
    return mask


def _paths(text: str, label: str) -> list[str]:
    return [word for word in _dropped(text).split(":") if word]


def _one_word(text: str, label: str) -> list[str]:
    return [_dropped(text)] if text else []


def _dropped(text: str) -> str:
    """The text without its backslashes, each of which takes the character after it for what it is."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _mount_flags(text: str, label: str) -> int:
    return one_of(text, _MOUNT_FLAGS, label, "mount propagation") if text else 0


def _temporary_file_system(text: str, label: str) -> list[tuple[str, str]]:
    rows = [word.partition(":") for word in split_words(text, label, DROP)]
    return [(path, options) for path, _colon, options in rows]


def _namespaces(text: str, label: str) -> int:
    every = 0
    for flag in _NAMESPACES.values():
        every |= flag
    every &= ~_NAMESPACES["time"]  # which no version restricts yet
    if is_boolean(text):
        return 0 if parse_boolean(text, label) else every
    mask, inverted = 0, text.startswith("~")
    for word in split_words(text[inverted:], label):
        mask |= one_of(word, _NAMESPACES, label, "type of namespace")
    return every & ~mask if inverted else mask


def _errno(text: str, label: str) -> int:
    import errno

    if text == "kill":
        return HIGHEST["i"]
    number = getattr(errno, text, None) if text.isascii() and text.isupper() else None
    return number if isinstance(number, int) else parse_number(text, label, 0, 4095)


def _open_file(text: str, label: str) -> list[tuple[str, str, int]]:
    path, _colon, rest = text.partition(":")
    named, _colon, options = rest.partition(":")
    path, named = (unescape(part, label).decode("utf-8", "surrogateescape") for part in (path, named))
    bits = 0
    for word in words_of(options.replace(",", " ")):
        bits |= one_of(word, {"read-only": 1, "append": 2, "truncate": 4, "graceful": 8}, label, "option of OpenFile")
    return [(path, named or path.rpartition("/")[2], bits)] if text else []


# -- kinds that are more than that


class BooleanOrWord(Kind):
    """What was a boolean once; other words than yes and no go under another name."""

    def parse(self, text: str, label: str) -> bool | str:
        return parse_boolean(text, label) if is_boolean(text) else text

    def to_bus(self, name: str, value: bool | str) -> list[BusProperty]:
        return [(name, ("b", value)) if isinstance(value, bool) else (f"{name}Ex", ("s", value))]


class StartAndStop(TimeSpan):
    """A timeout for both."""

    def to_bus(self, name: str, value: int) -> list[BusProperty]:
        return [*super().to_bus("TimeoutStartSec", value), *super().to_bus("TimeoutStopSec", value)]


class Directories(Kind):
    """Directories of systemd's own making, and links to them."""

    collects = True

    def parse(self, text: str, label: str) -> list[tuple[str, str, str]]:
        return [word.partition(":") for word in split_words(text, label)]

    def to_bus(self, name: str, value: list[tuple[str, str, str]]) -> list[BusProperty]:
        plain_ones = [source for source, colon, _target in value if not colon]
        links = [(source, target, 0) for source, colon, target in value if colon]
        found: list[BusProperty] = [(name, ("as", plain_ones))] if plain_ones or not links else []
        return found + ([(f"{name}Symlink", ("a(sst)", links))] if links else [])


class Stream(Text):
    """What a standard stream is connected with; files and descriptors go under other names."""

    def to_bus(self, name: str, value: str) -> list[BusProperty]:
        for prefix, suffix in (("fd:", "FileDescriptorName"), ("file:", "File"), ("append:", "FileToAppend"),
                               ("truncate:", "FileToTruncate")):  # fmt: skip
            if value.startswith(prefix):
                return [(name + suffix, ("s", value[len(prefix) :]))]
        return [(name, ("s", value))]


class Whole(Kind):
    """Text that is taken as it is, line breaks and blanks at its ends included."""

    multiline = True
    verbatim = True


_WHOLE = Whole()


class Variables(Kind):
    """NAME=VALUE; as in unit_file, each item of a list is one variable, whatever it holds."""

    signature = "as"
    collects = True
    multiline = True

    def texts(self, value: t.Any, label: str) -> list[str]:
        if not isinstance(value, dict):
            texts = super().texts(value, label)
            return [_as_word(text) for text in texts] if isinstance(value, (list, tuple)) else texts
        pairs = []
        for key, item in value.items():
            if not isinstance(key, str) or not key or "=" in key:
                raise BadInput(f"{label}: {shown(key)} is no name of a variable")
            if item is not None:
                pairs.append(quote(f"{key}={_WHOLE.text(item, f'{label}.{plain(key)}')}"))
        return pairs

    def parse(self, text: str, label: str) -> list[str]:
        words = split_words(text, label)
        for word in words:
            if "=" not in word or not is_variable(word.partition("=")[0]):
                raise BadInput(f"{label}: {shown(word)} is not NAME=VALUE; names have letters, digits and _")
        return words


class LogFields(Kind):
    """FIELD=VALUE, which the journal keeps of each message."""

    signature = "aay"
    collects = True

    def texts(self, value: t.Any, label: str) -> list[str]:
        texts = super().texts(value, label)
        return [_as_word(text) for text in texts] if isinstance(value, (list, tuple)) else texts

    def parse(self, text: str, label: str) -> list[bytes]:
        words = split_words(text, label)
        for word in words:
            field = word.partition("=")[0]
            # journal_field_valid() of systemd: those that begin with _ are journald's own.
            if "=" not in word or not is_variable(field) or field != field.upper() or field[0] == "_" or len(field) > 64:
                raise BadInput(
                    f"{label}: {shown(word)} is not FIELD=VALUE; names of fields have up to 64 capitals, digits and _, and begin "
                    "with a capital"
                )
        return [word.encode("utf-8", "surrogateescape") for word in words]


def _as_word(text: str) -> str:
    return quote(text) if text[:1] not in "\"'" else text


class Processors(NumberSet):
    def parse(self, text: str, label: str) -> tuple[int, ...]:
        return super().parse(" ".join(split_words(text.replace(",", " "), label)), label)


class Affinity(Processors):
    """Processors, or those of the memory nodes of NUMAMask (None)."""

    def parse(self, text: str, label: str) -> t.Any:
        return None if text == "numa" else super().parse(text, label)

    def to_bus(self, name: str, value: t.Any) -> list[BusProperty]:
        return [("CPUAffinityFromNUMA", ("b", True))] if value is None else super().to_bus(name, value)


class Calendar(Kind):
    collects = True

    def parse(self, text: str, label: str) -> str:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.calendar import parse_calendar

        if text:
            parse_calendar(text, label)
        return text

    def to_bus(self, name: str, value: str) -> list[BusProperty]:
        return [("TimersCalendar", ("a(ss)", [(name, value)] if value else []))]


class Monotonic(TimeSpan):
    """When a timer elapses, after something else; None resets all that came before."""

    collects = True

    def parse(self, text: str, label: str) -> t.Any:
        return super().parse(text, label) if text else None

    def to_bus(self, name: str, value: t.Any) -> list[BusProperty]:
        return [("TimersMonotonic", ("a(st)", [] if value is None else [(name, value)]))]


class Condition(Kind):
    """Something to be tested at a start: (whether one of several is enough, whether it is negated, the rest)."""

    collects = True

    def parse(self, text: str, label: str) -> tuple[bool, bool, str] | None:
        trigger = text.startswith("|")
        negate = text[trigger : trigger + 1] == "!"
        return (trigger, negate, text[trigger + negate :]) if text else None

    def to_bus(self, name: str, value: tuple[bool, bool, str] | None) -> list[BusProperty]:
        kind = "Conditions" if name.startswith("Condition") else "Asserts"
        return [(kind, ("a(sbbs)", [(name, *value)] if value else []))]


class Commands(Kind):
    """A command line, as (path, arguments from the 0th on, flags); empty for none.

    :param find: returns the absolute path of a program, and takes what is written and the label; as systemd-run does, a program
        that is not told by its path is looked for.
    """

    collects = True
    multiline = True

    def __init__(self, find: t.Callable[[str, str], str] | None = None) -> None:
        self._find = find

    def parse(self, text: str, label: str) -> t.Any:
        return parse_command(text, label, self._find or find_program) if text else ()

    def to_bus(self, name: str, value: t.Any) -> list[BusProperty]:
        return [command_property(name, *value)]


# -- the table

_SPAN = TimeSpan(empty=INFINITY)
# Since ever, 0 means that there is no limit.
_TIMEOUT = TimeSpan(zero=INFINITY, empty=INFINITY)
# systemd takes words apart in several ways, which differ in what a backslash is.
_WORDS = Plain("as", split_words, collects=True)
_PLAIN_WORDS = Plain("as", functools.partial(split_words, escapes=DROP), collects=True)
_UNQUOTED_WORDS = Plain("as", functools.partial(split_words, escapes=DROP, quotes=False), collects=True)
# In a unit's name a backslash is a part of it, as in `dev-disk-by\x2dlabel-data.device`.
_UNITS = Plain("as", functools.partial(split_words, escapes=KEEP), collects=True)
_SIGNAL = Plain("i", parse_signal)
_UNSIGNED = Number(0, HIGHEST["u"], "u")
_CONDITION = Condition()

# Kinds of value, and the directives of each kind. What is not here is taken by the type that systemd itself tells of it
# (see `_KIND_OF_TYPE`), so that directives of later versions work where their values are plain ones.
_ROWS: tuple[tuple[Kind, str], ...] = (
    (
        Text(),
        "Description OnFailureJobMode OnSuccessJobMode JobTimeoutAction JobTimeoutRebootArgument "
        "StartLimitAction FailureAction SuccessAction RebootArgument CollectMode PIDFile ExitType Restart RestartMode "
        "BusName NotifyAccess USBFunctionDescriptors USBFunctionStrings OOMPolicy TimeoutStartFailureMode "
        "TimeoutStopFailureMode FileDescriptorStorePreserve KillMode Unit User Group UtmpIdentifier UtmpMode PAMName "
        "TTYPath WorkingDirectory RootDirectory RootImage RootVerity SyslogIdentifier ProtectSystem ProtectHome "
        "SELinuxContext RuntimeDirectoryPreserve Personality KeyringMode ProtectProc ProcSubset NetworkNamespacePath "
        "IPCNamespacePath LogNamespace PrivatePIDs",
    ),
    (Text(_needed), "Type"),
    (
        Boolean(),
        "StopWhenUnneeded RefuseManualStart RefuseManualStop AllowIsolate IgnoreOnIsolate SurviveFinalKillSignal "
        "DefaultDependencies RemainAfterExit GuessMainPID RootDirectoryStartOnly NonBlocking SendSIGHUP SendSIGKILL "
        "WakeSystem RemainAfterElapse Persistent OnTimezoneChange OnClockChange FixedRandomDelay DeferReactivation "
        "IgnoreSIGPIPE TTYVHangup TTYReset TTYVTDisallocate PrivateDevices PrivateNetwork PrivateMounts PrivateIPC "
        "NoNewPrivileges SyslogLevelPrefix MemoryDenyWriteExecute RestrictRealtime DynamicUser RemoveIPC "
        "ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock MountAPIVFS BindLogSockets "
        "CPUSchedulingResetOnFork MemoryKSM LockPersonality RestrictSUIDSGID RootEphemeral SetLoginEnvironment",
    ),
    # systemd made words of these booleans.
    (BooleanOrWord(), "PrivateTmp PrivateUsers ProtectControlGroups ProtectHostname"),
    (
        _SPAN,
        "StartLimitIntervalSec RestartSec RestartMaxDelaySec TimeoutAbortSec RuntimeRandomizedExtraSec WatchdogSec "
        "AccuracySec RandomizedDelaySec RandomizedOffsetSec LogRateLimitIntervalSec",
    ),
    (_TIMEOUT, "TimeoutStartSec TimeoutStopSec RuntimeMaxSec"),
    (StartAndStop(zero=INFINITY, empty=INFINITY), "TimeoutSec"),
    (Plain("t", _nanoseconds), "TimerSlackNSec"),
    (_UNSIGNED, "StartLimitBurst FileDescriptorStoreMax RestartSteps LogRateLimitBurst TTYRows TTYColumns"),
    (Number(0, 255, "i", named={"": -1}), "SuccessActionExitStatus FailureActionExitStatus"),
    (NICE, "Nice"),
    (Number(0, 99, "i"), "CPUSchedulingPriority"),
    (Number(-1000, 1000, "i"), "OOMScoreAdjust"),
    (Number(0, 7, "i"), "IOSchedulingPriority"),
    (
        _UNITS,
        "Requires Requisite Wants BindsTo PartOf Upholds Conflicts Before After OnFailure OnSuccess "
        "PropagatesReloadTo ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom JoinsNamespaceOf Documentation",
    ),
    (
        _PLAIN_WORDS,
        "RequiresMountsFor WantsMountsFor ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths "
        "ExtensionDirectories PassEnvironment",
    ),
    (_UNQUOTED_WORDS, "SupplementaryGroups"),
    (Plain("as", _paths, collects=True), "ExecSearchPath"),
    (Plain("as", _one_word, collects=True), "ImportCredential"),
    (_WORDS, "SystemCallArchitectures UnsetEnvironment ConfigurationDirectory"),
    (Directories(), "RuntimeDirectory StateDirectory CacheDirectory LogsDirectory"),
    (Plain("(bas)", _filter, collects=True), "RestrictFileSystems"),
    (Plain("(bas)", _families, collects=True), "RestrictAddressFamilies"),
    (Plain("(bas)", _system_calls, collects=True), "SystemCallFilter SystemCallLog"),
    (Commands(), "ExecCondition ExecStartPre ExecStartPost ExecReload ExecStop ExecStopPost"),
    (Plain("(aiai)", _statuses, collects=True), "RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus"),
    (_SIGNAL, "ReloadSignal KillSignal RestartKillSignal FinalKillSignal WatchdogSignal"),
    (
        Mode(),
        "UMask RuntimeDirectoryMode StateDirectoryMode CacheDirectoryMode LogsDirectoryMode "
        "ConfigurationDirectoryMode",
    ),
    (Stream(), "StandardInput StandardOutput StandardError"),
    (Plain("a(ssbt)", _bind, collects=True), "BindPaths BindReadOnlyPaths"),
    (Plain("(bs)", _security_label), "AppArmorProfile SmackProcessLabel"),
    (Plain("t", _capabilities, collects=True), "CapabilityBoundingSet AmbientCapabilities"),
    (Plain("a(ss)", _credential, collects=True), "LoadCredential LoadCredentialEncrypted"),
    (Plain("a(say)", _set_credential, collects=True, multiline=True, verbatim=True), "SetCredential"),
    (Plain("a(say)", _set_encrypted, collects=True, multiline=True), "SetCredentialEncrypted"),
    (Variables(), "Environment"),
    (Plain("a(sb)", _environment_file, collects=True, bus="EnvironmentFiles"), "EnvironmentFile"),
    (
        Plain("ay", _input_text, collects=True, bus="StandardInputData", multiline=True, verbatim=True),
        "StandardInputText",
    ),
    (Plain("ay", _base64, collects=True, multiline=True), "StandardInputData"),
    (LogFields(), "LogExtraFields"),
    (Plain("a(bs)", _log_patterns, collects=True), "LogFilterPatterns"),
    (Choice("log level", _LEVELS, numbers=True), "SyslogLevel LogLevelMax"),
    (Choice("syslog facility", _FACILITIES, numbers=True), "SyslogFacility"),
    (Choice("scheduling policy", _CPU_POLICIES, numbers=True), "CPUSchedulingPolicy"),
    (Choice("class of IO scheduling", _IO_CLASSES, numbers=True), "IOSchedulingClass"),
    (Choice("NUMA policy", _NUMA_POLICIES), "NUMAPolicy"),
    (Plain("i", _secure_bits, collects=True), "SecureBits"),
    (Affinity(), "CPUAffinity"),
    (Processors(), "NUMAMask"),
    (Plain("t", _coredump_filter), "CoredumpFilter"),
    (Plain("t", _mount_flags), "MountFlags"),
    (Plain("a(ss)", _temporary_file_system, collects=True), "TemporaryFileSystem"),
    (Plain("t", _namespaces, collects=True), "RestrictNamespaces"),
    (Plain("i", _errno), "SystemCallErrorNumber"),
    (Plain("a(sst)", _open_file, collects=True), "OpenFile"),
    (Calendar(), "OnCalendar"),
    (Monotonic(), "OnActiveSec OnBootSec OnStartupSec OnUnitActiveSec OnUnitInactiveSec"),
    *((kind, name) for name, kind in LIMITS.items()),
)
DIRECTIVES: dict[str, Kind] = {name: kind for kind, names in _ROWS for name in names.split()}
# What `systemd --dump-configuration-items` calls the types of values that need no knowledge of the directive.
_KIND_OF_TYPE: dict[str, Kind] = {
    "BOOLEAN": Boolean(), "SECONDS": _SPAN, "STRING": Text(), "UNSIGNED": _UNSIGNED, "SIGNAL": _SIGNAL, "MODE": Mode(),
    "UNIT": _UNITS,
}  # fmt: skip
