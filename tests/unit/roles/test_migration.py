# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services move, with which units, and what is left to decide; and the reports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import summaries
from ansible_collections.pidone.systemd.plugins.plugin_utils._migration import Choice, Outcome, among, plan
from ansible_collections.pidone.systemd.plugins.plugin_utils._migration_report import fleet, report

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles" / "service_migration"
# The roles that are the same for one source.
FACES = ["runit_migration"]
UP = {"enabled": True, "running": True, "wanted": "up", "down": False, "pid": 7}
IDLE = {"enabled": False, "running": False, "wanted": None, "down": False, "pid": None}
DECISION = {
    "key": "log.files",
    "title": "The journal takes the output instead of log files",
    "severity": "decision",
    "construct": "svlogd",
    "file": "log/run",
    "line": 2,
    "message": "the journal takes it",
    "remediation": {"type": "variables", "text": "Accept it.", "variables": {"runit_migration_log": "svlogd"}},
}
WARNING = {**DECISION, "key": "shell.line", "severity": "warning", "remediation": {"type": "hint", "text": "Read the line."}}
TEXT = "[Service]\nExecStart=/bin/app\n"


def service(name: str, **more: t.Any) -> dict[str, t.Any]:
    definition = {
        "name": name,
        "path": f"/etc/sv/{name}",
        "links": [],
        "live": True,
        "files": ["secret"],
        **more.pop("definition", {}),
    }
    return {
        "name": name,
        "source": "runit",
        "path": f"/etc/sv/{name}",
        "translation": "native",
        "units": [{"name": f"{name}.service", "content": TEXT, "sections": {}}],
        "findings": [],
        "state": UP,
        "definition": definition,
        **more,
    }


def go(*services: t.Any, write: bool = True, **choice: t.Any) -> Outcome:
    return plan(services, Choice(host="web1", **choice), write)


def names(outcome: Outcome) -> list[str]:
    return [one["name"] for one in outcome.services]


def test_what_nobody_uses_stays_out_without_a_word() -> None:
    outcome = go(service("app"), service("spare", state=IDLE))
    assert names(outcome) == ["app"]
    assert outcome.left_out == []


@pytest.mark.parametrize("choice", [{"idle": True}, {"select": ["spare", "app"]}, {"moved": ["spare"]}])
def test_unless_it_is_asked_for_or_has_moved_before(choice: dict[str, t.Any]) -> None:
    assert names(go(service("app"), service("spare", state=IDLE), **choice)) == ["app", "spare"]


def test_down_but_supervised_is_not_idle() -> None:
    assert names(go(service("standby", state={**IDLE, "wanted": "down"}))) == ["standby"]


def test_select_and_exclude_are_globs_and_what_they_leave_out_is_told() -> None:
    outcome = go(service("getty-1"), service("web"), service("db"), select=["web", "getty*"], exclude=["getty-*"])
    assert names(outcome) == ["web"]
    assert outcome.left_out == [
        {"name": "getty-1", "reason": "excluded", "running": True},
        {"name": "db", "reason": "not selected", "running": True},
    ]


def test_a_name_that_matches_nothing_is_an_error_a_glob_is_not() -> None:
    with pytest.raises(BadInput, match="select: 'wbe' matches no service of web1; there are: web"):
        go(service("web"), select=["wbe"])
    assert names(go(service("web"), select=["x*"])) == []


def test_contents_of_files_do_not_travel_on() -> None:
    assert "files" not in go(service("app")).services[0]["definition"]


def test_two_of_one_name_the_one_in_use_moves() -> None:
    other = service("app", path="/opt/x/sv/app", state=IDLE)
    for pair in ([other, service("app")], [service("app"), other]):
        outcome = go(*pair, idle=True)
        assert [one["path"] for one in outcome.services] == ["/etc/sv/app"]
        assert outcome.blocked == []


def test_two_of_one_name_of_which_one_was_moved_before() -> None:
    idle, other = service("app", state=IDLE), service("app", path="/usr/share/runit/sv/app", state=IDLE)
    outcome = go(idle, other, moved=["app"])
    assert [one["path"] for one in outcome.services] == ["/etc/sv/app"]
    assert outcome.blocked == []
    assert len(go(idle, other, idle=True).blocked) == 1


