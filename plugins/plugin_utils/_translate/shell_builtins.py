# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builtins of the shell, and the commands that make directories and files."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import DECISION, INFO
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import referenced, text_of
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import wrappers
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.branches import Branches
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.steps import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    DOWN,
    UP,
    Exit,
    NeedShell,
    Redirect,
    Wrap,
    unit_of,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


_LIMITS = {
    "c": "CORE", "d": "DATA", "e": "NICE", "f": "FSIZE", "i": "SIGPENDING", "l": "MEMLOCK", "m": "RSS", "n": "NOFILE", "q": "MSGQUEUE",
    "r": "RTPRIO", "s": "STACK", "t": "CPU", "u": "NPROC", "p": "NPROC", "v": "AS", "x": "LOCKS",
}  # fmt: skip
_KILO = frozenset("cdflmsv")


class Builtins(Branches):
    """A method for each builtin."""

    def b_cd(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        targets = [word for word in words[1:] if constant(word) not in ("-P", "-L", "--")]
        text = self.fixed(targets[0]) if len(targets) == 1 else None
        if text is None or text == "-":
            raise NeedShell("a directory that is known only when the service starts")
        self.change_directory(text)
        if self.cwd == self.home_directory:
            self.service.working_directory = None
        return False

    def b_umask(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        text = self.fixed(words[1]) if len(words) == 2 else None
        if text is None or not re.match(r"[0-7]{1,4}\Z", text):
            raise NeedShell("a umask in symbols")
        self.umask = int(text, 8)
        self.service.set("UMask", text.zfill(4))
        return False

    def b_ulimit(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        if len(words) > 1 and all(re.match(r"-[SH]*a[SH]*\Z", constant(word) or "") for word in words[1:]):
            self.note_once(INFO, "message", "messages of the script are not printed; systemd logs starts itself")
            return False
        texts = [constant(word) or "" for word in words]
        pairs = [[words[0], words[index], words[index + 1]] for index in range(1, len(words) - 1, 2)]
        if len(words) > 3 and len(words) % 2 and all(re.match(r"-[a-zA-GI-RT-Z]\Z", text) for text in texts[1::2]):
            # `ulimit -n 1024 -l unlimited`: each limit by itself.
            for pair in pairs:
                self.b_ulimit(pair, redirects, last, checked, node)
            return False
        soft = hard = False
        resource = "f"
        for word in words[1:-1]:
            text = constant(word) or "?"
            if not text.startswith("-"):
                raise NeedShell("ulimit")
            for letter in text[1:]:
                if letter == "S":
                    soft = True
                elif letter == "H":
                    hard = True
                elif letter in _LIMITS:
                    resource = letter
                else:
                    raise NeedShell(f"ulimit -{letter}")
        value = self.fixed(words[-1]) if len(words) > 1 else None
        if value is None or not re.match(r"(\d+|unlimited)\Z", value):
            raise NeedShell("ulimit")
        name = _LIMITS[resource]
        if value == "unlimited":
            text = "infinity"
        else:
            number = int(value)
            # dash and bash count in blocks of 512 bytes or 1024; the man pages say 1024 for all but -c and -f in POSIX mode.
            if resource in _KILO:
                number *= 512 if resource in "cf" and not self.bash else 1024
            text = str(number)
        if soft and not hard:
            text = wrappers.soft_limit(name, int(text)) if text != "infinity" else text
        elif hard and not soft:
            raise NeedShell("ulimit -H alone")
        self.service.set(f"Limit{name}", text)
        return False

    def b_set(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        texts = [constant(word) for word in words[1:]]
        if not texts:
            return False
        if texts[0] == "--":
            if any(piece.kind == "shell" for word in words[2:] for piece in word):
                raise NeedShell("set -- with what only a shell expands")
            if self._counts_parameters() and any(
                piece.kind == "var" and piece.split for word in words[2:] for piece in word
            ):
                raise NeedShell("set -- with a setting, which may be none or several of them")
            for name in [one for one in self.vars if one.isdigit()]:
                del self.vars[name]
            joined: Word = []
            for index, word in enumerate(words[2:], 1):
                self.vars[str(index)] = [piece._replace(split=False) for piece in word]
                if index > 1:
                    joined.append(Piece("lit", " ", True))
                joined += word
            for piece in joined:
                if piece.kind == "lit" and not piece.split and re.search(r"\s", piece.text):
                    raise NeedShell("set -- with blanks")
            self.vars["@"] = self.vars["*"] = joined
            self.vars["#"] = lit(str(len(words) - 2))
            return False
        index = 0
        while index < len(texts):
            text = texts[index]
            if text in ("-o", "+o"):
                option = texts[index + 1] if index + 1 < len(texts) else ""
                if option == "errexit":
                    self.errexit = text == "-o"
                elif option == "nounset":
                    self.nounset = text == "-o"
                elif option == "allexport":
                    self.allexport = text == "-o"
                elif option == "noglob":
                    raise NeedShell("set -f")
                index += 2
                continue
            if text is None or text[:1] not in "-+" or len(text) < 2:
                raise NeedShell("set")
            on = text[0] == "-"
            for letter in text[1:]:
                if letter == "e":
                    self.errexit = on
                elif letter == "u":
                    self.nounset = on
                elif letter == "a":
                    self.allexport = on
                elif letter == "o" and text[-1] == "o":
                    if index + 1 < len(texts) and texts[index + 1] == "errexit":
                        self.errexit = on
                    index += 1
                elif letter == "x":
                    self.note_once(INFO, "set -x", "commands are no longer traced")
                elif letter == "f" and on:
                    raise NeedShell("set -f")
            index += 1
        return False

    def _counts_parameters(self) -> bool:
        """Whether the script asks how many parameters there are, or which is which."""
        used = referenced(self.script.root)
        return "#" in used or any(name.isdigit() and name != "0" for name in used)

    def b_source(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        if len(words) != 2 or last:
            raise NeedShell("a sourced file with arguments")
        # Where the file is missing sh ends the script, bash goes on.
        self.source(words[1], self.bash and not (checked or self.errexit), node)
        return False

    def b_message(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        if not self._silent(redirects):
            raise NeedShell("it writes to a file")
        if constant(words[0]) == ":":
            if any(piece.kind == "shell" for word in words for piece in word):
                raise NeedShell("an expansion")
            return False
        if [constant(word) for word in words[:2]] == ["printf", "-v"]:
            raise NeedShell("it sets a variable")
        if self.stdout.startswith("truncate:") and not redirects:
            raise Wrap("message", "it is written to the file that standard output goes to", self.line)
        self.note_once(INFO, "message", "messages of the script are not printed; systemd logs starts itself")
        return False

    def b_nothing(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        return False

    def b_exit(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        self.ended = True
        if self.prefix and self.main is None:
            self.inline = text_of(node)
            self.inline_exec = self.prefix_execs
        return True

    def b_export(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        raise NeedShell("export of a computed name")

    def b_shell(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        raise NeedShell(f"{constant(words[0])}")

    def b_test(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        if (self.errexit or checked) and not last:
            self.guard(node, False, Exit("1", False, False))
        return False

    def b_sv(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        texts = [self.fixed(word) for word in words[1:]]
        if None in texts:
            raise NeedShell("sv with a name that is known only when the service starts")
        if not self._silent(redirects):
            raise NeedShell("the answer of sv")
        self.sv([str(text) for text in texts], last)
        if last:
            self.ended = True
        return last

    def b_mkdir(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        return self._files(words, redirects, last, checked, "make")

    def b_chown(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        return self._files(words, redirects, last, checked, "own")

    def b_chmod(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        return self._files(words, redirects, last, checked, "mode")

    def sv(self, arguments: list[str], last: bool) -> None:
        while arguments and arguments[0].startswith("-"):
            arguments = arguments[2:] if arguments[0] == "-w" else arguments[1:]
        if not arguments:
            return
        verb, names = arguments[0], arguments[1:]
        for name in names:
            full = self.absolute(name) if "/" in name or name == "." else name
            base = full.rstrip("/").rsplit("/", 1)[-1]
            if not base:
                raise NeedShell("sv without the name of a service")
            own = full == self.definition.path or base == self.definition.name
            if base == "log" and "/" in full:
                self.note(INFO, f"sv {verb}", "the log service is journald's work now")
            elif own and verb in DOWN | {"once", "o"}:
                self.down_self = True
            elif own:
                self.note(INFO, f"sv {verb}", "asks for the service itself; left out")
            elif verb in UP:
                unit = unit_of(base)
                for where in (self.service.wants, self.service.after):
                    if unit not in where:
                        where.append(unit)
                self.note(INFO, f"sv {verb}", f"is Wants= and After={unit}: started before this service")
            elif verb in DOWN:
                unit = unit_of(base)
                if unit not in self.service.conflicts:
                    self.service.conflicts.append(unit)
                self.note(
                    DECISION,
                    f"sv {verb}",
                    f"is Conflicts={unit}: stopped when this service starts, and the other way round",
                )
            else:
                self.note(
                    DECISION,
                    f"sv {verb}",
                    f"sv {verb} {name} has no directive and was left out; say how the two services depend on each other",
                )

    def _files(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, kind: str) -> bool:
        if last:
            raise NeedShell("a script that ends with it")
        if self.must_follow():
            raise NeedShell("it comes after what only a shell can do")
        name = (constant(words[0]) or "").rsplit("/", 1)[-1]
        texts = [constant(word) for word in words[1:]]
        ignore = not (checked or self.errexit)
        if None in texts or not self._silent(redirects):
            self.step(words, redirects, checked)
            return False
        found = Step.files(name, [str(text) for text in texts], self.absolute, self.umask, ignore, self.line)
        if found is None:
            self.step(words, redirects, checked)
        else:
            self.steps += found
        return False


Builtins.table = {
    "cd": Builtins.b_cd,
    "umask": Builtins.b_umask,
    "ulimit": Builtins.b_ulimit,
    "set": Builtins.b_set,
    ".": Builtins.b_source,
    "source": Builtins.b_source,
    ":": Builtins.b_message,
    "echo": Builtins.b_message,
    "printf": Builtins.b_message,
    "true": Builtins.b_nothing,
    "hash": Builtins.b_nothing,
    "exit": Builtins.b_exit,
    "return": Builtins.b_exit,
    "export": Builtins.b_export,
    "eval": Builtins.b_shell,
    "trap": Builtins.b_shell,
    "read": Builtins.b_shell,
    "wait": Builtins.b_shell,
    "shift": Builtins.b_shell,
    "alias": Builtins.b_shell,
    "shopt": Builtins.b_shell,
    "pushd": Builtins.b_shell,
    "getopts": Builtins.b_shell,
    "let": Builtins.b_shell,
    "test": Builtins.b_test,
    "[": Builtins.b_test,
    "sv": Builtins.b_sv,
    "mkdir": Builtins.b_mkdir,
    "install": Builtins.b_mkdir,
    "chown": Builtins.b_chown,
    "chgrp": Builtins.b_chown,
    "chmod": Builtins.b_chmod,
}
