# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a translated script does: every case of the translator's, run as it is and as the unit made of it.

Stand-ins take the place of all programs that the scripts call. They must be called in the same order, with the same arguments, by the same
user, in the same directory and with the variables that the script gave them; once where all succeed, and once where all fail, so that guards,
`set -e` and `|| exit` are compared as well.
"""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest

from tests.attacks.kill_points import seed
from tests.hosts.run_scripts import ordered
from tests.lab.full import is_full
from tests.unit.translate.case_files import all_cases
from tests.unit.translate.harness import one

if t.TYPE_CHECKING:
    from tests.lab.host import Host

HERE = Path(__file__).parent / "run_scripts"
# Generated scripts; those of a day are others the next day.
ORDERED = 400 if is_full() else 30
# Others in each full run.
SEED = seed() if is_full() else 1
# Programs that only prepare or compute, and are there on every host; the stand-ins come after them.
REAL = frozenset(
    """mkdir install chown chmod chgrp rm rmdir ln cp mv touch cat test true false echo printf sed awk grep egrep tr cut head tail sort uniq wc
    basename dirname readlink realpath id env sh bash dash expr date seq find xargs chpst setpriv su runuser nice ionice chrt setsid nohup
    hostname uname pwd flock ps getent mktemp stat tee systemctl nproc stty python3 perl taskset ls tar sshd ip ksh timeout""".split()
)
REPLACED = "modprobe ssh-keygen sysctl mountpoint mount umount kill pkill killall iptables dbus-uuidgen start-stop-daemon dd swapoff".split()
# What differs on purpose, or what only this test's stand-ins cannot show.
EXPECTED = {
    "chpst-sh-c": "User= sets HOME, which the text of the shell asks for",
    "home-directory-of-whom": "~ is taken for /root, where a shell without HOME leaves it",
    "tilde-and-glob": "~ is taken for /root, where a shell without HOME leaves it",
    "substitution-as-another-user": "the command in $() runs as the service's user",
    "unset-under-set-u": "under set -u the script ends before the command",
    "close-descriptors": "what chpst closes is /dev/null under systemd",
    "sv-status-grep": "sv has no supervisor to ask here, so the script ends",
    "start-behind-a-step": "the other service is not there, which the stand-in of sv does not tell",
    "check-behind-a-step": "the other service is not there, which the stand-in of sv does not tell",
    "start-behind-what-only-a-shell-can-do": "the other service is not there, which the stand-in of sv does not tell",
    "restart-of-another": "this host has the other service, whose own programs are called",
    "stop-another-as-root": "this host has the other service, whose own programs are called",
    "parameters-within-words": "runsv starts ./run, and this test the same file by its whole path",
    "steps-in-three-directories": "the last directory is not there, and `-` has the unit start in /",
}
# They do not end by themselves, or wait for what never comes: seconds after which they are cut off.
CUT = {"script-that-calls-itself-for-ever": 1, "check-behind-a-step": 2}
# Wrappers that are not on the host; their scripts cannot be run as they are.
ABSENT = re.compile(
    r"setuidgid|softlimit|envdir|envuidgid|busybox|sudo|gosu|su-exec|setuser|start-stop-daemon|snooze|invoke-run|activate|pgrphack|zsh|ksh"
)
# Systemd's own variables, and those that shells make.
OWN = frozenset("PWD OLDPWD SHLVL _ LC_CTYPE".split())
# What a script leaves in the background, or has beside it as a process that a file stands for, calls when the next one is looked at;
# tests/hosts/test_runit_behaviour.py has such services.
BACKGROUND = re.compile(r"[^&>|]&\s*(?:[);}]|$)|[<>]\(", re.MULTILINE)


def plan() -> dict[str, t.Any]:
    services = []
    names: set[str] = set()
    paths: set[str] = set()
    accounts: set[str] = set()
    for case in all_cases():
        text = "\n".join(case["files"].values())
        result = one(case["files"], case["name"])
        if result["translation"] not in ("native", "shell") or ABSENT.search(text) or {"check", "control/t"} & set(case["files"]):
            continue
        if BACKGROUND.search(text):
            continue
        # Loops that wait for a host that is not there, and terminals.
        if not case["files"]["run"].startswith("#!") or re.search(r"tty|\b(while|until|sleep)\b", text):
            continue
        unit = next(unit for unit in result["units"] if unit["name"].endswith(".service"))
        lines = [
            line
            for line in unit["content"].splitlines()
            if not re.match(r"(Wants|After|Before|Conflicts|DefaultDependencies)=", line)
        ]
        content = "\n".join(lines) + "\n"
        text += content
        services.append(
            {
                "name": case["name"],
                "unit": f"t-{unit['name']}",
                "content": content,
                "files": case["files"],
                "cut": CUT.get(case["name"]),
                "guarded": re.search(r"\|\||&&|set -e|sh -e|\bif |\bexit\b", "\n".join(case["files"].values()))
                is not None,
                "directories": re.findall(r"cd ['\"]?(/[\w./-]+)", text)
                + re.findall(r"WorkingDirectory=(/.*)", content)
                + re.findall(r"(?:append|truncate|file):(/\S+)/", content),
            }
        )
        names |= set(re.findall(r"(?<![\w/.$-])[A-Za-z][\w.+-]*", text))
        first = set(re.findall(r"^Exec\w+=[-+@]*(/[\w./+-]+)", content, re.M)) | set(
            re.findall(r"^Condition\w+=(/[\w./-]+)", content, re.M)
        )
        paths |= first | {
            path
            for path in re.findall(r"(?<![\w.$}-])/[\w./+@-]+", text)
            if re.search(r"/(s?bin|libexec)/[^/]+$", path)
        }
        for match in re.finditer(
            r"(?:-u|-U|-g|-o|chown(?: -R)?|chgrp(?: -R)?|su(?: -)?|--reuid[= ]|--regid[= ]|User=|Group=)\s*([a-z_][\w-]*)((?::[\w:-]+)?)",
            text,
        ):
            accounts |= {match[1], *(group for group in match[2].split(":") if group)}
    paths = {path for path in paths if not path.startswith(("/dev", "/proc", "/sys", "/run", "/etc/sv"))}
    return {
        "services": services,
        "names": sorted(names - REAL),
        "paths": sorted(paths),
        "accounts": sorted(accounts - {"root"}),
        "replaced": REPLACED,
    }


def _merged(value: str | None) -> str | None:
    """A PATH without the directories that merged hosts have twice, as newer versions of systemd leave them out."""
    return value and value.removesuffix(":/sbin:/bin")


def differences(record: dict[str, t.Any]) -> list[str]:
    found = []
    unit, script = record["unit"], record["script"]
    called = [[(call["program"], *call["arguments"]) for call in calls] for calls in (unit, script)]
    if called[0] != called[1]:
        return [f"calls: unit {called[0]}, script {called[1]}"]
    for ours, theirs in zip(unit, script):
        for key in ("ids", "umask", "nice", "tree"):
            if ours[key] != theirs[key]:
                found.append(f"{ours['program']}: {key} {ours[key]}, in the script {theirs[key]}")
        # Where nothing refers to the service directory the unit starts in /.
        if ours["directory"] != theirs["directory"] and not (
            ours["directory"] == "/" and theirs["directory"].startswith("/etc/sv/")
        ):
            found.append(f"{ours['program']}: directory {ours['directory']}, in the script {theirs['directory']}")
        for name, value in theirs["environment"].items():
            if name not in OWN and _merged(ours["environment"].get(name)) != _merged(value):
                found.append(f"{ours['program']}: {name}={ours['environment'].get(name)!r}, in the script {value!r}")
        for output in (ours["output"], theirs["output"]):
            if output.startswith("/dev/null") and ours["output"] != theirs["output"]:
                found.append(f"{ours['program']}: output {ours['output']}, in the script {theirs['output']}")
    return found


def ordered_plan() -> dict[str, t.Any]:
    """Generated scripts, as `plan` has those of the translator's cases; the translation of those that are refused is no unit."""
    services = []
    for number in range(ORDERED):
        name, files = f"ordered-{number}", {"run": ordered.script(SEED, number)}
        external = [{"path": path, "content": text} for path, text in ordered.FILES.items()]
        result = one(files, name, external=external)
        if result["translation"] == "refused":
            continue
        (content,) = [unit["content"] for unit in result["units"] if unit["name"].endswith(".service")]
        services.append(
            {"name": name, "unit": f"t-{name}.service", "content": content, "files": files, "guarded": True,
             "directories": [ordered.TREE, "/opt/steps"]}
        )  # fmt: skip
    return {"services": services, "names": ordered.PROGRAMS, "paths": ordered.PATHS, "accounts": ordered.ACCOUNTS, "replaced": []}


