# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services move, with which units, and what a person has to decide before they do. No I/O but reading and writing
the directories of units on the controller."""

from __future__ import annotations

import difflib
import fnmatch
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._sources import names
from ansible_collections.pidone.systemd.plugins.plugin_utils._findings import KINDS, check_pattern
from ansible_collections.pidone.systemd.plugins.plugin_utils._findings.kinds import DECISION
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import unit_name as as_unit_name
from ansible_collections.pidone.systemd.plugins.plugin_utils._places import Directory, file_name

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import Raw
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Finding, Rendered, Translated

    class Dropin(t.TypedDict):
        unit: str
        name: str
        content: str

    class Packaged(t.TypedDict):
        name: str
        path: str

    class Planned(Translated, total=False):
        """A service that moves, in the form of the option `services` of `service_handover`."""

        # `translated`, `reviewed`, `override` or `packaged`.
        origin: str
        # What the units kept for review say otherwise, as a unified diff.
        drift: str
        dropins: list[Dropin]
        packaged: Packaged
        # Decisions that nobody has taken.
        open: list[Finding]
        accept: list[str]
        blocked: bool

    class Blocked(t.TypedDict):
        name: str
        reasons: list[str]

    class LeftOut(t.TypedDict):
        name: str
        reason: str
        running: bool


# What is kept of a definition.
_PLACE = ("name", "source", "path", "live", "links")
# What a unit of a package may do in another way than the run script did: all but the program, its user and its sockets.
LOOSE = ("command", "cwd", "environment", "group", "groups", "limits", "nice", "root", "umask")


class Choice(t.NamedTuple):
    """What the user has chosen; see the options of the module `service_import_plan`."""

    select: t.Sequence[str] = ("*",)
    exclude: t.Sequence[str] = ()
    packaged: t.Sequence[str] = ("*",)
    accept: t.Sequence[str] = ()
    ignore: t.Sequence[str] = ()
    overrides: str = ""
    render_to: str = ""
    host: str = ""
    idle: bool = False
    moved: t.Sequence[str] = ()
    accept_differences: t.Sequence[str] = ()
    in_place: bool = False


class Outcome(t.NamedTuple):
    """The plan of one host, and the files that were (or in check mode would be) written."""

    services: list[Planned]
    blocked: list[Blocked]
    left_out: list[LeftOut]
    written: list[str]
    diffs: list[dict[str, str]]


def matches(name: str, patterns: t.Iterable[str]) -> bool:
    """Whether one of the globs matches the name."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _name_and_key(entry: str) -> tuple[str, str]:
    """An entry of `accept` or `ignore`: globs of services and keys. Services are named as directories are, also with colons."""
    name, colon, key = entry.rpartition(":")
    return (name.strip(), key.strip()) if colon else (entry.strip(), "*")


def among(service: str, key: str, entries: t.Iterable[str]) -> bool:
    """Whether a finding is meant: by a glob of its service, or by `SERVICE:KEY` with globs on both sides."""
    return any(
        fnmatch.fnmatchcase(service, name) and fnmatch.fnmatchcase(key, what) for name, what in map(_name_and_key, entries)
    )


def _check_keys(choice: Choice) -> None:
    """:raises BadInput: an entry is for no finding at all, or a decision that is to be ignored."""
    for option, entries in (("accept", choice.accept), ("ignore", choice.ignore)):
        for entry in entries:
            key = check_pattern(_name_and_key(entry)[1], option)
            if option == "ignore" and key in KINDS and KINDS[key].severity == DECISION:
                raise BadInput(f"ignore: {entry!r} is a decision, which has to be taken; name it in accept")


