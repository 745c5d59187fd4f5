# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of `unit_set` ask for, before a look at the host."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.probe import Probe
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.resource import (
    CGROUP_TYPES,
    canonical,
    check_devices,
    drop_in_lines,
    is_live,
    is_resource_property,
    is_unset,
    similar,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    TYPES,
    check_name,
    is_template,
    prefix_of,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import LIMIT
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.marker import header
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import check_dropin
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import parse
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.timespan import format_timespan, parse_timespan
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import Wish
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.texts import wanted_raw
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.triggers import path_of, triggers_of

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import UnitText

# What the comment in a file names as its writer.
MODULE = "unit_set"
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@+")
_LONGEST_NAME = 100
# So many instances of one template nobody wants, only by mistake.
_MOST_INSTANCES = 10_000
# The drop-ins that hold `properties`.
_PROPERTIES = "50-properties"


class Text:
    """A unit file or drop-in as it shall be: the text, with the comment of the set, and its option."""

    def __init__(self, raw: str, option: str, is_content: bool) -> None:
        self.raw = raw
        self.option = option
        self.is_content = is_content
        self._text: UnitText | None = None

    @property
    def text(self) -> UnitText:
        """What it says; nobody asks where the file is as it shall be."""
        if self._text is None:
            self._text = parse(self.raw)
        return self._text


class Beside(t.NamedTuple):
    """A file beside the units: `path` as it was asked for, `params` owner, group and mode, `where` the begin of its options."""

    path: str
    content: bytes
    params: dict[str, t.Any]
    where: str
    take_over: bool


class Item:
    """One entry of `units`, checked.

    `name` is the unit's full name, or the type of all units whose drop-ins these are (`is_type`). `targets` are the units
    whose states and links it is about: itself, or the instances of a template. `file` is the unit file (None: somebody
    else's) and `dropins` the drop-ins by file name. `owns` says whether the units belong to the set.

    :param where: stands before the names of options in errors.
    :param whose: the set.
    :param take_over: what the task says of it.
    :param offline: the option because of which nothing runs; empty where something does.
    :param scope: the scope.
    :raises BadInput: an option is wrong, or does not go with another.
    """

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        where: str,
        whose: str,
        take_over: bool,
        offline: str = "",
        scope: str = "system",
    ) -> None:
        self.where = where
        given = params["name"]
        self.is_type = given in TYPES
        self.name: str = given if self.is_type else check_name(given, f"{where}name")
        self.kind: str = given if self.is_type else unit_type(self.name)
        self.is_template = not self.is_type and is_template(self.name)
        # A unit may be called like a prefix.
        has_file = params.get("sections") is not None or params.get("content") is not None
        of_many = not has_file and bool(params.get("dropins") is not None or params.get("properties"))
        self.is_prefix = of_many and not self.is_type and not self.is_template and prefix_of(self.name).endswith("-")
        self.enabled: bool | None = params.get("enabled")
        self.state: str | None = params.get("state")
        self.masked: bool | None = params.get("masked")
        self.take_over = take_over if params.get("take_over") is None else bool(params["take_over"])
        self.restart_on = triggers_of(params, "restart_on", where, scope)
        self.reload_on = triggers_of(params, "reload_on", where, scope)
        self.file = self._file(params, whose)
        self.dropins = self._dropins(params.get("dropins"), whose)
        self.properties = self._properties(params.get("properties"), whose)
        self.probe = Probe.of(params.get("probe"), f"{where}probe")
        self.instances = self._instances(params.get("instances"))
        self.targets: list[str] = [self.name]
        if self.instances is not None:
            self.targets = self.instances
        elif self.is_type or self.is_prefix or (self.is_template and self.enabled is None and self.masked is None):
            self.targets = []
        self.is_quiet = params.get("on_change") == "nothing"
        self.on_change: str = params.get("on_change") or ("restart" if self.state == "started" else "nothing")
        wishes = (self.enabled, self.state, self.masked, self.instances)
        self.owns = self.file is not None or any(wish is not None for wish in wishes)
        if self.probe is not None:
            for name in self.targets:
                if not is_template(name):
                    self.probe.for_unit(name)
        self._check_together(params, offline)

    def _file(self, params: t.Mapping[str, t.Any], whose: str) -> Text | None:
        sections, content = params.get("sections"), params.get("content")
        if sections is None and content is None:
            return None
        if sections is not None and content is not None:
            raise BadInput(f"{self.where}content: the unit file is given twice; leave out `content` or `sections`")
        if self.is_type:
            raise BadInput(
                f"{self.where}name: {self.name} is a type of units, which has no unit file; a unit that is called so is written "
                f"{self.name}.{self.name}"
            )
        if self.kind == "scope":
            raise BadInput(f"{self.where}name: {self.name} cannot have a unit file, as scopes are made by programs")
        option = "sections" if content is None else "content"
        raw = wanted_raw(sections, content, False, self.where)
        return _marked(raw, whose, f"{self.where}{option}", content is not None)

    def _dropins(self, given: t.Any, whose: str) -> dict[str, Text]:
        found: dict[str, Text] = {}
        for name, value in (given or {}).items():
            at = f"{self.where}dropins"
            if not isinstance(name, str):
                raise BadInput(f"{at}: {shown(name)} is not the name of a drop-in; write one such as '10-limits'")
            file = check_dropin(name, self.name, at)
            if is_of_properties(file):
                raise BadInput(f"{at}: {file} is where `properties` are kept; choose another name")
            if file in found:
                raise BadInput(f"{at}: {file} is given twice")
            option = f"{at}.{name}"
            if not isinstance(value, (dict, str)):
                raise BadInput(f"{option}: takes a mapping of sections, or the text of the drop-in, not {shown(value)}")
            content = value if isinstance(value, str) else None
            try:
                raw = wanted_raw(None if content is not None else value, content, True, f"{option}.")
            except BadInput as e:
                # The mapping itself is the sections here, and the text the content.
                for word in ("sections", "content"):
                    e.msg = e.msg.replace(f"{option}.{word}", option, 1)
                raise
            found[file] = _marked(raw, whose, option, content is not None)
        return found

    def _properties(self, given: t.Any, whose: str) -> dict[str, t.Any]:
        """The properties by canonical value; the drop-in that holds them is made beside the others."""
        option = f"{self.where}properties"
        found: dict[str, t.Any] = {}
        for name, value in (given or {}).items():
            if not is_resource_property(name) or not is_live(name):
                near = similar(str(name))
                hint = f"did you mean {' or '.join(near)}?" if near else "write others into `sections` or `dropins`"
                raise BadInput(f"{option}: {shown(name)} is no resource property that systemd can change on a unit that runs; {hint}")
            if not is_unset(value):
                found[name] = canonical(name, value, option)
                check_devices(name, found[name], option)
        if given is None or not found:
            return {}
        if self.kind not in CGROUP_TYPES:
            raise BadInput(
                f"{option}: a {self.kind} has no processes and so no resource properties; only units of type {', '.join(CGROUP_TYPES)} have"
            )
        lines = [line for name, value in found.items() for line in drop_in_lines(name, value)]
        raw = "\n".join([f"[{self.kind.capitalize()}]", *lines, ""])
        self.dropins[properties_file(self.name)] = _marked(raw, whose, option, False)
        return found

    def _instances(self, given: t.Any) -> list[str] | None:
        if given is None:
            return None
        option = f"{self.where}instances"
        if not self.is_template:
            raise BadInput(f"{option}: {self.name} is no template; write its name with an @, such as {_as_template(self.name)}")
        if isinstance(given, str) and is_digits(given):
            # Templates of Jinja may make text of a number.
            given = int(given) if len(given) < 10 else _MOST_INSTANCES + 1
        if isinstance(given, int) and not isinstance(given, bool):
            if not 0 <= given <= _MOST_INSTANCES:
                raise BadInput(f"{option}: {shown(given)} is no number of instances; give one from 0 to {_MOST_INSTANCES}")
            given = range(1, given + 1)
        elif not isinstance(given, (list, tuple)):
            raise BadInput(f"{option}: {shown(given)} is neither a number nor a list; write 3, or [a, b, c]")
        prefix, _at, suffix = self.name.partition("@")
        names = []
        for each in given:
            if isinstance(each, bool) or not isinstance(each, (str, int)) or each == "":
                raise BadInput(f"{option}: {shown(each)} is not the name of an instance; write what stands after the @, in quotes")
            names.append(check_name(f"{prefix}@{each}{suffix}", option))
        double = next((name for name in names if names.count(name) > 1), "") if len(set(names)) < len(names) else ""
        if double:
            raise BadInput(f"{option}: {double} is listed twice")
        return names

    def _check_together(self, params: t.Mapping[str, t.Any], offline: str) -> None:
        where, name = self.where, self.name
        for option in ("enabled", "state", "masked"):
            value = params.get(option)
            if value is None:
                continue
            if self.is_type or self.is_prefix:
                raise BadInput(f"{where}{option}: {name} stands for many units, of which only drop-ins can be given; leave out `{option}`")
        if self.is_type and not self.dropins:
            raise BadInput(f"{where}dropins: {name} is a type of units, and there are no drop-ins for it; give some, or name a unit")
        if self.is_template and self.instances is None and self.state is not None:
            raise BadInput(f"{where}state: {name} is a template, of which only instances can run; list them in `instances`")
        if offline and self.state is not None:
            raise BadInput(f"{where}state: nothing runs where `{offline}` points; leave out `state`")
        if self.masked and self.file is not None and self.instances is None:
            raise BadInput(f"{where}masked: a unit that the set writes a file of cannot be masked; leave out the file, or `masked`")
        if self.masked and self.state == "started":
            raise BadInput(f"{where}masked: a masked unit cannot be started; leave out `state`, or set `masked: false`")
        if self.masked and self.enabled:
            raise BadInput(f"{where}masked: a masked unit cannot be enabled; leave out `enabled`, or set `masked: false`")
        if self.is_type and self.on_change != "nothing":
            raise BadInput(
                f"{where}on_change: {name} stands for all units of that type, and they are not all restarted at once; leave out `on_change`"
            )
        for option in ("restart_on", "reload_on", "probe"):
            if params.get(option) and not self.targets and self.instances is None:
                raise BadInput(f"{where}{option}: {name} stands for many units; give `{option}` to those that are meant")


