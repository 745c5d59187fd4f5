# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin sends beside the options reaches the carrier, and nobody else sees it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from ansible.module_utils import basic

from ansible_collections.pidone.systemd.plugins.module_utils import _dbus
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule

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


def test_results_are_written_as_ansible_core_writes_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    units = [{"name": "ä\udc80\n", "changed": False, "enabled": None, "pid": 7, "ratio": 0.5, "of": {"a": ("b", [])}}]
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
