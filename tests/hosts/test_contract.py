# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract that every module keeps (see tests/contract.py), with an example of each: a new module needs one here.

Besides: undoing an example leads back to the picture before; a user's manager is no exception, whether root asks or the user;
and all that can work in the background does.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from tests import contract
from tests.attacks.bad_inputs import MODULES, argument_spec
from tests.attacks.bad_inputs_on_host import ModulesOnHost
from tests.contract import Result
from tests.lab.fixtures import in_full
from tests.lab.host import Host

Task = tuple[str, dict[str, t.Any]]

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target default.target\n"
# Units that are there before: of the system, and of the user.
UNITS = {
    "ct-a.service": SLEEP,
    "ct-b.service": SLEEP,
    "ct-limited.service": SLEEP,
    "ct-own.service": "[Service]\nType=exec\nExecStartPre=/bin/cp /bin/sleep %h/ct-own\nExecStart=%h/ct-own infinity\nExecStartPost=/bin/rm %h/ct-own\n",
    "ct-dies.service": "[Service]\nExecStart=/nope/ct\n[Install]\nWantedBy=multi-user.target default.target\n",
    "ct-known.timer": "[Timer]\nOnCalendar=*-12-24 03:00\n[Install]\nWantedBy=timers.target\n",
    "ct-known.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
}
# What a task may make besides.
MADE = (
    "ct-file.service", "ct-timer.timer", "ct-timer.service", "ct-run.service", "ct-set@a.service", "ct-set@b.service",
)  # fmt: skip
USER, HOME, UID = "deploy", "/home/deploy", 1000
OF_USER = {"scope": "user", "user": USER}
AS_USER = f"runuser -u {USER} -- env XDG_RUNTIME_DIR=/run/user/{UID} systemctl --user"
_STATE = "Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,MemoryHigh,NeedDaemonReload,FreezerState"
_BROKEN_UNIT = {"content": "[Service]\nExecStart=/nope/ct\n"}
_BROKEN = {"content": "[Service]\nExecStart=/nope/ct\n[Install]\nWantedBy=multi-user.target\n", "verify": "nothing"}


class Example(t.NamedTuple):
    """A task, which changes something unless `undo` is empty.

    :param bad: options that, over `args`, make a bad task: both modes say the same.
    :param breaks: options with which the task fails while it is carried out; check mode cannot know.
    :param undo: what leads back, one task after the other.
    :param steady: whether a second run has nothing to do.
    """

    module: str
    args: dict[str, t.Any]
    bad: dict[str, t.Any]
    undo: t.Sequence[Task] = ()
    breaks: dict[str, t.Any] = {}
    steady: bool = True

    def of_user(self) -> Example:
        """The same for a user's manager; the tasks that lead back too."""
        undo = [(module, {**args, **OF_USER}) for module, args in self.undo]
        return self._replace(args={**self.args, **OF_USER}, undo=undo)


