# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values compared with what each version of systemd says of them, and a crontab's jobs run by it."""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.kinds import NumberSet
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import BINARIES, parse_table
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import INFINITY
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import parse_bytes
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.crontab import parse_crontab
from tests.lab.fixtures import every_version
from tests.lab.host import Host
from tests.unit.values import compare, numeric, oracle

pytestmark = every_version


def runner(host: Host) -> oracle.Run:
    def run(command: list[str]) -> tuple[str, str]:
        done = host.run(command)
        return done.stdout, done.stderr

    return run


def test_calendars(host: Host) -> None:
    seen = compare.calendars(runner(host), 101, 1000, old=host.kind.name == "bullseye")
    assert min(seen["taken"], seen["refused"]) > 300


def test_timespans(host: Host) -> None:
    seen = compare.timespans(runner(host), 102, 300)
    assert min(seen["taken"], seen["refused"]) > 60


def test_escaping(host: Host) -> None:
    seen = compare.escaping(runner(host), 103, 100)
    assert min(seen["taken"], seen["refused"]) > 60


def test_cron(host: Host) -> None:
    seen = compare.crons(runner(host), 104, 1000)
    assert seen["compared"] > 600
    assert min(seen["1 lines"], seen["2 lines"]) > 100


SIZES = (
    "0 1 4096 5000 1K 1M 1G 1T 1P 512M 1.5G 0.5K 1.7M 1.999G 10.M 3B 16E 15E 1.5 7.9K infinity -1 M 1Gi 1g 1k 1G512M 1M1G "
    "1.2.3G +5M 5M5M 18446744073709551615 99999999999999999999 .5M"
).split()
SIZES += ["1G 512M", "1G 512M 3K 7", "10 K", "1M 1G", "1 1", "1 G"]


