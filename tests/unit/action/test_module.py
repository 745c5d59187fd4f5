# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin sends beside the options reaches the carrier, and nobody else sees it."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.json import Direction, get_module_decoder

from ansible_collections.pidone.systemd.plugins.action import unit as action
from ansible_collections.pidone.systemd.plugins.module_utils import _dbus
from ansible_collections.pidone.systemd.plugins.module_utils._dbus import carrier
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.plugin_utils import _packing

MODULES = sorted(
    path for path in (Path(__file__).parents[3] / "plugins" / "modules").glob("*.py") if path.stem != "__init__"
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_takes_it(path: Path) -> None:
    origins = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and "AnsibleModule" in [alias.name for alias in node.names]
    }
    assert origins == {"ansible_collections.pidone.systemd.plugins.module_utils._module"}


def make(monkeypatch: pytest.MonkeyPatch, hidden: tuple[str, ...] = (), **arguments: object) -> AnsibleModule:
    luggage: dict[str, str] = {}
    monkeypatch.setattr(_dbus, "luggage", luggage)
    monkeypatch.setitem(AnsibleModule._load_params.__globals__, "luggage", luggage)
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy")
    spec = {"name": {"type": "str"}, "stdin": {"type": "str"}} if hidden else {"name": {"type": "str"}}
    return AnsibleModule(argument_spec=spec, supports_check_mode=True, hidden=hidden)


def test_it_is_taken_out_before_options_are_checked_and_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    module = make(monkeypatch, name="x", _jeepney={"wanted": "f00d", "zip": "UEsDB"})
    assert _dbus.luggage == {"wanted": "f00d", "zip": "UEsDB"}
    assert module.params == {"name": "x"}
    assert len(logged) == 1
    assert "f00d" not in logged[0]
    with pytest.raises(SystemExit):
        module.exit_json(changed=False)
    assert json.loads(capsys.readouterr().out)["invocation"] == {"module_args": {"name": "x"}}


@pytest.mark.parametrize("sent", [None, "text", 7, ["x"], {"wanted": 7}])
def test_nonsense_is_no_luggage(monkeypatch: pytest.MonkeyPatch, sent: object) -> None:
    module = make(monkeypatch, name="x", _jeepney=sent)
    assert _dbus.luggage == {}
    assert module.params == {"name": "x"}


def test_a_mistyped_option_is_still_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        make(monkeypatch, nmae="x", _jeepney={"wanted": "f00d"})
    message = json.loads(capsys.readouterr().out)["msg"]
    assert "nmae" in message
    assert "jeepney" not in message


@pytest.mark.parametrize("fails", [False, True])
def test_a_hidden_option_is_neither_logged_nor_returned_and_masks_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fails: bool
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    module = make(monkeypatch, ("stdin",), name="x", stdin="s3cret")
    assert module.params["stdin"] == "s3cret"
    assert "name=x" in logged[0] and "stdin=" in logged[0] and "s3cret" not in logged[0]
    with pytest.raises(SystemExit):
        module.fail_json(msg="said s3cret") if fails else module.exit_json(stdout="said s3cret")
    result = json.loads(capsys.readouterr().out)
    assert result["invocation"]["module_args"]["name"] == "x"
    assert "s3cret" not in json.dumps(result["invocation"])
    # With `no_log` it would be stars there.
    assert "said s3cret" in (result.get("msg"), result.get("stdout"))


def test_what_is_not_hidden_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = make(monkeypatch, ("stdin",), name="x")
    with pytest.raises(SystemExit):
        module.exit_json()
    assert json.loads(capsys.readouterr().out)["invocation"]["module_args"] == {"name": "x", "stdin": None}


FILES = {"type": "list", "elements": "dict", "default": [], "options": {"path": {"type": "str"}, "content": {"type": "str"}}}


