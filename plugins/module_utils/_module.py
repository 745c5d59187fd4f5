# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule as every module of this collection uses it."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule as _AnsibleModule

from ansible_collections.pidone.systemd.plugins.module_utils._dbus import luggage
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_values, presentable, showable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import has_surrogates

# Options that hold files of a host as they were found, so any bytes, and one that is handed on as it is.
_AS_DATA = ("services", "definitions")
_BINARY = ("stdin",)

_TYPES = {"str": str, "bool": bool, "int": int}
# The key by which ansible-core knows its own objects in an answer, and what a name that happens to be the same becomes.
_TAKEN, _INSTEAD = "__ansible_type", "\\x5f_ansible_type"
# Characters of a text that is no secret, as it stands in other words too.
_SHORTEST = 3
# What ansible-core shows in place of options that have `no_log`.
_NOT_SHOWN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def _is_as_checked(item: t.Any, spec: t.Mapping[str, t.Any]) -> bool:
    """Whether suboptions are of the types, and among the choices, that they shall be of: then ansible-core changes nothing."""
    if not isinstance(item, dict):
        return False
    for name, value in item.items():
        option = spec.get(name)
        # What a null comes to is ansible-core's business.
        if option is None or not _is_of(value, option):
            return False
    return all(name in item for name, option in spec.items() if option.get("required"))


def _is_of(value: t.Any, option: t.Mapping[str, t.Any]) -> bool:
    kind, inner = option["type"], option.get("options")
    if kind == "dict":
        return _is_as_checked(value, inner) if inner else isinstance(value, dict)
    if kind == "list":
        each = {"type": option["elements"], "options": inner}
        return isinstance(value, list) and all(_is_of(item, each) for item in value)
    if kind in _TYPES:
        # A truth is a number, too, for Python.
        of_kind = isinstance(value, _TYPES[kind]) and isinstance(value, bool) is (kind == "bool")
        return of_kind and ("choices" not in option or value in option["choices"])
    return bool(kind == "raw") and value is not None


