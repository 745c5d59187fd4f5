# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service directory of runit's or daemontools' as a service of systemd's.

What runsv does that the script does not say is here: restart for ever, finish after every exit, the stop signal to the
main process only, the pipe to log/run, check, control, and what Debian's invoke-run adds.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._model import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import LARGEST
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Finding, Refused
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import unit_name
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import TooMuch
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.asks import asks
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.control import check, control
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.directory import Directory
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft, Options
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.finish import finish
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.log import log
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.needs import needs
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.run import run
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.scripts import own_files

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import Raw
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Rendered, Translated

# Findings that say of directives that they hold a line of shell.
_TELL_OF_SHELL = {"shell.line": {"ExecStart"}, "shell.step": {"ExecStart", "ExecStartPre"}, "shell.condition": {"ExecCondition"}}

# Tests have unexpected errors raised.
STRICT = False


def fill(draft: Draft) -> None:
    """Put the parts together.

    :raises Refused: there is no correct unit for it.
    """
    definition = draft.definition
    definition.check_size()
    for problem in definition.problems:
        draft.note("service.collecting", "collect", "", 0, problem)
    if "run" not in definition.files:
        raise Refused("refused.run", "run", "there is no run script, so runsv has nothing to start either")
    if definition.unit:
        draft.note(
            "service.packaged",
            "unit",
            "",
            0,
            f"the host already has {definition.unit}; where that is the package's own unit, use it instead of this one",
        )
    run(draft)
    check(draft)
    control(draft)
    log(draft, fill)
    finish(draft)
    _early(draft)
    asks(draft)
    needs(draft)
    _rest(draft)
    _secrets(draft)
    _lines_of_shell(draft)
    if definition.assumed and any(definition.path in value for value in _texts(draft)):
        draft.note(
            "service.path",
            "path",
            "run",
            0,
            f"the unit refers to {definition.path}, where the service directory is assumed to be on the host",
        )


def _early(draft: Draft) -> None:
    """Names that systemd's own units of the early boot order themselves behind: started later, they would be a circle."""
    if draft.definition.name not in lists.EARLY:
        return
    service = draft.service
    service.unit["DefaultDependencies"] = ["no"]
    service.unit["Before"] = ["sysinit.target shutdown.target"]
    service.after = ["local-fs.target", "systemd-tmpfiles-setup.service", *service.after]
    service.conflicts.append("shutdown.target")
    draft.note(
        "service.early",
        "boot",
        "run",
        0,
        f"units of systemd's are started after {service.name}.service, so it belongs to the early boot (DefaultDependencies=no)",
    )


def _secrets(draft: Draft) -> None:
    """What only some could read, and all can read in the unit."""
    private = [path for path, one in draft.definition.files.items() if one.get("private") and one.get("content")]
    shown = [unit for unit in units_of(draft) if unit["sections"].get("Service", {}).get("Environment")]
    if private and shown:
        path = private[0]
        draft.note(
            "environment.private",
            "private",
            path,
            0,
            f"{path} is not for every user (mode {draft.definition.files[path].get('mode')}), but what it sets is in "
            f"{shown[0]['name']} as Environment=; move secrets into a file of mode 0600 for EnvironmentFile=",
        )


def _lines_of_shell(draft: Draft) -> None:
    """Lines of shell that nothing has told of yet."""
    if draft.translation != "native":
        return
    told = set().union(*(_TELL_OF_SHELL.get(one.key, ()) for one in draft.findings))
    left = [name for name, commands in draft.service.commands_by_directive() if name not in told and any(one.is_shell() for one in commands)]
    if left:
        draft.note("shell.command", "shell", "run", 0, f"a line of shell is in {' and '.join(f'{name}=' for name in left)}")


def _texts(draft: Draft) -> list[str]:
    return [unit["content"].split("\n", 1)[1] for unit in units_of(draft)]