def test_two_of_one_name_in_use_are_for_a_person() -> None:
    assert "two of this name" in go(service("app"), service("app", path="/opt/x/sv/app")).blocked[0]["reasons"][0]


def test_what_its_source_cannot_let_go_of_does_not_move_in_place() -> None:
    fixed = service("app", path="/etc/service/app", definition={"links": ["/etc/service/app"], "fixed": "it is glued; loosen it"})
    loose = service("web", path="/etc/service/web", definition={"links": ["/etc/service/web"]})
    assert go(fixed, loose).blocked == []
    (blocked,) = go(fixed, loose, in_place=True).blocked
    assert (blocked["name"], blocked["reasons"]) == ("app", ["it is glued; loosen it, or exclude it"])


def test_what_has_moved_may_be_named_when_its_definition_is_gone() -> None:
    assert go(select=["web"], moved=["web"]).blocked == []


# -- decisions


def test_a_decision_blocks_until_it_is_taken() -> None:
    app = service("app", findings=[DECISION])
    blocked = go(app)
    assert blocked.services[0]["blocked"]
    assert blocked.blocked == [{"name": "app", "reasons": ["decide (app:log.files): log/run:2 the journal takes it"]}]
    assert go(app, accept=["app:log.files"]).blocked == []


@pytest.mark.parametrize(
    ("pattern", "takes"),
    [
        ("app", True),
        ("a*", True),
        ("*:log.files", True),
        ("app:log.*", True),
        ("app:environment.public", False),
        ("web:log.files", False),
        ("*:service.*", False),
    ],
)
def test_forms_of_taking_decisions(pattern: str, takes: bool) -> None:
    assert among("app", "log.files", [pattern]) is takes


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("*:svlogd", "'svlogd' is the key of no finding; the first words of keys are "),
        ("app:log.file", "'log.file' is the key of no finding; did you mean 'log.files'?"),
        ("app:chpst -e", "'chpst -e' is the key of no finding; "),
        ("*:xyz.*", "'xyz.*' is the key of no finding; the first words of keys are account, "),
        ("app:", "'' is the key of no finding; "),
    ],
)
@pytest.mark.parametrize("option", ["accept", "ignore"])
def test_a_key_that_no_finding_has_is_an_error(option: str, entry: str, why: str) -> None:
    chosen: dict[str, t.Any] = {option: [entry]}
    with pytest.raises(BadInput) as caught:
        go(service("app"), **chosen)
    assert caught.value.msg.startswith(f"{option}: {why}")


def test_what_is_ignored_is_not_told_again() -> None:
    info = {**WARNING, "key": "runit.stop", "severity": "info"}
    found = [DECISION, WARNING, info]

    def told(*ignore: str) -> list[str]:
        outcome = go(service("app", findings=found), ignore=ignore)
        assert len(outcome.blocked) == 1
        return [one["key"] for one in outcome.services[0]["findings"]]

    assert told() == ["log.files", "shell.line", "runit.stop"]
    assert told("*:runit.stop") == ["log.files", "shell.line"]
    assert told("app:shell.*") == ["log.files", "runit.stop"]
    assert told("other", "other:runit.*") == ["log.files", "shell.line", "runit.stop"]
    # Decisions are not left out, whatever matches them.
    assert told("app") == told("*:*") == ["log.files"]


def test_a_decision_cannot_be_ignored_by_its_key() -> None:
    with pytest.raises(BadInput, match="ignore: '\\*:log.files' is a decision, which has to be taken; name it in accept"):
        go(service("app"), ignore=["*:log.files"])


def test_a_refused_service_says_why_whatever_is_ignored() -> None:
    refused = service("app", translation="refused", units=[], findings=[{**WARNING, "message": "calls sv"}])
    assert go(refused, ignore=["*"]).blocked[0]["reasons"][0].startswith("refused: calls sv.")


def test_warnings_do_not_block() -> None:
    assert go(service("app", findings=[WARNING])).blocked == []


def test_a_refused_service_blocks_and_says_what_to_do() -> None:
    refused = service(
        "app", translation="refused", units=[], findings=[{**WARNING, "message": "calls sv"}]
    )
    (blocked,) = go(refused, accept=["*"]).blocked
    assert blocked["reasons"] == [
        "refused: calls sv. Write app.service by hand into the directory of overrides, or exclude it"
    ]


