# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules `needs_restart` and `needs_restart_info` on real hosts: files are replaced under what runs them."""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.fixtures import every_version
from tests.lab.host import Host

USER, UID = "deploy", 1000
AS_USER = f"runuser -u {USER} -- env XDG_RUNTIME_DIR=/run/user/{UID} systemctl --user"
SYSTEM = "/etc/systemd/system"
# A library that systemd and its daemons have mapped, whatever the version; replaced by a copy of itself, as dpkg does it.
LIBRARY = "libsystemd-shared-*.so"
REPLACE = "cp -a {0} {0}.dpkg-new; mv {0}.dpkg-new {0}"
# What says that it is well in time, so that the health gate has something to see.
UNITS = {
    "nr-a.service": "[Service]\nExecStart=/usr/local/bin/nr-daemon infinity\n",
    "nr-b.service": "[Unit]\nAfter=nr-a.service\n[Service]\nExecStart=/usr/local/bin/nr-daemon infinity\n",
    "nr-new.service": "[Service]\nExecStart=/usr/local/bin/nr-daemon infinity\n",
    "nr-once.service": "[Service]\nType=oneshot\nExecStart=/usr/local/bin/nr-daemon infinity\n",
    "nr-job.service": "[Service]\nExecStart=/usr/local/bin/nr-daemon infinity\n",
    "nr-job.timer": "[Timer]\nOnCalendar=*-12-24 03:00\n",
    "nr-refuses.service": "[Unit]\nRefuseManualStop=yes\n[Service]\nExecStart=/usr/local/bin/nr-daemon infinity\n",
    "nr-bound.service": "[Unit]\nRequires=nr-whole.service\nAfter=nr-whole.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    "nr-whole.service": "[Service]\nExecStart=/usr/local/bin/nr-daemon infinity\n",
}
OF_USER = "[Service]\nExecStart=/usr/local/bin/nr-daemon infinity\n"


@pytest.fixture
def upgraded(host: Host) -> t.Iterator[Host]:
    """A host whose services, systemd and a user's manager run files that were replaced."""
    for name, text in UNITS.items():
        host.write(f"{SYSTEM}/{name}", text)
    host.write(f"/home/{USER}/.config/systemd/user/nr-mine.service", OF_USER)
    host.run(
        f"cp /bin/sleep /usr/local/bin/nr-daemon; loginctl enable-linger {USER}; chown -R {USER}: /home/{USER}/.config; "
        f"for i in $(seq 100); do test -S /run/user/{UID}/systemd/private && break; sleep 0.1; done; "
        f"systemctl daemon-reload; {AS_USER} daemon-reload; {AS_USER} start nr-mine; "
        "systemctl start nr-a nr-b nr-job.timer nr-job nr-refuses nr-whole nr-bound; systemctl start --no-block nr-once; "
        "systemd-run -q --unit nr-run /usr/local/bin/nr-daemon infinity; "
        "systemd-run -q --scope --unit nr-scope /usr/local/bin/nr-daemon infinity >/dev/null 2>&1 </dev/null & "
        "for i in $(seq 100); do test $(pgrep -c nr-daemon) = 9 && break; sleep 0.05; done; "
        f"{REPLACE.format('/usr/local/bin/nr-daemon')}; systemctl start nr-new; "
        f"library=$(ls /usr/lib/systemd/{LIBRARY} /usr/lib/*/systemd/{LIBRARY} /lib/systemd/{LIBRARY} 2>/dev/null | head -n 1); "
        f"{REPLACE.format('$library')}",
        check=True,
    )
    yield host
    host.run(
        f"systemctl stop 'nr-*'; pkill -x nr-daemon; {AS_USER} stop nr-mine; loginctl disable-linger {USER}; systemctl stop user@{UID}; "
        f"rm -rf {SYSTEM}/nr-* /usr/local/bin/nr-daemon /home/{USER}/.config/systemd; systemctl daemon-reload; systemctl reset-failed"
    )


def task(host: Host, module: str = "needs_restart", check: bool = False, **args: t.Any) -> dict[str, t.Any]:
    result = host.ansible(f"pidone.systemd.{module}", args, check=check, diff=True)
    assert not result["failed"], result["msg"]
    return result


def pids(host: Host) -> dict[str, str]:
    """The main processes of the services."""
    names = [name for name in UNITS if name.endswith(".service")] + ["nr-run.service", "dbus.service"]
    told = host.run(f"systemctl show -p MainPID --value {' '.join(names)}", check=True).stdout
    return dict(zip(names, told.split()))


@every_version
def test_what_runs_replaced_files_is_restarted(upgraded: Host) -> None:
    host = upgraded
    seen = task(host, "needs_restart_info")
    remedies = {each["name"]: each["remedy"] for each in seen["units"]}
    print(seen)
    assert remedies.pop("nr-a.service") == remedies.pop("nr-b.service") == "restart"
    assert {name: remedy for name, remedy in remedies.items() if name.startswith("nr-")} == {
        "nr-once.service": "wait",
        "nr-job.service": "wait",
        "nr-refuses.service": "reboot",
        "nr-run.service": "wait",
        "nr-whole.service": "restart",
    }
    before = pids(host)
    done = task(host)
    print(done)
    after = pids(host)
    print(before, after)
    again = task(host)
    print(again)
    assert not again["changed"]
    assert False
