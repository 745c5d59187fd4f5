# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks that readers are told to copy do what they are said to do."""

from __future__ import annotations

import re
import textwrap
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.lab.host import Host

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "docsite" / "rst" / "getting_started.rst"

# The hosts of the guide's readers have these; ours has to be given them.
SETTING = """
mkdir -p /srv/hello /var/lib/machines/image/etc/systemd/system /var/lib/machines/image/usr/lib/systemd/system
id -u alice >/dev/null 2>&1 || useradd --create-home alice
loginctl enable-linger alice
printf '#!/bin/sh\\nexec sleep infinity\\n' > /usr/bin/sync-mail
chmod 0755 /usr/bin/sync-mail
unit='[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n'
printf "$unit" | tee /etc/systemd/system/worker@.service /etc/systemd/system/nginx.service
printf "$unit" > /var/lib/machines/image/etc/systemd/system/hello.service
systemctl daemon-reload
systemctl start nginx.service
"""


def tasks_of_the_guide(guide: Path = GUIDE) -> list[dict[str, t.Any]]:
    """All tasks in a guide's blocks of YAML, in order."""
    tasks: list[dict[str, t.Any]] = []
    for block in re.findall(r"\.\. code-block:: yaml\+jinja\n\n((?:    .*\n|\n)+)", guide.read_text()):
        for item in yaml.safe_load(textwrap.dedent(block)):
            tasks.extend(item.get("tasks", []) if "hosts" in item else [item])
    for task in tasks:
        for options in task.values():
            if isinstance(options, dict) and "settle" in options:
                options["settle"] = "300ms"  # readers have more time than tests
    return tasks


def test_getting_started_guide(fresh: t.Callable[[str], Host], host: Host) -> None:
    own = fresh(host.kind.name)
    own.run(SETTING)
    tasks = tasks_of_the_guide()
    assert len(tasks) > 8
    play = [{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}]
    own.playbook(play).ok()
    again = own.playbook(play).ok()
    # two tasks write the same file differently, and try_restarted does something every time
    changed = {result.task for result in again.results if result.changed}
    assert changed <= {"Its unit", "The service, running, or everything as it was", "Restart those that run, and only those"}
    assert own.run("systemctl is-active hello.service nginx.service worker@19.service").stdout.split() == ["active"] * 3


UNITS_OF_GUIDES = """
printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' |
    tee /etc/systemd/system/guide-one.service /etc/systemd/system/guide-two.service >/dev/null
systemctl daemon-reload
"""


@pytest.mark.lab_kinds("bookworm")
@pytest.mark.parametrize("guide", ["from_systemd_service", "sets", "users", "sockets", "limits", "secrets", "recipes"])
def test_guides(fresh: t.Callable[[str], Host], host: Host, guide: str) -> None:
    """What readers copy works, is foretold by check mode on a host that has nothing of it, and works again."""
    own = fresh(host.kind.name)
    own.run(UNITS_OF_GUIDES, check=True)
    tasks = tasks_of_the_guide(GUIDE.parent / f"guide_{guide}.rst")
    assert len(tasks) > 1
    play = [{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}]
    # A run of which nothing is there cannot be waited for.
    foretold = [task for task in tasks if "until" not in task]
    own.playbook([{**play[0], "tasks": foretold}], "--check").ok()
    own.playbook(play).ok()
    own.playbook(play).ok()


@pytest.mark.lab_kinds("bookworm")
def test_the_timers_of_a_crontab(fresh: t.Callable[[str], Host], host: Host) -> None:
    """The guide's replacements of @reboot and of mail, which are its last tasks."""
    tasks = [task for task in tasks_of_the_guide(GUIDE.parent / "guide_timers.rst") if "guide-" in str(task)]
    assert len(tasks) == 3
    own = fresh(host.kind.name)
    play = [{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}]
    own.playbook(play).ok()
    assert own.playbook(play).ok().changed == 0
    told = own.run("systemctl show -p OnFailure --value guide-told.service", check=True).stdout.strip()
    assert told == "guide-mail@guide-told.service.service"


@pytest.mark.lab_kinds("bookworm")
def test_demonstration(fresh: t.Callable[[str], Host], host: Host) -> None:
    """Check mode predicts each task's ``changed``; the second run changes nothing; the broken service leaves nothing."""
    own = fresh(host.kind.name)
    play = (ROOT / "demo" / "site.yml").read_text().replace("hosts: web", "hosts: all")
    play = play.replace("settle: 2s", "settle: 300ms")
    play = play.replace("src: worker", f"src: {ROOT}/demo/files/worker")
    planned = own.playbook(play, "--check", "--diff").ok()
    done = own.playbook(play, "--diff").ok()
    assert [(r.task, r.changed) for r in planned.results] == [(r.task, r.changed) for r in done.results]
    assert done.changed == len(done.results) == 8
    assert own.playbook(play).ok().changed == 0

    broken = own.playbook((ROOT / "demo" / "broken.yml").read_text().replace("hosts: web", "hosts: all"))
    assert broken.rc != 0
    failure = broken.results[-1].result
    assert "Permission denied" in failure["msg"]
    assert failure["failures"][0]["exit_code"] == 1
    assert not own.exists("/etc/systemd/system/api.service")
    assert not own.exists("/etc/systemd/system/multi-user.target.wants/api.service")