EXAMPLES: dict[str, Example] = {
    "configuration": Example(
        "configuration",
        {"name": "user", "dropin": "ct", "settings": {"Manager": {"DefaultEnvironment": {"CT_A": "1 2"}}}},
        {"settings": {"Manager": {"DefaultEnvironments": {"A": "1"}}}},
        undo=[("configuration", {"name": "user", "dropin": "ct", "state": "absent"})],
    ),
    "configuration of the journal": Example(
        "configuration",
        {"name": "journald", "dropin": "ct", "settings": {"Journal": {"SystemMaxUse": "64M"}}},
        {"settings": {"Journal": {"SystemMaxUse": "much"}}},
        undo=[("configuration", {"name": "journald", "dropin": "ct", "state": "absent"})],
    ),
    "configuration of logins": Example(
        "configuration",
        {"name": "logind", "dropin": "ct", "settings": {"Login": {"UserStopDelaySec": "9s"}}},
        {"settings": {"Login": {"UserStopDelaySec": "soon"}}},
        undo=[("configuration", {"name": "logind", "dropin": "ct", "state": "absent"})],
        # Nobody but logind knows what it takes.
        breaks={"settings": {"Login": {"RuntimeDirectorySize": "much"}}},
    ),
    "credential": Example(
        "credential",
        {"name": "ct", "content": "secret", "unit": "ct-a.service"},
        {"name": "a/b"},
        undo=[("credential", {"name": "ct", "unit": "ct-a.service", "state": "absent"})],
    ),
    "journal_info": Example("journal_info", {"unit": ["ct-a.service"], "invocation": "0", "lines": 5}, {"after_cursor": "nonsense"}),
    "manager": Example(
        "manager",
        {"environment": {"CT_A": "1"}},
        {"environment": {"A=B": "1"}},
        undo=[("manager", {"environment": {"CT_A": None}})],
    ),
    "manager of the system": Example(
        "manager",
        {"default_target": "rescue.target", "log_level": "notice"},
        {"default_target": "ct-none.target"},
        undo=[("manager", {"default_target": "graphical.target", "log_level": "info"})],
    ),
    "manager_info": Example("manager_info", {}, {"timeout": "0"}),
    "needs_restart": Example("needs_restart", {"name": ["ct-*"], "exclude": ["ct-own"]}, {"settle": "soon"}),
    # It removes what it runs.
    "needs_restart of what always does": Example("needs_restart", {"name": ["ct-own"]}, {"exclude": ["a/b"]}, steady=False),
    "needs_restart_info": Example("needs_restart_info", {}, {"timeout": "0"}),
    "resource_control": Example(
        "resource_control",
        {"name": "ct-limited.service", "properties": {"MemoryHigh": "100M", "TasksMax": 50}},
        {"properties": {"MemoryHigh": "much"}},
        undo=[
            ("resource_control", {"name": "ct-limited.service", "properties": {"MemoryHigh": None, "TasksMax": None}})
        ],
    ),
    "run": Example(
        "run",
        {"name": "ct-run", "command": ["/bin/true"], "remain_after_exit": True},
        {"command": ""},
        undo=[("unit", {"name": "ct-run.service", "state": "stopped"})],
        breaks={"name": "ct-breaks", "command": ["/bin/false"], "remain_after_exit": False},
    ),
    "run that is waited for": Example("run", {"command": ["/bin/echo", "said"]}, {"timeout": "soon"}, steady=False),
    "run in a scope": Example(
        "run",
        {"command": ["/bin/echo", "said"], "unit_type": "scope"},
        {"slice": "no slice"},
        breaks={"command": ["/nope/ct"]},
        steady=False,
    ),
    "security_info": Example("security_info", {"name": ["ct-a.service"], "threshold": 10}, {"name": ["ct/a"]}),
    "service_handover_info": Example("service_handover_info", {"name": ["ct*"]}, {"exclude": ["a/b"]}),
    "service_import_info": Example("service_import_info", {"source": "runit", "path": "/etc/ct-sv"}, {"path": "/nope"}),
    "sysusers": Example(
        "sysusers",
        {
            "name": "ct",
            "lines": [
                {"type": "u", "name": "ct-user"},
                {"type": "g", "name": "ct-group"},
                {"type": "m", "name": "ct-user", "group": "ct-group"},
            ],
            "apply": True,
        },
        {"lines": [{"type": "u", "name": "ct/user"}]},
        undo=[("sysusers", {"name": "ct", "state": "absent", "purge": True})],
        breaks={"lines": [{"type": "u", "name": "ct-user", "id": "-:ct-none"}], "rollback": True},
    ),
    "timer": Example(
        "timer",
        {"name": "ct-timer", "OnCalendar": "*-12-24 03:00", "command": "/bin/true", "Persistent": True},
        {"OnCalendar": "sometimes"},
        undo=[("timer", {"name": "ct-timer", "state": "absent"})],
    ),
    "timer_info": Example("timer_info", {"name": ["ct-known"]}, {"next": -1}),
    "tmpfiles": Example(
        "tmpfiles",
        {
            "name": "ct",
            "lines": [
                {"type": "d", "path": "%t/ct-made/in", "mode": "0700"},
                {"type": "f", "path": "%t/ct-made/file", "argument": "ct 100%%\n"},
                {"type": "L+", "path": "%t/ct-made/link", "argument": "file"},
            ],
            "apply": True,
        },
        {"lines": [{"type": "d", "path": "ct-made"}]},
        # What is made on the way to them has no line.
        undo=[
            (
                "tmpfiles",
                {"name": "ct", "state": "absent", "purge": "unused", "lines": [{"type": "d", "path": "%t/ct-made"}]},
            )
        ],
        breaks={
            "lines": [{"type": "d", "path": "%t/ct-made"}, {"type": "w", "path": "/sys/kernel/mm/ksm/run", "argument": "ct"}],
            "rollback": True,
        },
    ),
    "unit": Example(
        "unit",
        {"name": ["ct-a.service", "ct-b.service"], "state": "started", "enabled": True},
        {"settle": "soon"},
        undo=[("unit", {"name": ["ct-a.service", "ct-b.service"], "state": "stopped", "enabled": False})],
        breaks={"name": ["ct-a.service", "ct-dies.service"], "rollback": True},
    ),
    "unit that is masked": Example(
        "unit", {"name": "ct-made.service", "masked": True}, {"state": "started"}, undo=[("unit", {"name": "ct-made.service", "masked": False})]
    ),
    "unit that is frozen": Example(
        "unit",
        {"name": "ct-limited.service", "state": "frozen"},
        {"name": "ct@.service"},
        undo=[("unit", {"name": "ct-limited.service", "state": "thawed"})],
    ),
    "unit that others pull in": Example(
        "unit",
        {"name": "ct-known.timer", "add_wants": ["basic.target"]},
        {"add_wants": ["a@.target"]},
        undo=[("unit", {"name": "ct-known.timer", "enabled": False})],
    ),
    "unit_action": Example(
        "unit_action", {"name": "ct-limited.service", "signal": "SIGWINCH"}, {"signal": "SIGNONE"}, steady=False
    ),
    "unit_file": Example(
        "unit_file",
        {"name": "ct-file.service", "content": SLEEP, "activate": True},
        {"content": "no unit file"},
        undo=[("unit_file", {"name": "ct-file.service", "state": "absent"})],
        breaks={**_BROKEN, "rollback": True},
    ),
    "unit_file that is a drop-in": Example(
        "unit_file",
        {"name": "ct-a.service", "dropin": "ct", "sections": {"Service": {"Nice": 5}}},
        {"sections": {"Service": {"Nicee": 5}}},
        undo=[("unit_file", {"name": "ct-a.service", "dropin": "ct", "state": "absent"})],
    ),
    "unit_file that is reverted": Example(
        "unit_file", {"name": "ct-b.service", "state": "reverted"}, {"content": SLEEP}
    ),
    "unit_file that is restarted for more": Example(
        "unit_file",
        {"name": "ct-watch.service", "content": SLEEP, "started": True, "restart_on": ["/etc/hostname", "1"], "probe": {"command": "true"}},
        {"probe": {"tcp": "none"}},
        undo=[("unit_file", {"name": "ct-watch.service", "state": "absent"})],
        breaks={"probe": {"command": "false", "timeout": "200ms", "interval": "50ms"}, "rollback": True},
    ),
    "unit_info": Example(
        "unit_info",
        {"name": ["ct-a.service", "ct-none.service", "*.socket"], "diagnosis": True, "sockets": True, "listeners": True},
        {"properties": ["Nonsense"]},
    ),
    "unit_set": Example(
        "unit_set",
        {
            "name": "ct",
            "units": [
                {"name": "ct-set@.service", "content": SLEEP, "instances": ["a", "b"], "enabled": True, "state": "started"},
                {"name": "ct-a.service", "dropins": {"ct-set": {"Service": {"Nice": 5}}}},
            ],
            "files": [{"path": "/tmp/ct-set.conf", "content": "A=1"}],
        },
        {"units": [{"name": "ct-set@.service", "content": "no unit file"}]},
        undo=[("unit_set", {"name": "ct", "state": "absent"})],
        breaks={"units": [{"name": "ct-broken.service", **_BROKEN_UNIT, "state": "started"}], "verify": "nothing", "rollback": True},
    ),
    "user_manager": Example(
        "user_manager",
        {"name": ["nosudo"]},
        {"name": ["a/b"]},
        undo=[("user_manager", {"name": ["nosudo"], "linger": False})],
    ),
}  # fmt: skip
# Modules with a test of their own below, since they are for other hosts, or for none.
APART = {"init_handover", "reboot", "service_handover", "service_import_plan", "service_migration_report"}
# They work on the controller, after the host or without it, and ansible-core says that they cannot be in the background.
ON_CONTROLLER = {"reboot", "service_handover_info", "service_import_info", "service_import_plan", "service_migration_report"}
# What of them a user's manager has none of.
NOT_OF_USERS = {"configuration of logins", "configuration of the journal", "manager of the system"}
# Modules that can do so only with a newer systemd than that of the hosts here: tests/hosts/test_credential.py.
LATER = {"credential"}


