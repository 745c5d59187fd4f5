# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin: how often a module is run, and with what beside its options."""

from __future__ import annotations

import datetime
import gc
import json
import sys
import types
import typing as t

import pytest
from ansible._internal._datatag._tags import Origin, TrustedAsTemplate

from ansible_collections.pidone.systemd.plugins.action import unit as plugin
from ansible_collections.pidone.systemd.plugins.action import unit_set as by_name
from ansible_collections.pidone.systemd.plugins.module_utils._dbus import carrier
from ansible_collections.pidone.systemd.plugins.plugin_utils._jeepney import Bundle, TooOld
from ansible_collections.pidone.systemd.plugins.plugin_utils._packing import has_template, pack

MISSING = {"failed": True, "msg": "none here", "pidone_jeepney": {"missing": True}}
BUNDLE = Bundle("f00d", b"the zip")
OPTIONS = {"name": "x.service"}
DIGEST = {"wanted": "f00d", "packs": "yes"}
EVERYTHING = {**DIGEST, "zip": BUNDLE.as_text()}


@pytest.fixture(autouse=True)
def thaw() -> t.Iterator[None]:
    """The process of a test goes on."""
    yield
    gc.unfreeze()


class Run(t.NamedTuple):
    """What came of a task."""

    result: dict[str, t.Any]
    sent: list[dict[str, str]]
    background: list[bool]
    args: dict[str, t.Any]


def run(
    monkeypatch: pytest.MonkeyPatch,
    *answers: dict[str, t.Any],
    bundle: Bundle | Exception | None = BUNDLE,
    async_val: int = 0,
) -> Run:
    task = types.SimpleNamespace(
        action="pidone.systemd.unit", args=dict(OPTIONS), async_val=async_val, check_mode=False
    )
    shell = types.SimpleNamespace(tmpdir=None)
    connection = types.SimpleNamespace(_shell=shell, has_native_async=False)
    action = plugin.ActionModule(task, connection, None, None, None)
    sent: list[dict[str, str]] = []
    background: list[bool] = []
    left = list(answers)

    def execute(module_args: dict[str, t.Any], task_vars: dict[str, t.Any], wrap_async: bool) -> dict[str, t.Any]:
        assert task_vars == {"x": 1}
        sent.append(module_args.pop("_jeepney"))
        assert module_args == {name: value for name, value in OPTIONS.items() if name not in json.loads(sent[-1].get("packed", "{}"))}
        module_args["_ansible_check_mode"] = False  # as ansible-core adds to what it is given
        background.append(wrap_async)
        return dict(left.pop(0))

    def pack() -> Bundle | None:
        if isinstance(bundle, Exception):
            raise bundle
        return bundle

    monkeypatch.setattr(action, "_execute_module", execute)
    monkeypatch.setattr(plugin, "pack_jeepney", pack)
    result = action.run(task_vars={"x": 1})
    assert task.args == OPTIONS, "the task is left as it was"
    assert not left, "the module was run less often than expected"
    return Run(result, sent, background, task.args)


def test_a_host_with_jeepney_gets_only_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, {"changed": True, "units": []})
    assert done.result == {"changed": True, "units": []}
    assert done.sent == [DIGEST]


