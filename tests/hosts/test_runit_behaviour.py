# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same services under a runit that is PID 1 and, translated, under systemd on the same host: what the processes see.

All services run at once, first under the one and after a reboot under the other; the tests then compare the two records.
"""

from __future__ import annotations

import itertools
import json
import signal
import time
import typing as t
from pathlib import Path

import pytest

from tests.hosts.runit_behaviour import services as s

if t.TYPE_CHECKING:
    from tests.lab.host import Host

pytestmark = pytest.mark.xdist_group("runit")

PROBE = "/usr/local/lib/probe.py"
# Long enough for six restarts, which are more than systemd's own limit allows.
WATCHED = 8.0

MAKE = """
import json, os, sys
for path, content in json.load(sys.stdin).items():
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content)
    os.chmod(path, 0o755 if os.path.basename(path) in ("run", "finish", "check", "t") else 0o644)
"""
# chpst is these programs of daemontools', too, by its name.
WRAPPERS = "/usr/local/bin/envuidgid /usr/local/bin/softlimit"
# What steps have made, as they left it.
MADE = f"cd {s.OUT}; stat -c %s limit.image >limit.size; stat -c %a umask.made >umask.mode; rm limit.image umask.made"
COLLECT = """
import glob, json, os
print(json.dumps({os.path.basename(p): open(p).read() for p in glob.glob("/var/lib/probe/*.*")}))
"""


class Record:
    """What the services left behind."""

    def __init__(self, files: dict[str, str], logs: dict[str, list[str]]) -> None:
        self._files = files
        self.logs = logs

    def starts(self, name: str) -> list[dict[str, t.Any]]:
        return [json.loads(line) for line in self.lines(name, "starts")]

    def signals(self, name: str) -> list[str]:
        return [json.loads(line) for line in self.lines(name, "signals")]

    def lines(self, name: str, kind: str) -> list[str]:
        return self._files.get(f"{name}.{kind}", "").splitlines()


class Both(t.NamedTuple):
    runit: Record
    systemd: Record
    # As units, once more, on a host that has no program of runit's any more.
    alone: Record
    imported: dict[str, t.Any]


def make(host: Host, files: dict[str, str]) -> None:
    host.run(["python3", "-c", MAKE], input=json.dumps(files), check=True)


def collect(host: Host, logs: dict[str, list[str]]) -> Record:
    return Record(json.loads(host.run(["python3", "-c", COLLECT], check=True).stdout), logs)


def wait_for(host: Host, count: int) -> None:
    """Until that many services have been started once."""
    script = f"for n in $(seq 600); do [ $(ls {s.OUT} | grep -c starts) -ge {count} ] && exit; sleep 0.1; done; ls {s.OUT}; exit 1"
    host.run(script, check=True)


@pytest.fixture(scope="module")
def both(lab: t.Any) -> t.Iterator[Both]:
    host = lab("runit", "behaviour")
    files = {PROBE: (Path(__file__).parent / "runit_behaviour" / "probe.py").read_text()}
    for name, parts in s.all_services().items():
        for path, content in parts.items():
            files[f"/etc/sv/{s.PREFIX}{name}/{path}"] = content.replace("@", f"/usr/bin/python3 {PROBE} {name}")
    files |= {f"/etc/default/{s.PREFIX}{name}": text for name, text in s.DEFAULTS.items()}
    host.run(
        f"for name in {WRAPPERS}; do ln -s /usr/bin/chpst $name; done; "
        f"install -d -m 1777 {s.OUT}; mkdir -p /srv/jail /var/log/t-logged /var/log/t-logged-out /var/log/t-logged-kept; "
        "useradd -r -G mail,news member; "
        # Debian has no such program; the services that use it come from systems that do.
        "printf '#!/bin/sh\\nexec tail -f /dev/null\\n' >/usr/local/bin/pause; chmod +x /usr/local/bin/pause",
        check=True,
    )
    for directory in ("/opt/t/bin", "/usr/local/bin"):
        program = f'#!/bin/sh\nexec /usr/bin/python3 {PROBE} "$1" {directory}\n'
        files[f"{directory}/t-prog"] = program
    make(host, files)
    host.run("chmod +x /opt/t/bin/t-prog /usr/local/bin/t-prog", check=True)
    jail = (
        "mkdir -p /srv/jail && mount --bind / /srv/jail && mount -t tmpfs none /srv/jail/mnt && : >/srv/jail/mnt/marker"
    )
    host.run(jail, check=True)
    host.run(f"ln -s /etc/sv/{s.PREFIX}* /etc/service/", check=True)
    everything = s.all_services()
    started = len(everything) - len(("down", "pause", "guard", "sigpipe", "unready", "guard-behind"))
    wait_for(host, started)
    host.run(f"sv once {s.PREFIX}once", check=True)
    time.sleep(WATCHED)
    imported = host.ansible("pidone.systemd.service_import_info", {"source": "runit", "name": f"{s.PREFIX}*"})
    assert not imported["failed"], imported["msg"]
    kept = f"{s.PREFIX}logged-kept"
    with_svlogd = host.ansible("pidone.systemd.service_import_info", {"source": "runit", "name": kept, "log": "svlogd"})
    assert not with_svlogd["failed"], with_svlogd["msg"]
    others = [each for each in imported["services"] if each["name"] != kept]
    imported["services"] = others + with_svlogd["services"]
    host.run(f"sv -w 5 down /etc/service/{s.PREFIX}* >/dev/null", timeout=60)
    time.sleep(1.5)
    logs = {name: host.read(f"/var/log/t-{name}/current").splitlines() for name in s.LOGGED}
    host.run(MADE, check=True)
    runit = collect(host, logs)

    # What runit left behind would note the signals of the shutdown.
    host.run(f"rm /etc/service/{s.PREFIX}*; pkill -9 -f '[p]robe.py'; sleep 0.2; rm -rf {s.OUT}/*", check=True)
    host.reboot(init="systemd")
    host.run(jail, check=True)
    units = {unit["name"]: unit["content"] for each in imported["services"] for unit in each["units"]}
    make(host, {f"/etc/systemd/system/{name}": content for name, content in units.items()})
    told = {each["name"].removeprefix(s.PREFIX): each for each in imported["services"]}
    wanted = [
        each["units"][0]["name"]
        for name, each in told.items()
        if each["units"] and not each["state"]["down"] and not each["state"].get("once")
    ]
    host.run(["systemctl", "daemon-reload"], check=True)
    host.run(["systemctl", "start", "--no-block", *wanted], check=True)
    # That which was started once, and that of which there is no unit.
    wait_for(host, started - 2)
    time.sleep(WATCHED)
    host.run(["systemctl", "stop", *wanted], timeout=60)
    time.sleep(0.5)
    host.run(MADE, check=True)
    logs = {}
    for name in ("logged", "logged-out"):
        journal = host.run(["journalctl", "-u", f"{s.PREFIX}{name}", "-o", "json", "--no-pager"], check=True).stdout
        entries = [json.loads(line) for line in journal.splitlines()]
        logs[name] = [entry["MESSAGE"] for entry in entries if entry.get("_TRANSPORT") == "stdout"]
    logs["logged-kept"] = host.read(f"/var/log/{kept}/current").splitlines()
    systemd = collect(host, logs)

    needing = [name for name in s.SEEN if needs_runit(told[name])]
    host.run(f"rm -rf {s.OUT}/*; rm {WRAPPERS}; dpkg -L runit snooze | grep -E '^(/usr)?/s?bin/.' | xargs rm", check=True)
    host.run(["systemctl", "start", "--no-block", *(told[name]["units"][0]["name"] for name in s.SEEN)], check=True)
    wait_for(host, len(s.SEEN) - len(needing))
    for name in needing:
        # Until it has been tried more than once.
        restarts = f"systemctl show --property NRestarts --value {told[name]['units'][0]['name']}"
        host.run(f"for n in $(seq 600); do [ $({restarts}) -ge 1 ] && exit; sleep 0.1; done; exit 1", check=True)
    alone = collect(host, {})
    host.run(f"systemctl stop '{s.PREFIX}*'", timeout=60)
    yield Both(runit, systemd, alone, told)
    lab.forget(host)


def needs_runit(imported: dict[str, t.Any]) -> bool:
    """Whether the findings say that programs of runit's and its kin must stay installed."""
    return any(one["key"] == "runit.package" for one in imported["findings"])


