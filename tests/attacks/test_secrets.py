# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a service, and of others that it points at, on a host: they stay there, and the service has them all the same."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("runit-run")

SECRET = "hunter2-of-the-host"
RUN = "#!/bin/sh\n. ./conf\nexec chpst -u nobody -e ./env sh -c 'exec sleep 100'\n"


@pytest.fixture
def service(host: Host) -> t.Iterator[str]:
    """A service with secrets in an env directory and in settings, which runs."""
    directory = "/etc/sv/at-secret"
    host.write(f"{directory}/run", RUN, mode=0o755)
    host.write(f"{directory}/env/PASSWORD", SECRET, mode=0o600)
    host.write(f"{directory}/conf", f"TOKEN={SECRET}\n", mode=0o600)
    host.run(f"ln -sfn {directory} /etc/service/at-secret", check=True)
    host.run("for n in $(seq 600); do sv status at-secret | grep -q ^run && exit; sleep 0.1; done; exit 1", check=True)
    yield "at-secret"
    host.run(
        "systemctl disable --now at-secret; rm -f /etc/systemd/system/at-secret.service /etc/service/at-secret; sv exit at-secret"
    )
    host.run(f"sleep 0.5; rm -rf {directory} /var/lib/pidone.systemd/handover/at-secret*; systemctl daemon-reload")


def test_a_service_keeps_the_secrets_that_the_controller_never_had(host: Host, service: str) -> None:
    imported = host.ansible("pidone.systemd.service_import_info", {"source": "runit", "name": [service]})
    assert SECRET not in json.dumps(imported)
    (one,) = imported["services"]
    assert one["translation"] == "shell"
    moved = host.ansible("pidone.systemd.service_handover", {"services": [one], "settle": "1s"})
    assert not moved["failed"], moved
    # Until the process has become what it runs, it has another environment, or none.
    line = f"pid=$(systemctl show -p MainPID --value {service}); tr '\\0' '\\n' </proc/$pid/environ | grep ^PASSWORD= && echo $pid && exit"
    environment, pid = host.run(f"for i in $(seq 600); do {line}; sleep 0.1; done; exit 1", check=True).stdout.splitlines()
    assert environment == f"PASSWORD={SECRET}"
    assert host.run(f"ps -o user= -p {pid}", check=True).stdout.strip() == "nobody"
    shown = host.run(f"systemctl show {service}; systemctl cat {service}", check=True).stdout
    assert SECRET not in shown
    assert SECRET not in json.dumps(moved)


def test_what_a_user_points_at_is_not_read_for_the_user(host: Host) -> None:
    host.run("useradd -m at-mallory; su at-mallory -c 'mkdir -p ~/sv/x/supervise ~/sv/y; cd ~/sv/x; echo true >run; ln -s /etc/shadow finish; "
             "ln -s /etc/shadow check; mkfifo supervise/status; ln -s /dev/watchdog supervise/ok; ln -s /root ~/sv/z; ln -s /etc/shadow ~/sv/y/run'",
             check=True)  # fmt: skip
    try:
        root = host.run("head -n1 /etc/shadow", check=True).stdout.strip()
        found = host.ansible("pidone.systemd.service_import_info", {"source": "runit", "path": "/home/at-mallory/sv"})
        assert not found["failed"], found
        assert root not in json.dumps(found)
        names = {one["name"]: one["translation"] for one in found["services"]}
        assert (sorted(names), names["y"]) == (["x", "y"], "wrapped")
    finally:
        host.run("userdel -r at-mallory")
