# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known while a script is read: its variables, directory and account, and what constants come to."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._model.definition import Definition, normal
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.finding import DECISION, INFO, WARNING, Finding
from ansible_collections.pidone.systemd.plugins.plugin_utils._model.service import Service
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.evaluate import Evaluator
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.tree import (
    Script,
    assigned,
    parse,
    referenced,
    statements,
    text_of,
    walk,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._shell.words import Piece, Word, constant, lit, tidy
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import conditions, programs, wrappers
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.steps import Step
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.vocabulary import (
    DEFAULT_PATH,
    NAME,
    OPTIONAL,
    Before,
    Exit,
    NeedShell,
    Redirect,
    is_relative,
    is_utf8,
)

if t.TYPE_CHECKING:
    from tree_sitter import Node


# No value of a variable is longer; `X=$X$X` some dozens of times would be.
_LONGEST = 65536


class State:
    """The state of a script, as wrappers and the evaluator ask for it and change it."""

    # What the classes above this one add, and those below them use.
    table: t.ClassVar[dict[str, t.Callable[..., bool]]] = {}

    if t.TYPE_CHECKING:

        def dispatch(self, node: Node, last: bool, checked: bool = False) -> bool: ...

        def block(self, found: list[tuple[Node, bool]], last: bool) -> bool: ...

        def keep(self, node: Node, background: bool, last: bool, why: str) -> bool: ...

        def redirects(self, node: Node, start: int = 1) -> list[Redirect]: ...

        def shell_text(self, node: Node) -> str: ...

        def misread(self, node: Node) -> None: ...

        def guard(self, node: Node, negate: bool, leave: Exit) -> None: ...

        def guard_test(self, test: conditions.Test, node: Node, leave: Exit) -> None: ...

        def source_of(self, node: Node) -> Word | None: ...

        def sv(self, arguments: list[str], last: bool) -> None: ...

        def logged(self, words: list[Word]) -> None: ...

        def _try_redirects(self, node: Node) -> list[Redirect]: ...

        def _save(self) -> t.Any: ...

        def _restore(self, saved: t.Any) -> None: ...

    def __init__(
        self, definition: Definition, service: Service, script: Script, cwd: str, findings: list[Finding]
    ) -> None:
        self.definition = definition
        self.service = service
        self.script = script
        self.file = script.file
        self.argument0 = script.file if script.file.startswith("control/") else "./" + script.file.rsplit("/", 1)[-1]
        self.findings = findings
        self.home_directory = cwd
        self.cwd = cwd
        self.line = 1
        self.vars: dict[str, Word | None] = {}
        self.overridable: set[str] = set()
        self.dynamic: dict[str, str | None] = {}
        self.current: dict[str, str] = {}
        self.exported: set[str] = set()
        self.allexport = False
        self.open_conf = False
        self.open_shell = False
        # Such a file may define functions too.
        self.open_functions = False
        self.errexit = False
        self.nounset = False
        self.umask: int | None = None
        self.bash = False
        self.steps: list[Step] = []
        self.prefix: list[Before] = []
        # Constants that shell text within the words of the main command uses.
        self.setup: dict[str, str] = {}
        self.reading: list[str] = []
        self.functions: dict[str, Node] = {}
        self.prefix_commands: set[str] = set()
        self.prefix_execs = False
        self.reasons: list[tuple[str, str, int]] = []
        self.main: list[Word] | None = None
        self.inline: str | None = None
        self.inline_exec = True
        self.argv0: str | None = None
        self.down_self = False
        self.no_retry: set[str] = set()
        self.stdout = "journal"
        self.stderr = "separate"
        self.log_command: list[Word] | None = None
        # `snooze -H9` before everything else: when the rest runs.
        self.leading_snooze: list[Word] | None = None
        self.sourcing = False
        self.once: set[tuple[str, str]] = set()
        self.path_changed = False
        self.ended = False
        self.evaluator = Evaluator(self)
        self._references: list[tuple[int, str]] | None = None
        self._set_somewhere: set[str] | None = None
        # `cd` to what is known only when the service starts.
        self.cwd_unknown = False
        # A condition asked for a variable that nothing sets.
        self.asked_unset = False

    def note(self, severity: str, construct: str, message: str) -> None:
        self.findings.append(Finding(severity, construct, self.file, self.line, message))

    def note_once(self, severity: str, construct: str, message: str) -> None:
        if (construct, message) not in self.once:
            self.once.add((construct, message))
            self.note(severity, construct, message)

    def get(self, name: str, quiet: bool = False) -> Word | None:
        if name == "PWD":
            return [Piece("shell", "$PWD")] if self.cwd_unknown else lit(self.cwd)
        if name in self.vars:
            value = self.vars[name]
            if name in self.overridable and value is not None:
                text = constant(value)
                if text is not None:
                    if name not in self.dynamic:
                        self.dynamic[name] = text
                    return [Piece("var", name)]
            return value
        if name == "0":
            return lit(self.argument0)
        if name == "#":
            return lit("0")
        if name in ("@", "*") or name.isdigit():
            # Only a shell knows them once one of its commands has set them.
            known = all(piece.kind != "shell" for piece in self.vars.get("@") or ())
            return None if known else [Piece("shell", f"${{{name}}}")]
        if not NAME.match(name):
            return [Piece("shell", f"${name}")]
        if name == "PATH":
            return lit(DEFAULT_PATH)
        if self.open_shell:
            return [Piece("shell", f"${name}")]
        if name in self.current or name in self.dynamic:
            self.dynamic.setdefault(name, None)
            return [Piece("var", name)]
        if self.bash and name == "HOSTNAME":
            return [Piece("spec", "%H")]
        if self.bash and name in ("UID", "EUID"):
            return lit("0")
        if name in ("IFS", "RANDOM", "SECONDS", "LINENO", "BASH", "BASHPID", "PPID", "OPTARG", "OPTIND"):
            return [Piece("shell", f"${name}")]
        if name == "BASH_SOURCE":
            return lit("./run")
        if self.open_conf:
            self.dynamic.setdefault(name, None)
            return [Piece("var", name)]
        if self._set_somewhere is None:
            self._set_somewhere = assigned(self.script.root)
        if name not in self._set_somewhere and not OPTIONAL.search(name):
            self.asked_unset = True
        if not quiet and name not in self._set_somewhere:
            if self.nounset:
                self.note_once(
                    WARNING,
                    f"${name}",
                    f"{name} is never set (runsv passes on PATH only), which ends the script under set -u; here it expands to "
                    "nothing: give the command its value",
                )
            else:
                self.note_once(
                    INFO if OPTIONAL.search(name) else WARNING,
                    f"${name}",
                    f"{name} is never set (runsv passes on PATH only), so it expands to nothing",
                )
        return None

    def default(self, name: str, value: str) -> bool:
        known = self.dynamic.get(name)
        if known is None or known == "":
            self.dynamic[name] = value
            return True
        return True

    def assign(self, name: str, value: Word) -> None:
        value = tidy(value)
        if sum(len(piece.text) for piece in value) > _LONGEST or len(value) > 1000:
            raise NeedShell("the value is too long")
        self.vars[name] = value
        self.overridable.discard(name)
        self.dynamic.pop(name, None)
        self.current.pop(name, None)
        if self.allexport or name in self.exported or name == "PATH":
            self._export_value(name, value)

    def _export_value(self, name: str, value: Word) -> None:
        if any(piece.kind == "shell" for piece in value):
            raise NeedShell(f"{name} is exported and known only when the service starts")
        if any(piece.kind == "var" for piece in value):
            if len(value) == 1 and value[0].text == name:
                return
            raise NeedShell(f"{name} is exported and made of variables")
        if not NAME.match(name) or not all(is_utf8(piece.text) for piece in value):
            raise NeedShell("not a variable that systemd takes")
        text = constant(value)
        if name == "PATH":
            if text == DEFAULT_PATH:
                return
            self.path_changed = True
        if name not in self.service.environment and self.used_before(name):
            raise NeedShell(f"what comes before uses the value {name} had")
        if name in self.current and text != self.current[name]:
            self.note(
                WARNING, "export", f"{name} is set here and in an EnvironmentFile, and under systemd the file wins"
            )
        self.service.environment[name] = [piece._replace(split=False) for piece in value]

    def home(self, user: str) -> str | None:
        if user == "":
            self.note_once(DECISION, "~", "is taken for /root: runsv passes on no HOME, and the script runs as root")
        if user in ("", "root"):
            return "/root"
        known = self.definition.users.get(user)
        return str(known["home"]) if known and known.get("home") else None

    def fixed(self, word: Word) -> str | None:
        text = constant(word)
        if text is not None:
            return text
        out = []
        names = []
        for piece in word:
            if piece.kind == "lit":
                out.append(piece.text)
            elif piece.kind == "var":
                value = self.current.get(piece.text, self.dynamic.get(piece.text))
                if value is None:
                    return None
                names.append(piece.text)
                out.append(value)
            else:
                return None
        text = "".join(out)
        self.note(
            DECISION,
            "$" + names[0],
            f"fixed to '{text}' at translation, as systemd expands no variables here; a settings "
            "file that changes it no longer does",
        )
        return text

    def absolute(self, path: str) -> str:
        if self.cwd_unknown and not path.startswith("/"):
            raise NeedShell("the directory is known only when the service starts")
        return normal(path if path.startswith("/") else f"{self.cwd}/{path}")

    def change_directory(self, path: str) -> None:
        if any(is_relative(one.text) for one in self.prefix):
            raise NeedShell("what came before is relative to another directory")
        self.mark_directory()
        self.cwd = self.absolute(path)
        self.service.working_directory = self.cwd

    def mark_directory(self) -> None:
        """Note where the commands so far were to run."""
        for command in (*(step.run for step in self.steps), *self.service.exec_condition):
            if command is not None and command.cwd is None:
                command.cwd = self.cwd

    def may_be_function(self, name: str) -> bool:
        """Whether a bare name may be a function of a file that only a shell reads."""
        return (
            self.open_functions
            and "/" not in name
            and name not in self.definition.commands
            and name not in programs.STANDARD
            and name not in self.table
            and name not in wrappers.HANDLERS
        )

    def user_id(self, user: str) -> tuple[str, str] | None:
        if user.startswith(":"):
            parts = user[1:].split(":")
            return (parts[0], parts[1]) if len(parts) > 1 else None
        name, _colon, _group = user.partition(":")
        known = self.definition.users.get(name)
        if known:
            return str(known["uid"]), str(known["gid"])
        return ("0", "0") if name == "root" else None

    def is_user(self, user: str) -> bool:
        return user in self.definition.users

    def set_environment(self, name: str, value: Word) -> None:
        if any(piece.kind in ("var", "shell") or not is_utf8(piece.text) for piece in value) or not NAME.match(name):
            raise wrappers.Keep("a value is known only when the service starts")
        if name in self.current or name in self.dynamic:
            raise wrappers.Keep(f"{name} is a variable of a settings file as well, which would win")
        if self.used_before(name):
            raise wrappers.Keep(f"{name} has another value before")
        self.service.environment[name] = [piece._replace(split=False) for piece in value]

    def set_user(self, user: str, group: str | None, extra: t.Sequence[str], drops: bool) -> None:
        for name in (user, group or "x", *extra):
            if not re.match(r"[A-Za-z0-9_][^\s/:]*\Z", name) or re.match(r"0\d+\Z", name):
                raise wrappers.Keep(f"'{name}' is no name of an account")
        if user in ("root", "0") and group in (None, "root", "0", "wheel") and not extra:
            self.service.user = None
            self.note_once(INFO, "user", "the command runs as root, which is systemd's default")
            return
        self.service.user = user
        self.service.group = group
        if user in ("nobody", "65534"):
            self.note_once(
                DECISION,
                "user",
                "systemd warns about User=nobody, as what all such services own is shared; give it a user of its own, "
                "or DynamicUser=yes",
            )
        if extra:
            self.service.settings["SupplementaryGroups"] = list(extra)
        if not drops:
            return
        known = self.definition.users.get(user)
        if known is None:
            self.note(
                INFO,
                "supplementary groups",
                f"chpst drops all groups but the named ones, User= adds those {user} is a member of; they differ if there are any",
            )
        elif known.get("groups"):
            self.note(
                DECISION,
                "supplementary groups",
                f"under runit {user} had no supplementary groups; User= adds {', '.join(known['groups'])}",
            )

    def environment_directory(self, path: str, construct: str) -> bool:
        relative = self.definition.relative(path)
        files: dict[str, str] = {}
        secret = self.definition.withheld_in(path.rstrip("/"))
        if secret:
            raise wrappers.Keep(
                f"{', '.join(secret[:3])}{', ...' if len(secret) > 3 else ''} in {path} are not for every user, and a unit is: "
                "they stay where they are and are read when the service starts. To do without it, write them into a file of "
                "mode 0600 for EnvironmentFile="
            )
        if relative is not None:
            if not self.definition.has(relative):
                self.note(
                    WARNING,
                    construct,
                    f"{path} is not among the collected files; chpst reads it when the service starts",
                )
                return False
            files = self.definition.below(relative)
        else:
            for one in self.definition.external:
                head, _slash, tail = one.rpartition("/")
                if head == path:
                    text = self.definition.outside(one)[1]
                    if text is not None:
                        files[tail] = text
            if not files:
                self.note(
                    WARNING,
                    construct,
                    f"{path} is not among the collected files; chpst reads it when the service starts",
                )
                return False
        for name, text in sorted(files.items()):
            if not NAME.match(name):
                self.note(WARNING, construct, f"{path}/{name} is no name of a variable that systemd takes; left out")
            elif not text:
                self.service.environment.pop(name, None)
                self.service.add("UnsetEnvironment", name)
            else:
                self.set_environment(name, lit(text.split("\n", 1)[0].rstrip(" \t").replace("\0", "\n")))
                self.vars[name] = self.service.environment[name]
        if files:
            self.note(
                DECISION,
                construct,
                f"the {len(files)} variable(s) of {path} are now in the unit, where every user can read them; "
                "move secrets to an EnvironmentFile= or LoadCredential=",
            )
        return True

    def parse_command(self, text: str) -> list[Word] | None:
        script = parse(text, self.file)
        found = statements(script.root)
        if script.errors or len(found) != 1 or found[0][1]:
            return None
        node = found[0][0]
        redirects: list[Redirect] = []
        if node.type == "redirected_statement":
            redirects = self.redirects(node)
            node = node.children[0]
            if any(one.operator == ">&" and constant(one.target) == "1" for one in redirects) and len(redirects) == 1:
                redirects = []
        if node.type != "command" or redirects or referenced(node):
            return None
        if any(one.type in ("variable_assignment", "command_substitution") for one in walk(node)):
            return None
        words = self.evaluator.words(child for child in node.children)
        if any(piece.kind != "lit" for word in words for piece in word):
            return None
        if words and constant(words[0]) in (*programs.MESSAGES, ".", "source", "cd", "eval"):
            return None
        return words

    def substitute(self, node: Node) -> Word | None:
        inner = statements(node)
        if len(inner) != 1 or inner[0][1]:
            return None
        one = inner[0][0]
        if one.type == "list" and len(one.children) == 3:
            first, operator, second = one.children
            if text_of(operator) == "&&" and text_of(second).split()[:1] == ["pwd"]:
                words = self._plain_words(first)
                if words and words[0] == "cd":
                    target = [word for word in words[1:] if not word.startswith("-")]
                    return lit(self.absolute(target[0])) if target else None
            return None
        words = self._plain_words(one)
        if not words:
            return None
        name = words[0].rsplit("/", 1)[-1]
        arguments = [word for word in words[1:] if word != "--"]
        plain = [word for word in arguments if not word.startswith("-")]
        if name in ("command", "which", "type") and len(plain) == 1:
            found = plain[0] if plain[0].startswith("/") else programs.path_of(plain[0], self.definition.commands)
            if found == plain[0] and not found.startswith("/"):
                self.note_once(INFO, name, f"where {found} is, systemd finds out itself")
            return lit(found)
        if name == "basename" and 1 <= len(plain) <= 2:
            base = plain[0].rstrip("/").rsplit("/", 1)[-1] or "/"
            if base in (".", "..", "run") and not plain[0].startswith("/"):
                base = self.absolute(plain[0]).rsplit("/", 1)[-1]
            if len(plain) == 2 and base.endswith(plain[1]) and base != plain[1]:
                base = base[: -len(plain[1])]
            return lit(base)
        if name == "dirname" and len(plain) == 1:
            head, slash, _tail = plain[0].rstrip("/").rpartition("/")
            return lit((head or "/") if slash else ".")
        if name == "pwd" and not plain:
            return lit(self.cwd)
        if (
            name in ("readlink", "realpath")
            and len(plain) == 1
            and (name == "realpath" or arguments[0] in ("-f", "-e", "-m"))
        ):
            full = self.absolute(plain[0])
            return lit(full) if self.definition.relative(full) is not None else None
        if name == "hostname" and not plain and arguments in ([], ["-f"], ["-s"]):
            if arguments == ["-f"]:
                return None
            return [Piece("spec", "%l" if arguments else "%H")]
        if name == "uname" and arguments in (["-n"], ["-r"]):
            return [Piece("spec", "%H" if arguments == ["-n"] else "%v")]
        if name == "id" and arguments in (["-u"], ["-g"]):
            return lit("0")
        if name == "id" and len(arguments) == 2 and arguments[0] in ("-u", "-g"):
            ids = self.user_id(arguments[1])
            return lit(ids[0] if arguments[0] == "-u" else ids[1]) if ids else None
        if (
            name in ("echo", "printf")
            and len(plain) == len(arguments) == 1
            and "%" not in plain[0]
            and "\\" not in plain[0]
        ):
            return lit(plain[0])
        if name == "cat" and len(plain) == len(arguments) == 1:
            relative = self.definition.relative(self.absolute(plain[0]))
            text = self.definition.text(relative) if relative else None
            if text is not None:
                self.note(DECISION, "$(cat)", f"what {plain[0]} says was fixed at translation: '{text.strip()[:60]}'")
                return lit(text.rstrip("\n"))
        return None

    def _plain_words(self, node: Node) -> list[str] | None:
        """The constant words of a simple command whose redirections only silence it."""
        if node.type == "redirected_statement":
            for child in node.children[1:]:
                if child.type != "file_redirect" or not re.search(r"(/dev/null|&1)\s*$", text_of(child)):
                    return None
            node = node.children[0]
        if node.type != "command":
            return None
        words = []
        if "\\ " in text_of(node):
            return None
        for child in node.children:
            if child.type in ("variable_assignment", "file_redirect", "herestring_redirect"):
                return None
            for word in self.evaluator.words([child]):
                text = constant(word)
                if text is None:
                    return None
                words.append(text)
        return words

    def name_of(self, word: Word) -> str | None:
        """The name of a command, where it is known; a variable's default counts."""
        return self.fixed(word)

    def program(self, word: Word) -> Word:
        """The word of a program, its path made absolute where that is known."""
        text = self.fixed(word)
        if text is None:
            return word
        if "/" in text:
            return lit(text if text.startswith("/") or self.cwd_unknown else self.absolute(text))
        if text in self.definition.commands or not self.path_changed:
            return lit(programs.path_of(text, self.definition.commands))
        return lit(text)

    def used_before(self, name: str, words: t.Sequence[Word] = ()) -> bool:
        """Whether something uses the value a variable has before the command gets another one by Environment=."""
        if any(name in one.uses for one in self.prefix):
            return True
        return any(
            (piece.kind == "var" and piece.text == name)
            or (piece.kind == "shell" and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", piece.text))
            for word in words
            for piece in word
        )

    def prefixed(self, variables: list[Node], words: t.Sequence[Word] = ()) -> None:
        for child in variables:
            name = text_of(child.children[0])
            if self.used_before(name, words):
                raise NeedShell(f"the command's arguments use the value {name} has before")
            value = self.evaluator.value(child.children[2] if len(child.children) > 2 else None)
            self._export_value(name, value)
            self.vars[name] = value
            if name == "PATH":
                self.path_changed = True
