# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of findings: each kind is made by something, is documented, and names its remedy."""

from __future__ import annotations

import ast
import functools
import re
import shlex
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.crontab import parse_crontab
from ansible_collections.pidone.systemd.plugins.plugin_utils._findings import KINDS, check_pattern
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import Finding, remediation
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit import translator
from tests.unit.translate.case_files import all_cases
from tests.unit.translate.harness import definition, one

ROOT = Path(__file__).parents[3]
PLUGINS = ROOT / "plugins"
PAGE = ROOT / "docs" / "docsite" / "rst" / "guide_findings.rst"
SH = "#!/bin/sh\n"
WEB = {"web": {"uid": "33", "gid": "33", "groups": ["adm"]}}

# What no golden case makes: key -> files, and what else is known of the service.
EXAMPLES: dict[str, tuple[dict[str, str], dict[str, t.Any]]] = {
    "account.groups": ({"run": SH + "exec chpst -u web webd\n"}, {"users": WEB}),
    "account.ids": ({"run": SH + "exec envuidgid web webd\n"}, {"users": WEB}),
    "dependency.conflicts": ({"run": SH + "sv down other\nexec webd\n"}, {}),
    "directory.owner": ({"run": SH + "mkdir -p /run/web\nchown -R web /run/web\nexec chpst -u web webd\n"}, {}),
    "environment.name": ({"run": SH + "exec chpst -e ./env webd\n", "env/A-B": "x"}, {}),
    "limit.left": ({"run": SH + "exec softlimit -l = webd\n"}, {}),
    "log.unclear": ({"run": SH + "exec webd\n", "log/run": SH + "while read l; do echo $l; done\n"}, {}),
    "process.hangup": ({"run": SH + "exec nohup webd\n"}, {}),
    "refused.name": ({"run": SH + "exec webd\n"}, {"name": "x" * 250}),
    "refused.size": ({"run": SH + "x" * 70000}, {}),
    "runit.check-sv": ({"run": SH + "exec webd\n", "check": SH + "sv status other\n"}, {}),
    "runit.ends": ({"run": SH + "prepare || exit 1\n"}, {}),
    "runit.no-command": ({"run": SH + "cd /\n"}, {}),
    "runit.one-shot-failed": ({"run": SH + "prepare || exit 1\n"}, {}),
    "runit.sv-left-out": ({"run": SH + "exec webd\n", "finish": SH + "sv status other\n"}, {}),
    "script.long": (
        {
            "run": SH
            + "".join(f"Y{n}=$(frob {n})\n" for n in range(60))
            + f"exec webd {' '.join(f'$Y{n}' for n in range(60))}\n"
        },
        {},
    ),
    "service.collecting": ({"run": SH + "exec webd\n"}, {"problems": ["conf could not be read"]}),
    "service.packaged": ({"run": SH + "exec webd\n"}, {"unit": "/usr/lib/systemd/system/web.service"}),
    "service.path": ({"run": SH + "exec ./webd\n"}, {"assumed_path": True}),
    "settings.absent": ({"run": SH + "[ -r ./conf ] && . ./conf\nexec webd $A\n"}, {"live": True}),
    "settings.unused": (
        {"run": SH + ". /etc/default/web\nexec webd\n"},
        {"external": [{"path": "/etc/default/web", "content": "A=1\n"}]},
    ),
    "shell.condition": (
        {"run": SH + "if frob; then prepare; exit 3; fi\nexec webd\n", "finish": SH + '[ "$1" = 3 ] && sv down .\n'},
        {},
    ),
    "shell.globs": ({"run": "#!/bin/sh -f\nexec webd\n"}, {}),
    "timer.waiting-time": ({"run": SH + "exec snooze -H 3 -T 3600 job\n"}, {}),
}
# What files on a host are besides their text: key -> what of a file of the example is so.
RUN = SH + "export A=b\nexec webd\n"
ON_HOST: dict[str, list[dict[str, t.Any]]] = {
    "environment.private": [{"path": "run", "content": RUN, "private": True, "mode": "0700"}],
    "runit.run-mode": [{"path": "run", "content": RUN, "type": "file", "mode": "0644"}],
    "runit.not-run": [{"path": "run", "content": RUN}, {"path": "finish", "type": "link", "target": "../x/finish"}],
    "settings.private": [
        {"path": "run", "content": SH + ". ./conf\nexec webd $A\n"},
        {"path": "conf", "type": "file", "private": True, "mode": "0600", "size": 9},
    ],
}
# By the tests of these names, here.
BY_TEST = {
    "dependency.circle": "test_of_services_together",
    "directory.shared": "test_of_services_together",
    "refused.error": "test_of_a_defect",
}
# A crontab of each kind that cron_to_calendar takes, with what there is to say of it.
CRONTABS = [
    (
        "user",
        "MAILTO=ops\nA=$HOME/x\n@reboot x\n0 0 31 2 * x\n0 0 */2 * 1 x\n1~5 3 * * * x\n5/10 3 * * * x\n0 3 * * 5-1 x\n0 3 * * * date +%Y\n",
    ),
    ("user", "CRON_TZ=Europe/Berlin\nRANDOM_DELAY=5\n30 2 * * * x\n*/20 * * * * x\n"),
    ("system", "0 3 * * * ops x\n"),
    ("anacron", "START_HOURS_RANGE=x\nRANDOM_DELAY=x\n3 5 job x\n"),
]