def test_a_host_sets_no_facts_and_adds_no_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts stand above the defaults of roles, such as where they write on the controller."""
    facts = {"ansible_facts": {"runit_migration_report_dir": "/etc"}, "add_host": {"host_name": "x"}, "add_group": "x"}
    assert run(monkeypatch, {"changed": True, **facts}).result == {"changed": True}


def test_the_interpreter_that_the_controller_found_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin.ActionModule, "_discovered_interpreter_key", "discovered_interpreter_python", raising=False)
    monkeypatch.setattr(plugin.ActionModule, "_discovered_interpreter", "/usr/bin/python3", raising=False)
    answer = {"ansible_facts": {"discovered_interpreter_python": "/evil", "x": 1}}
    found = plugin.without_facts(plugin.ActionModule, answer)
    assert found == {"ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3"}}


def test_first_contact_is_one_more_run(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, MISSING, {"changed": True})
    assert done.result == {"changed": True}
    assert done.sent == [DIGEST, EVERYTHING]


def test_it_is_never_brought_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, MISSING, MISSING)
    assert done.result == {"failed": True, "msg": "none here"}
    assert len(done.sent) == 2


def test_other_failures_are_final(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = {"failed": True, "msg": "no such unit"}
    assert run(monkeypatch, failure).result == failure
    failure["msg"] = "nowhere to keep it"
    assert run(monkeypatch, MISSING, failure).result == failure


def test_in_the_background_everything_goes_along_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, {"ansible_job_id": "j1", "started": 1}, async_val=30)
    assert done.result == {"ansible_job_id": "j1", "started": 1}
    # What it says then is read by others.
    everything = {name: value for name, value in EVERYTHING.items() if name != "packs"}
    assert (done.sent, done.background) == ([everything], [True])
    assert run(monkeypatch, {}).background == [False]


def test_a_controller_without_jeepney_is_fine_where_the_host_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for bundle in (None, TooOld("/opt/x/jeepney")):
        done = run(monkeypatch, {"changed": False}, bundle=bundle)
        assert done.result == {"changed": False}
        assert [list(sent) for sent in done.sent] == [["lacking", "packs"]]


def test_jeepney_nowhere_is_one_error_with_both_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module says it, told what it cannot know: ansible-core shows the module's words, whatever the result says later."""
    done = run(monkeypatch, MISSING, bundle=None)
    assert set(done.result) == {"failed", "msg"}
    for words in ("has none to bring", f"`{sys.executable} -m pip install 'jeepney>=0.7'`"):
        assert words in done.sent[0]["lacking"]
    done = run(monkeypatch, MISSING, bundle=TooOld("/opt/x/jeepney"))
    assert "/opt/x/jeepney, is older than 0.7" in done.sent[0]["lacking"]
    for lacking in ("", "WHY AND REMEDY"):
        monkeypatch.setattr(carrier, "luggage", {"lacking": lacking})
        monkeypatch.setattr(carrier, "import_own", lambda: None)
        with pytest.raises(carrier.JeepneyMissing) as missing:
            carrier.import_jeepney()
        assert (lacking or "under its full name") in missing.value.msg
        assert "python3-jeepney on the host" in missing.value.msg


def test_names_go_on_without_their_places_in_the_playbook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible pickles the options of each task for its main process, and a text that bears tags takes thirty times as long."""
    names = [Origin(path="/play.yml", line_num=number).tag(f"{number}.service") for number in (1, 2)]
    units = [{"name": name, "sections": {"Service": {"Nice": 7}}} for name in names]
    monkeypatch.setitem(OPTIONS, "names", names)
    monkeypatch.setitem(OPTIONS, "units", units)
    args = run(monkeypatch, {}).args
    assert args == {"name": "x.service", "names": ["1.service", "2.service"], "units": units}
    assert {type(name) for name in [*args["names"], *(each["name"] for each in args["units"])]} == {str}


def test_what_is_no_json_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [datetime.date(2026, 1, 1)]
    monkeypatch.setitem(OPTIONS, "days", days)
    done = run(monkeypatch, {})
    assert done.args["days"] is days
    assert "packed" not in done.sent[0]


def test_many_items_are_sent_as_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    units = [{"name": f"{number}.service", "content": "x" * 100} for number in range(100)]
    monkeypatch.setitem(OPTIONS, "units", units)
    done = run(monkeypatch, MISSING, {"changed": True})
    assert [json.loads(sent["packed"]) for sent in done.sent] == [{"units": units}] * 2
    assert json.loads(run(monkeypatch, {}, async_val=30).sent[0]["packed"]) == {"units": units}


def test_no_option_takes_the_place_of_what_ansible_core_says() -> None:
    """Of options that are a variable as a whole, some may be a host's; on the host, what is packed comes last."""
    options = {"units": ["x" * 10_000], "_ansible_check_mode": [], "_jeepney": {"reboot": "x"}}
    plain, packed, names = pack(options)
    assert (names, json.loads(packed)) == (["units"], {"units": options["units"]})
    assert plain == options


