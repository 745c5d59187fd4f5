# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reboots a host: the module looks and asks for it there; here, on the controller, the host is waited for."""

from __future__ import annotations

import json
import time
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.pidone.systemd.plugins.action.unit import ActionModule as Carrier
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, plain, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import presentable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.reboot.options import (
    ARGUMENTS,
    Options,
    read_options,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers
from ansible_collections.pidone.systemd.plugins.plugin_utils._within import OutOfTime, within

# Seconds between two attempts to reach the host: the first ones and the longest.
_PAUSE, _LONGEST_PAUSE = 0.5, 3.0
# Seconds that a host may go on as if nothing had been asked of it.
_UNMOVED = 30.0
# Seconds beside those that a module waits on the host: its way there and back.
_WAY = 10.0
# Of a connection by SSH: a host that went down without a word is given up after 15 seconds. It has its own way to say how long
# connecting may take, as other plugins have theirs.
_KEEP_ALIVE = "-o ServerAliveInterval=5 -o ServerAliveCountMax=3"


class _Stopped(Exception):
    """The task fails.

    :param phase: in which part of it.
    """

    def __init__(self, phase: str, msg: str, **data: t.Any) -> None:
        super().__init__(msg)
        self.phase, self.msg, self.data = phase, msg, data


class _Lost(Exception):
    """The host did not answer, or with nothing that the module says."""


class ActionModule(Carrier):
    """Runs the module of the same name before and after the reboot that it asks for."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    # The connection is lost.
    _supports_async = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = ActionBase.run(self, tmp, task_vars)
        if self._connection.transport == "local":
            return {
                **result, "failed": True, "changed": False, "rebooted": False,
                "msg": "connection: is `local`, so that this would reboot the controller, on which the play ends with that; reboot it by hand",
            }  # fmt: skip
        try:
            _checked, params = self.validate_argument_spec(argument_spec=ARGUMENTS)
            options = read_options(params)
        except BadInput as error:
            return {**result, "failed": True, "changed": False, "rebooted": False, "msg": presentable(error.msg, self._task.args)}
        reboot = _Reboot(self, options, task_vars)
        try:
            result.update(reboot.run())
        except _Stopped as stopped:
            result.update(reboot.told, **reboot.elapsed(), **stopped.data)
            result.update(failed=True, phase=stopped.phase, msg=presentable(stopped.msg, {}))
        return result


class _Reboot:
    """One reboot of one host.

    :param action: the action plugin.
    """

    def __init__(self, action: ActionModule, options: Options, task_vars: dict[str, t.Any] | None) -> None:
        self._action, self._options, self._task_vars = action, options, task_vars
        self._host = str((task_vars or {}).get("inventory_hostname") or "the host")
        # What the result says, whatever comes of it.
        self.told: dict[str, t.Any] = {"changed": False, "rebooted": False, "method": options.method}
        self._began = self._deadline = 0.0
        self._look: dict[str, t.Any] = {}
        # Why it is not known whether the host has heard of it, if so.
        self._doubt = ""

    def run(self) -> dict[str, t.Any]:
        """The reboot; returns the task's result.

        :raises _Stopped: it was not to be.
        """
        answer = self._ask({"phase": "look"})
        passed_on = _answers.of_its_run(self._action, answer)
        if answer.get("failed") or answer.get("unreachable") or answer.get("skipped"):
            return {**self.told, **passed_on, "phase": "look"}
        self._look = self._checked(_answers.reboot_look, answer, "look")
        self.told.update(passed_on, changed=False)
        for key in ("steps", "diff", "inhibitors", "scheduled_shutdown"):
            if key in self._look:
                self.told[key] = self._look[key]
        if not self._look["needed"]:
            return self.told
        self.told["changed"] = True
        if self._action._task.check_mode:
            return self.told
        self._request()
        with _Patient(self._action._connection, self._options.connect_timeout):
            after = self._await()
        self.told.update(rebooted=True, boot_id=after["boot"]["id"].partition(" ")[0], state=after["state"])
        self._judge(after)
        self._test()
        return {**self.told, **self.elapsed()}

    def elapsed(self) -> dict[str, float]:
        """How long it has taken so far, for the result; nothing before the host was asked for it."""
        return {"elapsed": round(time.monotonic() - self._began, 1)} if self._began else {}

    # -- asking the host

    def _ask(self, asked: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module answers.

        :param asked: as `Asked` of the task on the host says.
        """
        answer = self._action.answer(self._task_vars, beside={"reboot": json.dumps(asked)})
        shell = self._action._connection._shell
        if shell.tmpdir:
            self._action._remove_tmp_path(shell.tmpdir)
            # It may be gone with the boot; a module makes its own.
            shell.tmpdir = None
        return answer

    def _checked(self, check: t.Callable[[t.Any], dict[str, t.Any]], answer: dict[str, t.Any], phase: str) -> dict[str, t.Any]:
        try:
            with _answers.of_host(self._task_vars):
                return check(answer)
        except BadInput as error:
            raise _Stopped(phase, error.msg) from None

    def _attempt(self, asked: dict[str, t.Any], seconds: float) -> dict[str, t.Any]:
        """What the module answers, if it does.

        :raises _Lost: it does not.
        """
        try:
            with within(seconds):
                answer = self._ask(asked)
        except (AnsibleError, OSError) as error:
            self._disconnect()
            raise _Lost(plain(str(error).strip(), 300)) from None
        except OutOfTime:
            self._disconnect()
            raise _Lost(f"it did not answer within {format_timespan(int(seconds * 1e6))}") from None
        if answer.get("failed") or answer.get("unreachable"):
            # What Python or a shell says ends with what matters, and a message begins with it.
            killed = answer.get("module_stderr")
            raise _Lost(_text(killed, 300, -1) if killed else _text(answer.get("msg"), 300, 0))
        return answer

    def _disconnect(self) -> None:
        """Forget the connection: it may be to a host that is gone."""
        connection = self._action._connection
        connection._shell.tmpdir = None
        try:
            with within(_WAY):
                connection.reset()
        except (AnsibleError, AttributeError, OSError, OutOfTime):
            # It has none, or cannot be told.
            pass

    # -- phases

    def _request(self) -> None:
        """Ask for the reboot."""
        self._began = time.monotonic()
        try:
            with within(self._options.timeout):
                answer = self._ask({"phase": "request"})
        except (AnsibleError, OSError) as error:
            # It may have gone down before it could answer.
            self._doubt = plain(str(error).strip(), 300)
        except OutOfTime:
            self._doubt = "it did not answer when it was asked to reboot"
        else:
            if answer.get("failed") or answer.get("unreachable"):
                said = _text(answer.get("msg"), 1000)
                # Of ansible-core's, and not of the module, is a failure with `module_stdout`: it was killed.
                if not (answer.get("requested") is True or "module_stdout" in answer or answer.get("unreachable")):
                    raise _Stopped("request", said, changed=False)
                self._doubt = said
        self._disconnect()
        if self._options.before:
            time.sleep(self._options.before)
        self._began = time.monotonic()
        self._deadline = self._began + self._options.timeout
        if self._options.after:
            time.sleep(self._options.after)

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _await(self) -> dict[str, t.Any]:
        """What the module answers once the host has booted anew and startup has ended."""
        went_down, moved, said, pause = False, time.monotonic(), self._doubt, _PAUSE
        answered: dict[str, t.Any] | None = None
        while True:
            time.sleep(max(0.0, min(pause, self._left())))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            if self._left() <= 0:
                raise self._too_late(went_down, answered, said)
            asked = {
                "phase": "after", "boot": self._look["boot"], "units": self._look["units"], "seconds": max(0.5, self._left() - 1),
            }  # fmt: skip
            try:
                answer = self._attempt(asked, self._left() + _WAY)
            except _Lost as lost:
                # Also of a host that has booted anew and goes down once more.
                went_down, answered, said, moved = True, None, str(lost), time.monotonic()
                continue
            answered = self._checked(_answers.reboot_after, answer, "coming back")
            if not answered["old"]:
                return answered
            # The next attempt shall tell whether it can be reached still.
            self._disconnect()
            if answered["stopping"]:
                moved = time.monotonic()
            elif time.monotonic() - moved > _UNMOVED:
                raise self._too_late(went_down, answered, said)

    def _too_late(self, went_down: bool, answered: dict[str, t.Any] | None, said: str) -> _Stopped:
        took = format_timespan(int((time.monotonic() - self._began) * 1e6) // 1000000 * 1000000)
        also = f"; what it said last: {said}" if said else ""
        if answered is None:
            return _Stopped(
                "coming back", f"{self._host} does not answer, {took} after it was asked to {self._options.method}{also}"
            )
        state = f"systemd says `{answered['state']}`" + (
            ", and is still shutting down; give it more time in `reboot_timeout`" if answered["stopping"] else ""
        )
        if went_down and not answered["stopping"]:
            return _Stopped(
                "coming back",
                f"{self._host} answers again, but with the boot of before, {took} after it was asked to {self._options.method}: {state}; "
                f"the connection was lost meanwhile{also}",
                rebooted=False,
            )
        return _Stopped(
            "going down",
            f"{self._host} did not go down, {took} after it was asked to {self._options.method}: {state}"
            + ("" if answered["stopping"] else "; somebody or something may have canceled it: see the log of systemd-logind")
            + also,
        )

    def _judge(self, after: dict[str, t.Any]) -> None:
        """Whether all is as it was."""
        if not after["finished"]:
            jobs = f"; what it waits for: {', '.join(after['jobs'][:5])}" if after.get("jobs") else ""
            raise _Stopped(
                "starting",
                f"{self._host} has booted, and startup has not come to its end within {format_timespan(int(self._options.timeout * 1e6))} "
                f"(systemd says `{after['state']}`){jobs}; give it more time in `reboot_timeout`",
            )
        self.told["worse"] = [*after["lost"], *after["newly_failed"]]
        if self.told["worse"]:
            count = len(self.told["worse"])
            self.told["failures"] = after.get("failures", [])
            raise _Stopped(
                "comparing",
                f"{self._host} has booted, and {'a unit is' if count == 1 else f'{count} units are'} worse than before; what need not be as it "
                f"was is named in `ignore_units`\n{after.get('report', '')}",
            )

    def _test(self) -> None:
        """Run `test_command` until it succeeds."""
        command, said = self._options.test_command, "nothing"
        pause = _PAUSE
        while command is not None:
            try:
                with within(max(1.0, self._left())):
                    done = self._action._low_level_execute_command(command, sudoable=True)
                if done["rc"] == 0:
                    return
                lines = f"{done.get('stdout', '')}\n{done.get('stderr', '')}".strip().splitlines() or ["nothing"]
                said = f"it ended with {done['rc']}, and said {plain(lines[-1], 300)}"
            except (AnsibleError, OSError) as error:
                said = plain(str(error).strip(), 300)
                self._disconnect()
            except OutOfTime:
                said = "it did not end"
                self._disconnect()
            if self._left() <= pause:
                raise _Stopped("test_command", f"{self._host} has booted, and `test_command` does not succeed: {said}")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)


def _text(said: t.Any, limit: int, line: int | None = None) -> str:
    """What a host said, as part of a message; of many lines, that one."""
    text = said.strip() if isinstance(said, str) else shown(said) if said else ""
    if line is not None:
        text = (text.splitlines() or [""])[line]
    return plain(text, limit) or "nothing"


class _Patient:
    """While it is entered, a connection tells in time that its host is gone.

    :param connect_timeout: seconds that connecting may take; None for as long as the user has it otherwise.
    """

    def __init__(self, connection: t.Any, connect_timeout: float | None) -> None:
        self._connection, self._connect_timeout = connection, connect_timeout
        self._was: dict[str, t.Any] = {}

    def _set(self, name: str, make: t.Callable[[t.Any], t.Any]) -> bool:
        try:
            was = self._connection.get_option(name)
            self._connection.set_option(name, make(was))
        except (AnsibleError, KeyError, AttributeError):
            return False
        self._was[name] = was
        return True

    def __enter__(self) -> None:
        if self._connect_timeout is not None:
            seconds = max(1, round(self._connect_timeout))
            # As ansible.builtin.reboot does: plugins call it by either name.
            if not self._set("connection_timeout", lambda was: seconds):
                self._set("timeout", lambda was: seconds)
        if self._connection.transport == "ssh":
            self._set("ssh_extra_args", lambda was: f"{was or ''} {_KEEP_ALIVE}".strip())

    def __exit__(self, *exc: object) -> None:
        for name, was in self._was.items():
            self._connection.set_option(name, was)