class Asked:
    """The options of a task, checked.

    :raises BadInput: an option is wrong, or does not go with another.
    """

    def __init__(self, params: dict[str, t.Any]) -> None:
        self.params = params
        self.name = check_set_name(params["name"])
        self.absent = params["state"] == "absent"
        self.purge = bool(params["purge"]) or self.absent
        self.settle = parse_timespan(params["settle"], "settle")
        Wish(settle=self.settle / 1e6, settle_told=format_timespan(self.settle)).check()
        offline = "root" if params["root"] is not None else "scope" if params["scope"] == "global" else ""
        if params["root"] is not None and params["scope"] == "user":
            raise BadInput(
                "root: the units of users are in their home directories, which are in no tree; use scope `system`, or leave out `root`"
            )
        take_over = bool(params["take_over"])
        self.items = [
            Item(each, f"units[{index}].", self.name, take_over, offline, params["scope"])
            for index, each in enumerate(params["units"] or ())
        ]
        self.files = [
            self._beside(each, f"files[{index}].", take_over) for index, each in enumerate(params["files"] or ())
        ]
        self._check_doubles()
        self._check_together()

    @property
    def idle(self) -> bool:
        """Whether nothing is to be enabled or to run, so that a user's manager need not be there."""
        return not any(item.enabled or item.state == "started" for item in self.items)

    def _beside(self, params: t.Mapping[str, t.Any], where: str, take_over: bool) -> Beside:
        path = path_of(params["path"], f"{where}path", self.params["scope"])
        if path in ("/", "~/"):
            raise BadInput(f"{where}path: {path} is a directory; write the path of a file")
        content = params["content"].encode("utf-8", "surrogateescape")
        if len(content) > LIMIT:
            raise BadInput(f"{where}content: the file is larger than {LIMIT >> 20} MiB; bring it with ansible.builtin.copy, and name it in `restart_on`")
        own = {key: params.get(key) for key in ("owner", "group", "mode")}
        mine = params.get("take_over")
        return Beside(path, content, own, where, take_over if mine is None else bool(mine))

    def _check_doubles(self) -> None:
        items: dict[str, str] = {}
        targets: dict[str, str] = {}
        for item in self.items:
            other = items.setdefault(item.name, item.where)
            if other != item.where:
                raise BadInput(f"{item.where}name: {item.name} is listed already, in {other[:-1]}; make one entry of the two")
            for name in item.targets if item.owns else ():
                other = targets.setdefault(name, item.where)
                if other != item.where:
                    raise BadInput(f"{item.where}name: {name} is an instance in {other[:-1]} already; make one entry of the two")
        for index, item in enumerate(self.items):
            given = self.params["units"][index]
            for option in ("on_change", "restart_on", "reload_on", "probe"):
                other = next((targets[name] for name in item.targets if name in targets), "") if not item.owns else ""
                if other and given.get(option):
                    raise BadInput(
                        f"{item.where}{option}: {item.name} is an instance in {other[:-1]}, which says what becomes of it; give `{option}` there"
                    )
        paths: dict[str, str] = {}
        for file in self.files:
            other = paths.setdefault(file.path, file.where)
            if other != file.where:
                raise BadInput(f"{file.where}path: {file.path} is listed already, in {other[:-1]}")
        for file in self.files:
            parts = file.path.split("/")
            above = next((path for path in ("/".join(parts[:count]) for count in range(2, len(parts))) if path in paths), "")
            if above:
                raise BadInput(f"{file.where}path: {file.path} is below {above}, which is a file, in {paths[above][:-1]}")

    def _check_together(self) -> None:
        listed = bool(self.items or self.files)
        if self.absent and listed:
            raise BadInput(f"{'units' if self.items else 'files'}: a set that is removed has none; leave them out with `state: absent`")
        if not self.absent and not listed and self.purge:
            raise BadInput(
                "units: the set lists nothing, and all that it has would be removed; use `state: absent` if that is meant, or list what shall be there"
            )


