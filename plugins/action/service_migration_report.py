# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of the module runs here, on the controller, where the reports are kept."""

from __future__ import annotations

import datetime
import json
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._sources import names
from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers
from ansible_collections.pidone.systemd.plugins.plugin_utils._markdown import plain
from ansible_collections.pidone.systemd.plugins.plugin_utils._migration_report import Report, report
from ansible_collections.pidone.systemd.plugins.plugin_utils._places import Directory

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "mode": {"type": "str", "choices": ["plan", "handover", "system", "rollback", "finish"], "default": "plan"},
    "source": {"type": "str", "choices": names(), "default": names()[0]},
    "began": {"type": "float"},
    "plan": {"type": "dict", "default": {}},
    "results": {"type": "list", "elements": "dict", "default": []},
    "listeners": {"type": "list", "elements": "dict", "default": []},
    "notes": {"type": "list", "elements": "str", "default": []},
    "failure": {"type": "str", "default": ""},
    "directory": {"type": "path", "default": ""},
}


class ActionModule(ActionBase):
    """Shows and keeps the report of a host; contacts no host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        host = str((task_vars or {}).get("inventory_hostname", ""))
        now = datetime.datetime.now(datetime.UTC)
        facts = {
            "host": host,
            "mode": options["mode"],
            "source": options["source"],
            "checked": self._task.check_mode,
            "when": f"{now:%Y-%m-%d %H:%M:%S} UTC",
            "seconds": None if options["began"] is None else max(0.0, now.timestamp() - options["began"]),
            **{key: options["plan"].get(key) or [] for key in ("services", "blocked", "left_out")},
            **{key: options[key] for key in ("results", "listeners", "notes")},
        }
        try:
            # They are what a host answered, by way of the playbook.
            facts = _answers.facts(facts, "the report")
            failure = options["failure"]
            if not failure and facts["blocked"] and options["mode"] != "plan":
                failure = _undecided(host, facts["blocked"])
            made = report({**facts, "failed": bool(failure)})
            result.update(made.summary, changed=False)
            result["files"] = [] if self._task.check_mode else _kept(made, options["directory"], bool(failure))
        except SystemdError as error:
            result.update(failed=True, msg=error.msg, **error.data)
            if "ok" in result:
                result["ok"] = False
            return result
        for line in made.lines:
            Display().display(line)
        # Of a failure all is shown, and the lines have been a moment ago.
        if failure:
            result.update(failed=True, msg="\n".join(map(plain, failure.split("\n"))))
        else:
            result["lines"] = made.lines
        return result


def _undecided(host: str, blocked: list[dict[str, t.Any]]) -> str:
    reasons = [reason for one in blocked for reason in one["reasons"]]
    return (
        f"Nothing has been changed on {host}, since {len(blocked)} of its services are not ready to move. "
        "Take the decisions in `accept`, write units by hand into the directory of overrides, or exclude services. "
        f"{'; '.join(reasons)}"
    )


def _kept(made: Report, directory: str, failed: bool) -> list[str]:
    """The files that were written: the report for people, and the one for programs."""
    if not directory:
        return []
    place, files = Directory(directory, "directory"), []
    texts = {"md": made.markdown, "json": json.dumps(made.data, indent=4, sort_keys=True, ensure_ascii=False)}
    # A run that found nothing to do must not take the place of the report of the one that did it.
    done = set(made.summary["outcomes"])
    nothing = not done if made.summary["mode"] == "finish" else done <= {"already"}
    stays = nothing and not failed and made.summary["mode"] != "plan"
    for suffix, text in texts.items():
        name = f"{made.file}.{suffix}"
        if stays and place.read(name) is not None:
            continue
        place.write(text, 0o600, name)
        files.append(place.shown(name))
    return files
