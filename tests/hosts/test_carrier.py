# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The carried jeepney on real hosts, none of which has one: first contact is one more run of the module, later ones none.

Runs are counted in Ansible's own log of what it did. With pipelining a run is one command over SSH, which is counted too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import jeepney
import pytest

from tests.lab.fixtures import Lab, every_version
from tests.lab.host import Host
from tests.lab.runner import PlaybookResult

UNIT = "pidone.systemd.unit"
STEADY = {"name": "dbus.service", "state": "started"}
OWN = "/usr/lib/python3/dist-packages/jeepney"
PLACES = "/root/.cache /home/*/.cache /var/tmp /tmp /run /run/user/* /dev/shm /srv"


class Done(t.NamedTuple):
    """What a play did: its output and results, how often modules were run, and what went over the wire."""

    play: PlaybookResult
    runs: int
    commands: int
    transfers: int

    @property
    def result(self) -> dict[str, t.Any]:
        return self.play.results[-1].result


def run(host: Host, task: dict[str, t.Any], pipelining: bool = True, **play: t.Any) -> Done:
    """Run one task and count."""
    options = {key: play.pop(key) for key in ("variables", "env") if key in play}
    flags = play.pop("flags", [])
    book = [{"hosts": "all", "gather_facts": False, "remote_user": "root", **play, "tasks": [task]}]
    done = host.playbook(book, "-vvvv", *flags, pipelining=pipelining, **options)
    return Done(
        done,
        len(re.findall(r"Using module file \S*/pidone/systemd/", done.stdout)),
        len(re.findall(r"> SSH: EXEC ", done.stdout)),
        len(re.findall(r"> PUT ", done.stdout)),
    )


def ok(done: Done) -> Done:
    """The task succeeded and found what it should."""
    done.play.ok()
    assert done.result["changed"] is False
    assert done.result["units"][0]["active_state"] == "active"
    return done


def two_contacts(host: Host, **play: t.Any) -> list[int]:
    """How often the module was run for a first task and for the one after it."""
    first = ok(run(host, {UNIT: STEADY}, **play))
    return [first.runs, ok(run(host, {UNIT: STEADY}, **play)).runs]


def kept(host: Host) -> dict[str, str]:
    """Path of each zip that is kept on the host -> owner and modes of its directory and of itself."""
    lines = host.run(f"find {PLACES} -maxdepth 2 -path '*/pidone.systemd-*' -name '*.zip' 2>/dev/null").stdout.split()
    found = {}
    for path in lines:
        folder = os.path.dirname(path)
        found[path] = host.run(f"stat -c %U:%a {folder} {path}", check=True).stdout.replace("\n", " ").strip()
    return found


@pytest.fixture
def bare(host: Host) -> t.Iterator[Host]:
    """The host as if no task of this collection had ever run there."""

    def forget() -> None:
        host.run(
            "umount -q /root/.cache; for d in "
            f"{PLACES}; do rm -rf $d/pidone.systemd-*; done; rm -rf /root/.cache /home/*/.cache {OWN}",
        )

    forget()
    assert host.run(["python3", "-c", "import jeepney"]).returncode == 1
    assert kept(host) == {}
    yield host
    forget()


# -- round trips


@every_version
def test_first_contact_costs_one_run_and_later_ones_none(bare: Host) -> None:
    first = ok(run(bare, {UNIT: STEADY}))
    assert (first.runs, first.commands, first.transfers) == (2, 2, 0)
    found = kept(bare)
    assert len(found) == 1
    path, modes = next(iter(found.items()))
    assert path.startswith("/root/.cache/pidone.systemd-0/jeepney-")
    assert modes == "root:700 root:600"

    ping = run(bare, {"ansible.builtin.ping": {}})
    for time in (1, 2):
        later = ok(run(bare, {UNIT: STEADY}))
        assert (later.runs, later.commands, later.transfers) == (1, ping.commands, ping.transfers) == (1, 1, 0), (
            f"later contact {time}"
        )
    assert later.result["invocation"]["module_args"].keys() == first.result["invocation"]["module_args"].keys()
    assert "jeepney" not in str(later.result)


def test_without_pipelining(bare: Host) -> None:
    first = ok(run(bare, {UNIT: STEADY}, pipelining=False))
    assert (first.runs, first.transfers) == (2, 2)
    ping = run(bare, {"ansible.builtin.ping": {}}, pipelining=False)
    later = ok(run(bare, {UNIT: STEADY}, pipelining=False))
    assert (later.runs, later.commands, later.transfers) == (1, ping.commands, ping.transfers)
    assert bare.run("ls -A /root/.ansible/tmp").stdout == "", "temporary files of both runs are gone"