# -- where units come from


def test_a_unit_of_the_package_wins_and_may_differ_in_more() -> None:
    cron = service(
        "cron",
        translation="refused",
        units=[],
        findings=[DECISION],
        definition={"unit": "/usr/lib/systemd/system/cron.service"},
    )
    outcome = go(cron)
    (one,) = outcome.services
    assert (one["origin"], one["units"], outcome.blocked) == ("packaged", [], [])
    assert one["packaged"] == {"name": "cron.service", "path": "/usr/lib/systemd/system/cron.service"}
    assert "command" in one["accept"]
    assert not {"program", "user", "sockets"} & set(one["accept"])
    assert go(cron, packaged=["ssh"]).blocked


def test_accepted_differences_reach_the_services_they_are_for() -> None:
    web, db = go(service("web"), service("db"), accept_differences=["limits", "w*:cwd", "tcp 0.0.0.0:80"]).services
    assert web["accept"] == ["cwd", "limits"]
    assert db["accept"] == ["limits"]


def test_a_unit_written_by_hand_wins_over_all_that_of_the_host_first(tmp_path: Path) -> None:
    (tmp_path / "web1").mkdir()
    (tmp_path / "app.service").write_text("for all")
    (tmp_path / "app.timer").write_text("timer")
    app = service("app", findings=[DECISION], definition={"unit": "/usr/lib/systemd/system/app.service"})
    outcome = go(app, overrides=str(tmp_path))
    assert outcome.services[0]["origin"] == "override"
    assert outcome.services[0]["units"] == [
        {"name": "app.service", "content": "for all"},
        {"name": "app.timer", "content": "timer"},
    ]
    assert outcome.blocked == []
    (tmp_path / "web1" / "app.service").write_text("for web1")
    assert go(app, overrides=str(tmp_path)).services[0]["units"][0]["content"] == "for web1"


def test_what_a_unit_written_by_hand_runs_is_no_reason_to_go_back(tmp_path: Path) -> None:
    (tmp_path / "app.service").write_text(TEXT)
    app = service("app", translation="refused", units=[])
    (one,) = go(app, overrides=str(tmp_path)).services
    assert {"command", "program", "user"} <= set(one["accept"])
    assert "sockets" not in one["accept"]


def test_dropins_are_added_to_whatever_unit(tmp_path: Path) -> None:
    for place, text in (("app.service.d", "all"), ("web1/app.service.d", "web1")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.conf").write_text(text)
    (tmp_path / "app.service.d" / "b.conf").write_text("b")
    (tmp_path / "app.service.d" / "README").write_text("no drop-in")
    (one,) = go(service("app"), overrides=str(tmp_path)).services
    assert one["origin"] == "translated"
    assert [(d["unit"], d["name"], d["content"]) for d in one["dropins"]] == [
        ("app.service", "a.conf", "web1"),
        ("app.service", "b.conf", "b"),
    ]


def test_a_missing_directory_of_overrides_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="overrides: .* is not a directory on the controller"):
        go(service("app"), overrides=str(tmp_path / "x"))


def test_units_are_written_for_review_once_and_win_from_then_on(tmp_path: Path) -> None:
    app = service("app", findings=[DECISION])
    path = tmp_path / "web1" / "app.service"
    first = go(app, render_to=str(tmp_path))
    assert first.written == [str(path)]
    assert path.read_text() == TEXT
    assert first.diffs[0]["after"] == TEXT
    assert first.services[0]["origin"] == "translated"
    assert first.blocked, "written a moment ago, so nobody has reviewed it"

    second = go(app, render_to=str(tmp_path))
    assert second.written == []
    assert second.services[0]["origin"] == "reviewed"
    assert second.services[0]["drift"] == ""
    assert second.blocked == []

    path.write_text(TEXT + "Nice=5\n")
    third = go(app, render_to=str(tmp_path))
    assert third.services[0]["units"] == [{"name": "app.service", "content": TEXT + "Nice=5\n"}]
    assert "+Nice=5" in third.services[0]["drift"]


def test_check_mode_writes_nothing_and_says_so(tmp_path: Path) -> None:
    outcome = go(service("app"), render_to=str(tmp_path), write=False)
    assert outcome.written
    assert list(tmp_path.iterdir()) == []


# -- reports


