# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to units as they are there now: options, mounts, and the plan of `unit_action`."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.look import runs_in
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action import mounts
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.options import Asked, Mount
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.plan import plan_actions
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.read import Seen, place_of

NOTHING = dict.fromkeys(
    ("signal", "kill_whom", "kill_value", "clean", "bind", "mount_image", "log_level", "log_target"), None
)  # fmt: skip


def asked(**options: t.Any) -> Asked:
    params = {"name": ["a.service"], "scope": "system", "allow_empty": False, **NOTHING, **options}
    for option in ("bind", "mount_image"):
        if params[option]:
            params[option] = [{"destination": None, "read_only": False, "mkdir": False, **each} for each in params[option]]
    return Asked(params)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "name: what is to be done to the units is missing"),
        ({"name": [], "signal": "HUP"}, "name: the list is empty"),
        ({"scope": "global", "signal": "HUP"}, "scope: nothing runs behind scope `global`"),
        ({"signal": "SIGNONE"}, "signal: 'SIGNONE' is no signal"),
        ({"signal": "65"}, "signal: '65' is no signal"),
        ({"kill_whom": "main", "clean": ["state"]}, "kill_whom: there is no signal to be sent"),
        ({"kill_value": 0}, "kill_value: there is no signal to be sent"),
        ({"signal": "TERM", "kill_value": 0}, "kill_value: systemd sends no value with SIGTERM"),
        ({"signal": "RTMIN", "kill_value": 2**31}, "kill_value: 2147483648 is not between"),
        ({"clean": []}, "clean: the list is empty"),
        ({"clean": ["state"], "signal": "HUP"}, "clean: is for units that are down, and `signal` for those that run"),
        ({"clean": ["state"], "log_level": "info"}, "clean: is for units that are down, and `log_level` for"),
        ({"bind": []}, "bind: the list is empty"),
        ({"bind": [{"source": "a"}]}, r"bind\[0\].source: 'a' is not absolute"),
        ({"bind": [{"source": "/a", "destination": "/b/../c"}]}, r"bind\[0\].destination: .* has '..' in it"),
        ({"bind": [{"source": "/"}]}, r"bind\[0\].destination: nothing can be mounted over the root"),
        ({"bind": [{"source": "/a"}, {"source": "/b", "destination": "//a/."}]}, r"bind\[1\].destination: '/a' is named twice"),
        ({"bind": [{"source": "/a"}], "scope": "user"}, r"bind\[0\]: only the system's manager mounts"),
    ],
)
def test_bad_options(options: dict[str, t.Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        asked(**options)


@pytest.mark.parametrize(
    ("options", "since"),
    [
        ({"signal": "RTMIN+1", "kill_value": 5}, 254),
        ({"clean": ["state", "fdstore"]}, 254),
        ({"bind": [{"source": "/a"}]}, 248),
        ({"mount_image": [{"source": "/a", "destination": "/b"}]}, 248),
    ],
)
def test_versions(options: dict[str, t.Any], since: int) -> None:
    it = asked(**options)
    it.check_version(f"{since}.1-2")
    it.check_version("")
    with pytest.raises(BadInput, match=f"came with systemd {since}, and this host has {since - 1}; "):
        it.check_version(f"{since - 1}")


def seen(name: str = "a.service", active: str = "active", sub: str = "running", load: str = "loaded", **more: t.Any) -> Seen:
    unit = Seen(name, UnitStatus(name, "", load, active, sub, "", "/" + name, 0, "", "/"))
    for key, value in more.items():
        setattr(unit, key, value)
    return unit


DOWN = {"active": "inactive", "sub": "dead"}


def test_signals_go_where_processes_are() -> None:
    it = asked(signal="HUP", kill_whom="main")
    plan = plan_actions([seen(pids=[7]), seen("b.service"), seen("c.service", pids=[9])], it, False)
    assert plan.describe() == ["send SIGHUP to the main process of a.service, c.service"]
    assert plan.changed and plan.warnings == ["b.service has no main process that SIGHUP could be sent to"]
    assert plan.changes[0] == ("a.service", "active (running)", "SIGHUP sent to 1 process")
    assert not plan_actions([seen(**DOWN)], it, False).changed
    with pytest.raises(BadInput, match="signal: this very task runs in a.service"):
        plan_actions([seen(pids=[7], holds_task=True)], it, False)
    with pytest.raises(BadInput, match="name: a@.service is a template, .* such as a@1.service"):
        plan_actions([Seen("a@.service", None)], it, False)


def test_what_is_empty_is_not_cleaned() -> None:
    it = asked(clean=["all"])
    content = {"state": ["/var/lib/a"], "cache": [], "fdstore": ["2 file descriptors"]}
    plan = plan_actions([seen(**DOWN, content=content), seen("b.service", **DOWN, content={"state": []})], it, False)
    assert plan.describe() == ["clean state, fdstore of a.service"]
    assert plan.changes == [("a.service", "/var/lib/a, 2 file descriptors", "removed")]
    with pytest.raises(BadInput, match="clean: a.service is active .*stop it first"):
        plan_actions([seen(content=content)], it, False)
    # An earlier task would have stopped it.
    assert plan_actions([seen(content=content)], it, True).warnings == ["taken for done by an earlier task: a.service is down"]


BIND = Mount("bind[0]", "/srv/a", "/mnt/a", False, True)


@pytest.mark.parametrize(
    ("unit", "says"),
    [
        (seen("a.socket"), r"bind\[0\]: a.socket is no service"),
        (seen(**DOWN), r"bind\[0\]: a.service is inactive \(dead\), and has no process"),
        (seen(pid=7, namespace=False), r"bind\[0\]: a.service runs in no mount namespace of its own"),
        (seen(pid=7, no_source=[BIND]), r"bind\[0\].source: there is no /srv/a on this host"),
    ],
)
def test_what_cannot_be_mounted(unit: Seen, says: str) -> None:
    it = asked(bind=[{"source": "/srv/a", "destination": "/mnt/a", "mkdir": True}])
    assert it.mounts == [BIND]
    with pytest.raises(BadInput, match=says):
        plan_actions([unit], it, False)


def test_what_is_mounted_is_not_mounted_again() -> None:
    it = asked(bind=[{"source": "/srv/a", "destination": "/mnt/a", "mkdir": True}], signal="HUP")
    there = seen(pid=7, pids=[7], mounted={BIND: True}, differs={BIND: ""})
    other = seen("b.service", pid=8, pids=[8], mounted={BIND: False}, differs={BIND: "/x of 8:1"})
    plan = plan_actions([there, other], it, False)
    assert plan.describe() == ["bind /srv/a to /mnt/a of b.service", "send SIGHUP to a.service, b.service"]
    assert plan.changes[1] == ("b.service", "/mnt/a: /x of 8:1", "/mnt/a: /srv/a, writable")
    # In check mode what is missing is expected: the path, and the service.
    plan = plan_actions([seen(**DOWN, no_source=[BIND])], asked(bind=[{"source": "/srv/a", "destination": "/mnt/a", "mkdir": True}]), True)
    assert plan.changed and plan.warnings == ["taken for done by an earlier task: /srv/a is there, a.service runs"]


def test_logs() -> None:
    it = asked(log_level="debug", log_target="journal")
    log = {"LogLevel": "info", "LogTarget": "journal"}
    plan = plan_actions([seen(bus_name="org.example.A", log=log)], it, False)
    assert plan.describe() == ["set LogLevel of a.service to debug"]
    assert plan.changes == [("a.service", "LogLevel info", "LogLevel debug")]
    for unit, says in (
        (seen("a.timer"), "log_level: a.timer is no service"),
        (seen(**DOWN), "log_level: a.service is inactive .*start it first"),
        (seen(), "log_level: a.service has no BusName="),
        (seen(bus_name="org.example.A"), "log_level: a.service does not have org.freedesktop.LogControl1"),
    ):
        with pytest.raises(BadInput, match=says):
            plan_actions([unit], it, False)


MOUNTINFO = r"""
20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
21 20 8:2 / /srv rw,relatime - ext4 /dev/sda2 rw
22 20 8:2 /with\040blank /mnt/a ro,relatime - ext4 /dev/sda2 rw
23 22 8:2 /b /mnt/a rw,relatime - ext4 /dev/sda2 rw
24 20 0:9 / /opt/x/y rw - tmpfs tmpfs rw
25 20 0:8 / /opt/x rw - tmpfs tmpfs rw
short line
"""


def test_mounts() -> None:
    found = mounts.parse_mounts(MOUNTINFO)
    assert len(found) == 6 and found[2] == ("8:2", "/with blank", "/mnt/a", True)
    # The last one is seen; what is below another that came later is not.
    assert mounts.at(found, "/mnt/a") == ("8:2", "/b", "/mnt/a", False)
    assert mounts.at(found[:3], "/mnt/a") == found[2]
    assert mounts.at(found, "/opt/x/y") is None and mounts.at(found, "/mnt") is None
    assert mounts.origin(found, "/srv/b") == ("8:2", "/b")
    assert mounts.origin(found, "/mnt/a/c") == ("8:2", "/b/c")
    assert mounts.origin(found, "/srv") == ("8:2", "/")
    assert mounts.origin(found, "/srvb") == ("8:1", "/srvb")
    assert mounts.origin([], "/srv") == ("", "")


def test_images_behind_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = tmp_path / "devices" / "loop0"
    (loop / "loop").mkdir(parents=True)
    (loop / "loop0p1").mkdir()
    (loop / "loop" / "backing_file").write_text("/srv/app.raw\n")
    real = mounts.os.path.realpath
    places = {"/sys/dev/block/7:0": str(loop), "/sys/dev/block/259:1": str(loop / "loop0p1")}
    monkeypatch.setattr(mounts.os.path, "realpath", lambda path: places.get(path) or real(path))
    assert mounts.backing_files("7:0") == mounts.backing_files("259:1") == ["/srv/app.raw"]
    assert mounts.backing_files("8:1") == []


@pytest.mark.parametrize(
    ("group", "expected"),
    [("/", True), ("", False), ("/a.slice", True), ("/a.slice/b.service", True), ("/a.slice/b", False), ("/c.slice", False)],
)
def test_the_group_that_this_task_is_in(group: str, expected: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "cgroup"
    file.write_text("5:devices:/\n1:name=systemd:/\n0::/a.slice/b.service\n")
    real = open
    monkeypatch.setattr("builtins.open", lambda path, *args, **more: real(file if path == "/proc/self/cgroup" else path, *args, **more))
    assert runs_in(group) is expected


def test_mounts_are_where_links_lead(tmp_path: Path) -> None:
    """As the service has them: below its own root."""
    (tmp_path / "srv/real").mkdir(parents=True)
    (tmp_path / "srv/link").symlink_to("/srv/real")
    root = str(tmp_path)
    assert place_of(root, "/srv/link/deep/x") == "/srv/real/deep/x"
    assert place_of(root, "/srv/link") == "/srv/real"
    assert place_of(root, "/nope/x") == "/nope/x"
    assert place_of(f"{root}/ended", "/srv/link") == "/srv/link"
