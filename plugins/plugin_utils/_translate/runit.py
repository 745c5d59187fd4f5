# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service directory of runit's or daemontools' as a service of systemd's.

What runsv does that the script does not say is here: restart for ever, finish after every exit, the stop signal to the
main process only, the pipe to log/run, check, control, and what Debian's invoke-run adds.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import check_name
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import programs, render
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.definition import LARGEST, Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.runit_control import Control
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.runit_service import Options
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.service import (
    DECISION,
    INFO,
    WARNING,
    Finding,
    Refused,
    unit_name,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.shell import (
    TooMuch,
    line_of,
    parse,
    text_of,
    walk,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._collect.runit import Raw
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Rendered, Translated

# Programs that ask runsv, supervise or runsvdir, besides sv.
_ASKERS = re.compile(
    r"\b(?:runsvchdir|svok|svstat|svwaitup|svwaitdown|runsvctrl|runsvstat|s6-svok|s6-svstat|s6-svwait|s6-svc|svc|update-service)\b"
)
# Tests have unexpected errors raised.
STRICT = False


class _Translator(Control):
    """Puts the parts together."""

    def run(self) -> None:
        definition = self.definition
        definition.check_size()
        for problem in definition.problems:
            self.note(WARNING, "collect", "", 0, problem)
        if "run" not in definition.files:
            raise Refused("run", "there is no run script, so runsv has nothing to start either")
        if definition.unit:
            self.note(
                DECISION,
                "unit",
                "",
                0,
                f"the host already has {definition.unit}; where that is the package's own unit, use it instead of this one",
            )
        self._run_script()
        self._check()
        self._control()
        self._log()
        self._finish()
        self._early()
        self._supervisor()
        self._rest()
        self._secrets()
        if definition.assumed and any(definition.path in value for value in self._texts()):
            self.note(
                INFO,
                "path",
                "run",
                0,
                f"the unit refers to {definition.path}, where the service directory is assumed to be on the host",
            )

    def _early(self) -> None:
        """Names that systemd's own units of the early boot order themselves behind: started later, they would be a circle."""
        if self.definition.name not in programs.EARLY:
            return
        service = self.service
        service.unit["DefaultDependencies"] = ["no"]
        service.unit["Before"] = ["sysinit.target shutdown.target"]
        service.after = ["local-fs.target", "systemd-tmpfiles-setup.service", *service.after]
        service.conflicts.append("shutdown.target")
        self.note(
            INFO,
            "boot",
            "run",
            0,
            f"units of systemd's are started after {service.name}.service, so it belongs to the early boot (DefaultDependencies=no)",
        )

    def _supervisor(self) -> None:
        """What asks or tells runsv and runsvdir, which are not there any more."""
        for path in (
            "run",
            "finish",
            "check",
            *sorted(one for one in self.definition.files if one.startswith("control/")),
        ):
            text = self.definition.text(path) or ""
            if not _ASKERS.search(text) or not self.definition.is_text(path):
                continue
            for node in walk(parse(text, path).root):
                name = text_of(node).rsplit("/", 1)[-1] if node.type == "command_name" else ""
                if _ASKERS.fullmatch(name):
                    self.note(
                        DECISION,
                        name,
                        path,
                        line_of(node),
                        f"{name} talks to the supervisor, which is not there under systemd: say with a dependency or with systemctl what it is for",
                    )

    def _secrets(self) -> None:
        """What only some could read, and all can read in the unit."""
        private = [path for path, one in self.definition.files.items() if one.get("private") and one.get("content")]
        shown = [unit for unit in self.units() if unit["sections"].get("Service", {}).get("Environment")]
        if private and shown:
            path = private[0]
            self.note(
                DECISION,
                "private",
                path,
                0,
                f"{path} is not for every user (mode {self.definition.files[path].get('mode')}), but what it sets is in "
                f"{shown[0]['name']} as Environment=; move secrets into a file of mode 0600 for EnvironmentFile=",
            )

    def _texts(self) -> list[str]:
        return [unit["content"].split("\n", 1)[1] for unit in self.units()]

    def units(self) -> list[Rendered]:
        service = self.service
        origin = f"{self.definition.path}/run"
        name = unit_name(service.name)
        found = [render.unit(f"{name}.service", render.sections(service), origin)]
        if service.timer is not None:
            found.append(render.unit(f"{name}.timer", render.timer_sections(service), origin))
        return found + self.companion

    def _rest(self) -> None:
        definition = self.definition
        if "down" in definition.files:
            self.note(
                INFO,
                "down",
                "down",
                0,
                "the service is not started with the host: install the unit, but do not enable it",
            )
        elif definition.state.get("once"):
            self.note(
                INFO, "once", "", 0, "running, but told not to be started again (sv once): do not enable the unit"
            )
        known = {
            "run",
            "finish",
            "check",
            "down",
            "log",
            "control",
            "supervise",
            "conf",
            "env",
            "README",
            "type",
            ".meta",
        }
        mentioned = "\n".join(definition.text(path) or "" for path in definition.files)
        for path in sorted(definition.files):
            head = path.split("/", 1)[0]
            if (
                head in known
                or path.endswith(("README", ".md", "~", ".bak", ".orig", ".dpkg-old", ".dpkg-dist"))
                or head.startswith(".")
            ):
                continue
            one = definition.files[path]
            if one.get("type") == "directory" or "/" in path:
                continue
            if head in mentioned:
                self.note(INFO, "file", path, 0, "a file of its own that the scripts mention; keep it where it is")
            else:
                self.note(INFO, "file", path, 0, "a file that neither runsv nor the scripts use; left out")
        if definition.has("env") and self.translation == "native":
            scripts = definition.text("run") or ""
            if "env" not in scripts:
                self.note(INFO, "env", "env", 0, "an env directory that no script reads; left out")
        if (
            definition.has("conf")
            and "conf" not in (definition.text("run") or "")
            and "conf" not in (definition.text("finish") or "")
        ):
            self.note(INFO, "conf", "conf", 0, "a conf file that no script reads; left out")


def translate(raw: Raw, options: Options) -> Translated:
    """One service as the module returns it (without `state` and `definition`). Never raises for what is in the files."""
    definition = Definition(raw)
    translator = _Translator(definition, options)
    units: list[Rendered] = []
    try:
        translator.run()
        translation = translator.translation
        units = translator.units()
        if sum(len(unit["content"]) for unit in units) > LARGEST:
            raise TooMuch(f"its units would have more than {LARGEST // 1024} KiB")
        for unit in units:
            check_name(unit["name"], "name")
    except BadInput as why:
        message = f"no unit can have the name that comes of the service's: {why.msg}"
        translator.findings.append(Finding(WARNING, "name", "", 0, message))
        translation, units = "refused", []
    except Refused as why:
        translator.findings.append(Finding(WARNING, why.construct, "run", why.line, why.message))
        translation = "refused"
    except TooMuch as why:
        message = f"{why}, too much to be translated; write the unit by hand"
        translator.findings.append(Finding(WARNING, "size", "", 0, message))
        translation, units = "refused", []
    except SystemdError:
        raise
    except Exception as error:  # noqa: BLE001 - one strange script must not keep a fleet from being translated
        if STRICT:
            raise
        translator.findings.append(
            Finding(
                WARNING,
                "script",
                "run",
                0,
                f"the scripts could not be understood ({type(error).__name__}: {error}); rewrite them by hand",
            )
        )
        translation = "refused"
    findings = []
    for one in translator.findings:
        if one not in findings:
            findings.append(one)
    result: Translated = _printable(
        {
            "name": definition.name,
            "source": definition.source,
            "path": definition.path,
            "translation": translation,
            "units": units,
            "findings": [one.as_dict() for one in findings],
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


__all__ = ["STRICT", "Options", "translate"]
