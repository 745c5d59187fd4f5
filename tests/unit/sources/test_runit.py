# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collecting: every layout, links, state, and what a checkout does not tell."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._sources.host import Host
from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit import collect as runit
from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.collect import collect, read_status
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate

RUN = "#!/bin/sh\nexec webd\n"


def service(root: Path, path: str, files: t.Mapping[str, str] | None = None) -> Path:
    """A service directory below `root`."""
    directory = root / path.lstrip("/")
    for name, text in {"run": RUN, **(files or {})}.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    return directory


def link(root: Path, path: str, target: str) -> None:
    where = root / path.lstrip("/")
    where.parent.mkdir(parents=True, exist_ok=True)
    where.symlink_to(target)


def found(root: Path, **more: t.Any) -> dict[str, t.Any]:
    return {one["name"]: one for one in collect("runit", str(root), **more)}


@pytest.mark.parametrize(
    ("defined", "scanned"),
    [
        ("/etc/sv", "/etc/service"),
        ("/etc/sv", "/var/service"),
        ("/etc/runit/sv", "/run/runit/service"),
        ("/opt/gitlab/sv", "/opt/gitlab/service"),
        ("/usr/local/etc/sv", "/service"),
    ],
)
def test_layouts(tmp_path: Path, defined: str, scanned: str) -> None:
    service(tmp_path, f"{defined}/web")
    service(tmp_path, f"{defined}/idle")
    link(tmp_path, f"{scanned}/web", f"{defined}/web")
    services = found(tmp_path)
    assert set(services) == {"web", "idle"}
    assert services["web"]["path"] == f"{defined}/web"
    assert services["web"]["links"] == [f"{scanned}/web"]
    assert services["web"]["state"]["enabled"] is True
    assert services["idle"]["state"]["enabled"] is False
    assert services["web"]["live"] is True


def test_void_links_the_scanned_directory_itself(tmp_path: Path) -> None:
    service(tmp_path, "/etc/sv/web")
    link(tmp_path, "/etc/runit/runsvdir/default/web", "/etc/sv/web")
    link(tmp_path, "/run/runit/runsvdir/current", "/etc/runit/runsvdir/default")
    link(tmp_path, "/var/service", "/run/runit/runsvdir/current")
    services = found(tmp_path)
    assert list(services) == ["web"]
    assert services["web"]["links"] == ["/etc/runit/runsvdir/default/web"]


def test_directories_in_the_scanned_directory(tmp_path: Path) -> None:
    service(tmp_path, "/service/dnscache", {"log/run": "#!/bin/sh\nexec multilog t ./main\n"})
    services = {one["name"]: one for one in collect("daemontools", str(tmp_path))}
    assert services["dnscache"]["source"] == "daemontools"
    assert services["dnscache"]["path"] == "/service/dnscache"
    assert [file["path"] for file in services["dnscache"]["files"]] == ["log", "log/run", "run"]
    assert "not a link" in services["dnscache"]["fixed"], "its supervisor cannot let go of it"
    link(tmp_path, "/var/service/web", "/etc/sv/web")
    service(tmp_path, "/etc/sv/web")
    assert "fixed" not in found(tmp_path)["web"]


def scanner(proc: Path, pid: int, command: list[str], cwd: Path, root: Path) -> None:
    """A process that keeps supervisors, as /proc shows it."""
    base = proc / str(pid)
    base.mkdir(parents=True)
    (base / "comm").write_text(f"{command[0]}\n")
    (base / "cmdline").write_bytes("\0".join(command).encode() + b"\0")
    (base / "cwd").symlink_to(cwd)
    (base / "root").symlink_to(root)


def test_directories_that_are_scanned_now_wherever_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proc, srv, box = tmp_path / "proc", tmp_path / "srv", tmp_path / "container"
    box.mkdir()
    directory = service(tmp_path, "/sv/hidden")
    link(tmp_path, "/srv/scan/hidden", str(directory))
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "root").symlink_to(tmp_path)
    scanner(proc, 12, ["runsvdir", "-P", "scan/", "log: ...."], srv, tmp_path)
    scanner(proc, 13, ["svscan"], srv, tmp_path)
    scanner(proc, 14, ["runsvdir", "/etc/service"], srv, tmp_path)
    scanner(proc, 15, ["runsvdir", "/box"], srv, box)
    scanner(proc, 16, ["sleep", "/no"], srv, tmp_path)
    scanners = runit.running_scanners(str(proc))
    assert [(one.pid, one.directory) for one in scanners] == [
        (12, f"{srv}/scan"),
        (13, str(srv)),
        (14, "/etc/service"),
    ]
    assert {one.uid for one in scanners} == {os.getuid()}
    of_root = [one._replace(uid=0) for one in scanners]
    assert runit.scanned_elsewhere(of_root) == [f"{srv}/scan", str(srv)]
    assert runit.links_to(str(directory), more=runit.scanned_elsewhere(of_root)) == [f"{srv}/scan/hidden"]
    monkeypatch.setattr(runit, "running_scanners", lambda _proc="": of_root)
    (hidden,) = (one for one in collect("runit") if one["path"] == str(directory))
    assert hidden["state"]["enabled"], "a link that is overlooked would start it a second time"
    assert hidden["links"] == [f"{srv}/scan/hidden"]
    of_user = [one._replace(uid=1000) for one in scanners]
    assert runit.scanned_elsewhere(of_user) == [], "the services of a user are not the host's"


