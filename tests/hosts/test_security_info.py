# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `security_info` on real hosts."""

from __future__ import annotations

import typing as t

import pytest

from tests.lab.fixtures import every_version
from tests.lab.host import Host

pytestmark = every_version


@pytest.fixture(scope="module")
def services(host: Host) -> t.Iterator[None]:
    """A service as it comes, and one that is confined."""
    confined = "DynamicUser=yes\nPrivateNetwork=yes\nProtectSystem=strict\nNoNewPrivileges=yes\nPrivateDevices=yes\n"
    host.write("/etc/systemd/system/si-open.service", "[Service]\nExecStart=/bin/sleep 1008\n")
    host.write("/etc/systemd/system/si-shut.service", f"[Service]\nExecStart=/bin/sleep 1008\n{confined}")
    # Masked, and an alias.
    host.run("cd /etc/systemd/system; ln -s /dev/null si-masked.service; ln -s si-open.service si-other.service")
    host.run("systemctl daemon-reload; systemctl start si-open", check=True)
    yield
    host.run("systemctl stop si-open; rm /etc/systemd/system/si-*; systemctl daemon-reload")


def units(host: Host, **args: t.Any) -> list[dict[str, t.Any]]:
    result = host.ansible("pidone.systemd.security_info", args)
    assert not result["failed"], result["msg"]
    found: list[dict[str, t.Any]] = result["units"]
    return found


@pytest.mark.usefixtures("services")
def test_before_and_after_confinement(host: Host) -> None:
    opened, shut = units(host, name=["si-shut", "si-open"], details=True)
    assert (opened["name"], shut["name"]) == ("si-open.service", "si-shut.service"), "the most exposed first"
    assert opened["level"] == "UNSAFE"
    assert opened["exposure"] > 9
    assert shut["exposure"] <= opened["exposure"] - 2, "five directives are worth that much"
    for unit, expected in ((opened, False), (shut, True)):
        network = [entry for entry in unit["directives"] if entry["name"] == "PrivateNetwork"]
        assert [entry["set"] for entry in network] == [expected]
        assert bool(network[0]["exposure"]) is not expected
        assert "network" in network[0]["description"]
        assert len(unit["directives"]) > 60


@pytest.mark.usefixtures("services")
def test_as_systemd_analyze_says(host: Host) -> None:
    told = host.run("systemd-analyze --no-pager security si-shut.service si-open.service", check=True).stdout
    # The pattern matches a masked service too, and one of them by two names.
    found = units(host, name=["si-*", "si-other"])
    assert [unit["name"] for unit in found] == ["si-open.service", "si-shut.service"]
    for unit in found:
        assert f"for {unit['name']}: {unit['exposure']:g} {unit['level']}" in told
        assert "directives" not in unit


@pytest.mark.usefixtures("services")
def test_all_loaded_services(host: Host) -> None:
    names = {unit["name"] for unit in units(host)}
    assert {"si-open.service", "ssh.service"} < names


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"name": "si-none"}, ["name:", "si-none"]),
        ({"name": "basic.target"}, ["name:", "basic.target", "service"]),
        ({"name": "si-masked"}, ["name: si-masked.service is masked", "unmask it first"]),
        ({"name": "user@"}, ["name: user@.service is a template", "user@1.service"]),
    ],
)
@pytest.mark.usefixtures("services")
def test_bad_input(host: Host, args: dict[str, t.Any], words: list[str]) -> None:
    result = host.ansible("pidone.systemd.security_info", args)
    assert result["failed"]
    for word in words:
        assert word in result["msg"]
    assert "Traceback" not in str(result)


@pytest.mark.usefixtures("services")
def test_files_that_are_not_installed(host: Host) -> None:
    """As they are assessed once they are installed; nothing of them is run, and systemd hears nothing of them."""
    told = {unit["name"]: unit["exposure"] for unit in units(host, name=["si-open", "si-shut"])}
    run = "".join(f"{kind}=/bin/touch /run/si-ran\n" for kind in ("ExecCondition", "ExecStartPre", "ExecStart", "ExecReload", "ExecStop"))
    host.run("mkdir -p /srv/si/si-shut.service.d /srv/si/etc/systemd/system; cp /etc/systemd/system/si-open.service /srv/si", check=True)
    for path in ("/srv/si/si-shut.service", "/srv/si/etc/systemd/system/si-t@.service"):
        host.write(path, f"[Unit]\nRequires=si-none.service\n[Service]\n{run}")
    confined = host.read("/etc/systemd/system/si-shut.service").partition("1008\n")[2]
    host.write("/srv/si/si-shut.service.d/confined.conf", f"[Service]\n{confined}")
    host.write("/srv/si/policy.json", '{"PrivateNetwork": {"weight": 100000, "range": 1}}')
    host.run("mv /etc/systemd/system/si-shut.service /etc/systemd/system/si-open.service /run", check=True)
    try:
        asked = {"path": ["/srv/si/si-open.service", "/srv/si/si-shut.service"]}
        result = host.ansible("pidone.systemd.security_info", asked)
        if host.kind.name == "bullseye":
            assert result["failed"] and "path: needs systemd 250 or later, and this host has systemd 247" in result["msg"]
            refused = host.ansible("pidone.systemd.security_info", {"name": "ssh", "security_policy": "/srv/si/policy.json"})
            assert refused["failed"] and "security_policy: needs systemd 250" in refused["msg"]
            return
        alone = {unit["name"]: unit["exposure"] for unit in result["units"]}
        # Of what only shows once it is loaded, systemd-analyze tells a few tenths less.
        assert {name: abs(exposure - told[name]) < 0.3 for name, exposure in alone.items()} == dict.fromkeys(told, True)
        over = host.ansible("pidone.systemd.security_info", {**asked, "threshold": alone["si-shut.service"]})
        assert over["failed"] and over["above_threshold"] == ["si-open.service"] and "1 of 2 services" in over["msg"]
        with_policy = {unit["name"]: unit["exposure"] for unit in units(host, **asked, security_policy="/srv/si/policy.json")}
        assert with_policy["si-open.service"] > alone["si-open.service"] and with_policy["si-shut.service"] < alone["si-shut.service"] - 2
        (instance,) = units(host, root="/srv/si", name="si-t@1")
        assert (instance["name"], instance["path"]) == ("si-t@1.service", "/srv/si/etc/systemd/system/si-t@.service")
        assert host.run("ls /run/si-ran; systemctl list-units --all --no-legend 'si-t@*' 'si-none*'").stdout == ""
    finally:
        host.run("mv /run/si-*.service /etc/systemd/system; rm -rf /srv/si; systemctl daemon-reload")


@pytest.mark.usefixtures("services")
def test_check_mode_before_a_unit_is_made(host: Host) -> None:
    result = host.ansible("pidone.systemd.security_info", {"name": ["si-later", "si-open"]}, check=True)
    assert not result["failed"], result["msg"]
    assert [unit["name"] for unit in result["units"]] == ["si-open.service"]
    assert result["warnings"] == ["not there yet, taken for made by an earlier task, and not assessed: si-later.service"]
