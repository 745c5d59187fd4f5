# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible against lab hosts, from tests: real playbook runs over SSH, with results as data.

One task costs about 0.4 s: the SSH connection is shared, and Ansible's own start is paid once (playbook_server.py).
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import select
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from tests.lab import paths

if t.TYPE_CHECKING:
    from tests.lab.host import Host


class TaskResult(t.NamedTuple):
    """What one task did on one host."""

    host: str
    task: str
    status: str  # ok, failed, ignored, skipped, unreachable
    result: dict[str, t.Any]

    @property
    def changed(self) -> bool:
        """Whether it reported a change."""
        return bool(self.result.get("changed"))


class PlaybookResult(t.NamedTuple):
    """What a playbook did."""

    rc: int
    stdout: str
    stderr: str
    results: list[TaskResult]

    @property
    def changed(self) -> int:
        """How many task results reported a change."""
        return sum(result.changed for result in self.results)

    def task(self, name: str, host: str | None = None) -> TaskResult:
        """The result of the task called *name* (on *host*); AssertionError with the output if it did not run."""
        for result in self.results:
            if result.task == name and host in (None, result.host):
                return result
        raise AssertionError(f"task {name!r} did not run\n{self.text()}")

    def text(self) -> str:
        """Everything it printed, for a failure message."""
        return f"rc={self.rc}\n{self.stdout}\n{self.stderr}"

    def ok(self) -> PlaybookResult:
        """Itself, if it succeeded; AssertionError with the output otherwise."""
        if self.rc:
            raise AssertionError(f"the playbook failed: {self.text()}")
        return self


class _Server:
    """A playbook server with a fixed environment."""

    def __init__(self, env: dict[str, str]) -> None:
        self.scratch = tempfile.TemporaryDirectory(prefix="pidone-lab-")
        self.numbers = itertools.count()
        self.log = open(Path(self.scratch.name) / "server.log", "wb")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.playbook_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=env,
            cwd=paths.ROOT,
        )

    def run(self, args: list[str], timeout: float) -> PlaybookResult:
        base = Path(self.scratch.name) / f"run{next(self.numbers)}"
        files = {key: f"{base}.{key}" for key in ("stdout", "stderr", "results")}
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"args": args, **files}).encode() + b"\n")
            self.process.stdin.flush()
            answer = self._answer(timeout)
        except BrokenPipeError:
            answer = b""
        texts = {}
        for key, path in files.items():
            texts[key] = Path(path).read_text(errors="replace") if os.path.exists(path) else ""
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if not answer:
            self.close()
            log = (Path(self.scratch.name) / "server.log").read_text() if os.path.isdir(self.scratch.name) else ""
            raise AssertionError(
                f"ansible-playbook did not end within {timeout:g} s, or could not be run\n"
                f"{log}{texts['stdout']}\n{texts['stderr']}"
            )
        results = [TaskResult(**json.loads(line)) for line in texts["results"].splitlines()]
        return PlaybookResult(json.loads(answer)["rc"], texts["stdout"], texts["stderr"], results)

    def _answer(self, timeout: float) -> bytes:
        assert self.process.stdout
        deadline = time.monotonic() + timeout
        answer = b""
        while not answer.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return b""
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                return b""
            answer += chunk
        return answer

    def close(self) -> None:
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        for pid in _descendants(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 15)
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.log.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.scratch.cleanup()


def _descendants(pid: int) -> list[int]:
    from tests.lab.proc import children

    found = []
    for child in children(pid):
        found += [*_descendants(child), child]
    return found


# An environment variable: the directory of shared_archives().
_ARCHIVES = "PIDONE_ARCHIVES"

_servers: dict[tuple[tuple[str, str], ...], _Server] = {}


def close() -> None:
    """End the playbook servers of this process."""
    while _servers:
        _servers.popitem()[1].close()


atexit.register(close)


def collections_path() -> Path:
    """``build/collections``, where this checkout is importable as ``ansible_collections.pidone.systemd``."""
    top = paths.ROOT / "build" / "collections"
    link = top / "ansible_collections" / "pidone" / "systemd"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            link.symlink_to("../../../..")
    return top


@contextlib.contextmanager
def shared_archives() -> t.Iterator[None]:
    """Have the playbook servers of this process, and of those that it starts, make the archive of each module once.

    Not those with an environment of their own: it may say where another collection is.
    """
    with tempfile.TemporaryDirectory(prefix="pidone-archives-") as folder:
        os.environ[_ARCHIVES] = folder
        try:
            yield
        finally:
            del os.environ[_ARCHIVES]