@functools.cache
def made_by_cases() -> frozenset[str]:
    found: set[str] = set()
    for case in all_cases():
        for log in ("journald", "svlogd"):
            found.update(finding["key"] for finding in one(case["files"], case["name"], log=log)["findings"])
    return frozenset(found)


def made_by_crontabs() -> set[str]:
    jobs = [job for kind, text in CRONTABS for job in parse_crontab(text, kind, "", "Europe/Berlin")]
    return {finding["key"] for job in jobs for finding in job["findings"]}


@pytest.mark.parametrize("key", EXAMPLES)
def test_of_a_service(key: str) -> None:
    files, more = EXAMPLES[key]
    (found,) = [finding for finding in one(files, **more)["findings"] if finding["key"] == key][:1]
    kind = KINDS[key]
    assert (found["title"], found["severity"]) == (kind.title, kind.severity)
    assert found["message"] and found["remediation"]["text"]


@pytest.mark.parametrize("key", ON_HOST)
def test_of_files_on_a_host(key: str) -> None:
    raw = definition({}, live=True)
    raw["files"] = ON_HOST[key]
    (found,) = translate([raw])
    assert key in {finding["key"] for finding in found["findings"]}


def test_of_services_together() -> None:
    text = SH + "sv start {}\nmkdir -p /run/shared\nexec foo\n"
    found = translate([definition({"run": text.format(other)}, name) for name, other in ("ab", "ba")])
    keys = [finding["key"] for service in found for finding in service["findings"]]
    assert (keys.count("dependency.circle"), keys.count("directory.shared")) == (1, 2)


def test_of_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_draft: t.Any, _fill: t.Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(translator, "STRICT", False)
    monkeypatch.setattr(translator, "log", fail)
    found = one(SH + "exec webd\n")
    assert found["translation"] == "refused"
    assert found["findings"][-1]["key"] == "refused.error"


def test_every_kind_is_made_by_something() -> None:
    further = {*EXAMPLES, *ON_HOST, *BY_TEST}
    assert set(KINDS) == made_by_cases() | further | made_by_crontabs()
    assert set(BY_TEST.values()) <= set(globals())


def test_examples_are_for_what_no_case_makes() -> None:
    assert made_by_cases() & {*EXAMPLES, *ON_HOST, *BY_TEST} == set()


# -- the tables


@pytest.mark.parametrize("key", KINDS)
def test_a_row_is_whole(key: str) -> None:
    kind = KINDS[key]
    assert re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*", key)
    assert kind.severity in ("info", "warning", "decision")
    assert kind.title and not kind.title.endswith(".")
    remedy = kind.remedy
    assert remedy.text.endswith(".")
    assert (remedy.type == "command") == bool(remedy.command)
    assert (remedy.type == "variables") == bool(remedy.variables)
    more = {"getty": "getty@tty1.service", "signal": "HUP", "user": "web"}
    assert "{" not in str(remediation(key, "web", "/etc/sv/web", more)["text"])


def test_titles_tell_kinds_apart() -> None:
    assert len({kind.title for kind in KINDS.values()}) == len(KINDS)


def test_variables_are_of_the_role() -> None:
    spec = yaml.safe_load((ROOT / "roles" / "runit_migration" / "meta" / "argument_specs.yml").read_text())
    options = spec["argument_specs"]["main"]["options"]
    named = {name for kind in KINDS.values() for name in kind.remedy.variables or ()}
    assert named and named <= set(options)


def test_a_finding_of_no_kind_is_a_defect_at_once() -> None:
    with pytest.raises(AssertionError, match=r"'runit\.no-such' is the key of no finding"):
        Finding("runit.no-such", "x", "run", 1, "x")