def facts(**more: t.Any) -> dict[str, t.Any]:
    services = go(
        service("app", translation="wrapped", findings=[{**WARNING, "message": "a loop"}]),
        service("db"),
    ).services
    return {"host": "web1", "mode": "handover", "services": services, "seconds": 9.81, **more}


def result(name: str, outcome: str = "handed_over", **more: t.Any) -> dict[str, t.Any]:
    return {
        "name": name,
        "outcome": outcome,
        "message": "",
        "before": {"pid": 1},
        "after": {"pid": 2},
        "differences": [],
        "parity": True,
        **more,
    }


def test_the_summary_of_a_handover() -> None:
    made = report(facts(results=[result("app"), result("db")]))
    assert made.lines == [
        "web1   2 services: 1 native, 0 shell, 1 wrapped, 0 refused    handed over 2, back 0, 9.8 s",
        "  app  wrapped   log/run:2 a loop",
        "parity: 2 of 2 run the same command as the same user, with the same limits and sockets",
    ]
    assert made.data["ok"]
    assert "services" not in made.summary
    assert fleet(summaries({"web1": {"failed": True, "msg": "no directory"}})).data["stopped"] == {"web1": "stopped"}


def test_a_service_that_went_back_is_in_the_summary_with_its_reason() -> None:
    made = report(
        facts(results=[result("app"), result("db", "back", message="it exited\n  log", after=None, parity=None)])
    )
    assert "  db   native    back: it exited" in made.lines
    assert made.lines[-1].startswith("parity: 1 of 2")
    assert not made.data["ok"]
    assert "it exited\n  log" in made.markdown


def test_what_a_handover_left_behind_is_in_the_summary() -> None:
    left = "1 of its processes did not end with it and live on, beside its unit: 24 (worker)"
    lines = report(facts(results=[result("app", message=left)])).lines
    assert any(left in line and "app" in line for line in lines)


def test_only_what_matters_counts_against_parity() -> None:
    def parity(**difference: t.Any) -> int:
        one = {"before": "a", "after": "b", "expected": False, "reason": "", **difference}
        return int(report(facts(results=[result("app", differences=[one])])).data["parity"]["same"])

    assert parity(what="user") == 0
    assert parity(what="user", expected=True) == 1
    assert parity(what="environment") == 1


def test_a_second_run_tells_what_was_moved_before() -> None:
    made = report(
        {"host": "web1", "mode": "system", "seconds": 1, "results": [result("app", "already", after=None, parity=None)]}
    )
    assert made.lines == ["web1   1 service    handed over 0, already under systemd 1, back 0, 1.0 s"]
    assert made.data["ok"]


def test_a_whole_host_loses_what_is_left_out() -> None:
    left_out = [
        {"name": "getty-1", "reason": "excluded", "running": True},
        {"name": "x", "reason": "excluded", "running": False},
    ]
    assert (
        report(facts(left_out=left_out, mode="system")).lines[-1]
        == "left out, so there under systemd only with units of their own: getty-1"
    )
    assert "left out" not in report(facts(left_out=left_out)).lines[-1]


def test_a_plan_tells_what_is_to_be_decided() -> None:
    outcome = go(service("app", findings=[DECISION]))
    made = report({"host": "web1", "services": outcome.services, "blocked": outcome.blocked, "seconds": 3})
    assert made.lines[0] == "web1   1 service: 1 native, 0 shell, 0 wrapped, 0 refused    to be decided 1"
    assert made.lines[1] == "  app  native    decide (app:log.files): log/run:2 the journal takes it"


def test_kinds_are_counted_apart() -> None:
    services = go(service("app"), service("one", translation="shell"), service("two", translation="shell")).services
    made = report({"host": "web1", "services": services})
    assert made.lines[0] == "web1   3 services: 1 native, 2 shell, 0 wrapped, 0 refused"
    assert {kind: made.summary["counts"][kind] for kind in ("native", "shell", "wrapped")} == {"native": 1, "shell": 2, "wrapped": 0}
    assert "| one | shell |" in made.markdown


