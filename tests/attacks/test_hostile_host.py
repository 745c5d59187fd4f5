# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is another's by now: whatever it answers ends in one clear error or does no harm, and writes nothing but its own units."""

from __future__ import annotations

import copy
import json
import os
import random
import re
import subprocess
import sys
import time
import types
import typing as t
from pathlib import Path

import pytest
from ansible._internal._datatag._tags import TrustedAsTemplate
from ansible.errors import AnsibleError
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ansible_collections.pidone.systemd.plugins.action import (
    reboot,
    service_handover_info,
    service_import_info,
    service_import_plan,
    service_migration_report,
)
from ansible_collections.pidone.systemd.plugins.filter.fleet_report import fleet_report
from ansible_collections.pidone.systemd.plugins.filter.migration_report import migration_report
from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers, _markdown

Json = t.Any
HOST = "web1"
RUN = "#!/bin/sh\nexec 2>&1\nexport X=1\nexec chpst -u web webd -f\n"
DEFINITION: t.Any = {
    "name": "web",
    "source": "runit",
    "path": "/etc/sv/web",
    "live": True,
    "links": ["/etc/service/web"],
    "files": [{"path": "run", "type": "file", "mode": "0755", "size": 60, "content": RUN}],
    "external": [{"path": "/etc/default/web", "type": "absent"}],
    "state": {"enabled": True, "running": True, "wanted": "up", "down": False, "pid": 7, "since": 1},
    "commands": {"webd": "/usr/bin/webd"},
    "users": {"web": {"uid": "7", "gid": "7", "home": "/srv", "groups": []}},
    "unit": None,
    "problems": [],
}
PATHS = ["../../../pwned.cfg", "/etc/passwd", "a/b", "..", ".", "", "../web2/app", "a/../../b", "//", "web1/../x"]
NAMES = [*PATHS, "a\0b", "a\nb", "a\rb", "\x1b[2J", "x" * 300, "é" * 200, "a\ud800", "\udfff"]
TYPES: list[Json] = [
    None,
    True,
    5,
    -1,
    1.5,
    10**40,
    10**5000,
    float("inf"),
    float("nan"),
    "x",
    [],
    {},
    [[]],
    [5],
    {"a": {}},
    [None],
]


def deep(levels: int) -> Json:
    found: Json = "x"
    for level in range(levels):
        found = [found] if level % 2 else {"a": found}
    return found


def action(kind: t.Any, arguments: dict[str, Json], check_mode: bool = False) -> t.Any:
    """The action plugin as ansible-core would make it for one task."""
    task = types.SimpleNamespace(
        action="pidone.systemd.x",
        args=arguments,
        async_val=0,
        check_mode=check_mode,
        diff=True,
        collections=[],
        _role=None,
    )
    shell = types.SimpleNamespace(tmpdir=None)
    return kind.ActionModule(task, types.SimpleNamespace(_shell=shell, has_native_async=False), None, None, None)


def collected(answer: Json, monkeypatch: pytest.MonkeyPatch) -> dict[str, Json]:
    """What a task of service_import_info comes to."""
    plugin = action(service_import_info, {"source": "runit"})
    monkeypatch.setattr(plugin, "_execute_module", lambda **_more: dict(answer))
    return t.cast("dict[str, Json]", plugin.run(task_vars={"inventory_hostname": HOST}))