def test_names_of_hosts_are_quoted_in_commands() -> None:
    evil = "a'; reboot #"
    command = remediation("service.getty", evil, f"/etc/sv/{evil}", {"getty": evil})["command"]
    assert shlex.split(command) == ["systemctl", "enable", evil]
    command = remediation("runit.down", "a b", "/etc/sv/a b")["command"]
    assert shlex.split(command) == ["systemctl", "start", "a\\x20b.service"]


def test_braces_in_names_are_text() -> None:
    assert remediation("runit.wrapped", "web", "/etc/sv/{unit}")["text"].startswith("Keep /etc/sv/{unit} when")


# -- where findings are made


def made_in(path: Path) -> t.Iterator[tuple[int, ast.expr]]:
    """Where a file makes findings, and the key of each."""
    # Which argument of a call is the key.
    makers = {"note": 0, "note_once": 0, "Finding": 0, "Wrap": 0, "Refused": 0, "finding": 0, "_wrap": 1}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in makers and len(node.args) > makers[name]:
                yield node.lineno, node.args[makers[name]]


def literals(key: ast.expr) -> list[str]:
    """The texts that a key may be, where it is written there."""
    if isinstance(key, ast.IfExp):
        return [*literals(key.body), *literals(key.orelse)]
    return [key.value] if isinstance(key, ast.Constant) and isinstance(key.value, str) else []


FILES = [path for path in sorted((PLUGINS / "plugin_utils").rglob("*.py")) if "_findings" not in path.parts]


def test_no_finding_is_made_without_a_key() -> None:
    count = 0
    for path in FILES:
        for line, key in made_in(path):
            found = literals(key)
            count += len(found)
            # Else it is handed on from where it was made.
            handed_on = ast.unparse(key) in (
                "key",
                "why.key",
                "*it.reasons[0]",
                "*it.dialect.said_note(before, text or '')",
            )
            assert found or handed_on, f"{path}:{line}: {ast.unparse(key)}"
            assert set(found) <= set(KINDS), f"{path}:{line}"
    assert count > 150


# -- options


def test_an_unknown_key_is_an_error_that_helps() -> None:
    with pytest.raises(BadInput, match=r"accept: 'log\.file' is the key of no finding; did you mean 'log\.files'\?"):
        check_pattern("log.file", "accept")
    with pytest.raises(
        BadInput, match=r"ignore: 'zzz' is the key of no finding; the first words of keys are account, condition, cron,"
    ):
        check_pattern("zzz", "ignore")
    for pattern in ("log.files", "log.*", "*", "*.stop"):
        assert check_pattern(pattern, "accept") == pattern


# -- the page


class Section(t.NamedTuple):
    """What the page says of a kind."""

    severity: str
    title: str
    meaning: str
    remedy: str
    block: str


def plain(text: str) -> str:
    return " ".join(re.sub(r"\\([*`|\\])", r"\1", text).split())


def sections() -> dict[str, Section]:
    found: dict[str, Section] = {}
    parts = re.split(r"(?m)^([a-z]+\.[a-z-]+)\n~+\n", PAGE.read_text())
    for key, text in zip(parts[1::2], parts[2::2], strict=True):
        body = re.split(r"\n\n[^\n]+\n-+\n", text)[0]
        match = re.fullmatch(
            r"\s*\*(\w+)\*: (.*?)\n\n(.*)\n\nWhat to do: (.*?)(?:\n\n\.\. code-block:: (?:console|yaml)\n\n(.*))?\s*",
            body,
            re.DOTALL,
        )
        assert match, f"{key}: {body}"
        assert key not in found, f"{key} is there twice"
        found[key] = Section(*(plain(one or "") for one in match.groups()))
    return found


def test_the_page_has_every_kind_and_no_other() -> None:
    assert set(sections()) == set(KINDS)


@pytest.mark.parametrize("key", KINDS)
def test_the_page_says_what_the_table_says(key: str) -> None:
    kind, section = KINDS[key], sections()[key]
    names = {"unit": "the unit", "path": "the service directory", "service": "the service"}
    assert (section.severity, section.title) == (kind.severity, kind.title)
    assert section.remedy == plain(kind.remedy.text.format_map(names).replace("\\", "\\\\"))
    assert len(section.meaning) > 20
    if kind.remedy.command:
        given = {"unit": "NAME.service", "timer": "NAME.timer", "getty": "getty@tty1.service", "signal": "HUP", "user": "web"}
        assert section.block == f"# {kind.remedy.command.format_map(given)}"
    for name, value in (kind.remedy.variables or {}).items():
        assert yaml.safe_load(section.block) == {name: ["NAME"] if isinstance(value, list) else value}
