# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systemd's own settings: which files there are and what they say together, what a change of them needs, and what is refused."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.settings import (
    KINDS,
    Known,
    known_settings,
    winners,
    worded,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.settings import Said, SettingsFiles
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration import steps
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.options import Asked
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.plan import (
    differences,
    effect_on_manager,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration.read import (
    LastRead,
    last_changed,
    unread,
)

DEFAULTS: dict[str, t.Any] = {
    "name": "journald", "dropin": "50-ansible", "settings": {"Journal": {"Storage": "none"}}, "state": "present", "purge": False,
    "marker": "default", "runtime": False, "apply": True, "timeout": "5min", "rollback": True, "scope": "system", "user": None,
    "root": None,
}  # fmt: skip


def said(*lines: str) -> list[Said]:
    """Assignments, each as `FILE [SECTION] KEY=VALUE`."""
    found = []
    for line in lines:
        path, section, rest = line.split(" ", 2)
        key, _equals, value = rest.partition("=")
        found.append(Said(section.strip("[]"), key, value, path))
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["a [Journal] SystemMaxUse=1G"], ["a [Journal] SystemMaxUse=1073741824"]),
        (["a [Journal] Seal=yes"], ["a [Journal] Seal=no", "b [Journal] Seal=true"]),
        (["a [Manager] DefaultLimitNOFILE=1024:2048"] * 2, ["a [Manager] DefaultLimitNOFILE=1024:2048"]),
        (["a [Manager] DefaultTimeoutStartSec=0"], ["a [Manager] DefaultTimeoutStartSec=infinity"]),
        (["a [Manager] LogLevel=6"], ["a [Manager] LogLevel=info"]),
        (["a [Resolve] DNS=1.1.1.1", "a [Resolve] DNS=9.9.9.9"], ["a [Resolve] DNS=1.1.1.1 9.9.9.9"]),
        (["a [Resolve] DNS=1.1.1.1"], ["a [Resolve] DNS=8.8.8.8", "a [Resolve] DNS=", "b [Resolve] DNS=1.1.1.1"]),
        (["a [New] Thing=1"], ["a [New] Thing=0", "a [New] Thing=", "a [New] Thing=1"]),
        # What systemd would ignore changes nothing.
        (["a [Journal] SystemMaxUse=1G"], ["a [Journal] SystemMaxUse=1G", "b [Journal] SystemMaxUse=much"]),
    ],
)
def test_they_mean_the_same(before: list[str], after: list[str]) -> None:
    assert differences(said(*before), said(*after)) == []


def test_what_changes_is_told_for_people() -> None:
    found = differences(
        said("a [Journal] SystemMaxUse=1G", "a [Journal] Seal=yes"),
        said("a [Journal] SystemMaxUse=2048M", "b [Journal] MaxRetentionSec=90"),
    )
    assert [tuple(each.as_change()) for each in found] == [
        ("[Journal] SystemMaxUse", "1G", "2G"),
        ("[Journal] Seal", "yes", "default"),
        ("[Journal] MaxRetentionSec", "default", "1min30s"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "how", "late"),
    [
        ([], ["DefaultLimitNOFILE=5"], "reload", ""),
        (["DefaultLimitNOFILE=5"], [], "reload", ""),
        ([], ["Unheard=5"], "reload", ""),
        ([], ["TimerSlackNSec=5"], "reexec", ""),
        ([], ["WatchdogDevice=/dev/x", "LogLevel=info"], "reexec", ""),
        ([], ["LogLevel=info"], "reload", ""),
        (["LogLevel=info"], [], "reexec", ""),
        ([], ["CPUAffinity=1"], "reload", ""),
        (["CPUAffinity=1"], [], "", "CPUAffinity"),
        (["CPUAffinity=1", "LogTarget=kmsg"], [], "reexec", "CPUAffinity"),
        ([], ["NoNewPrivileges=yes"], "", "NoNewPrivileges"),
        # A re-execution would have the one that nobody can take back.
        ([], ["CapabilityBoundingSet=CAP_CHOWN", "WatchdogDevice=/dev/x"], "", "CapabilityBoundingSet, WatchdogDevice"),
        ([], ["ProtectSystem=yes", "DefaultTasksMax=5"], "reload", "ProtectSystem"),
        (["DefaultLimitNOFILE=5"], ["DefaultLimitNOFILE=5:5"], "", ""),
    ],
)
def test_what_the_manager_has_to_do(before: list[str], after: list[str], how: str, late: str) -> None:
    old, new = ([f"a [Manager] {line}" for line in lines] for lines in (before, after))
    effect = effect_on_manager(differences(said(*old), said(*new)))
    assert effect.how == how
    assert [warning.partition(" will be ")[0] for warning in effect.warnings] == ([late] if late else [])


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        (["own [Journal] Seal=yes", "z [Journal] Seal=no"], {("Journal", "Seal"): "z"}),
        (["own [Journal] Seal=yes", "z [Journal] Seal=true"], {}),
        (["a [Journal] Seal=no", "own [Journal] Seal=yes"], {}),
        (["own [Resolve] DNS=1.1.1.1", "z [Resolve] DNS=9.9.9.9"], {}),
        (["own [Resolve] DNS=1.1.1.1", "z [Resolve] DNS=", "z [Resolve] DNS=9.9.9.9"], {("Resolve", "DNS"): "z"}),
        (["own [Journal] Seal=yes", "z [Journal] Seal=maybe"], {}),
    ],
)
def test_who_wins(lines: list[str], lost: dict[tuple[str, str], str]) -> None:
    assert winners(said(*lines), "own") == lost


