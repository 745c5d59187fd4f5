# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that have to do with others: one that stops another, and one that supervises those of a user; under runsvdir, then as units."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("runit-run")

NOTE = "/var/tmp/ended"
# It notes the signal that ends it, as the user that it runs as.
PROGRAM = f"""#!/bin/sh
trap 'echo TERM >>{NOTE}; exit 0' TERM
echo $$ >>{NOTE}.started
while :; do sleep 0.1; done
"""


@pytest.fixture
def host(lab: t.Any) -> t.Iterator[Host]:
    found: Host = lab.fresh("runit-run")
    found.write("/usr/local/bin/victim", PROGRAM, mode=0o755)
    found.run(f"install -m 666 /dev/null {NOTE}; install -m 666 /dev/null {NOTE}.started", check=True)
    yield found
    lab.forget(found)


def service(host: Host, name: str, files: dict[str, str]) -> None:
    for path, text in files.items():
        host.write(f"/etc/sv/{name}/{path}", text, mode=0o755)


def until(host: Host, what: str) -> None:
    """Wait until a command of the shell succeeds."""
    host.run(f"for n in $(seq 600); do {{ {what}; }} && exit; sleep 0.1; done; exit 1", check=True)


def as_units(host: Host, *names: str) -> dict[str, dict[str, t.Any]]:
    """Translate services and put their units in place; returns the services by name."""
    imported = host.ansible("pidone.systemd.service_import_info", {"source": "runit", "name": list(names)})
    assert not imported["failed"], imported["msg"]
    for each in imported["services"]:
        for unit in each["units"]:
            host.write(f"/etc/systemd/system/{unit['name']}", unit["content"])
    host.run("systemctl daemon-reload", check=True)
    return {each["name"]: each for each in imported["services"]}


def test_one_that_stops_another_does_so_again(host: Host) -> None:
    service(host, "victim", {"run": "#!/bin/sh\nexec /usr/local/bin/victim\n"})
    stopper = "#!/bin/sh\nif [ -e /run/maintenance ]; then sv stop victim; exit 1; fi\nexec tail -f /dev/null\n"
    service(host, "stopper", {"run": stopper})
    host.run("ln -s /etc/sv/victim /etc/service/", check=True)
    until(host, f"test -s {NOTE}.started")
    host.run("touch /run/maintenance; ln -s /etc/sv/stopper /etc/service/", check=True)
    until(host, "sv status victim | grep -q ^down")
    assert host.read(NOTE).split() == ["TERM"]

    told = as_units(host, "victim", "stopper")
    assert [one["severity"] for one in told["stopper"]["findings"] if "victim" in one["message"]][:1] in (["decision"], ["warning"])
    host.run("rm /etc/service/victim /etc/service/stopper", check=True)
    # runsvdir looks every five seconds.
    until(host, "! pgrep -f '^runsv (victim|stopper)'")
    host.run(f": >{NOTE}; : >{NOTE}.started", check=True)
    host.run("systemctl start victim", check=True)
    until(host, f"test -s {NOTE}.started")
    host.run("systemctl start stopper")
    until(host, "test $(systemctl is-active victim) = inactive")
    assert host.read(NOTE).split() == ["TERM"]
    host.run("rm /run/maintenance; systemctl start stopper", check=True)
    until(host, "systemctl is-active stopper")


def test_services_of_a_user_are_told_to_end(host: Host) -> None:
    """runsvdir ends them by SIGTERM only where it gets SIGHUP; they were killed at once otherwise."""
    own = "/srv/own"
    host.run(f"mkdir -p {own}/inner", check=True)
    host.write(f"{own}/inner/run", "#!/bin/sh\nexec /usr/local/bin/victim\n", mode=0o755)
    host.run(f"chown -R daemon {own}", check=True)
    service(host, "own", {"run": f"#!/bin/sh\nexec 2>&1\nexec chpst -u daemon runsvdir -P {own}\n"})
    told = as_units(host, "own")
    assert any("runit must stay installed" in one["message"] for one in told["own"]["findings"])
    host.run("systemctl start own", check=True)
    until(host, f"test -s {NOTE}.started")
    host.run("systemctl stop own", check=True, timeout=60)
    until(host, f"test -s {NOTE}")
    assert set(host.read(NOTE).split()) == {"TERM"}
    until(host, f"! pgrep -u daemon -f {own}")