def planned(services: Json, tmp_path: Path, host: str = HOST) -> dict[str, Json]:
    """What a task of service_import_plan comes to, with directories below `tmp_path`."""
    arguments = {"services": services, "overrides": str(tmp_path / "overrides"), "render_to": str(tmp_path / "units")}
    try:
        found = action(service_import_plan, arguments).run(task_vars={"inventory_hostname": host})
    except AnsibleError as error:  # What ansible-core itself says of options.
        return {"failed": True, "msg": str(error).replace("NoneType", "null")}
    return t.cast("dict[str, Json]", found)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory of a user on the controller, with what a host would like to read or to change."""
    for path, text in {
        "secret.service": "[Service]\nExecStart=/SECRET\n",
        "units/web2/app.service": "of web2",
        "overrides/app2.service": "for app2",
        "overrides/web2/secret.service": "SECRET of web2",
        "pwned.cfg": "not yet",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def picture(directory: Path) -> dict[str, str]:
    """All files below, but for what the host may write: its own directory of units."""
    own = directory / "units" / HOST
    found = {}
    for path in sorted(directory.rglob("*")):
        if own not in (path, *path.parents):
            found[str(path)] = "" if path.is_dir() else path.read_text()
    return found


def clear(message: str) -> None:
    """One sentence that fits on a screen, and no text of Python's."""
    assert message
    assert len(message) < 1000
    assert message.isprintable()
    assert not re.search(r"Traceback|object is not|has no attribute|NoneType|unhashable|codec can't", message)


