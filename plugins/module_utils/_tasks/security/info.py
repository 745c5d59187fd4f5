# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `security_info` module's task: what systemd-analyze(1) says of the exposure of services, as data.

The table is read rather than its JSON, because systemd 247 has no JSON, and that of later versions leaves out the overall
level of a unit. Columns are taken from where the table's own head line has them.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session, timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, plain, short, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_directory
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name, is_template, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import (
    ProgramMissing,
    ProgramTooSlow,
    run_program,
    scratch_directory,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable, read_small
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.security.files import (
    Service,
    at_paths,
    in_tree,
    lay_out,
    write,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import not_found, resolve

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# What a policy may say of a check: parse_check() of systemd's analyze-security.c.
_POLICY = frozenset(("weight", "range", "description_good", "description_bad", "description_na"))
# Services that a failure tells of by themselves, and lines on files that become warnings.
_MOST_UNITS = 5
_MOST_LINES = 10
# Bytes of a program that is looked into.
_PROGRAM = 1 << 25
_SET = {"\u2713": True, "+": True, "\u2717": False, "-": False}


def gather(module: Module) -> dict[str, t.Any]:
    """Read what the module's options ask for; returns the module's result."""
    params = module.params
    timeout = timeout_of(params)
    end = time.monotonic() + timeout
    names = [check_name(name, globs=True) for name in params["name"] or ()]
    for name in names:
        if unit_type(name) not in ("service", ""):
            raise BadInput(f"name: {name} is no service; only services are assessed")
    _check(params)
    expected: list[str] = []
    forgives = expected if module.check_mode else None
    warnings: list[str] = []
    policy = _policy(params["security_policy"], forgives, warnings)
    # Where the policy is not there yet, nothing can be said of a threshold.
    threshold = params["threshold"] if params["security_policy"] is None or policy is not None else None
    if params["path"] is not None:
        units = assess_files(at_paths(params["path"], forgives), "path", _left(end), policy, warnings)
    elif params["root"] is not None:
        _check_templates(names)
        with open_session({"scope": "system", "root": params["root"]}, timeout) as session:
            services = in_tree(session.manager, None if params["name"] is None else names, forgives)
        units = assess_files(services, "root", _left(end), policy, warnings)
    else:
        with open_session({"scope": "system"}, timeout) as session, session.reading():
            manager = session.manager
            if params["name"] is None:
                found = [s.id for s in manager.list_units(["*.service"]) if s.load_state == "loaded"]
            else:
                found = _find(manager, names, forgives)
        units = assess(found, _left(end), policy) if found else []
    units.sort(key=lambda unit: (-unit["exposure"], unit["name"]))
    if expected:
        warnings.append(f"not there yet, taken for made by an earlier task, and not assessed: {short(expected)}")
    result: dict[str, t.Any] = {"changed": False, "warnings": warnings}
    problem = ""
    if params["threshold"] is not None:
        worse = [] if threshold is None else [unit for unit in units if unit["exposure"] > threshold]
        result["above_threshold"] = [unit["name"] for unit in worse]
        problem = _too_exposed(worse, len(units), params["threshold"]) if worse else ""
    if not params["details"]:
        for unit in units:
            del unit["directives"]
    result["units"] = units
    if problem:
        raise SystemdError(problem, **{key: value for key, value in result.items() if key != "changed"})
    return result


def _left(end: float) -> float:
    return max(end - time.monotonic(), 0.01)


def _check(params: t.Mapping[str, t.Any]) -> None:
    """Refuse options that contradict each other, and values that mean nothing."""
    for other in ("name", "root"):
        if params["path"] is not None and params[other] is not None:
            raise BadInput(f"path: names unit files by themselves, so it goes with no `{other}`; leave out one of the two")
    threshold = params["threshold"]
    if threshold is not None and not 0 <= threshold <= 10:
        tenths = f"; what `systemd-analyze --threshold` counts in tenths is {threshold / 10:g} here" if 10 < threshold <= 100 else ""
        raise BadInput(f"threshold: {threshold:g} is not from 0 (confined) to 10 (exposed){tenths}; write one such as 5 or 7.5")


def _policy(path: str | None, expected: list[str] | None, warnings: list[str]) -> bytes | None:
    """The file that says what counts how much; systemd-analyze passes over what is no policy in it without a word.

    :param expected: takes the path where there is nothing, which is an error where it is None.
    :param warnings: takes which of its checks this version does not have.
    :raises BadInput: it is no file, or no JSON of this kind.
    """
    if path is None:
        return None
    path = check_directory(path, "security_policy")
    try:
        content = read_small(path)
    except Unreadable as e:
        raise BadInput(f"security_policy: {e.msg}; name a JSON file on this host") from e
    if content is None:
        if expected is None:
            raise BadInput(f"security_policy: there is no file {path} on this host; copy it there first, or correct the path")
        expected.append(path)
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as e:
        raise BadInput(f"security_policy: {path} is no JSON: {plain(str(e))}; put that right") from e
    bad = "" if isinstance(found, dict) else "is no JSON object"
    for name, value in found.items() if not bad else ():
        if not isinstance(value, dict) or not _POLICY.issuperset(value):
            bad = f"{shown(name)} is no object with nothing but {', '.join(sorted(_POLICY))}"
            break
        # Text of several lines would be taken for more of the table that is read.
        wrong = [key for key, each in value.items() if not (_is_text(each) if key.startswith("description") else _is_count(each))]
        if wrong:
            bad = f"{shown(name)}: {wrong[0]} is {shown(value[wrong[0]])}, which is no {'line of text' if 'desc' in wrong[0] else 'whole number from 0 on'}"
            break
    if bad:
        raise BadInput(f"security_policy: {path}: {bad}; see systemd-analyze(1), `--security-policy`")
    unknown = _unknown_checks(found)
    if unknown:
        warnings.append(
            f"security_policy: {path}: this host's systemd-analyze has no check of the name {short(unknown, 5)}, and passes over it"
        )
    return content


def _is_text(value: t.Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_count(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64


def _unknown_checks(names: t.Iterable[str]) -> list[str]:
    """Those that are no names of checks in this host's systemd-analyze, which lists them nowhere but in itself."""
    import shutil

    program = shutil.which("systemd-analyze")
    try:
        content = read_small(program, _PROGRAM) if program else None
    except Unreadable:
        return []
    if not content or b"PrivateNetwork\0" not in content:
        return []
    return [plain(name) for name in names if name.encode("utf-8", "replace") + b"\0" not in content]


def _too_exposed(worse: t.Sequence[dict[str, t.Any]], among: int, threshold: float) -> str:
    """What the task fails with where services are above the threshold."""
    lines = [f"{len(worse)} of {among} services are more exposed than {threshold:g}; confine them, or raise `threshold`"]
    for unit in worse[:_MOST_UNITS]:
        costly = sorted((each for each in unit["directives"] if each["exposure"]), key=lambda each: -each["exposure"])
        helps = short([each["name"] for each in costly[:3]])
        lines.append(f"  {unit['name']}: {unit['exposure']:g} {unit['level']}{', most of all for ' if helps else ''}{helps}")
    if len(worse) > _MOST_UNITS:
        lines.append(f"  and {short([unit['name'] for unit in worse[_MOST_UNITS:]], 6)}")
    return "\n".join(lines)


def _check_templates(names: t.Sequence[str]) -> None:
    for name in names:
        if is_template(name):
            stem, _at, suffix = name.partition("@")
            raise BadInput(
                f"name: {name} is a template, of which nothing runs; name its instances ({stem}@1{suffix}, {stem}@*{suffix})"
            )


def _find(manager: UnitManager, names: t.Sequence[str], expected: list[str] | None) -> list[str]:
    """The services that are named, each once under its own name; patterns skip what cannot be assessed.

    :param expected: takes the names that are no units, which are an error where it is None.
    """
    _check_templates(names)
    resolved = [name for name in resolve(manager, names, allow_empty=True) if unit_type(name) == "service"]
    found: dict[str, None] = {}
    for name, status in zip(resolved, manager.status(resolved)):
        if status.load_state == "loaded":
            found[status.id] = None
        elif name in names:
            if status.load_state == "not-found" and expected is not None:
                expected.append(name)
                continue
            if status.load_state == "not-found":
                raise not_found([name], manager)
            hint = "unmask it first" if status.load_state == "masked" else f"see `systemctl status {name}`"
            raise BadInput(f"name: {name} is {status.load_state}, so that it cannot be assessed; {hint}")
    return list(found)


def assess(names: t.Sequence[str], timeout: float, policy: bytes | None = None) -> list[dict[str, t.Any]]:
    """The exposure of each service, all in one run of systemd-analyze.

    :param timeout: seconds it may take.
    :param policy: what counts how much, as JSON.
    :raises SystemdError: systemd-analyze is missing, fails, or takes too long.
    """
    if policy is None:
        units, said = _run(names, timeout, [], {}, "")
    else:
        with scratch_directory() as scratch:
            units, said = _run(names, timeout, [_write_policy(scratch, policy)], {}, "security_policy")
    if len(units) < len(names) and said:
        raise SystemdError(f"systemd-analyze security failed: {said}")
    return units


def assess_files(
    services: t.Sequence[Service], option: str, timeout: float, policy: bytes | None, warnings: list[str]
) -> list[dict[str, t.Any]]:
    """The exposure of services by their files alone, in as few runs of systemd-analyze as their names allow.

    :param option: by which they were named.
    :param warnings: takes what systemd makes nothing of in the files.
    :raises BadInput: this host's systemd-analyze cannot do that, or nothing with a file.
    """
    end = time.monotonic() + timeout
    units: list[dict[str, t.Any]] = []
    rest = list(services)
    while rest:
        batch = {service.instance: service for service in reversed(rest)}
        rest = [service for service in rest if batch[service.instance] is not service]
        with scratch_directory() as scratch:
            options = ["--offline=yes", *([_write_policy(scratch, policy)] if policy is not None else ())]
            directory = f"{scratch}/units"
            os.mkdir(directory)
            copies = lay_out(list(batch.values()), directory)
            paths = [f"{directory}/{name}" for name in batch]
            found, said = _run(paths, _left(end), options, {"SYSTEMD_UNIT_PATH": directory}, option)
            for copy, path in sorted(copies.items(), reverse=True):
                said = said.replace(copy, path)
        lost = [service.path for name, service in batch.items() if name not in {unit["name"] for unit in found}]
        kept = [path for path in lost if path in {service.path for service in batch.values() if not service.named}]
        if kept:
            warnings.append(f"{option}: systemd cannot assess {short(kept)}, whose files are bad; name one to be told why")
        lost = [path for path in lost if path not in kept]
        if lost:
            why = "; ".join(line.rstrip(".") for line in said.splitlines()[-_MOST_LINES:])
            raise BadInput(f"{option}: systemd cannot assess {short(lost)}: {plain(why, 1000)}; put the file right")
        for unit in found:
            service = batch[unit["name"]]
            units.append({**unit, "name": service.name, "path": service.path})
        lines = [line for line in said.splitlines() if line.startswith("/")]
        warnings += [plain(line, 500) for line in lines[:_MOST_LINES]]
    return units


def _write_policy(scratch: str, policy: bytes) -> str:
    """Keep a policy where systemd-analyze reads it; returns the option that says so."""
    write(f"{scratch}/policy.json", policy)
    return f"--security-policy={scratch}/policy.json"


def _run(
    what: t.Sequence[str], timeout: float, options: t.Sequence[str], environment: t.Mapping[str, str], option: str
) -> tuple[list[dict[str, t.Any]], str]:
    """Run systemd-analyze; returns what it says of each service, and what else.

    :param option: the option that needs systemd 250.
    """
    command = ["systemd-analyze", "--no-pager", "security", *options, "--", *what]
    try:
        done = run_program(command, timeout, env_extra={"LC_ALL": "C.UTF-8", "COLUMNS": "500", **environment})
    except ProgramMissing as e:
        raise SystemdError("systemd-analyze is not there, which assesses services; install the package systemd") from e
    except ProgramTooSlow as e:
        raise SystemdError(
            "assessing took longer than the time that was allowed; name fewer services, or give more time in `timeout`"
        ) from e
    said = done.stderr.decode("utf-8", "replace").strip()
    if option and "unrecognized option" in said:
        version = run_program(["systemd-analyze", "--version"], timeout).stdout.decode("utf-8", "replace").partition("\n")[0]
        raise BadInput(
            f"{option}: needs systemd 250 or later, and this host has {plain(version)}; "
            + ("leave it out" if option == "security_policy" else "install the units, and name them in `name`")
        )
    return parse_assessment(done.stdout.decode("utf-8", "replace")), said


def parse_assessment(text: str) -> list[dict[str, t.Any]]:
    """What `systemd-analyze security UNIT...` prints, one table and one overall line for each unit."""
    units: list[dict[str, t.Any]] = []
    directives: list[dict[str, t.Any]] = []
    columns = (0, 0, 0)
    for line in text.splitlines():
        if line.split() == ["NAME", "DESCRIPTION", "EXPOSURE"]:
            columns = (line.index("NAME"), line.index("DESCRIPTION"), line.index("EXPOSURE"))
            continue
        head, _colon, overall = line.partition(": ")
        words = head.split()
        if words[1:5] == ["Overall", "exposure", "level", "for"]:
            level = overall.split()
            units.append({"name": words[5], "exposure": float(level[0]), "level": level[1], "directives": directives})
            # The list of all units that comes after the last one has columns of its own.
            directives, columns = [], (0, 0, 0)
        elif line.strip() and columns[1]:
            exposure = line[columns[2] :].strip()
            directives.append(
                {
                    "name": line[columns[0] : columns[1]].strip().rstrip("="),
                    "set": _SET.get(line[:1]),
                    "description": line[columns[1] : columns[2]].strip(),
                    "exposure": float(exposure) if exposure else None,
                }
            )
    return units
