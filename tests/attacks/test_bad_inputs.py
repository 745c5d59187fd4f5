# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input to every module, on a host: one clear message, no traceback, and nothing changed."""

from __future__ import annotations

import typing as t

import pytest

from tests.attacks.bad_inputs import MODULES, BadInput, bad_inputs, fault_of_message, seed_of_today
from tests.attacks.bad_inputs_on_host import ModulesOnHost
from tests.lab.full import is_full
from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("bookworm")
SEED = seed_of_today()
# Of each module; which, changes every day.
COUNT = 130 if is_full() else 75
# On this host they refuse everything, whatever the options are: one moves hosts that boot something else, the other does
# its work on the controller.
REFUSE_THE_HOST = ("init_handover", "service_import_plan", "service_migration_report")
# What bad input would do there, it would do to a whole host.
CHECK_MODE_ONLY = ("run", "init_handover")

# Options with which the module's task would be right.
GOOD: dict[str, dict[str, t.Any]] = {
    "configuration": {"name": "pstore", "settings": {"PStore": {"Storage": "none"}}},
    "credential": {"name": "bad-input", "content": "secret"},
    "init_handover": {"state": "finished"},
    "journal_info": {"lines": 1},
    "manager": {"daemon_reload": "never"},
    "manager_info": {},
    "needs_restart": {"name": ["bad-input.service"], "exclude": ["other.service"], "include": ["bad-*"]},
    "needs_restart_info": {},
    "resource_control": {"name": ["bad-input.service"], "properties": {"TasksMax": "100"}},
    "run": {"command": ["/bin/true"], "collect": True},
    "security_info": {"name": ["bad-input.service"]},
    "service_handover": {"services": [{"name": "a", "definition": {"path": "/etc/sv/a"}, "units": []}]},
    "service_handover_info": {"name": ["*"]},
    "service_import_info": {"source": "runit"},
    "service_import_plan": {"services": []},
    "service_migration_report": {},
    "sysusers": {"name": "bad-input", "lines": [{"type": "u", "name": "bad-input"}]},
    "timer": {"name": "bad-input-timer", "command": "/bin/true", "OnCalendar": "daily"},
    "timer_info": {"name": ["*"]},
    "tmpfiles": {"name": "bad-input", "lines": [{"type": "d", "path": "/run/bad-input", "mode": "0755", "age": "10d"}]},
    "unit": {"name": ["bad-input.service"], "state": "started"},
    "unit_action": {"name": ["bad-input.service"], "signal": "WINCH"},
    "unit_file": {"name": "bad-input-new.service", "content": "[Service]\nExecStart=/bin/true\n"},
    "unit_info": {"name": ["bad-input.service"]},
    "unit_set": {
        "name": "bad-input",
        "units": [{"name": "bad-input-new.service", "content": "[Service]\nExecStart=/bin/true\n"}],
    },
    "user_manager": {"name": ["nosudo"], "linger": True},
}