def test_the_report_names_key_and_remedy() -> None:
    findings = [DECISION, WARNING, {**WARNING, "key": "runit.stop", "severity": "info"}]
    made = report({"host": "web1", "services": go(service("app", findings=findings)).services})
    assert "- decision `log.files`: log/run:2 the journal takes it\n  - Accept it. (runit_migration_log: svlogd)\n" in made.markdown
    assert "- warning `shell.line`: log/run:2 the journal takes it\n  - Read the line.\n" in made.markdown
    assert made.markdown.count("Read the line.") == 1


def test_tables_survive_any_text() -> None:
    difference = {"what": "command", "before": "a | b", "after": "c\nd", "expected": False, "reason": ""}
    made = report(facts(results=[result("app", differences=[difference])]))
    assert "| command | a \\| b | c d | **differs** |" in made.markdown


def test_the_fleet() -> None:
    good = report(facts(results=[result("app"), result("db")])).summary
    bad = report(facts(results=[result("app"), result("db", "back", message="x")])).summary
    made = fleet({"web1": good, "web10": bad, "web3": None})
    assert made.lines == [
        "fleet   1 of 3 hosts done, 1 failed, 1 to go    services: handed over 3, back 1",
        "  web1   ok      handed over 2, back 0, 9.8 s, parity 2 of 2",
        "  web10  FAILED  handed over 1, back 1, 9.8 s, parity 2 of 2",
        "  web3   to go",
    ]
    assert "| web10 | FAILED |" in made.markdown
    ready = report(
        facts(mode="system", results=[result("app", "planned", after=None), result("db", "planned", after=None)])
    )
    assert fleet({"web1": ready.summary}).lines[0].startswith("fleet   0 of 1 hosts done, 0 failed, 1 to go")

    gone = fleet(
        {"web1": good, "web2": {"host": "web2", "stopped": "unreachable"}, "web3": {"stopped": "stopped"}, "web4": None}
    )
    assert gone.lines[0].startswith("fleet   1 of 4 hosts done, 0 failed, 1 to go, 1 unreachable, 1 stopped")
    assert gone.lines[2:] == ["  web2  UNREACHABLE", "  web3  STOPPED", "  web4  to go"]
    assert gone.data["stopped"] == {"web2": "unreachable", "web3": "stopped"}


# -- paths


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/x/ansible_collections/pidone/systemd/playbooks/units", "{own}/units"),
        ("/x/ansible_collections/pidone/systemd/playbooks", "{own}"),
        (
            "/x/ansible_collections/pidone/systemd/playbooks2/units",
            "/x/ansible_collections/pidone/systemd/playbooks2/units",
        ),
        ("/srv/units", "/srv/units"),
        ("", ""),
    ],
)
def test_paths_of_an_imported_playbook_are_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, wanted: str
) -> None:
    from ansible_collections.pidone.systemd.plugins.filter import beside_playbook as plugin

    book = tmp_path / "site.yml"
    book.touch()
    monkeypatch.setattr(plugin.context, "CLIARGS", {"args": (str(book),)})
    here = "/x/ansible_collections/pidone/systemd/playbooks"
    assert plugin.beside_playbook(path, here) == wanted.format(own=tmp_path)


def test_without_a_playbook_of_ones_own_it_is_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ansible_collections.pidone.systemd.plugins.filter import beside_playbook as plugin

    monkeypatch.setattr(plugin.context, "CLIARGS", {"args": ("pidone.systemd.migrate_from_runit",)})
    monkeypatch.chdir(tmp_path)
    here = "/x/ansible_collections/pidone/systemd/playbooks"
    assert plugin.beside_playbook(f"{here}/units", here) == f"{tmp_path}/units"
    assert plugin.beside_playbook("/srv/site/units", "/srv/site") == "/srv/site/units", "the playbook is the user's"


# -- the role


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text())


def options_of(role: str) -> dict[str, t.Any]:
    return t.cast(
        "dict[str, t.Any]",
        load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"],
    )


@pytest.mark.parametrize("role", ["service_migration", *FACES])
def test_defaults_and_argument_specs_agree(role: str) -> None:
    defaults = load(ROOT / "roles" / role / "defaults" / "main.yml")
    # Those of the distribution, which only the host can tell.
    found = {name: None for name in defaults if name.endswith(("_packages", "_finish_command"))}
    wanted = {name: spec.get("default") for name, spec in options_of(role).items() if not spec.get("required")}
    assert {**defaults, **found, **{name: None for name in wanted if name not in defaults}} == wanted


