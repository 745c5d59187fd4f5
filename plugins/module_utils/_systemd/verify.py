# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask systemd what it would think of a unit file, before the file is where systemd looks.

`systemd-analyze verify` loads the file from a scratch directory that comes before all others, so that drop-ins, templates
and other units resolve as they will. What it says of other files is not the doing of this one, and is left out.
"""

from __future__ import annotations

import functools
import os
import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.directives.known import Table, check_directives
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.links import PULLS
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    check_name,
    instance_of,
    is_template,
    prefix_of,
    template_of,
    unit_type,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import words_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import ProgramMissing, run_program
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.paths import UnitPaths
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.text.syntax import Assignment, Problem, UnitText

# Enough of a unit for drop-ins to be read, where the unit itself is not there yet.
_STUBS = {
    "service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "socket": "[Socket]\nListenStream=/run/stub\n",
    "timer": "[Timer]\nOnActiveSec=1d\n",
    "path": "[Path]\nPathExists=/stub\n",
}
# Said beside the message that matters.
_ECHOES = (
    "has a bad unit file setting",
    "Unit configuration has fatal error",
    "failed to load properly",
    "Starting this unit will fail!",
)

# Directives of [Install] that hold names of units, which systemd looks at only when the unit is enabled.
_INSTALL_NAMES = ("WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also")
# Types that may have other names, as unit_type_may_alias() of systemd has them.
_MAY_ALIAS = ("service", "socket", "target", "device", "timer", "path")
# What is looked for where a name lacks its type, in this order.
_MEANT = ("target", "service", "socket", "timer", "mount", "slice", "path")
# What systemd-analyze takes for the instance of a template, before and from systemd 254 on.
_MADE_UP = ("i", "test_instance")
# A specifier that stands for the instance; `%%` is no specifier, and the others are known from the template's name.
_INSTANCE = re.compile("(?<!%)(?:%%)*%[iI]")
# Directives of which systemd repeats the text as written although it has put the instance into it.
_TOLD_AS_WRITTEN = ("Unit",)
# With less, dependencies are not even read; what is said of other units' files is left out here.
_RECURSIVE = "--recursive-errors=one"
_UNCHECKED = Problem(0, "", "systemd-analyze is not installed here, values have not been checked")


class Verdict(t.NamedTuple):
    """What is wrong with a file: `errors` keep systemd from obeying it, `warnings` may be meant or be put right later."""

    errors: list[Problem]
    warnings: list[Problem]


def verify(
    text: UnitText,
    raw: str,
    name: str,
    dropin: str | None,
    paths: UnitPaths,
    table: Table | None,
    scratch: str,
    home: str = "",
) -> Verdict:
    """Check a unit file or drop-in that is to be written.

    :param text: the parsed text, without problems.
    :param raw: the text itself.
    :param name: the unit's full name.
    :param dropin: the drop-in's file name, or None for the unit file.
    :param paths: the directories of its scope.
    :param table: what this systemd knows (`load_table`); None leaves unknown directives to systemd-analyze.
    :param scratch: an empty directory of ours, which the caller removes.
    :param home: the home directory of the unit's user, for scope `user`.
    """
    kind = unit_type(name)
    unknown = [*(check_directives(text, kind, table) if table is not None else ()), *check_install(text, name, paths)]
    os.mkdir(f"{scratch}/new")
    base, own = _lay_out(f"{scratch}/new", raw, name, dropin, paths)
    run = _Run(paths, home, scratch)
    messages = run.verify(f"{scratch}/new", [name])
    if messages is None:
        return Verdict(unknown, [_UNCHECKED])

    def before() -> list[str]:
        return _before(run, f"{scratch}/old", name, base)

    return _judge(messages, text, name, own, dropin, unknown, table is not None, base is not None, before, paths)


def verify_units(
    files: t.Mapping[str, tuple[UnitText, str]],
    paths: UnitPaths,
    table: Table | None,
    scratch: str,
    home: str = "",
) -> dict[str, Verdict]:
    """Check many unit files that are to be written together, and may name each other, in one run of systemd-analyze.

    :param files: name of the unit -> its parsed text, without problems, and the text itself; no drop-ins.
    :returns: name of the unit -> its verdict; for the other parameters see `verify`.
    """
    directory = f"{scratch}/new"
    os.mkdir(directory)
    for name, (_text, raw) in files.items():
        _write(f"{directory}/{name}", raw)
    messages = _Run(paths, home, scratch).verify(directory, list(files))
    verdicts = {}
    for name, (text, _raw) in files.items():
        unknown = check_directives(text, unit_type(name), table) if table is not None else []
        unknown += check_install(text, name, paths, files)
        if messages is None:
            verdicts[name] = Verdict(unknown, [_UNCHECKED])
        else:
            own = f"{directory}/{name}"
            verdicts[name] = _judge(messages, text, name, own, None, unknown, table is not None, True, list, paths)
    return verdicts


def verify_set(
    files: t.Mapping[tuple[str, str], tuple[UnitText, str]],
    new: t.Sequence[tuple[str, str]],
    paths: UnitPaths,
    table: Table | None,
    scratch: str,
    home: str = "",
    gone: t.Collection[str] = (),
) -> dict[tuple[str, str], Verdict]:
    """Check unit files and drop-ins that are to be written together, and may name each other, in one run of systemd-analyze.

    :param files: name of the unit and of the drop-in (empty for the unit file) -> the parsed text, without problems, and the
        text itself. All that will be there, also what is there already. In place of a unit's name, that of a type may stand.
    :param new: those of them that are checked.
    :param gone: paths of unit files and drop-ins that are removed when these are written.
    :returns: the same keys -> verdicts; for the other parameters see `verify`.
    """
    directory = f"{scratch}/new"
    os.mkdir(directory)
    whole: dict[str, bool] = {}
    for (name, dropin), (_text, raw) in files.items():
        if not dropin:
            whole[name] = True
            _write(f"{directory}/{name}", raw)
    asked: dict[str, str] = {}
    written = list(whole)
    for (name, dropin), (_text, raw) in files.items():
        if not dropin:
            continue
        os.makedirs(f"{directory}/{name}.d", exist_ok=True)
        _write(f"{directory}/{name}.d/{dropin}", raw)
        # What stands for many units is checked with one that is made up.
        sample = name if unit_type(name) else f"pidone-set-check.{name}"
        if prefix_of(name).endswith("-") and not is_template(name) and name not in whole:
            sample = f"{prefix_of(name)}pidone-set-check.{unit_type(name)}"
        asked[name] = sample
        if template_of(sample) in whole:
            whole[sample] = True
        if sample not in whole:
            base = _base_of(sample, paths, gone)
            whole[sample] = bool(base)
            written.append(template_of(sample) or sample)
            _write(f"{directory}/{written[-1]}", base or _STUBS.get(unit_type(sample), "[Unit]\n"))
    hidden = _hide(directory, gone, paths)
    names = list(dict.fromkeys(asked.get(name, name) for name, _dropin in new))
    run = _Run(paths, home, scratch)
    messages = run.verify(directory, names)
    verdicts = {}
    for name, dropin in new:
        text, raw = files[name, dropin]
        sample = asked.get(name, name)
        known = [check_directives(text, unit_type(sample), table)] if table is not None else []
        unknown = [*(problem for each in known for problem in each)]
        if unit_type(name):
            unknown += check_install(text, name, paths, {each for each, is_dropin in files if not is_dropin})
        if messages is None:
            verdicts[name, dropin] = Verdict(unknown, [_UNCHECKED])
            continue
        own = f"{directory}/{name}.d/{dropin}" if dropin else f"{directory}/{name}"
        before = functools.partial(_without_dropins, run, scratch, [*written, *hidden], sample)
        verdicts[name, dropin] = _judge(
            messages, text, sample, own, dropin or None, unknown, table is not None, whole[sample], before, paths
        )
    return verdicts


def _without_dropins(run: _Run, scratch: str, written: t.Sequence[str], name: str) -> list[str]:
    """What is said of a unit of a set without any of its drop-ins; `written` are the set's unit files, and what hides others."""
    directory, alone = f"{scratch}/new", f"{scratch}/without"
    if not os.path.isdir(alone):
        os.mkdir(alone)
        for each in dict.fromkeys(written):
            os.makedirs(os.path.dirname(f"{alone}/{each}"), exist_ok=True)
            os.link(f"{directory}/{each}", f"{alone}/{each}")
    return [message.replace(alone, directory) for _priority, message in run.verify(alone, [name]) or ()]


