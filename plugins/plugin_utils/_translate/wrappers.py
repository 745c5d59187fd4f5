# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that prepare a process and then run another: chpst, setpriv, su, nice and their kin become directives.

Each handler gets the words after the wrapper's name and returns the words of the command it would run. Where an option
has no directive the handler raises `Keep`: the wrapper then stays part of the command, which is always correct.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import DECISION, INFO, WARNING
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, lit

_NUMBER = re.compile(r"-?\d+\Z")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


class Keep(Exception):
    """The wrapper has to stay; the text says why."""


class Context(t.Protocol):
    """What wrappers ask of the interpreter that found them."""

    service: Service
    argv0: str | None
    findings: list[t.Any]

    def note(self, severity: str, construct: str, message: str) -> None: ...

    def fixed(self, word: Word) -> str | None:
        """The constant text of a word (a variable's default counts, with a finding), or None."""

    def set_user(self, user: str, group: str | None, extra: t.Sequence[str], drops: bool) -> None: ...

    def environment_directory(self, path: str, construct: str) -> bool: ...

    def absolute(self, path: str) -> str: ...

    def change_directory(self, path: str) -> None: ...

    def parse_command(self, text: str) -> list[Word] | None: ...

    def user_id(self, user: str) -> tuple[str, str] | None: ...
    def is_user(self, user: str) -> bool: ...

    def set_environment(self, name: str, value: Word) -> None: ...

    def used_before(self, name: str, words: t.Sequence[Word] = ()) -> bool: ...


Handler = t.Callable[[Context, list[Word]], list[Word]]


def _need(context: Context, word: Word, what: str) -> str:
    text = context.fixed(word)
    if text is None:
        raise Keep(f"{what} is known only when the service starts")
    return text


def _number(context: Context, word: Word, what: str) -> int:
    text = _need(context, word, what)
    if not _NUMBER.match(text):
        raise Keep(f"{what} is not a number: {text}")
    return int(text)


class _Options:
    """Reads options as getopt does: grouped letters, values attached or following, `--` ends them."""

    def __init__(
        self, context: Context, words: list[Word], flags: str, valued: str, long: t.Mapping[str, bool] | None = None
    ) -> None:
        self.context = context
        self.words = words
        self.flags = flags
        self.valued = valued
        self.long = long or {}
        self.found: list[tuple[str, Word]] = []
        self.at = 0

    def read(self) -> list[Word]:
        """Fill `found` and return the words that are left."""
        while self.at < len(self.words):
            word = self.words[self.at]
            text = (
                "".join(piece.text for piece in word if piece.kind == "lit") if word and word[0].kind == "lit" else ""
            )
            if not text.startswith("-") or text == "-":
                break
            if text == "--" and len(word) == 1:
                self.at += 1
                break
            self.at += 1
            if text.startswith("--"):
                self._long(word)
            else:
                self._short(word)
        return self.words[self.at :]

    def _long(self, word: Word) -> None:
        head = word[0].text
        name, equal, rest = head[2:].partition("=")
        if name not in self.long:
            raise Keep(f"--{name} has no directive")
        if not self.long[name]:
            self.found.append((name, []))
        elif equal:
            self.found.append((name, lit(rest) + list(word[1:])))
        else:
            self.found.append((name, self._next(f"--{name}")))

    def _next(self, option: str) -> Word:
        if self.at >= len(self.words):
            raise Keep(f"{option} has no value")
        self.at += 1
        return self.words[self.at - 1]

    def _short(self, word: Word) -> None:
        head = word[0].text
        index = 1
        while index < len(head):
            letter = head[index]
            index += 1
            if letter in self.flags:
                self.found.append((letter, []))
            elif letter in self.valued:
                rest = head[index:]
                if rest or len(word) > 1:
                    self.found.append((letter, lit(rest) + list(word[1:])))
                else:
                    self.found.append((letter, self._next(f"-{letter}")))
                return
            else:
                raise Keep(f"-{letter} has no directive")
        if len(word) > 1:
            raise Keep("an option is known only when the service starts")


# Resources whose hard limit is unlimited under systemd: only the soft one is set, as chpst and softlimit do.
_SOFT = {
    "DATA": "infinity",
    "STACK": "infinity",
    "AS": "infinity",
    "RSS": "infinity",
    "FSIZE": "infinity",
    "CORE": "infinity",
}
_CHPST_LIMITS = {"d": "DATA", "o": "NOFILE", "p": "NPROC", "f": "FSIZE", "c": "CORE", "r": "RSS", "t": "CPU"}