def view(seen: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a process saw, without what is systemd's own."""
    kept = {key: value for key, value in seen.items() if key not in ("forked", "time", "parent")}
    kept["environment"] = {key: value for key, value in seen["environment"].items() if key not in s.SYSTEMS_OWN}
    # A closed output becomes /dev/null; a pipe or the console becomes the journal's socket.
    kept["fds"] = {fd: "nothing" if to in ("closed", "/dev/null") else "output" for fd, to in seen["fds"].items()}
    if not seen["cmdline"]:
        # In a jail without /proc these are not to be seen.
        for key in ("cmdline", "fds", "ignored", "blocked"):
            del kept[key]
    return kept


def differences(both: Both, name: str) -> dict[str, tuple[t.Any, t.Any]]:
    before, after = view(both.runit.starts(name)[0]), view(both.systemd.starts(name)[0])
    found = {}
    for key in before:
        if isinstance(before[key], dict):
            for part in sorted({*before[key], *after[key]}):
                if before[key].get(part) != after[key].get(part):
                    found[f"{key} {part}"] = (before[key].get(part), after[key].get(part))
        elif before[key] != after[key]:
            found[key] = (before[key], after[key])
    for key in ("leads_session", "leads_group"):
        # Each service of systemd leads a session, whether it asked for it or not.
        if found.get(key) == (False, True):
            del found[key]
    if found.get("cwd") == (f"/etc/sv/{s.PREFIX}{name}", "/"):
        del found["cwd"]
    return found


@pytest.mark.parametrize("name", s.SEEN)
def test_a_process_sees_the_same(both: Both, name: str) -> None:
    assert both.imported[name]["translation"] in ("native", "shell")
    found = differences(both, name)
    assert found.keys() == s.DIFFERENT.get(name, set()), found


@pytest.mark.parametrize("name", s.SEEN)
def test_what_must_stay_installed_is_what_it_needs(both: Both, name: str) -> None:
    assert bool(both.alone.starts(name)) != needs_runit(both.imported[name]), both.imported[name]["findings"]


@pytest.mark.parametrize("name", s.AGAIN)
def test_it_is_started_again_for_ever(both: Both, name: str) -> None:
    dummy, runit, systemd = s.AGAIN[name]
    for record, expected in ((both.runit, runit), (both.systemd, systemd)):
        times = [start["time"] for start in record.starts(name)]
        assert len(times) >= 3, times
        gaps = sorted(later - earlier for earlier, later in itertools.pairwise(times))
        assert expected - 0.1 <= gaps[len(gaps) // 2] <= expected + 0.8, gaps
    assert name == "longer" or len(both.systemd.starts(name)) > 5


@pytest.mark.parametrize("name", s.FINISHED)
def test_finish_is_told_the_same(both: Both, name: str) -> None:
    before, after = (record.lines(name, "finish") for record in both[:2])
    assert before
    assert after
    # How often is a matter of time; the last line is what stopping it gave.
    if len(before) > 1:
        assert len(after) > 1
        assert set(before[:-1]) == set(after[:-1])
    else:
        assert before == after


@pytest.mark.parametrize("name", s.STOPPED)
def test_stopping_sends_the_same(both: Both, name: str) -> None:
    assert both.runit.signals(name)
    # Under runit, what a control script sends may come before or after runsv's own SIGCONT.
    assert sorted(both.systemd.signals(name)) == sorted(both.runit.signals(name))


def test_children_are_ended_too(both: Both) -> None:
    """runit leaves them behind, the unit does not; the guide says so."""
    assert both.runit.signals("stop-child-child") == []
    assert both.systemd.signals("stop-child-child") == []


@pytest.mark.parametrize("name", ["down", "guard"])
def test_not_started(both: Both, name: str) -> None:
    assert both.runit.starts(name) == both.systemd.starts(name) == []


def test_states(both: Both) -> None:
    assert both.imported["down"]["state"]["down"] is True
    assert both.imported["once"]["state"]["once"] is True
    assert both.imported["plain"]["state"]["running"] is True
    assert len(both.runit.starts("once")) == 1


def test_runs_once_and_is_down(both: Both) -> None:
    assert len(both.runit.starts("self-down")) == len(both.systemd.starts("self-down")) == 1


def test_a_oneshot_kept_alive(both: Both) -> None:
    for record in both[:2]:
        assert record.lines("pause", "up") == ["up"]
        assert record.lines("pause", "finish") == ["down"]


def test_finish_runs_after_a_start_that_failed_too(both: Both) -> None:
    for record in both[:2]:
        order = record.lines("unready", "order")
        assert order[:4] == ["start", "finish 2", "start", "finish 2"], order


def test_the_directory_stays_with_more_files_than_those_of_runsv(both: Both) -> None:
    assert both.systemd.starts("directory")[0]["cwd"] == both.runit.starts("directory")[0]["cwd"]


def test_another_service_gets_the_signal(both: Both) -> None:
    for record in both[:2]:
        assert "SIGHUP" in record.signals("told")


def test_waits_for_what_it_needs(both: Both) -> None:
    for record, since in ((both.runit, "time"), (both.systemd, "forked")):
        # Both supervisors go on as soon as the needed one has been forked; runit's other one is forked before it asks.
        needed, needs = record.starts("needed")[0], record.starts("needs")[0]
        assert needed["forked"] <= needs[since], (needed, needs)


def test_steps_before_it(both: Both) -> None:
    for record in both[:2]:
        assert record.lines("steps", "stat") == ["daemon mail 750"]


def test_steps_have_what_they_had(both: Both) -> None:
    for record in both[:2]:
        assert record.lines("limit", "size") == ["131072"]
        assert record.lines("umask", "mode") == ["644"]


def test_a_step_before_a_guard_runs_at_each_try(both: Both) -> None:
    for record in both[:2]:
        assert len(record.lines("guard-behind", "steps")) > 3
        assert record.starts("guard-behind") == []


def test_each_waits_for_the_other_no_longer_than_it_did(both: Both) -> None:
    for record in both[:2]:
        assert len(record.starts("first")) == len(record.starts("worker")) == 1


def test_it_waits_as_its_file_tells_it(both: Both) -> None:
    """Without snooze, or without its file, it would be started every second."""
    for record in both[:2]:
        times = [start["time"] for start in record.starts("snooze")]
        assert len(times) >= 2
        assert all(later - earlier >= 1.9 for earlier, later in itertools.pairwise(times)), times


def test_what_is_refused_ran(both: Both) -> None:
    assert both.runit.starts("refused")[0]["arguments"] == ["--x"]
    imported = both.imported["refused"]
    assert (imported["translation"], imported["units"]) == ("refused", [])
    (why,) = [one for one in imported["findings"] if one["key"] == "refused.sv"]
    assert "its function stop_me calls sv" in why["message"]
    assert both.systemd.starts("refused") == []


def test_its_status_is_asked_for(both: Both) -> None:
    for record in both[:2]:
        assert len(record.lines("status", "rc")) > 2
        assert set(record.lines("status", "rc")) == {"3"}


def test_what_was_in_the_background_runs_once(both: Both) -> None:
    """runit started another one every second; the finding says so."""
    assert len(both.runit.starts("background")) > 3
    assert len(both.systemd.starts("background")) == 1
    assert "SIGTERM" in both.systemd.signals("background")


def test_log(both: Both) -> None:
    assert [line.partition(" ")[2] for line in both.runit.logs["logged"]] == both.systemd.logs["logged"]
    assert both.systemd.logs["logged"] == ["to standard output", "to standard error"]
    # Without 2>&1 standard error went to the supervisor; now it is in the journal with the rest.
    assert both.runit.logs["logged-out"] == ["to standard output"]
    assert both.systemd.logs["logged-out"] == both.systemd.logs["logged"]


def test_log_kept_by_svlogd(both: Both) -> None:
    before, after = (record.logs["logged-kept"] for record in both[:2])
    assert after[: len(before)] == before
    # What svlogd puts in front of each line is the time.
    assert [line.partition(" ")[2] for line in after[len(before) :]] == ["to standard output", "to standard error"]


def test_a_closed_pipe_ends_it_as_before(both: Both) -> None:
    """A shell's pipes end with SIGPIPE, which systemd would have it ignore."""
    for record in both[:2]:
        (line,) = record.lines("sigpipe", "ignored")
        assert not int(line.split()[1], 16) >> (signal.SIGPIPE - 1) & 1