def has_scope(module: str) -> bool:
    """Whether a module can speak to a user's manager."""
    return "user" in argument_spec(module).get("scope", {}).get("choices", ())


OF_USERS = {
    f"{name} of a user": each.of_user()
    for name, each in EXAMPLES.items()
    if has_scope(each.module) and name not in NOT_OF_USERS and each.module not in LATER
}


# What a user's manager has of these is the same as of the module's first example, and of this one for the system.
ONCE = (
    "needs_restart of what always does", "unit that is frozen", "unit that others pull in", "unit_file that is reverted",
    "unit_file that is restarted for more",
)  # fmt: skip


def test_every_module_has_an_example() -> None:
    assert {each.module for each in EXAMPLES.values()} | APART == set(MODULES)
    assert {*ONCE} <= EXAMPLES.keys()
    assert {each.module for each in OF_USERS.values()} == {module for module in MODULES if has_scope(module)} - LATER


@pytest.fixture(scope="module")
def modules(host: Host) -> t.Iterator[ModulesOnHost]:
    """The modules, on a host with a user's manager and units of both."""
    host.run(
        f"mkdir -p /etc/ct-sv/ct {HOME}/.config/systemd/user; loginctl enable-linger {USER}; "
        "printf '#!/bin/sh\\nexec sleep 1000\\n' >/etc/ct-sv/ct/run; chmod 755 /etc/ct-sv/ct/run",
        check=True,
    )
    for name, text in UNITS.items():
        host.write(f"/etc/systemd/system/{name}", text)
        host.write(f"{HOME}/.config/systemd/user/{name}", text)
    host.run(
        f"chown -R {USER}: {HOME}/.config; for i in $(seq 600); do test -S /run/user/{UID}/systemd/private && break; sleep 0.1; done; "
        f"systemctl set-default graphical.target; systemctl daemon-reload; {AS_USER} daemon-reload; "
        f"systemctl start ct-limited ct-own; {AS_USER} start ct-limited ct-own",
        check=True,
    )
    with ModulesOnHost(host) as found:
        yield found
    host.run(
        f"systemctl stop 'ct-*'; rm -rf /etc/systemd/system/ct-* /etc/ct-sv {HOME}/.config/systemd; "
        f"loginctl disable-linger {USER}; systemctl daemon-reload; systemctl reset-failed"
    )