def look(lab: t.Any, wanted: dict[str, t.Any], more: t.Mapping[str, str] | None = None) -> list[dict[str, t.Any]]:
    """What the scripts and units of a plan call on a host of their own."""
    host: Host = lab.fresh("runit-run")
    try:
        for path, text in (more or {}).items():
            host.write(path, text)
        host.write("/usr/local/lib/stand-in", "#!/usr/bin/python3 -ESs\n" + (HERE / "stand_in.py").read_text(), 0o755)
        host.write("/root/on_host.py", (HERE / "on_host.py").read_text())
        host.write("/root/plan.json", json.dumps(wanted))
        done = host.run("python3 /root/on_host.py /root/plan.json /usr/local/lib/stand-in", check=True, timeout=300)
        found: list[dict[str, t.Any]] = json.loads(done.stdout.splitlines()[-1])
        return found
    finally:
        lab.forget(host)


@pytest.fixture(scope="module")
def records(lab: t.Any) -> list[dict[str, t.Any]]:
    return look(lab, plan())


@pytest.mark.lab_kinds("runit-run")
def test_units_do_what_the_scripts_did(records: list[dict[str, t.Any]]) -> None:
    found: dict[str, list[str]] = {}
    for record in records:
        if record["name"] not in EXPECTED:
            for one_difference in differences(record):
                found.setdefault(f"{record['name']} (all fail: {record['fails']})", []).append(one_difference)
    assert not found, "\n".join(f"{name}: {one}" for name, several in found.items() for one in several)
    assert sum(len(record["unit"]) for record in records) > 200


@pytest.mark.lab_kinds("runit-run")
def test_what_is_said_to_differ_does(records: list[dict[str, t.Any]]) -> None:
    differing = {record["name"] for record in records if differences(record)}
    assert set(EXPECTED) <= differing


@pytest.mark.lab_kinds("runit-run")
def test_steps_keep_their_order(lab: t.Any) -> None:
    """Whatever the order of the steps, what a script did under sh is what the unit does."""
    wanted = ordered_plan()
    records = look(lab, wanted, ordered.FILES)
    scripts = {service["name"]: service for service in wanted["services"]}
    found = []
    for record in records:
        steps = len(record["unit"]) - (record["fails"] == "no")
        for unit_call, script_call in zip(record["unit"][:steps], record["script"]):
            # Nice= is of the unit, and so of its steps as well.
            unit_call["nice"] = script_call["nice"]
        for one_difference in differences(record):
            service = scripts[record["name"]]
            found.append(f"{record['name']} (all fail: {record['fails']}): {one_difference}\n{service['files']['run']}\n{service['content']}")
    assert not found, f"PIDONE_SEED={SEED}: {len(found)}\n" + "\n".join(found[:100])
    assert len(wanted["services"]) > 0.8 * ORDERED