def _hide(scratch: str, gone: t.Collection[str], paths: UnitPaths) -> list[str]:
    """Put in the scratch directory what comes to light where drop-ins go: those that they hid, or nothing.

    :returns: what was written, by its path in there.
    """
    found = []
    for path in gone:
        folder, file = os.path.split(path)
        name = f"{os.path.basename(folder)}/{file}"
        if not folder.endswith(".d") or os.path.lexists(f"{scratch}/{name}"):
            continue
        os.makedirs(f"{scratch}/{os.path.dirname(name)}", exist_ok=True)
        others = [f"{directory}/{name}" for directory in paths.search]
        hid = next((each for each in others if each not in gone and paths.tree.status(each) is not None), None)
        _write(f"{scratch}/{name}", (hid and paths.tree.read_text(hid)) or "")
        found.append(name)
    return found


def _judge(
    messages: t.Sequence[tuple[int, str]],
    text: UnitText,
    name: str,
    own: str,
    dropin: str | None,
    unknown: t.Sequence[Problem],
    has_table: bool,
    is_whole: bool,
    before: t.Callable[[], list[str]],
    paths: UnitPaths,
) -> Verdict:
    """What the messages say of one file.

    :param own: the path where systemd-analyze saw it.
    :param unknown: what the table of directives says of it, where there is one (`has_table`).
    :param is_whole: whether the unit file was there beside a drop-in, or the file is the unit file.
    :param before: returns what is said without the drop-in.
    """
    errors: list[Problem] = []
    warnings: list[Problem] = []
    loose: list[tuple[int, str]] = []
    made_up = False
    last = {item.last: item for item in text.assignments}
    gone = set()
    for priority, message in messages:
        found = re.match(re.escape(own) + r":(\d+): (.*)", message)
        if not found:
            loose.append((priority, message))
            continue
        line, said = int(found.group(1)), found.group(2)
        ignored = re.match("Failed to add dependency on (.*), ignoring: ", said)
        problem = _problem(text, last.get(line), line, said + (_meant(ignored.group(1), paths) if ignored else ""))
        if "has been removed" in said:
            gone.add(problem.line)
            warnings.append(problem)
        elif said.startswith("Unknown ") and _is_unknown(said):
            # The table tells what was meant instead; but it is the host's, and may not be the tree's.
            if not has_table:
                errors.append(problem)
        elif is_template(name) and _is_of_instance(said, last.get(line)):
            made_up = True
            told = f"{said}; it was checked with a made-up instance, so whether it is right depends on the instances"
            warnings.append(problem._replace(message=told))
        elif priority <= 3 or "ignoring" in said.lower():
            errors.append(problem)
        elif priority <= 5:
            warnings.append(problem)
    errors += [problem for problem in unknown if problem.line not in gone]
    of_unit = [item for item in loose if _is_about(item[1], name, own)]
    if of_unit and dropin is not None:
        # What is said without the drop-in as well is not its doing.
        known = before()
        of_unit = [item for item in of_unit if item[1] not in known]
    # Not every reason says that it is one (What= of a .swap that does not fit its name); that the unit is refused, this does.
    fatal = any(echo in message for _priority, message in of_unit for echo in _ECHOES[:3])
    for priority, message in of_unit:
        if any(echo in message for echo in _ECHOES) and (errors or made_up or len(of_unit) > 1):
            continue
        refused = fatal or "Refusing" in message
        said = _without_prefix(message.replace(own, dropin or name), name)
        if refused and made_up:
            # It has the value that it lacks with an instance for which the line is right.
            continue
        if refused and priority <= 4 and is_whole:
            errors.append(Problem(0, "", said))
        elif priority <= 4 and not refused:
            warnings.append(Problem(0, "", said))
    return Verdict(_unique(errors), _unique(warnings))


