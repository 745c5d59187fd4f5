# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs every module of this collection, and brings jeepney to hosts that lack it.

Beside its options each module is told which jeepney the controller has. A module that finds none on its host says so and
does nothing; it is then run once more with jeepney beside its options, and keeps it. From then on nothing is added to what
a task costs. On the host, module_utils/_module.py takes this out before options are looked at.
"""

from __future__ import annotations

import gc
import sys
import typing as t
from contextlib import contextmanager

from ansible.plugins.action import ActionBase

from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import without_facts
from ansible_collections.pidone.systemd.plugins.plugin_utils._early import with_early_start
from ansible_collections.pidone.systemd.plugins.plugin_utils._jeepney import OLDEST, TooOld
from ansible_collections.pidone.systemd.plugins.plugin_utils._jeepney import pack as pack_jeepney
from ansible_collections.pidone.systemd.plugins.plugin_utils._packing import has_template, pack, unpack


class ActionModule(ActionBase):
    """One for all modules of the collection; see meta/runtime.yml."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the task's module, twice where the first run finds no jeepney."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        lacking = "Ansible's own Python environment has none to bring"
        try:
            bundle = pack_jeepney()
        except TooOld as e:
            bundle, lacking = None, f"the one in Ansible's own Python environment, {e}, is older than {OLDEST}"
        # Ansible sends the options on to its main process, with the place of each text in the playbook: of thousands of names that
        # takes as long as all else that it does with the result.
        self._task.args, self._packed, self._names = pack(self._task.args)

        if bundle is None:
            # Said by the module, whose words are what Ansible shows.
            remedy = f"{lacking}; install it there (`{sys.executable} -m pip install 'jeepney>={OLDEST}'`)"
            answer = self._run_module({"lacking": remedy}, task_vars, in_background)
        elif in_background:
            # What it says will not come this way, so it has to have what it might need.
            answer = self._run_module({"wanted": bundle.digest, "zip": bundle.as_text()}, task_vars, True)
        else:
            answer = self._run_module({"wanted": bundle.digest}, task_vars)
            if _is_missing(answer):
                answer = self._run_module({"wanted": bundle.digest, "zip": bundle.as_text()}, task_vars)
        answer.pop("pidone_jeepney", None)
        unpack(answer)

        result.update(without_facts(self, answer))
        if not in_background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    @classmethod
    def finalize_task_arg(cls, *given: t.Any) -> t.Any:
        """An option of ansible-core 2.19 and later: what is no template is what it is, which costs less to find out here."""
        value = given[1] if len(given) > 1 else None
        if isinstance(value, (list, dict)) and not has_template(value):
            return value
        return super().finalize_task_arg(*given)

    def _configure_module(self, module_name: str, *args: t.Any, **options: t.Any) -> t.Any:
        configured = super()._configure_module(module_name, *args, **options)
        # In the background, ansible-core's own async_wrapper comes this way as well.
        return with_early_start(configured) if module_name == self._task.action else configured

    def _run_module(
        self, luggage: dict[str, str], task_vars: dict[str, t.Any] | None, in_background: bool = False
    ) -> dict[str, t.Any]:
        arguments = {name: value for name, value in self._task.args.items() if name not in self._names}
        if self._packed:
            luggage = {**luggage, "packed": self._packed}
        if not in_background:
            # Else it is read by others.
            luggage = {**luggage, "packs": "yes"}
        arguments["_jeepney"] = luggage
        with _no_collector():
            return t.cast(
                "dict[str, t.Any]",
                self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=in_background),
            )


@contextmanager
def _no_collector() -> t.Iterator[None]:
    """While options are written and an answer is read: all of it is kept, and beside it there is all that Ansible has loaded."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            # The process ends with the task. To look for garbage in all that there is would copy what it shares with Ansible's main process.
            gc.freeze()
            gc.enable()


def _is_missing(answer: dict[str, t.Any]) -> bool:
    note = answer.get("pidone_jeepney")
    return isinstance(note, dict) and bool(note.get("missing"))