def _acceptable(value: t.Any) -> t.Any:
    """A value of a result without what ansible-core refuses together with all the rest; names come from users and their programs, too."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_INSTEAD if key == _TAKEN else _acceptable(key): _acceptable(each) for key, each in value.items()}
    return [_acceptable(each) for each in value] if isinstance(value, (list, tuple)) else value


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _packed(whole: dict[str, t.Any]) -> str:
    """Values of a result as the one text that the action plugin takes; empty where ansible-core has to make a text of something in them."""
    try:
        return json.dumps(whole, ensure_ascii=False)
    except (TypeError, ValueError):
        return ""


class AnsibleModule(_AnsibleModule):
    """AnsibleModule that takes what the action plugin sends beside the options, before options are looked at.

    So it is no option: not documented, not logged, not part of `invocation`. What it is, see plugins/action/unit.py.

    It is also the border: no module sees text that cannot be text or numbers that nothing holds, and no failure, ansible-core's
    own included, shows more of a value than fits into a line.

    :param hidden: options that may be secret, and whose values are kept out of the log and of `invocation`. With `no_log`
        of the argument spec they would also be masked wherever they occur in the result, which a text such as `y` does
        everywhere. `files.content` is that of each item of the list `files`.
    :param as_given: options that are lists of many items, in which suboptions that are not given may be missing. Ansible-core takes
        a while for each item, so those that are as its checks would leave them do not go through these.
    """

    params: dict[str, t.Any]

    def __init__(self, *args: t.Any, hidden: t.Sequence[str] = (), as_given: t.Sequence[str] = (), **options: t.Any) -> None:
        self._hidden = tuple(hidden)
        self._as_given = tuple(as_given)
        self._given: dict[str, t.Any] = {}
        # Such options, where there is nothing that ansible-core would say of them.
        self._aside: dict[str, t.Any] = {}
        super().__init__(*args, **options)
        self.params.update(self._aside)
        self._check_values()

    def without_hidden(self) -> dict[str, t.Any]:
        """The options as they may be shown."""
        shown = {**self.params, **self._aside}
        if self._hidden:
            # A name that is none may be one of them, misspelled.
            known = {*self.argument_spec, *(self.aliases or ())}
            shown = {name: value if name in known or name.startswith("_ansible_") else _NOT_SHOWN for name, value in shown.items()}
        for name in self._hidden:
            option, dot, inner = name.partition(".")
            value = shown.get(option)
            if dot and isinstance(value, list):
                plain = set(self.argument_spec[option]["options"]) - {inner}
                shown[option] = [
                    {key: value if key in plain or not value else _NOT_SHOWN for key, value in each.items()} if isinstance(each, dict) else _NOT_SHOWN
                    for each in value
                ]
            elif value:
                shown[option] = _NOT_SHOWN
        return shown

    def _misplaced(self) -> t.Iterator[str]:
        """Texts that may be secret, given where ansible-core takes none and says so, with all of them in its message."""
        for name in self._hidden:
            option, dot, _inner = name.partition(".")
            value = self._given.get(option)
            for each in value if dot and isinstance(value, list) else ():
                if not isinstance(each, dict):
                    yield from (text for text in _texts(each) if len(text) > _SHORTEST)

    def _log_invocation(self) -> None:
        # ansible-core fails while it logs what is no Unicode, before the option that holds it can be named.
        self._check_values()
        params = self.params
        self.params = self.without_hidden()
        try:
            super()._log_invocation()
        finally:
            self.params = params

    def _return_formatted(self, kwargs: dict[str, t.Any]) -> None:
        kwargs.setdefault("invocation", {"module_args": self.without_hidden()})
        whole = {
            key: value
            for key, value in kwargs.items()
            if isinstance(value, (list, dict)) and key not in ("warnings", "deprecations", "pidone_jeepney")
        }
        packed = _packed(whole)
        if not packed or _TAKEN in packed or has_surrogates(packed):
            whole = _acceptable(whole)
            packed = _packed(whole)
        kwargs.update((key, _acceptable(value)) for key, value in kwargs.items() if isinstance(value, str))
        kwargs.update(whole)
        self._whole, self._packed = {}, ""
        if not self.no_log_values and hasattr(_AnsibleModule, "_record_module_result"):
            # ansible-core copies all values, slowly, to take out secrets. Here it knows of none.
            self._whole, self._packed = whole, packed
            kwargs.update(dict.fromkeys(whole))
        super()._return_formatted(kwargs)

    def _record_module_result(self, o: dict[str, t.Any]) -> None:
        if "packs" in luggage and self._whole and self._packed:
            super()._record_module_result({**o, "pidone_packed": self._packed})
        else:
            super()._record_module_result({**o, **self._whole})

    def warn(self, warning: str, **how: t.Any) -> None:
        """Give a warning."""
        super().warn(_acceptable(warning), **how)

    def _check_values(self) -> None:
        try:
            check_values(self.params, _AS_DATA, _BINARY)
        except BadInput as e:
            self.fail_json(e.msg)

    def fail_json(self, msg: t.Any, **facts: t.Any) -> t.Any:
        # Does not return.
        self.params: dict[str, t.Any] = showable(self.params)
        text = str(msg)
        for secret in self._misplaced():
            for form in (secret, repr(secret)[1:-1]):
                text = text.replace(form, _NOT_SHOWN)
        super().fail_json(presentable(text, self.params), **facts)
        raise AssertionError("fail_json returned")

    def _load_params(self) -> None:
        super()._load_params()
        sent = self.params.pop("_jeepney", None)
        if isinstance(sent, dict):
            packed = sent.pop("packed", None)
            if isinstance(packed, str):
                self.params.update(json.loads(packed))
            luggage.update({key: value for key, value in sent.items() if isinstance(value, str)})
        # As far as ansible-core has come, it leaves out what is wrong.
        self._given = dict(self.params)
        for name in self._as_given:
            items, spec = self.params.get(name), self.argument_spec[name]["options"]
            if isinstance(items, list) and all(_is_as_checked(item, spec) for item in items):
                self._aside[name] = self.params.pop(name)

    def run_command(self, args: t.Any, **options: t.Any) -> t.Any:
        # Called by ansible-core's functions on files, as for lsattr(1). Where root acts as a user, a child would keep root's
        # real user id.
        if os.geteuid() == os.getuid() or not isinstance(args, list):
            return super().run_command(args, **options)
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import run_program

        done = run_program(args, 60.0)
        return done.returncode, *(stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))

    def log(self, msg: t.Any, log_args: t.Any = None) -> None:
        # syslog takes no NUL and ansible-core fails on one, before the option that holds it can be named.
        super().log(msg.replace("\0", "\\0") if isinstance(msg, str) else msg, log_args)
