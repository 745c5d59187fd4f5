# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's cron runs the lines of a crontab, systemd the services made of them, and both are compared."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import render
from ansible_collections.pidone.systemd.plugins.plugin_utils._cron.crontab import parse_crontab
from tests.lab.fixtures import Lab
from tests.lab.host import Host

SEEN = "/var/tmp/cron-seen"
# Stands in for the shell, and tells what it was given.
SHELL = f"""#!/usr/bin/python3
import json, os, sys, tempfile
seen = {{"argv": sys.argv[1:], "stdin": sys.stdin.read(), "cwd": os.getcwd(), "environment": dict(os.environ)}}
with tempfile.NamedTemporaryFile("w", dir="{SEEN}", prefix=".", delete=False) as file:
    json.dump(seen, file)
os.rename(file.name, os.path.join("{SEEN}", os.path.basename(file.name)[1:]))
"""
# One each for what cron does to a line before a shell sees it.
LINES = r"""
echo plain
echo two  blanks and the end<TAB> <END>
echo a\%b \\ \x \\\% 'c\\d' "e\\\\f"
sed "s/a\\\\b/x/" one
echo a\\%input of it
cat%%
cat%
cat%%%
cat%one%two\%three\\four\\%five \x%
cat%  padded<TAB><END>
cat%back\
D=`date +%Y%m%d`; touch $D
echo $HOME ${X:-y} "$(true)" ; true & # none
echo ümlaut 'single' "double" \"
""".replace("<TAB>", "\t").replace("<END>", "").strip("\n").split("\n")
VARIABLES = r"""
MAILTO=""
PATH=$PATH:/opt/bin
PADDED = "  x y"
SINGLE='a "b"'
"Q N"=of two words
A-B=hyphen
EMPTY=""
HASH=a # b
TILDE=~/x
BACK=a\b\\c%d
"""


def seen(host: Host, number: int) -> list[dict[str, t.Any]]:
    """What the shell was given each time, without what differs between any two services."""
    host.run(
        f"until [ $(ls {SEEN} | wc -l) -ge {number} ]; do sleep 0.05; n=$((n+1)); [ $n -lt 1200 ] || exit 1; done", check=True, timeout=90
    )
    found = [json.loads(line) for line in host.run(f"for f in {SEEN}/*; do cat $f; echo; done", check=True).stdout.splitlines()]
    for each in found:
        for name in ("USER", "LANG", "MAILTO", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "LC_CTYPE", "MEMORY_PRESSURE_WATCH",
                     "MEMORY_PRESSURE_WRITE"):  # fmt: skip
            each["environment"].pop(name, None)
    return sorted(found, key=json.dumps)


@pytest.mark.lab_kinds("sysvinit")
def test_a_crontab_under_cron_and_under_systemd(host: Host, lab: Lab) -> None:
    crontab = f"SHELL=/usr/local/bin/seen{VARIABLES}" + "".join(f"@reboot {line}\n" for line in LINES)
    other = lab("bookworm")
    try:
        for each in (host, other):
            each.write("/usr/local/bin/seen", SHELL, mode=0o755)
            each.run(f"rm -rf {SEEN}; install -d -m 1777 {SEEN}", check=True)
        host.write("/var/tmp/crontab", crontab)
        host.run("service cron stop; crontab -u deploy /var/tmp/crontab && rm -f /run/crond.reboot && service cron start", check=True)
        under_cron = seen(host, len(LINES))

        jobs = parse_crontab(crontab, user="deploy")
        for job in jobs:
            other.write(f"/etc/systemd/system/cron-{job['line']}.service", render({"Service": job["service"]}))
        other.run("systemctl daemon-reload && cd /etc/systemd/system && systemctl start cron-*.service", check=True)
        under_systemd = seen(other, len(LINES))
        assert [each["argv"] for each in under_systemd] == [each["argv"] for each in under_cron]
        for mine, real in zip(under_systemd, under_cron, strict=True):
            assert mine == real
    finally:
        host.run("crontab -u deploy -r")
        other.run("cd /etc/systemd/system; rm -f cron-*.service; systemctl daemon-reload")