def look(host: Host, identity: bool) -> str:
    """A picture of all that the examples may change."""
    names = " ".join((*UNITS, *MADE))
    managers = "; ".join(
        f"{systemctl} show -p Environment,LogLevel; "
        # Which drop-in of a kind is first, and what is loaded at all, is for systemd to say.
        f"{systemctl} show -p {_STATE}{',InvocationID' if identity else ''} {names}"
        for systemctl in ("systemctl", AS_USER)
    )
    lines = (
        "getent passwd ct-user; getent group ct-user ct-group; getent shadow ct-user; getent gshadow ct-group; "
        # The directory of the files stays.
        f"find /etc/tmpfiles.d/* /etc/sysusers.d/* /run/ct-made /run/user/{UID}/ct-made "
        f"-printf '%p %l %m %u %g{' %T@ %i' if identity else ''}\\n' 2>/dev/null | sort"
    )
    return contract.picture(host, "ct-none-*", identity, f"{managers}; {lines}")


def keys_are_its_own(module: str, result: Result) -> None:
    """Nothing at the top of a result has a meaning to Ansible that the module does not mean."""
    allowed = contract.OF_ANSIBLE_MODULE | contract.MEANT.get(module, set())
    if module in ON_CONTROLLER:
        # What ansible-core adds on the controller.
        allowed = allowed | {"exception", "skipped", "unreachable"}
    assert not result.keys() & contract.OF_ANSIBLE - allowed