def test_files_in_the_order_in_which_they_are_read(tmp_path: Path) -> None:
    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[Journal]\n{text}\n")

    write("usr/lib/systemd/journald.conf", "Seal=1")
    write("etc/systemd/journald.conf", "Seal=2")
    write("usr/lib/systemd/journald.conf.d/50-b.conf", "Seal=3")
    write("etc/systemd/journald.conf.d/10-a.conf", "Seal=4")
    write("etc/systemd/journald.conf.d/not.txt", "Seal=5")
    write("run/systemd/journald.conf.d/50-b.conf", "Seal=6")
    write("usr/lib/systemd/journald.conf.d/60-masked.conf", "Seal=7")
    (tmp_path / "etc/systemd/journald.conf.d/60-masked.conf").symlink_to("/dev/null")
    files = SettingsFiles("journald", Tree(str(tmp_path)))
    assert [each.value for each in files.read()] == ["2", "4", "6"]
    path = files.dropin("50-b.conf", False)
    assert path == f"{tmp_path}/etc/systemd/journald.conf.d/50-b.conf"
    assert [each.value for each in files.read({path: "[Journal]\nSeal=8\n"})] == ["2", "4", "8"]
    gone = f"{tmp_path}/etc/systemd/journald.conf.d/10-a.conf"
    assert [each.value for each in files.read({gone: None})] == ["2", "6"]


def test_what_a_host_knows(tmp_path: Path) -> None:
    tree = Tree(str(tmp_path))
    assert known_settings(tree, "journald") is None
    (tmp_path / "etc/systemd").mkdir(parents=True)
    (tmp_path / "etc/systemd/journald.conf").write_text("# A comment=1\n[Journal]\n#Storage=auto\n#SystemMaxUse=\nSeal=no\n")
    known = known_settings(tree, "journald")
    assert known is not None
    assert known.listed == {"Journal": {"Storage", "SystemMaxUse", "Seal"}}
    assert not known.has("Journal", "LineMax")
    (tmp_path / "usr/lib/systemd").mkdir(parents=True)
    (tmp_path / "usr/lib/systemd/systemd-journald").write_bytes(b"x\0Journal.LineMax\0Journal.Audit\0y")
    known = t.cast(Known, known_settings(tree, "journald"))
    assert known.has("Journal", "LineMax")
    assert not known.has("Journal", "Bogus")
    assert not known.has("Login", "LineMax")
    assert known.problem("Journal", "SystemMaxUsed").endswith("did you mean SystemMaxUse=?")
    assert "did you mean [Journal]?" in known.problem("Journa", "Seal")


def test_parsers_of_many_files_are_not_believed() -> None:
    """Networkd's has a section of the same name with all that its other files have."""
    program = b"\0Network.DHCP\0Network.A\0Network.B\0Network.C\0"
    assert not Known({"Network": {"SpeedMeter"}}, lambda: program).has("Network", "DHCP")
    # One without gperf has the names alone.
    assert Known({"Sleep": {"AllowSuspend"}}, lambda: b"\0HibernateMode\0").has("Sleep", "HibernateMode")
    assert not Known({"Sleep": {"AllowSuspend"}}, lambda: b"\0HibernateMode\0").has("Slip", "HibernateMode")


