# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules on a host of the lab, many a second: without Ansible's way there, which costs half a second each."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import typing as t
from pathlib import Path

import ansible
import jeepney

from tests.lab.host import Host

_ROOT = Path(__file__).resolve().parents[2]
_WHERE = "/opt/pidone-modules"


def _archive() -> bytes:
    """What module_runner.py needs beside it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:

        def add(source: Path, name: str) -> None:
            paths = [source] if source.is_file() else sorted(source.rglob("*.py"))
            for path in paths:
                relative = "" if path == source else f"/{path.relative_to(source)}"
                archive.add(path, f"{name}{relative}")

        # The controller's own __init__.py imports more than is there.
        archive.addfile(tarfile.TarInfo("ansible/__init__.py"))
        add(Path(ansible.__file__).parent / "module_utils", "ansible/module_utils")
        add(Path(jeepney.__file__).parent, "jeepney")
        for part in ("module_utils", "modules"):
            add(_ROOT / "plugins" / part, f"ansible_collections/pidone/systemd/plugins/{part}")
        add(Path(__file__).with_name("module_runner.py"), "module_runner.py")
    return packed.getvalue()


class ModulesOnHost:
    """A process on the host that runs modules as root; a context manager."""

    def __init__(self, host: Host) -> None:
        command = [*host.ssh_command(), "--", f"rm -rf {_WHERE} && mkdir -p {_WHERE} && tar -x -C {_WHERE}"]
        subprocess.run(command, input=_archive(), check=True, timeout=60)
        self._process = subprocess.Popen(
            [*host.ssh_command(), "--", f"exec env PYTHONDONTWRITEBYTECODE=1 python3 {_WHERE}/module_runner.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> ModulesOnHost:
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def __call__(self, module: str, args: dict[str, t.Any], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run one module; see module_runner.py for what is returned, and for the options."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"module": module, "args": args, "check": check, **options}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"module_runner.py ended at {module} {str(args)[:500]}"
        return t.cast("dict[str, t.Any]", json.loads(line))