def _archives() -> dict[str, str]:
    folder = os.environ.get(_ARCHIVES)
    return {"LAB_ARCHIVES": folder} if folder else {}


def _environment(extra: dict[str, str] | None) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTEST_", "LAB_"))}
    env.update(
        ANSIBLE_COLLECTIONS_PATH=str(collections_path()),
        ANSIBLE_HOME=str(paths.ROOT / "build" / "ansible"),
        ANSIBLE_CONFIG=str(paths.ROOT / "tests" / "lab" / "ansible.cfg"),
        ANSIBLE_CALLBACK_PLUGINS=str(paths.ROOT / "tests" / "lab" / "callback"),
        ANSIBLE_CALLBACKS_ENABLED="lab_results",
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_RETRY_FILES_ENABLED="0",
        ANSIBLE_DEPRECATION_WARNINGS="1",
        ANSIBLE_HOST_KEY_CHECKING="0",
        LC_ALL="C.UTF-8",
    )
    env.update(extra or {})
    return env


def playbook(
    text: str | list[dict[str, t.Any]],
    hosts: t.Sequence[Host],
    *extra_args: str,
    variables: dict[str, t.Any] | None = None,
    pipelining: bool = True,
    env: dict[str, str] | None = None,
    timeout: float = 300,
) -> PlaybookResult:
    """Run a playbook (YAML text, or the data) against *hosts*; ``hosts: all`` in it means them.

    *variables* are inventory variables of every host; *env* is added to the environment of ansible-playbook (a change of
    it costs the start of another server, 0.4 s); *extra_args* are arguments of ansible-playbook. AssertionError if it takes
    too long, or warns of something deprecated.
    """
    key = tuple(sorted((env or {}).items()))
    server = _servers.get(key)
    if server is None or server.process.poll() is not None:
        server = _servers[key] = _Server({**_environment(env), **({} if env else _archives())})
    content = text if isinstance(text, str) else json.dumps(text)
    common = {"ansible_pipelining": pipelining, **(variables or {})}
    inventory = {"all": {"hosts": {host.name: {**host.inventory(), **common} for host in hosts}}}
    paths.RUN_CLONE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pidone-play-") as folder:
        book, inventory_file = Path(folder) / "playbook.yml", Path(folder) / "inventory.yml"
        book.write_text(content)
        inventory_file.write_text(json.dumps(inventory))
        args = ["ansible-playbook", "-i", str(inventory_file), *extra_args, str(book)]
        try:
            done = server.run(args, timeout)
        except AssertionError:
            _servers.pop(key, None)
            raise
    if "[DEPRECATION WARNING]" in done.stdout + done.stderr:
        raise AssertionError(f"Ansible will not take something for much longer: {done.text()}")
    return done


def task(
    host: Host,
    module: str,
    args: dict[str, t.Any] | None = None,
    *,
    check: bool = False,
    diff: bool = False,
    become: bool | None = None,
    become_user: str | None = None,
    remote_user: str = "root",
    environment: dict[str, str] | None = None,
    keywords: dict[str, t.Any] | None = None,
    extra_args: t.Sequence[str] = (),
    **options: t.Any,
) -> dict[str, t.Any]:
    """Run one task on *host* and return its result, whether it succeeded or not.

    The result has ``changed``, ``failed``, ``skipped``, ``unreachable`` always. *environment* is the task's keyword;
    *keywords* are any other (``async``, ``poll``, ``loop``, ``when``, ...); *options* are those of :func:`playbook`
    (``pipelining``, ``env``, ``variables``, ``timeout``).
    """
    words: dict[str, t.Any] = {"name": module, module: args or {}, **(keywords or {})}
    if environment:
        words["environment"] = environment
    play: dict[str, t.Any] = {"hosts": "all", "gather_facts": False, "remote_user": remote_user, "tasks": [words]}
    if become or (become is None and become_user):
        play["become"] = True
        if become_user:
            play["become_user"] = become_user
    flags = [*(["--check"] if check else []), *(["--diff"] if diff else []), *extra_args]
    run = playbook([play], [host], *flags, **options)
    if not run.results:
        raise AssertionError(f"{module} did not run on {host.name}: {run.text()}")
    last = run.results[-1]
    base = {"changed": False, "failed": last.status in ("failed", "ignored")}
    return {**base, "skipped": last.status == "skipped", "unreachable": last.status == "unreachable", **last.result}