def soft_limit(resource: str, number: int) -> str:
    """A soft limit as a value of Limit...=, the hard one left where systemd has it."""
    if number < 0:
        return "infinity"
    if resource in _SOFT:
        return f"{number}:{_SOFT[resource]}"
    if resource == "CPU":
        return f"{number}:infinity"
    if resource == "NOFILE" and number < 524288:
        return f"{number}:524288"
    return str(number)


def _limit(context: Context, resource: str, number: int, construct: str) -> None:
    context.service.set(f"Limit{resource}", soft_limit(resource, number))
    if resource in ("NPROC", "MEMLOCK"):
        context.note(
            INFO, construct, f"Limit{resource}={number} sets the hard limit too; {construct} sets only the soft one"
        )


def _account(context: Context, text: str, construct: str) -> list[Word]:
    """Give the service the account; returns what has to stand in front of the command instead, if anything."""
    numeric = text.startswith(":")
    parts = text[1:].split(":") if numeric else text.split(":")
    user = parts[0]
    if not user or any(not part for part in parts):
        raise Keep(f"'{text}' names no user")
    if numeric and len(parts) == 1:
        raise Keep(f"'{text}' has a user id and no group")
    if numeric and user != "0" and not context.is_user(user):
        # As for setpriv, which the caller then keeps.
        ids = [f"--reuid={user}", f"--regid={parts[1]}", f"--groups={','.join(parts[1:])}"]
        return [lit("/usr/bin/setpriv"), *(lit(option) for option in ids)]
    context.set_user(user, parts[1] if len(parts) > 1 else None, parts[2:], True)
    return []


def chpst(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "vP0123V", "uUbe/CnlLmdopfcrta")
    rest = options.read()
    service = context.service
    keep: list[Word] = []
    account: list[Word] = []
    for letter, raw in options.found:
        construct = f"chpst -{letter}"
        if letter == "v":
            continue
        if letter == "V":
            raise Keep("-V prints the version")
        if letter == "P":
            context.note(INFO, construct, "systemd starts every service in a session of its own; nothing to be done")
        elif letter == "0":
            service.set("StandardInput", "null")
            context.note(INFO, construct, "standard input is /dev/null under systemd rather than closed")
        elif letter == "1":
            service.set("StandardOutput", "null")
            service.settings.setdefault("StandardError", ["journal"])
            context.note(INFO, construct, "standard output is /dev/null under systemd rather than closed")
        elif letter == "2":
            service.set("StandardError", "null")
            context.note(INFO, construct, "standard error is /dev/null under systemd rather than closed")
        elif letter == "3":
            raise Keep("-3 has no directive")
        elif letter == "u":
            account = _account(context, _need(context, raw, "the user of chpst -u"), construct)
        elif letter == "U":
            name = _need(context, raw, "the user of chpst -U")
            ids = context.user_id(name)
            if ids is None:
                keep += [lit("-U"), lit(name)]
                context.note(
                    INFO, construct, f"UID and GID of {name} are looked up when the service starts, so chpst -U stays"
                )
            else:
                context.set_environment("UID", lit(ids[0]))
                context.set_environment("GID", lit(ids[1]))
                context.note(WARNING, construct, f"UID and GID of {name} are fixed to {ids[0]} and {ids[1]}")
        elif letter in ("b", "a"):
            context.argv0 = _need(context, raw, "the name of chpst -b")
        elif letter == "e":
            path = _need(context, raw, "the directory of chpst -e")
            if not path:
                raise Keep("the directory of chpst -e is empty")
            path = context.absolute(path)
            if not context.environment_directory(path, construct):
                keep += [lit("-e"), lit(path)]
        elif letter == "/":
            service.set("RootDirectory", _need(context, raw, "the directory of chpst -/"))
            service.set("RootDirectoryStartOnly", "yes")
        elif letter == "C":
            context.change_directory(_need(context, raw, "the directory of chpst -C"))
        elif letter == "n":
            service.set("Nice", str(max(-20, min(19, _number(context, raw, "the increment of chpst -n")))))
        elif letter in "lL":
            path = context.absolute(_need(context, raw, f"the file of chpst -{letter}"))
            lock = [lit("/usr/bin/flock"), lit("--no-fork")]
            if letter == "L":
                lock.append(lit("--nonblock"))
            keep = [*lock, lit(path), *keep] if not keep else [*keep, lit(f"-{letter}"), lit(path)]
            context.note(INFO, construct, "flock takes the same lock; systemd has no directive for it")
        elif letter == "m":
            number = _number(context, raw, "the limit of chpst -m")
            for resource in ("DATA", "STACK", "MEMLOCK", "AS"):
                _limit(context, resource, number, construct)
        else:
            _limit(context, _CHPST_LIMITS[letter], _number(context, raw, f"the limit of chpst -{letter}"), construct)
    if keep and context.fixed(keep[0]) == "/usr/bin/flock":
        return account + keep + rest
    return ([lit("/usr/bin/chpst"), *keep] if keep else []) + account + rest