def check_install(text: UnitText, name: str, paths: UnitPaths, beside: t.Container[str] = ()) -> list[Problem]:
    """What of [Install] systemd would take for no name when the unit is enabled, at which it fails or does nothing.

    :param name: the unit's full name.
    :param beside: names of units that will be there too.
    """
    problems = []
    for item in text.assignments:
        if item.section != "Install":
            continue
        if item.key == "DefaultInstance" and item.value and "%" not in item.value and _name_problem(f"a@{item.value}.service"):
            why = f"{shown(item.value)} can be no instance, which is a part of a unit's name; write what systemd-escape(1) makes of it"
            problems.append(Problem(item.line, f"DefaultInstance={item.value}", why))
        if item.key not in _INSTALL_NAMES:
            continue
        if item.key == "Alias" and item.value and unit_type(name) not in _MAY_ALIAS:
            why = f"a {unit_type(name)} unit can have no other name, systemd would ignore this"
            problems.append(Problem(item.line, f"Alias={item.value}", why))
            continue
        for word in words_of(item.value):
            # An alias may be written as the link in a directory of dependencies that it comes to.
            place, slash, bare = word.strip("\"'").rpartition("/" if item.key == "Alias" else "\0")
            if "%" in bare:
                # Only systemd can tell what specifiers come to.
                continue
            why = _name_problem(bare)
            if why:
                why += _meant(bare, paths, beside)
            elif item.key == "Alias" and slash:
                if not place.endswith(tuple(f".{suffix}" for suffix in PULLS.values())):
                    why = f"{word} leads to another directory, and an alias is a name beside the unit's own; leave out {place}/"
                elif (template_of(bare) or bare) != (template_of(name) or name):
                    why = f"a link in {place} bears the unit's own name, {name}"
            elif item.key == "Alias":
                why = _alias_problem(bare, name)
            if why:
                problems.append(Problem(item.line, f"{item.key}={item.value}", why))
    return problems


