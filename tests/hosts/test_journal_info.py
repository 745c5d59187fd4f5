# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `journal_info` on real hosts."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest

from tests.lab.fixtures import every_version
from tests.lab.host import Host


@pytest.fixture(scope="module")
def invocation(host: Host) -> t.Iterator[str]:
    """A service that said three things, the second of them important, and its invocation."""
    script = "echo one; echo '<3>two'; echo three; exec sleep 1007"
    host.write("/etc/systemd/system/ji-app.service", f'[Service]\nExecStart=/bin/sh -c "{script}"\n')
    host.run("systemctl daemon-reload; systemctl start ji-app; sleep 0.5; journalctl --sync", check=True)
    yield host.run("systemctl show ji-app -p InvocationID --value", check=True).stdout.strip()
    host.run("systemctl stop ji-app; rm /etc/systemd/system/ji-app.service; systemctl daemon-reload")


def entries(host: Host, **args: t.Any) -> list[dict[str, t.Any]]:
    result = host.ansible("pidone.systemd.journal_info", args)
    assert not result["failed"], result["msg"]
    assert result["changed"] is False
    found: list[dict[str, t.Any]] = result["entries"]
    return found


def messages(host: Host, **args: t.Any) -> list[str]:
    return [entry["message"] for entry in entries(host, **args)]


def test_of_a_unit(host: Host, invocation: str) -> None:
    said = messages(host, unit="ji-app")
    assert [text for text in said if text in ("one", "two", "three")] == ["one", "two", "three"]
    assert any("Started" in text for text in said), "what systemd says of the unit belongs to it"
    assert messages(host, unit="ji-app", lines=2) == said[-2:]


def test_of_an_invocation(host: Host, invocation: str) -> None:
    found = entries(host, invocation=invocation, lines=0)
    assert {"one", "two", "three"} < {entry["message"] for entry in found}
    assert {entry["unit"] for entry in found} == {"ji-app.service"}
    assert messages(host, invocation="0" * 32) == []


def test_typed(host: Host, invocation: str) -> None:
    (entry,) = entries(host, unit="ji-app", priority="err", identifier=["sh"], fields=["_COMM", "PRIORITY", "NO_SUCH"])
    assert entry["message"] == "two"
    assert entry["priority"] == 3
    assert isinstance(entry["pid"], int)
    assert entry["fields"]["PRIORITY"] == "3"
    assert "NO_SUCH" not in entry["fields"]
    now = float(host.run("date +%s", check=True).stdout)
    assert abs(entry["usec"] / 1e6 - now) < 3600
    assert dt.datetime.fromisoformat(entry["time"]).timestamp() == entry["usec"] / 1e6


def test_by_field_time_and_boot(host: Host, invocation: str) -> None:
    host.run("logger -t ji-tag hello-from-ji; journalctl --sync", check=True)
    assert messages(host, match={"SYSLOG_IDENTIFIER": "ji-tag"}) == ["hello-from-ji"]
    assert messages(host, identifier=["ji-tag"], since="-1h", boot="0") == ["hello-from-ji"]
    assert messages(host, identifier=["ji-tag"], until="2001-01-01") == []
    assert messages(host, identifier=["ji-tag"], since="2001-01-01T00:00:00Z", until="2901-01-01T00:00:00.5Z") != []
    assert messages(host, unit="ji-no-such-unit-*") == []


def test_last_words_that_bear_no_invocation(host: Host) -> None:
    """As they are when journald takes them in after the unit is down: the link that tells the invocation is gone."""
    # The sleep keeps systemd-cat alive while journald looks up to which unit it belongs.
    late = "{ echo late; sleep 0.5; } | systemd-cat -t ji-late"
    script = f"echo first; rm /run/systemd/units/invocation:ji-last.service; {late}; exit 3"
    host.run(f"systemd-run --wait --unit ji-last sh -c '{script}'; journalctl --sync")
    invocation = host.run(
        "systemctl show ji-last -p InvocationID --value; systemctl reset-failed ji-last"
    ).stdout.strip()
    said = messages(host, invocation=invocation)
    assert said.index("first") < said.index("late") < len(said) - 1
    assert messages(host, invocation=invocation, match={"SYSLOG_IDENTIFIER": "ji-late"}) == ["late"]


def test_units_of_another_user(host: Host) -> None:
    """Root reads what a user's unit said; journalctl's own option looks at units of whoever calls it only."""
    args = {"command": ["sh", "-c", "echo of-deploy; sleep 0.3"], "scope": "user", "user": "deploy", "name": "ji-user"}
    properties = {"StandardOutput": "journal"}
    assert not host.ansible("pidone.systemd.user_manager", {"name": "deploy"})["failed"]
    assert not host.ansible("pidone.systemd.run", {**args, "properties": properties})["failed"]
    host.run("journalctl --sync")
    for unit in ("ji-user", "ji-us*"):
        found = entries(host, unit=unit, scope="user", user="deploy")
        assert "of-deploy" in [entry["message"] for entry in found]
        assert {entry["unit"] for entry in found} == {"ji-user.service"}
    assert messages(host, unit="ji-user", scope="user") == []
    host.run("loginctl disable-linger deploy")