class Runner:
    """Runs the tasks of one example."""

    def __init__(self, host: Host, modules: ModulesOnHost) -> None:
        self.host, self.modules = host, modules

    def __call__(self, module: str, args: dict[str, t.Any], check: bool = False) -> Result:
        """One task with diff; whatever comes of it has no traceback, and keys of its own."""
        if module in ON_CONTROLLER:
            result = self.host.ansible(f"pidone.systemd.{module}", args, check=check, diff=True)
        else:
            answer = self.modules(module, args, check)
            assert answer["result"] is not None, answer["output"]
            result = answer["result"]
            if check:
                assert answer["touched"] == []
        contract.has_no_traceback(result)
        keys_are_its_own(module, result)
        return result


@pytest.fixture
def runner(host: Host, modules: ModulesOnHost) -> t.Iterator[Runner]:
    yield Runner(host, modules)
    # Whatever a failed test left.
    host.run(f"systemctl reset-failed 'ct-*'; {AS_USER} reset-failed 'ct-*'")


@pytest.mark.lab_kinds("bookworm")
@pytest.mark.parametrize(
    "name", [*EXAMPLES, *(pytest.param(name, marks=in_full if name.removesuffix(" of a user") in ONCE else ()) for name in OF_USERS)]
)
def test_it_keeps_the_contract(host: Host, runner: Runner, name: str) -> None:
    example = {**EXAMPLES, **OF_USERS}[name]
    module, args = example.module, example.args
    before = look(host, False)
    contract.refused(lambda check: runner(module, {**args, **example.bad}, check), lambda: look(host, True))
    if example.breaks:
        broken = runner(module, {**args, **example.breaks})
        assert broken["failed"], broken
        host.run(f"systemctl reset-failed 'ct-*'; {AS_USER} reset-failed 'ct-*'")
        contract.is_same(before, look(host, False), "what failed was not taken back")

    done = contract.converge(lambda check: runner(module, args, check), lambda: look(host, True), steady=example.steady)
    assert done["changed"] is bool(example.undo or not example.steady)

    for its, options in example.undo:
        undone = contract.converge(
            lambda check, its=its, options=options: runner(its, options, check),  # type: ignore[misc]
            lambda: look(host, True),
            steady=its == module,
        )
        assert undone["changed"]
    contract.is_same(before, look(host, False), "the way back leads elsewhere")