def test_each_item_of_a_loop_after_the_first_costs_one_run(bare: Host) -> None:
    done = run(
        bare, {UNIT: {"name": "{{ item }}", "state": "started"}, "loop": ["dbus.service", "dbus.socket", "ssh.service"]}
    )
    done.play.ok()
    assert done.runs == 4


@every_version
def test_a_new_jeepney_on_the_controller_is_carried_once_more(bare: Host, tmp_path: Path) -> None:
    ok(run(bare, {UNIT: STEADY}))
    folder = tmp_path / "jeepney"
    folder.mkdir()
    for path in Path(jeepney.__file__).parent.glob("*.py"):
        (folder / path.name).write_text(path.read_text() + "\n")
    other = {"PYTHONPATH": str(tmp_path)}
    assert two_contacts(bare, env=other) == [2, 1]
    assert ok(run(bare, {UNIT: STEADY})).runs == 1, "the one before is still there"
    assert len(kept(bare)) == 2


# -- what is compiled


def compiled(host: Host) -> dict[str, str]:
    """Path of each file of compiled sources on the host -> its owner, mode, inode and time."""
    command = (
        f"find {PLACES} -maxdepth 2 -path '*/pidone.systemd-*' -name 'code-*' -printf '%p %u:%m:%i:%T@\\n' 2>/dev/null"
    )
    return dict(line.split() for line in host.run(command).stdout.splitlines())


LISTENER = """
import os, sys
def listen(event, values):
    # What is shorter is compiled: no longer than looking for it.
    if event == "compile" and ".zip/" in str(values[1]) and len(values[0] or "") >= 400:
        os.write(2, (str(values[1]).rpartition(".zip/")[2] + "\\n").encode())
sys.addaudithook(listen)
program = sys.argv.pop()
sys.argv = [program]
exec(compile(open(program).read(), program, "exec"))
"""


def state_of(printed: str) -> t.Any:
    """The state of the unit in what a module has printed, where it packs its result."""
    return json.loads(json.loads(printed)["pidone_packed"])["units"][0]["active_state"]


@every_version
def test_later_tasks_compile_only_what_finds_the_rest(bare: Host) -> None:
    """Ansible's own part of the archive is loaded from what is kept as well."""
    ok(run(bare, {UNIT: STEADY}))
    found = compiled(bare)
    assert len(found) > 40
    assert {os.path.dirname(path) for path in found} == {"/root/.cache/pidone.systemd-0"}
    assert {state.rpartition(":")[0].rpartition(":")[0] for state in found.values()} == {"root:600"}
    ok(run(bare, {UNIT: STEADY}, pipelining=False, env={"ANSIBLE_KEEP_REMOTE_FILES": "1"}))
    # The first run of a first contact ends before all is loaded, the second does not: nothing was left to write.
    assert compiled(bare) == found

    (program,) = bare.run("ls /root/.ansible/tmp/*/AnsiballZ_unit.py", check=True).stdout.split()
    bare.write("/root/listener.py", LISTENER)
    utils = "ansible_collections/pidone/systemd/plugins/module_utils"
    finds = {f"{utils}/_compiled.py", f"{utils}/_kept/folder.py"}
    try:
        # With -S, without what keeps bytecode on test hosts, see tests/lab/bytecode.py.
        done = bare.run(["python3", "-S", "/root/listener.py", program])
        assert state_of(done.stdout) == "active"
        assert set(done.stderr.split()) == finds
        off = bare.run(["env", "PIDONE_SYSTEMD_KEEP_COMPILED=false", "python3", "-S", "/root/listener.py", program])
        assert state_of(off.stdout) == "active"
        assert {f"{utils}/_dbus/connection.py", "ansible/module_utils/basic.py"} < set(off.stderr.split())
    finally:
        bare.run("rm -rf /root/listener.py /root/.ansible/tmp")