def check_set_name(name: str) -> str:
    """The name of a set, which is a file's name too.

    :raises BadInput: it cannot be.
    """
    if not name or len(name) > _LONGEST_NAME or name.startswith(".") or not _NAME_CHARS.issuperset(name):
        raise BadInput(
            f"name: {shown(name)} cannot be the name of a set; use letters, digits and any of - _ . : @ +, no dot first, "
            f"{_LONGEST_NAME} characters at most"
        )
    return name


def properties_file(name: str) -> str:
    """The drop-in that holds `properties` of a unit, or of what stands for many units.

    Of drop-ins with the same name systemd reads one, and of others the last one counts. So each has a name of its own, and
    the narrower what it stands for, the later it comes: a type, a prefix, a longer one, a template, a unit (systemd.unit(5)).
    """
    if name not in TYPES and not is_template(name) and not prefix_of(name).endswith("-"):
        return f"{_PROPERTIES}.conf"
    prefix = "" if name in TYPES else prefix_of(name)
    level = prefix.count("-") + (bool(prefix) and not prefix.endswith("-"))
    return f"{_PROPERTIES}-{level:03}.conf"


def is_of_properties(file: str) -> bool:
    """Whether a drop-in of a set is one that holds `properties`."""
    stem = file.rpartition(".")[0]
    return stem == _PROPERTIES or (stem.startswith(f"{_PROPERTIES}-") and is_digits(stem[len(_PROPERTIES) + 1 :]))


def _marked(raw: str, whose: str, option: str, is_content: bool) -> Text:
    """A text with the comment by which it is known again."""
    return Text(f"{header(MODULE, whose)}\n{raw}", option, is_content)


def _as_template(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem.partition('@')[0]}@{dot}{suffix}"
