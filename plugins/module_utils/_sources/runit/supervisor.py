# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service directory under runsv or supervise: how it lets go of its service, and has it again as it had it.

Two rules keep a service from running twice. It is stopped only when its links are gone, and let go only when the lock of its
supervisor is ours; and that is given back before any link is.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short, shown
from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import Now
from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.control import SCAN, Supervised

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.protocol import (
        Files,
        Memo,
        Service,
        Snapshot,
        Was,
    )
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.runit.control import Live

_PAUSE = 0.05
# A logger that does not end with its input is told to, after this.
_LOG_PATIENCE = 5.0
_SURE = 1.2
# By then what ran before runs again, or never will.
_COMES_UP = 60.0


class ServiceDirectory:
    """See `Supervisor`. The memo has, as records of version 1 had:

    `links`: those of scanned directories, with their targets. `was`: the state as it was found: `running`, `wanted`, `down`,
    `once` and `supervised` of `Live`, and `enabled`. `held_down`: whether there is a file `down` that is ours, for the moment.

    :param links: what leads to it from scanned directories now, with their targets.
    :param problems: what stands in the way of moving it, whichever way.
    """

    patience = 2 * SCAN

    def __init__(
        self,
        service: Service,
        source: str,
        memo: Memo,
        files: Files,
        links: t.Mapping[str, str],
        problems: t.Sequence[str] = (),
    ) -> None:
        self.name, self.path, self.source = service.name, service.path, source
        self.memo = memo
        _check(service.name, memo)
        self.supervised = Supervised(service.path, source)
        self._files = files
        self._begun = service.begun
        self._problems = list(problems)
        # The record keeps those that an interrupted run took away.
        self.links_now = {**memo["links"], **links} if service.begun else dict(links)
        self._live: Live | None = None

    @property
    def was(self) -> Was:
        """See `Supervisor`."""
        was = self.memo["was"]
        running = bool(was.get("running"))
        return {"running": running, "up": running or was.get("wanted") == "up", "enabled": bool(was.get("enabled"))}

    # -- as it is

    def now(self) -> Now:
        """See `Supervisor`."""
        return self._seen(self.supervised.status())

    def found(self) -> Now:
        """See `Supervisor`."""
        live = self.supervised.status()
        there = [path for path in self.links_now if os.path.lexists(path)]
        if there and not live["supervised"] and (not self._begun or len(there) == len(self.links_now)):
            # Linked a moment ago, perhaps, by somebody or by an interrupted way back.
            self.supervised.wait(lambda status: bool(status["supervised"]), time.monotonic() + SCAN + 1.5)
            live = self.supervised.status()
        self._live = live
        return self._seen(live)

    def _seen(self, live: Live) -> Now:
        return Now(bool(self.links_now) or live["supervised"], live["running"], live["pid"], live["since"])

    def problems(self, found: Now | None = None) -> list[str]:
        """See `Supervisor`."""
        if found is None or self._begun or self._problems:
            return self._problems
        there = next((path for path in self.links_now if os.path.lexists(path)), None)
        if there is not None and self._live is not None and not self._live["supervised"]:
            return [
                f"it is linked as {there}, but nothing supervises it, so it cannot be seen whether and how it runs; start "
                "runsvdir (svscan), or remove the link if the service is not in use"
            ]
        if not found.held and not os.path.exists(f"{self.path}/run"):
            return [
                f"{self.path} is not a service directory on this host (it has no `run`); correct `definition.path`, or "
                "leave the service out"
            ]
        return []

    def note(self) -> None:
        """See `Supervisor`."""
        live = self._live or self.supervised.status()
        links, held_down = self.links_now, self.memo["held_down"]
        stable = live["supervised"] and all(os.path.lexists(path) for path in links) and not held_down
        if not self._begun or (stable and (live["running"] or live["wanted"] != "up")):
            self.memo["was"] = {
                "running": live["running"],
                "wanted": live["wanted"],
                "down": live["down"],
                "once": live["once"],
                "supervised": live["supervised"],
                "enabled": bool(links) and not live["down"] and not live["once"],
            }
        self.memo["links"] = links

    def beside(self, name: str) -> str:
        """See `Supervisor`."""
        for link in self.links_now:
            other = Supervised(f"{os.path.dirname(link)}/{name}", self.source)
            if other.status()["running"]:
                return other.path
        return ""

    # -- away

    @property
    def taking(self) -> str:
        """See `Supervisor`."""
        links = list(self.memo["links"])
        return f" and unlink {short(links)}" if links else ""

    def take(self) -> None:
        """See `Supervisor`."""
        failure: OSError | None = None
        for path in self.memo["links"]:
            try:
                self._files.remove_link(path)
            except OSError as e:
                failure = failure or e
        if failure is not None:
            raise failure

    def stop(self, deadline: float, before: Snapshot | None) -> None:
        """See `Supervisor`."""
        if before and os.path.basename(before["program"]) == "runsvdir":
            self._end_supervisors(before["pid"])
        told = False
        quiet_since = 0.0
        supervised = self.supervised
        log = supervised.log
        while True:
            if supervised.is_supervised():
                if not told:
                    supervised.leave()
                    told = True
                running = supervised.status()["running"]
                quiet_since = quiet_since or (0.0 if running else time.monotonic())
                if log is not None and quiet_since and time.monotonic() - quiet_since > _LOG_PATIENCE:
                    # It should have ended with its input.
                    log.control(b"d")
                    quiet_since = time.monotonic()
            elif self.source == "daemontools" and log is not None and log.is_supervised():
                # Supervised on its own there.
                log.leave()
                time.sleep(_PAUSE)
            elif supervised.lock():
                return
            if time.monotonic() >= deadline:
                status = supervised.status()
                why = "its supervisor did not exit"
                if status["pid"]:
                    what = "process" if status["running"] else "its finish script, process"
                    why = f"{what} {status['pid']}{',' if not status['running'] else ''} still runs"
                raise SystemdError(
                    f"{self.name} did not stop under {self.source}: {why}; see why, or give it more time in `timeout`"
                )
            time.sleep(_PAUSE)

    def _end_supervisors(self, pid: int) -> None:
        """Have a runsvdir, which runs as a service such as that of a user, end with all that it supervises.

        SIGTERM would leave its runsv behind, and those hold the locks that the next runsvdir needs: runsvdir(8).
        """
        import signal

        # Not to be started again, until its supervisor is told to exit.
        self.supervised.control(b"o")
        try:
            os.kill(pid, signal.SIGHUP)
        except ProcessLookupError:
            pass

    def release(self) -> None:
        """See `Supervisor`."""
        self.supervised.unlock()

    def finished(self) -> None:
        """See `Supervisor`."""
        if self.memo["held_down"]:
            self._files.remove(self._down)
            self.memo["held_down"] = False

    # -- and back

    @property
    def _down(self) -> str:
        return f"{self.path}/down"

    @property
    def giving(self) -> str:
        """See `Supervisor`."""
        return f"link {short(list(self.memo['links'])) or 'nothing'}"

    def give_back(self, save: t.Callable[[], None]) -> None:
        """See `Supervisor`."""
        self.release()
        links = self.memo["links"]
        if not links and self.memo["was"].get("supervised"):
            raise SystemdError(
                f"{self.name} had a supervisor but no link in a scanned directory; start its supervisor by hand"
            )
        if links and not self.was["up"] and not os.path.lexists(self._down):
            # runsv starts what has no such file, and looks for it only once.
            self.memo["held_down"] = True
            save()
            with open(self._down, "w", encoding="ascii"):
                pass
        elif self.was["up"] and self.memo["held_down"]:
            self.finished()
        for path, target in links.items():
            self._files.make_link(path, target)

    def settled(self, timeout: float) -> int | None:
        """See `Supervisor`."""
        if not self.memo["links"]:
            return None
        supervised = self.supervised
        deadline = time.monotonic() + max(timeout, 2 * SCAN)
        if not supervised.wait(lambda status: bool(status["supervised"]), deadline):
            raise SystemdError(f"{self.name} is linked again, but nothing supervises it; is runsvdir running?")
        pid = None
        if self.was["up"]:
            if self.memo["was"].get("once"):
                supervised.control(b"o")
            elif os.path.lexists(self._down) or supervised.status()["wanted"] != "up":
                # One that would not stop in time still waits for its end, to exit then.
                supervised.control(b"u")
            if self.was["running"]:
                pid = self._see_it_run(time.monotonic() + min(timeout, _COMES_UP))
        if self.memo["held_down"]:
            # Its supervisor has looked for the file by the time that it knows the state.
            supervised.wait(lambda status: status["wanted"] == "down", time.monotonic() + SCAN)
            self.finished()
        return pid

    def _see_it_run(self, deadline: float) -> int:
        """Wait until the service runs, for longer than a moment; returns its process."""
        supervised = self.supervised
        while True:
            if not supervised.wait(lambda status: bool(status["running"] and status["pid"]), deadline):
                raise SystemdError(f"{self.name} did not come up again under {self.source}")
            status = supervised.status()
            pid = status["pid"]
            # Longer than the second after which runsv starts again what died at once.
            time.sleep(max(0.0, min(_SURE, status["since"] + _SURE - time.time())))
            status = supervised.status()
            if pid and status["pid"] == pid and status["running"]:
                return pid


def _check(name: str, memo: Memo) -> None:
    """Fill in what a memo lacks.

    :raises SystemdError: something in it is none of its type.
    """
    for key, default in (("links", {}), ("was", {}), ("held_down", False)):
        value = memo.setdefault(key, type(default)())
        good = isinstance(value, type(default))
        if good and key == "links":
            good = all(path.startswith("/") and isinstance(target, str) for path, target in value.items())
        if not good:
            raise SystemdError(
                f"the record of an earlier handover of {name} is damaged: {shown(key)} is {shown(value)}; remove that record "
                "if the service is where it belongs"
            )