def _alias_problem(alias: str, name: str) -> str:
    """Why a unit cannot have another name, as unit_file_verify_alias() of systemd has it; empty where it can."""
    if alias == name:
        # Nothing is linked; versions before 249 say so by failing when the unit is enabled.
        return ""
    if unit_type(alias) != unit_type(name):
        return f"{alias} is a {unit_type(alias)} and {name} is none, and both have to be of one type to be the same unit"
    if is_template(alias):
        # Of an instance, it is the instance of the same name.
        return "" if "@" in name else f"{alias} is a template and {name} is none, so it can be no other name of it"
    if not instance_of(alias):
        return f"{name} is a template or an instance and {alias} is neither, so it can be no other name of it" if "@" in name else ""
    if "@" not in name or (instance_of(name) and instance_of(name) != instance_of(alias)):
        return f"{alias} is an instance, which can be another name of the same instance or of a template only, not of {name}"
    return ""


def _name_problem(word: str) -> str:
    """Why a word is no full name of a unit; empty where it is one."""
    try:
        check_name(word, "")
    except BadInput as e:
        return e.msg[2:].partition("; ")[0]
    return "" if unit_type(word) else f"{shown(word)} is no name of a unit, which ends with its type"


def _meant(word: str, paths: UnitPaths, beside: t.Container[str] = ()) -> str:
    """What to write for a word that lacks the type of a unit, as the end of a message."""
    if unit_type(word) or _name_problem(f"{word}.service"):
        return ""
    known = next((name for name in (f"{word}.{kind}" for kind in _MEANT) if name in beside or paths.find(name)), "")
    return f"; did you mean {known}?" if known else f"; write the type too, such as {word}.service"


def _is_of_instance(said: str, item: Assignment | None) -> bool:
    """Whether a message is about what a value comes to for the instance that systemd-analyze made up for a template."""
    if item is None:
        return False
    instance = re.search(rf"(?<!\w)({'|'.join(_MADE_UP)})(?!\w)", said)
    words = [word for word in words_of(item.value) if _INSTANCE.search(word)]
    if item.key in _TOLD_AS_WRITTEN:
        return bool(words)
    return instance is not None and any(word not in said for word in words)


def _lay_out(scratch: str, raw: str, name: str, dropin: str | None, paths: UnitPaths) -> tuple[str | None, str]:
    """Write the file below `scratch`; returns the text of the unit file it goes with (None: unknown), and its own path."""
    if dropin is None:
        own = f"{scratch}/{name}"
        _write(own, raw)
        return raw, own
    base = _base_of(name, paths)
    _write(f"{scratch}/{template_of(name) or name}", base or _STUBS.get(unit_type(name), "[Unit]\n"))
    own = f"{scratch}/{name}.d/{dropin}"
    os.mkdir(os.path.dirname(own))
    _write(own, raw)
    return base or None, own


