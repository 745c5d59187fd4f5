# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions about the scripts of a service directory: who reads them, which files they name, when they take the service down."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.interpreter import Interpreter
from ansible_collections.pidone.systemd.plugins.plugin_utils._interpret.programs import lists
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Command
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    branch,
    commands_in,
    condition_of,
    parse,
    statements,
    text_of,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.sv import own_sv

if t.TYPE_CHECKING:
    from tree_sitter import Node


# Longer shell than this in a unit is worse to read than the script it comes from.
LONGEST_INLINE = 500
# Redirections that only throw output away or join it.
SILENCED = r"(\s*([12]?>\s*(/dev/null|&[12])|&>\s*/dev/null))*\s*"
SHELLS = frozenset(("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox", "loksh", "oksh"))
_TEST = re.compile(r"(?:\[{1,2}\s+(.+?)\s+\]{1,2}|test\s+(.+?))\s*\Z")
_OPERATORS = {"=": True, "==": True, "-eq": True, "!=": False, "-ne": False}


def _code_asked(text: str) -> tuple[bool, str] | None:
    """What the text of a test asks of the exit code in `$1`: whether it is (or is not) one, and which; None for other tests."""
    match = _TEST.match(text.strip())
    words = (match.group(1) or match.group(2)).split() if match else []
    if len(words) != 3 or words[1] not in _OPERATORS:
        return None
    plain = [re.sub(r"[\"']", "", word).removeprefix("x") for word in (words[0], words[2])]
    for one, other in (plain, plain[::-1]):
        if one in ("$1", "${1}") and re.fullmatch(r"-?\d+", other):
            return _OPERATORS[words[1]], other
    return None


def shebang_of(text: str) -> list[str]:
    """The words of the first line after #!; what execve() does without one is the shell's."""
    first = text.split("\n", 1)[0]
    if not first.startswith("#!"):
        return ["/bin/sh"]
    return first[2:].split() or ["/bin/sh"]


def shell_of(shebang: list[str]) -> str | None:
    """The shell that reads the script, or None where none does."""
    words = list(shebang)
    if words[0].rsplit("/", 1)[-1] == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word] or ["sh"]
    name = words[0].rsplit("/", 1)[-1]
    if name == "invoke-run":
        return "sh"
    if name == "busybox":
        return "sh"
    return name if name in SHELLS else None


def is_forever(base: str, arguments: list[str | None]) -> bool:
    if base in ("pause", "sigpause"):
        return True
    if base == "sleep" and arguments:
        text = arguments[0] or ""
        if text in lists.FOREVER:
            return True
        match = re.match(r"(\d+)([smhd]?)\Z", text)
        if match:
            seconds = int(match.group(1)) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match.group(2)]
            return seconds >= 30 * 86400
    return base == "tail" and "-f" in arguments and "/dev/null" in arguments


def substituted(it: Interpreter) -> set[str]:
    """The commands whose output is part of the main command."""
    names: set[str] = set()
    for word in it.outcome.main or []:
        for piece in word:
            if piece.kind == "shell" and re.search(r"\$\(|`", piece.text):
                names |= {
                    name.rsplit("/", 1)[-1] for name in commands_in(parse(piece.text, "run").root) if "$" not in name
                }
    return names


# What reads files, and files that are for everybody.
_READS = re.compile(r"(?<![\w./-])(?:cat|head|tail|tac|sed|awk|grep|egrep|fgrep|cut|sort|uniq|wc|tr|xargs|rev)(?![\w-])|<")
_PATH = re.compile(r"(?<![\w.*?/}$-])/[\w.@%+/-]+")
_FOR_ALL = re.compile(
    r"/(?:proc|sys|dev|usr|bin|sbin|lib\w*|opt|srv|home|tmp|run|var/run)(?:/|\Z)|/etc/(?:machine-id|hostname|hosts|passwd|group|os-release|"
    r"issue|debian_version|lsb-release|resolv\.conf|nsswitch\.conf|services|protocols|fstab|timezone|environment|mtab)\Z"
)
_SECRET = re.compile(r"(?i)secret|passw|token|credential|private|\.key\b|\.pem\b")


def reads_private(text: str, user: str) -> bool:
    """Whether shell text reads a file that may not be for an account: what it prints would be lost."""
    if not _READS.search(text):
        return False
    return any(
        _SECRET.search(path) or not (_FOR_ALL.match(path) or user in path.split("/")) for path in _PATH.findall(text)
    )


def shell_command(line: str, shell: str | None, ignore: bool, root: bool) -> Command:
    """A line of shell, for the shell that its script asks for: bash understands more than sh, and some things otherwise."""
    command = Command(line=line, ignore=ignore, root=root)
    if shell == "bash":
        command.interpreter = "/bin/bash"
    return command


# What runsv knows in a service directory, and what only tells about it.
_KNOWN = frozenset("run finish check down log control supervise conf env README type .meta".split())


def own_files(definition: Definition) -> list[str]:
    """The files of a service directory that are neither runsv's nor about the service."""
    return [
        path
        for path, one in sorted(definition.files.items())
        if one.get("type") != "directory"
        and path.split("/", 1)[0] not in _KNOWN
        and not path.startswith(".")
        and not re.search(
            r"(?:^|/)(?:README|LICEN[CS]E|COPYING)[^/]*\Z|(?:\.(?:md|bak|orig|dpkg-\w+|rpmnew|swp|example|sample)|~)\Z",
            path,
        )
    ]