@pytest.mark.lab_kinds("bookworm")
def test_the_user_does_the_same(host: Host, runner: Runner) -> None:
    names = [name for name in OF_USERS if OF_USERS[name].steady]
    tasks = []
    for name in names:
        example = OF_USERS[name]
        mine = {key: value for key, value in example.args.items() if key != "user"}
        tasks += [{"name": f"{name}: {turn}", f"pidone.systemd.{example.module}": mine} for turn in ("first", "second")]
    before = look(host, False)
    played = host.playbook(
        [{"hosts": "all", "gather_facts": False, "become": True, "become_user": USER, "tasks": tasks}]
    ).ok()
    for name in names:
        example = OF_USERS[name]
        assert played.task(f"{name}: first").changed is bool(example.undo), name
        contract.is_idle(played.task(f"{name}: second").result)
        for module, args in example.undo:
            assert runner(module, args)["changed"]
    contract.is_same(before, look(host, False), "the way back leads elsewhere")


@pytest.mark.lab_kinds("bookworm")
def test_it_works_in_the_background(host: Host, runner: Runner) -> None:
    chosen: dict[str, Example] = {}
    for each in EXAMPLES.values():
        chosen.setdefault(each.module, each)
    # On this host they have nothing to do.
    chosen["init_handover"] = Example("init_handover", {"state": "given_back"}, {})
    chosen["service_handover"] = Example(
        "service_handover", {"services": [{"name": "ct-none"}], "state": "given_back"}, {}
    )
    assert chosen.keys() | ON_CONTROLLER == set(MODULES)
    tasks = [
        {"name": module, f"pidone.systemd.{module}": example.args, "async": 30, "poll": 1}
        for module, example in chosen.items()
        if module not in ON_CONTROLLER
    ]
    before = look(host, False)
    played = host.playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}]).ok()
    for module, example in chosen.items():
        if module not in ON_CONTROLLER:
            assert played.task(module).changed is bool(example.undo), module
        for its, args in example.undo:
            assert runner(its, args)["changed"]
    contract.is_same(before, look(host, False), "the way back leads elsewhere")


@pytest.mark.lab_kinds("bookworm")
def test_service_import_plan(host: Host, runner: Runner, tmp_path: Path) -> None:
    """It writes on the controller."""
    services = runner("service_import_info", EXAMPLES["service_import_info"].args)["services"]
    # No old supervisor runs there that could tell.
    services[0]["state"].update(enabled=True, running=True, wanted="up")
    args: dict[str, t.Any] = {"services": services, "render_to": str(tmp_path), "host": "web", "accept": ["*"]}

    def picture() -> str:
        return "\n".join(sorted(f"{path} {path.stat().st_mtime_ns}" for path in tmp_path.rglob("*")))

    def run(check: bool, **options: t.Any) -> Result:
        return runner("service_import_plan", {**args, **options}, check)

    contract.refused(lambda check: run(check, moved=["no/name"], overrides="/nope"), picture)
    done = contract.converge(run, picture, lambda result: result["written"])
    assert done["changed"]
    assert list(tmp_path.rglob("ct.service"))


@pytest.mark.lab_kinds("bookworm")
def test_service_migration_report(runner: Runner, tmp_path: Path) -> None:
    """It writes on the controller, and a report is no change of anything."""
    found: dict[str, t.Any] = {
        "name": "ct",
        "outcome": "handed_over",
        "message": "",
        "before": None,
        "after": None,
        "differences": [],
        "parity": None,
    }
    args: dict[str, t.Any] = {
        "mode": "handover",
        "began": 0.0,
        "results": [found],
        "directory": str(tmp_path / "reports"),
    }
    refused = runner("service_migration_report", {**args, "results": [{**found, "outcome": 5}]})
    assert refused["failed"]
    assert "results[0].outcome" in refused["msg"]
    checked = runner("service_migration_report", args, True)
    assert (checked["changed"], checked["failed"], checked["files"], list(tmp_path.iterdir())) == (False, False, [], [])
    done = runner("service_migration_report", args)
    assert not done["changed"]
    assert [line["lines"][0].split("handed over 1")[1:2] != [] for line in (checked, done)] == [True, True]
    assert sorted(done["files"]) == sorted(map(str, (tmp_path / "reports").iterdir()))
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "reports").iterdir()} == {0o600}
    before = {path: path.read_text() for path in (tmp_path / "reports").iterdir()}
    assert runner("service_migration_report", {**args, "results": [{**found, "outcome": "already"}]})["files"] == []
    assert {path: path.read_text() for path in (tmp_path / "reports").iterdir()} == before
    failed = runner("service_migration_report", {**args, "failure": "it was not to be"})
    assert (failed["failed"], failed["msg"]) == (True, "it was not to be")
    undecided = {"services": [], "blocked": [{"name": "ct", "reasons": ["decide (ct:x): y"]}], "left_out": []}
    failed = runner("service_migration_report", {**args, "results": [], "plan": undecided})
    assert failed["failed"]
    assert "1 of its services are not ready to move" in failed["msg"]
    assert "decide (ct:x): y" in failed["msg"]
    assert not runner("service_migration_report", {"plan": undecided})["failed"]