def setuidgid(context: Context, words: list[Word]) -> list[Word]:
    rest = list(words)
    if rest and context.fixed(rest[0]) == "-s":
        rest = rest[1:]
    if len(rest) < 2:
        raise Keep("setuidgid without a command")
    account = _account(context, _need(context, rest[0], "the user of setuidgid"), "setuidgid")
    return account + rest[1:]


def su_exec(context: Context, words: list[Word]) -> list[Word]:
    if len(words) < 2:
        raise Keep("no command")
    text = _need(context, words[0], "the user")
    if text.startswith("-"):
        raise Keep(f"{text} has no directive")
    user, _colon, group = text.partition(":")
    if not user:
        raise Keep("no user")
    context.set_user(user, group or None, (), False)
    return words[1:]


def envuidgid(context: Context, words: list[Word]) -> list[Word]:
    if len(words) < 2:
        raise Keep("envuidgid without a command")
    name = _need(context, words[0], "the user of envuidgid")
    ids = context.user_id(name)
    if ids is None:
        raise Keep("UID and GID are looked up when the service starts")
    context.set_environment("UID", lit(ids[0]))
    context.set_environment("GID", lit(ids[1]))
    context.note(WARNING, "envuidgid", f"UID and GID of {name} are fixed to {ids[0]} and {ids[1]}")
    return words[1:]


def envdir(context: Context, words: list[Word]) -> list[Word]:
    if len(words) < 2:
        raise Keep("envdir without a command")
    path = context.absolute(_need(context, words[0], "the directory of envdir"))
    if path.startswith("-") or not context.environment_directory(path, "envdir"):
        raise Keep("its directory is read when the service starts")
    return words[1:]


def softlimit(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "", "madstlofcrp")
    rest = options.read()
    limits: dict[str, tuple[str, ...]] = {
        "m": ("DATA", "STACK", "MEMLOCK", "AS"),
        "a": ("AS",),
        "d": ("DATA",),
        "s": ("STACK",),
        "l": ("MEMLOCK",),
        "o": ("NOFILE",),
        "f": ("FSIZE",),
        "c": ("CORE",),
        "r": ("RSS",),
        "p": ("NPROC",),
        "t": ("CPU",),
    }
    for letter, raw in options.found:
        if context.fixed(raw) == "=":
            # As high as the hard limit.
            for resource in limits[letter]:
                if resource in _SOFT or resource == "CPU":
                    context.service.set(f"Limit{resource}", "infinity")
                elif resource == "NOFILE":
                    context.service.set("LimitNOFILE", "524288")
                else:
                    context.note(INFO, f"softlimit -{letter} =", f"Limit{resource}= is left as systemd has it")
            continue
        for resource in limits[letter]:
            _limit(
                context, resource, _number(context, raw, f"the limit of softlimit -{letter}"), f"softlimit -{letter}"
            )
    return rest


def nice(context: Context, words: list[Word]) -> list[Word]:
    if words:
        text = context.fixed(words[0]) or ""
        if re.match(r"--?\d+\Z", text):
            context.service.set("Nice", str(max(-20, min(19, int(text[1:])))))
            return words[1:]
    options = _Options(context, words, "", "n", {"adjustment": True})
    rest = options.read()
    number = 10
    for _name, raw in options.found:
        number = _number(context, raw, "the increment of nice")
    context.service.set("Nice", str(max(-20, min(19, number))))
    return rest


_IO_CLASSES = {"0": "none", "1": "realtime", "2": "best-effort", "3": "idle"}