@pytest.mark.lab_kinds("bookworm")
def test_a_forged_file_is_not_run(bare: Host) -> None:
    ok(run(bare, {UNIT: STEADY}))
    folder = "/root/.cache/pidone.systemd-0"
    bare.run(f"rm {folder}/code-*", check=True)
    ok(run(bare, {UNIT: STEADY}))
    body = "import marshal,hashlib,glob,os,importlib.util as u; c=marshal.dumps(compile('import os; os.mkdir(\"/run/forged\")', 'x', 'exec'))"
    forge = f"{body}\nfor p in glob.glob('{folder}/code-*'): open(p,'wb').write(u.MAGIC_NUMBER+hashlib.sha256(c).digest()+c)"
    bare.run(["python3", "-c", forge], check=True)
    bare.run(f"chown nosudo {folder}/code-*", check=True)
    try:
        ok(run(bare, {UNIT: STEADY}))
        assert bare.run("test -e /run/forged").returncode == 1
        assert {state.rpartition(":")[0].rpartition(":")[0] for state in compiled(bare).values()} == {"root:600"}
    finally:
        bare.run("rm -rf /run/forged")


@pytest.mark.lab_kinds("bookworm")
def test_for_a_user_and_in_check_mode_and_in_the_background_root_keeps_it(bare: Host) -> None:
    bare.run("loginctl enable-linger deploy && systemctl start user@1000", check=True)
    task: dict[str, t.Any] = {UNIT: {"name": "dbus.socket", "state": "started", "scope": "user", "user": "deploy"}}
    for further, flags in (({}, ["--check"]), ({}, []), ({"async": 60, "poll": 1}, [])):
        run(bare, {**task, **further}, flags=flags).play.ok()
    found = compiled(bare)
    run(bare, task).play.ok()
    assert compiled(bare) == found
    assert {os.path.dirname(path) for path in found} == {"/root/.cache/pidone.systemd-0"}


# -- users


def test_a_login_without_root_that_becomes_root(bare: Host) -> None:
    assert two_contacts(bare, remote_user="deploy", become=True) == [2, 1]
    assert [path.rpartition("/")[0] for path in kept(bare)] == ["/root/.cache/pidone.systemd-0"]
    assert run(bare, {UNIT: STEADY}, remote_user="deploy", become=True, pipelining=False).runs == 1
    journal = bare.run("journalctl --no-pager --quiet", check=True).stdout
    assert "ansible-pidone.systemd.unit" in journal
    assert "jeepney" not in journal, "neither sudo nor the module logs what is carried"


def test_each_user_keeps_its_own(bare: Host) -> None:
    plays: list[dict[str, t.Any]] = [{"remote_user": "deploy"}, {"become": True, "become_user": "nosudo"}]
    for play in plays:
        assert two_contacts(bare, **play) == [2, 1]
    assert {path.rpartition("/")[0]: modes for path, modes in kept(bare).items()} == {
        "/home/deploy/.cache/pidone.systemd-1000": "deploy:700 deploy:600",
        "/home/nosudo/.cache/pidone.systemd-1001": "nosudo:700 nosudo:600",
    }


def test_an_unprivileged_login_that_becomes_another_user_without_pipelining(bare: Host) -> None:
    play: dict[str, t.Any] = {"remote_user": "deploy", "become": True, "become_user": "nosudo", "pipelining": False}
    assert two_contacts(bare, **play) == [2, 1]
    assert [path.rpartition("/")[0] for path in kept(bare)] == ["/home/nosudo/.cache/pidone.systemd-1001"]


# -- kinds of tasks


def test_check_mode(bare: Host) -> None:
    done = ok(run(bare, {UNIT: STEADY}, flags=["--check", "--diff"]))
    assert done.runs == 2
    assert ok(run(bare, {UNIT: STEADY}, flags=["--check", "--diff"])).runs == 1


def test_a_task_that_changes_something_does_it_once(bare: Host) -> None:
    bare.write(
        "/run/systemd/system/carrier-once.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo x >>/run/o'\n"
    )
    bare.run("systemctl daemon-reload; rm -f /run/o", check=True)
    try:
        done = run(bare, {UNIT: {"name": "carrier-once.service", "state": "restarted"}})
        assert done.result["changed"] is True
        assert done.runs == 2
        assert bare.read("/run/o") == "x\n"
    finally:
        bare.run("rm -f /run/o /run/systemd/system/carrier-once.service; systemctl daemon-reload", check=True)


