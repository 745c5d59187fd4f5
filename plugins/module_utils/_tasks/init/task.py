# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `init_handover` module's task: a host that boots another init system boots systemd, and the way back.

`prepared` runs under the old init and writes everything that the first boot of systemd needs; `confirmed` runs under systemd,
compares what runs with what ran, and makes it last; `given_back` undoes both. What has to outlive the reboot is in one record.
"""

from __future__ import annotations

import base64
import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine import durable
from ansible_collections.pidone.systemd.plugins.module_utils._engine.carry_out import carry_through
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Context, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import FileTools, WriteFile
from ansible_collections.pidone.systemd.plugins.module_utils._engine.lock import DIRECTORY, Lock
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import timeout_of
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import UnitFileLinks
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, explained, short
from ansible_collections.pidone.systemd.plugins.module_utils._observe.processes import snapshot
from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import listeners
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import (
    is_masked,
    link_directories,
    read_links,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import jobs_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText, parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.options import Given, check_services
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.records import Store
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.switch import (
    TRIAL,
    UNITS,
    ChooseSystemd,
    Forget,
    GoBack,
    Init,
    SwitchInit,
    trial_units,
)

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.parity import Difference
    from ansible_collections.pidone.systemd.plugins.module_utils._observe.sockets import Listener
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.verify import Moved, Told

if t.TYPE_CHECKING:
    # A file as `Saved.as_data` writes it, or `{"link": TARGET}`.
    Picture = t.Dict[str, t.Any]

    class Asked(t.TypedDict):
        """What the task asked for, by which the same task, run again, finds nothing to do."""

        # Path -> text.
        files: dict[str, str]
        enable: list[str]
        disable: list[str]
        # Seconds.
        trial: int


RECORD = "/var/lib/pidone.systemd/init-handover.json"
_LOCK = f"{DIRECTORY}/init.lock"


def converge(module: Module) -> dict[str, t.Any]:
    """Bring the host's init to the state that the module's options ask for; returns the module's result."""
    task = _Task(module)
    states = {
        "prepared": task.prepare,
        "confirmed": task.confirm,
        "given_back": task.give_back,
        "finished": task.finish,
    }
    if module.check_mode:
        return states[module.params["state"]]()
    lock = Lock(_LOCK)
    try:
        lock.acquire(task.timeout, "init_handover")
    except OSError as e:
        raise explained(e, f"make {_LOCK}, by which tasks wait for each other") from e
    try:
        # As it is now that nobody else changes it.
        task.record = Record.load()
        return states[module.params["state"]]()
    finally:
        lock.release()


class Record:
    """What is kept on the host: the phase, the files and links as they were, and what ran before."""

    def __init__(self, data: dict[str, t.Any], path: str = RECORD) -> None:
        self.path = path
        self.phase: str = data.get("phase", "")
        self.services: list[Moved] = data.get("services", [])
        self.files: dict[str, Picture | None] = data.get("files", {})
        self.links: dict[str, str] = data.get("links", {})
        self.units: list[str] = data.get("units", [])
        self.listeners: dict[str, Listener] = data.get("listeners", {})
        self.old: str = data.get("old", "")
        # What the task asked for: `files`, `enable`, `disable`, `trial`.
        self.asked: Asked | dict[str, t.Any] = data.get("asked", {})

    @classmethod
    def load(cls, path: str = RECORD) -> Record:
        """The record; one with an empty phase where there is none.

        :raises SystemdError: it cannot be read, or others than root can write it.
        """
        # What an earlier version of the collection wrote has no number of its version.
        data = _store(path).read(_name(path), (1, None))
        return cls(data or {}, path)

    def save(self) -> None:
        """Write it, so that it survives whatever comes next."""
        _store(self.path).write(_name(self.path), {key: value for key, value in self.__dict__.items() if key != "path"})

    def forget(self) -> None:
        """Remove it for good."""
        _store(self.path).forget(_name(self.path))


def _store(path: str) -> Store:
    return Store(os.path.dirname(path))


def _name(path: str) -> str:
    return os.path.basename(path)[: -len(".json")]