@every_version
def test_on_from_where_the_last_task_ended(host: Host) -> None:
    """Versions before 257 leave out an entry after a cursor that is none of those asked for."""
    host.run("for i in 1 2; do logger -t jc-a a$i; logger -t jc-b b$i; done; journalctl --sync", check=True)
    first = host.ansible("pidone.systemd.journal_info", {"identifier": ["jc-a"], "lines": 1})
    assert [entry["message"] for entry in first["entries"]] == ["a2"]
    assert messages(host, identifier=["jc-b"], after_cursor=first["cursor"]) == ["b2"]
    assert messages(host, identifier=["jc-a"], after_cursor=first["cursor"]) == []
    host.run("for i in 3 4 5; do logger -t jc-a a$i; done; journalctl --sync", check=True)
    cursor, read = first["cursor"], []
    for _task in range(4):
        result = host.ansible("pidone.systemd.journal_info", {"identifier": ["jc-a"], "after_cursor": cursor, "lines": 2})
        read.append([entry["message"] for entry in result["entries"]])
        cursor = result["cursor"]
    assert read == [["a3", "a4"], ["a5"], [], []]


def test_on_from_where_there_was_nothing(host: Host) -> None:
    none = host.ansible("pidone.systemd.journal_info", {"identifier": ["jc-c"]})
    host.run("logger -t jc-c first; journalctl --sync", check=True)
    assert messages(host, identifier=["jc-c"], after_cursor=none["cursor"]) == ["first"]


def test_the_last_invocation_and_the_ones_before(host: Host) -> None:
    host.write("/run/systemd/system/jl-app.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo run $$INVOCATION_ID'\n")
    host.run("systemctl daemon-reload; for i in 1 2 3; do systemctl start jl-app; done; journalctl --sync", check=True)
    ran = [line.split()[-1] for line in host.run("journalctl -u jl-app -o cat", check=True).stdout.splitlines() if line.startswith("run ")]
    assert len(ran) == 3
    # A unit that has ended well systemd has forgotten; one that is up it knows.
    for back, expected in (("0", ran[2]), ("-1", ran[1]), ("-2", ran[0])):
        result = host.ansible("pidone.systemd.journal_info", {"unit": "jl-app", "invocation": back})
        assert result["invocation_id"] == expected
        assert [entry["message"] for entry in result["entries"] if entry["identifier"] == "sh"] == [f"run {expected}"]
    beyond = host.ansible("pidone.systemd.journal_info", {"unit": "jl-app", "invocation": "-3"})
    assert (beyond["entries"], beyond["invocation_id"]) == ([], None) and "3 of it are known" in beyond["warnings"][0]
    host.write("/run/systemd/system/jl-app.service", "[Service]\nLogLevelMax=emerg\nExecStart=/bin/sleep 1000\n")
    host.run("systemctl daemon-reload; systemctl start jl-app", check=True)
    silent = host.ansible("pidone.systemd.journal_info", {"unit": "jl-app", "invocation": 0})
    known = host.run("systemctl show jl-app -p InvocationID --value", check=True).stdout
    host.run("systemctl stop jl-app; rm /run/systemd/system/jl-app.service; systemctl daemon-reload", check=True)
    # Version 247 tells all the same that it was started.
    said = [entry for entry in silent["entries"] if entry["identifier"] != "systemd"]
    assert (silent["invocation_id"], said) == (known.strip(), []), "it runs, and has said nothing"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"invocation": "xyz"}, ["invocation:", "xyz", "32"]),
        ({"after_cursor": "nonsense"}, ["after_cursor:", "nonsense", "an earlier task"]),
        ({"since": "no such time"}, ["since:", "no such time"]),
        ({"unit": "a/b"}, ["unit:", "slash"]),
        ({"match": {"lower": "x"}}, ["match:", "lower"]),
        ({"lines": -1}, ["lines:", "-1"]),
        ({"user": "root"}, ["user:", "scope"]),
        ({"scope": "user", "user": "ji-nobody"}, ["user:", "ji-nobody"]),
    ],
)
def test_bad_input(host: Host, args: dict[str, t.Any], words: list[str]) -> None:
    result = host.ansible("pidone.systemd.journal_info", args)
    assert result["failed"]
    for word in words:
        assert word in result["msg"]
    assert "Traceback" not in str(result)


def test_whoever_may_not_read_it_is_told(host: Host) -> None:
    """journalctl itself finds nothing then, and says nothing."""
    result = host.ansible("pidone.systemd.journal_info", {"unit": "ssh"}, remote_user="nosudo")
    assert (result["failed"], result["entries"]) == (False, [])
    (warning,) = result["warnings"]
    assert "may not read the system's journal" in warning and "systemd-journal" in warning
    assert host.ansible("pidone.systemd.journal_info", {"unit": "ssh"}).get("warnings", []) == []