def plan(services: t.Sequence[Translated], choice: Choice, write: bool) -> Outcome:
    """Choose services and their units.

    :param services: as `service_import_info` returns them, checked (`_answers.services`).
    :param write: whether to write the units that `render_to` lacks.
    :raises BadInput: a directory cannot be read or written, or a pattern of `select` matches no service.
    """
    outcome = Outcome([], [], [], [], [])
    _check_directories(choice)
    _check_keys(choice)
    for pattern in choice.select:
        if pattern in choice.moved:
            continue
        if "*" not in pattern and not any(fnmatch.fnmatchcase(str(one["name"]), pattern) for one in services):
            raise BadInput(f"select: {pattern!r} matches no service of {choice.host or 'the host'}; there are: "
                           f"{', '.join(sorted({str(one['name']) for one in services})) or 'none'}")  # fmt: skip
    chosen: dict[str, Translated] = {}
    for service in services:
        reason = _why_not(service, choice)
        if reason:
            # Definitions that nobody uses are no news.
            if reason != "idle":
                running = bool(service["state"].get("running"))
                outcome.left_out.append({"name": service["name"], "reason": reason, "running": running})
            continue
        name = str(service["name"])
        if name in chosen:
            rival = chosen[name]
            if _idle(rival) and not _idle(service):
                chosen[name] = service
            elif _idle(rival) and name in choice.moved:
                # The one that was in use is not any more. The first of a source's places is the administrator's.
                continue
            elif _idle(rival) or not _idle(service):
                outcome.blocked.append(
                    {
                        "name": name,
                        "reasons": [f"there are two of this name, {rival['path']} and {service['path']}: exclude one"],
                    }
                )
            continue
        chosen[name] = service
    for service in chosen.values():
        outcome.services.append(_planned(service, choice, outcome, write))
    return outcome


def _check_directories(choice: Choice) -> None:
    if choice.overrides and not os.path.isdir(choice.overrides):
        raise BadInput(
            f"overrides: {choice.overrides} is not a directory on the controller; make it, or leave out the option"
        )


def _idle(service: Translated) -> bool:
    state = service["state"]
    return not (state.get("enabled") or state.get("running") or state.get("wanted"))


def _why_not(service: Translated, choice: Choice) -> str:
    """Why a service stays out; empty where it does not. `idle`: it is only a definition."""
    name = str(service["name"])
    if matches(name, choice.exclude):
        return "excluded"
    if not matches(name, choice.select):
        return "not selected"
    if _idle(service) and not choice.idle and name not in choice.select and name not in choice.moved:
        return "idle"
    return ""


def _planned(service: Translated, choice: Choice, outcome: Outcome, write: bool) -> Planned:
    name = str(service["name"])
    definition = t.cast("Raw", service.get("definition") or {})
    planned: Planned = {
        "name": name,
        "source": service.get("source", names()[0]),
        "path": service["path"],
        "translation": service["translation"],
        "state": service["state"],
        "findings": [one for one in service["findings"] if one["severity"] == DECISION or not among(name, one["key"], choice.ignore)],
        "units": [{"name": unit["name"], "content": unit["content"]} for unit in service["units"]],
        # Without the files, which may hold secrets and have done their work.
        "definition": t.cast("Raw", {key: definition.get(key) for key in _PLACE if key in definition}),
        "dropins": [],
        "origin": "translated",
        "drift": "",
    }
    packaged = definition.get("unit")
    unit_name = f"{as_unit_name(name)}.service"
    override = _override(choice, unit_name)
    if override is not None:
        _take(planned, "override", [{"name": unit_name, "content": override}])
        planned["units"] += _other_overrides(choice, as_unit_name(name))
    elif packaged and matches(name, choice.packaged):
        _take(planned, "packaged", [])
        planned["packaged"] = {"name": unit_name, "path": packaged}
    elif choice.render_to and planned["units"]:
        _review(planned, choice, outcome, write, 0o600 if _is_private(definition) else 0o644)
    planned["dropins"] = _dropins(choice, unit_name)
    planned["open"] = _open(planned, choice)
    reasons = []
    if planned["translation"] == "refused" and planned["origin"] == "translated":
        why = [one["message"] for one in service["findings"] if one["severity"] == "warning"] or [
            "no unit could be made of it"
        ]
        reasons.append(f"refused: {why[-1]}. Write {unit_name} by hand into the directory of overrides, or exclude it")
    if choice.in_place and definition.get("fixed"):
        reasons.append(f"{definition['fixed']}, or exclude it")
    reasons += [f"decide ({name}:{one['key']}): {_place(one)}{one['message']}" for one in planned["open"]]
    planned["accept"] = _tolerated(planned, choice)
    if name in choice.moved:
        # There is nothing left to decide.
        reasons = []
    planned["blocked"] = bool(reasons)
    if reasons:
        outcome.blocked.append({"name": name, "reasons": reasons})
    return planned