@pytest.mark.parametrize("role", FACES)
def test_a_role_for_one_source_hands_everything_on(role: str) -> None:
    (task,) = load(ROOT / "roles" / role / "tasks" / "main.yml")
    assert task["ansible.builtin.import_role"]["name"] == "pidone.systemd.service_migration"
    names = {name.removeprefix(f"{role}_") for name in options_of(role)}
    assert names == {name.removeprefix("service_migration_") for name in options_of("service_migration")}
    for name in names:
        assert re.match(rf"{{{{ {role}_{name}\b", task["vars"][f"service_migration_{name}"])
    assert set(task["vars"]) == {f"service_migration_{name}" for name in names}


def test_what_is_given_on_the_command_line_is_text() -> None:
    """`-e service_migration_reboot=false` is a word, which ansible-core takes for no condition, and arithmetic repeats."""
    filters = {
        name: spec["type"] for name, spec in options_of("service_migration").items() if spec["type"] in ("bool", "int")
    }
    assert len(filters) == 3
    for file in (ROLE / "tasks").glob("*.yml"):
        for line in file.read_text().splitlines():
            for name, kind in filters.items():
                # Modules convert what they are given as such.
                if re.search(rf"\b{name}\b", line) and f'"{{{{ {name} }}}}"' not in line:
                    assert re.search(rf"\b{name} \| {kind}\b", line), f"{file.name}: {line}"


def test_every_mode_has_its_tasks() -> None:
    modes = set(options_of("service_migration")["service_migration_mode"]["choices"]) - {"auto"}
    assert all((ROLE / "tasks" / f"{mode}.yml").is_file() for mode in modes)


def every_task(of: t.Any, fatal: t.Any = None) -> t.Iterator[dict[str, t.Any]]:
    """All tasks, those within blocks with the `any_errors_fatal` of these."""
    for task in of:
        its = task.get("any_errors_fatal", fatal)
        yield {**task, "any_errors_fatal": its}
        for key in ("block", "rescue", "always"):
            yield from every_task(task.get(key, ()), its)


def module_of(task: dict[str, t.Any]) -> str:
    return next((key.rpartition(".")[2] for key in task if "." in key), "block")


def test_a_host_that_fails_does_not_leave_the_others_of_its_wave_half_way() -> None:
    """With `any_errors_fatal`, a task that fails ends the play for hosts that are on trial and have to be confirmed."""
    every = {file.stem: list(every_task(load(file))) for file in (ROLE / "tasks").glob("*.yml")}
    # From here on something has been changed on the hosts of a wave, or is about to be.
    late = ("service_handover", "init_handover", "reboot", "wait_for_connection", "package", "assert")
    for name in ("handover", "system", "confirm", "reboot", "wait"):
        found = [task for task in every[name] if module_of(task) in late]
        assert found
        for task in found:
            assert task["any_errors_fatal"] is False, f"{name}: {task['name']}"
            if module_of(task) in ("service_handover", "init_handover"):
                # The results of all services are no error message.
                assert task["failed_when"] is False
    for name in ("handover", "confirm", "reboot", "wait"):
        assert any(task.get("ignore_unreachable") for task in every[name])
    # They fail with the report, the last task of all, which every host has come to by then.
    for name in ("plan", "handover", "system", "rollback", "finish"):
        last = every[name][-1]
        assert module_of(last) == "service_migration_report"
        assert last["any_errors_fatal"] is None
    (play,) = load(ROOT / "playbooks" / "migrate_from_runit.yml")
    assert play["any_errors_fatal"] is True
    assert "max_fail_percentage" not in play, "it keeps the report of the fleet from being shown"
    confirmed = [at for at, task in enumerate(every["system"]) if "confirm.yml" in task.values()]
    waits = [at for at, task in enumerate(every["system"]) if task.get("ansible.builtin.include_tasks") == "wait.yml"]
    assert confirmed[0] < waits[0] < confirmed[1]


def test_a_handover_takes_few_tasks() -> None:
    """Each costs the controller a process; besides these, ansible-core checks the role's arguments."""
    first = load(ROLE / "tasks" / "main.yml")
    mode = [task for task in every_task(load(ROLE / "tasks" / "handover.yml")) if "block" not in task]
    mode = [task for task in mode if module_of(task) not in ("import_tasks", "set_fact")]
    assert len(first) + len(load(ROLE / "tasks" / "collect.yml")) + len(mode) + 1 <= 8


