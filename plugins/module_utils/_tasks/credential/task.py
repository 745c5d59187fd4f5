# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `credential` module's task: a secret that lies encrypted on the host, and what services need to be given it."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.durable import Saved
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.files import (
    FileTools,
    RemoveFile,
    SetAttributes,
    WriteFile,
    check_writable,
    file_diff,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._engine.steps import Reload
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.credentials import (
    HOST_SECRET,
    Credential,
    has_host_key,
    has_null_key,
    has_tpm2,
    key_of,
    version,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import is_template
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import leading_number
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import ProgramMissing
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import is_up
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.times import rfc3339
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.credential.options import Asked
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import Wish, plan_units
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit, read

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session

# systemd's version that has systemd-creds, and the one that has it for users.
_SINCE, _SINCE_FOR_USERS = 250, 256
# 257 has what systemd.exec(5) says of units of users, and it fails there: "Failed to determine local credential key".
_SINCE_UNITS_OF_USERS = 258
# The one that can be told to take a file without a key.
_SINCE_NULL = 256
# What is encrypted may be read by others too, but need not be.
_MODE = 0o600
_ABSENT, _ENCRYPTED = "absent", "encrypted"


def converge(module: Module) -> dict[str, t.Any]:
    """Bring a credential to what the module's options ask for; returns the module's result."""
    asked = Asked(module.params)
    idle = asked.on_change == "nothing"
    with open_session(module.params, may_be_down=idle, may_be_gone=asked.absent, module=module) as session:
        task = _Task(module, asked, session)
        plan, ctx, changed = bring_about(module, session, task.plan, rollback=True)
    return {
        "changed": changed,
        "path": task.path,
        "not_after": None if asked.not_after is None else rfc3339(asked.not_after * 10**6, fraction=False),
        "warnings": plan.warnings + ctx.warnings,
        **({"dropin_path": task.dropin_path} if asked.unit else {}),
        **plan.report(module._diff),
    }


class _Task:
    def __init__(self, module: Module, asked: Asked, session: Session) -> None:
        self.asked = asked
        self.module = module
        self.session = session
        self.paths = UnitPaths(session.scope, session.home, session.uid)
        self.path = asked.path or f"{self._store()}/{asked.name}"
        self.dropin_path = ""
        if asked.unit:
            self.dropin_path = self.paths.dropin(asked.unit, f"credential-{asked.name}.conf", asked.runtime)
        self.credential = Credential(asked.name, session.scope == "user", session.timeout)

    def _store(self) -> str:
        """Where systemd looks for encrypted credentials by itself (systemd.exec(5), LoadCredentialEncrypted=)."""
        if self.session.scope == "user":
            base = f"/run/user/{self.session.uid}" if self.asked.runtime else f"{self.session.home}/.config"
        else:
            base = "/run" if self.asked.runtime else "/etc"
        return f"{base}/credstore.encrypted"

    def plan(self) -> Plan:
        """The plan: the file, the drop-in, and the restart of the unit."""
        asked, plan = self.asked, Plan()
        if not asked.absent:
            self._check_host()
            if asked.not_after is not None and asked.not_after <= time.time():
                raise BadInput(f"not_after: {self.module.params['not_after']} is over, and nobody could decrypt it; give a later time")
        before = self._present(self.path, "path")
        if asked.absent:
            if before is not None:
                plan.steps.append(RemoveFile(self.path, before, self._tools(_MODE)))
                plan.changes.append(Change(asked.name, _ENCRYPTED, _ABSENT))
        elif before is None or not self._is_as_wanted(before.content):
            # Not in check mode: it makes the host's key, where there is none.
            file = b"" if self.module.check_mode else self._encrypt()
            plan.steps.append(WriteFile(self.path, file, before, self._tools(_MODE)))
            plan.changes.append(Change(asked.name, _ABSENT if before is None else "another", _ENCRYPTED))
        elif before.mode != _MODE:
            plan.steps.append(SetAttributes(self.path, before, self._tools(_MODE)))
        if plan.steps and not self.session.gone:
            check_writable(self.path)
        if asked.unit:
            self._plan_unit(plan)
        return plan

    def _plan_unit(self, plan: Plan) -> None:
        """What the unit needs: the drop-in, which is read, and a restart where it runs with what was before."""
        asked, manager = self.asked, self.session.manager
        new = any(not isinstance(step, SetAttributes) for step in plan.steps)
        before = self._present(self.dropin_path, "unit")
        text = asked.dropin_text(self.path).encode("utf-8", "surrogateescape")
        old = b"" if before is None else before.content
        wanted = b"" if asked.absent else text
        if old != wanted:
            step: Step
            if asked.absent and before is not None:
                step = RemoveFile(self.dropin_path, before, self._tools())
            else:
                step = WriteFile(self.dropin_path, text, before, self._tools())
            plan.steps += [step, Reload()]
            plan.file_diffs.append(file_diff(self.dropin_path, before, wanted.decode("utf-8", "replace")))
            if not self.session.gone:
                check_writable(self.dropin_path)
            new = True
        if asked.absent:
            # A unit must let go of the credential before it is gone: a start in between would fail.
            plan.steps.sort(key=lambda each: each.names == (self.path,))
        if not (new and asked.on_change == "restart" and manager.runs):
            return
        names = [asked.unit]
        if is_template(asked.unit):
            # The drop-in is for all its instances.
            names = [status.id for status in manager.list_units([asked.unit.replace("@", "@*")])]
        units = [unit for unit in read(manager, names) if is_up(unit.active_state)]
        plan.steps += self._restart(units, plan) if units else []

    def _restart(self, units: list[Unit], plan: Plan) -> list[Step]:
        restart = plan_units(
            units,
            Wish(state="try_restarted", daemon_reload="never"),
            self.session.manager.link_directories(),
            self.module.check_mode,
            True,
        )
        plan.changes += restart.changes
        plan.warnings += restart.warnings
        return restart.steps

    def _check_host(self) -> None:
        """Refuse what this host's systemd cannot do, in check mode too."""
        user = self.session.scope == "user"
        try:
            found = version()
        except ProgramMissing as e:
            found = leading_number(self.session.manager.version())
            if (found or 0) >= _SINCE:
                raise SystemdError(f"{e.msg}; install the package of systemd that has it") from e
        since = _SINCE_FOR_USERS if user else _SINCE
        if found is not None and found < since:
            what = "encrypted credentials of users need" if user else "encrypted credentials need"
            raise BadInput(
                f"{'scope' if user else 'name'}: {what} systemd {since}, and this host has {found}; give the secret in another "
                "way, such as a file that only its reader can read, with LoadCredential="
            )
        if user and self.asked.unit and found is not None and found < _SINCE_UNITS_OF_USERS:
            raise BadInput(
                f"unit: the manager of a user of systemd {found} cannot decrypt credentials for its units (seen up to "
                f"{_SINCE_UNITS_OF_USERS - 1}); leave out `unit`, and have the service call `systemd-creds --user decrypt`"
            )
        if found is not None and found < _SINCE_NULL and self.asked.with_key == "null":
            raise BadInput(f"with_key: null needs systemd {_SINCE_NULL}, and this host has {found}; use another key")
        if "tpm2" in self.asked.with_key and not has_tpm2():
            raise BadInput(
                f"with_key: {self.asked.with_key} needs a TPM2 chip, and systemd finds none on this host that it can use "
                "(`systemd-creds has-tpm2` says what is missing); use `host`"
            )

    def _present(self, path: str, option: str) -> Saved | None:
        if os.path.islink(path) or os.path.isdir(path):
            what = "a link" if os.path.islink(path) else "a directory"
            raise BadInput(f"{option}: {path} is {what}, which is not replaced; remove it first")
        return Saved.of(path)

    def _is_as_wanted(self, file: bytes) -> bool:
        asked = self.asked
        if has_null_key(file) is not (asked.with_key == "null"):
            return False
        if not self.credential.holds(file, asked.secret, asked.not_after):
            return False
        if asked.with_key in ("auto", "null"):
            return True
        if asked.with_key == "host" or has_host_key(file):
            return asked.with_key == "host" and has_host_key(file)
        if self.module.check_mode and "host" in asked.with_key and not os.path.exists(HOST_SECRET):
            # To ask would make it.
            return False
        # Only systemd-creds can tell what it would take for such a key.
        return key_of(file) == key_of(self._encrypt())

    def _encrypt(self) -> bytes:
        return self.credential.encrypt(self.asked.secret, self.asked.with_key, self.asked.not_after)

    def _tools(self, mode: int | None = None) -> FileTools:
        def give(path: str, check: bool) -> bool:
            if mode is None or os.stat(path).st_mode & 0o7777 == mode:
                return False
            if not check:
                os.chmod(path, mode)
            return True

        return FileTools(
            give,
            given=() if mode is None else ("mode",),
            label=lambda path: self.module.set_default_selinux_context(path, False),
        )
