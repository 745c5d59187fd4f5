# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of `run` asks for: its options checked, and turned into names and typed properties."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import group_id, user_entry
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import ARGUMENT_BYTES, check_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import exec as exec_properties
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import resource as resource_properties
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    check_name,
    check_slice,
    is_template,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import (
    INFINITY,
    YES,
    is_variable,
    leading_number,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import parse_bytes
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.commands import split_words
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import parse_timespan

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.interface import UnitManager

# Option -> the timer directive it is.
TRIGGERS = {
    "on_active": "OnActiveSec",
    "on_boot": "OnBootSec",
    "on_startup": "OnStartupSec",
    "on_unit_active": "OnUnitActiveSec",
    "on_unit_inactive": "OnUnitInactiveSec",
    "on_calendar": "OnCalendar",
}
# Option -> the directive that it is another way to write.
_OPTIONS = {
    "description": "Description",
    "working_directory": "WorkingDirectory",
    "run_as": "User",
    "run_as_group": "Group",
    "slice": "Slice",
}
# Directives, among them those of `timer_properties` alone, with which a timer elapses for the first time. The others count
# from a run of the service, and a transient one has had none.
_FIRST = ("OnActiveSec", "OnBootSec", "OnStartupSec", "OnCalendar", "OnClockChange", "OnTimezoneChange")
# Options of which an empty text is no value.
_NOT_EMPTY = ("name", "working_directory", "run_as", "run_as_group", "slice", "creates", "removes", "timeout", "user")
# Bytes of each stream that are returned where the task does not say how many.
OUTPUT_LIMIT = 4 << 20
# The field of the journal by which a unit of the same name is told to be the same.
_MARK = "PIDONE_SYSTEMD_RUN"
# Values with which a directive of a timer has no effect.
_OFF: tuple[t.Any, ...] = (None, "", [], False, "no", "false", "off", "n", "f", "0")
# With these the command is looked for in another tree than this process sees.
_OTHER_ROOTS = ("RootDirectory", "RootImage")


class Request:
    """A run, ready to be sent.

    `name` is the service or scope; `timer` its timer, or empty. `properties` and `timer_properties` are what
    StartTransientUnit takes. `shown` is the name for plans, which a made-up name would make differ every time.
    """

    def __init__(self, name: str, timer: str, made_up: bool, argv: list[str]) -> None:
        self.name, self.timer, self.made_up, self.argv = name, timer, made_up, argv
        self.scope = unit_type(name) == "scope"
        self.program = argv[0]
        self.properties: list[t.Any] = []
        self.timer_properties: list[t.Any] = []
        self.timeout: float | None = None
        self.stdin: bytes | None = None
        self.wait = True
        self.strip = True
        self.output_limit = OUTPUT_LIMIT
        self.oneshot = False
        self.captured: list[str] = []
        # Whether systemd restarts the command, and whether this version then forgets the descriptors it was given.
        self.restarted = False
        self.forgetful = False
        self.when = ""
        self.mark = ""
        self.failed: list[str] = []
        # The scope is there still, and nothing is in it any more.
        self.is_left = False
        self.warnings: list[str] = []

    @property
    def shown(self) -> str:
        """The unit that is started, for people."""
        if not self.made_up:
            return self.timer or self.name
        return "a transient timer" if self.timer else "a transient scope" if self.scope else "a transient service"

    def calls_good(self, rc: int) -> bool:
        """Whether SuccessExitStatus= lists an end of the command: its exit status, or minus the number of a signal."""
        good: set[int] = set()
        for name, (_signature, value) in self.properties:
            if name == "SuccessExitStatus":
                statuses, signals = value
                # An empty assignment resets.
                good = good | {*statuses, *(-number for number in signals)} if statuses or signals else set()
        return rc in good

    @property
    def command_line(self) -> str:
        """The command as a shell would read it, shortened."""
        import shlex

        text = " ".join(shlex.quote(word) for word in self.argv)
        return text if len(text) <= 120 else text[:117] + "..."


def check_options(params: dict[str, t.Any]) -> None:
    """Refuse what can be seen to be wrong without looking at the host."""
    if params["scope"] == "global":
        raise BadInput("scope: there is no manager behind scope `global`; use `system` or `user`")
    for option in _NOT_EMPTY:
        if params[option] == "":
            raise BadInput(f"{option}: is empty; write a value, or leave it out")
    for option, what in (("run_as", "user"), ("run_as_group", "group")):
        if params[option] is not None:
            check_account(params[option], option, what)
    _check_environment(params["environment"] or {})
    triggers = _check_triggers(params)
    if params["unit_type"] == "scope":
        for option in (*triggers, "timer_properties", "remain_after_exit"):
            if params[option]:
                raise BadInput(f"{option}: is for services; a scope's command is started at once, by this task")
        if not params["wait"]:
            raise BadInput("wait: a scope's command is a child of this task, so the task has to wait; leave it true")
    if params["timer_properties"] and not triggers:
        raise BadInput(f"timer_properties: there is no timer; say when it elapses with one of {', '.join(TRIGGERS)}")
    if params["stdin"] is not None and (triggers or not params["wait"]):
        raise BadInput(
            "stdin: is only there for a command that the task waits for; "
            "set StandardInputText among the `properties` instead"
        )
    if params["run_as"] is not None and params["scope"] == "user":
        raise BadInput("run_as: the manager of a user can start processes as that user only; leave it out")
    if params["scope"] == "user" and params["user"] is not None:
        _check_user_of_users(params["user"], params["properties"] or {})


def _check_user_of_users(user: str, properties: dict[str, t.Any]) -> None:
    """Refuse properties by which a process would be another user's; only the manager of root can do that."""
    try:
        entry = user_entry(user)
    except KeyError:
        return
    asked = str(properties.get("User") or "")
    if entry.pw_uid and asked not in ("", entry.pw_name, str(entry.pw_uid)):
        raise BadInput("properties: User: the manager of a user can start processes as that user only; leave it out")
    if entry.pw_uid and str(properties.get("DynamicUser") or "no").lower() in YES:
        raise BadInput(
            "properties: DynamicUser: the manager of a user can start processes as that user only; leave it out"
        )


def _check_triggers(params: dict[str, t.Any]) -> list[str]:
    """The options that say when a timer elapses.

    :raises BadInput: one is empty, which would have the command run at once, or a timer would never elapse.
    """
    triggers = [option for option in TRIGGERS if params[option] is not None]
    for option in triggers:
        values = params[option] if isinstance(params[option], list) else [params[option]]
        if not values or not all(str(value).strip() for value in values):
            example = "*-*-* 02:30" if option == "on_calendar" else "5h"
            raise BadInput(
                f"{option}: is empty; say when, such as {example!r}, or leave it out, which has the command run at once"
            )
    directives = {TRIGGERS[option] for option in triggers}
    # `OnClockChange: false` and an empty list, which resets, are none.
    directives |= {name for name, value in (params["timer_properties"] or {}).items() if value not in _OFF}
    if triggers and directives.isdisjoint(_FIRST):
        raise BadInput(
            f"{triggers[0]}: counts from a run of the command, and there would never be a first one; "
            "set on_active too, such as `on_active: 0`"
        )
    return triggers


def _check_environment(variables: dict[t.Any, t.Any]) -> None:
    """Refuse variables that systemd does not take (env_assignment_is_valid() in its env-util.c). Values are not told.

    :raises BadInput: of the option `environment`.
    """
    for name, value in variables.items():
        text = str(name)
        if not is_variable(text):
            raise BadInput(
                f"environment: {shown(text)} is no name of a variable; it has letters, digits and underscores, no digit first"
            )
        if isinstance(value, (dict, list, tuple)):
            raise BadInput(f"environment: {text}: takes text or a number, not {type(value).__name__}")
        if any((char < " " and char not in "\t\n") or char == "\x7f" for char in str(value)):
            raise BadInput(f"environment: {text}: holds a control character, which systemd does not take; take it out")


def words_of(command: t.Any) -> list[str]:
    """The arguments of a command told as a list, or as a string with quotes as in a shell, but no shell.

    :raises BadInput: it is neither, or empty.
    """
    if isinstance(command, str):
        try:
            words = split_words(command)
        except ValueError as e:
            raise BadInput(f"command: cannot be taken apart: {e}; write it as a list of arguments") from None
    elif isinstance(command, (list, tuple)):
        words = []
        for index, word in enumerate(command):
            if isinstance(word, bool) or not isinstance(word, (str, int, float)):
                raise BadInput(f"command[{index}]: {word!r} is no argument; put it in quotes")
            words.append(str(word))
    else:
        raise BadInput("command: write a list of arguments, or one string")
    if not words or not words[0]:
        raise BadInput("command: is empty; write the program and its arguments")
    for index, word in enumerate(words):
        if len(word) >= ARGUMENT_BYTES or len(word.encode("utf-8", "surrogateescape")) >= ARGUMENT_BYTES:
            raise BadInput(
                f"command: argument {index} is longer than the {ARGUMENT_BYTES - 1} bytes that Linux takes ({shown(word)}); give it in "
                "a file, or in `stdin`"
            )
    return words


def build(params: dict[str, t.Any], manager: UnitManager, check_mode: bool) -> Request:
    """What the options come to on this host.

    :param check_mode: what is not there yet may be made by an earlier task of the play then: a warning instead of an error.
    :raises BadInput: the options cannot be used.
    """
    triggers = {TRIGGERS[option]: params[option] for option in TRIGGERS if params[option] is not None}
    suffix = "scope" if params["unit_type"] == "scope" else "service"
    name, made_up = _name(params["name"], suffix, bool(triggers))
    words = words_of(params["command"])
    timer = f"{name.rpartition('.')[0]}.timer" if triggers else ""
    request = Request(name, timer, made_up, words)
    request.wait = params["wait"] and not timer
    request.strip = params["strip_empty_ends"]
    if params["timeout"] is not None:
        usec = parse_timespan(params["timeout"], "timeout")
        if not usec:
            raise BadInput("timeout: is 0; leave it out for no limit")
        request.timeout = usec / 1e6 if usec != INFINITY else None
    if params["output_limit"] is not None:
        request.output_limit = parse_bytes(params["output_limit"], "output_limit")
        if not request.output_limit:
            raise BadInput("output_limit: is 0; give the bytes to be returned, such as 4M, or infinity")
    if params["stdin"] is not None:
        text = params["stdin"] + ("\n" if params["stdin_add_newline"] else "")
        request.stdin = text.encode("utf-8", "surrogateescape")

    given = dict(params["properties"] or {})
    find = _Finder(request, given, check_mode)
    request.program = find(words[0], "command")
    table = _Table(suffix, "properties")
    directives = _directives(params, request, given)
    options = {directive: option for option, directive in _OPTIONS.items() if directive not in given}
    for directive, value in directives.items():
        request.properties += table.to_bus(directive, value, find, options.get(directive, ""))
    # The option comes after the property of that name, and of two variables systemd takes the later one.
    variables = exec_properties.to_bus("Environment", params["environment"], "environment")
    if not request.scope:
        request.properties += variables
        flags = [] if params["expand_argument_vars"] else ["no-env-expand"]
        argv = [request.program, *words[1:]] if "/" in words[0] else words
        request.properties.append(exec_properties.command_property("ExecStart", request.program, argv, flags))
        request.captured = [
            stream for stream, name in (("stdout", "StandardOutput"), ("stderr", "StandardError")) if name not in given
        ]
    request.restarted = given.get("Restart") not in (None, "no", False)
    if request.restarted and request.wait:
        version = leading_number((manager.manager_property("Version") or "").replace("systemd ", "", 1))
        request.forgetful = version is not None and version < 254
    _check_places(request, given, directives, params, check_mode)
    if timer:
        _add_timer(request, params, triggers)
    if not made_up and not request.scope:
        _add_mark(request)
    return request


def _name(wanted: str | None, suffix: str, timer: bool) -> tuple[str, bool]:
    """The full name of the service or scope, and whether it was made up."""
    if wanted is None:
        return f"ansible-run-{os.urandom(8).hex()}.{suffix}", True
    kind = unit_type(wanted)
    if timer and kind == "timer":
        wanted = wanted[: -len("timer")] + suffix
    elif kind and kind != suffix:
        raise BadInput(f"name: {wanted!r} is no {suffix}; leave out the suffix")
    name = check_name(wanted if unit_type(wanted) else f"{wanted}.{suffix}")
    if is_template(name):
        raise BadInput(f"name: {name} is a template; a transient unit needs a whole name")
    return name, False


class _Finder:
    """Finds programs as systemd would; where it cannot look, it takes what is written."""

    def __init__(self, request: Request, given: dict[str, t.Any], check_mode: bool) -> None:
        self._request = request
        self._elsewhere = any(given.get(name) for name in _OTHER_ROOTS)
        self._check_mode = check_mode

    def __call__(self, program: str, option: str) -> str:
        if self._elsewhere:
            if not program.startswith("/"):
                raise BadInput(f"{option}: {program!r} has to be an absolute path, as it is in another root directory")
            return program
        try:
            return exec_properties.find_program(program, option)
        except BadInput as e:
            if not self._check_mode:
                raise
            self._request.warnings.append(e.msg)
            return program


class _Table:
    """What this host's systemd knows of directives of a type of unit."""

    def __init__(self, kind: str, option: str) -> None:
        self._kind, self._option = kind, option
        self._table: t.Any = None

    def to_bus(self, name: str, value: t.Any, find: t.Any = None, option: str = "") -> list[t.Any]:
        """The typed properties for a directive.

        :param option: the option that it comes from, for the error, where it is none of those of the table.
        :raises BadInput: systemd here knows no such directive for this type of unit, or the value is none for it.
        """
        option = option or f"{self._option}: {name}"
        type_ = self._type(name, option)
        if resource_properties.is_resource_property(name):
            if value is None:
                return []
            found: list[t.Any] = resource_properties.to_bus(name, value, self._option)
            canonical = resource_properties.canonical(name, value, self._option)
            resource_properties.check_devices(name, canonical, self._option)
            return found
        return exec_properties.to_bus(name, value, option, type_, find)

    def _type(self, name: str, option: str) -> str:
        from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives import known as directives

        if self._table is None:
            self._table = directives.load_table() or {}
        if not self._table:
            return ""
        sections = ["Unit", self._kind.capitalize()]
        for section in sections:
            if name in self._table[section]:
                return str(self._table[section][name])
        foreign = [section for section in self._table if name in self._table[section]]
        if foreign:
            hint = f"it is for units with a section [{foreign[0]}]"
            if foreign[0] == "Timer" and self._option == "properties":
                hint = "it belongs into `timer_properties`"
            elif foreign == ["Install"]:
                hint = "transient units are not enabled"
            raise BadInput(f"{option}: is no directive of a {self._kind}; {hint}")
        known = [key for section in sections for key in self._table[section]]
        near = directives.nearest(name, known)
        hint = f"did you mean {near}?" if near else "it may need a newer version; see systemd.directives(7)"
        raise BadInput(f"{option}: systemd on this host knows no such directive of a {self._kind}; {hint}")


def _directives(params: dict[str, t.Any], request: Request, given: dict[t.Any, t.Any]) -> dict[str, t.Any]:
    """Options and properties as directives."""
    for key in given:
        if not isinstance(key, str) or not key.strip():
            raise BadInput(f"properties: {key!r} is no directive; write one such as MemoryMax")
    found: dict[str, t.Any] = {}
    for option, directive in _OPTIONS.items():
        value = params[option]
        if value is None:
            continue
        if directive in given:
            raise BadInput(f"{option}: {directive} is among the `properties` too; write it once")
        if request.scope and option in ("working_directory", "run_as", "run_as_group"):
            continue  # these are the doing of the task there
        found[directive] = check_slice(value) if option == "slice" else value
    found.setdefault("Description", _description(request))
    if params["collect"]:
        found["CollectMode"] = "inactive-or-failed"
    if not request.scope:
        # Of this type, the job fails if the command cannot be executed, and a timer's service is not waited for.
        found["Type"] = "exec"
        if params["remain_after_exit"]:
            found["RemainAfterExit"] = True
    found.update(given)
    request.oneshot = found.get("Type") == "oneshot"
    if request.timeout is not None:
        directive = "TimeoutStartSec" if request.oneshot else "RuntimeMaxSec"
        if directive in given:
            raise BadInput(f"timeout: {directive} is among the `properties` too; write it once")
        # systemd itself stops it, also where nobody is there any more to do so.
        found[directive] = f"{int(request.timeout * 1e6)}us"
    return found


def _description(request: Request) -> str:
    """What a unit is called that its user gave no description.

    Everybody can read it, and the journal keeps it: so it has no arguments, which may be secret.
    """
    return f"{_plain(request.argv[0])} (run by pidone.systemd)"


def _plain(text: str) -> str:
    """The text in one line, without what no terminal should see."""
    return "".join(char if char.isprintable() else " " for char in text)


def _check_places(
    request: Request,
    given: dict[str, t.Any],
    directives: dict[str, t.Any],
    params: dict[str, t.Any],
    check_mode: bool,
) -> None:
    """Whether user, group and working directory exist."""
    if any(given.get(name) for name in _OTHER_ROOTS):
        return
    dynamic = given.get("DynamicUser") not in (None, False, "no", "false", "off", "0", 0)
    user = params["run_as"] or directives.get("User")
    group = params["run_as_group"] or directives.get("Group")
    problems = []
    if user and not dynamic and not _is_there(user_entry, str(user)):
        option = "run_as" if params["run_as"] else "properties: User"
        problems.append(f"{option}: there is no user {str(user)!r} on this host; create it first, or correct the name")
    if group and not dynamic and not _is_there(group_id, str(group)):
        option = "run_as_group" if params["run_as_group"] else "properties: Group"
        problems.append(
            f"{option}: there is no group {str(group)!r} on this host; create it first, or correct the name"
        )
    directory = str(params["working_directory"] or directives.get("WorkingDirectory") or "")
    option = "working_directory" if params["working_directory"] else "properties: WorkingDirectory"
    if directory and directory not in ("~", "-~") and not directory.startswith("-"):
        if not directory.startswith("/"):
            raise BadInput(f"{option}: {directory!r} is not an absolute path")
        if not os.path.isdir(directory):
            what = "is no directory" if os.path.exists(directory) else "does not exist on this host"
            problems.append(f"{option}: {directory} {what}; create it first, or correct the path")
    if problems and not check_mode:
        raise BadInput(problems[0])
    request.warnings += problems


def _is_there(find: t.Callable[[str], t.Any], name: str) -> bool:
    """Whether there is such a user or group."""
    try:
        find(name)
    except KeyError:
        return False
    return True


def _add_timer(request: Request, params: dict[str, t.Any], triggers: dict[str, t.Any]) -> None:
    given = dict(params["timer_properties"] or {})
    for key in given:
        if not isinstance(key, str) or not key.strip():
            raise BadInput(f"timer_properties: {key!r} is no directive; write one such as AccuracySec")
    table = _Table("timer", "timer_properties")
    told = []
    for option, directive in TRIGGERS.items():
        values = params[option]
        if values is None:
            continue
        if directive in given:
            raise BadInput(f"{option}: {directive} is among the `timer_properties` too; write it once")
        request.timer_properties += exec_properties.to_bus(directive, values, option)
        told.append(f"{option} {', '.join(values) if isinstance(values, list) else values}")
    request.when = "; ".join(told)
    if "Unit" in given:
        raise BadInput("timer_properties: Unit cannot be set here, the timer starts the command's own service")
    found: dict[str, t.Any] = {"Description": f"Timer of {_description(request)}", "RemainAfterElapse": False}
    if params["collect"]:
        found["CollectMode"] = "inactive-or-failed"
    found.update(given)
    for directive, value in found.items():
        request.timer_properties += table.to_bus(directive, value)


def _add_mark(request: Request) -> None:
    """Let a unit tell from what it was made, so that a second run of the same task can know it.

    All users of the host can read it, and the journal keeps it. So it is made of what they can read of the unit anyway, and
    not of what goes to its standard input: of that, only whether there is any.
    """
    import hashlib
    import json

    told = [request.properties, request.timer_properties, request.stdin is not None]
    digest = hashlib.sha256(json.dumps(told, default=lambda value: bytes(value).hex()).encode()).hexdigest()
    request.mark = f"{_MARK}={digest[:32]}"
    request.properties.append(("LogExtraFields", ("aay", [request.mark.encode()])))