def wave(tmp_path: Path, mode: str, *hosts: str, more: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """The playbook for hosts of which `gone` cannot be reached."""
    book, inventory = tmp_path / "site.yml", tmp_path / "hosts"
    inventory.write_text(
        "\n".join(
            f"{host} ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_timeout=5"
            if host == "gone"
            else f"{host} ansible_connection=local ansible_python_interpreter={sys.executable}"
            for host in hosts
        )
    )
    book.write_text(
        "- import_playbook: pidone.systemd.migrate_from_runit\n"
        f"  vars: {{migrate_hosts: all, migrate_mode: {mode}, migrate_become: false, migrate_waves: 100%}}\n".replace("}", f", {more}}}" if more else "}")
    )
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(book)]
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"), "ANSIBLE_SSH_RETRIES": "0", **settings}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_a_host_whose_report_fails_is_no_host_whose_turn_has_not_come(tmp_path: Path) -> None:
    """As with a service that is selected and does not exist."""
    done = wave(tmp_path, "plan", "here", "there", more="runit_migration_select: [nosuch]")
    assert done.returncode != 0
    assert "nosuch" in done.stdout
    assert "0 to go, 2 stopped" in done.stdout, done.stdout


def test_the_summary_is_there_however_facts_are_kept(tmp_path: Path) -> None:
    done = wave(tmp_path, "plan", "here", ANSIBLE_INJECT_FACT_VARS="False")
    assert "0 of 1 hosts done" not in done.stdout
    assert "to go" not in done.stdout.partition("Show how far")[2] or "0 to go" in done.stdout, done.stdout


def test_a_host_that_nobody_reaches_stops_its_wave_before_anything_begins(tmp_path: Path) -> None:
    done = wave(tmp_path, "rollback", "here", "gone")
    assert done.returncode != 0
    assert "gone does not answer, and nothing has been changed there: " in done.stdout
    assert "Give services back" not in done.stdout
    assert "Report" not in done.stdout
    assert "gone  UNREACHABLE" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("about", "name"),
    [
        ({}, "web1"),
        ({"mode": "plan"}, "web1.plan"),
        ({"source": "runit"}, "web1"),
        ({"source": "daemontools"}, "web1.daemontools"),
        ({"source": "daemontools", "mode": "plan"}, "web1.daemontools.plan"),
        ({"host": "web1.daemontools"}, "web1%2Edaemontools"),
        ({"host": "web1.example.org", "source": "daemontools"}, "web1.example.org.daemontools"),
    ],
)
def test_sources_have_reports_of_their_own(about: dict[str, t.Any], name: str) -> None:
    made = report({**facts(mode="handover"), **about})
    assert made.file == name
    assert made.summary["source"] == about.get("source", "runit")
    assert (", from daemontools" in made.markdown.split("\n", 1)[0]) == ("source" in about and about["source"] != "runit")


def test_a_host_that_nobody_reaches_is_missing_from_a_plan(tmp_path: Path) -> None:
    done = wave(tmp_path, "plan", "gone", "here")
    assert done.returncode != 0
    assert "gone does not answer, so there is no plan of it: " in done.stdout
    assert re.search(r"TASK \[pidone.systemd.service_migration : Report\] \**\nhere ", done.stdout), done.stdout
    assert "gone  UNREACHABLE" in done.stdout, done.stdout


def test_the_way_back_goes_only_when_the_packages_are_there() -> None:
    end, _report = yaml.safe_load((ROLE / "tasks" / "finish.yml").read_text())
    fetch, finish = (
        next(at for at, task in enumerate(end["block"]) if wanted(task))
        for wanted in (
            lambda task: "_service_migration_fetch" in str(task.get("ansible.builtin.command")),
            lambda task: "pidone.systemd.init_handover" in task and not task.get("check_mode"),
        )
    )
    assert fetch < finish


def test_the_playbook_is_imported_by_its_name(tmp_path: Path) -> None:
    book = tmp_path / "site.yml"
    book.write_text(
        "- import_playbook: pidone.systemd.migrate_from_runit\n  vars: {migrate_hosts: localhost, migrate_waves: [1, 10%]}\n"
    )
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "--syntax-check", str(book)]
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