def test_parsers_of_other_files_alone_say_nothing() -> None:
    """In the manager's program units have a parser of gperf's, and [Manager] has none."""
    program = b"\0Unit.Description\0Service.Type\0DefaultTasksMax\0Description\0"
    known = Known({"Manager": {"LogLevel"}}, lambda: program)
    assert known.has("Manager", "DefaultTasksMax")
    assert not known.has("Manager", "DefaultTasksMaxx")
    assert not known.has("Unit", "Bogus")
    assert not known.has("Menager", "DefaultTasksMax")
    # Where no file lists anything, only the parser tells what is in which section.
    assert not Known({}, lambda: program).has("Manager", "DefaultTasksMax")


def test_what_users_managers_know(tmp_path: Path) -> None:
    """In a tree: systemd 247 lists in user.conf only a part of what its parser takes."""
    etc, lib = tmp_path / "etc/systemd", tmp_path / "usr/lib/systemd"
    etc.mkdir(parents=True)
    lib.mkdir(parents=True)
    (etc / "system.conf").write_text("[Manager]\n#LogLevel=info\n#DefaultTasksMax=15%\n")
    tree = Tree(str(tmp_path))
    assert known_settings(tree, "user") is None
    (etc / "user.conf").write_text("[Manager]\n#LogLevel=info\n")
    (lib / "systemd").write_bytes(b"\0Unit.Description\0DefaultOOMPolicy\0")
    known = t.cast(Known, known_settings(tree, "user"))
    assert known.has("Manager", "DefaultTasksMax")
    assert known.has("Manager", "DefaultOOMPolicy")
    assert not known.has("Manager", "Bogus")
    (tmp_path / "etc/systemd/journald.conf").write_text("[Journal]\n#Seal=yes\n")
    assert t.cast(Known, known_settings(tree, "journald")).listed == {"Journal": {"Seal"}}


STOP, ENVIRONMENT = ("Login", "UserStopDelaySec"), ("Manager", "DefaultEnvironment")
ONLY = ("Login", "KillOnlyUsers")


@pytest.mark.parametrize(
    ("age", "exact", "means", "values", "gone", "late"),
    [
        # It says what the files say, or something else.
        (5, False, {STOP: 33_000_000}, {"Login": {"UserStopDelaySec": 33_000_000}}, False, False),
        (5, False, {STOP: 33_000_000}, {"Login": {"UserStopDelaySec": 10_000_000}}, False, True),
        (5, False, {STOP: 33_000_000}, {"Login": {"UserStopDelaySec": 10_000_000}}, True, True),
        (5, True, {STOP: 33_000_000}, {"Login": {"UserStopDelaySec": 33_000_000}}, False, False),
        # It has read them since.
        (-5, True, {STOP: 33_000_000}, {"Login": {"UserStopDelaySec": 10_000_000}}, False, False),
        (-5, False, {STOP: 33_000_000}, {"Login": {"UserStopDelaySec": 10_000_000}}, False, False),
        # It does not say: then the time has to be known, and whose time it is.
        (5, True, {ENVIRONMENT: ("A=1",)}, {}, False, True),
        (5, False, {ENVIRONMENT: ("A=1",)}, {}, False, False),
        (5, True, {ENVIRONMENT: ("A=1",)}, {}, True, False),
        (5, True, {STOP: None}, {"Login": {"UserStopDelaySec": 10_000_000}}, False, True),
        (5, False, {STOP: None}, {"Login": {"UserStopDelaySec": 10_000_000}}, False, False),
        (5, False, {ONLY: ("a", "b", "a")}, {"Login": {"KillOnlyUsers": ["b", "a"]}}, False, False),
        (5, False, {ONLY: ("a", "b")}, {"Login": {"KillOnlyUsers": ["a"]}}, False, True),
        # Nonsense of a user's manager is nothing that is in force.
        (5, False, {STOP: 33_000_000}, {"Login": {"UserStopDelaySec": ["x"]}}, False, False),
    ],
)
def test_what_was_not_read_yet(
    age: int, exact: bool, means: dict[tuple[str, str], t.Any], values: dict[str, dict[str, t.Any]], gone: bool, late: bool
) -> None:
    now = time.time()
    assert unread(LastRead(now - 60 - age, exact), now - 60, means, values, gone) == (means if late else {})