def ionice(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "t", "cn", {"class": True, "classdata": True, "ignore": False})
    rest = options.read()
    for name, raw in options.found:
        if name in ("c", "class"):
            text = _need(context, raw, "the class of ionice")
            if _IO_CLASSES.get(text, text) not in _IO_CLASSES.values():
                raise Keep(f"'{text}' is no class of ionice")
            context.service.set("IOSchedulingClass", _IO_CLASSES.get(text, text))
        elif name in ("n", "classdata"):
            context.service.set("IOSchedulingPriority", str(_number(context, raw, "the level of ionice")))
    return rest


def chrt(context: Context, words: list[Word]) -> list[Word]:
    long = {
        "batch": False,
        "fifo": False,
        "idle": False,
        "other": False,
        "rr": False,
        "reset-on-fork": False,
        "all-tasks": False,
    }
    options = _Options(context, words, "abfiorRv", "", long)
    rest = options.read()
    names = {"b": "batch", "f": "fifo", "i": "idle", "o": "other", "r": "rr"}
    policy = "rr"
    for name, _raw in options.found:
        if name in ("R", "reset-on-fork"):
            context.service.set("CPUSchedulingResetOnFork", "yes")
        elif names.get(name, name) in names.values():
            policy = names.get(name, name)
    if not rest:
        raise Keep("chrt without a priority")
    priority = _number(context, rest[0], "the priority of chrt")
    context.service.set("CPUSchedulingPolicy", policy)
    if policy in ("fifo", "rr"):
        context.service.set("CPUSchedulingPriority", str(priority))
    return rest[1:]


def taskset(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "c", "", {"cpu-list": False})
    rest = options.read()
    if not options.found or not rest:
        raise Keep("a mask of CPUs has no directive")
    text = _need(context, rest[0], "the CPUs of taskset")
    if not re.match(r"[0-9,-]+\Z", text):
        raise Keep("a stride of CPUs has no directive")
    context.service.set("CPUAffinity", text.replace(",", " "))
    return rest[1:]


def env(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "i0v", "uCS", {"ignore-environment": False, "unset": True, "chdir": True})
    rest = options.read()
    if rest and rest[0] == lit("-"):
        rest = rest[1:]
        options.found.append(("i", []))
    pending: list[tuple[str, Word]] = []
    while rest and rest[0] and rest[0][0].kind == "lit" and _ASSIGNMENT.match(rest[0][0].text):
        name, _equal, start = rest[0][0].text.partition("=")
        value: Word = lit(start) + list(rest[0][1:])
        if any(piece.kind in ("var", "shell") for piece in value):
            raise Keep("a value is known only when the service starts")
        if context.used_before(name, rest[1:]):
            raise Keep(f"the command's arguments use the value {name} has before")
        pending.append((name, value))
        rest = rest[1:]
    if not rest:
        raise Keep("env without a command")
    for name, raw in options.found:
        if name in ("u", "unset"):
            variable = _need(context, raw, "the variable of env -u")
            if not _ASSIGNMENT.match(variable + "=") or "=" in variable:
                raise Keep(f"'{variable}' is not the name of a variable")
            context.service.add("UnsetEnvironment", variable)
        elif name in ("C", "chdir"):
            context.change_directory(_need(context, raw, "the directory of env -C"))
        elif name in ("i", "ignore-environment"):
            context.note(
                INFO, "env -i", "systemd starts services with a clean environment of a few variables of its own"
            )
        elif name in ("S", "0"):
            raise Keep(f"-{name} has no directive")
    for name, value in pending:
        context.set_environment(name, value)
    return rest


def setsid(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "cw", "", {"ctty": False, "wait": False})
    rest = options.read()
    if any(name in ("c", "ctty") for name, _raw in options.found):
        raise Keep("a controlling terminal is asked for")
    context.note(INFO, "setsid", "systemd starts every service in a session of its own; nothing to be done")
    return rest


def pgrphack(context: Context, words: list[Word]) -> list[Word]:
    context.note(INFO, "pgrphack", "systemd starts every service in a session of its own; nothing to be done")
    return words


def nohup(context: Context, words: list[Word]) -> list[Word]:
    context.note(INFO, "nohup", "a service has no terminal that could hang up; SIGHUP is no longer ignored")
    return words


def command_builtin(context: Context, words: list[Word]) -> list[Word]:
    if words and (context.fixed(words[0]) or "").startswith("-"):
        raise Keep("an option of command")
    return words