def test_a_status_without_a_supervisor_and_a_link_nobody_looks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = service(tmp_path, "/sv/web")
    (directory / "supervise").mkdir()
    (directory / "supervise" / "status").write_bytes(status(os.getpid(), b"u", 1))
    os.mkfifo(directory / "supervise" / "ok")
    link(tmp_path, "/scan/web", str(directory))
    monkeypatch.setattr(runit, "_SCANNED", (f"{tmp_path}/scan",))
    monkeypatch.setattr(runit, "_DEFINED", ())

    def state(*directories: str) -> dict[str, t.Any]:
        scanners = [runit.Scanner(1, 0, one) for one in directories]
        monkeypatch.setattr(runit, "running_scanners", lambda _proc="": scanners)
        (web,) = collect("runit")
        return {key: web["state"][key] for key in ("enabled", "running", "pid", "wanted")}

    stale = {"running": False, "pid": None, "wanted": None}
    assert state(f"{tmp_path}/scan") == {"enabled": True, **stale}
    assert state(str(tmp_path / "elsewhere")) == {"enabled": False, **stale}
    assert state() == {"enabled": True, **stale}, "no supervisor runs, which says nothing of this directory"
    reader = os.open(directory / "supervise" / "ok", os.O_RDONLY | os.O_NONBLOCK)
    try:
        live = {"enabled": True, "running": True, "pid": os.getpid(), "wanted": "up"}
        assert state(str(tmp_path / "elsewhere")) == live
    finally:
        os.close(reader)


def test_dot_names_are_skipped_as_by_runsvdir(tmp_path: Path) -> None:
    service(tmp_path, "/etc/sv/web")
    link(tmp_path, "/etc/service/.web", "/etc/sv/web")
    service(tmp_path, "/etc/service/.off")
    services = found(tmp_path)
    assert list(services) == ["web"]
    assert services["web"]["state"]["enabled"] is False


def test_link_under_another_name(tmp_path: Path) -> None:
    service(tmp_path, "/etc/sv/agetty-generic")
    link(tmp_path, "/etc/service/agetty-tty1", "/etc/sv/agetty-generic")
    assert list(found(tmp_path)) == ["agetty-tty1"]


def test_shared_log_directory_and_linked_run(tmp_path: Path) -> None:
    service(tmp_path, "/etc/sv/web")
    shared = service(tmp_path, "/usr/share/log")
    assert shared.is_dir()
    link(tmp_path, "/etc/sv/web/log", "/usr/share/log")
    directory = service(tmp_path, "/etc/sv/other")
    (directory / "run").unlink()
    (directory / "run").symlink_to("/usr/bin/program")
    services = found(tmp_path)
    files = {file["path"]: file for file in services["web"]["files"]}
    assert files["log/run"]["content"] == RUN
    assert services["other"]["files"] == [{"path": "run", "type": "link", "target": "/usr/bin/program"}]


def test_what_is_not_text_or_too_large(tmp_path: Path) -> None:
    directory = service(tmp_path, "/etc/sv/web", {"big": "x" * 300_000})
    (directory / "latin").write_bytes(b"caf\xe9\n")
    (directory / "run").write_bytes(b"\x7fELF\0\0")
    os.mkfifo(directory / "pipe")
    files = {file["path"]: file for file in found(tmp_path)["web"]["files"]}
    assert files["big"]["truncated"] is True and "content" not in files["big"]
    assert files["run"]["binary"] is True and "content" not in files["run"]
    assert files["latin"] == {**files["latin"], "encoding": "base64", "content": "Y2Fm6Qo="}
    assert files["pipe"]["type"] == "fifo"