def _base_of(name: str, paths: UnitPaths, gone: t.Container[str] = ()) -> str | None:
    """The text of the unit file that a drop-in is of; None where there is none that can be read; `gone` is no file any more."""
    found = paths.find(name, without=gone)
    if found is None:
        return None
    try:
        return paths.tree.read_text(found)
    except Unreadable as e:
        if not e.is_passed_over:
            raise
        return None


def _before(run: _Run, scratch: str, name: str, base: str | None) -> list[str]:
    os.mkdir(scratch)
    _write(f"{scratch}/{template_of(name) or name}", base or _STUBS.get(unit_type(name), "[Unit]\n"))
    return [message for _priority, message in run.verify(scratch, [name]) or ()]


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)


class _Run:
    """How systemd-analyze is called for one scope."""

    def __init__(self, paths: UnitPaths, home: str, runtime: str) -> None:
        self._options = ["--man=no", _RECURSIVE]
        self._mode = "--system" if paths.scope == "system" else "--user"
        self._env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SYSTEMD_LOG_TARGET": "console-prefixed",
            "SYSTEMD_LOG_LEVEL": "info",
            # A user's manager asks for one, and finds none of the user's here, who may not even be logged in.
            "XDG_RUNTIME_DIR": runtime,
            "HOME": home or runtime,
        }
        if paths.root:
            self._env["SYSTEMD_UNIT_PATH"] = ":".join(paths.search)

    def verify(self, scratch: str, names: t.Sequence[str]) -> list[tuple[int, str]] | None:
        """`(priority, message)` for all that is said; None where there is no systemd-analyze."""
        # An instance is checked by its own name: drop-ins of one instance apply to no other.
        command = ["systemd-analyze", self._mode, *self._options, "verify", *(f"{scratch}/{name}" for name in names)]
        try:
            answer = run_program(command, 60.0, env_extra=self._env, merge=True, clean=True)
        except ProgramMissing:
            return None
        except SystemdError as e:
            return [(4, f"{name}: systemd-analyze could not check it: {e.msg}") for name in names]
        said = answer.stdout.decode("utf-8", "replace")
        if "unrecognized option '--recursive-errors" in said and _RECURSIVE in self._options:
            # Before systemd 250.
            self._options.remove(_RECURSIVE)
            return self.verify(scratch, names)
        messages = []
        # A message may hold anything that str.splitlines() takes for the end of a line.
        for line in re.sub("\x1b\\[[0-9;]*m", "", said).split("\n"):
            if not line:
                continue
            found = re.match("<([0-9]+)>(.*)", line)
            # The number is facility * 8 + priority, as in syslog(3).
            messages.append((int(found.group(1)) & 7, found.group(2)) if found else (4, line))
        return messages


def _is_unknown(said: str) -> bool:
    return said.startswith(("Unknown key", "Unknown lvalue", "Unknown section"))


def _problem(text: UnitText, item: Assignment | None, line: int, said: str) -> Problem:
    """A message at a line; systemd names the last line of a continued value, and we show where it begins.

    :param item: the assignment that ends at the line, if one does.
    """
    if item is not None:
        shown = f"{item.key}={item.value}"
        if said.startswith("Invalid environment assignment"):
            said += "; quote a NAME=value that has blanks in it, or give it as an item of a list"
        return Problem(item.line, shown if len(shown) <= 160 else shown[:157] + "...", said)
    return Problem(line, text.line_text(line), said)


def _is_about(message: str, name: str, own: str) -> bool:
    """Whether a message without a line of ours is about our unit (systemd makes up an instance for a template)."""
    if own in message:
        return True
    stem, dot, suffix = name.rpartition(".")
    for prefix in ("", "Unit ", "Failed to load unit ", "Failed to prepare filename "):
        if message.startswith(prefix + name):
            return True
        if is_template(name) and message.startswith(prefix + stem) and f"{dot}{suffix}" in message:
            return True
    return False


def _without_prefix(message: str, name: str) -> str:
    """A message without the unit's name in front, which the error says already."""
    head, colon, rest = message.partition(": ")
    if colon and " " not in head and unit_type(head) == unit_type(name):
        return rest
    return message


def _unique(problems: t.Sequence[Problem]) -> list[Problem]:
    return sorted(set(problems), key=lambda problem: (problem.line == 0, problem))