def names_own_file(definition: Definition, texts: list[str]) -> bool:
    """Whether a command names a file of the service directory by its bare name."""
    own = [
        path
        for path in definition.files
        if "/" not in path
        and path not in ("run", "finish", "check", "down", "log", "control", "supervise", "env", "conf")
    ]
    own += [path for path in ("env", "conf") if path in definition.files]
    return any(name in text and re.search(rf"(^|[\s=:'\"]){re.escape(name)}(?=$|[\s'\"/])", text) for name in own for text in texts)


def names_in(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z0-9_.+-]+", text))


def redirects_text(node: Node) -> str:
    return " ".join(text_of(child) for child in node.children[1:])


def ends_script(node: Node) -> bool:
    """Whether nothing after a statement is reached: `exec command` or `exit`."""
    inner = node.children[0] if node.type == "redirected_statement" else node
    words = text_of(inner).split() if inner.type == "command" else []
    return words[:1] in (["exit"], ["return"]) or (
        words[:1] == ["exec"] and len(words) > 1 and words[1][0] not in "<>0123456789"
    )


def only_assigns(node: Node) -> bool:
    return node.type in ("variable_assignment", "variable_assignments")


def is_exit(node: Node) -> bool:
    return node.type == "command" and text_of(node).split(None, 1)[0] in ("exit", "return", ":", "true")


def only_messages(node: Node) -> bool:
    if node.type == "if_statement":
        return (
            all(only_messages(one) for one, _b in branch(node))
            and not any(child.type in ("elif_clause", "else_clause") for child in node.children)
            and all(one.type == "test_command" for one in condition_of(node))
        )
    if node.type == "list":
        parts = [child for child in node.children if child.is_named]
        return all(one.type == "test_command" for one in parts[:-1]) and only_messages(parts[-1])
    if node.type == "redirected_statement":
        if not re.fullmatch(r"\s*(>\s*&2|1>&2|2>&1|>\s*/dev/(stderr|stdout|null))\s*", redirects_text(node)):
            return False
        node = node.children[0]
    return node.type == "command" and text_of(node).split(None, 1)[0] in lists.MESSAGES


def down_statement(node: Node, definition: Definition) -> bool:
    one = node.children[0] if node.type == "redirected_statement" else node
    if one.type == "list":
        parts = [child for child in one.children if child.is_named]
        return any(down_statement(part, definition) for part in parts) and all(
            down_statement(part, definition) or is_exit(part) or only_messages(part) for part in parts
        )
    if one.type != "command":
        return False
    words = [word.strip("\"'") for word in text_of(one).split()]
    if words and words[0] == "exec":
        words = words[1:]
    return bool(words) and words[0].rsplit("/", 1)[-1] == "sv" and own_sv(words, definition, for_good=True)


def codes_test(node: Node, definition: Definition) -> list[str] | None:
    """`if [ "$1" = N ] || [ "$1" = M ]; then sv down .; fi`: the codes."""
    if node.type != "if_statement" or any(child.type in ("elif_clause", "else_clause") for child in node.children):
        return None
    tests = condition_of(node)
    body = [one for one, _background in branch(node)]
    if len(tests) != 1 or tests[0].type != "list" or not any(down_statement(one, definition) for one in body):
        return None
    if not all(
        down_statement(one, definition) or is_exit(one) or only_messages(one) or makes_down(one) for one in body
    ):
        return None
    codes: list[str] = []
    for part in re.split(r"\s*\|\|\s*", text_of(tests[0])):
        asked = _code_asked(part)
        if asked is None or not asked[0]:
            return None
        codes.append(asked[1])
    return None if "0" in codes or "-1" in codes else codes


def makes_down(node: Node) -> bool:
    """`touch ./down`: what it is for is done by not starting the service again; it stays off until somebody starts it."""
    return re.fullmatch(r"(touch|:\s*>+|>+)\s*(\./|\$PWD/)?down", text_of(node).strip()) is not None


def code_test(node: Node, definition: Definition) -> tuple[str, str] | None:
    """`[ "$1" = N ] && sv down .` and its kin: ("is" or "is not", N)."""
    body: list[Node] = []
    negate = False
    if node.type == "if_statement":
        tests = condition_of(node)
        if len(tests) != 1 or any(child.type in ("elif_clause", "else_clause") for child in node.children):
            return None
        condition = tests[0]
        body = [one for one, _background in branch(node)]
    elif node.type == "list" and len(node.children) == 3:
        condition = node.children[0]
        negate = text_of(node.children[1]) == "||"
        body = [node.children[2]]
        if body[0].type == "compound_statement":
            body = [one for one, _background in statements(body[0])]
    else:
        return None
    asked = _code_asked(text_of(condition))
    if asked is None:
        return None
    if not any(down_statement(one, definition) for one in body):
        return None
    if not all(
        down_statement(one, definition) or is_exit(one) or only_messages(one) or makes_down(one) for one in body
    ):
        return None
    same, code = asked
    return ("is" if same != negate else "is not"), code