@pytest.fixture(scope="module")
def modules(host: Host) -> t.Iterator[ModulesOnHost]:
    host.write("/etc/systemd/system/bad-input.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    host.run("systemctl daemon-reload", check=True)
    with ModulesOnHost(host) as found:
        yield found
    host.run(
        "systemctl stop bad-input.service; rm /etc/systemd/system/bad-input.service; systemctl daemon-reload",
        check=True,
    )


def fault(one: BadInput, answer: dict[str, t.Any]) -> str:
    """What is wrong with a module's answer; empty where nothing is."""
    result = answer["result"]
    if result is None:
        return f"no result but {answer['output'][-1500:]}"
    if not result.get("failed"):
        return f"accepted: {str(result)[:300]}" if one.never else ""
    bad = fault_of_message(result["msg"], one)
    if bad == "it names no option" and one.module in REFUSE_THE_HOST:
        bad = ""
    if bad or "exception" in result:
        return f"{bad or 'with an exception'}: {result['msg'][:600]}"
    return f"changed {answer['touched'][:5]}" if answer["touched"] else ""


@pytest.mark.parametrize("module", MODULES)
def test_each_ends_in_one_clear_message(
    modules: ModulesOnHost, module: str, record_property: t.Callable[[str, object], None]
) -> None:
    found, tried, tracebacks = [], 0, 0
    for one in bad_inputs(module, GOOD[module], SEED, COUNT):
        tried += 1
        for check in (True, False):
            answer = modules(module, one.args, check)
            wrong = fault(one, answer)
            if wrong:
                found.append(f"{one} ({'check mode' if check else 'a real run'}): {wrong}")
                tracebacks += answer["result"] is None
            # What check mode takes may be good, and is not tried on the host.
            if wrong or module in CHECK_MODE_ONLY or not answer["result"].get("failed"):
                break
    record_property("bad_inputs", [tried, tracebacks, SEED, "modules"])
    assert not found, f"PIDONE_SEED={SEED}: {len(found)} of {tried}:\n" + "\n".join(found[:20])


@pytest.mark.parametrize("module", sorted(set(MODULES) - set(REFUSE_THE_HOST) - {"service_handover"}))
def test_what_is_good_is_taken(modules: ModulesOnHost, module: str) -> None:
    answer = modules(module, GOOD[module], True)
    assert answer["result"] is not None, answer["output"]
    assert not answer["result"].get("failed"), answer["result"]


SERVICE: dict[str, t.Any] = {"name": "a", "definition": {"path": "/etc/sv/a"}, "units": []}
CLEAR = [
    *(("credential", {"name": name}, "name: ") for name in ("", "a/b", "..", ".a", "a:b", "a%b", "a b", "a\\b", "a!b", "\u00e9", "x" * 300)),
    ("credential", {"content": None}, "content: the secret is missing"),
    ("credential", {"content": "a-b", "encoding": "base64"}, "content: is not base64 (3 characters, not shown)"),
    ("credential", {"content": "x" * ((750 << 10) + 1)}, "content: is 768001 bytes long, of the 750 KiB"),
    ("credential", {"not_after": "1999-01-01"}, "not_after: 1999-01-01 is over"),
    ("credential", {"path": "secret"}, "path: 'secret' is not absolute"),
    *(("credential", {"not_after": text}, "not_after: ") for text in ("", "soon", "+1d", "@", "@99999999999999", "2027-13-01")),
    ("credential", {"not_after": "2030-01-01", "scope": "user", "user": "deploy"}, "not_after: of a user's credential"),
    ("credential", {"unit": "a.timer"}, "unit: a.timer runs no process"),
    ("credential", {"on_change": "restart"}, "on_change: there is no unit"),
    ("credential", {"scope": "user", "user": "deploy"}, "scope: encrypted credentials of users need systemd 256"),
    ("credential", {"with_key": "tpm2"}, "with_key: tpm2 needs a TPM2 chip"),
    ("journal_info", {"boot": ""}, "boot: '' is no boot"),
    ("journal_info", {"boot": "x"}, "boot: 'x' is no boot"),
    ("journal_info", {"boot": "99"}, "boot: the journal has nothing of boot 99"),
    ("journal_info", {"grep": "("}, "grep: '(' is no regular expression"),
    ("journal_info", {"grep": ""}, "grep: is empty"),
    ("journal_info", {"grep": "x" * 200_000}, "longer than the 131072 bytes"),
    ("journal_info", {"directory": ""}, "directory: is empty"),
    ("journal_info", {"directory": "/nonsense"}, "directory: /nonsense is no directory"),
    ("journal_info", {"after_cursor": "nonsense"}, "after_cursor: 'nonsense' is no cursor to this host's journalctl"),
    ("journal_info", {"invocation": "0"}, "invocation: 0 counts the invocations of one unit, and `unit` names none"),
    ("security_info", {"threshold": 50.0}, "threshold: 50 is not from 0 (confined) to 10 (exposed)"),
    ("security_info", {"security_policy": "/etc/passwd"}, "security_policy: /etc/passwd is no JSON"),
    ("journal_info", {"lines": 10**12}, "lines: 1000000000000 is not between"),
    ("journal_info", {"match": {"_PID": []}}, "match: _PID is an empty list"),
    ("journal_info", {"since": "a\0b"}, "since: character 2 is a NUL"),
    ("journal_info", {"since": "7" * 5000}, "is longer than 100 characters, which a time"),
    ("manager", {"environment": {"A": "x" * 200_000}}, "environment: 'A': is longer than"),
    ("manager", {"environment": {f"A{number}": "x" * 60_000 for number in range(40)}}, "bytes in all, more than"),
    ("manager", {"environment": {"A": "a\nb"}}, "environment: A: 'a\\nb' holds the control character"),
    ("manager", {"isolate": "a@.target"}, "isolate: a@.target is a template"),
    ("needs_restart", {"name": []}, "name: the list is empty"),
    ("needs_restart", {"name": ["a/b"]}, "name[0]: 'a/b' holds a slash"),
    ("needs_restart", {"exclude": ["bad-*"]}, "include: bad-* is in `exclude` too"),
    ("needs_restart", {"settle": "infinity"}, "settle: infinity would never end"),
    ("needs_restart", {"scope": "global"}, "scope: nothing runs behind scope `global`"),
    ("user_manager", {"name": []}, "name: the list is empty"),
    *(
        ("user_manager", {"name": ["nosudo", name]}, "name[1]: ")
        for name in ("\u00b2", "a\0", "", "a/b", "a\nb", "-1", "7" * 5000, "4294967295")
    ),
    *(
        ("unit_file", {"mode": mode}, "mode: ")
        for mode in ("-1", "07777777", 644, 600, 444, 440, "", "4644", True, 10**12)
    ),
    ("unit_file", {"owner": "99999999999999"}, "owner: '99999999999999' is more than"),
    ("unit_file", {"owner": ""}, "owner: is empty"),
    ("unit_file", {"seuser": "x y"}, "seuser: 'x y' is no part"),
    ("unit_file", {"attributes": "zz"}, "attributes: 'zz' is none"),
    ("unit_file", {"scope": "user", "user": "deploy", "root": "/srv"}, "root: the units of users"),
    ("unit_file", {"content": "[Unit]\n#" + "x" * (1 << 20)}, "content: line 2 is longer than 1 MiB"),
    ("unit_file", {"name": "bad-input.swap", "content": "[Swap]\nWhat=/dev/other\n"}, "unit name do not match"),
    ("unit_set", {"name": "a/b"}, "name: 'a/b' cannot be the name of a set"),
    ("unit_set", {"units": [{"name": "a/b"}]}, "units[0].name: 'a/b' holds a slash"),
    ("unit_set", {"units": [{"name": "a", "dropins": {"x/y": ""}}]}, "units[0].dropins: 'x/y' holds a slash"),
    ("unit_set", {"units": [{"name": "a@", "instances": "7" * 5000}]}, "units[0].instances: 10001 is no number"),
    ("unit_set", {"units": [{"name": "a", "properties": {"TasksMax": "much"}}]}, "units[0].properties"),
    ("unit_set", {"files": [{"path": "/a/../b", "content": ""}]}, "files[0].path: '/a/../b' has '..' in it"),
    ("unit_set", {"files": [{"path": "/tmp/x", "content": "", "mode": 644}]}, "files[0].mode: "),
    ("unit", {"name": ["-.slice"], "state": "stopped"}, "state: -.slice cannot be stopped: systemd made it"),
    ("unit", {"name": ["init.scope"], "state": "stopped"}, "state: init.scope cannot be stopped"),
    (
        "unit_info",
        {"properties": [f"nonsense-{number}" for number in range(5000)]},
        "properties[0]: 'nonsense-0' is no",
    ),
    ("timer", {"name": "x" * 244}, "name: "),
    ("timer_info", {"next": 10**12}, "next: 1000000000000 is not between"),
    ("resource_control", {"name": ["x" * 246]}, "name: "),
    ("resource_control", {"trial_stalled": "\u0663"}, "trial_stalled: '\u0663' is not a percentage"),
    ("resource_control", {"properties": {"CPUQuota": "99999999999999999%"}}, "is more than systemd can count"),
    ("resource_control", {"properties": {"AllowedCPUs": "-1"}}, "AllowedCPUs: '-1' is not a list of numbers"),
    ("resource_control", {"properties": {"MemoryMax": "1\0G"}}, "properties.MemoryMax: character 2 is a NUL"),
    ("resource_control", {"properties": {"MemoryMax": "7" * 5000}}, "is more than systemd can count"),
    ("resource_control", {"properties": {"": "1"}}, "properties: '' is no resource property"),
    ("resource_control", {"trial": "7" * 5000}, "trial: "),
    *(("timer", {option: "7" * 5000}, f"{option}: ") for option in ("OnCalendar", "OnActiveSec", "AccuracySec")),
    *(("unit", {option: "7" * 5000}, f"{option}: ") for option in ("timeout", "settle")),
    *(
        ("run", {option: "7" * 5000}, f"{option}: ")
        for option in ("timeout", "output_limit", "on_active", "on_calendar")
    ),
    *(
        ("run", {option: ""}, f"{option}: is empty")
        for option in ("creates", "removes", "on_active", "on_boot", "slice")
    ),
    *(("run", {"on_calendar": value}, "on_calendar: is empty") for value in ([], [""], "")),
    ("run", {"on_unit_active": "5min"}, "on_unit_active: counts from a run"),
    *(
        ("run", {"unit_type": kind, option: value}, f"{option}: {value!r} ")
        for kind in ("scope", "service")
        for option in ("run_as", "run_as_group")
        for value in ("\u00b2", "99999999999", "65535")
    ),
    ("run", {"properties": {"": 1}}, "properties: '' is no directive"),
    ("run", {"properties": {"SystemCallFilter": "foo"}}, "SystemCallFilter: 'foo' is no system call"),
    ("run", {"properties": {"Slice": "x.service"}}, "properties: Slice: 'x.service' is no slice"),
    ("run", {"slice": "x.service"}, "slice: 'x.service' is no slice"),
    ("run", {"slice": "x@.slice"}, "slice: 'x@.slice' can be no slice"),
    ("run", {"slice": "a--b"}, "slice: 'a--b' can be no slice"),
    ("run", {"command": "1" * (1 << 20)}, "command: argument 0 is longer than the 131071 bytes"),
    ("run", {"command": ["/bin/echo", "a\ud800"]}, "command[1]: character 2 is"),
    ("run", {"stdin": "a\ud800"}, "stdin: character 2 is"),
    ("run", {"environment": {"A": "a\ud800"}}, "environment.A: character 2 is"),
    ("manager", {"environment": {"A": "a\0"}}, "environment.A: character 2 is a NUL"),
    ("unit_file", {"content": "[Unit]\n#\ud800"}, "content: character 9 is"),
    *(
        (module, {"root": root}, "root: ")
        for module in ("unit", "unit_info", "unit_file", "timer", "timer_info", "service_import_info")
        for root in ("", "srv", "/srv/../etc", "/" + "x" * 256)
    ),
    *(("service_import_info", {"path": path}, "path: ") for path in ("", "etc/sv", "a\0")),
    *(
        ("service_handover", {"services": [{**SERVICE, **wrong}]}, f"services[0].{place}: ")
        for place, wrong in (
            ("definition", {"definition": "text"}),
            ("definition.path", {"definition": {"path": "/a\0b"}}),
            ("definition.links", {"definition": {"path": "/etc/sv/a", "links": 5}}),
            ("definition.links[0]", {"definition": {"path": "/etc/sv/a", "links": ["/a\0b"]}}),
            ("accept", {"accept": 5}),
            ("dropins[0]", {"dropins": ["x"]}),
            ("units[0].content", {"units": [{"name": "a.service", "content": 5}]}),
            ("units[0].name", {"units": [{"name": "x" * 300 + ".service", "content": "[Service]\n"}]}),
            ("name", {"name": "x" * 300}),
            ("name", {"name": "a\nb"}),
        )
    ),
]


@pytest.mark.parametrize(("module", "options", "told"), CLEAR)
@pytest.mark.parametrize("check", [True, False], ids=["check mode", "a real run"])
def test_it_says_what_and_changes_nothing(
    modules: ModulesOnHost, module: str, options: dict[str, t.Any], told: str, check: bool
) -> None:
    answer = modules(module, {**GOOD[module], **options}, check)
    assert answer["result"] is not None, answer["output"]
    assert answer["result"].get("failed"), answer["result"]
    assert told in answer["result"]["msg"]
    assert not answer["touched"]


def test_what_is_not_applied_is_said(modules: ModulesOnHost) -> None:
    told = modules("unit_file", {**GOOD["unit_file"], "seuser": "system_u"}, True)["result"]
    assert "seuser: is not applied, since SELinux is not enabled on this host" in str(told["warnings"])


@pytest.mark.parametrize("wish", [{"enabled": True}, {"preset": True}])
def test_a_unit_file_that_systemd_cannot_read_is_not_enabled(
    modules: ModulesOnHost, host: Host, wish: dict[str, t.Any]
) -> None:
    host.write("/etc/systemd/system/bad-input-broken.service", "[Service\nExecStart=/bin/true\n")
    try:
        answer = modules("unit", {"name": ["bad-input-broken.service"], **wish})
    finally:
        host.run("rm /etc/systemd/system/bad-input-broken.service; systemctl daemon-reload", check=True)
    assert f"{next(iter(wish))}: systemd cannot read the unit file of bad-input-broken" in answer["result"]["msg"]


@pytest.mark.parametrize("mode", ["0644", "644", "0600", 0o644, 0o600, 0o444, 0o640, "u=rw,go=r", "go-w"])
def test_modes_that_files_have_are_taken(modules: ModulesOnHost, mode: object) -> None:
    answer = modules("unit_file", {**GOOD["unit_file"], "mode": mode}, True)
    assert not answer["result"].get("failed"), answer["result"]


@pytest.mark.parametrize("what", ["a pipe", "a directory"])
def test_what_is_no_file_is_no_unit(modules: ModulesOnHost, host: Host, what: str) -> None:
    make = {"a pipe": "mkfifo", "a directory": "mkdir"}[what]
    path = "/srv/bad-tree/etc/systemd/system/odd.service"
    host.run(f"mkdir -p /srv/bad-tree/etc/systemd/system; {make} {path}", check=True)
    try:
        answer = modules("unit", {"name": ["odd.service"], "enabled": True, "root": "/srv/bad-tree"})
        told = {"a pipe": "it is a named pipe", "a directory": "it is a directory"}[what]
        assert f"cannot read {path}: {told}, not a regular file; remove it" in answer["result"]["msg"]
    finally:
        host.run("rm -r /srv/bad-tree", check=True)


def test_a_users_directory_that_leads_to_where_the_user_may_not_write(modules: ModulesOnHost, host: Host) -> None:
    host.run(
        "install -d -o nosudo ~nosudo/.config ~nosudo/.config/systemd; ln -s /root ~nosudo/.config/systemd/user",
        check=True,
    )
    try:
        answer = modules("unit_file", {**GOOD["unit_file"], "scope": "user", "user": "nosudo"}, True)
        assert "leads to /root by a link, where nosudo may not write" in answer["result"]["msg"]
    finally:
        host.run("rm -r ~nosudo/.config", check=True)


def test_thousands_of_problems_are_one_readable_message(modules: ModulesOnHost) -> None:
    content = "[Service]\nExecStart=/bin/true\n" + "".join(f"Nonsense{number}=x\n" for number in range(5000))
    for args in ({"content": content}, {"content": "nonsense\n" * 5000}):
        message = modules("unit_file", {**GOOD["unit_file"], **args}, True)["result"]["msg"]
        assert len(message) < 4000
        assert "more" in message[-60:]
    names = [f"bad-input-{number}.service" for number in range(5000)]
    message = modules("unit", {"name": names, "state": "started"})["result"]["msg"]
    assert len(message) < 2000