@pytest.mark.parametrize(
    "given",
    [
        {"contents": "s3cret"},
        {"stdin": "s3cret", "nmae": "x"},
        {"files": {"content": "s3cret"}},
        {"files": [{"content": "s3cret", "nmae": "x"}]},
        {"files": [{"contnet": "s3cret"}]},
        {"files": [[{"content": "s3cret"}]]},
        {"files": ["content=s3cret nmae=x"]},
        {"files": [[[["s3cret"]], {"s3cret"[:2]: "x s3cret"}]]},
    ],
)
def test_a_hidden_option_given_wrongly_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: dict[str, object]
) -> None:
    """Where ansible-core says what is wrong it shows all of it."""
    make(monkeypatch)
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode())
    spec = {"name": {"type": "str", "aliases": ["unit"]}, "stdin": {"type": "str"}, "files": copy.deepcopy(FILES)}
    with pytest.raises(SystemExit):
        AnsibleModule(argument_spec=spec, hidden=("stdin", "files.content"))
    result = capsys.readouterr().out
    assert json.loads(result)["failed"]
    assert "s3cret" not in result
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {"unit": "a", "files": [{"path": "b"}]}}).encode())
    shown = AnsibleModule(argument_spec=spec, hidden=("stdin", "files.content")).without_hidden()
    assert (shown["unit"], shown["name"], shown["files"]) == ("a", "a", [{"path": "b", "content": None}])


def test_packed_options_and_results(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    packed = json.dumps({"name": "y"})
    module = make(monkeypatch, _jeepney={"packed": packed, "packs": "yes"})
    assert module.params == {"name": "y"}
    units = [{"name": "ä\n", "enabled": None}]
    with pytest.raises(SystemExit):
        module.exit_json(changed=False, units=units, count=1)
    written = json.loads(capsys.readouterr().out)
    assert (written["changed"], written["count"], written["units"]) == (False, 1, None)
    assert json.loads(written["pidone_packed"]) == {"units": units, "invocation": {"module_args": {"name": "y"}}}
    # What only ansible-core can write it writes.
    module = make(monkeypatch, name="x", _jeepney={"packs": "yes"})
    with pytest.raises(SystemExit):
        module.exit_json(changed=False, names=[{"x"}])
    assert json.loads(capsys.readouterr().out)["names"] == [["x"]]


@pytest.mark.parametrize("packs", [True, False])
def test_what_ansible_core_would_refuse_is_written_such_that_it_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], packs: bool
) -> None:
    """Users choose names of files and variables; none of them keeps the rest of an answer from being read."""
    module = make(monkeypatch, name="x", _jeepney={"packs": "yes"} if packs else {})
    warned: list[str] = []
    monkeypatch.setattr(basic, "warn", lambda warning, help_text=None: warned.append(warning))
    module.warn("of /tmp/\udcff")
    assert warned == ["of /tmp/\\udcff"]
    with pytest.raises(SystemExit):
        module.exit_json(
            changed=False, path="\udcff", files=["/tmp/\udcff ä"], of={"\udc80": 1},
            managers=[{"environment": {"__ansible_type": "x"}}],
        )  # fmt: skip
    decoder = get_module_decoder("legacy", Direction.MODULE_TO_CONTROLLER)
    answer = json.loads(capsys.readouterr().out, cls=decoder)
    assert ("pidone_packed" in answer) is packs
    _packing.unpack(answer)
    assert answer["path"] == "\\udcff"
    assert answer["files"] == ["/tmp/\\udcff ä"]
    assert answer["of"] == {"\\udc80": 1}
    assert answer["managers"] == [{"environment": {"\\x5f_ansible_type": "x"}}]