class Keep(Step):
    """Write the record in a new phase."""

    counts = False

    def __init__(self, record: Record, phase: str) -> None:
        super().__init__((record.path,))
        self._record, self._phase = record, phase

    def describe(self) -> str:
        return f"note {self._phase} in {self._record.path}"

    def apply(self, ctx: Context) -> bool:
        self._record.phase = self._phase
        self._record.save()
        return False


class PutBack(Step):
    """Make files and links what they were before, from the record.

    :param trial: whether the links of the trial go too.
    """

    def __init__(self, record: Record, trial: bool = True) -> None:
        super().__init__(tuple(record.files or record.units))
        self._record = record
        self._trial = TRIAL if trial else ()

    def describe(self) -> str:
        return f"put back {short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        for path, was in self._record.files.items():
            _restore(path, was)
        directories = link_directories("system")
        mine = {*self._record.units, *self._trial}
        for path, target in read_links(directories).items():
            if (
                _leads(path, target) in mine
                and self._record.links.get(path) != target
                and path not in self._record.files
            ):
                durable.remove(path)
                durable.remove_empty(os.path.dirname(path))
        for path, target in self._record.links.items():
            if not os.path.lexists(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.symlink(target, path)
        return True


class RemoveTrial(Step):
    """Stop and remove the units of the first boot."""

    def __init__(self) -> None:
        super().__init__(TRIAL)

    def describe(self) -> str:
        return "remove the units of the trial"

    def apply(self, ctx: Context) -> bool:
        if not ctx.manager.offline:
            jobs = ctx.manager.enqueue([(TRIAL[1], "stop")])
            ctx.manager.wait_for_jobs(jobs_of(jobs), ctx.deadline())
        changed = _remove_trial()
        ctx.manager.reload()
        return changed


class _Task:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.params = module.params
        self.check = module.check_mode
        self.init = Init()
        self.record = Record.load()
        self.given = check_services(self.params["services"] or ())
        self.accept = list(self.params["accept"])
        self.timeout = timeout_of(self.params)
        self.settle = parse_timespan(self.params["settle"], "settle") / 1e6
        self.trial = parse_timespan(self.params["trial"], "trial") // 1_000_000
        self.warnings: list[str] = []
        with open("/proc/1/comm", encoding="utf-8", errors="replace") as file:
            self.first = file.read().strip()
        if os.geteuid() != 0:
            raise SystemdError("another init system is only for root to choose: add `become: true` to the task or play")

    @property
    def booted(self) -> bool:
        """Whether systemd is PID 1."""
        return os.path.isdir("/run/systemd/system") and self.first == "systemd"

    def result(self, plan: Plan | None, **more: t.Any) -> dict[str, t.Any]:
        """What every state returns."""
        old = self.init.old_program()
        result: dict[str, t.Any] = {
            "changed": bool(plan and plan.changed),
            "phase": self.record.phase,
            "runs": self.first,
            "boots": self.init.boots(),
            "reboot": False,
            # Under the old init, the command `reboot` may go by way of /sbin/init, which is systemd's already.
            "reboot_command": "systemctl reboot" if self.booted else f"{old} 6" if old else "reboot",
            "services": [],
            "warnings": self.warnings,
            **more,
        }
        return {**result, **(plan.report(self.module._diff) if plan else {})}

    # -- under the old init

    def prepare(self) -> dict[str, t.Any]:
        """Write what the first boot of systemd needs."""
        if self.booted:
            if not self.record.phase:
                raise SystemdError(
                    "systemd is PID 1 on this host already, and not by the doing of this module: "
                    "hand over its services with pidone.systemd.service_handover"
                )
            return self.result(None, reboot=self.record.phase == "given_back")
        waits = self.record.phase == "prepared" and self.init.boots() == "systemd"
        files, enable, disable = self._wanted()
        asked = {"files": files, "enable": enable, "disable": disable, "trial": self.trial}
        if waits and asked == self.record.asked and all(_has(path, text) for path, text in files.items()):
            return self.result(None, reboot=True, services=self._told("planned"))
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.offline import open_offline

        if self.record.phase == "prepared" and not waits:
            self.warnings.append(
                "an earlier first boot of systemd was not confirmed, and the host went back; this is another try"
            )
        fresh = self._new_record(files)
        fresh.asked = asked
        dropped = Record({})
        if self.record.phase in ("prepared", "begun"):
            # An earlier run: what was there before it began is in its record, and what it wrote for services that are
            # not to be moved any more has to go.
            old = self.record
            fresh.files.update(old.files)
            known = {*old.units, *TRIAL}
            new = {path: target for path, target in fresh.links.items() if _leads(path, target) not in known}
            fresh.links = {**new, **old.links}
            dropped.files = {path: was for path, was in old.files.items() if path not in files}
            dropped.units = [name for name in old.units if name not in fresh.units]
            dropped.links = old.links
        self.record = fresh
        self._verify(files)
        plan = self._plan_preparation(files, enable, disable, dropped)
        ctx = Context(open_offline("system", None), self.timeout)
        carry_through(self.module, plan, ctx, rollback=True)
        return self.result(plan, reboot=True, services=self._told("planned"))

    def _wanted(self) -> tuple[dict[str, str], list[str], list[str]]:
        """Files to write (path -> text), units to enable, and units to disable."""
        files: dict[str, str] = {}
        enable: list[str] = []
        disable: list[str] = []
        for given in self.given:
            for unit in given.units:
                if unit.content is None:
                    raise BadInput(
                        f"{given.where}.units: {unit.name} has no content; write it, or give a unit of the host as `packaged`"
                    )
                files[f"{UNITS}/{unit.name}"] = unit.content
            for dropin in given.dropins:
                files[f"{UNITS}/{dropin.unit}.d/{dropin.name}"] = dropin.content
            names = [unit.name for unit in given.units if parse(unit.content or "").can_be_enabled()]
            if given.packaged:
                names.append(given.packaged)
            if not given.units and not given.packaged:
                raise BadInput(f"services: {given.name} has no unit; exclude it, or write one by hand")
            (enable if _is_wanted(given) else disable).extend(names)
        return files, enable, disable

    def _new_record(self, files: t.Mapping[str, str]) -> Record:
        services: list[Moved] = []
        for given in self.given:
            pid = given.state.get("pid")
            services.append(
                {
                    "name": given.name,
                    "path": given.path,
                    "units": [unit.name for unit in given.units] or [given.packaged],
                    "packaged": bool(given.packaged),
                    "accept": given.accept,
                    "wanted": _is_wanted(given),
                    "before": snapshot(pid) if pid else None,
                }
            )
        units = [name for service in services for name in service["units"]]
        every = {*units, *TRIAL}
        kept = {
            path: target
            for path, target in read_links(link_directories("system")).items()
            if _leads(path, target) in every
        }
        return Record(
            {
                "phase": "begun",
                "services": services,
                "units": units,
                "files": {path: _picture(path) for path in files},
                "links": kept,
                "listeners": listeners(),
                "old": self.init.old_program(),
            }
        )

    def _verify(self, files: t.Mapping[str, str]) -> None:
        import shutil
        import tempfile

        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import load_table
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.verify import explain, verify_units

        texts: dict[str, tuple[UnitText, str]] = {}
        for path, raw in files.items():
            text = parse(raw)
            if text.problems:
                raise BadInput(explain(text.problems, path, "does not parse; nothing has been changed"))
            if os.path.dirname(path) == UNITS:
                texts[os.path.basename(path)] = (text, raw)
        table = load_table()
        if table is None:
            # In check mode the package may not have been installed.
            if not self.check:
                raise SystemdError("there is no systemd on this host; install the package systemd first")
            self.warnings.append("systemd is not installed yet, so the units have not been checked")
            return
        if not texts:
            return
        scratch = tempfile.mkdtemp(prefix="verify-", dir=self.module.tmpdir)
        try:
            verdicts = verify_units(texts, UnitPaths("system"), table, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        for name, (errors, warnings) in verdicts.items():
            if errors:
                raise BadInput(
                    explain(errors, name, "was not accepted by this host's systemd, and nothing has been changed")
                )
            self.warnings += [f"{name}: {warning}" for warning in warnings]

    def _plan_preparation(
        self, files: t.Mapping[str, str], enable: list[str], disable: list[str], dropped: Record
    ) -> Plan:
        tools = FileTools(lambda path, check: False, label=lambda path: self.module.set_context_if_different(
            path, self.module.selinux_default_context(path), False))  # fmt: skip
        steps: list[Step] = [Keep(self.record, "begun")]
        if dropped.files or dropped.units:
            steps.append(PutBack(dropped, trial=False))
        diffs = []
        everything = {**files, **{f"{UNITS}/{name}": text for name, text in trial_units(self.init, self.trial).items()}}
        for path, text in everything.items():
            content = text.encode()
            before = None if os.path.islink(path) else Saved.of(path)
            if before is not None and before.content == content:
                continue
            steps.append(WriteFile(path, content, before, tools))
            if path in files:
                old = before.content.decode("utf-8", "replace") if before else ""
                diffs.append({"before": old, "after": text, "before_header": path, "after_header": path})
        directories = link_directories("system")
        masked = [name for name in enable if is_masked(name) and f"{UNITS}/{name}" not in files]
        if masked:
            steps.append(UnitFileLinks("unmask", masked, directories))
        if disable:
            steps.append(UnitFileLinks("disable", disable, directories))
        steps.append(UnitFileLinks("enable", [*enable, TRIAL[0], TRIAL[1]], directories, force=True))
        steps += [SwitchInit(self.init), Keep(self.record, "prepared")]
        plan = Plan(steps, [Change("/sbin/init", self.init.boots(), "systemd")])
        plan.file_diffs = diffs
        return plan

    # -- under systemd

    def confirm(self) -> dict[str, t.Any]:
        """Compare what runs with what ran, and stay with systemd if it is as good."""
        if not self.booted:
            if self.record.phase in ("prepared", "begun"):
                back = self.init.boots() != "systemd"
                raise SystemdError(
                    f"{self.first} is PID 1, not systemd: "
                    + ("the first boot of systemd was not confirmed in time, or did not get far, and the host went back"
                       if back else "reboot the host first"),
                    fell_back=back, **self._facts(),
                )  # fmt: skip
            raise SystemdError(f"{self.first} is PID 1 and nothing has been prepared; use `state: prepared` first")
        if self.record.phase in ("confirmed", "finished"):
            return self.result(None, services=self._told("already"))
        if self.record.phase not in ("prepared", "begun"):
            raise SystemdError(f"nothing is to be confirmed ({self.record.phase or 'no record'} in {RECORD})")
        from ansible_collections.pidone.systemd.plugins.module_utils._dbus.carrier import import_jeepney
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import open_manager
        from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.verify import verify

        with open_manager("system", None, import_jeepney) as manager:
            ctx = Context(manager, self.timeout)
            services, host = verify(self.record.services, self.record.listeners, ctx, self.settle, self.accept)
            bad = [one for one in services if one["outcome"] == "failed"]
            worse = [one for one in host if one["worse"]]
            if bad or worse:
                raise SystemdError(_screen(bad, worse), services=services, host=host, **self._facts())
            plan = Plan([ChooseSystemd(self.init), RemoveTrial(), Keep(self.record, "confirmed")])
            carry_through(self.module, plan, ctx)
        return self.result(plan, services=services, host=host)

    def _facts(self) -> dict[str, t.Any]:
        result = self.result(None)
        return {key: result[key] for key in ("phase", "runs", "boots", "reboot_command")}

    def finish(self) -> dict[str, t.Any]:
        """Keep the old init no longer, so that its package can go."""
        if not self.booted or self.record.phase not in ("confirmed", "finished"):
            raise SystemdError(
                f"only a host that boots systemd, and has been confirmed, can be finished ({self.first} is PID 1, "
                f"{self.record.phase or 'no record'} in {RECORD})"
            )
        if self.record.phase == "finished":
            return self.result(None, services=self._told("already"))
        plan = Plan([Forget(self.init), Keep(self.record, "finished")])
        carry_through(self.module, plan, Context(None))
        return self.result(plan, services=self._told("already"))

    # -- back

    def give_back(self) -> dict[str, t.Any]:
        """Have the old init boot again, with all files and links as they were."""
        if not self.record.phase and not self.init.is_kept():
            return self.result(None)
        if not self.booted and self.record.phase == "given_back":
            if not self.check:
                self.record.forget()
            self.record.phase = ""
            return self.result(None)
        if self.record.phase == "given_back":
            return self.result(None, reboot=True, services=self._told("planned"))
        if not self.init.is_kept() and self.init.boots() == "systemd":
            raise SystemdError(
                f"the old init is no longer kept ({self.init.kept} is not there); install its package again by hand"
            )
        steps: list[Step] = [GoBack(self.init), PutBack(self.record)]
        files = _trial_files()
        if files:
            steps.append(_RemoveTrialFiles(files))
        # Last, so that all before can be begun again after an interruption.
        steps += [Forget(self.init), Keep(self.record, "given_back")]
        plan = Plan(steps, [Change("/sbin/init", self.init.boots(), os.path.basename(self.init.old_program()))])
        services = self._told("given_back")
        booted = self.booted
        carry_through(self.module, plan, Context(None))
        if not self.check and not booted:
            self.record.forget()
            self.record.phase = ""
        return self.result(plan, reboot=booted, services=services)

    def _told(self, outcome: str) -> list[Told]:
        """The services of the record as they stand, in the form in which all are returned."""
        return [
            {
                "name": one["name"],
                "outcome": outcome,
                "message": "",
                "units": one["units"],
                "before": one["before"],
                "after": None,
                "differences": [],
                "parity": None,
                "seconds": None,
            }
            for one in self.record.services
        ]


class _RemoveTrialFiles(Step):
    """Remove the units of the first boot, whoever is PID 1."""

    def describe(self) -> str:
        return "remove the units of the trial"

    def apply(self, ctx: Context) -> bool:
        return _remove_trial()


def _is_wanted(given: Given) -> bool:
    """Whether the service would have come up with the next boot of the old init."""
    return bool(given.state.get("enabled")) and not given.state.get("down")


def _leads(path: str, target: str) -> str:
    """The unit that a link is about: the one that it pulls in, or has another name for."""
    if os.path.basename(os.path.dirname(path)).endswith((".wants", ".requires", ".upholds")):
        return os.path.basename(path)
    return os.path.basename(path) if target == "/dev/null" else os.path.basename(target)


def _has(path: str, text: str) -> bool:
    """Whether a file has this text already."""
    saved = None if os.path.islink(path) else Saved.of(path)
    return saved is not None and saved.content == text.encode()


def _picture(path: str) -> Picture | None:
    """A file or link as it is, for the record; None where there is none."""
    if os.path.islink(path):
        return {"link": os.readlink(path)}
    saved = Saved.of(path)
    return None if saved is None else saved.as_data()


def _restore(path: str, was: Picture | None) -> None:
    """Make a file or link what it was when `_picture` was taken."""
    directory = os.path.dirname(path)
    # What a run that was killed has left.
    durable.tidy(path)
    if was is None:
        durable.remove(path)
        if path.endswith(".conf"):
            durable.remove_empty(directory)
        return
    for each in durable.missing_directories(directory):
        durable.make_directory(each)
    if "link" in was:
        durable.replace_link(path, was["link"])
    elif "times" in was:
        Saved.from_data(was).put_back(path)
    else:
        # As an earlier version of the collection kept it.
        content, mode = base64.b64decode(was["content"]), int(was["mode"], 8)
        durable.replace(path, content, lambda temporary: os.chmod(temporary, mode))


def _trial_files() -> list[str]:
    return [f"{UNITS}/{name}" for name in TRIAL if os.path.lexists(f"{UNITS}/{name}")]


def _remove_trial() -> bool:
    changed = False
    for path, target in read_links(link_directories("system")).items():
        if _leads(path, target) in TRIAL:
            durable.remove(path)
            durable.remove_empty(os.path.dirname(path))
            changed = True
    for name in TRIAL:
        durable.tidy(f"{UNITS}/{name}")
    for path in _trial_files():
        durable.remove(path)
        changed = True
    return changed


def _screen(bad: t.Sequence[Told], worse: t.Sequence[Difference]) -> str:
    lines = ["what runs under systemd is not what ran before; the host is still on trial and boots the old init next"]
    for one in bad:
        first, *rest = one["message"].splitlines() or [""]
        lines.append(f"  {one['name']}: {first}")
        lines += [f"  {line}" for line in rest]
    lines += [f"  {one['what']}: {one['before']} -> {one['after'] or 'nothing'} ({one['reason']})" for one in worse]
    return "\n".join(lines)