def places(value: Json, way: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The way to each value within another."""
    yield way
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*way, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from places(one, (*way, number))


def put(value: Json, way: tuple[t.Any, ...], new: Json) -> Json:
    """The value with another at the end of the way."""
    if not way:
        return new
    found = copy.deepcopy(value)
    inner = found
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = new
    return found


ANSWER = {"changed": False, "definitions": [DEFINITION]}
ANSWERS: list[Json] = [put(ANSWER, way, bad) for way in places(ANSWER) if way for bad in (*TYPES, *NAMES, deep(40))]
ANSWERS += [
    {},
    {"services": [{"name": "x", "units": [{"name": "../../pwned.cfg", "content": "x"}]}]},
    {
        "definitions": [DEFINITION],
        "services": [{"name": "x"}],
        "ansible_facts": {"ansible_connection": "local"},
        "add_host": {},
    },
    {"definitions": [DEFINITION] * 6000},
    {"definitions": [{**DEFINITION, "problems": ["x"] * 10**6}]},
    {"definitions": [put(DEFINITION, ("files", 0, "content"), "#!/bin/sh\n" + "x" * 5_000_000)]},
    {"definitions": [put(DEFINITION, ("files", 0, "content"), "#!/bin/sh\n" + "[ -e /x ] || exit 0\n" * 50000)]},
    {"definitions": [put(DEFINITION, ("files", 0, "content"), "#!/bin/sh\n" + "a=(" * 20000)]},
    {"definitions": [put(DEFINITION, ("files", 0, "content"), "#!/bin/sh\n" + "<<A\n" * 20000)]},
    {"definitions": [put(DEFINITION, ("files", 0, "content"), "#!/bin/sh\n" + "((" * 50000)]},
    {"definitions": [put(DEFINITION, ("files", 0, "encoding"), "base64")]},
    {"definitions": [{**DEFINITION, "files": deep(900)}]},
]


def test_whatever_a_host_answers(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer goes the whole way: collected, translated, planned, and reported."""
    before = picture(site)
    began = time.monotonic()
    refused = 0
    for answer in ANSWERS:
        result = collected(answer, monkeypatch)
        if result.get("failed"):
            refused += 1
            clear(str(result["msg"]))
            assert result["msg"].startswith(HOST) or "failed" in answer
            assert "services" not in result
            continue
        assert not {"ansible_facts", "add_host"} & set(result)
        plan = planned(result["services"], site)
        if plan.get("failed"):
            clear(plan["msg"])
        else:
            migration_report({"host": HOST, **{key: plan[key] for key in ("services", "blocked", "left_out")}})
        assert "SECRET" not in json.dumps(plan, default=str)
        if picture(site) != before:
            raise AssertionError(f"files were written for {str(answer)[:500]}")
    assert len(ANSWERS) > 1000
    assert refused > 600
    assert time.monotonic() - began < 120
    assert (site / "units" / HOST / "web.service").is_file(), "what is right is written"


SERVICE: dict[str, Json] = {
    "name": "app",
    "source": "runit",
    "path": "/etc/sv/app",
    "translation": "native",
    "units": [{"name": "app.service", "content": "[Service]\nExecStart=/bin/app\n"}],
    "findings": [{"key": "runit.keep-directory", "severity": "info", "construct": "cwd", "file": "run", "line": 2, "message": "kept"}],
    "state": DEFINITION["state"],
    "definition": {"name": "app", "path": "/etc/sv/app", "live": True, "links": []},
}


def test_whatever_is_handed_to_a_plan(site: Path) -> None:
    """A playbook hands on what a host answered; a plan does not count on the task before it to have looked."""
    before = picture(site)
    for way in places([SERVICE]):
        for bad in (*TYPES, *NAMES, deep(40)):
            services = put([SERVICE], way, bad)
            plan = planned(services, site)
            if plan.get("failed"):
                clear(plan["msg"])
            else:
                assert "SECRET" not in json.dumps(plan, default=str)
            assert picture(site) == before, services


HANDED_OVER: dict[str, Json] = {
    "changed": False,
    "runs": "systemd",
    "booted": True,
    "installed": True,
    "init_phase": "",
    "services": [{"name": "app", "source": "runit", "phase": "handed_over", "units": [{"name": "app.service"}]}],
    "os_release": {"ID": "debian"},
}


def test_whatever_a_host_answers_of_how_far_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role decides by it what to do to the host."""
    refused = 0
    more = [{}, {**HANDED_OVER, "ansible_facts": {"ansible_connection": "local"}, "began": "x", "add_host": {}}]
    for answer in [
        *more,
        *(put(HANDED_OVER, way, bad) for way in places(HANDED_OVER) if way for bad in (*TYPES, deep(40))),
    ]:
        plugin = action(service_handover_info, {})
        monkeypatch.setattr(plugin, "_execute_module", lambda answer=answer, **_more: dict(answer))
        found = plugin.run(task_vars={"inventory_hostname": HOST})
        if found.get("failed"):
            refused += 1
            clear(found["msg"])
            assert found["msg"].startswith(HOST)
            continue
        assert set(found) <= {*HANDED_OVER, "began"}
        assert isinstance(found["began"], float)
        assert isinstance(found["booted"], bool)
    assert refused > 100


_BOOT: Json = {"id": "a 1", "userspace": 1}
_LOOK: Json = {
    "changed": True, "needed": True, "boot": _BOOT, "units": {"active": ["a.service"], "failed": ["b.service"]}, "steps": ["reboot"],
    "inhibitors": [{"who": "a", "why": "b", "mode": "delay", "user": "c", "pid": 1}], "scheduled_shutdown": {"type": "reboot", "time": "x"},
}  # fmt: skip
_AFTER: Json = {
    "boot": {"id": "b 2", "userspace": 2}, "old": False, "state": "running", "finished": True, "lost": ["a.service"], "newly_failed": [],
    "failures": [{"unit": "a.service"}], "report": "a.service has failed",
}  # fmt: skip
_OLD: Json = {"boot": _BOOT, "old": True, "state": "running", "stopping": False}
_LATE: Json = {**_AFTER, "finished": False, "jobs": ["a.service (start)"]}
_BAD: list[Json] = [*TYPES, "{{ lookup('pipe', 'id') }}", "a\x1b[2Jb", "x" * 200_000, deep(40)]


def rebooted(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Json]) -> dict[str, Json]:
    """What a task of reboot comes to, on a host that says the same each time that it is asked the same."""
    plugin = action(reboot, {"reboot_timeout": "2min"})
    plugin._connection.transport = "ssh"
    now = [0.0]

    def answer(_task_vars: Json, in_background: bool = False, beside: Json = None) -> Json:
        now[0] += 1
        return copy.deepcopy(answers[json.loads(beside["reboot"])["phase"]])

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(plugin, "answer", answer)
    monkeypatch.setattr(reboot, "time", types.SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    return t.cast("dict[str, Json]", plugin.run(task_vars={"inventory_hostname": HOST}))


def test_whatever_a_host_answers_of_its_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = 0
    good: dict[str, Json] = {"look": _LOOK, "request": {"changed": True}, "after": _AFTER}
    for answers in [
        *({**good, "look": put(_LOOK, way, bad)} for way in places(_LOOK) if way for bad in _BAD),
        *({**good, "request": put({"failed": True, "msg": "no", "requested": False}, way, bad)}
          for way in (("msg",), ("failed",), ("requested",)) for bad in _BAD),
        *({**good, "after": put(value, way, bad)} for value in (_AFTER, _OLD, _LATE) for way in places(value) if way for bad in _BAD),
        {**good, "look": {}}, {**good, "request": {}}, {**good, "after": {}},
        {**good, "after": {**_AFTER, "ansible_facts": {"ansible_connection": "local"}, "add_host": {}}},
    ]:  # fmt: skip
        found = rebooted(monkeypatch, answers)
        assert not {"ansible_facts", "add_host", "boot", "units", "needed", "report"} & set(found)
        assert isinstance(found["rebooted"], bool)
        json.dumps(found)
        if not found.get("failed"):
            # That it need not be done, or that nothing is lost, a host may say.
            continue
        assert len(found["msg"]) < 10_000
        assert found["msg"].replace("\n", "").isprintable()
        assert "Traceback" not in found["msg"]
        refused += "gave an answer" in found["msg"]
    assert refused > 300


def reported(site: Path, **arguments: Json) -> dict[str, Json]:
    """What a task of service_migration_report comes to, with a directory below `site`."""
    try:
        found = action(service_migration_report, {"directory": str(site / "reports"), **arguments})
        return t.cast("dict[str, Json]", found.run(task_vars={"inventory_hostname": HOST}))
    except AnsibleError as error:  # What ansible-core itself says of options.
        return {"failed": True, "msg": str(error).replace("NoneType", "null")}
    except ValueError as error:
        # ansible-core prints a number with more digits than Python likes.
        assert "sys.set_int_max_str_digits" in str(error)
        return {"failed": True, "msg": "too many digits"}


def test_whatever_is_handed_to_a_report(site: Path) -> None:
    before = picture(site)
    plan = planned([SERVICE], site)
    result = {
        "name": "app",
        "outcome": "back",
        "message": "x",
        "differences": [{"what": "user", "before": "a", "after": "b"}],
    }
    good: dict[str, Json] = {
        "mode": "handover", "results": [result], "plan": {**{key: plan[key] for key in ("services", "left_out")},
                                                          "blocked": [{"name": "app", "reasons": ["decide"]}]},
    }  # fmt: skip
    for way in places(good):
        for bad in (*TYPES, *NAMES, deep(40)):
            arguments = put(good, way, bad)
            if not isinstance(arguments, dict):
                continue
            found = reported(site, **arguments)
            # Of the mode and the names of options, ansible-core tells.
            if found.get("failed") and len(way) > 1:
                clear(found["msg"].split("\n")[0])
            assert {path: text for path, text in picture(site).items() if "/reports" not in path} == before
    assert sorted(path.name for path in (site / "reports").iterdir()) == [
        f"{HOST}.{end}" for end in ("json", "md", "plan.json", "plan.md")
    ]


def test_a_report_is_not_written_through_a_link(site: Path) -> None:
    (site / "reports").mkdir()
    (site / "reports" / f"{HOST}.json").symlink_to(site / "pwned.cfg")
    found = reported(site, mode="handover")
    assert (site / "pwned.cfg").read_text() == "not yet"
    assert found.get("failed") or not (site / "reports" / f"{HOST}.json").is_symlink()


@pytest.mark.parametrize("name", PATHS)
def test_a_path_for_a_name_is_said_to_be_one(name: str, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = collected({"definitions": [{**DEFINITION, "name": name}]}, monkeypatch)["msg"]
    assert message.startswith(
        f"{HOST} gave an answer that the module does not give, so nothing of it is used; definitions[0].name:"
    )
    message = planned([put(SERVICE, ("units", 0, "name"), name)], site)["msg"]
    assert message.startswith("services[0].units[0].name:")


def test_a_link_among_the_overrides_leads_nowhere_else(site: Path) -> None:
    (site / "overrides" / "app.service").symlink_to(site / "secret.service")
    assert "leads out of the directory" in planned([SERVICE], site)["msg"]
    (site / "overrides" / "app.service").unlink()
    (site / "overrides" / "app.service").symlink_to("app2.service")
    assert planned([SERVICE], site)["services"][0]["units"][0]["content"] == "for app2"
    (site / "overrides" / "app.service").unlink()
    (site / "overrides" / "app.service.d").symlink_to("/etc")
    assert "leads out of the directory" in planned([SERVICE], site)["msg"]
    (site / "overrides" / "app.service.d").unlink()
    os.mkfifo(site / "overrides" / "app.service")
    assert "is no regular file" in planned([SERVICE], site)["msg"]


def test_units_of_a_host_are_not_written_through_a_link(site: Path) -> None:
    (site / "units" / HOST).symlink_to(site / "elsewhere")
    (site / "elsewhere").mkdir()
    assert "leads out of the directory" in planned([SERVICE], site)["msg"]
    assert list((site / "elsewhere").iterdir()) == []


def test_hosts_with_names_that_are_paths_have_directories_of_their_own(site: Path) -> None:
    hosts = ["dc1/web1", "dc1%2Fweb1", "..", ".", "../overrides", "%2E%2E", "a%b", "/etc"]
    written = [one for host in hosts for one in planned([SERVICE], site, host)["written"]]
    assert len(set(written)) == len(hosts)
    assert {Path(one).parent.parent for one in written} == {site / "units"}
    files = [
        migration_report({"host": host, "mode": mode, "source": source})["file"]
        for host in (*hosts, "web1", "web1.plan", "web1.daemontools", "web1.daemontools.plan", "web1.plan.daemontools", "web1.runit")
        for source in ("runit", "daemontools")
        for mode in ("plan", "system")
    ]
    assert len(set(files)) == len(files)
    assert not any("/" in one or one in ("..", ".") for one in files)


def test_what_only_some_may_read_is_kept_so(site: Path) -> None:
    plain = planned([SERVICE], site)["written"][0]
    assert os.stat(plain).st_mode & 0o777 == 0o644
    private = {"path": "run", "content": "x", "mode": "0700", "private": True}
    other = put(put(SERVICE, ("units", 0, "name"), "other.service"), ("definition", "files"), [private])
    (path,) = planned([{**other, "name": "other"}], site)["written"]
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_nothing_of_a_host_is_a_template(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = "{{ lookup('pipe', 'touch pwned') }}"
    definition = {**DEFINITION, "name": template, "problems": [template]}
    definition = put(definition, ("files", 0, "content"), f"#!/bin/sh\nexec foo '{template}'\n")
    # Even where somebody trusts the answer: what is returned is made anew.
    trusted = _answers.definitions(TrustedAsTemplate().tag([definition]))
    result = collected({"definitions": trusted}, monkeypatch)
    plan = planned(TrustedAsTemplate().tag(result["services"]), site)
    report = migration_report(
        TrustedAsTemplate().tag({"host": HOST, "services": plan["services"], "blocked": plan["blocked"]})
    )
    seen = 0
    whole: Json
    for whole in (trusted, result, plan, report):
        for way in places(whole):
            value: Json = whole
            for key in way:
                value = value[key]
            if isinstance(value, str):
                seen += "lookup(" in value
                assert not TrustedAsTemplate.is_tagged_on(value), way
    assert seen > 4


def test_a_chain_of_a_thousand_services_and_a_ring_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [
        {
            "name": f"s{n}",
            "path": f"/etc/sv/s{n}",
            "files": [{"path": "run", "content": f"#!/bin/sh\nsv start s{(n + 1) % 1200}\nexec foo\n"}],
        }
        for n in range(1200)
    ]
    result = collected({"definitions": chain}, monkeypatch)
    circles = [one for service in result["services"] for one in service["findings"] if one["key"] == "dependency.circle"]
    assert len(circles) == 1


def test_when_the_time_is_over_the_rest_is_refused() -> None:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate

    first, second = translate([DEFINITION, {**DEFINITION, "name": "late"}], most_time=-1.0)
    assert (first["translation"], second["translation"]) == ("refused", "refused")
    assert "was not looked at" in second["findings"][0]["message"]
    assert set(second) == set(translate([DEFINITION])[0])


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("x" * 5_000_000, "run has more than 256 KiB"),
        ("x" * 100_000, "run has more than 64 KiB of shell"),
        ("[ -e /x ] || exit 0\n" * 3000, "run has more than"),
        ("export A=v\n" * 3000, "run has more than 12000 words and marks"),
        ("a=(" * 5000, "run has more than 1500 brackets and here-documents"),
        ("<<A\n" * 5000, "run has more than 1500 brackets and here-documents"),
        (". /etc/default/web\n" * 100 + "exec webd\n", "reading it takes more than 20000 steps"),
    ],
    ids=["characters", "shell", "conditions", "exports", "arrays", "here-documents", "settings"],
)
def test_what_takes_too_long_is_refused_alone(script: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.process_time()
    settings_file = {"path": "/etc/default/web", "content": "X=$(date)\n" * 1000}
    long = {
        **put(DEFINITION, ("files", 0, "content"), "#!/bin/sh\n" + script),
        "name": "long",
        "external": [settings_file],
    }
    refused, other = collected({"definitions": [long, DEFINITION]}, monkeypatch)["services"]
    (finding,) = [one for one in refused["findings"] if one["key"] == "refused.size"]
    assert finding["message"].startswith(why)
    assert finding["message"].endswith("too much to be translated; write the unit by hand")
    assert (refused["translation"], refused["units"], other["translation"]) == ("refused", [], "native")
    assert time.process_time() - began < 10


EVIL = """#!/bin/sh
# Takes the place of Python on the host.
cat <<'EOF'
{"changed": false, "ansible_facts": {"pwned": true}, "services": [{"name": "x"}], "definitions": DEFINITIONS}
EOF
"""
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - pidone.systemd.service_import_info: {source: runit}
      register: import
    - pidone.systemd.service_import_plan: {services: "{{ import.services }}", render_to: "{{ playbook_dir }}/units"}
      register: plan
    - debug: {msg: "{{ ({'host': inventory_hostname, 'services': plan.services} | pidone.systemd.migration_report).lines }}"}
    - debug: {msg: "pwned={{ pwned | default('no') }}"}
"""


@pytest.mark.parametrize("hostile", [True, False])
def test_a_playbook_against_such_a_host(site: Path, hostile: bool) -> None:
    """With ansible-core's own way of an answer to a variable, a template and a file."""
    template = "{{ lookup('pipe', 'touch PWNED') }}"
    definition = {**DEFINITION, "problems": [template.replace("PWNED", str(site / "templated"))]}
    if hostile:
        definition = put(definition, ("name",), "../../pwned")
    python = site / "python"
    python.write_text(EVIL.replace("DEFINITIONS", json.dumps([definition])))
    python.chmod(0o755)
    (site / "play.yml").write_text(PLAY)
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", f"{HOST},", "-c", "local"]
    command += ["-e", f"ansible_python_interpreter={python}", str(site / "play.yml")]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(Path(__file__).parents[2] / "build" / "collections"),
        "ANSIBLE_HOME": str(site / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert not (site / "templated").exists()
    assert (site / "pwned.cfg").read_text() == "not yet"
    assert "Traceback" not in said
    if hostile:
        assert done.returncode == 2
        assert f"{HOST} gave an answer that the module does not give" in said
        assert not (site / "units" / HOST).exists()
    else:
        assert done.returncode == 0, said
        assert "pwned=no" in said
        assert "lookup(" in said, "it is shown as the text it is"
        assert [one.name for one in (site / "units" / HOST).iterdir()] == ["web.service"]


# -- reports

ANY = st.one_of(
    st.text(max_size=40),
    st.text(
        alphabet="#-+=*_`~<>|[]()!\\&0123456789.: \n\r\tab$\"'/;{}\x0b\x0c\x1b\x85\u2028\u202e\ud800\udc80", max_size=40
    ),
    st.sampled_from(
        """<script>alert(1)</script> § ``` § ~~~~\nx § # x § - x § 1. x § a | b § \n\n# x § [x](javascript:1) § ![](http://x) § --- § === §
        x § <!-- § &lt; § $$x$$ § {{ x }} § **x** § __x__ § ~~x~~ § x\\ § x\n===""".split(" § ")
    ),
)


def facts(one: str) -> dict[str, Json]:
    """What fills every part of a report with a text."""
    finding = {
        "key": "shell.line", "title": one, "severity": "warning", "construct": one, "file": one, "line": 3, "message": one,
        "remediation": {"type": "command", "text": one, "command": one, "variables": {one: [one]}},
    }  # fmt: skip
    difference = {"what": one, "before": one, "after": [one], "expected": False, "worse": True, "reason": one}
    service = {
        **SERVICE, "path": one, "origin": "translated", "name": "s" + one, "findings": [finding], "drift": one or "x",
        "units": [{"name": one, "content": one}],
    }  # fmt: skip
    packaged = {**service, "name": "p" + one, "packaged": {"name": one, "path": one}}
    result = {
        "name": "s" + one, "outcome": "back", "message": one or "x", "differences": [difference], "before": {"a": 1}, "after": {"a": 2},
    }  # fmt: skip
    return {
        "host": one,
        "mode": "system",
        "when": one or "x",
        "services": [service, packaged],
        "blocked": [{"name": "b" + one, "reasons": [one]}],
        "left_out": [{"name": one, "reason": one, "running": True}],
        "results": [result],
        "listeners": [difference],
        "notes": [one or "x"],
        "seconds": 1.0,
    }


def shape(markdown: str) -> list[str]:
    """A document without its texts: headlines, lists, tables, code, emphasis."""
    found = []
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown):
        found.append(token.type + token.tag)
        found += [inner.type for inner in token.children or () if inner.type != "text"]
    return found


@given(ANY)
@settings(max_examples=100, deadline=None)
def test_no_text_changes_the_shape_of_a_report(one: str) -> None:
    # An empty text has no emphasis, and half a character is refused.
    one = one.replace("\ud800", "")
    one = one if one.strip() else "x"
    plain, made = migration_report(facts("plain")), migration_report(facts(one))
    assert shape(made["markdown"]) == shape(plain["markdown"])
    assert len(made["lines"]) == len(plain["lines"])
    assert not [line for line in made["lines"] if re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]", line)]
    summaries = {one: made["summary"], "another": {"stopped": one}}
    fleet = fleet_report(summaries)
    assert shape(fleet["markdown"]) == shape(
        fleet_report({"plain": plain["summary"], "another": {"stopped": "y"}})["markdown"]
    )


@given(ANY)
@settings(max_examples=100, deadline=None)
def test_markdown_says_the_text(one: str) -> None:
    wanted = " ".join(_markdown.plain(one).split())
    inline = MarkdownIt("commonmark").parse(f"x {_markdown.inline('x ' + one)}")[1]
    assert inline.children is not None
    assert "".join(child.content for child in inline.children) == f"x x {wanted}".rstrip()


def test_whatever_a_report_is_made_of() -> None:
    good = facts("plain")
    summary = migration_report(good)["summary"]
    said = 0
    for make, start in ((migration_report, good), (fleet_report, {"a": summary, "b": {"stopped": "x"}, "c": None})):
        for way in places(start):
            for bad in (*TYPES, "a\ud800", deep(40)):
                try:
                    make(put(start, way, bad))
                except AnsibleError as error:
                    said += 1
                    clear(str(error))
    assert said > 500


def test_numbers_of_answers_that_fit_nowhere() -> None:
    generator = random.Random(1)
    for _turn in range(200):
        way = generator.choice(list(places(DEFINITION)))
        bad = put(DEFINITION, way, generator.choice(TYPES))
        try:
            found = _answers.definitions([bad])
        except Exception as error:
            assert type(error).__name__ == "BadInput"
        else:
            json.dumps(found)
