# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts tasks short on a host, and looks at what the next ones make of it.

Usage: python3 -m tests.attacks.on_host.serve [own]

Reads requests, one a line, and answers each with a line; both are JSON objects. A request has `scenario`, `variant`, and which
of its points are taken, `begin` and `step` (every tenth is a step of 10). The answer says `of` how many points, how many of
them were `taken`, and what was `bad` at which; or `refused`, why the scenario proves nothing. `own` says that nobody else uses
the host.

The modules are imported once, and each task is a fork of this process, so that what a point costs is what systemd needs.
"""

from __future__ import annotations

import errno
import gc
import importlib
import itertools
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
import traceback
import typing as t

from tests.attacks.on_host import pictures, scenarios
from tests.attacks.on_host.pictures import Difference, Picture
from tests.attacks.on_host.points import BUS, FILE, PROCESS, Points
from tests.attacks.on_host.scenarios import Scenario

BASE = "/srv/kp"
SCRATCH = f"{BASE}/tmp"
_PREFIX = "ansible_collections.pidone.systemd.plugins."
_SECONDS = 60.0
_ERRORS = (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES)

# variant -> the kinds of points it is taken at
KINDS = {
    "kill": (FILE, BUS, PROCESS),
    "other": (FILE, BUS, PROCESS),
    "other only": (FILE, BUS, PROCESS),
    "twice": (FILE, BUS, PROCESS),
    "terminate": (FILE, BUS, PROCESS),
    "hang up": (FILE, BUS, PROCESS),
    "error": (FILE,),
    "error, rollback": (FILE,),
    "re-execute": (BUS,),
    "clock back": (FILE, BUS),
    "clock on": (FILE, BUS),
    "host's clock back": (FILE, BUS),
    "host's clock on": (FILE, BUS),
}
# By so many seconds the clock is set, in these variants: as the task sees it, or that of the whole host.
_YEARS = 7 * 365 * 86400
_LEAPS = {
    "clock back": -_YEARS,
    "clock on": _YEARS,
    "host's clock back": -_YEARS,
    "host's clock on": _YEARS,
}
# What an undisturbed task may take with it.
_UNHURRIED = 3.0


class Done(t.NamedTuple):
    """How a task ended: `signal` that ended it (0: none), its result, what it wrote to stderr, the points it passed."""

    signal: int
    result: dict[str, t.Any]
    stderr: str
    points: list[tuple[str, str]]
    seconds: float

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed")) or not self.result

    @property
    def broken(self) -> str:
        """What no task may say, whatever happens to it: a traceback, or nothing at all."""
        text = f"{self.result.get('msg', '')}\n{self.result.get('exception', '')}\n{self.stderr}"
        if "Traceback" in text:
            return "traceback: " + text.strip()[-900:]
        return "" if self.result or self.signal else f"no result: {self.stderr[-500:]}"


class Running:
    """A task on its way."""

    def __init__(
        self,
        module: str,
        args: dict[str, t.Any],
        kinds: t.Container[str] = (),
        at: int = 0,
        act: t.Callable[[str, str], None] | None = None,
    ) -> None:
        stem = f"{SCRATCH}/{next(_numbers)}"
        self._out, self._err, self._told = f"{stem}.out", f"{stem}.err", f"{stem}.points"
        self.began = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become(module, args, Points(kinds, at, act or _nothing, (BASE,)))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(99)

    def _become(self, module: str, args: dict[str, t.Any], points: Points) -> None:
        """In the child: be that module, as ansible-core starts it. Does not return."""
        os.setpgid(0, 0)
        for number, path in ((1, self._out), (2, self._err)):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(file, number)
            os.close(file)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        sys.stdin = os.fdopen(0, closefd=False)
        basic: t.Any = sys.modules["ansible.module_utils.basic"]
        internal = {"_ansible_remote_tmp": SCRATCH, "_ansible_module_name": f"pidone.systemd.{module}"}
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {**args, **internal}}).encode()
        basic._ANSIBLE_PROFILE = "legacy"
        points.install()
        code = 1
        try:
            _modules[module].main()
        except SystemExit as e:
            code = int(e.code or 0)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        with open(self._told, "w") as told:
            json.dump(points.told, told)
        os._exit(code)

    def wait(self, seconds: float = _SECONDS) -> Done:
        """Wait for its end; one that does not end is killed, and counts as one that said nothing."""
        deadline = time.monotonic() + seconds
        pause = 0.001
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
            if pid and not os.WIFSTOPPED(status):
                break
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                return Done(0, {}, f"it did not end within {seconds:g} s", [], seconds)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        lines = [line for line in _take(self._out).splitlines() if line.startswith("{")]
        points = _take(self._told)
        return Done(
            os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            json.loads(lines[-1]) if lines else {},
            _take(self._err),
            list(map(tuple, json.loads(points or "[]"))),
            time.monotonic() - self.began,
        )

    def ended(self, seconds: float) -> bool:
        """Whether it ends by itself in that time; `wait` has still to be called."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return True
            time.sleep(0.005)
        return False

    def stopped(self, seconds: float = _SECONDS) -> bool:
        """Wait until it stopped itself; returns whether it did, rather than end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with open(f"/proc/{self.pid}/stat") as file:
                state = file.read().rpartition(") ")[2][:1]
            if state in "TZ":
                return state == "T"
            time.sleep(0.002)
        return False


_numbers = itertools.count()
_modules: dict[str, t.Any] = {}


def _nothing(kind: str, what: str) -> None:
    """At no point."""


def _take(path: str) -> str:
    """What is in a file, which is gone then; nothing where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        os.unlink(path)
    except FileNotFoundError:
        return ""
    return text