@pytest.mark.parametrize("pipelining", [True, False])
def test_in_the_background(bare: Host, pipelining: bool) -> None:
    """A background task is one run: what it needs goes along, since what it says does not come this way."""
    done = run(bare, {UNIT: STEADY, "async": 60, "poll": 1}, pipelining=pipelining)
    ok(done)
    assert done.runs == 1
    assert len(kept(bare)) == 1
    assert ok(run(bare, {UNIT: STEADY}, pipelining=pipelining)).runs == 1


def test_in_the_background_collected_later_and_as_another_user(bare: Host) -> None:
    book = [
        {
            "hosts": "all",
            "gather_facts": False,
            "remote_user": "deploy",
            "become": True,
            "tasks": [
                {"name": "begin", UNIT: STEADY, "async": 60, "poll": 0, "register": "job"},
                {
                    "name": "end",
                    "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
                    "register": "done",
                    "until": "done.finished",
                    "retries": 100,
                    "delay": 0.1,
                },
            ],
        }
    ]
    done = bare.playbook(book).ok()
    assert done.task("end").result["units"][0]["active_state"] == "active"
    assert len(kept(bare)) == 1


def test_no_log_hides_the_result_and_nothing_else(bare: Host) -> None:
    done = run(bare, {UNIT: STEADY, "no_log": True})
    done.play.ok()
    assert done.runs == 2
    assert "censored" in done.result
    assert len(kept(bare)) == 1


def test_delegated_to_another_host(bare: Host, lab: Lab) -> None:
    helper = lab(bare.kind.name, "delegate")
    helper.run("rm -rf /root/.cache", check=True)
    variables = {"there": helper.inventory()}
    add = {"ansible.builtin.add_host": {"name": "helper", **helper.inventory(), "ansible_pipelining": True}}
    tasks = [add, {UNIT: STEADY, "delegate_to": "helper"}, {UNIT: STEADY, "delegate_to": "helper"}]
    done = bare.playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}], "-vvv", variables=variables).ok()
    assert len(re.findall(r"Using module file \S*/pidone/systemd/", done.stdout)) == 3
    assert len(kept(helper)) == 1
    assert kept(bare) == {}


# -- hosts that make it hard


def test_a_read_only_home(bare: Host) -> None:
    bare.run("mkdir -p /root/.cache && mount -t tmpfs -o ro tmpfs /root/.cache", check=True)
    assert two_contacts(bare) == [2, 1]
    assert [path.rpartition("/")[0] for path in kept(bare)] == ["/var/tmp/pidone.systemd-0"]


def test_a_noexec_home_is_none_of_our_business(bare: Host) -> None:
    bare.run("mkdir -p /root/.cache && mount -t tmpfs -o noexec,nosuid,nodev tmpfs /root/.cache", check=True)
    assert two_contacts(bare) == [2, 1]
    assert [path.rpartition("/")[0] for path in kept(bare)] == ["/root/.cache/pidone.systemd-0"]


def test_a_directory_of_the_users_choice(bare: Host) -> None:
    play: dict[str, t.Any] = {"environment": {"PIDONE_SYSTEMD_JEEPNEY_DIR": "/srv"}}
    assert two_contacts(bare, **play) == [2, 1]
    assert [path.rpartition("/")[0] for path in kept(bare)] == ["/srv/pidone.systemd-0"]


def test_nowhere_to_keep_it_is_one_error_with_the_remedies(bare: Host) -> None:
    play: dict[str, t.Any] = {"environment": {"PIDONE_SYSTEMD_JEEPNEY_DIR": "/proc"}}
    done = run(bare, {UNIT: STEADY}, **play)
    assert done.play.results[-1].status == "failed"
    assert done.runs == 2
    message = done.result["msg"]
    assert "\n" not in message
    assert "/proc: " in message
    assert "`environment: {PIDONE_SYSTEMD_JEEPNEY_DIR: /some/directory}`" in message
    assert "python3-jeepney" in message
    assert "Traceback" not in str(done.result)
    assert kept(bare) == {}


def test_what_was_tampered_with_is_brought_again(bare: Host) -> None:
    ok(run(bare, {UNIT: STEADY}))
    path = next(iter(kept(bare)))
    digest = bare.run(["sha256sum", path], check=True).stdout
    bare.run(f"echo 'raise SystemExit(1)' >> {path}", check=True)
    assert two_contacts(bare) == [2, 1]
    assert bare.run(["sha256sum", path], check=True).stdout == digest