def test_values_of_several_lines_in_whatever_directory(tmp_path: Path) -> None:
    """chpst -e reads a NUL as a line break; a program has NUL bytes as well."""
    elsewhere = tmp_path / "etc/web.env"
    elsewhere.mkdir(parents=True)
    (elsewhere / "KEY").write_bytes(b"one\0two\0")
    run = "#!/bin/sh\nexec chpst -e ./environment chpst -e /etc/web.env prog\n"
    directory = service(tmp_path, "/etc/sv/web", {"run": run, "environment/A": "1", "bin/A": ""})
    (directory / "environment/KEY").write_bytes(b"one\0two\0")
    (directory / "bin/prog").write_bytes(b"\xcf\xfa\xed\0\0\x01")
    raw = found(tmp_path)["web"]
    files = {file["path"]: file for file in [*raw["files"], *raw["external"]]}
    assert files["environment/KEY"]["content"] == files["/etc/web.env/KEY"]["content"] == "one\0two\0"
    assert files["bin/prog"]["binary"] is True


def test_what_the_supervisor_keeps_is_no_definition(tmp_path: Path) -> None:
    service(
        tmp_path,
        "/etc/sv/web",
        {"supervise/status": "x" * 20, "log/run": RUN, "log/supervise/lock": "", "log/main/current": "secret"},
    )
    paths = [file["path"] for file in found(tmp_path)["web"]["files"]]
    assert paths == ["log", "log/run", "run"]


def status(pid: int, want: bytes, state: int, paused: int = 0) -> bytes:
    seconds = (1 << 62) + 10 + 1_700_000_000
    return (
        seconds.to_bytes(8, "big")
        + bytes(4)
        + pid.to_bytes(4, "little")
        + bytes([paused])
        + want
        + b"\0"
        + bytes([state])
    )


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (
            status(4711, b"u", 1),
            {"running": True, "pid": 4711, "wanted": "up", "paused": False, "since": 1_700_000_000},
        ),
        (
            status(4711, b"d", 1),
            {"running": True, "pid": 4711, "wanted": "down", "paused": False, "since": 1_700_000_000},
        ),
        (
            status(0, b"d", 0),
            {"running": False, "pid": None, "wanted": "down", "paused": False, "since": 1_700_000_000},
        ),
        (status(99, b"u", 2), {"running": False, "pid": 99, "wanted": "up", "paused": False, "since": 1_700_000_000}),
        (status(5, b"u", 1, 1), {"running": True, "pid": 5, "wanted": "up", "paused": True, "since": 1_700_000_000}),
        (status(5, b"u", 1)[:18], {"running": True, "pid": 5, "wanted": "up", "paused": False, "since": 1_700_000_000}),
        (b"short", None),
    ],
)
def test_status(tmp_path: Path, raw: bytes, wanted: dict[str, t.Any] | None) -> None:
    (tmp_path / "status").write_bytes(raw)
    assert read_status(str(tmp_path / "status")) == wanted


def test_state_of_once_and_down(tmp_path: Path) -> None:
    directory = service(tmp_path, "/etc/sv/web", {"down": ""})
    (directory / "supervise").mkdir()
    (directory / "supervise" / "status").write_bytes(status(7, b"d", 1))
    state = found(tmp_path)["web"]["state"]
    assert (state["down"], state["once"], state["running"], state["wanted"]) == (True, True, True, "down")