def test_that_jeepney_is_missing_is_told_where_the_action_looks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a task with much beside it too: else it is never brought."""
    packed = json.dumps({"name": "y"})
    module = make(monkeypatch, _jeepney={"packed": packed, "packs": "yes"})
    monkeypatch.setattr(carrier, "import_own", lambda: None)
    with pytest.raises(carrier.JeepneyMissing) as caught:
        carrier.import_jeepney()
    missing = caught.value
    with pytest.raises(SystemExit):
        module.fail_json(missing.msg, steps=["x"], **missing.data)
    answer = json.loads(capsys.readouterr().out)
    assert "steps" in json.loads(answer["pidone_packed"])
    assert action._is_missing(answer)


UNIT_SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped"]},
    "enabled": {"type": "bool"},
    "sections": {"type": "dict"},
    "any": {"type": "raw"},
    "restart_on": {"type": "list", "elements": "str", "default": []},
    "probe": {"type": "dict", "options": {"status": {"type": "list", "elements": "int"}, "timeout": {"type": "str", "default": "30s"}}},
}


def units_of(monkeypatch: pytest.MonkeyPatch, units: object) -> AnsibleModule:
    make(monkeypatch)
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {"units": units}}).encode())
    spec = {"units": {"type": "list", "elements": "dict", "default": [], "options": copy.deepcopy(UNIT_SPEC)}}
    return AnsibleModule(argument_spec=spec, hidden=("units",), as_given=("units",))


@pytest.mark.parametrize(
    "unit,as_it_is",
    [
        ({"name": "a"}, True),
        ({"name": "a", "state": "started", "enabled": False, "sections": {"a": {"b": [1]}}, "any": 3, "restart_on": ["x"]}, True),
        ({"name": "a", "probe": {"status": [200]}}, True),
        ({"name": "a", "sections": None}, False),
        ({"name": "a", "any": None}, False),
        ({"name": 7}, False),
        ({"name": "a", "enabled": "yes"}, False),
        ({"name": "a", "restart_on": "x,y"}, False),
        ({"name": "a", "restart_on": [1]}, False),
        ({"name": "a", "probe": {"status": ["200"]}}, False),
        ({"name": "a", "probe": {"status": [True]}}, False),
        ({"name": "a", "sections": "a=b"}, False),
    ],
)
def test_items_that_ansible_core_need_not_look_at(monkeypatch: pytest.MonkeyPatch, unit: dict[str, object], as_it_is: bool) -> None:
    """What they come to is the same, but for what is not given."""
    module = units_of(monkeypatch, [unit])
    assert bool(module._aside) is as_it_is
    (found,) = module.params["units"]
    if as_it_is:
        assert found == unit
    monkeypatch.setattr("ansible_collections.pidone.systemd.plugins.module_utils._module._is_as_checked", lambda item, spec: False)
    (other,) = units_of(monkeypatch, [unit]).params["units"]
    assert {name: other[name] for name in unit if name != "probe"} == {name: found[name] for name in unit if name != "probe"}


@pytest.mark.parametrize(
    "unit",
    [{}, {"name": "a", "state": None}, {"name": "a", "nmae": "b"}, {"name": "a", "state": "up"}, {"name": "a", "probe": {"x": 1}}, "a"],
)
def test_what_ansible_core_refuses_it_still_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], unit: object
) -> None:
    with pytest.raises(SystemExit):
        units_of(monkeypatch, [{"name": "b"}, unit])
    assert json.loads(capsys.readouterr().out)["failed"]


def test_what_is_set_aside_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    module = units_of(monkeypatch, [{"name": "s3cret"}])
    assert "s3cret" not in f"{logged}{module.without_hidden()}"
    assert "units=VALUE" in logged[-1]


def test_results_are_written_as_ansible_core_writes_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    units = [{"name": "ä\n", "changed": False, "enabled": None, "pid": 7, "ratio": 0.5, "of": {"a": ("b", [])}}]
    results = []
    for values in ({"units": units}, {"units": units, "names": {"x"}}):
        for own in (True, False):
            module = make(monkeypatch, name="x")
            with monkeypatch.context() as patched, pytest.raises(SystemExit):
                if not own:
                    patched.delattr(AnsibleModule, "_record_module_result")
                    patched.delattr(AnsibleModule, "_return_formatted")
                module.exit_json(changed=False, **values)
            results.append(capsys.readouterr().out)
        assert json.loads(results[-2]) == {**json.loads(results[-1]), "invocation": {"module_args": {"name": "x"}}}
    assert json.loads(results[0])["units"][0] == {**units[0], "of": {"a": ["b", []]}}
    assert json.loads(results[2])["names"] == ["x"]
