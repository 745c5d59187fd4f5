# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests on real hosts: a plugin of pytest, which the conftest.py of each folder of such tests names.

``host``      a running host, shared by all tests of the session. Each test has one of the three versions of systemd, always the
              same one; with PIDONE_FULL=1 (``make test-full``) it has all three, or those that ``--lab-kinds`` or PIDONE_HOSTS
              name. ``@every_version`` says that the versions differ in what is tested: it has all three at any time.
              ``@in_full`` leaves a test to ``make test-full``: what takes long and repeats in another setting what others test.
              ``@pytest.mark.lab_kinds("trixie", "runit")`` on a test, class or module chooses others.
              ``host.ansible(module, args, ...)`` runs a real task over SSH.
``lab``       a factory: ``lab("trixie")`` is the session's host of that kind; ``lab("trixie", "second")`` another one.
``fresh``     a factory for hosts of the test's own, removed after it: ``fresh("trixie")`` (about 0.6 s).

Tests share hosts: each uses unit names of its own and removes what it made. With ``-n 4 --dist loadgroup`` the tests of one
file on one version of systemd run in one process, and all tests on another kind of host in one process.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import typing as t
import zlib

import pytest

from tests.lab import registry, runner
from tests.lab.full import is_full
from tests.lab.host import Host

DEFAULT_KINDS = ("bullseye", "bookworm", "trixie")
# For tests, classes and modules (``pytestmark = every_version``).
every_version = pytest.mark.lab_kinds(*DEFAULT_KINDS)
in_full = pytest.mark.full


class Lab:
    """The hosts of this pytest process, by (kind, label); they belong to it, so that nothing survives it."""

    def __init__(self) -> None:
        self.hosts: dict[tuple[str, str], Host] = {}
        self.numbers = itertools.count()
        # Hosts that did not come up: waiting for one again would take as long again.
        self.failed: dict[tuple[str, str], Exception] = {}

    def __call__(self, kind: str, label: str = "") -> Host:
        host = self.hosts.get((kind, label))
        if host is None or not host.alive():
            if host is not None:
                host.remove()
            name = "-".join(word for word in (f"t{os.getpid()}", kind, label) if word)
            if (kind, label) in self.failed:
                raise AssertionError(f"{name} did not come up before") from self.failed[kind, label]
            try:
                (host,) = registry.up({name: kind}, owner=os.getpid(), keep_bytecode=True)
            except Exception as e:
                self.failed[kind, label] = e
                raise
            self.hosts[kind, label] = host
        return host

    def fresh(self, kind: str) -> Host:
        """A host that nobody else has seen."""
        return self(kind, f"fresh{next(self.numbers)}")

    def forget(self, host: Host) -> None:
        """Take one host down."""
        self.hosts = {key: value for key, value in self.hosts.items() if value is not host}
        registry.down([host.name])

    def close(self) -> None:
        """Take all hosts down."""
        registry.down([host.name for host in self.hosts.values()])
        self.hosts.clear()
        runner.close()


_LAB = Lab()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--lab-kinds``."""
    parser.addoption("--lab-kinds", metavar="KIND,...", help="run the tests on these kinds of hosts only")


def pytest_configure(config: pytest.Config) -> None:
    """Register markers; let SIGTERM end the session in order, like SIGINT, so that hosts are taken down."""
    config.addinivalue_line(
        "markers", "lab_kinds(*kinds): the kinds of hosts a test is for (default: the three of systemd)"
    )
    config.addinivalue_line("markers", "xdist_group(name): tests that run in the same process")
    config.addinivalue_line("markers", "full: tests of `make test-full` only")

    if not hasattr(config, "workerinput"):
        # the process that starts all others, which have its environment
        archives = contextlib.ExitStack()
        archives.enter_context(runner.shared_archives())
        config.add_cleanup(archives.close)

    def interrupt(number: int, frame: object) -> t.NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _chosen(config: pytest.Config) -> list[str] | None:
    text = config.getoption("--lab-kinds") or os.environ.get("PIDONE_HOSTS", "")
    return text.replace(",", " ").split() or None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat tests that use ``host`` for each kind."""
    if "host" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("lab_kinds")
    chosen = _chosen(metafunc.config)
    if marker:
        kinds = list(marker.args)
    elif chosen is not None or is_full():
        kinds = list(DEFAULT_KINDS)
    else:
        kinds = [DEFAULT_KINDS[zlib.crc32(metafunc.definition.nodeid.encode()) % len(DEFAULT_KINDS)]]
    if chosen is not None:
        # what a marker asks for beyond the versions of systemd (runit, vm, ...) is not narrowed by a choice of versions
        kinds = [
            kind
            for kind in kinds
            if kind in chosen or (kind not in DEFAULT_KINDS and set(chosen) <= set(DEFAULT_KINDS))
        ]
    # What a process has booted it keeps. The versions of systemd boot in a second or two, so that the tests of each file
    # may run in any process, and none has to wait for a longest one; the others are booted once.
    groups = [f"{kind}/{metafunc.module.__name__}" if kind in DEFAULT_KINDS else kind for kind in kinds]
    params = [
        pytest.param(kind, marks=pytest.mark.xdist_group(group), id=kind) for kind, group in zip(kinds, groups, strict=True)
    ]
    metafunc.parametrize("host", params, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes one process long (other kinds of hosts, whole migrations), so that none of it is left for the
    end; leave out what is for a full run, unless it is named."""
    if not is_full() and not any("::" in argument for argument in config.args):
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]

    def is_short(item: pytest.Item) -> bool:
        chosen = getattr(item, "callspec", None)
        return chosen is not None and chosen.params.get("host") in DEFAULT_KINDS

    items.sort(key=is_short)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run where pytest-xdist lost the groups, and each process would boot hosts of every kind."""
    grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
    if session.config.getoption("loadgroup", False) and any("@" not in item.nodeid for item in grouped):
        raise pytest.UsageError("pytest-xdist does not know this pytest's groups of tests; see tests/requirements.txt")


@pytest.fixture(scope="session", autouse=True)
def _take_down() -> t.Iterator[None]:
    try:
        yield
    finally:
        _LAB.close()


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The factory of the session's hosts."""
    return _LAB


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> t.Iterator[Host]:
    """The session's host of the kind that the test is run for."""
    made = _LAB(request.param)
    yield made
    if request.param not in DEFAULT_KINDS:
        # Its tests are over; an idle virtual machine still takes a fifth of a processor.
        _LAB.forget(made)


@pytest.fixture
def fresh() -> t.Iterator[t.Callable[[str], Host]]:
    """A factory of hosts that are removed after the test."""
    made: list[Host] = []

    def make(kind: str) -> Host:
        made.append(_LAB.fresh(kind))
        return made[-1]

    yield make
    for each in made:
        _LAB.forget(each)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> t.Iterator[None]:
    """Show the end of the host's journal with a failure."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    used = getattr(item, "funcargs", {}).get("host")
    if report.when == "call" and report.failed and isinstance(used, Host) and used.alive():
        try:
            journal = used.run("journalctl --no-pager --quiet --lines 40 --output short-precise", timeout=10)
        except Exception as exc:  # the report of the failure itself matters more
            report.sections.append((f"journal of {used.name}", f"not to be had: {exc}"))
        else:
            report.sections.append((f"journal of {used.name}", journal.stdout + journal.stderr))