def test_what_the_journal_says_of_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does so in the kernel's log, which has text and no fields."""
    asked: list[t.Any] = []
    now = time.time()

    def read_journal(where: list[str], lines: int, fields: list[str]) -> list[dict[str, t.Any]]:
        asked.append(where)
        texts = ["Journal started", "/a/x.conf:1: of another", "/a/y.conf:2: Failed to parse", "see /a/y.conf:1: it"]
        return [{"time": (now + age) * 1e6, "message": text, "fields": {}} for text in texts for age in (-60, 60)]

    monkeypatch.setattr(steps, "sync_journal", lambda: None)
    monkeypatch.setattr(steps, "read_journal", read_journal)
    step = steps.SeeWhatIsSaid("/a/y.conf", ["[Journal]", "Seal=x"], "journald", now, by_kernel=True)
    with pytest.raises(SystemdError) as caught:
        step.apply(t.cast(t.Any, None))
    assert caught.value.data["problems"] == [{"line": 2, "text": "Seal=x", "message": "Failed to parse"}]
    assert "_TRANSPORT=kernel" in asked[0]
    other = steps.SeeWhatIsSaid("/a/z.conf", ["[Journal]", "Seal=x"], "journald", now, by_kernel=True)
    assert other.apply(t.cast(t.Any, None)) is False


def test_times_that_tell_nothing() -> None:
    now = time.time()
    assert not LastRead(0.0, True).before(now - 60)
    assert not LastRead(now - 60, True).before(now + 3600)


def test_when_a_drop_in_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.conf.d/x.conf"
    os.utime(tmp_path, (1000, 1000))
    assert last_changed(str(path)) == 1000
    path.parent.mkdir()
    os.utime(path.parent, (2000, 2000))
    assert last_changed(str(path)) == 2000
    path.write_text("")
    os.utime(path, (3000, 3000))
    assert last_changed(str(path)) == 3000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "../journald"}, "name: '../journald' is no configuration"),
        ({"name": "logind@web"}, "only the journal has namespaces; write logind"),
        ({"name": "journald@a/b"}, "name: "),
        ({"dropin": "a/b"}, "dropin: 'a/b' holds a slash"),
        ({"settings": None}, "settings: what the drop-in shall say is missing"),
        ({"settings": {"Journal": {}}}, "settings: there is no setting in it"),
        ({"settings": {"Journal": {"a b": 1}}}, "settings.Journal: 'a b' is not a directive"),
        ({"settings": {"Journal": {"Storage": "a\nb"}}}, "settings.Journal.Storage: "),
        ({"marker": " a"}, "marker: "),
        ({"scope": "user"}, "scope: only the settings of a user's manager"),
        ({"scope": "global"}, "scope: the settings of all users' managers"),
        ({"scope": "user", "name": "user", "runtime": True}, "runtime: "),
        ({"scope": "user", "name": "user", "root": "/srv"}, "root: "),
    ],
)
def test_options_that_are_refused(options: dict[str, t.Any], words: str) -> None:
    with pytest.raises(BadInput) as caught:
        Asked({**DEFAULTS, **options}, False)
    assert words in caught.value.msg


def test_what_is_written() -> None:
    asked = Asked({**DEFAULTS, "name": "system.conf", "settings": {"Manager": {"DefaultEnvironment": {"A": "1 2"}, "DumpCore": True}}}, False)
    assert (asked.name, asked.dropin) == ("system", "50-ansible.conf")
    assert asked.raw == (
        "# Written by Ansible (pidone.systemd.configuration); what is changed here is lost.\n"
        "# pidone.systemd.configuration marker: default\n\n"
        '[Manager]\nDefaultEnvironment="A=1 2"\nDumpCore=yes\n'
    )
    assert (Asked({**DEFAULTS, "name": "journald@web"}, False).namespace) == "web"


@pytest.mark.parametrize("section", KINDS)
def test_kinds_tell_what_they_read(section: str) -> None:
    """What a kind says of a value means the same when it is read again."""
    texts = ("yes", "5", "1min", "1G", "20%", "0.25%", "info", "none", "ignore", "1024:2048", "stop")
    for key, kind in KINDS[section].items():
        read = 0
        for text in texts:
            try:
                value = kind.parse(text, key)
            except BadInput:
                continue
            read += 1
            told = worded(section, key, value)
            if not kind.collects and kind.words(value):
                assert kind.parse(told, key) == value, (key, text)
        assert read or key in ("Audit",), key
