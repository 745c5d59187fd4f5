# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark has to work with: the host, playbooks with the durations of their tasks, commands timed on the host."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from tests.lab import paths, runner

if t.TYPE_CHECKING:
    from tests.lab.host import Host

HERE = Path(__file__).resolve().parent
REMOTE = "/root/bench"


class Figure(t.NamedTuple):
    """One measured figure, and what is wanted of it; `told` says what it was computed from."""

    name: str
    value: float
    unit: str
    better: str  # higher, lower
    goal: float
    told: str

    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal


class Run(t.NamedTuple):
    """A playbook run: `(name, seconds, changed)` of each task, the output, and the seconds of the processor that it took here."""

    tasks: list[tuple[str, float, bool]]
    output: str
    cpu: float

    def seconds(self, name: str) -> list[float]:
        """Durations of the tasks of that name."""
        return [seconds for task, seconds, _changed in self.tasks if task == name]

    def expect(self, name: str, changed: bool) -> None:
        """Refuse a run that did not do what is to be measured."""
        if any(task == name and was is not changed for task, _seconds, was in self.tasks):
            raise AssertionError(f"the task {name!r} should have said changed={changed}")


class Bench:
    """The host under test, and ways to measure on it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._made: set[str] = set()
        host.write(f"{REMOTE}/on_host.py", (HERE / "on_host.py").read_text())

    def units(self, stem: str, count: int, service: str, enabled: bool = False, started: bool = False) -> list[str]:
        """Make units `STEM-000N.service`, once; returns their names.

        :param service: the lines of their section `[Service]`.
        """
        names = [f"{stem}-{number:04}.service" for number in range(count)]
        if stem in self._made:
            return names
        self._made.add(stem)
        text = f"[Service]\n{service}\n\n[Install]\nWantedBy=multi-user.target\n"
        words = ["units", stem, str(count), "yes" if enabled else "no"]
        self.host.run(["python3", f"{REMOTE}/on_host.py", *words], input=text, check=True)
        lines = [
            "set -eu",
            # Between tasks that write files and one that reloads there is more time than in a shell.
            "sleep 0.2; systemctl daemon-reload",
        ]
        if started:
            # Nobody who is connected meanwhile: systemd tells each change of each unit to all who are.
            jobs = "busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager NJobs"
            lines += [
                f"systemctl start --no-block $(seq -f {stem}-%04g.service 0 {count - 1})",
                f'until [ "$({jobs})" = "u 0" ]; do sleep 0.5; done',
                f"systemctl is-active --quiet {names[0]} {names[-1]}",
            ]
        self.host.run("\n".join(lines), check=True, timeout=900)
        return names

    def playbook(
        self,
        tasks: list[dict[str, t.Any]],
        *flags: str,
        pipelining: bool = True,
        settings: dict[str, str] | None = None,
    ) -> Run:
        """Run tasks in one play over SSH; `settings` are environment variables of ansible-playbook."""
        play = {"hosts": "all", "gather_facts": False, "remote_user": "root", "tasks": tasks}
        return play_on([self.host], play, *flags, pipelining=pipelining, settings=settings)

    def payload(self, name: str, module: str, arguments: dict[str, t.Any]) -> list[str]:
        """Have Ansible leave a task's module on the host, just as it is sent; returns the command that runs it there."""
        self.host.run("rm -rf /root/.ansible/tmp", check=True)
        task = {"name": "payload", module: arguments}
        self.playbook([task], pipelining=False, settings={"ANSIBLE_KEEP_REMOTE_FILES": "1"})
        self.host.run(f"cp /root/.ansible/tmp/*/AnsiballZ_*.py {REMOTE}/{name}.py", check=True)
        return ["/usr/bin/python3", f"{REMOTE}/{name}.py"]

    def on_host(self, commands: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
        """Run commands on the host in turn, and all of them `rounds` times; returns seconds, without SSH."""
        done = self.host.run(
            ["python3", f"{REMOTE}/on_host.py", "time", str(rounds)],
            input=json.dumps(commands),
            check=True,
            timeout=600,
        )
        return t.cast("dict[str, list[float]]", json.loads(done.stdout))

    def memory(self, commands: dict[str, list[str]]) -> dict[str, float]:
        """Run commands on the host; returns the MiB that each had in memory at most."""
        done = self.host.run(
            ["python3", f"{REMOTE}/on_host.py", "memory"], input=json.dumps(commands), check=True, timeout=600
        )
        return {name: size for name, (size,) in json.loads(done.stdout).items()}

    def raw(self, *words: str) -> list[str]:
        """The command that asks the bus with no Ansible around it, with a jeepney that modules do not find."""
        import jeepney

        folder = Path(str(jeepney.__file__)).parent
        if "jeepney" not in self._made:
            self._made.add("jeepney")
            for path in folder.glob("*.py"):
                self.host.write(f"{REMOTE}/lib/jeepney/{path.name}", path.read_text())
        return ["env", f"PYTHONPATH={REMOTE}/lib", "python3", f"{REMOTE}/on_host.py", *words]


def play_on(
    hosts: t.Sequence[Host],
    play: dict[str, t.Any],
    *flags: str,
    pipelining: bool = True,
    settings: dict[str, str] | None = None,
) -> Run:
    """Run a play over SSH, with a fork for each host; `settings` are environment variables of ansible-playbook."""
    variables = {host.name: {**host.inventory(), "ansible_pipelining": pipelining} for host in hosts}
    paths.RUN_CLONE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pidone-bench-") as folder:
        book, inventory, times = (Path(folder) / name for name in ("play.yml", "inventory.yml", "times"))
        book.write_text(json.dumps([play]))
        inventory.write_text(json.dumps({"all": {"hosts": variables}}))
        times.touch()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        environment.update(
            ANSIBLE_COLLECTIONS_PATH=str(runner.collections_path()),
            ANSIBLE_HOME=str(paths.ROOT / "build" / "ansible"),
            ANSIBLE_CONFIG=str(paths.ROOT / "tests" / "lab" / "ansible.cfg"),
            ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callback"),
            ANSIBLE_CALLBACKS_ENABLED="bench_times",
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_HOST_KEY_CHECKING="0",
            BENCH_TIMES=str(times),
            LC_ALL="C.UTF-8",
            **(settings or {}),
        )
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), "--forks", str(len(hosts)), *flags, str(book)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=600,
            check=False,
        )
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise AssertionError(f"a task of the benchmark failed:\n{done.stdout[-6000:]}")
        lines = [json.loads(line) for line in times.read_text().splitlines()]
    cpu = sum(getattr(ended, name) - getattr(begun, name) for name in ("ru_utime", "ru_stime"))
    return Run([(line["task"], line["seconds"], line["changed"]) for line in lines], done.stdout, cpu)


median = statistics.median
