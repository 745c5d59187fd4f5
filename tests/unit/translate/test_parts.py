# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the translator can be read alone, and those for runit do their work alone.

In which direction they import is looked at in test_layers.py.
"""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins import plugin_utils
from ansible_collections.pidone.systemd.plugins.plugin_utils._model import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import lit
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.control import check, control
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.directory import Directory
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.draft import Draft, Options
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.finish import finish
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.lines import one_line
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.log import log, logger
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.manner import take_manner
from tests.unit.translate.harness import main_section
from tests.unit.translate.harness import one as translated

HERE = Path(next(iter(plugin_utils.__path__)))
FILES = sorted(
    path for folder in ("_shell", "_model", "_interpret", "_sources") for path in (HERE / folder).rglob("*.py")
)


def classes() -> dict[str, list[str]]:
    """The names of all classes, and of what they inherit from."""
    return {
        node.name: [ast.unparse(base) for base in node.bases]
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }


def test_no_class_stands_on_a_tower_of_others() -> None:
    found = classes()
    assert len(found) > 20
    for name, bases in found.items():
        assert len(bases) <= 1, name
        assert not any(found.get(above) for base in bases for above in found.get(base, ()) if above in found), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_nothing_is_declared_that_another_file_has(path: Path) -> None:
    """What is only there for types is imported."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "t.TYPE_CHECKING":
            assert all(isinstance(one, ast.ImportFrom) for one in node.body)


def draft(files: t.Mapping[str, str], log: str = "journald") -> Draft:
    raw: t.Any = {
        "name": "web",
        "path": "/etc/sv/web",
        "files": [{"path": path, "content": files[path]} for path in files],
    }
    return Draft(Directory(raw), Options(log=log))


def keys(one: Draft) -> list[str]:
    return [finding.key for finding in one.findings]


def test_finish_alone() -> None:
    one = draft({"finish": '#!/bin/sh\n[ "$1" = 3 ] && sv down .\nsleep 5\nrm -f /run/web.pid\n'})
    finish(one)
    assert (one.service.prevent_restart, one.service.restart_sec) == (["3"], "5")
    assert [command.argv for command in one.service.stop_post] == [[lit("/bin/rm"), lit("-f"), lit("/run/web.pid")]]
    assert keys(one) == ["runit.stays-down", "runit.finish"]


def test_finish_that_writes_to_a_file_says_nothing_that_can_be_left_out() -> None:
    one = draft({"finish": "#!/bin/sh\necho a\nexec >/var/log/web\necho b\n"})
    finish(one)
    assert [command.line for command in one.service.stop_post] == ["exec >/var/log/web; echo b"]


def test_check_and_control_alone() -> None:
    one = draft(
        {"check": "#!/bin/sh\nexec curl -s localhost\n", "control/t": "#!/bin/sh\nkill -INT $(cat supervise/pid)\n"}
    )
    check(one)
    control(one)
    (command,) = one.service.start_post
    assert "(exec curl -s localhost) && exit 0" in (command.line or "")
    assert one.service.settings == {"KillSignal": ["SIGINT"]}


def test_a_logger_alone() -> None:
    one = draft({})
    logger(one, one.service, [lit(word) for word in "logger -t tag -p mail.err".split()], "log/run", 1)
    assert one.service.settings == {"SyslogIdentifier": ["tag"], "SyslogFacility": ["mail"], "SyslogLevel": ["err"]}


def test_a_log_service_is_filled_by_who_knows_how() -> None:
    one = draft({"log/run": "#!/bin/sh\nexec svlogd .\n"}, log="svlogd")
    filled: list[str] = []

    def fill(inner: Draft) -> None:
        filled.append(inner.definition.name)
        inner.service.start = [Command.of("/usr/bin/svlogd", ".")]

    log(one, fill)
    assert filled == ["web-log"]
    assert [unit["name"] for unit in one.companions] == ["web-log.service", "web-log.socket"]


def test_restart_and_stop_alone() -> None:
    one = draft({})
    one.service.start = [Command.of("/usr/sbin/sshd", "-D")]
    take_manner(one, one.service, True)
    assert one.service.kill_mode == "process"
    take_manner(one, one.service, False)
    assert one.service.settings == {"IgnoreSIGPIPE": ["no"]}
    assert "KillMode" not in render.sections(one.service)["Service"]


def test_svc_is_read_as_sv() -> None:
    one = draft({"run": "svc -d /service/other\nsvc -du .\n", "conf": "svc -d x\n"})
    assert one.definition.text("run") == "sv d /service/other\nsv t .\n"
    assert one.definition.text("conf") == "svc -d x\n"


def test_a_script_on_one_line_runs_where_it_did() -> None:
    definition = draft({"data": "x"}).definition
    assert one_line(definition, "#!/bin/sh -e\ncat data\n", "check") == "set -e; cd /etc/sv/web || exit 1; cat data"
    assert one_line(definition, "#!/bin/sh\ntrue\n", "check") == "true"


def test_a_snooze_that_a_shell_goes_on_running_is_no_step_as_well() -> None:
    """What is undone of a statement is undone of the outcome as a whole."""
    result = translated({"run": "#!/bin/sh\n. ./conf\nexec prog\n", "conf": "snooze -H9\ntouch /var/lib/web/last\n"})
    assert main_section(result)["ExecStart"] == "/bin/sh -c '. /etc/sv/web/conf; exec prog'"
    assert "ExecStartPre" not in main_section(result)


@pytest.mark.parametrize(
    ("path", "program"),
    [
        ("/opt/x/bin:$PATH", "/usr/bin/env myprog"),
        ("$PATH:/opt/x/bin", "/usr/local/bin/myprog"),
        ("/usr/local/bin:/usr/bin:/bin", "/usr/local/bin/myprog"),
        # The collector stops at the first it finds, and there may be one in /usr/bin as well.
        ("/usr/bin:/usr/local/bin", "/usr/bin/env myprog"),
    ],
)
def test_programs_of_a_host_along_the_path_of_the_script(path: str, program: str) -> None:
    result = translated(
        f"#!/bin/sh\nexport PATH={path}\nexec myprog\n", commands={"myprog": "/usr/local/bin/myprog"}, live=True
    )
    assert main_section(result)["ExecStart"] == program