def _tolerated(planned: Planned, choice: Choice) -> list[str]:
    """Kinds of differences that are no reason to go back."""
    kinds = list(LOOSE) if planned["origin"] in ("packaged", "override") else []
    if planned["origin"] == "override":
        # Who wrote the unit has decided what it runs, and as whom; that it serves where the service did is still seen to.
        kinds += ["program", "user"]
    for one in choice.accept_differences:
        # A service's name may hold a colon.
        name, colon, kind = one.rpartition(":")
        if not colon:
            kinds.append(one.strip())
        elif fnmatch.fnmatchcase(planned["name"], name.strip()):
            kinds.append(kind.strip())
    # Sockets have names with blanks, and are a matter of the host.
    return sorted({kind for kind in kinds if " " not in kind})


def _take(planned: Planned, origin: str, units: list[Rendered]) -> None:
    planned["origin"] = origin
    planned["units"] = units


def _place(finding: Finding) -> str:
    if not finding.get("file"):
        return ""
    return f"{finding['file']}:{finding['line']} " if finding.get("line") else f"{finding['file']} "


def _open(planned: Planned, choice: Choice) -> list[Finding]:
    """Decisions that nobody has taken. Whoever wrote or reviewed the unit has taken them, and so has the packager."""
    if planned["origin"] != "translated":
        return []
    return [
        one
        for one in planned["findings"]
        if one["severity"] == DECISION and not among(planned["name"], one["key"], choice.accept)
    ]


def _is_private(definition: Raw) -> bool:
    """Whether what only some users of the host may read came here, and so into the units."""
    files = [*(definition.get("files") or ()), *(definition.get("external") or ())]
    return any(isinstance(one, dict) and one.get("private") and one.get("content") for one in files)


def _override(choice: Choice, name: str) -> str | None:
    """The text of a file among the overrides, that of the host first; None where there is none."""
    if not choice.overrides:
        return None
    directory = Directory(choice.overrides, "overrides")
    own = directory.read(file_name(choice.host), name) if choice.host else None
    return directory.read(name) if own is None else own


def _other_overrides(choice: Choice, name: str) -> list[Rendered]:
    """The other units that belong to a service written by hand, such as its timer or socket."""
    found: list[Rendered] = []
    for suffix in ("socket", "timer", "path"):
        text = _override(choice, f"{name}.{suffix}")
        if text is not None:
            found.append({"name": f"{name}.{suffix}", "content": text})
    return found


def _dropins(choice: Choice, unit_name: str) -> list[Dropin]:
    found: dict[str, Dropin] = {}
    if not choice.overrides:
        return []
    directory = Directory(choice.overrides, "overrides")
    for place in ((), (file_name(choice.host),)) if choice.host else ((),):
        for file in directory.names(*place, f"{unit_name}.d"):
            if file.endswith(".conf"):
                content = directory.read(*place, f"{unit_name}.d", file) or ""
                found[file] = {"unit": unit_name, "name": file, "content": content}
    return [found[file] for file in sorted(found)]


def _review(planned: Planned, choice: Choice, outcome: Outcome, write: bool, mode: int) -> None:
    """Take the units that are kept for review, and write those that are not there yet, with this mode."""
    directory = Directory(choice.render_to, "render_to")
    place = (file_name(choice.host),) if choice.host else ()
    units: list[Rendered] = []
    drift: list[str] = []
    all_there = True
    for unit in planned["units"]:
        path = directory.shown(*place, unit["name"])
        kept = directory.read(*place, unit["name"])
        if kept is None:
            all_there = False
            outcome.written.append(path)
            outcome.diffs.append({"before": "", "after": unit["content"], "before_header": path, "after_header": path})
            if write:
                directory.write(unit["content"], mode, *place, unit["name"])
            units.append(unit)
            continue
        units.append({"name": unit["name"], "content": kept})
        if kept.split("\n") != unit["content"].split("\n"):
            drift += difflib.unified_diff(
                unit["content"].splitlines(), kept.splitlines(), "translated today", f"kept in {path}", lineterm="", n=1
            )
    planned["units"] = units
    planned["drift"] = "\n".join(drift)
    if all_there:
        planned["origin"] = "reviewed"