def test_only_files_that_scripts_source_are_read_elsewhere(tmp_path: Path) -> None:
    for path in ("etc/default/web", "etc/web.conf", "etc/shadow", "srv/env/KEY"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("A=1\n")
    run = "#!/bin/sh\n. /etc/default/web\n[ -r /etc/absent ] && . /etc/absent\nexec chpst -e /srv/env webd /etc/web.conf /etc/shadow\n"
    service(tmp_path, "/etc/sv/web", {"run": run})
    external = {one["path"]: one for one in found(tmp_path)["web"]["external"]}
    assert set(external) == {"/etc/default/web", "/etc/absent", "/srv/env/KEY"}
    assert external["/etc/absent"]["type"] == "absent"
    assert external["/etc/default/web"]["content"] == "A=1\n"


def test_more_files_elsewhere_than_are_read_are_told_of(tmp_path: Path) -> None:
    settings = tmp_path / "srv/env"
    settings.mkdir(parents=True)
    for number in range(70):
        (settings / f"KEY{number:02}").write_text("x\n")
    service(tmp_path, "/etc/sv/web", {"run": "#!/bin/sh\nexec chpst -e /srv/env webd\n"})
    service(tmp_path, "/etc/sv/few", {"run": "#!/bin/sh\n. /srv/env/KEY00\n. /srv/env/absent\nexec webd\n"})
    services = found(tmp_path)
    assert "problems" not in services["few"]
    raw = services["web"]
    assert raw["problems"] == [
        "its scripts name more than 64 files outside the service directory; /srv/env/KEY64 and those after it were not read"
    ]
    unread = [one["path"] for one in raw["external"] if "content" not in one]
    assert unread == [f"/srv/env/KEY{number}" for number in range(64, 70)]
    (result,) = translate([raw])
    (unit,) = result["units"]
    assert "chpst -e /srv/env webd" in unit["content"], "a unit with some of them would lack the others"
    assert {"service.collecting", "process.wrapper"} <= {one["key"] for one in result["findings"]}


def test_what_is_not_there_beyond_the_files_that_are_read_is_known_not_to_be(tmp_path: Path) -> None:
    settings = tmp_path / "srv/env"
    settings.mkdir(parents=True)
    for number in range(64):
        (settings / f"KEY{number:02}").write_text("A=1\n")
    lines = "".join(f". /srv/env/KEY{number:02}\n" for number in range(64))
    service(tmp_path, "/etc/sv/web", {"run": f"#!/bin/sh\n{lines}[ -r /srv/absent ] && . /srv/absent\nexec webd\n"})
    service(tmp_path, "/etc/sv/more", {"run": f"#!/bin/sh\n{lines}. /srv/absent\n. /srv/there\nexec webd\n"})
    (tmp_path / "srv/there").write_text("A=1\n")
    services = found(tmp_path)
    assert "problems" not in services["web"], "no file is unread"
    assert services["web"]["external"][-1] == {"path": "/srv/absent", "type": "absent"}
    assert services["more"]["problems"] == [
        "its scripts name more than 64 files outside the service directory; /srv/there and those after it were not read"
    ]


def test_programs_users_and_units_of_the_host(tmp_path: Path) -> None:
    service(tmp_path, "/etc/sv/web", {"run": "#!/bin/sh\nexec chpst -u web webd\n"})
    for path in ("usr/sbin/webd", "usr/lib/systemd/system/web.service", "etc/init.d/web"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
        file.chmod(0o755)
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv/web:/bin/false\n")
    (tmp_path / "etc/group").write_text("web:x:34:\nssl:x:50:web\n")
    one = found(tmp_path)["web"]
    assert one["commands"] == {"webd": "/usr/sbin/webd"}
    assert one["users"] == {"web": {"uid": "33", "gid": "34", "home": "/srv/web", "groups": ["ssl"]}}
    assert one["unit"] == "/usr/lib/systemd/system/web.service"
    assert one["initscript"] == "/etc/init.d/web"


def test_a_checkout_at_any_depth(tmp_path: Path) -> None:
    service(tmp_path, "srcpkgs/web/files/web")
    service(tmp_path, "srcpkgs/db/files/db", {"log/run": RUN})
    service(tmp_path, "rootfs/etc/runit/sv/net")
    services = {one["name"]: one for one in collect("runit", path=str(tmp_path))}
    assert set(services) == {"web", "db", "net"}
    assert services["web"]["path"] == "/etc/sv/web" and services["web"]["assumed_path"] is True
    assert services["net"]["path"] == "/etc/runit/sv/net" and "assumed_path" not in services["net"]
    assert services["web"]["live"] is False and "commands" not in services["web"]


def test_one_directory_and_one_script(tmp_path: Path) -> None:
    directory = service(tmp_path, "sv/web")
    assert [one["name"] for one in collect("runit", path=str(directory))] == ["web"]
    assert [one["name"] for one in collect("runit", path=str(directory / "run"))] == ["web"]
    script = tmp_path / "mail"
    script.write_text(RUN)
    (one,) = collect("runit", path=str(script))
    assert one["name"] == "mail" and [file["path"] for file in one["files"]] == ["run"]


def test_names_and_globs(tmp_path: Path) -> None:
    for name in ("app-1", "app-2", "web"):
        service(tmp_path, f"/etc/sv/{name}")
    assert set(found(tmp_path, names=["app-*"])) == {"app-1", "app-2"}


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    link(tmp_path, "/sv/a/b", "..")
    link(tmp_path, "/etc/service/loop", "/etc/service/loop")
    assert collect("runit", path=str(tmp_path / "sv")) == []
    assert found(tmp_path) == {}


def test_bad_places(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="path: .*absent does not exist; give"):
        collect("runit", path=str(tmp_path / "absent"))
    with pytest.raises(BadInput, match="root: .*absent is not a directory"):
        collect("runit", root=str(tmp_path / "absent"))


def test_links_do_not_lead_out_of_the_root(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "sv").symlink_to("/../../etc/runit")
    assert host.resolve("/etc/sv/web") == "/etc/runit/web"


def test_the_host_needs_nothing_but_python() -> None:
    code = (
        "import sys, ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.collect;"
        "print([name for name in ('jeepney', 'tree_sitter', 'yaml', 'ansible') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": "build/collections"})  # fmt: skip
    assert done.stdout.strip() == "[]"
