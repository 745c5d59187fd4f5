# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host on its way to another init, killed anywhere: there is an init at every moment, and each way can be gone to its end."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.attacks import kill_points
from tests.lab.full import is_full

if t.TYPE_CHECKING:
    from tests.lab.fixtures import Lab

pytestmark = pytest.mark.xdist_group("runit")

_UNIT = "[Service]\nExecStart=/usr/bin/sleep 1000\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"


def test_killed_on_the_way_to_another_init_and_back(
    lab: Lab, tally: t.Callable[[dict[str, t.Any]], None]
) -> None:
    host = lab.fresh("runit")
    try:
        kill_points.install(host)
        host.write("/etc/sv/hello/run", "#!/bin/sh\nexec sleep 1000\n", mode=0o755)
        host.run("ln -s /etc/sv/hello /etc/service/hello", check=True)
        host.run("for i in $(seq 600); do sv status hello | grep ^run: && exit; sleep 0.2; done; exit 1", check=True)
        pid = int(host.run("cat /etc/sv/hello/supervise/pid", check=True).stdout)
        services = [
            {
                "name": "hello",
                "path": "/etc/sv/hello",
                "units": [{"name": "hello.service", "content": _UNIT}],
                "state": {"enabled": True, "down": False, "pid": pid},
            }
        ]
        step = 1 if is_full() else kill_points.STEP
        done = host.run(
            f"cd {kill_points.BASE} && python3 -m tests.attacks.on_host.init {kill_points.seed()} {step}",
            input=json.dumps(services),
            timeout=1800,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [answer["state"] for answer in answers] == ["prepared", "given_back"]
        for answer in answers:
            tally(answer)
        assert not any(answer["bad"] for answer in answers), "\n".join(map(kill_points.told, answers))
    finally:
        lab.forget(host)