def test_a_directory_open_to_others_is_passed_by(bare: Host) -> None:
    ok(run(bare, {UNIT: STEADY}))
    bare.run("chmod 777 /root/.cache/pidone.systemd-0", check=True)
    assert two_contacts(bare) == [2, 1]
    assert "/var/tmp/pidone.systemd-0" in [path.rpartition("/")[0] for path in kept(bare)]


def test_a_squatted_directory_is_passed_by(bare: Host) -> None:
    """In a shared directory anybody can be first; what they made is not ours."""
    bare.run("mkdir -p /root/.cache && mount -t tmpfs -o ro tmpfs /root/.cache", check=True)
    bare.run("mkdir -m 700 /var/tmp/pidone.systemd-0", user="nosudo", check=True)
    assert two_contacts(bare) == [2, 1]
    assert [path.rpartition("/")[0] for path in kept(bare)] == ["/run/pidone.systemd-0"]


# -- hosts and controllers with and without


@every_version
def test_a_host_that_has_jeepney_uses_its_own(bare: Host, tmp_path: Path) -> None:
    for path in Path(jeepney.__file__).parent.glob("*.py"):
        bare.write(f"{OWN}/{path.name}", path.read_text())
    assert ok(run(bare, {UNIT: STEADY})).runs == 1
    assert kept(bare) == {}
    (tmp_path / "jeepney.py").write_text("raise ImportError\n")
    assert ok(run(bare, {UNIT: STEADY}, env={"PYTHONPATH": str(tmp_path)})).runs == 1, "the controller needs none then"


@every_version
def test_a_host_whose_jeepney_is_too_old(bare: Host) -> None:
    bare.write(f"{OWN}/__init__.py", "from .low_level import Message\n")
    bare.write(f"{OWN}/low_level.py", "class Message: pass\n")
    bare.write(f"{OWN}/auth.py", "class SASLParser: pass\n")
    assert two_contacts(bare) == [2, 1]


def test_a_controller_that_has_none_either(bare: Host, tmp_path: Path) -> None:
    (tmp_path / "jeepney.py").write_text("raise ImportError\n")  # hides the one that is installed
    done = run(bare, {UNIT: STEADY}, env={"PYTHONPATH": str(tmp_path)})
    assert done.play.results[-1].status == "failed"
    assert done.runs == 1
    assert "-m pip install 'jeepney>=0.7'" in done.result["msg"]
    assert "python3-jeepney" in done.result["msg"]
    # Wherever Ansible shows it, in the banner too, it is the same text.
    assert "under its full name" not in done.play.text()
    assert "pidone_jeepney" not in done.result


def test_past_the_action_plugin_the_module_says_what_is_wrong(bare: Host) -> None:
    """As when another plugin runs the module itself."""
    code = (
        "from ansible_collections.pidone.systemd.plugins.module_utils._dbus import carrier\n"
        "try: carrier.import_jeepney()\n"
        "except carrier.JeepneyMissing as e: print(e.msg)\n"
    )
    for name in ("_errors.py", "_dbus/__init__.py", "_dbus/carrier.py", "_kept/__init__.py", "_kept/folder.py"):
        source = Path(__file__).parents[2] / "plugins" / "module_utils" / name
        bare.write(f"/run/past/ansible_collections/pidone/systemd/plugins/module_utils/{name}", source.read_text())
    try:
        done = bare.run(["env", "PYTHONPATH=/run/past", "python3", "-c", code])
    finally:
        bare.run("rm -rf /run/past")
    assert "for /usr/bin/python3, and the controller brought none" in done.stdout


def test_local_connection(tmp_path: Path, lab: Lab) -> None:
    """The controller as a host, with a Python that has no jeepney. It has no user manager either: the error comes after."""
    python = "/usr/bin/python3"
    assert python != sys.executable
    assert subprocess.run([python, "-c", "import jeepney"], capture_output=True, check=False).returncode == 1
    variables = {"ansible_connection": "local", "ansible_python_interpreter": python}
    task = {UNIT: {**STEADY, "scope": "user"}}
    environment: dict[str, t.Any] = {"environment": {"PIDONE_SYSTEMD_JEEPNEY_DIR": str(tmp_path)}}
    runs = []
    for number in (1, 2):
        done = run(lab("trixie"), task, variables=variables, **environment)
        assert "is not running" in done.result["msg"], f"contact {number}"
        runs.append(done.runs)
    assert runs == [2, 1]
    assert len(list(tmp_path.glob(f"pidone.systemd-{os.geteuid()}/*.zip"))) == 1
