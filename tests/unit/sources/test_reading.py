# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is collected for a user's directory is what that user may read, and secrets stay where they are."""

from __future__ import annotations

import json
import os
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._sources import reading
from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit import collect as runit
from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.collect import collect
from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate

RUN = "#!/bin/sh\nexec chpst -u web -e ./env webd\n"
SECRET = "hunter2"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def of_user(*paths: Path) -> None:
    for path in paths:
        os.chown(path, 1000, 1000, follow_symlinks=False)


def files(definition: t.Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {one["path"]: one for one in (*definition["files"], *definition.get("external", ()))}


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A tree with a service of a user's and a secret that is not the user's."""
    for directory in ("", "etc", "etc/sv", "home", "home/deploy"):
        (tmp_path / directory).mkdir(exist_ok=True)
        (tmp_path / directory).chmod(0o755)
    write(tmp_path / "etc" / "shadow", SECRET, 0o640)
    write(tmp_path / "etc" / "motd", "hello")
    write(tmp_path / "home/deploy/sv/web/run", RUN, 0o755)
    return tmp_path


# -- links of others


@root_only
@pytest.mark.parametrize("root", [False, True])
def test_a_link_of_a_user_is_not_followed_to_what_the_user_cannot_read(host: Path, root: bool) -> None:
    service = host / "home/deploy/sv/web"
    target = "/etc/" if root else f"{host}/etc/"
    for name, to in {"finish": "shadow", "README": "motd"}.items():
        (service / name).symlink_to(target + to)
    (service / "env").mkdir()
    (service / "env" / "A").symlink_to(target + "shadow")
    (service / "again").symlink_to("finish")
    of_user(service, *service.iterdir(), service / "env" / "A")
    where: dict[str, t.Any] = (
        {"root": str(host), "path": "/home/deploy/sv"} if root else {"path": f"{host}/home/deploy/sv"}
    )
    (one,) = collect("runit", **where)
    assert SECRET not in json.dumps(one)
    found = files(one)
    assert found["finish"]["private"]
    # Everybody may read it; above the other root there are directories of pytest's that not everybody may enter.
    assert ("content" in found["README"]) == root
    assert any("finish: is a link to a file of another owner" in problem for problem in one["problems"])


@root_only
def test_a_directory_that_a_user_links_to_is_not_listed_either(host: Path) -> None:
    write(host / "root" / "sv" / "vpn" / "run", f"#!/bin/sh\nexec vpn --key {SECRET}\n", 0o755)
    (host / "root").chmod(0o700)
    (host / "home/deploy/sv/vpn").symlink_to(host / "root/sv/vpn")
    (host / "home/deploy/sv/all").symlink_to(host / "root/sv")
    of_user(host / "home/deploy/sv", host / "home/deploy/sv/vpn", host / "home/deploy/sv/all")
    assert SECRET not in json.dumps(collect("runit", path=f"{host}/home/deploy/sv"))
    # The administrator's own link says that it is meant.
    write(host / "etc/sv/vpn/run", "x")
    (host / "etc/sv/mine").symlink_to("/root/sv/vpn")
    assert SECRET in json.dumps(collect("runit", root=str(host)))


@root_only
def test_a_link_in_a_directory_that_everybody_writes_is_everybodys(host: Path) -> None:
    (host / "etc/sv/x").mkdir()
    (host / "etc/sv/x/run").symlink_to(host / "etc/shadow")
    assert reading.read_file(f"{host}/etc/sv/x/run", 99).data == SECRET.encode()  # type: ignore[union-attr]
    (host / "etc/sv/x").chmod(0o777)
    assert reading.read_file(f"{host}/etc/sv/x/run", 99).data is None  # type: ignore[union-attr]


def test_links_stay_in_the_root_and_in_circles_end(host: Path) -> None:
    (host / "etc/loop").symlink_to("loop")
    (host / "etc/up").symlink_to("../../../../../../../../etc/motd")
    assert reading.read_file(f"{host}/etc/up", 99, str(host)).data == b"hello"  # type: ignore[union-attr]
    with pytest.raises(OSError, match="symbolic links"):
        reading.read_file(f"{host}/etc/loop", 99)


# -- what is no file


def test_nothing_but_files_is_opened_and_nothing_is_waited_for(host: Path) -> None:
    service = host / "home/deploy/sv/web"
    (service / "supervise").mkdir()
    os.mkfifo(service / "supervise" / "status")
    os.mkfifo(service / "check")
    os.mkfifo(service / "pipe")
    (service / "finish").symlink_to("pipe")
    (service / "control").mkdir()
    (service / "control" / "t").symlink_to("/dev/zero")
    done: list[t.Any] = []
    thread = threading.Thread(target=lambda: done.extend(collect("runit", path=str(service))), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it hangs"
    assert files(done[0])["check"]["type"] == "fifo"
    assert "content" not in files(done[0])["finish"]


def test_only_a_fifo_is_opened_for_writing(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervise = host / "home/deploy/sv/web/supervise"
    supervise.mkdir()
    (supervise / "ok").symlink_to("/dev/null")
    opened: list[int] = []
    real = os.open

    def opening(path: t.Any, flags: int, *more: t.Any, **named: t.Any) -> int:
        opened.append(flags)
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", opening)
    assert runit.is_supervised(str(supervise.parent)) is False
    (supervise / "ok").unlink()
    (supervise / "ok").write_text("")
    assert runit.is_supervised(str(supervise.parent)) is False
    assert not [flags for flags in opened if flags & os.O_WRONLY]


def test_files_together_have_a_limit(host: Path) -> None:
    for number in range(20):
        write(host / f"home/deploy/sv/web/f{number:02}", "x" * 200 * 1024)
    (one,) = collect("runit", path=f"{host}/home/deploy/sv/web")
    assert len(json.dumps(one)) < 3 * 1024 * 1024
    assert any("bytes already" in problem for problem in one["problems"])
    assert _answers.definitions([one])


# -- secrets


def translated(host: Path) -> t.Mapping[str, t.Any]:
    """A service of /etc/sv as it comes to the controller and is translated."""
    (one,) = [one for one in collect("runit", root=str(host)) if one["name"] == "web"]
    (result,) = translate(_answers.definitions([one]))
    return result


def text(result: t.Mapping[str, t.Any]) -> str:
    return str(result["units"][0]["content"])


@pytest.mark.parametrize(("mode", "directory"), [(0o600, 0o755), (0o640, 0o755), (0o644, 0o700)])
def test_secrets_of_an_env_directory_are_read_on_the_host(host: Path, mode: int, directory: int) -> None:
    write(host / "etc/sv/web/run", RUN, 0o755)
    write(host / "etc/sv/web/env/PASSWORD", SECRET, mode).parent.chmod(directory)
    result = translated(host)
    assert SECRET not in json.dumps(result)
    assert files(result["definition"])["env/PASSWORD"] == {
        "path": "env/PASSWORD", "type": "file", "mode": f"{mode:04o}", "size": len(SECRET), "private": True,
    }  # fmt: skip
    assert "ExecStart=/usr/bin/chpst -u web -e ./env webd\n" in text(
        result
    ) or "ExecStart=chpst -u web -e ./env webd\n" in text(result)
    assert "User=" not in text(result), "who cannot read them must not be the one that does"
    (finding,) = [one for one in result["findings"] if "PASSWORD" in one["message"]]
    assert (finding["severity"], finding["key"]) == ("info", "process.wrapper")
    assert "mode 0600 for EnvironmentFile=" in finding["message"]


def test_variables_that_everybody_may_read_are_in_the_unit(host: Path) -> None:
    write(host / "etc/sv/web/run", RUN, 0o755)
    write(host / "etc/sv/web/env/PORT", "80")
    assert "Environment=PORT=80\n" in text(translated(host))


def test_an_env_directory_elsewhere(host: Path) -> None:
    write(host / "etc/sv/web/run", "#!/bin/sh\nexec envdir /etc/web-env setuidgid web webd\n", 0o755)
    write(host / "etc/web-env/PASSWORD", SECRET, 0o600)
    result = translated(host)
    assert SECRET not in json.dumps(result)
    assert "envdir /etc/web-env setuidgid web webd\n" in text(result)


@pytest.mark.parametrize("place", ["/etc/sv/web/conf", "/etc/default/web"])
def test_secrets_of_settings_are_read_by_systemd(host: Path, place: str) -> None:
    write(host / "etc/sv/web/run", f"#!/bin/sh\n. {place}\nexec chpst -u web webd --token $TOKEN\n", 0o755)
    write(host / place[1:], f"TOKEN={SECRET}\n# OTHER=1\n", 0o600)
    result = translated(host)
    assert SECRET not in json.dumps(result)
    assert files(result["definition"])["conf" if "sv" in place else place]["variables"] == ["TOKEN"]
    assert f"EnvironmentFile={place}\n" in text(result)
    assert "--token $TOKEN" in text(result) or "--token ${TOKEN}" in text(result)
    assert result["translation"] == "native"


def test_settings_that_are_shell_are_read_by_the_script(host: Path) -> None:
    write(host / "etc/sv/web/run", "#!/bin/sh\n. ./conf\nexec chpst -u web webd --token $TOKEN\n", 0o755)
    write(host / "etc/sv/web/conf", f"TOKEN=$(echo {SECRET})\n", 0o600)
    result = translated(host)
    assert SECRET not in json.dumps(result)
    assert result["translation"] == "wrapped"
    assert any("was left on the host" in one["message"] for one in result["findings"])


def test_a_line_of_a_key_is_no_name_of_a_variable(host: Path) -> None:
    """`c2VjcmV0=` is base64, and would be one."""
    write(host / "etc/sv/web/run", "#!/bin/sh\nexec webd --key ./key\n", 0o755)
    write(host / "etc/sv/web/key", "c2VjcmV0=\n", 0o600)
    assert "c2VjcmV0" not in json.dumps(translated(host))


def test_a_script_that_is_not_for_everybody_is_translated_with_a_decision(host: Path) -> None:
    write(host / "etc/sv/web/run", f"#!/bin/sh\nexport PASSWORD={SECRET}\nexec webd\n", 0o700)
    result = translated(host)
    (finding,) = [one for one in result["findings"] if one["key"] == "environment.private"]
    assert (finding["severity"], finding["file"]) == ("decision", "run")
    assert "mode 0700" in finding["message"]
    write(host / "etc/sv/web/run", "#!/bin/sh\nexec webd\n", 0o700)
    assert not [one for one in translated(host)["findings"] if one["key"] == "environment.private"]


@root_only
def test_a_run_script_that_was_not_read_is_run_as_it_is(host: Path) -> None:
    service = host / "home/deploy/sv/web"
    (service / "run").unlink()
    (service / "run").symlink_to("/etc/shadow")
    of_user(service, service / "run")
    (one,) = collect("runit", root=str(host), path="/home/deploy/sv")
    (result,) = translate(_answers.definitions([one]))
    assert result["translation"] == "wrapped"
    assert "ExecStart=/home/deploy/sv/web/run\n" in text(result)
