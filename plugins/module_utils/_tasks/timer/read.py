# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of timers before a plan: their files, links and stamps, and what systemd says of them."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved, is_empty
from ansible_collections.pidone.systemd.plugins.module_utils._engine.timers import held_by
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import TIMER
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import (
    installed_links,
    links_by_unit,
    read_links,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import UNIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import words_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable, unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.check import check_runs, missing
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.elapses import now_usec, upcoming_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.options import TimerWish, gone, marker_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.plan import job_of, needs_a_run
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.state import TimerFile, TimerState

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.timer.task import Task


# From as many units on, one look at all directories is cheaper than systemd's at the files of each.
_MANY = 30


class Reader:
    """Reads what is, for the wishes of one task."""

    def __init__(self, task: Task, manager: UnitManager) -> None:
        self._task = task
        self._manager = manager

    def read(self) -> list[TimerState]:
        """All that a plan has to know of the timers, those to be purged included."""
        if self._task.params["purge"]:
            self._task.wishes += [gone(name) for name in self._to_purge()]
        states = [TimerState(wish, self._files(wish)) for wish in self._task.wishes]
        self._drop_unknown(states)
        for state in states:
            if state.wish.absent or not self._task.offline:
                state.stamp_path = self._stamp_path(state.wish.name)
            if state.wish.absent:
                state.stamp = self._stamp(state)
        check_runs(self._task, states)
        links = links_by_unit(read_links(self._manager.link_directories(), tree=self._task.tree))
        for state in states:
            self._read_links(state, links, self._manager.link_directories())
        if not self._manager.offline:
            self._read_states(states)
        self._look_for_others(states)
        for state in states:
            self._task.warnings += state.wish.warnings
            self._look_for_the_past(state.wish)
        return states

    def _look_for_the_past(self, wish: TimerWish) -> None:
        """Warn of calendars that will never elapse, being of the past or of days that there are not."""
        for calendar in wish.calendars if wish.started else ():
            try:
                if calendar.next(now_usec()) is None:
                    self._task.warnings.append(f"{wish.where}OnCalendar: '{calendar}' will never elapse any more")
            except BadInput as e:
                # It names a time zone that Python knows nothing of.
                self._task.warnings.append(f"{wish.where}{e.msg}")

    def _to_purge(self) -> list[str]:
        """Timers that were once written with this marker and are not listed any more."""
        listed = {wish.name for wish in self._task.wishes}
        names = sorted(
            name
            for name in self._task.tree.names(self._task.directory)
            if name.endswith(".timer") and name not in listed
        )
        found = []
        for name in names:
            try:
                head = self._task.tree.read_file(f"{self._task.directory}/{name}", 1000, follow=False, head=True)
            except Unreadable:
                # A link, a directory or something else that this module did not write.
                continue
            if head is not None and marker_of(head[0]) == self._task.params["marker"]:
                found.append(name)
        return found

    def _files(self, wish: TimerWish) -> list[TimerFile]:
        texts = {} if wish.absent else wish.texts(self._task.params["marker"])
        files = [self._file(wish, wish.name, texts.get(wish.name))]
        service = self._file(wish, wish.service, texts.get(wish.service))
        mine = service.before is not None and marker_of(service.before.content) is not None
        if service.wanted is not None and not mine:
            self._check_free(wish, service)
        if service.wanted is not None or (mine and wish.unit != wish.service) or (mine and wish.absent):
            files.append(service)
        return files

    def _file(self, wish: TimerWish, name: str, wanted: str | None) -> TimerFile:
        path = f"{self._task.directory}/{name}"
        link = self._task.tree.target(path)
        if link and wanted is not None:
            hint = (
                "it is masked; unmask it first, with pidone.systemd.unit and `masked: false`"
                if link == "/dev/null"
                else "remove the link first, or name the timer otherwise"
            )
            raise BadInput(f"{wish.where}name: {path} is a link to {link}; {hint}")
        if link:
            # A mask is nothing of ours to remove, nor is a service of somebody else.
            link = "" if link == "/dev/null" or name != wish.name else link
            return TimerFile(name, path, None, link, None)
        return TimerFile(name, path, _saved(path), "", wanted)

    def _check_free(self, wish: TimerWish, service: TimerFile) -> None:
        """Refuse to take the place of a service that is somebody else's."""
        if self._task.params["force"]:
            return
        found = service.path if service.before else self._task.paths.find(service.name)
        if found is not None:
            raise BadInput(
                f"{wish.where}name: there is a {service.name} already, which this module did not write ({found}); to have the "
                f"timer start that, give `unit: {service.name}` in place of `command` and `service`; otherwise choose another "
                "name, or set `force: true` to replace it"
            )

    def _drop_unknown(self, states: t.Sequence[TimerState]) -> None:
        """With `unsupported: drop`, leave out what this systemd does not know, of files that would be written."""
        if self._task.params["unsupported"] != "drop" or not any(
            file.wanted for state in states for file in state.touched
        ):
            return
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import table_for

        table = table_for(self._task.tree, self._task.warnings)
        if table is None:
            return
        for state in states:
            if state.wish.absent or not state.touched:
                continue
            dropped = state.wish.drop_unknown(table)
            if dropped:
                state.files = self._files(state.wish)
                self._task.warnings.append(
                    f"{state.wish.name}: systemd here does not know, and is not given: {', '.join(dropped)}"
                )

    def _stamp(self, state: TimerState) -> tuple[str, Saved] | None:
        """The file in which systemd keeps when a persistent timer elapsed last."""
        if self._task.params["scope"] == "global":
            return None
        saved = _saved(state.stamp_path)
        return (state.stamp_path, saved) if saved is not None else None

    def _stamp_path(self, name: str) -> str:
        place = (
            f"{self._task.session.home}/.local/share"
            if self._task.params["scope"] == "user"
            else f"{self._task.root}/var/lib"
        )
        return self._task.tree.real(f"{place}/systemd/timers/stamp-{name}")

    def _read_links(
        self, state: TimerState, links: t.Mapping[str, t.Mapping[str, str]], directories: t.Sequence[str]
    ) -> None:
        wish, own = state.wish, f"{self._task.directory}/{state.wish.name}"
        names = [wish.name]
        if wish.absent and any(file.name == wish.service for file in state.touched):
            names.append(wish.service)
        state.links = {
            path: target
            for name in names
            for path, target in links.get(name, {}).items()
            if path != own and target != "/dev/null"
        }
        install = wish.installs()
        state.wanted_links += installed_links(directories[0], wish.name, lambda key: _words(install.get(key)))
        if any("%" in path for path in state.wanted_links):
            # Only systemd can tell where they will be.
            state.wanted_links = list(state.links) or state.wanted_links

    def _read_states(self, states: t.Sequence[TimerState]) -> None:
        others = {s.wish.unit: s.wish for s in states if not s.wish.absent and s.wish.service_sections is None}
        # Those that the same task writes.
        own = {s.wish.service for s in states if not s.wish.absent and s.wish.service_sections is not None}
        names = [state.wish.name for state in states]
        statuses = self._manager.status([*names, *others])
        for state, status in zip(states, statuses):
            state.status = status
        for (name, wish), status in zip(others.items(), statuses[len(names) :]):
            if status.load_state == "masked":
                raise BadInput(f"{wish.where}unit: {name} is masked, so no timer can start it; unmask it first")
            if status.load_state in ("bad-setting", "error"):
                self._check_loads(name, wish)
            if status.load_state == "not-found" and name not in own and self._task.paths.find(name) is None:
                missing(
                    self._task,
                    f"{wish.where}unit",
                    f"there is no unit {name} on this host",
                    "write it first, correct the name, or give `command` for a service of the timer's own",
                )
        self._read_freshness(states)
        for state in states:
            drop_in = held_by(self._task.paths.runtime, state.wish.name)
            state.held = not state.wish.absent and os.path.exists(drop_in)
            directory = os.path.dirname(drop_in)
            state.leftover = directory if is_empty(directory) else ""
        self._read_missed([state for state in states if state.wish.calendars and job_of(state) in ("start", "restart")])

        self._read_first_runs([state for state in states if needs_a_run(state) and job_of(state) == "restart"])

    def _read_first_runs(self, states: t.Sequence[TimerState]) -> None:
        """Of timers that wait for a run to count from, whether there was one since the boot."""
        asked = []
        for state in states:
            asked.append((object_path(state.wish.unit), UNIT, "InactiveExitTimestampMonotonic"))
            asked.append((object_path(state.wish.name), TIMER, "LastTriggerUSecMonotonic"))
        values = iter(self._manager.properties(asked) if asked else ())
        for state in states:
            runs = [next(values), next(values)]
            state.never_ran = not any(runs)

    def _check_loads(self, name: str, wish: TimerWish) -> None:
        """Refuse a unit that systemd cannot load, unless its file is another one by now."""
        path = object_path(name)
        stale, error = self._manager.properties([(path, UNIT, "NeedDaemonReload"), (path, UNIT, "LoadError")])
        if not stale:
            why = error[1] if error and error[1] else "its file is not valid"
            raise BadInput(
                f"{wish.where}unit: systemd cannot load {name}, so no timer can start it: {why}; correct its file "
                f"(`systemd-analyze verify {name}` tells more)"
            )

    def _read_missed(self, states: t.Sequence[TimerState]) -> None:
        """Of timers that are to be started, whether systemd would run the service for that although it is not to.

        It is to where a persistent timer was down. Systemd 252 runs it too where a timer that is not persistent was down.
        """
        known = [state for state in states if state.status and state.status.load_state == "loaded"]
        now = now_usec()
        paths = [(object_path(state.wish.name), UNIT, "InactiveExitTimestamp") for state in known]
        for state, since in zip(known, self._manager.properties(paths) if paths else ()):
            if state.wish.persistent:
                state.stamp = self._stamp(state)
                if state.stamp and not state.up:
                    continue
                since = state.stamp[1].times[1] // 1000 if state.stamp else since
            state.missed = bool(since) and any(
                when <= now for when in upcoming_of(state.wish.calendars, 1, min(since, now))
            )

    def _read_freshness(self, states: t.Sequence[TimerState]) -> None:
        """Whether systemd has read the files that are right already; an earlier run may not have got to its reload."""
        pairs = [
            (state, file) for state in states if not state.wish.absent for file in state.files if file.changed is None
        ]
        fresh: set[str] = set()
        if len(pairs) >= _MANY:
            from ansible_collections.pidone.systemd.plugins.module_utils._systemd.freshness import surely_fresh

            fresh = surely_fresh(self._manager, [file.name for _state, file in pairs])
        pairs = [(state, file) for state, file in pairs if file.name not in fresh]
        asked = ("NeedDaemonReload", "FragmentPath")
        values = iter(
            self._manager.properties([(object_path(f.name), UNIT, what) for _state, f in pairs for what in asked])
        )
        for state, file in pairs:
            need, fragment = next(values), next(values)
            if need or (fragment != file.path and self._should_count(file.path)):
                if file.name == state.wish.name:
                    state.stale = True
                else:
                    state.stale_service = True

    def _should_count(self, path: str) -> bool:
        """Whether systemd would read the file: it is in no other's shadow, and in a directory that is looked into."""
        return self._task.paths.shadows(path) is None and self._task.directory in self._manager.unit_path()

    def _look_for_others(self, states: t.Sequence[TimerState]) -> None:
        """Say what keeps files from having an effect, or what is left where a timer is not ours to remove."""
        for state in states:
            wish = state.wish
            if wish.absent:
                found = (
                    self._task.paths.find(wish.name, without=(state.files[0].path,))
                    if not state.files[0].link
                    else None
                )
                if found is not None and not state.touched:
                    # It is not ours, and neither are its links.
                    state.links, state.stamp = {}, None
                if found is not None and not wish.purged:
                    self._task.warnings.append(
                        f"{wish.name} is left as {found}, which is not this module's to remove; "
                        "stop, disable or mask it with pidone.systemd.unit"
                    )
                continue
            for file in state.files:
                better = self._task.paths.shadows(file.path)
                if better is not None and file.wanted is not None:
                    self._task.warnings.append(
                        f"{file.path} has no effect while there is {better}, which systemd prefers"
                    )


def _words(value: t.Any) -> list[str]:
    """The words of a directive that takes a list, given as text or as a list."""
    return [word for item in (value if isinstance(value, list) else [value or ""]) for word in words_of(str(item))]


def _saved(path: str) -> Saved | None:
    try:
        return Saved.of(path)
    except OSError as e:
        raise unreadable(path, e) from e
