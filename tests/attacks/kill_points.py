# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill points from the tests' side: the code brought to a host, points taken there, what became of them added up."""

from __future__ import annotations

import datetime
import importlib.util
import io
import json
import os
import select
import subprocess
import tarfile
import typing as t
import zlib
from pathlib import Path

import pytest

from tests.lab.full import is_full
from tests.lab.host import Host

ROOT = Path(__file__).resolve().parents[2]
BASE = "/srv/kp"
#: Without PIDONE_FULL, one point of so many is taken; which one of them, the seed says.
STEP = 10
#: The host that points are taken on: of one version of systemd, for what is cut short is not its work.
KIND = "bookworm"

_TOLD = ("of", "taken", "good", "restart", "file", "stray")

_installed: set[str] = set()


def seed() -> int:
    """The seed of this run: PIDONE_SEED, or the number of the day, so that ten days in a row take all points."""
    return int(os.environ.get("PIDONE_SEED") or datetime.date.today().toordinal())


def install(host: Host) -> None:
    """Bring the collection, ansible-core's part for modules and jeepney to a host, once."""
    if host.name in _installed:
        return
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:

        def add(source: Path, target: str) -> None:
            for path in sorted(source.rglob("*.py")):
                tar.add(path, f"{target}/{path.relative_to(source)}")

        add(_package("jeepney"), "jeepney")
        # As in the archives that ansible-core sends: a package that holds nothing else.
        tar.addfile(tarfile.TarInfo("ansible/__init__.py"))
        add(_package("ansible") / "module_utils", "ansible/module_utils")
        for folder in ("module_utils", "modules"):
            add(ROOT / "plugins" / folder, f"ansible_collections/pidone/systemd/plugins/{folder}")
        add(ROOT / "tests" / "attacks" / "on_host", "tests/attacks/on_host")
    host.write(f"{BASE}.tar.gz", buffer.getvalue())
    host.run(f"rm -rf {BASE}; mkdir -p {BASE} && tar -xzf {BASE}.tar.gz -C {BASE} --no-same-owner", check=True)
    _installed.add(host.name)


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


class Server:
    """on_host/serve.py on a host, over one connection.

    :param own: whether nobody else uses the host, so that what is slow and does not matter can be left out there.
    """

    def __init__(self, host: Host, own: bool = False) -> None:
        self.host = host
        install(host)
        self._process = subprocess.Popen(
            [
                *host.ssh_command(),
                "--",
                f"cd {BASE} && exec python3 -m tests.attacks.on_host.serve {'own' if own else ''} 2>{BASE}/errors",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, request: dict[str, t.Any], timeout: float = 900) -> dict[str, t.Any]:
        """Have a request served.

        :raises AssertionError: it was refused, or there was no answer in time.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        ready = select.select([process.stdout], [], [], timeout)[0]
        line = process.stdout.readline() if ready else b""
        assert line, f"{request}: no answer; {self.host.run(f'tail -n 20 {BASE}/errors').stdout}"
        answer: dict[str, t.Any] = json.loads(line)
        assert "refused" not in answer, f"{request}: {answer['refused'][-4000:]}"
        return answer

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def group(number: int) -> pytest.MarkDecorator:
    """The mark of a test that takes points: two processes share them, each with a host of its own."""
    return pytest.mark.xdist_group(f"{KIND}/attacks-{number % 2}")


def take(
    server: Server, scenario: str, variant: str = "", do: str = "attack", most: int | None = None
) -> dict[str, t.Any]:
    """Cut a scenario's task short at all of its points, or at those that the seed chooses, and at about `most` so many."""
    # Where few are taken of many, the host counts from further on than STEP.
    begin = 0 if is_full() else seed() + zlib.crc32(f"{scenario} {variant}".encode())
    step = 1 if is_full() else STEP
    some = {} if most is None or is_full() else {"most": most}
    return server.ask({"do": do, "scenario": scenario, "variant": variant, "begin": begin, "step": step, **some})


def told(answer: dict[str, t.Any]) -> str:
    """What went wrong, for people."""
    lines = [f"{len(answer['bad'])} of {answer['taken']} points of {answer['of']} did not end well:"]
    for one in answer["bad"]:
        lines.append(f"- point {one['at']}, {one['what']}")
        lines += [f"    {kind}: {text}" for kind, text in one["wrong"][:6]]
    return "\n".join(lines)


def figures(answer: dict[str, t.Any]) -> dict[str, int]:
    """An answer in numbers; a point with two things wrong counts in both."""
    counted = {"of": answer["of"], "taken": answer["taken"], "good": answer["taken"] - len(answer["bad"])}
    for one in answer["bad"]:
        for kind in {kind.rpartition(": ")[2] for kind, _text in one["wrong"]}:
            counted[kind] = counted.get(kind, 0) + 1
    return counted


def summary(added: dict[str, int]) -> str:
    """The figures of a run in one line."""
    line = (
        f"kill points: {added['taken']} taken of {added['of']} (PIDONE_SEED={seed()}), {added['good']} good, "
        f"{added.get('restart', 0)} lost restarts, {added.get('file', 0)} lost files, {added.get('stray', 0)} strays"
    )
    others = {key: number for key, number in added.items() if key not in _TOLD}
    return line + "".join(f", {number} {key}" for key, number in sorted(others.items()))