def load(names: t.Iterable[str]) -> None:
    """Import modules, and everything that they may import later."""
    package = importlib.import_module(_PREFIX + "module_utils")
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
    for name in names:
        _modules[name] = importlib.import_module(f"{_PREFIX}modules.{name}")
    # What is there by now stays, and is not copied by each fork that counts references to it.
    gc.collect()
    gc.freeze()


def run(module: str, args: dict[str, t.Any], **options: t.Any) -> Done:
    """Run a task to its end."""
    return Running(module, args, **options).wait()


class Refused(Exception):
    """A scenario that proves nothing, or points that there are not."""


class Stage:
    """A scenario on this host: its state before, as often as it is wanted, and the two good ends."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._make()
        self.before = self.take()
        self.undisturbed = self.run(kinds=(FILE, BUS, PROCESS))
        self.after = self.take()
        self.check_undisturbed()
        for values in self.after.units.values():
            if "NeedDaemonReload" in values:
                # Systemd shall know the files as they are, after any run.
                values["NeedDaemonReload"] = "no"

    def run(self, **options: t.Any) -> Done:
        return run(self.scenario.module, self.scenario.args, **options)

    def take(self) -> Picture:
        return pictures.take(self.scenario.units, self.scenario.user, self.scenario.module == "manager")

    @property
    def good(self) -> Picture:
        """How the host shall be when the task was run again."""
        return self.before if self.scenario.fails else self.after

    def check_undisturbed(self) -> None:
        """Refuse a scenario that would prove nothing."""
        done, scenario = self.undisturbed, self.scenario
        if done.broken or done.failed != scenario.fails:
            raise Refused(f"undisturbed: {done.broken or done.result}")
        differences = pictures.compare(self.before, self.after)
        if scenario.fails and differences:
            raise Refused(f"undisturbed, it rolls back to something else: {differences}")
        if scenario.steady and not scenario.fails:
            if not differences:
                raise Refused("undisturbed, nothing becomes different")
            again = self.run()
            if again.failed or again.result["changed"]:
                raise Refused(f"undisturbed, the second run has something to do: {again.result}")

    def _make(self) -> None:
        """Make the state before, for the first time."""
        scenario = self.scenario
        self._stop()
        put = {path: entry for path, entry in pictures.files().items() if not _is_ours(path)}
        pictures.put_back(put)
        os.makedirs(pictures.TRACES, exist_ok=True)
        for path, content in scenario.files.items():
            _put(path, content)
        self._begin(scenario.before)
        self._files = pictures.files()

    def reset(self) -> None:
        """Make the state before again."""
        self._stop()
        pictures.put_back(self._files)
        self._begin("")

    def leave(self) -> None:
        """Leave the host to another scenario, without a trace."""
        self._stop()
        pictures.put_back({path: entry for path, entry in pictures.files().items() if not _is_ours(path)})
        pictures.systemctl("daemon-reload", user=self.scenario.user)

    def _stop(self) -> None:
        scenario = self.scenario
        names = [name for name in scenario.units if not name.startswith("user@")]
        if names:
            if scenario.args.get("state") == "frozen":
                # Later versions refuse to stop what is frozen.
                pictures.systemctl("thaw", "--", *names, user=scenario.user)
            pictures.systemctl("stop", "--", *names, user=scenario.user)
            # Of units that are gone it is to be forgotten, too, that they failed.
            pictures.systemctl("reset-failed", user=scenario.user)

    def _begin(self, before: str) -> None:
        scenario = self.scenario
        pictures.systemctl("daemon-reload", user=scenario.user)
        script = "\n".join(line for line in (before, scenario.again) if line)
        if script:
            subprocess.run(["sh", "-c", script], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if before:
            pictures.systemctl("daemon-reload", user=scenario.user)
        if scenario.up:
            pictures.systemctl("start", "--", *scenario.up, user=scenario.user)


def _is_ours(path: str) -> bool:
    return "kp-" in path or path.startswith((pictures.TREE, pictures.TRACES, *pictures.RECORDS))


def _put(path: str, content: str) -> None:
    home = pictures.HOME
    folder = os.path.dirname(path)
    missing = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for each in reversed(missing):
        os.mkdir(each, 0o755)
        if each.startswith(home):
            os.chown(each, pictures.UID, pictures.UID)
    with open(path, "w") as file:
        file.write(content)
    os.chmod(path, 0o755 if "/bin/" in path else 0o644)
    if path.startswith(home):
        os.chown(path, pictures.UID, pictures.UID)


class Attack:
    """One variant of cutting a scenario's task short, at any of its points."""

    def __init__(self, stage: Stage, variant: str) -> None:
        self.stage = stage
        self.scenario = stage.scenario
        self.variant = variant
        self.kinds = KINDS[variant]

    @property
    def points(self) -> list[str]:
        """What is done at the points of an undisturbed run."""
        return [what for kind, what in self.stage.undisturbed.points if kind in self.kinds]

    def _args(self) -> dict[str, t.Any]:
        args = dict(self.scenario.args)
        if self.variant == "error, rollback":
            args["rollback"] = True
        return args

    def take(self, at: int) -> list[Difference]:
        """Cut it short at one point; returns what is wrong in the end."""
        self.stage.reset()
        if self.variant in _LEAPS:
            return self._take_with_leap(at)
        cut = run(self.scenario.module, self._args(), kinds=self.kinds, at=at, act=self._act(at))
        wrong = [Difference("error", cut.broken)] if cut.broken else []
        if self.variant == "re-execute":
            return wrong + self._check_survived(cut)
        if self.variant == "error, rollback" and not cut.signal and cut.failed:
            wrong += [
                Difference(f"not rolled back: {each.kind}", f"{each.text}; {cut.result.get('msg', '')[-300:]}")
                for each in pictures.compare(self.stage.before, self.stage.take())
            ]
        if self.variant.startswith("other") and self.scenario.other is not None:
            module, args = self.scenario.other
            other = run(module, args)
            wrong += [Difference("error", f"the other task: {other.broken}")] if other.broken else []
        if self.variant == "twice":
            # The second one has what the first one owes before it, so that it is cut short early.
            second = self.stage.run(kinds=self.kinds, at=1 + at * 7 % 23, act=self._act(at))
            wrong += [Difference("error", f"the second: {second.broken}")] if second.broken else []
        if self.variant == "other only":
            return wrong + self._check_either()
        wrong += self._check_next()
        if self.variant.startswith("error"):
            # What could not be removed is there still; of temporary files that is nobody's fault but the disk's.
            wrong = [each for each in wrong if not each.text.startswith("/tmp/")]
        return wrong

    def _take_with_leap(self, at: int) -> list[Difference]:
        """Have the clock set at one point: the task does all the same, in no more time, and so does the next one, by then.

        What timers make of it is systemd's own: those that are due run. Only files are looked at, and what is to be done still.
        """
        wrong, scenario = [], self.scenario
        truth = time.time() - time.monotonic()
        try:
            done = run(scenario.module, self._args(), kinds=self.kinds, at=at, act=self._act(at))
            if done.broken or done.failed != scenario.fails:
                wrong.append(Difference("clock", done.broken or str(done.result.get("msg", done.result))[-600:]))
            limit = _UNHURRIED * max(self.stage.undisturbed.seconds, 1.0)
            if done.seconds > limit:
                wrong.append(Difference("clock", f"it took {done.seconds:.1f} s, where {limit:.1f} s are plenty"))
            again = self.stage.run()
            if again.broken or again.failed != scenario.fails or (scenario.steady and again.result.get("changed")):
                told = again.result.get("msg", again.result.get("steps", again.result))
                wrong.append(Difference("clock", f"a second run: {again.broken or str(told)[-600:]}"))
        finally:
            if self.variant.startswith("host's"):
                time.clock_settime(time.CLOCK_REALTIME, truth + time.monotonic())
        differences = pictures.compare(self.stage.good, self.stage.take())
        return wrong + [
            each
            for each in differences
            if each.kind in ("file", "stray") and pictures.TRACES not in each.text and "/timers/stamp-" not in each.text
        ]

    def _check_survived(self, done: Done) -> list[Difference]:
        wrong = []
        if done.failed != self.scenario.fails:
            wrong.append(Difference("not survived", str(done.result.get("msg", done.result))[-600:]))
        _wait_for_manager(self.scenario.user)
        wrong += pictures.compare(self.stage.good, self.stage.take())
        return wrong

    def _check_either(self) -> list[Difference]:
        """The host is as before the task, or as after it."""
        got = self.stage.take()
        return _nearest((self.stage.before, self.stage.after), got)

    def _check_next(self) -> list[Difference]:
        scenario = self.scenario
        again = self.stage.run()
        if again.broken or again.failed != scenario.fails:
            text = again.broken or str(again.result.get("msg", again.result))
            wrong = [Difference("next run", text[-600:])]
        else:
            wrong = []
        got = self.stage.take()
        wrong += pictures.compare(self.stage.good, got)
        if self.variant == "kill" and scenario.steady and not scenario.fails:
            third = self.stage.run()
            if third.failed or third.result.get("changed"):
                steps = third.result.get("steps", third.result.get("msg"))
                wrong.append(Difference("not steady", f"a third run: {steps}"))
            for path in pictures.written(got.files, pictures.files()):
                wrong.append(Difference("not steady", f"a third run wrote {path}"))
        return wrong

    def _act(self, at: int) -> t.Callable[[str, str], None]:
        ending = {
            "kill": signal.SIGKILL,
            "other": signal.SIGKILL,
            "terminate": signal.SIGTERM,
            "hang up": signal.SIGHUP,
        }
        if self.variant in ("kill", "other", "other only", "twice"):
            return lambda kind, what: os.kill(os.getpid(), signal.SIGKILL)
        if self.variant in ending:
            return lambda kind, what: os.kill(os.getpid(), ending[self.variant])
        if self.variant in _LEAPS:
            leap = _LEAPS[self.variant]
            if self.variant.startswith("host's"):
                return lambda kind, what: time.clock_settime(time.CLOCK_REALTIME, time.time() + leap)
            return lambda kind, what: _stand_in(leap)
        if self.variant == "re-execute":
            return lambda kind, what: _reexecute(self.scenario.user)
        number = _ERRORS[at % len(_ERRORS)]

        def fail(kind: str, what: str) -> None:
            raise OSError(number, os.strerror(number))

        return fail