def units_of(draft: Draft) -> list[Rendered]:
    """The units, as the module returns them."""
    service = draft.service
    origin = f"{draft.definition.path}/run"
    name = unit_name(service.name)
    found = [render.unit(f"{name}.service", render.sections(service), origin)]
    if service.timer is not None:
        found.append(render.unit(f"{name}.timer", render.timer_sections(service), origin))
    return found + draft.companions


def _rest(draft: Draft) -> None:
    definition = draft.definition
    if "down" in definition.files:
        draft.note(
            "runit.down",
            "down",
            "down",
            0,
            "the service is not started with the host: install the unit, but do not enable it",
        )
    elif definition.state.get("once"):
        draft.note("runit.down", "once", "", 0, "running, but told not to be started again (sv once): do not enable the unit")
    mentioned = "\n".join(definition.text(path) or "" for path in definition.files)
    directory = (draft.service.working_directory or "").lstrip("-")
    for path in own_files(definition):
        if "/" in path:
            continue
        if path in mentioned:
            key, message = "runit.file", "a file of its own that the scripts mention; keep it where it is"
        elif directory == definition.path:
            key = "runit.file"
            message = "a file that runsv does not know; the service still starts in its directory: keep it where it is"
        else:
            key, message = "runit.file-unused", "a file that neither runsv nor the scripts use; left out"
        draft.note(key, "file", path, 0, message)
    if definition.has("env") and draft.translation == "native":
        scripts = definition.text("run") or ""
        if "env" not in scripts:
            draft.note("runit.file-unused", "env", "env", 0, "an env directory that no script reads; left out")
    if (
        definition.has("conf")
        and "conf" not in (definition.text("run") or "")
        and not any("conf" in (definition.text(path) or "") for path in ("finish", "check") if definition.has(path))
        and not any("conf" in (definition.text(path) or "") for path in definition.files if path.startswith("control/"))
    ):
        draft.note("runit.file-unused", "conf", "conf", 0, "a conf file that no script reads; left out")


def translate(raw: Raw, options: Options) -> Translated:
    """One service as the module returns it (without `state` and `definition`). Never raises for what is in the files."""
    definition = Directory(raw)
    draft = Draft(definition, options)
    units: list[Rendered] = []
    try:
        fill(draft)
        translation = draft.kind()
        units = units_of(draft)
        if sum(len(unit["content"]) for unit in units) > LARGEST:
            raise TooMuch(f"its units would have more than {LARGEST // 1024} KiB")
        for unit in units:
            check_name(unit["name"], "name")
    except BadInput as why:
        message = f"no unit can have the name that comes of the service's: {why.msg}"
        draft.findings.append(Finding("refused.name", "name", "", 0, message))
        translation, units = "refused", []
    except Refused as why:
        draft.findings.append(Finding(why.key, why.construct, "run", why.line, why.message))
        translation = "refused"
    except TooMuch as why:
        message = f"{why}, too much to be translated; write the unit by hand"
        draft.findings.append(Finding("refused.size", "size", "", 0, message))
        translation, units = "refused", []
    except SystemdError:
        raise
    except Exception as error:  # noqa: BLE001 - one strange script must not keep a fleet from being translated
        if STRICT:
            raise
        draft.findings.append(
            Finding(
                "refused.error",
                "script",
                "run",
                0,
                f"the scripts could not be understood ({type(error).__name__}: {error}); rewrite them by hand",
            )
        )
        translation = "refused"
    findings = []
    for one in draft.findings:
        if one not in findings:
            findings.append(one)
    result: Translated = _printable(
        {
            "name": definition.name,
            "source": definition.source,
            "path": definition.path,
            "translation": translation,
            "units": units,
            "findings": [one.as_data(definition.name, definition.path) for one in findings],
        }
    )
    return result


def _printable(value: t.Any) -> t.Any:
    """Without what UTF-8 cannot say: the rest of files in other encodings."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_printable(one) for one in value]
    return value