def test_sizes(host: Host) -> None:
    """What systemd makes of MemoryMax= in unit files."""
    directory = "/run/systemd/system"
    try:
        script = ["mkdir -p " + directory]
        for number, size in enumerate(SIZES):
            text = f"[Slice]\\nMemoryMax=12345K\\nMemoryMax={size}\\n"
            script.append(f"printf '{text}' > {directory}/sizes{number}.slice")
        host.run("; ".join(script), check=True)
        host.run("systemctl daemon-reload", check=True)
        units = [f"sizes{number}.slice" for number in range(len(SIZES))]
        shown = host.run(["systemctl", "show", "--property=MemoryMax", "--value", *units], check=True).stdout.split()
        assert len(shown) == len(SIZES)
        for size, value in zip(SIZES, shown, strict=True):
            seen = INFINITY if value == "infinity" else int(value)
            try:
                ours = parse_bytes(size, "MemoryMax")
            except BadInput as error:
                assert seen == 12345 * 1024, f"systemd takes {size!r} as {seen}: {error}"
                continue
            if ours in (0, 18446744073709551615) and seen == 12345 * 1024:
                continue  # MemoryMax= has limits of its own
            # Limits are rounded down to whole pages.
            assert seen in (ours, ours // 4096 * 4096), size
    finally:
        host.run(f"rm -f {directory}/sizes*.slice; systemctl daemon-reload")


def sections(host: Host) -> dict[str, str]:
    """Of each directive of a service or timer that the host's systemd knows, the section that it is in."""
    found: dict[str, str] = {}
    for binary in BINARIES:
        done = host.run([binary, "--dump-configuration-items"])
        if done.returncode == 0:
            table = parse_table(done.stdout)
            for section in ("Timer", "Unit", "Service"):
                found.update(dict.fromkeys(table[section], section))
            break
    return found


def refused_lines(host: Host, unit: str, lines: list[str]) -> set[int]:
    """The lines of a unit's file of which systemd says that it ignores them, by their place among `lines`."""
    path = f"/tmp/numbers/{unit}"
    head = "[Service]\nType=oneshot\nExecStart=/bin/true\n"
    host.write(path, head + "\n".join(lines) + "\n")
    said = host.run(["systemd-analyze", "verify", "--man=no", path])
    found = re.findall(rf"{unit}:(\d+): (.*)", said.stdout + said.stderr)
    # Of old directives it says what they are called now.
    return {int(number) - 4 for number, why in found if "please use" not in why}


def test_numbers(host: Host) -> None:
    """Systemd takes each number that we take, and nothing that only Python takes for one, whatever the directive."""
    known = sections(host)
    # In this order the policy of scheduling comes before its priority, which older versions judge by that.
    names = sorted(name for name in numeric.NUMERIC if name in known)
    assert len(names) > 80
    texts: dict[str, str | None] = {"good": None, **{f"bad{at}": digits for at, digits in enumerate(numeric.NO_DIGITS)}}
    host.run("mkdir -p /tmp/numbers", check=True)
    try:
        for word, digits in texts.items():
            lines = []
            for name in names:
                value = numeric.NUMERIC[name] if digits is None else numeric.spoiled(numeric.NUMERIC[name], digits)
                lines += [f"[{known[name]}]", f"{name}={value}"]
            # Those of a timer stand in a file of a service only for their numbers: systemd reads no [Timer] there.
            lines = [line for at, line in enumerate(lines) if "[Timer]" not in lines[at - at % 2]]
            refused, start = set[int](), 0
            # After a CPUAffinity= that cannot be read, systemd 247 reads nothing more of a file: so the rest is another one.
            while found := refused_lines(host, f"{word}.service", lines[start:]):
                refused |= {start + at for at in found}
                start += max(found) + 1
            expected = set() if digits is None else {at for at in range(len(lines)) if at % 2}
            wrong = sorted(lines[at] for at in refused ^ expected if at % 2)
            assert not wrong, f"{digits!r}: " + ", ".join(wrong)
    finally:
        host.run("rm -rf /tmp/numbers")


SETS = ("0-3 8", "0,2", "010", "0x1F", "+5", "0b11", "0o17", "1-", "-1", "8191", "8192", "a", "1_0", "0-0x3", "00", "08")


def test_sets_of_numbers(host: Host) -> None:
    """What systemd makes of AllowedCPUs= in unit files."""
    directory = "/run/systemd/system"
    kind = NumberSet()
    try:
        script = [f"printf '[Slice]\\nAllowedCPUs={text}\\n' > {directory}/sets{at}.slice" for at, text in enumerate(SETS)]
        host.run("; ".join(["mkdir -p " + directory, *script]), check=True)
        host.run("systemctl daemon-reload", check=True)
        for at, text in enumerate(SETS):
            seen = host.run(["systemctl", "show", "--property=AllowedCPUs", "--value", f"sets{at}.slice"], check=True)
            try:
                ours = kind.words(kind.parse(text, "AllowedCPUs"))
            except BadInput:
                ours = []
            assert seen.stdout.split() == ours, text
    finally:
        host.run(f"rm -f {directory}/sets*.slice; systemctl daemon-reload")


CRONTAB = """
SHELL=/bin/bash
COLOUR=dark "blue" 100%
X='quoted'
@daily deploy printf '\\%s|' "$COLOUR" "$X" "$USER" "$PWD" "a\\b" 'c$d' $((1+1)) "$0" > /tmp/cron-out; cat >> /tmp/cron-out% one%two \\% "x" \\y  %%
@daily deploy cat > /tmp/cron-out%
"""


@pytest.mark.parametrize("which", [0, 1])
def test_jobs_run_as_cron_runs_them(host: Host, which: int) -> None:
    """The directives of a job's service, run by systemd, give what cron would have given."""
    job = parse_crontab(CRONTAB, "system")[which]
    # As a playbook passes it on: through JSON.
    service: dict[str, t.Any] = json.loads(json.dumps(job["service"]))
    try:
        written = host.ansible(
            "pidone.systemd.unit_file", {"name": "cronjob.service", "sections": {"Service": service}}
        )
        assert not written.get("failed"), written.get("msg")
        host.run("systemctl start cronjob.service", check=True)
        expected = (
            'dark "blue" 100%|quoted|deploy|/home/deploy|a\\b|c$d|2|/bin/bash| one\ntwo % "x" \\y  \n\n'
            if which == 0
            else ""
        )
        assert host.read("/tmp/cron-out") == expected
    finally:
        host.run(
            "rm -f /etc/systemd/system/cronjob.service /tmp/cron-out; systemctl daemon-reload; systemctl reset-failed"
        )