def _stand_in(leap: int) -> None:
    """Have this process take another time for that of its host, whose clock stays: a container's is everybody's."""
    true = time.time_ns
    vars(time).update(time=lambda: true() / 1e9 + leap, time_ns=lambda: true() + leap * 1_000_000_000)


def _reexecute(user: bool) -> None:
    pictures.systemctl("daemon-reexec", user=user)


def _wait_for_manager(user: bool) -> None:
    deadline = time.monotonic() + _SECONDS
    while not pictures.systemctl("show", "-p", "Version", user=user) and time.monotonic() < deadline:
        time.sleep(0.05)


def _nearest(good: t.Iterable[Picture], got: Picture) -> list[Difference]:
    """How the host differs from the one of several good ends that it is nearest to."""
    return min([pictures.compare(each, got) for each in good], key=len)


class Server:
    """Takes requests; the last scenario's stage stays up."""

    def __init__(self) -> None:
        self._name = ""
        self._stage: Stage | None = None

    def stage(self, name: str, scenario: Scenario) -> Stage:
        if self._stage is None or self._name != name:
            if self._stage is not None:
                self._stage.leave()
            self._stage = None
            load({scenario.module, "unit", "unit_file"})
            self._stage, self._name = Stage(scenario), name
        return self._stage

    def meet(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """Begin a task while another one is stopped at one of its points, and let that go on a moment later."""
        pair = scenarios.PAIRS[request["scenario"]]
        module, args = pair.second
        load({module})
        began = time.monotonic()
        stage = self.stage(request["scenario"], pair.first)
        good = []
        for second_first in (False, True):
            stage.reset()
            tasks = [(stage.scenario.module, stage.scenario.args), (module, args)]
            for task in reversed(tasks) if second_first else tasks:
                run(*task)
            good.append(stage.take())
        points = [what for _kind, what in stage.undisturbed.points]
        chosen = _choose(request, points)
        ready = time.monotonic()
        bad = []
        for at in chosen:
            stage.reset()
            wrong = _meet(stage, module, args, at)
            got = stage.take()
            wrong += _nearest(good, got)
            if wrong:
                bad.append({"at": at, "what": points[at - 1], "wrong": wrong})
        return _answer(request, points, chosen, bad, began, ready)

    def hold(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """Stop a task in the middle and leave it so: the next one says who is in the way, and reading does not wait.

        The answer holds the stopped task's process id, what the next one said and after how many seconds, how long reading
        took, and what is wrong after the stopped one was killed and the task was run once more.
        """
        scenario = scenarios.SCENARIOS[request["scenario"]]
        stage = self.stage(request["scenario"], scenario)
        load({"unit_info"})
        stage.reset()
        at = 1 + next(
            number for number, (kind, what) in enumerate(stage.undisturbed.points) if what.startswith("called ")
        )
        holder = Running(
            scenario.module, scenario.args, KINDS["kill"], at, lambda kind, what: os.kill(os.getpid(), signal.SIGSTOP)
        )
        if not holder.stopped():
            raise Refused("the task did not stop itself")
        reading = run("unit_info", {"name": ["kp-*"]})
        waiting = run(scenario.module, {**scenario.args, "timeout": "1s"})
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        again = stage.run()
        wrong = pictures.compare(stage.good, stage.take())
        if again.failed:
            wrong.append(Difference("next run", str(again.result)))
        return {
            "pid": holder.pid,
            "failed": waiting.failed,
            "msg": waiting.broken or waiting.result.get("msg", ""),
            "seconds": waiting.seconds,
            "reading": reading.seconds if not reading.failed else None,
            "wrong": wrong,
        }

    def attack(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """Take the points of a request."""
        began = time.monotonic()
        name = request["scenario"]
        attacked = Attack(self.stage(name, scenarios.SCENARIOS[name]), request["variant"])
        points = attacked.points
        chosen = _choose(request, points)
        ready = time.monotonic()
        bad = []
        for at in chosen:
            wrong = attacked.take(at)
            if wrong:
                bad.append({"at": at, "what": points[at - 1], "wrong": wrong})
        return _answer(request, points, chosen, bad, began, ready)


def _choose(request: dict[str, t.Any], points: t.Sequence[str]) -> t.Sequence[int]:
    step = max(request["step"], len(points) // request.get("most", len(points) + 1))
    return request.get("points") or range(1 + request["begin"] % step, len(points) + 1, step)


def _answer(
    request: dict[str, t.Any],
    points: t.Sequence[str],
    chosen: t.Sequence[int],
    bad: list[dict[str, t.Any]],
    began: float,
    ready: float,
) -> dict[str, t.Any]:
    return {
        "of": len(points),
        "taken": len(chosen),
        "bad": bad,
        "prepared": round(ready - began, 2),
        "seconds": round(time.monotonic() - ready, 2),
        **({"points": points} if request.get("tell") else {}),
    }


def _meet(stage: Stage, module: str, args: dict[str, t.Any], at: int) -> list[Difference]:
    """Two tasks at once; returns what they have to complain about."""
    scenario = stage.scenario
    first = Running(
        scenario.module, scenario.args, KINDS["kill"], at, lambda kind, what: os.kill(os.getpid(), signal.SIGSTOP)
    )
    stopped = first.stopped()
    second = Running(module, args)
    # Long enough for one that does not wait to be done with everything, if that is possible at all.
    ended = second.ended(0.4)
    if stopped:
        os.kill(first.pid, signal.SIGCONT)
    wrong = []
    for name, task, fails in (("first", first, scenario.fails), ("second", second, False)):
        done = task.wait()
        if done.broken or done.failed != fails:
            text = done.broken or str(done.result.get("msg", done.result))
            wrong.append(Difference("failed for the other's sake", f"{name} ({ended=}): {text[-500:]}"))
    return wrong


def prepare(own: bool) -> None:
    """What all scenarios need on the host: the program that timers run, a user's manager, room for results."""
    os.makedirs(SCRATCH, exist_ok=True)
    with open(pictures.JOB, "w") as file:
        file.write(f'#!/bin/sh\necho "$*" >>{pictures.TRACES}/ran\n')
    os.chmod(pictures.JOB, 0o755)
    # Most of what reloading takes goes into generators, and none of what they make is looked at.
    for kind in ("system", "user") if own else ():
        os.makedirs(f"/etc/systemd/{kind}-generators", exist_ok=True)
        # Where /lib is no link to it.
        library = next(lib for lib in ("/usr/lib", "/lib") if os.path.isdir(f"{lib}/systemd/{kind}-generators"))
        for name in os.listdir(f"{library}/systemd/{kind}-generators"):
            if not os.path.lexists(f"/etc/systemd/{kind}-generators/{name}"):
                os.symlink("/dev/null", f"/etc/systemd/{kind}-generators/{name}")
    if not os.path.isdir(f"/run/user/{pictures.UID}/systemd"):
        subprocess.run(["loginctl", "enable-linger", pictures.USER], check=True)
        pictures.systemctl("start", f"user@{pictures.UID}.service")


def main() -> None:
    prepare("own" in sys.argv[1:])
    server = Server()
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = getattr(server, request.get("do", "attack"))(request)
        except Refused as e:
            answer = {"refused": str(e)}
        except Exception:
            answer = {"refused": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
