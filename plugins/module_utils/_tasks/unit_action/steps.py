# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done to units that are there: a signal sent, their directories removed, something mounted into them."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._dbus.connection import Call
from ansible_collections.pidone.systemd.plugins.module_utils._dbus.errors import CallFailed
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context, Step
from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.answers import MANAGER, MANAGER_PATH
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.manager import explain
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import interface_of

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit_action.options import Mount

# Errors that say that nobody is there any more: ESRCH, and of a unit that is not in memory.
_NOBODY = ("org.freedesktop.systemd1.NoSuchProcess", "org.freedesktop.systemd1.NoSuchUnit")

# Of an image, as systemd names them (MountImages= in systemd.exec(5)); one without a partition table is all `root`.
_PARTS = ("root", "usr", "home", "srv", "esp", "xbootldr", "tmp", "var")


class Signal(Step):
    """Send a signal to processes of units; what they make of it cannot be taken back.

    :param value: the number that goes with a real-time signal, or None.
    """

    def __init__(self, names: t.Sequence[str], number: int, name: str, whom: str, value: int | None) -> None:
        super().__init__(names)
        self._number, self._name, self._whom, self._value = number, name, whom, value

    def describe(self) -> str:
        what = self._name if self._value is None else f"{self._name} with {self._value}"
        whom = "" if self._whom == "all" else f"the {self._whom} process of "
        return f"send {what} to {whom}{short(self.names)}"

    def apply(self, ctx: Context) -> bool:
        calls = []
        for name in self.names:
            body: tuple[t.Any, ...] = (name, self._whom, self._number)
            if self._value is None:
                calls.append(Call(MANAGER_PATH, MANAGER, "KillUnit", "ssi", body))
            else:
                calls.append(Call(MANAGER_PATH, MANAGER, "QueueSignalUnit", "ssii", (*body, self._value)))
        nobody, failed = [], None
        for name, reply in zip(self.names, ctx.manager.tell(calls)):
            if not isinstance(reply, CallFailed):
                continue
            if reply.name in _NOBODY:
                # They have ended since.
                nobody.append(name)
            else:
                failed = failed or explain(reply, f"send {self._name} to {name}")
        self.idle = frozenset(nobody)
        if failed is not None:
            failed.changed = True
            raise failed
        return len(nobody) < len(self.names)


class Clean(Step):
    """Remove what units keep in their directories, or have systemd hold for them. There is no way back.

    :param kinds: by unit, in systemd's words.
    """

    def __init__(self, kinds: t.Mapping[str, t.Sequence[str]]) -> None:
        super().__init__(list(kinds))
        self._kinds = kinds

    def describe(self) -> str:
        return "; ".join(f"clean {', '.join(kinds)} of {name}" for name, kinds in self._kinds.items())

    def apply(self, ctx: Context) -> bool:
        calls = [Call(MANAGER_PATH, MANAGER, "CleanUnit", "sas", (name, list(k))) for name, k in self._kinds.items()]
        failed = None
        for name, reply in zip(self.names, ctx.manager.tell(calls)):
            if isinstance(reply, CallFailed):
                failed = failed or explain(reply, f"clean {name}")
        self._await(ctx)
        if failed is not None:
            failed.changed = len(self.names) > 1
            raise failed
        return True

    def _await(self, ctx: Context) -> None:
        """Wait until systemd has done it, by processes of its own."""
        deadline, pause = ctx.deadline(), 0.005
        while True:
            cleaning = [each for each in ctx.manager.status(self.names) if each.sub_state == "cleaning"]
            if not cleaning:
                break
            if time.monotonic() > deadline:
                raise SystemdError(
                    f"{short([each.id for each in cleaning])} is not clean yet; systemd goes on with it, so raise `timeout`, or run the "
                    "task again later",
                    changed=True,
                )
            time.sleep(pause)
            pause = min(pause * 2, 0.25)
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import object_path

        services = [name for name in self.names if name.endswith((".service", ".socket", ".mount", ".swap"))]
        told = ctx.manager.properties([(object_path(n), interface_of(n), "CleanResult") for n in services])
        bad = [f"{name} ({result})" for name, result in zip(services, told) if result not in (None, "", "success")]
        if bad:
            raise SystemdError(f"systemd could not clean {short(bad)}; the log of the unit tells more", changed=True)


class MountInto(Step):
    """Mount something into the namespace of a service that runs. There is no way back but to restart the service."""

    def __init__(self, name: str, mount: Mount) -> None:
        super().__init__((name,))
        self._mount = mount

    def describe(self) -> str:
        mount = self._mount
        what = "mount the image" if mount.is_image else "bind"
        return f"{what} {mount.source} to {mount.destination} of {self.names[0]}{', read-only' if mount.read_only else ''}"

    def apply(self, ctx: Context) -> bool:
        mount = self._mount
        body = (self.names[0], mount.source, mount.destination, mount.read_only, mount.mkdir)
        if mount.is_image:
            # systemd 257 does not heed that it shall be read-only, but the options of the file systems in the image.
            options = [(part, "ro") for part in _PARTS] if mount.read_only else []
            call = Call(MANAGER_PATH, MANAGER, "MountImageUnit", "sssbba(ss)", (*body, options))
        else:
            call = Call(MANAGER_PATH, MANAGER, "BindMountUnit", "sssbb", body)
        (reply,) = ctx.manager.tell([call], ctx.deadline())
        if isinstance(reply, CallFailed):
            error = explain(reply, self.describe())
            # Versions that mount in a process of its own (257 is one) say nothing but that it failed.
            error.msg += "; the log of the unit tells more"
            if not mount.mkdir:
                error.msg += f"; if there is no {mount.destination} in the service, set `mkdir: true` in {mount.option}"
            raise error
        return True
