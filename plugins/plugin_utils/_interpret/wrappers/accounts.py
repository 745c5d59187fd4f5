# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that run another as somebody else: su and its kin."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.needs import Keep
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.variables import fixed
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.environment import set_environment
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.line import parse_command
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.wrappers.options import (
    ASSIGNMENT,
    Options,
    need,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import parse, shown, text_of, walk
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Word, lit

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter


_MAKES_ACCOUNT = re.compile(r"(?<![\w-])(?:adduser|useradd|addgroup|groupadd)(?![\w-])")


def _makes_account(text: str) -> bool:
    """Whether shell text may make an account; what messages say of that is none."""
    if not _MAKES_ACCOUNT.search(text):
        return False
    script = parse(text, "run")
    source = script.source
    for node in walk(script.root) if not script.errors else ():
        # Of a pipe, the next command may be a shell.
        piped = node.parent is not None and node.parent.type == "pipeline"
        if node.type == "command" and not piped and text_of(node.children[0]).rsplit("/", 1)[-1] in lists.MESSAGES:
            for word in node.children[1:]:
                if not any(one.type in ("command_substitution", "process_substitution") for one in walk(word)):
                    source = source[: word.start_byte] + b" " * (word.end_byte - word.start_byte) + source[word.end_byte :]
    return _MAKES_ACCOUNT.search(shown(source)) is not None


def user_id(it: Interpreter, user: str) -> tuple[str, str] | None:
    """UID and GID that chpst -U would set for a user; None where they are not known."""
    if user.startswith(":"):
        parts = user[1:].split(":")
        return (parts[0], parts[1]) if len(parts) > 1 else None
    name, _colon, _group = user.partition(":")
    known = it.definition.users.get(name)
    if known:
        return str(known["uid"]), str(known["gid"])
    return ("0", "0") if name == "root" else None


def is_user(it: Interpreter, user: str) -> bool:
    """Whether an account is known on the host."""
    return user in it.definition.users


def set_user(it: Interpreter, user: str, group: str | None, extra: t.Sequence[str], drops: bool) -> None:
    """Give the service its account.

    :param extra: further groups.
    :param drops: the command has no groups but these.
    :raises Keep: no account has such a name.
    """
    for name in (user, group or "x", *extra):
        if not re.match(r"[A-Za-z0-9_][^\s/:]*\Z", name) or re.match(r"0\d+\Z", name):
            raise Keep(f"'{name}' is no name of an account")
    if user in ("root", "0") and group in (None, "root", "0", "wheel") and not extra:
        it.service.user = None
        return
    if it.root_first:
        raise Keep("what the shell does before it has to be done by root")
    if any(_makes_account(text) for text in it.outcome.texts()):
        raise Keep("the account may be made by a step before it, and systemd looks it up before all steps")
    it.service.user = user
    it.service.group = group
    if user in ("nobody", "65534"):
        it.note_once(
            "account.nobody",
            "user",
            "systemd warns about User=nobody, as what all such services own is shared; give it a user of its own, "
            "or DynamicUser=yes",
        )
    if extra:
        it.service.settings["SupplementaryGroups"] = list(extra)
    if not drops:
        return
    known = it.definition.users.get(user)
    if known is None:
        it.note(
            "account.groups-unknown",
            "supplementary groups",
            f"the command had no groups but the named ones, User= adds those {user} is a member of; they differ if there are any",
            user=user,
        )
    elif known.get("groups"):
        it.note(
            "account.groups",
            "supplementary groups",
            f"under {it.dialect.supervisor} {user} had no supplementary groups; User= adds {', '.join(known['groups'])}",
        )


def give_account(it: Interpreter, text: str, construct: str) -> list[Word]:
    """Give the service the account; returns what has to stand in front of the command instead, if anything."""
    numeric = text.startswith(":")
    parts = text[1:].split(":") if numeric else text.split(":")
    user = parts[0]
    if not user or any(not part for part in parts):
        raise Keep(f"'{text}' names no user")
    if numeric and len(parts) == 1:
        raise Keep(f"'{text}' has a user id and no group")
    if numeric and user != "0" and not is_user(it, user):
        # As for setpriv, which the caller then keeps.
        ids = [f"--reuid={user}", f"--regid={parts[1]}", f"--groups={','.join(parts[1:])}"]
        return [lit("/usr/bin/setpriv"), *(lit(option) for option in ids)]
    set_user(it, user, parts[1] if len(parts) > 1 else None, parts[2:], True)
    return []


def setuidgid(it: Interpreter, words: list[Word]) -> list[Word]:
    rest = list(words)
    if rest and fixed(it, rest[0]) == "-s":
        rest = rest[1:]
    if len(rest) < 2:
        raise Keep("setuidgid without a command")
    account = give_account(it, need(it, rest[0], "the user of setuidgid"), "setuidgid")
    return account + rest[1:]


def su_exec(it: Interpreter, words: list[Word]) -> list[Word]:
    if len(words) < 2:
        raise Keep("no command")
    text = need(it, words[0], "the user")
    if text.startswith("-"):
        raise Keep(f"{text} has no directive")
    user, _colon, group = text.partition(":")
    if not user:
        raise Keep("no user")
    set_user(it, user, group or None, (), False)
    return words[1:]


def envuidgid(it: Interpreter, words: list[Word]) -> list[Word]:
    if len(words) < 2:
        raise Keep("envuidgid without a command")
    name = need(it, words[0], "the user of envuidgid")
    ids = user_id(it, name)
    if ids is None:
        raise Keep("UID and GID are looked up when the service starts")
    set_environment(it, "UID", lit(ids[0]))
    set_environment(it, "GID", lit(ids[1]))
    it.note("account.ids", "envuidgid", f"UID and GID of {name} are fixed to {ids[0]} and {ids[1]}")
    return words[1:]


def su(it: Interpreter, words: list[Word]) -> list[Word]:
    flags = "lmpPf"
    found: list[tuple[str, Word]] = []
    rest: list[Word] = []
    left = list(words)
    # su takes its options before and after the user's name.
    while left:
        text = fixed(it, left[0])
        if text == "-":
            found.append(("l", []))
            left = left[1:]
        elif text is not None and text.startswith("-") and text != "--":
            options = Options(
                it,
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
    user = need(it, rest[0], "the user of su") if rest else "root"
    if command is None or len(rest) > 1:
        raise Keep("su with arguments for the shell")
    text = fixed(it, command)
    inner = None if text is None else parse_command(it, text)
    if inner is None:
        inner = [lit("/bin/sh"), lit("-c"), command]
    set_user(it, user, None, (), False)
    if login:
        it.service.working_directory = "~"
        it.note(
            "account.login",
            "su -",
            f"the login shell's profile of {user} is no longer read; HOME, USER and SHELL are set by systemd",
        )
    else:
        it.note("account.pam", "su", "no PAM session is opened for the service; set PAMName= if it needs one")
    return inner


def runuser(it: Interpreter, words: list[Word]) -> list[Word]:
    if any(fixed(it, word) == "-u" or (fixed(it, word) or "").startswith("--user") for word in words[:2]):
        options = Options(it, words, "", "ugG", {"user": True, "group": True, "supp-group": True})
        rest = options.read()
        user, group, extra = "", None, []
        for name, raw in options.found:
            text = need(it, raw, "an account of runuser")
            if name in ("u", "user"):
                user = text
            elif name in ("g", "group"):
                group = text
            else:
                extra.append(text)
        if not user or not rest:
            raise Keep("no user or no command")
        set_user(it, user, group, extra, False)
        return rest
    return su(it, words)


def sudo(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(
        it,
        words,
        "EHnSbP",
        "ug",
        {"user": True, "group": True, "preserve-env": False, "set-home": False, "non-interactive": False},
    )
    rest = options.read()
    user, group = "root", None
    for name, raw in options.found:
        if name in ("u", "user"):
            user = need(it, raw, "the user of sudo").lstrip("#")
        elif name in ("g", "group"):
            group = need(it, raw, "the group of sudo").lstrip("#")
        elif name == "b":
            raise Keep("sudo -b sends the command to the background")
    if not rest:
        raise Keep("sudo without a command")
    while rest and rest[0] and rest[0][0].kind == "lit" and ASSIGNMENT.match(rest[0][0].text):
        name, _equal, start = rest[0][0].text.partition("=")
        set_environment(it, name, lit(start) + list(rest[0][1:]))
        rest = rest[1:]
    set_user(it, user, group, (), False)
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


def setpriv(it: Interpreter, words: list[Word]) -> list[Word]:
    options = Options(it, words, "", "", _SETPRIV)
    rest = options.read()
    user = group = None
    groups: list[str] = []
    drops = False
    settings: list[tuple[str, str]] = []
    for name, raw in options.found:
        text = need(it, raw, f"the value of setpriv --{name}") if raw else ""
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
        elif name == "keep-groups" and user is not None:
            it.note(
                "account.groups-unknown",
                "setpriv --keep-groups",
                f"the groups of the user's entry are set rather than {it.dialect.parent}'s",
                user=user,
            )
        # pdeathsig: systemd ends all processes of a unit itself.
    if user is not None and user.isdigit() and user != "0" and not is_user(it, user):
        # systemd refuses to start a service whose numeric User= is in no user database; setpriv never looks.
        raise Keep(f"User= takes {user} only where a user has that id")
    if group is not None and user is None:
        settings.append(("Group", group))
    if user is not None:
        set_user(it, user, group, groups, drops)
    for key, text in settings:
        if key == "Group":
            it.service.group = text
        else:
            it.service.set(key, text)
    return rest