def test_what_a_module_has_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"changed": True, "units": None, "pidone_packed": json.dumps({"units": [{"name": "x"}]})}
    assert run(monkeypatch, answer).result == {"changed": True, "units": [{"name": "x"}]}
    # What ansible-core has taken out, or the host says in two ways, is not filled in; nor are facts.
    packed = json.dumps({"_ansible_x": 1, "changed": [], "ansible_facts": {"x": 1}})
    answer = {"changed": False, "ansible_facts": None, "pidone_packed": packed}
    assert run(monkeypatch, answer).result == {"changed": False}


TYPE = "__ansible_type"
# What comes back from a cache of facts as a template that is run on the controller.
TRUSTED = {TYPE: "_AnsibleTaggedStr", "value": "{{ 1 }}", "tags": [{TYPE: "TrustedAsTemplate"}]}
BAD = [{TYPE: "X"}, TRUSTED, {TYPE: []}, {TYPE: "_AnsibleTaggedStr"}, ["\ud8f3"], {"\udc80": 1}]


@pytest.mark.parametrize(
    "packed",
    [
        "{", "[]", "null", "[" * 100_000, '{"units": %s}' % ("9" * 5000),
        *(json.dumps({"units": each}) for each in BAD),
        json.dumps({"units": [TRUSTED]}).replace("_", r"\u005f").replace("t", r"\u0074"),
    ],
)  # fmt: skip
def test_a_host_that_packs_nonsense(monkeypatch: pytest.MonkeyPatch, packed: str) -> None:
    result = run(monkeypatch, {"changed": False, "units": None, "pidone_packed": packed}).result
    assert result["failed"]
    assert "cannot be read" in result["msg"]


def test_what_a_host_packs_is_no_template_that_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = json.dumps({"units": [{"name": "{{ x }}", "description": "\x1b ä"}]})
    (unit,) = run(monkeypatch, {"changed": False, "units": None, "pidone_packed": packed}).result["units"]
    assert unit == {"name": "{{ x }}", "description": "\x1b ä"}
    assert not TrustedAsTemplate.is_tagged_on(unit["name"])


@pytest.mark.parametrize(
    "value,has",
    [
        ([{"name": "x", "sections": {"Service": {"Nice": 7, "A": None, "B": True, "C": 0.5, "D": ["{x}", "%i", "${A}"]}}}], False),
        (["{{ x }}"], True),
        ([{"a": [{"b": "x {% if y %}"}]}], True),
        (["{# x #}"], True),
        (["#jinja2: variable_start_string: '[%'"], True),
        ([object()], True),
        ((1, 2), True),
    ],
)
def test_what_may_be_a_template(value: t.Any, has: bool) -> None:
    assert has_template(value) is has


def test_an_option_without_templates_is_what_it_is() -> None:
    """And with one, ansible-core makes of it what it makes of all others."""
    templar = types.SimpleNamespace(template=lambda value: ["made", value])
    plain, template = [{"name": "x"}], [{"name": "{{ x }}"}]
    assert plugin.ActionModule.finalize_task_arg("units", plain, templar, None) is plain
    for value in (template, "x", 7):
        assert plugin.ActionModule.finalize_task_arg("units", value, templar, None) == ["made", value]


def test_no_garbage_is_looked_for_in_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.unfreeze()
    run(monkeypatch, {})
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_check_mode_and_async_are_supported() -> None:
    assert plugin.ActionModule._supports_check_mode
    assert plugin.ActionModule._supports_async


def test_it_is_asked_about_the_options_of_sets_of_units() -> None:
    # ansible-core looks for it by the module's name, whatever meta/runtime.yml says.
    assert by_name.ActionModule is plugin.ActionModule