def supervised(host: Host, modules: ModulesOnHost, unit: str) -> tuple[Runner, list[dict[str, t.Any]]]:
    """A service under runsvdir, as `service_import_info` and `service_import_plan` have it."""
    host.write("/etc/sv/ct/run", "#!/bin/sh\nexec sleep 1000\n", mode=0o755)
    host.run(
        "ln -s /etc/sv/ct /etc/service/ct; for i in $(seq 600); do sv status ct | grep -q ^run: && exit; sleep 0.1; done; exit 1",
        check=True,
    )
    runner = Runner(host, modules)
    (found,) = runner("service_import_info", {"source": "runit", "name": ["ct"]})["services"]
    return runner, [{**found, "units": [{"name": "ct.service", "content": unit}]}]


def handovers_keep_it(
    runner: Runner, module: str, forth: dict[str, t.Any], bad: dict[str, t.Any], told: t.Callable[[Result], t.Any]
) -> None:
    """There and back."""
    places = "/etc/systemd/system /etc/service /etc/sv/ct /usr/sbin/init* /var/lib/pidone.systemd"
    line = (
        # What supervises writes there.
        f"find {places} ! -type d ! -path '*/supervise/*' -printf '%p %y %l %m %s\\n' 2>/dev/null | grep -v '[.]lock ' | sort; "
        "dpkg-divert --list; pgrep -a -x sleep; systemctl is-active ct.service; sv status ct | cut -d: -f1"
    )

    def picture() -> str:
        return runner.host.run(line).stdout

    before = picture()
    contract.refused(lambda check: runner(module, {**forth, **bad}, check), picture)
    assert contract.converge(lambda check: runner(module, forth, check), picture, told)["changed"]
    back = {**forth, "state": "given_back"}
    assert contract.converge(lambda check: runner(module, back, check), picture, told)["changed"]
    # It is started anew, by who supervised it before.
    numbers = re.compile(r"^\d+ (?=sleep)", re.M)
    contract.is_same(numbers.sub("", before), numbers.sub("", picture()), "the way back leads elsewhere")


@pytest.mark.lab_kinds("runit-run")
def test_service_handover(host: Host) -> None:
    """Where systemd is PID 1 and runsvdir runs services beside it."""
    unit = "[Service]\nExecStart=sleep 1000\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"
    with ModulesOnHost(host) as modules:
        runner, services = supervised(host, modules, unit)

        def told(result: Result) -> object:
            return [(service["name"], service["units"]) for service in result["services"]]

        handovers_keep_it(
            runner, "service_handover", {"services": services, "settle": "100ms"}, {"settle": "soon"}, told
        )


@pytest.mark.lab_kinds("runit")
def test_init_handover(host: Host) -> None:
    """Where runit is PID 1: before the first boot of systemd, all of it can be taken back."""
    unit = "[Service]\nExecStart=/usr/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n"
    with ModulesOnHost(host) as modules:
        runner, services = supervised(host, modules, unit)

        def told(result: Result) -> object:
            return result["reboot"], result["reboot_command"], [service["name"] for service in result["services"]]

        handovers_keep_it(runner, "init_handover", {"state": "prepared", "services": services}, {"trial": "soon"}, told)
