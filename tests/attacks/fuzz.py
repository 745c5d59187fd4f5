# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzzer: `python -m tests.attacks.fuzz [--inputs N] [--minutes M] [--seed S] [TARGET...]`.

A target is a module `tests/attacks/fuzz_NAME.py` with

- `one_input(data: bytes) -> None`, which raises only where there is a defect,
- `SEEDS: list[bytes]`, real inputs of each kind, and, if it likes, `TOKENS: list[bytes]`, pieces that matter.

Inputs come from atheris (libFuzzer), which changes those that reached new code; where there is no atheris for this machine, from
a mutator of our own. Both are made of the seed alone, which is printed. Work is done in pieces of so many inputs, each in a
process of its own with a seed of its own, so the number of processors changes nothing but the time.

A crash is an exception, a death of the process, memory beyond a limit, or an input that takes longer than it may. Crashes with
the same traceback are one; the first input of each is kept in build/fuzz/, and `--replay FILE TARGET` runs it again.
"""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import hashlib
import importlib
import io
import json
import mmap
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
import types
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "fuzz"
OURS = "ansible_collections.pidone.systemd"
# How many inputs one process gets. What it has learnt ends with it.
PIECE = 250_000
# Seconds that an input may take: of the processor, and in all. Those are for an input that waits for something, and many, since
# a busy machine makes every process wait.
CPU_SECONDS, SECONDS = 2.0, 300.0
# When Python itself no longer gets to look at the clock.
DEAF_SECONDS = 600
LONGEST_INPUT = 4096
MEMORY = 3 * 1024**3


class Slow(BaseException):
    """An input took too long. No `except Exception` of the code under test may swallow it."""


@dataclasses.dataclass
class Report:
    """What a process found: crashes by a digest of their tracebacks, as [count, input in hexadecimal, traceback].

    `seconds` are those of the processor, so that neighbours do not change them.
    """

    inputs: int = 0
    seconds: float = 0.0
    engine: str = ""
    crashes: dict[str, list[t.Any]] = dataclasses.field(default_factory=dict)


def names() -> list[str]:
    """The targets there are."""
    return sorted(path.stem[5:] for path in Path(__file__).parent.glob("fuzz_*.py"))


def load(name: str) -> types.ModuleType:
    """A target's module, with this checkout's collection importable."""
    for path in (ROOT / "build" / "collections", ROOT):
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))
    return importlib.import_module(f"tests.attacks.fuzz_{name}")


# -- one process


class Worker:
    """Feeds one target and keeps the books; `run` takes an input, and ends the process when it is the last one."""

    def __init__(self, target: types.ModuleType, inputs: int, minutes: float, path: Path) -> None:
        self.report = Report()
        self._one_input = target.one_input
        self._inputs = inputs
        self._path = path
        self._end = time.monotonic() + minutes * 60 if minutes else 0.0
        # What is being tried is in a file, should the process die of it.
        with open(path.with_suffix(".current"), "wb+") as file:
            file.truncate(8 + LONGEST_INPUT)
            self._current = mmap.mmap(file.fileno(), 8 + LONGEST_INPUT)
        for number in (signal.SIGVTALRM, signal.SIGALRM):
            signal.signal(number, self._slow)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def _slow(self, *_args: t.Any) -> None:
        raise Slow

    def run(self, data: bytes) -> None:
        self._current[:8] = len(data).to_bytes(8, "little")
        self._current[8 : 8 + len(data)] = data
        report = self.report
        if report.inputs % 1000 == 0:
            faulthandler.dump_traceback_later(DEAF_SECONDS, exit=True)
            if self._end and time.monotonic() > self._end:
                self.finish()
        try:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
                self._one_input(data)
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
        except (Exception, Slow, SystemExit) as error:
            self._crash(data, error)
        report.inputs += 1
        if self._inputs and report.inputs >= self._inputs:
            self.finish()

    def _crash(self, data: bytes, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        # An endless loop is met anywhere in it; what counts is who began it.
        places = [(frame.filename, frame.name, 0 if isinstance(error, Slow) else frame.lineno) for frame in frames[1:]]
        ours = [place for place in places if "/plugins/" in place[0] or "/tests/" in place[0]]
        told = ours[:2] if isinstance(error, Slow) else ours[-6:]
        key = hashlib.sha256(repr((type(error).__name__, told)).encode()).hexdigest()[:12]
        known = self.report.crashes.setdefault(key, [0, data.hex(), "".join(traceback.format_exception(error))[-4000:]])
        known[0] += 1

    def finish(self) -> t.NoReturn:
        self.report.seconds = time.process_time()
        self._path.write_text(json.dumps(dataclasses.asdict(self.report)))
        # libFuzzer would not return, and tell of coverage.
        os._exit(0)


def work(name: str, inputs: int, minutes: float, seed: int, engine: str, path: Path) -> None:
    """Be the process that tries so many inputs; the report is written to `path`."""
    random.seed(seed)
    atheris: t.Any = None
    if engine != "own":
        try:
            atheris = importlib.import_module("atheris")
        except ImportError:
            if engine == "atheris":
                raise
    if atheris is None:
        worker = Worker(load(name), inputs, minutes, path)
        worker.report.engine = "own"
        _mutate(sys.modules[f"tests.attacks.fuzz_{name}"], seed, worker.run)
    with atheris.instrument_imports(include=[OURS]):
        target = load(name)
    corpus = path.with_suffix(".corpus")
    corpus.mkdir()
    for number, data in enumerate(target.SEEDS):
        (corpus / f"{number:05d}").write_bytes(data[:LONGEST_INPUT])
    words = path.with_suffix(".dict")
    words.write_text("".join(f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in word)}"\n' for word in _tokens(target)))
    worker = Worker(target, inputs, minutes, path)
    worker.report.engine = "atheris"
    options = [
        f"-seed={seed % 2**32 or 1}",
        f"-max_len={LONGEST_INPUT}",
        f"-dict={words}",
        "-timeout=0",
        "-rss_limit_mb=0",
    ]
    atheris.Setup([name, *options, "-len_control=20", "-reload=0", "-print_final_stats=0", str(corpus)], worker.run)
    atheris.Fuzz()
    worker.finish()


def _tokens(target: types.ModuleType) -> list[bytes]:
    common = [
        b"\0",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b"\\",
        b'"',
        b"'",
        b"%",
        b"$",
        b"\xed\xa0\x80",
        b"\xff",
        b"\xc2\xb2",
        b"\xd9\xa1",
    ]
    common += [
        b"9" * 30,
        b"9" * 5000,
        b"0" * 5000,
        b"-1",
        b"+1",
        b"0x",
        b"1_0",
        b"\xe2\x80\xa8",
        b"\xe2\x84\xaa",
        b"\xef\xbb\xbf",
    ]
    return [token for token in [*getattr(target, "TOKENS", []), *common] if 0 < len(token) < 64]


def _mutate(target: types.ModuleType, seed: int, run: t.Callable[[bytes], None]) -> t.NoReturn:
    """Seeds as they are, and then without end what becomes of them by a few changes each."""
    chance = random.Random(seed)
    seeds = list(target.SEEDS) or [b""]
    tokens = [*_tokens(target), b"9" * 5000, b"0" * 3000]
    for data in seeds:
        run(data[:LONGEST_INPUT])
    while True:
        data = bytearray(chance.choice(seeds))
        for _change in range(chance.randint(1, 5)):
            at = chance.randint(0, len(data))
            end = min(len(data), at + chance.choice((1, 1, 2, 4, 16, 64)))
            kind = chance.randrange(8)
            if kind == 0 and data:
                data[at % len(data)] = chance.randrange(256)
            elif kind == 1 and data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            elif kind == 2:
                del data[at:end]
            elif kind == 3:
                data[at:at] = chance.choice(tokens)
            elif kind == 4:
                data[at:end] = chance.choice(tokens)
            elif kind == 5:
                other = chance.choice(seeds)
                first = chance.randint(0, len(other))
                data[at : at if chance.random() < 0.5 else end] = other[first : first + chance.randint(1, 40)]
            elif kind == 6:
                data[at:at] = data[at:end] * chance.choice((1, 2, 10, 500))
            else:
                other = chance.choice(seeds)
                data = data[:at] + other[chance.randint(0, len(other)) :]
        # Long ones cost much and find little that short ones do not.
        run(bytes(data[: LONGEST_INPUT if chance.random() < 0.02 else 300]))


# -- all of them


def fuzz(targets: list[str], inputs: int, minutes: float, seed: int, engine: str, jobs: int) -> int:
    """Run the targets and tell of each; returns how many crashes there are."""
    folder = OUT / f"work-{os.getpid()}"
    folder.mkdir(parents=True)
    pieces: list[tuple[str, int, int, int]] = []
    for place, name in enumerate(targets):
        if not inputs:
            pieces += [(name, job, 0, seed + 1000 * place + job) for job in range(jobs)]
        for number, done in enumerate(range(0, inputs, PIECE)):
            pieces.append((name, number, min(PIECE, inputs - done), seed + 1000 * place + number))
    each = minutes / len(targets) if minutes else 0.0
    began = time.monotonic()
    running: dict[int, tuple[subprocess.Popen[bytes], str, Path]] = {}
    found: dict[str, list[Report]] = {name: [] for name in targets}
    left = {name: sum(piece[0] == name for piece in pieces) for name in targets}
    crashes = 0
    queue = list(pieces)
    try:
        while queue or running:
            while (
                queue and len(running) < jobs and not (minutes and inputs and time.monotonic() - began > minutes * 60)
            ):
                name, number, share, own_seed = queue.pop(0)
                path = folder / f"{name}-{number}.json"
                words = ["--work", str(path), "--inputs", str(share), "--minutes", str(each), "--seed", str(own_seed)]
                with open(path.with_suffix(".log"), "wb") as log:
                    process = subprocess.Popen(
                        [sys.executable, "-m", "tests.attacks.fuzz", *words, "--engine", engine, name],
                        cwd=ROOT,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env={**os.environ, "PYTHONHASHSEED": str(own_seed % 2**32)},
                    )
                running[process.pid] = (process, name, path)
            if not running:
                break
            pid, _status = os.waitpid(-1, 0)
            if pid not in running:
                continue
            process, name, path = running.pop(pid)
            found[name].append(_result(path))
            left[name] -= 1
            if not left[name]:
                crashes += _tell(name, found[name], seed)
    finally:
        for process, _name, _path in running.values():
            process.kill()
            process.wait()
    for name in targets:
        if left[name]:
            # Its time was over.
            crashes += _tell(name, found[name], seed)
    shutil.rmtree(folder)
    return crashes


def _result(path: Path) -> Report:
    if path.exists():
        return Report(**json.loads(path.read_text()))
    # It died: of its input, if it had got to one.
    log = path.with_suffix(".log").read_text(errors="replace")
    current = path.with_suffix(".current")
    data = b""
    if current.exists():
        raw = current.read_bytes()
        data = raw[8 : 8 + int.from_bytes(raw[:8], "little")]
    return Report(1, 0.0, "", {"died": [1, data.hex(), log[-4000:]]})


def _tell(name: str, reports: list[Report], seed: int) -> int:
    total = sum(report.inputs for report in reports)
    seconds = sum(report.seconds for report in reports) or 1.0
    crashes: dict[str, list[t.Any]] = {}
    for report in reports:
        for key, (count, data, told) in report.crashes.items():
            crashes.setdefault(key, [0, data, told])[0] += count
    engine = next((report.engine for report in reports if report.engine), "?")
    print(
        f"{name}: {total} inputs, {len(crashes)} crashes (seed {seed}, {engine}, {total / seconds:.0f} a second)",
        flush=True,
    )
    for key, (count, data, told) in crashes.items():
        path = OUT / f"{name}-{key}"
        path.write_bytes(bytes.fromhex(data))
        path.with_suffix(".txt").write_text(told, errors="backslashreplace")
        print(
            f"  {count} times, kept in {path.relative_to(ROOT)}:\n    " + told.strip().replace("\n", "\n    "),
            flush=True,
        )
    return len(crashes)


def main() -> int:
    """Read the command line and do as it says; the exit status is 1 where anything crashed."""
    parser = argparse.ArgumentParser(description="Feed parsers with nonsense.", prog="python -m tests.attacks.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(names())}; all by default")
    parser.add_argument(
        "--inputs", type=int, default=0, help="inputs for each target; 20000, unless --minutes is given"
    )
    parser.add_argument("--minutes", type=float, default=0.0, help="end after so many minutes in all")
    parser.add_argument("--seed", type=int, default=0, help="do again what was done with this seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--engine", choices=("auto", "atheris", "own"), default="auto", help="where inputs come from")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run this one input, and nothing else")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    t.cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="backslashreplace")
    unknown = sorted(set(args.targets) - set(names()))
    if unknown or (args.replay and len(args.targets) != 1):
        parser.error(f"no such target: {', '.join(unknown)}" if unknown else "--replay takes one target")
    if args.work:
        work(args.targets[0], args.inputs, args.minutes, args.seed, args.engine, args.work)
    if args.replay:
        load(args.targets[0]).one_input(args.replay.read_bytes())
        print("no crash")
        return 0
    seed = args.seed or random.SystemRandom().randrange(1, 2**31)
    inputs = args.inputs or (0 if args.minutes else 20_000)
    return 1 if fuzz(args.targets or names(), inputs, args.minutes, seed, args.engine, args.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
