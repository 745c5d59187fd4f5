# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts answer, and what users hand on of it, where it enters the controller: types, sizes, names and paths.

A host is not trusted: it may be another's by now. Nothing of an answer is used before it went through here, and what is returned
is new, of plain types, with the known keys alone. No name in it can be a path. Names and paths have no control characters. Texts may
hold anything but lone surrogates; those that Python has for bytes that are not UTF-8 are allowed, as honest hosts have such file names.

An error names the place in the answer: `definitions[2].files[0].path: '../x' ...`.
"""

from __future__ import annotations

import re
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._sources import names
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name
from ansible_collections.pidone.systemd.plugins.plugin_utils._findings import KINDS

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import Raw, State

    class _Remediation(t.TypedDict):
        # `hint`, `variables` or `command`.
        type: str
        text: str

    class Remediation(_Remediation, total=False):
        """What to do about a finding."""

        # Of the role.
        variables: dict[str, t.Any]
        # For the host.
        command: str

    class Finding(t.TypedDict):
        """A finding of a translation, as data (`_model/finding.py`)."""

        key: str
        title: str
        severity: str
        construct: str
        file: str
        # 0 where it is about no line.
        line: int
        message: str
        remediation: Remediation

    class _Rendered(t.TypedDict):
        name: str
        content: str

    class Rendered(_Rendered, total=False):
        """A unit; `sections` is what its text is made of, from the translation alone."""

        sections: dict[str, dict[str, t.Any]]

    class Translated(t.TypedDict, total=False):
        """A service as `service_import_info` returns it; of one that is checked here, what may be left out is."""

        name: str
        source: str
        path: str
        # One of `TRANSLATIONS`.
        translation: str
        units: list[Rendered]
        findings: list[Finding]
        state: State
        definition: Raw

#: What a translation may have come to: directives only, a line of shell in a unit, the original script run by it, or nothing.
TRANSLATIONS = ("native", "shell", "wrapped", "refused")

#: Returns a value as it may be used. Raises BadInput, beginning with the place that it is told.
Check = t.Callable[[t.Any, str], t.Any]

# More than any host has: services, files of one (the collector takes 400, and 64 elsewhere), and characters of all texts together.
_MOST_SERVICES = 5000
_MOST_ENTRIES = 2000
_MOST_TEXT = 64 * 1024 * 1024
# Of a file; what is larger than the collector's limit is refused service by service, by the translator.
_LONGEST_TEXT = 8 * 1024 * 1024
_LONGEST_LINE = 64 * 1024
# NAME_MAX and PATH_MAX of Linux.
_LONGEST_NAME = 255
_LONGEST_PATH = 4096
# Lists and dictionaries within each other, in what is handed on without a meaning here.
_DEEPEST = 20

# Surrogates that do not stand for a byte (PEP 383).
_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


def shown(value: t.Any) -> str:
    """A value for a message: short, on one line, and of characters that every terminal can show."""
    if isinstance(value, str):
        return ascii(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, (bool, int, float)) or value is None:
        try:
            return ascii(value)[:60]
        except ValueError:  # Python does not write integers of more than 4,300 digits.
            return "a huge number"
    return f"a {_kind(value)}"


def _kind(value: t.Any) -> str:
    for kind, name in ((str, "text"), (bool, "boolean"), (int, "number"), (float, "number"), (list, "list"), (dict, "dictionary")):  # fmt: skip
        if isinstance(value, kind):
            return name
    return "null" if value is None else type(value).__name__


def _wrong(value: t.Any, where: str, wanted: str) -> BadInput:
    is_what = (
        f"{shown(value)} is {_kind(value)}"
        if not isinstance(value, (list, dict)) and value is not None
        else f"is {_kind(value)}"
    )
    return BadInput(f"{where}: {is_what}, not {wanted}")


def text(longest: int = _LONGEST_LINE) -> Check:
    """Any text of at most so many characters."""

    def check(value: t.Any, where: str) -> str:
        if not isinstance(value, str):
            raise _wrong(value, where, "text")
        if len(value) > longest:
            raise BadInput(f"{where}: has {len(value)} characters; {longest} are taken at most")
        if _LONE.search(value):
            raise BadInput(f"{where}: {shown(value)} holds half a character (a lone surrogate)")
        # Not a subclass, which may carry tags (of trust, most of all) or be evaluated later.
        return str.__str__(value)

    return check


def line(longest: int = _LONGEST_LINE) -> Check:
    """Text without line breaks and other control characters."""
    as_text = text(longest)

    def check(value: t.Any, where: str) -> str:
        found: str = as_text(value, where)
        if _CONTROL.search(found):
            raise BadInput(f"{where}: {shown(found)} holds a control character")
        return found

    return check


def service_name(value: t.Any, where: str) -> str:
    """The name of a service: that of a directory, and never a path."""
    if not isinstance(value, str) or not value:
        raise _wrong(value, where, "the name of a service") if value != "" else BadInput(f"{where}: is empty")
    if "/" in value or value in (".", ".."):
        raise BadInput(f"{where}: {shown(value)} is a path, not the name of a service")
    if len(value.encode("utf-8", "surrogatepass")) > _LONGEST_NAME:
        raise BadInput(f"{where}: {shown(value)} is longer than {_LONGEST_NAME} bytes, as no name of a directory is")
    return t.cast(str, line(_LONGEST_NAME)(value, where))


def unit_name(value: t.Any, where: str) -> str:
    """The full name of a unit."""
    found = t.cast(str, line(_LONGEST_PATH)(value, where))
    if check_name(found, where) != found:
        raise BadInput(f"{where}: {shown(found)} is no unit name, as it has no suffix such as .service")
    return found


def path(value: t.Any, where: str) -> str:
    """An absolute path of the host."""
    found = t.cast(str, line(_LONGEST_PATH)(value, where))
    if not found.startswith("/"):
        raise BadInput(f"{where}: {shown(found)} is not an absolute path")
    return found


def relative(value: t.Any, where: str) -> str:
    """A path below the service directory."""
    found = t.cast(str, text(_LONGEST_PATH)(value, where))
    if not found or "\0" in found or found.startswith("/") or ".." in found.split("/"):
        raise BadInput(f"{where}: {shown(found)} is not a path below the service directory")
    return found


def boolean(value: t.Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, where, "true or false")
    return bool(value)


def number(value: t.Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, where, "a whole number")
    if not -(2**63) <= value < 2**64:
        raise BadInput(f"{where}: is a number of more than 64 bits")
    return int(value)


def seconds(value: t.Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(value, where, "a number")
    if not abs(value) < 2**63:
        raise BadInput(f"{where}: is no number of seconds")
    return float(value)


def mode(value: t.Any, where: str) -> str:
    """The mode of a file in octal digits."""
    found = t.cast(str, line(16)(value, where))
    if not re.fullmatch("[0-7]{1,5}", found):
        raise BadInput(f"{where}: {shown(found)} is no mode of a file such as '0755'")
    return found


def choice(*choices: str) -> Check:
    def check(value: t.Any, where: str) -> str:
        if not isinstance(value, str) or value not in choices:
            raise BadInput(f"{where}: {shown(value)} is none of {', '.join(choices)}")
        return next(one for one in choices if one == value)

    return check


def optional(inner: Check) -> Check:
    """The value, or null."""
    return lambda value, where: None if value is None else inner(value, where)


def list_of(inner: Check, most: int = _MOST_ENTRIES) -> Check:
    def check(value: t.Any, where: str) -> list[t.Any]:
        if isinstance(value, tuple):
            value = list(value)
        if not isinstance(value, list):
            raise _wrong(value, where, "a list")
        if len(value) > most:
            raise BadInput(f"{where}: has {len(value)} entries; {most} are taken at most")
        return [inner(one, f"{where}[{number}]") for number, one in enumerate(value)]

    return check


def table_of(key: Check, inner: Check, most: int = _MOST_ENTRIES) -> Check:
    """A dictionary from names to values."""

    def check(value: t.Any, where: str) -> dict[str, t.Any]:
        if not isinstance(value, t.Mapping):
            raise _wrong(value, where, "a dictionary")
        if len(value) > most:
            raise BadInput(f"{where}: has {len(value)} entries; {most} are taken at most")
        return {key(name, f"{where}, a key"): inner(one, f"{where}.{shown(name)}") for name, one in value.items()}

    return check


def record(needed: t.Mapping[str, Check], more: t.Mapping[str, Check]) -> Check:
    """A dictionary with keys of a meaning; others are left out, as a later version may have them."""

    def check(value: t.Any, where: str) -> dict[str, t.Any]:
        if not isinstance(value, t.Mapping):
            raise _wrong(value, where, "a dictionary")
        for key in needed:
            if key not in value:
                raise BadInput(f"{where}: lacks {key}")
        return {
            key: inner(value[key], f"{where}.{key}") for key, inner in (*needed.items(), *more.items()) if key in value
        }

    return check


def anything(value: t.Any, where: str, depth: int = 0) -> t.Any:
    """What is shown or handed on and means nothing here: plain types, not too deep."""
    if depth > _DEEPEST:
        raise BadInput(f"{where}: is nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        return text(_LONGEST_TEXT)(value, where)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return number(value, where)
    if isinstance(value, float):
        return seconds(value, where)
    if isinstance(value, (list, tuple)):
        if len(value) > _MOST_ENTRIES:
            raise BadInput(f"{where}: has {len(value)} entries; {_MOST_ENTRIES} are taken at most")
        return [anything(one, f"{where}[{place}]", depth + 1) for place, one in enumerate(value)]
    if isinstance(value, t.Mapping):
        as_key = text(_LONGEST_PATH)
        return table_of(as_key, lambda one, place: anything(one, place, depth + 1))(value, where)
    raise _wrong(value, where, "a plain value")


def _truth(value: t.Any, where: str) -> bool:
    """What conditions of playbooks may be."""
    if value is not None and not isinstance(value, (bool, int, str)):
        raise _wrong(value, where, "true or false")
    return bool(value)


_STATE = record(
    {},
    {
        "enabled": boolean,
        "running": boolean,
        "wanted": optional(choice("up", "down")),
        "down": boolean,
        "pid": optional(number),
        "once": boolean,
        "paused": boolean,
        "since": number,
    },
)
_FILE = {
    "type": choice("file", "link", "directory", "fifo", "socket", "device", "absent"),
    "target": text(_LONGEST_PATH),
    "mode": mode,
    "size": number,
    "binary": boolean,
    "truncated": boolean,
    "private": boolean,
    "variables": list_of(line(_LONGEST_NAME)),
    "mentioned": list_of(line(_LONGEST_NAME)),
    "content": optional(text(_LONGEST_TEXT)),
    "encoding": choice("utf-8", "base64"),
}
_SOURCE = choice(*names())
# What a plan needs of a definition.
_PLACE: dict[str, Check] = {
    "name": service_name,
    "source": _SOURCE,
    "path": path,
    "live": boolean,
    "links": list_of(path),
    "unit": optional(path),
}
_WORD = line(_LONGEST_NAME)
_USER = record({}, {"uid": _WORD, "gid": _WORD, "home": line(_LONGEST_PATH), "groups": list_of(_WORD)})
_DEFINITION = record(
    {"name": service_name},
    {
        **_PLACE,
        "assumed_path": boolean,
        "files": list_of(record({"path": relative}, _FILE)),
        "external": list_of(record({"path": path}, _FILE)),
        "state": _STATE,
        "commands": table_of(_WORD, path, 100000),
        "users": table_of(_WORD, _USER, 100000),
        "initscript": optional(path),
        "problems": list_of(text()),
        "fixed": text(),
    },
)
_REMEDIATION = record(
    {"type": choice("hint", "variables", "command"), "text": text()},
    {"variables": table_of(text(_LONGEST_NAME), anything), "command": text()},
)


def _key(value: t.Any, where: str) -> str:
    """The key of a finding."""
    found = t.cast(str, text(_LONGEST_NAME)(value, where))
    if found not in KINDS:
        raise BadInput(f"{where}: {shown(found)} is the key of no finding")
    return found


_FINDING = record(
    {"key": _key, "severity": choice("info", "warning", "decision"), "message": text()},
    {"title": text(), "construct": text(), "file": text(_LONGEST_PATH), "line": number, "remediation": _REMEDIATION},
)
_UNIT = record({"name": unit_name, "content": text(_LONGEST_TEXT)}, {})
_SERVICE = record(
    {
        "name": service_name,
        "path": path,
        "translation": choice(*TRANSLATIONS),
        "units": list_of(_UNIT),
        "findings": list_of(_FINDING),
        "state": _STATE,
    },
    {"source": _SOURCE, "definition": _DEFINITION},
)

_DIFFERENCE = record(
    {"what": text()},
    {"before": anything, "after": anything, "reason": optional(text()), "expected": _truth, "worse": _truth},
)
_RESULT = record(
    {"name": text()},
    {
        "outcome": optional(text()),
        "message": optional(text(_LONGEST_TEXT)),
        "before": anything,
        "after": anything,
        "differences": optional(list_of(_DIFFERENCE)),
        "seconds": optional(seconds),
    },
)
_ROW = record(
    {"name": text()},
    {
        "origin": optional(text()),
        "path": optional(text()),
        "translation": optional(text()),
        "state": anything,
        "findings": optional(list_of(_FINDING)),
        "drift": optional(text(_LONGEST_TEXT)),
        "units": optional(list_of(record({"name": text(), "content": text(_LONGEST_TEXT)}, {}))),
        "packaged": optional(record({"name": text(), "path": text()}, {})),
    },
)
_FACTS = record(
    {},
    {
        "host": optional(text()),
        "mode": optional(text()),
        "source": optional(_SOURCE),
        "when": optional(text()),
        "checked": _truth,
        "failed": _truth,
        "seconds": optional(seconds),
        "services": optional(list_of(_ROW, _MOST_SERVICES)),
        "results": optional(list_of(_RESULT, _MOST_SERVICES)),
        "blocked": optional(list_of(record({"name": text(), "reasons": list_of(text())}, {}), _MOST_SERVICES)),
        "left_out": optional(list_of(record({"name": text(), "reason": text()}, {"running": _truth}), _MOST_SERVICES)),
        "listeners": optional(list_of(_DIFFERENCE)),
        "notes": optional(list_of(optional(text(_LONGEST_TEXT)))),
    },
)
# Keys that have a meaning to Ansible and cannot change what it does; of `ansible_facts` there is only what the controller found.
_RUN = (
    "failed", "unreachable", "skipped", "msg", "rc", "exception", "warnings", "deprecations", "invocation", "module_stdout", "module_stderr",
    "ansible_facts",
)  # fmt: skip
_COUNTS = table_of(text(), number)
_STOPPED = record({"stopped": text()}, {"host": text()})
_SUMMARY = record(
    {
        "ok": boolean,
        "mode": text(),
        "checked": boolean,
        "counts": _COUNTS,
        "outcomes": _COUNTS,
        "parity": record({"same": number, "of": number}, {}),
        "blocked": table_of(text(), list_of(text()), _MOST_SERVICES),
        "seconds": optional(seconds),
    },
    {"host": text(), "source": text(), "when": text(), "notes": list_of(text(_LONGEST_TEXT))},
)


def facts(value: t.Any, where: str = "input") -> dict[str, t.Any]:
    """What a report is made of.

    :raises BadInput: it is something else; the text names the place.
    """
    return t.cast("dict[str, t.Any]", _FACTS(value, where))


def summaries(value: t.Any, where: str = "input") -> dict[str, t.Any]:
    """What a report of a fleet is made of: by host a summary, why there is none (`stopped`), or null.

    :raises BadInput: it is something else; the text names the place.
    """

    def check(one: t.Any, place: str) -> t.Any:
        if isinstance(one, t.Mapping) and one.get("failed") and "ok" not in one:
            # The report itself could not be made.
            return {"stopped": "stopped"}
        return (_STOPPED if isinstance(one, t.Mapping) and one.get("stopped") else _SUMMARY)(one, place)

    return t.cast("dict[str, t.Any]", table_of(text(), optional(check), 100000)(value, where))


_HANDED_OVER = record(
    {"name": text(), "source": text(), "phase": text(), "units": list_of(record({"name": text()}, {}))}, {}
)
_HANDOVER_INFO = record(
    {
        "runs": text(),
        "booted": boolean,
        "installed": boolean,
        "init_phase": text(),
        "services": list_of(_HANDED_OVER, _MOST_SERVICES),
        "os_release": table_of(text(), text()),
    },
    {},
)


def handover_info(answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """What `service_handover_info` returned, without what is not its own.

    :raises BadInput: it is something else; the text names the place.
    """
    return t.cast("dict[str, t.Any]", _HANDOVER_INFO(answer, "the answer"))


_NAMES = list_of(line(_LONGEST_NAME + 1), 100000)
_BOOT = record({"id": line(100), "userspace": number}, {})
_UNITS = record({"active": _NAMES, "failed": _NAMES}, {})
_INHIBITOR = record({"who": text(), "why": text(), "mode": text(16), "user": text(), "pid": number}, {})
_LOOK = record(
    {"needed": boolean},
    {
        "boot": _BOOT,
        "units": _UNITS,
        "inhibitors": list_of(_INHIBITOR, 10000),
        "scheduled_shutdown": record({"type": text(64), "time": optional(text(64))}, {}),
        "steps": list_of(text()),
        "diff": anything,
    },
)
_AFTER = record(
    {"boot": _BOOT, "old": boolean, "state": line(64)},
    {
        "stopping": boolean,
        "finished": boolean,
        "jobs": _NAMES,
        "lost": _NAMES,
        "newly_failed": _NAMES,
        "failures": anything,
        "report": text(),
    },
)


def reboot_look(answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """What `reboot` has found before it does anything.

    :raises BadInput: it is something else; the text names the place.
    """
    found: dict[str, t.Any] = _LOOK(answer, "the answer")
    return _with(found, "boot", "units") if found["needed"] else found


def reboot_after(answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """What `reboot` says of a host that answers again.

    :raises BadInput: it is something else; the text names the place.
    """
    found: dict[str, t.Any] = _AFTER(answer, "the answer")
    _with(found, *(("stopping",) if found["old"] else ("finished",)))
    return _with(found, "lost", "newly_failed") if found.get("finished") else found


def _with(found: dict[str, t.Any], *needed: str) -> dict[str, t.Any]:
    for key in needed:
        if key not in found:
            raise BadInput(f"the answer: lacks {key}")
    return found


@contextmanager
def of_host(task_vars: dict[str, t.Any] | None) -> t.Iterator[None]:
    """While the answer of a task's host is checked: what is wrong with it is told with the host's name.

    :raises BadInput: something is.
    """
    try:
        yield
    except BadInput as error:
        host = (task_vars or {}).get("inventory_hostname") or "the host"
        raise BadInput(
            f"{host} gave an answer that the module does not give, so nothing of it is used; {error.msg}"
        ) from None


def without_facts(action: t.Any, answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """An answer without what would choose what a play does next: facts stand above the defaults of roles, and hosts can be added.

    What stays is the interpreter that the controller itself has found.

    :param action: the action plugin that ran the module.
    """
    found = {key: value for key, value in answer.items() if key not in ("ansible_facts", "add_host", "add_group")}
    key = getattr(action, "_discovered_interpreter_key", None)
    if key:
        found["ansible_facts"] = {key: action._discovered_interpreter}
    return found


def of_its_run(action: t.Any, answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """What Ansible itself tells of the run of a module that changes nothing. Whatever else a host says is not passed on.

    :param action: the action plugin that ran the module.
    """
    answer = without_facts(action, answer)
    found = {key: answer[key] for key in _RUN if key in answer}
    for key in ("failed", "unreachable", "skipped"):
        if key in found:
            found[key] = bool(found[key])
    found["changed"] = False
    return found


def definitions(value: t.Any, where: str = "definitions") -> list[Raw]:
    """Definitions as the collector returns them.

    :raises BadInput: they are not; the text names the place.
    """
    return t.cast("list[Raw]", _checked(_DEFINITION, value, where))


def services(value: t.Any, where: str = "services") -> list[Translated]:
    """Services as `service_import_info` returns them.

    :raises BadInput: they are not; the text names the place.
    """
    return t.cast("list[Translated]", _checked(_SERVICE, value, where))


def _checked(one: Check, value: t.Any, where: str) -> t.Any:
    found = list_of(one, _MOST_SERVICES)(value, where)
    total = _size(found)
    if total > _MOST_TEXT:
        raise BadInput(f"{where}: has {total} characters of text; {_MOST_TEXT} are taken at most")
    return found


def _size(value: t.Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(_size(one) for one in value)
    if isinstance(value, dict):
        return sum(len(key) + _size(one) for key, one in value.items())
    return 0