def exec_builtin(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "cl", "a")
    rest = options.read()
    for name, raw in options.found:
        if name == "a":
            context.argv0 = _need(context, raw, "the name of exec -a")
        elif name == "c":
            context.note(
                INFO, "exec -c", "systemd starts services with a clean environment of a few variables of its own"
            )
        else:
            raise Keep("exec -l has no directive")
    return rest


def su(context: Context, words: list[Word]) -> list[Word]:
    flags = "lmpPf"
    found: list[tuple[str, Word]] = []
    rest: list[Word] = []
    left = list(words)
    # su takes its options before and after the user's name.
    while left:
        text = context.fixed(left[0])
        if text == "-":
            found.append(("l", []))
            left = left[1:]
        elif text is not None and text.startswith("-") and text != "--":
            options = _Options(
                context,
                left,
                flags,
                "csgG",
                {
                    "login": False,
                    "command": True,
                    "shell": True,
                    "preserve-environment": False,
                    "group": True,
                    "supp-group": True,
                },
            )
            left = options.read()
            found += options.found
        else:
            if text != "--":
                rest.append(left[0])
            left = left[1:]
    command: Word | None = None
    login = False
    for name, raw in found:
        if name in ("c", "command"):
            command = raw
        elif name in ("l", "login"):
            login = True
        elif name in ("g", "group", "G", "supp-group"):
            raise Keep("su -g has no directive here")
    user = _need(context, rest[0], "the user of su") if rest else "root"
    if command is None or len(rest) > 1:
        raise Keep("su with arguments for the shell")
    text = context.fixed(command)
    inner = None if text is None else context.parse_command(text)
    if inner is None:
        inner = [lit("/bin/sh"), lit("-c"), command]
    context.set_user(user, None, (), False)
    if login:
        context.service.working_directory = "~"
        context.note(
            WARNING,
            "su -",
            f"the login shell's profile of {user} is no longer read; HOME, USER and SHELL are set by systemd",
        )
    else:
        context.note(INFO, "su", "no PAM session is opened for the service; set PAMName= if it needs one")
    return inner


def runuser(context: Context, words: list[Word]) -> list[Word]:
    if any(context.fixed(word) == "-u" or (context.fixed(word) or "").startswith("--user") for word in words[:2]):
        options = _Options(context, words, "", "ugG", {"user": True, "group": True, "supp-group": True})
        rest = options.read()
        user, group, extra = "", None, []
        for name, raw in options.found:
            text = _need(context, raw, "an account of runuser")
            if name in ("u", "user"):
                user = text
            elif name in ("g", "group"):
                group = text
            else:
                extra.append(text)
        if not user or not rest:
            raise Keep("no user or no command")
        context.set_user(user, group, extra, False)
        return rest
    return su(context, words)


