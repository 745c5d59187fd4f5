# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `security_info` module's task: what systemd-analyze(1) says of the exposure of services, as data.

The table is read rather than its JSON, because systemd 247 has no JSON, and that of later versions leaves out the overall
level of a unit. Columns are taken from where the table's own head line has them.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session, timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name, is_template, unit_type
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import (
    ProgramMissing,
    ProgramTooSlow,
    run_program,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import not_found, resolve

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

_SET = {"\u2713": True, "+": True, "\u2717": False, "-": False}


def gather(module: Module) -> dict[str, t.Any]:
    """Read what the module's options ask for; returns the module's result."""
    params = module.params
    timeout = timeout_of(params)
    names = [check_name(name, globs=True) for name in params["name"] or ()]
    for name in names:
        if unit_type(name) not in ("service", ""):
            raise BadInput(f"name: {name} is no service; only services are assessed")
    expected: list[str] = []
    with open_session({"scope": "system"}, timeout) as session, session.reading():
        manager = session.manager
        if params["name"] is None:
            found = [s.id for s in manager.list_units(["*.service"]) if s.load_state == "loaded"]
        else:
            found = _find(manager, names, expected if module.check_mode else None)
    units = assess(found, max(session.deadline - time.monotonic(), 0.01)) if found else []
    if not params["details"]:
        for unit in units:
            del unit["directives"]
    units.sort(key=lambda unit: (-unit["exposure"], unit["name"]))
    warnings = [f"not there yet, taken for made by an earlier task, and not assessed: {short(expected)}"] if expected else []
    return {"changed": False, "units": units, "warnings": warnings}


def _find(manager: UnitManager, names: t.Sequence[str], expected: list[str] | None) -> list[str]:
    """The services that are named, each once under its own name; patterns skip what cannot be assessed.

    :param expected: takes the names that are no units, which are an error where it is None.
    """
    for name in names:
        if is_template(name):
            stem, _at, suffix = name.partition("@")
            raise BadInput(
                f"name: {name} is a template, of which nothing runs; name its instances ({stem}@1{suffix}, {stem}@*{suffix})"
            )
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


def assess(names: t.Sequence[str], timeout: float) -> list[dict[str, t.Any]]:
    """The exposure of each service, all in one run of systemd-analyze.

    :param timeout: seconds it may take.
    :raises SystemdError: systemd-analyze is missing, fails, or takes too long.
    """
    environment = {"LC_ALL": "C.UTF-8", "COLUMNS": "500"}
    command = ["systemd-analyze", "--no-pager", "security", "--", *names]
    try:
        done = run_program(command, timeout, env_extra=environment)
    except ProgramMissing as e:
        raise SystemdError("systemd-analyze is not there, which assesses services; install the package systemd") from e
    except ProgramTooSlow as e:
        raise SystemdError(
            "assessing took longer than the time that was allowed; name fewer services, or give more time in `timeout`"
        ) from e
    units = parse_assessment(done.stdout.decode("utf-8", "replace"))
    if len(units) < len(names) and done.stderr.strip():
        raise SystemdError(f"systemd-analyze security failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return units


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
