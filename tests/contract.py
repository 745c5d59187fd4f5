# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module keeps, whatever it does: check mode tells what is then done and touches nothing, a second run is idle, and
whatever happens is told without a traceback."""

from __future__ import annotations

import difflib
import re
import shlex
import typing as t

from tests.lab.host import Host

Result = dict[str, t.Any]

# Names at the top level of a result that ansible-core's task executor, async_wrapper, async_status and callbacks read or write.
OF_ANSIBLE = {
    "add_group", "add_host", "ansible_async_watchdog_pid", "ansible_facts", "ansible_included_var_files", "ansible_job_id",
    "ansible_loop", "ansible_loop_var", "ansible_notify", "ansible_stats", "async_result", "attempts", "censored", "changed",
    "deprecations", "delta", "diff", "end", "erased", "exception", "failed", "failed_when_result", "finished", "include",
    "include_args", "invocation", "item", "module_stderr", "module_stdout", "msg", "no_log", "outdir", "parsed", "rc", "results",
    "results_file", "retries", "skip_reason", "skipped", "start", "started", "stderr", "stderr_lines", "stdout", "stdout_lines",
    "unreachable", "warnings",
}  # fmt: skip
# Of these, what AnsibleModule itself adds, and what a result may have for what it means to Ansible.
OF_ANSIBLE_MODULE = {"changed", "deprecations", "diff", "failed", "invocation", "msg", "warnings"}
# Those that a module returns for what they mean.
MEANT = {"run": {"rc", "stderr", "stdout"}, "unit_info": {"msg"}}
# What ansible-core 2.19 and later has as `exception` of every failure that brings none.
_UNAVAILABLE = "(traceback unavailable)"

# Where unit files, links to them, drop-ins of properties and stamps of timers are, for all managers.
PLACES = (
    "/etc/systemd /run/systemd/system /run/systemd/user /run/systemd/system.control /var/lib/systemd/timers "
    "/var/lib/systemd/linger /home/*/.config /home/*/.local /root/.config"
)
# Directories, of a way back: systemd makes them when first something is to be in them, and they stay; so do those of our records.
_STAYS = re.compile(
    r"^\S*/(system\.control|user\.control|\.local(/share(/systemd(/timers)?)?|/state(/pidone\.systemd.*)?)?)  7.*\n", re.M
)


def picture(host: Host, pattern: str, identity: bool = True, more: str = "", properties: str = "") -> str:
    """All unit files, links and stamps of a host, and what its units do, as text to compare.

    :param pattern: the units, as patterns of systemctl, separated by blanks.
    :param identity: whether times and inodes of files and the invocations of units belong to it: then nothing may have been
        written or started between two pictures that are the same. Without, a way back is as good as never to have left.
    :param more: shell whose output belongs to it.
    :param properties: those of the units that belong to it, too, separated by commas.
    """
    parts = ("Id,LoadState,ActiveState,SubState,Description,NeedDaemonReload", "Job,InvocationID" if identity else "", properties)
    wanted = ",".join(part for part in parts if part)
    told = host.run(
        # Asked for a unit it does not know, systemd looks for new directories of drop-ins, which NeedDaemonReload then counts.
        "systemctl show none-such-as-this.service >/dev/null; "
        f"find {PLACES} -printf '%p %l %m %u %g{' %T@ %i' if identity else ''}\\n' 2>/dev/null | sort; "
        f"find {PLACES} -type f 2>/dev/null | sort | xargs -r -d '\\n' cat; "
        f"systemctl show {shlex.join(pattern.split())} -p {wanted}; {more}"
    ).stdout
    return told if identity else _STAYS.sub("", told)


def is_same(before: str, after: str, otherwise: str) -> None:
    """Two pictures are the same.

    :param otherwise: what it means if they are not.
    """
    changes = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert not changes, f"{otherwise}:\n" + "\n".join(changes)


def show(host: Host, unit: str, *properties: str) -> dict[str, str]:
    """Properties of a unit, as systemctl prints them."""
    told = host.run(["systemctl", "show", unit, "-p", ",".join(properties)], check=True).stdout
    return dict(line.split("=", 1) for line in told.splitlines())


def invocation(host: Host, unit: str) -> str:
    """What is another one after each start of a unit."""
    return show(host, unit, "InvocationID")["InvocationID"]


def has_no_traceback(result: Result) -> None:
    """Whatever became of a task, it is told by a message, and no error of Python's shows."""
    assert "Traceback" not in str(result), result
    assert "defect" not in result, result
    assert result.get("exception", _UNAVAILABLE) == _UNAVAILABLE, result
    if result.get("failed"):
        assert result["msg"].strip(), result


def is_idle(result: Result) -> None:
    """The task found everything as it is wanted."""
    has_no_traceback(result)
    assert not result.get("failed"), result["msg"]
    assert result["changed"] is False, result.get("steps")
    assert not {"steps", "diff"} & result.keys()


def converge(
    run: t.Callable[[bool], Result],
    picture: t.Callable[[], str],
    told: t.Callable[[Result], t.Any] = lambda result: None,
    steady: bool = True,
) -> Result:
    """Plan, do, and do again: the plan changes nothing and tells exactly what is then done; the second run is idle.

    :param run: the task, in check mode or for real, with diff; returns its result.
    :param picture: what the host is.
    :param told: what of a result, besides `changed`, `steps` and `diff`, check mode has to know.
    :param steady: whether there is a second run, and it has nothing to do.
    """
    before = picture()
    planned = run(True)
    has_no_traceback(planned)
    assert not planned.get("failed"), planned["msg"]
    is_same(before, picture(), "check mode changed something")
    done = run(False)
    has_no_traceback(done)
    assert not done.get("failed"), done["msg"]
    for key in ("changed", "steps", "diff"):
        assert planned.get(key) == done.get(key), key
    assert told(planned) == told(done)
    if steady:
        after = picture()
        is_idle(run(False))
        is_same(after, picture(), "the second run changed something")
    return done


def refused(
    run: t.Callable[[bool], Result],
    picture: t.Callable[[], str],
    *words: str,
    checks: t.Sequence[bool] = (True, False),
) -> Result:
    """The task fails, in check mode and for real, with the same clear message that has the words, and changes nothing.

    :param checks: in which modes.
    """
    before = picture()
    results = []
    for check in checks:
        result = run(check)
        has_no_traceback(result)
        assert result.get("failed"), result
        assert not result.get("changed")
        for word in words:
            assert word in result["msg"], result["msg"]
        results.append(result)
    assert len({result["msg"] for result in results}) == 1, [result["msg"] for result in results]
    is_same(before, picture(), "a task that failed changed something")
    return results[-1]