def sudo(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(
        context,
        words,
        "EHnSbP",
        "ug",
        {"user": True, "group": True, "preserve-env": False, "set-home": False, "non-interactive": False},
    )
    rest = options.read()
    user, group = "root", None
    for name, raw in options.found:
        if name in ("u", "user"):
            user = _need(context, raw, "the user of sudo").lstrip("#")
        elif name in ("g", "group"):
            group = _need(context, raw, "the group of sudo").lstrip("#")
        elif name == "b":
            raise Keep("sudo -b sends the command to the background")
    if not rest:
        raise Keep("sudo without a command")
    while rest and rest[0] and rest[0][0].kind == "lit" and _ASSIGNMENT.match(rest[0][0].text):
        name, _equal, start = rest[0][0].text.partition("=")
        context.set_environment(name, lit(start) + list(rest[0][1:]))
        rest = rest[1:]
    context.set_user(user, group, (), False)
    return rest


_SETPRIV = {
    "reuid": True,
    "regid": True,
    "ruid": True,
    "euid": True,
    "rgid": True,
    "egid": True,
    "init-groups": False,
    "clear-groups": False,
    "keep-groups": False,
    "groups": True,
    "no-new-privs": False,
    "nnp": False,
    "inh-caps": True,
    "ambient-caps": True,
    "bounding-set": True,
    "reset-env": False,
    "pdeathsig": True,
    "selinux-label": True,
    "apparmor-profile": True,
}


def _capabilities(text: str) -> str | None:
    names = []
    for item in text.split(","):
        if item == "-all":
            continue
        if not item.startswith("+") or item == "+all":
            return None
        name = item[1:]
        names.append(("" if name.startswith("cap_") else "CAP_") + name.upper())
    return " ".join(name.upper() for name in names)


def setpriv(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "", "", _SETPRIV)
    rest = options.read()
    user = group = None
    groups: list[str] = []
    drops = False
    settings: list[tuple[str, str]] = []
    for name, raw in options.found:
        text = _need(context, raw, f"the value of setpriv --{name}") if raw else ""
        if name in ("reuid", "euid", "ruid"):
            user = text
        elif name in ("regid", "egid", "rgid"):
            group = text
        elif name == "groups":
            groups = text.split(",")
            drops = True
        elif name == "clear-groups":
            drops = True
        elif name in ("no-new-privs", "nnp"):
            settings.append(("NoNewPrivileges", "yes"))
        elif name in ("ambient-caps", "bounding-set"):
            names = _capabilities(text)
            if names is None:
                raise Keep(f"--{name} {text} has no directive")
            settings.append(("AmbientCapabilities" if name == "ambient-caps" else "CapabilityBoundingSet", names))
        elif name == "selinux-label":
            settings.append(("SELinuxContext", text))
        elif name == "apparmor-profile":
            settings.append(("AppArmorProfile", text))
        elif name == "keep-groups":
            if user is not None:
                context.note(
                    INFO, "setpriv --keep-groups", "the groups of the user's entry are set rather than runsvdir's"
                )
        elif name == "pdeathsig":
            context.note(INFO, "setpriv --pdeathsig", "dropped: systemd ends all processes of a unit itself")
    if user is not None and user.isdigit() and user != "0" and not context.is_user(user):
        # systemd refuses to start a service whose numeric User= is in no user database; setpriv never looks.
        raise Keep(f"User= takes {user} only where a user has that id")
    if group is not None and user is None:
        settings.append(("Group", group))
    if user is not None:
        context.set_user(user, group, groups, drops)
    for key, text in settings:
        if key == "Group":
            context.service.group = text
        else:
            context.service.set(key, text)
    return rest


_PRLIMIT = {
    "nofile": "NOFILE", "nproc": "NPROC", "memlock": "MEMLOCK", "core": "CORE", "as": "AS", "data": "DATA", "stack": "STACK",
    "rtprio": "RTPRIO", "nice": "NICE", "fsize": "FSIZE", "cpu": "CPU", "rss": "RSS", "locks": "LOCKS", "sigpending": "SIGPENDING",
    "msgqueue": "MSGQUEUE", "rttime": "RTTIME",
}  # fmt: skip


def prlimit(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "", "", dict.fromkeys(_PRLIMIT, True))
    rest = options.read()
    if not rest:
        raise Keep("prlimit without a command")
    for name, raw in options.found:
        text = (
            _need(context, raw, f"the limit of prlimit --{name}")
            .replace("unlimited", "infinity")
            .replace("-1", "infinity")
        )
        if not re.match(r"(\d+|infinity)(:(\d+|infinity))?\Z", text):
            raise Keep(f"--{name}={text} leaves one of the limits as it is")
        context.service.set(f"Limit{_PRLIMIT[name]}", text)
    return rest


def chroot(context: Context, words: list[Word]) -> list[Word]:
    if len(words) < 2:
        raise Keep("chroot without a command")
    path = _need(context, words[0], "the directory of chroot")
    if path.startswith("-"):
        raise Keep(f"{path} has no directive here")
    context.service.set("RootDirectory", path)
    context.service.set("RootDirectoryStartOnly", "yes")
    return words[1:]


def start_stop_daemon(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(
        context,
        words,
        "SqomvC",
        "xacgdNupkrnI",
        {
            "start": False,
            "quiet": False,
            "oknodo": False,
            "make-pidfile": False,
            "verbose": False,
            "exec": True,
            "startas": True,
            "chuid": True,
            "group": True,
            "chdir": True,
            "nicelevel": True,
            "pidfile": True,
            "umask": True,
            "user": True,
            "name": True,
        },
    )
    rest = options.read()
    program: Word | None = None
    account = None
    for name, raw in options.found:
        if name in ("a", "startas") or (name in ("x", "exec") and program is None):
            program = raw
        elif name in ("c", "chuid"):
            account = _need(context, raw, "the user of start-stop-daemon")
        elif name in ("m", "make-pidfile"):
            raise Keep("it writes a PID file")
        elif name in ("r", "I"):
            raise Keep(f"-{name} has no directive")
    if program is None:
        raise Keep("no program")
    for name, raw in options.found:
        if name in ("d", "chdir"):
            context.change_directory(_need(context, raw, "the directory of start-stop-daemon"))
        elif name in ("N", "nicelevel"):
            context.service.set("Nice", str(max(-20, min(19, _number(context, raw, "the nice level")))))
        elif name in ("k", "umask"):
            context.service.set("UMask", _need(context, raw, "the umask"))
        elif name in ("g", "group"):
            context.service.group = _need(context, raw, "the group")
    if account is not None:
        user, _colon, group = account.partition(":")
        context.set_user(user, group or context.service.group, (), False)
    context.note(INFO, "start-stop-daemon", "systemd starts the program itself")
    return [program, *rest]


def ip(context: Context, words: list[Word]) -> list[Word]:
    texts = [context.fixed(word) for word in words[:3]]
    if texts[:2] != ["netns", "exec"] or texts[2] is None or len(words) < 4:
        raise Keep("not ip netns exec")
    context.service.set("NetworkNamespacePath", f"/run/netns/{texts[2]}")
    return words[3:]


def aa_exec(context: Context, words: list[Word]) -> list[Word]:
    options = _Options(context, words, "", "p", {"profile": True})
    rest = options.read()
    for _name, raw in options.found:
        context.service.set("AppArmorProfile", _need(context, raw, "the profile of aa-exec"))
    return rest


def busybox(context: Context, words: list[Word]) -> list[Word]:
    if not words or (context.fixed(words[0]) or "") not in HANDLERS:
        raise Keep("an applet of busybox")
    return words


HANDLERS: dict[str, Handler] = {
    "chpst": chpst,
    "setuidgid": setuidgid,
    "s6-setuidgid": setuidgid,
    "su-exec": su_exec,
    "gosu": su_exec,
    "setuser": su_exec,
    "envuidgid": envuidgid,
    "envdir": envdir,
    "s6-envdir": envdir,
    "softlimit": softlimit,
    "s6-softlimit": softlimit,
    "nice": nice,
    "ionice": ionice,
    "chrt": chrt,
    "taskset": taskset,
    "env": env,
    "setsid": setsid,
    "s6-setsid": setsid,
    "pgrphack": pgrphack,
    "nohup": nohup,
    "command": command_builtin,
    "exec": exec_builtin,
    "su": su,
    "runuser": runuser,
    "sudo": sudo,
    "setpriv": setpriv,
    "prlimit": prlimit,
    "chroot": chroot,
    "start-stop-daemon": start_stop_daemon,
    "ip": ip,
    "aa-exec": aa_exec,
    "busybox": busybox,
}


def peel(context: Context, argv: list[Word]) -> list[Word]:
    """Take the wrappers off a command, outermost first, and give the service what they do."""
    for _turn in range(32):
        if not argv:
            return argv
        name = argv[0][0].text if len(argv[0]) == 1 and argv[0][0].kind == "lit" else None
        handler = HANDLERS.get(name.rsplit("/", 1)[-1]) if name else None
        if handler is None or len(argv) < 2:
            return argv
        service = context.service
        before = (
            dict(service.settings),
            dict(service.environment),
            service.user,
            service.group,
            service.working_directory,
            context.argv0,
        )
        count = len(context.findings)
        try:
            rest = handler(context, argv[1:])
        except Keep as why:
            settings, variables, service.user, service.group, service.working_directory, context.argv0 = before
            service.settings, service.environment = settings, variables
            del context.findings[count:]
            context.note(DECISION if "-u" in str(why) else INFO, str(name), f"{name} stays part of the command: {why}")
            return argv
        if not rest:
            return rest
        if rest[0] == lit("/usr/bin/chpst") or rest[0] == lit("/usr/bin/flock"):
            # What is left of a wrapper: peel what it runs, and put it back.
            end = 1
            while (
                end < len(rest)
                and len(rest[end]) == 1
                and rest[end][0].kind == "lit"
                and rest[end][0].text.startswith("-")
            ):
                end += 2 if rest[end][0].text in ("-U", "-e", "-l", "-L") else 1
            if rest[0] == lit("/usr/bin/flock"):
                end += 1
            return rest[:end] + peel(context, rest[end:])
        argv = rest
    return argv
