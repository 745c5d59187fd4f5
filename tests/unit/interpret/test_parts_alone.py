# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the interpreter, each by itself, and scripts without a supervisor: no source is asked here."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret import conditions, variables
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.dialect import Dialect
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import HANDLERS, Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import NeedShell
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.outcome import Before, Outcome
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs.paths import is_relative
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.scope import Scope
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.table import peel
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import parse, statements
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import constant, lit


def interpreter(text: str, dialect: Dialect | None = None) -> Interpreter:
    definition = Definition({"name": "web", "path": "/srv/web", "files": []})
    return Interpreter(definition, Service("web", "test", "/srv/web"), parse(text, "start"), "/srv/web", [], dialect)


def run(text: str, dialect: Dialect | None = None) -> Interpreter:
    it = interpreter(text, dialect)
    it.run()
    return it


def texts(words: t.Sequence[t.Any] | None) -> list[str | None]:
    return [constant(word) for word in words or ()]


def test_a_script_comes_to_steps_directives_and_a_command() -> None:
    it = run("A=1\nexport A\ncd /var\nmkdir -p x\nulimit -n 100\nexec nice -n 5 prog -a $A 2>&1")
    assert texts(it.outcome.main) == ["prog", "-a", "1"]
    assert [step.path for step in it.outcome.steps] == ["/var/x"]
    assert it.service.settings == {"LimitNOFILE": ["100"], "Nice": ["5"]}
    assert it.service.environment == {"A": lit("1")}
    assert (it.service.working_directory, it.outcome.stderr) == ("/var", "journal")


def test_what_a_supervisor_adds_is_given() -> None:
    class Asks(Dialect):
        """One that is asked by a command."""

        controls = frozenset(("ask",))

        def control(self, it: Interpreter, name: str, arguments: list[str], checked: bool = False) -> None:
            it.service.wants += arguments

    text = "ask a b || exit 1\nexec prog"
    assert run(text, Asks()).service.wants == ["a", "b"]
    # To who does not know it, it is a command that has to succeed.
    known = run(text)
    assert known.service.wants == []
    assert [texts(step.run.argv) for step in known.outcome.steps if step.run] == [["ask", "a", "b"]]
    assert interpreter("exec prog $0", Dialect("./start")).get("0") == lit("./start")


def test_a_statement_that_needs_a_shell_leaves_nothing_behind() -> None:
    it = interpreter(
        "B=2 && export C=3 && cd /tmp && ulimit -n 5 && mkdir /run/x && snooze -H9 && chpst -u a b && (exec x)"
    )
    before = copy.deepcopy((vars(it.scope), {**vars(it.outcome), "service": vars(it.service)}))
    saved = it.saved()
    ((node, _background),) = statements(it.text.script.root)
    with pytest.raises(NeedShell):
        it.dispatch(node, True)
    assert "B" in it.scope.vars and it.service.environment and it.outcome.steps
    it.undo(saved)
    assert (vars(it.scope), {**vars(it.outcome), "service": vars(it.service)}) == before
    assert it.findings == []


@pytest.mark.parametrize("original", [Scope("/"), Outcome(Service("a", "b", "/c")), Service("a", "b", "/c")])
def test_no_attribute_of_a_copy_is_shared_that_can_change(original: Scope | Outcome | Service) -> None:
    made = original.copy()
    assert vars(made).keys() == vars(original).keys()
    for name, value in vars(original).items():
        if isinstance(value, (list, set, dict, Service)):
            assert getattr(made, name) is not value, name
    if isinstance(original, Service):
        original.add("UnsetEnvironment", "A")
        again = original.copy()
        original.add("UnsetEnvironment", "B")
        assert again.settings == {"UnsetEnvironment": ["A"]}


def test_what_nothing_uses_does_not_stay_in_front_of_the_command() -> None:
    outcome = Outcome(Service("a", "b", "/c"))
    outcome.put_before(Before("X=$(a)", {"X"}, set(), {"a"}))
    outcome.put_before(Before("Y=$(b $X)", {"Y"}, {"X"}, {"b"}))
    assert outcome.live_prefix("exec c") == []
    assert [one.text for one in outcome.live_prefix("exec c $X")] == ["X=$(a)"]
    assert len(outcome.live_prefix("exec c $Y")) == 2
    assert outcome.used_before("X") and not outcome.used_before("Y")
    assert outcome.must_follow()


def test_a_wrapper_becomes_directives_or_stays_whole() -> None:
    it = interpreter("")
    command = [lit(word) for word in "chpst -u www:adm -o 10 nice prog -x".split()]
    assert texts(peel(it, command)) == ["prog", "-x"]
    assert (it.service.user, it.service.group) == ("www", "adm")
    it = interpreter("")
    command = [lit(word) for word in "chpst -C /x -o 10 -3 prog".split()]
    assert peel(it, command) == command
    assert it.service.settings == {} and it.scope.cwd == "/srv/web"
    assert [finding.message for finding in it.findings] == ["chpst stays part of the command: -3 has no directive"]


def test_a_variable_of_a_settings_file_wins_over_the_script_s() -> None:
    it = interpreter("")
    variables.assign(it, "X", lit("1"))
    assert texts([it.get("X") or []]) == ["1"]
    it.scope.overridable.add("X")
    (piece,) = it.get("X") or []
    assert (piece.kind, piece.text, it.scope.dynamic) == ("var", "X", {"X": "1"})


@pytest.mark.parametrize(
    ("words", "answer", "found"),
    [
        ("-f /a", None, [("ConditionPathExists", "/a")]),
        ("! -x /a", None, [("ConditionFileIsExecutable", "!/a")]),
        ("a = a", True, None),
        ("1 -gt 2 -a -e /a", False, None),
        ("-d /run/a", None, None),
    ],
)
def test_tests_are_decided_or_asked_by_systemd(words: str, answer: bool | None, found: list[tuple[str, str]]) -> None:
    test = conditions.read([lit(word) for word in words.split()])
    assert test is not None
    assert conditions.decide(test, lambda _operator, _path: None) is answer
    assert conditions.as_conditions(test) == found


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("touch x", True),
        ("touch /x", False),
        (". ./x", True),
        ("prog >x", True),
        ("echo 'a x.conf'", True),
        ("prog -v", False),
    ],
)
def test_relative_paths_are_seen(text: str, answer: bool) -> None:
    assert is_relative(text) is answer


def test_every_kind_of_statement_has_one_handler() -> None:
    for text, kind in (
        ("a | b", "pipeline"),
        ("a > b", "redirected_statement"),
        ("case a in b) c;; esac", "case_statement"),
    ):
        ((node, _background),) = statements(parse(text, "start").root)
        assert node.type == kind and kind in HANDLERS
    with pytest.raises(NeedShell, match="a negation"):
        it = interpreter("! a")
        it.dispatch(it.text.script.root.children[0], False)
