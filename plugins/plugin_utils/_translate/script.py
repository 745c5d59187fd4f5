# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interprets a start script statement by statement.

Each statement becomes directives of the service, or a step before it, or stays as shell text: in a step of its own where
nothing after it depends on it, else in front of the main command. So whatever is not understood is kept, never lost.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.plugin_utils._translate import conditions, programs, wrappers
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.definition import (
    Definition,
    normal,
    plain_settings,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.service import (
    DECISION,
    INFO,
    WARNING,
    Command,
    Finding,
    Service,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.shell import (
    CannotPrint,
    Evaluator,
    Piece,
    Printer,
    Script,
    Word,
    assigned,
    branch,
    commands_in,
    condition_of,
    constant,
    expanded_name,
    line_of,
    lit,
    parse,
    referenced,
    statements,
    test_words,
    text_of,
    walk,
    word_text,
)
from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.steps import Step, arrange

if t.TYPE_CHECKING:
    from tree_sitter import Node

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Builtins that change the shell itself, so that what follows depends on them.
_STATEFUL = frozenset(
    "cd exec export set shift trap umask ulimit . source eval read alias unset readonly declare typeset local getopts wait pushd".split()
)
_FILE_COMMANDS = frozenset(("mkdir", "install", "chown", "chmod", "chgrp"))
# Commands that only a shell has.
_ONLY_BUILTIN = frozenset(
    "command type local ulimit umask times jobs fg bg let declare typeset builtin enable disown bind caller".split()
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_UP = frozenset(("check", "c", "start", "s", "up", "u", "status", "once", "o", "cont"))
_DOWN = frozenset(
    ("down", "d", "stop", "force-stop", "exit", "x", "e", "shutdown", "force-shutdown", "t", "term", "kill", "k")
)
_LIMITS = {
    "c": "CORE", "d": "DATA", "e": "NICE", "f": "FSIZE", "i": "SIGPENDING", "l": "MEMLOCK", "m": "RSS", "n": "NOFILE", "q": "MSGQUEUE",
    "r": "RTPRIO", "s": "STACK", "t": "CPU", "u": "NPROC", "p": "NPROC", "v": "AS", "x": "LOCKS",
}  # fmt: skip
_KILO = frozenset("cdflmsv")
# Names of variables that are as often empty as not.
_OPTIONAL = re.compile(r"OPT|ARG|FLAG|PARAM|EXTRA|DEBUG|VERBOSE|LOG", re.IGNORECASE)
# Files by whose names nobody would look for functions in them.
_SETTINGS = re.compile(r"env|/default/|/sysconfig/|/conf\.d/|/etc/profile|locale|/activate|\.conf\b")
# Arguments of commands that only look at a configuration.
_CHECKS = re.compile(r"(-t|-T|-tq|-tt|--?(config)?test.*|--?check.*|check|configtest|check-?config|checkconf)\Z")


class NeedShell(Exception):
    """A statement that only a shell can do; the text says why."""


class Wrap(Exception):
    """The script as a whole has to go on being run; the text says why."""

    def __init__(self, construct: str, message: str, line: int) -> None:
        super().__init__(message)
        self.construct = construct
        self.message = message
        self.line = line


class Redirect(t.NamedTuple):
    """One redirection: descriptor (-1: the operator's own), operator, target."""

    fd: int
    operator: str
    target: Word
    more: list[t.Any]


class Exit(t.NamedTuple):
    """A branch that ends the script: its exit code, whether it takes the service down, whether it has messages."""

    code: str
    down: bool
    messages: bool


class Interpreter:
    """Runs a script in the mind. After `run()`, `service` has what could be said in directives."""

    def __init__(
        self, definition: Definition, service: Service, script: Script, cwd: str, findings: list[Finding]
    ) -> None:
        self.definition = definition
        self.service = service
        self.script = script
        self.file = script.file
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
        self.prefix: list[str] = []
        # Constants that shell text within the words of the main command uses.
        self.setup: dict[str, str] = {}
        self.reading: list[str] = []
        self.functions: dict[str, Node] = {}
        # For each text of prefix: what it sets (None: it does more than that), what it uses, and the commands it calls.
        self.prefix_uses: dict[str, tuple[set[str] | None, set[str], set[str]]] = {}
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
        self.handled: set[int] = set()
        self.log_command: list[Word] | None = None
        # `snooze -H9` before everything else: when the rest runs.
        self.leading_snooze: list[Word] | None = None
        self.sourcing = False
        self.once: set[tuple[str, str]] = set()
        self.path_changed = False
        self.ended = False
        self.messages_only = True
        self.evaluator = Evaluator(self)
        self._references: list[tuple[int, str]] | None = None
        self._set_somewhere: set[str] | None = None
        # `cd` to what is known only when the service starts.
        self.cwd_unknown = False
        # A condition asked for a variable that nothing sets.
        self.asked_unset = False

    # -- what wrappers and the evaluator ask

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
            return lit("./run")
        if name == "#":
            return lit("0")
        if name in ("@", "*") or name.isdigit():
            return None
        if not _NAME.match(name):
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
        if name not in self._set_somewhere and not _OPTIONAL.search(name):
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
                    INFO if _OPTIONAL.search(name) else WARNING,
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
        if not _NAME.match(name) or not all(_is_utf8(piece.text) for piece in value):
            raise NeedShell("not a variable that systemd takes")
        text = constant(value)
        if name == "PATH":
            if text == DEFAULT_PATH:
                return
            self.path_changed = True
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
        if any(is_relative(text) for text in self.prefix):
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
            and name not in _BUILTINS
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
        if any(piece.kind in ("var", "shell") or not _is_utf8(piece.text) for piece in value) or not _NAME.match(name):
            raise wrappers.Keep("a value is known only when the service starts")
        self.service.environment[name] = [piece._replace(split=False) for piece in value]

    def set_user(self, user: str, group: str | None, extra: t.Sequence[str], drops: bool) -> None:
        for name in (user, group or "x", *extra):
            if not re.match(r"[A-Za-z0-9_][^\s/:]*\Z", name):
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
            if not _NAME.match(name):
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

    # -- running

    def run(self) -> None:
        """Interpret the whole script."""
        self.block(statements(self.script.root), True)

    def block(self, found: list[tuple[Node, bool]], last: bool) -> bool:
        """Statements in order; True where the script has ended."""
        for index, (node, background) in enumerate(found):
            final = last and index == len(found) - 1
            if self.statement(node, background, final):
                rest = found[index + 1 :]
                if rest:
                    self.line = line_of(rest[0][0])
                    self.note(INFO, "unreachable", "what follows is never reached")
                return True
        return False

    def _save(self) -> t.Any:
        service = self.service
        return (
            dict(self.vars), set(self.overridable), dict(self.dynamic), dict(self.current), set(self.exported), list(self.steps),
            len(self.findings), dict(service.environment), {key: list(values) for key, values in service.settings.items()}, service.user, service.group,
            service.working_directory, self.cwd, self.argv0, self.stdout, self.stderr, list(service.conditions),
            list(service.exec_condition), list(service.wants), list(service.after), self.allexport, self.open_conf,
            list(service.environment_files), self.main, list(self.prefix), self.log_command, set(self.once), self.path_changed,
        )  # fmt: skip

    def _restore(self, saved: t.Any) -> None:
        service = self.service
        (
            self.vars, self.overridable, self.dynamic, self.current, self.exported, self.steps, count, service.environment,
            service.settings, service.user, service.group, service.working_directory, self.cwd, self.argv0, self.stdout,
            self.stderr, service.conditions, service.exec_condition, service.wants, service.after, self.allexport, self.open_conf,
            service.environment_files, self.main, self.prefix, self.log_command, self.once, self.path_changed,
        ) = saved  # fmt: skip
        del self.findings[count:]

    def statement(self, node: Node, background: bool, last: bool) -> bool:
        self.line = line_of(node)
        saved = self._save()
        try:
            if background:
                raise NeedShell("it goes on in the background")
            return self.dispatch(node, last)
        except NeedShell as why:
            self._restore(saved)
            self.line = line_of(node)
            return self.keep(node, background, last, str(why))

    def dispatch(self, node: Node, last: bool, checked: bool = False) -> bool:
        kind = node.type
        if kind == "command":
            return self.simple(node, [], last, checked)
        if kind == "redirected_statement":
            if any(child.type in ("heredoc_redirect", "herestring_redirect") for child in node.children):
                raise NeedShell("a here-document")
            body = node.children[0]
            if body.type == "command":
                return self.simple(body, self.redirects(node), last, checked)
            if body.type in ("list", "test_command", "negated_command", "pipeline") and self._silent(
                self.redirects(node)
            ):
                return self.dispatch(body, last, checked)
            if not body.is_named or body.type == "file_redirect":
                self.redirect(self.redirects(node, 0))
                return False
            raise NeedShell("its output goes elsewhere")
        if kind in ("variable_assignment", "variable_assignments"):
            for one in [node] if kind == "variable_assignment" else node.children:
                self.assignment(one)
            return False
        if kind == "declaration_command":
            self.declaration(node)
            return False
        if kind == "unset_command":
            for child in node.children:
                if child.type == "variable_name":
                    self.unset(text_of(child))
            return False
        if kind == "list":
            return self.and_or(node, last)
        if kind == "if_statement":
            return self.if_(node, last)
        if kind == "compound_statement" and node.children[0].type == "{":
            return self.block(statements(node), last)
        if kind == "test_command":
            if self.errexit and not last:
                self.guard(node, False, Exit("1", False, False))
            else:
                self.note(INFO, "test", "the answer is not used; left out")
            return False
        if kind == "while_statement":
            return self.while_(node, last)
        if kind == "case_statement":
            return self.case(node, last)
        if kind == "for_statement":
            return self.for_(node, last)
        if kind == "function_definition" and not last:
            name = text_of(node.children[1] if node.children[0].type == "function" else node.children[0])
            self.functions[name] = node
            return False
        if kind == "pipeline" and last:
            return self.pipeline(node)
        if kind == "subshell" and last:
            raise NeedShell("a subshell")
        raise NeedShell(
            {"function_definition": "a function", "pipeline": "a pipe", "negated_command": "a negation"}.get(
                kind, kind.replace("_", " ")
            )
        )

    # -- what stays shell

    def later(self, node: Node) -> set[str]:
        """Variables that are expanded after a node."""
        if self._references is None:
            found = []
            for one in walk(self.script.root):
                if one.type == "simple_expansion":
                    found.append((one.start_byte, expanded_name(one)))
                elif one.type == "expansion" and len(one.children) > 1:
                    found += [
                        (one.start_byte, text_of(child)) for child in one.children if child.type == "variable_name"
                    ][:1]
            self._references = found
        return {name for at, name in self._references if at >= node.end_byte}

    def misread(self, node: Node) -> None:
        raise Wrap("shell", f"'{text_of(node)}' cannot be read with certainty", line_of(node))

    def shell_text(self, node: Node) -> str:
        printer = Printer(self, node)
        try:
            text = printer.line(node)
        except CannotPrint as why:
            raise Wrap("shell", f"a word cannot be put on one line ({why})", line_of(node)) from None
        self.setup.update(printer.setup)
        return text

    def called(self, node: Node) -> list[Node]:
        """The functions of the script that a node calls, those they call first."""
        found: list[Node] = []
        pending = [node]
        while pending:
            one = pending.pop()
            for name in sorted(commands_in(one)):
                function = self.functions.get(name)
                if function is not None and function not in found and function is not node:
                    found.insert(0, function)
                    pending.append(function)
        return found

    def commands(self, node: Node) -> set[str]:
        """The names of the commands that a node calls, also within the functions it calls."""
        names: set[str] = set()
        for one in (node, *self.called(node)):
            names |= {name.rsplit("/", 1)[-1] for name in commands_in(one)}
        return names - set(self.functions)

    def sets(self, node: Node) -> set[str]:
        names: set[str] = set()
        for one in (node, *self.called(node)):
            names |= assigned(one)
        return names

    def printed(self, node: Node) -> tuple[Printer, str]:
        """A node as text, behind the functions it calls."""
        printer, text = self._printed(node)
        before = []
        for function in self.called(node):
            inner, body = self._printed(function)
            printer.setup.update(inner.setup)
            printer.shell_names |= inner.shell_names
            before.append(body)
        return printer, "; ".join([*before, text])

    def _printed(self, node: Node) -> tuple[Printer, str]:
        printer = Printer(self, node)
        try:
            if node.type == "redirected_statement" and any(child.type == "heredoc_redirect" for child in node.children):
                return printer, printer.document(node)
            return printer, printer.line(node)
        except CannotPrint as why:
            what = "a here-document" if "heredoc" in str(why) else f"it cannot be put on one line ({why})"
            raise Wrap("shell", what, line_of(node)) from None

    def keep(self, node: Node, background: bool, last: bool, why: str) -> bool:
        if self.sourcing:
            raise Wrap("sourced file", why, line_of(node))
        names = self.commands(node)
        if "sv" in names:
            raise Wrap("sv", f"sv is called within a construct that only a shell can do ({why})", line_of(node))
        kinds = {one.type for one in walk(node)}
        if "ERROR" in kinds:
            raise Wrap("shell", "the shell text does not parse", line_of(node))
        wraps = None
        if "trap" in names:
            wraps = "trap"
        elif "function_definition" in kinds:
            wraps = "function"
        elif background:
            wraps = "&"
        changers = names & {"chpst", "setuidgid", "su", "setpriv", "runuser", "sudo"}
        if changers:
            self.note(
                INFO,
                ", ".join(sorted(changers)),
                "stays in the shell text of the unit: the package that has it must stay installed",
            )
        if "wait" in names:
            wraps = "wait"
        if last:
            if (
                kinds & {"while_statement", "for_statement", "c_style_for_statement"}
                or wraps
                or node.type in ("pipeline", "subshell")
            ):
                what = wraps or node.type.replace("_statement", "").replace("_", " ")
                self.reasons.append(
                    (what, f"the service itself is {why or 'a loop'}; the original script is run", line_of(node))
                )
            printer, text = self.printed(node)
            self._own_commands(names)
            plain = node.type == "command" or (
                node.type == "redirected_statement" and node.children[0].type == "command"
            )
            if plain and "exec" not in names and not self.called(node):
                text = self._with_exec(node, text)
            self.inline = printer.prefix() + text
            self.inline_exec = text.startswith("exec ") or "exec" in names
            return True
        changed = self.sets(node) & (self.later(node) | {"IFS"})
        if self.cwd_unknown or any(self.may_be_function(name) for name in names):
            changed |= {"?"}
        if node.type == "subshell" and not wraps and not changed & {"?"}:
            self.shell_step(node, why)
            return False
        if names & {"cd", "pushd", "popd"}:
            self.cwd_unknown = True
        if (
            changed
            or names & (_STATEFUL - {"exit"})
            or wraps
            or "declaration_command" in kinds
            or "unset_command" in kinds
        ):
            if "exec" in names:
                self.prefix_execs = True
            if wraps:
                self.reasons.append(
                    (
                        wraps,
                        f"{wraps} before the main command has no directive ({why}); the original script is run",
                        line_of(node),
                    )
                )
            printer, text = self.printed(node)
            text = printer.prefix() + text + (" &" if background else "")
            self.prefix.append(text)
            pure = node.type == "variable_assignment" and not self.called(node) and names <= programs.HARMLESS
            self.prefix_uses[text] = (self.sets(node) if pure else None, referenced(node), names)
            self._own_commands(names)
            for name in self.sets(node):
                self.vars[name] = [Piece("shell", f"${name}")]
                self.overridable.discard(name)
            if "set" in names or "shift" in names:
                for name in [one for one in self.vars if one.isdigit()] + ["@", "*", "#"]:
                    self.vars[name] = [Piece("shell", f"${name}")]
            if "." in names or "source" in names or "eval" in names:
                self.open_shell = True
                self.open_functions = self.open_functions or not _SETTINGS.search(text)
            return False
        self.shell_step(node, why)
        return False

    def _with_exec(self, node: Node, text: str) -> str:
        """A last command that replaces the shell, which has nothing left to do; not where only the shell has it."""
        command = node.children[0] if node.type == "redirected_statement" else node
        if command.children[0].type != "command_name":
            # `A=b command`: exec would take the assignment for the command.
            return text
        name = text_of(command.children[0])
        if name in _BUILTINS or name in _STATEFUL or name in _ONLY_BUILTIN or self.may_be_function(name):
            return text
        return "exec " + text

    def live_prefix(self, rest: str) -> list[str]:
        """The texts in front of the command, without variables that nothing uses any more."""
        kept: list[str] = []
        for text in reversed(self.prefix):
            names, _used, _commands = self.prefix_uses.get(text, (None, set(), set()))
            after = rest + " " + " ".join(kept)
            if names is not None and not any(re.search(rf"\$\{{?{re.escape(name)}\b", after) for name in names):
                continue
            kept.insert(0, text)
        return kept

    def _own_commands(self, names: set[str]) -> None:
        self.prefix_commands |= names

    def shell_step(self, node: Node, why: str, checked: bool = False) -> None:
        """A step of shell before the main command."""
        printer, text = self.printed(node)
        names = self.commands(node)
        setup = printer.prefix()
        if printer.shell_names:
            if not self.prefix_commands <= programs.HARMLESS:
                self.prefix.append(setup + text)
                self._own_commands(names)
                return
            setup = "; ".join([*self.live_prefix(text), setup])
        ignore = not (checked or self.errexit)
        codes = set(re.findall(r"(?<![\w$-])exit\s+(\d+)", text))
        if "exit" in names and codes and codes <= self.no_retry:
            self.note(
                INFO,
                _construct(node),
                f"kept as shell in ExecCondition= ({why}); where it ends the script, systemd skips the service",
            )
            self.service.exec_condition.append(Command(line=setup + text + "; :"))
            return
        if "exit" in names:
            text = _failing_exits(text)
            ignore = False
            if not (checked or self.errexit):
                text += "; :"
        if self.errexit:
            setup = "set -e; " + setup
        self._takes_time(names, any("R" in word for word in re.findall(r"(?<=\s)-[a-zA-Z]*", text)))
        if len(setup + text) > 700:
            self.reasons.append(
                (
                    node.type.replace("_statement", ""),
                    "the steps before the command are too long for a unit; the original script is run",
                    line_of(node),
                )
            )
        self.note(INFO, _construct(node), f"kept as shell in ExecStartPre= ({why})")
        self.steps.append(Step.command(Command(line=setup + text, ignore=ignore), self.line))

    def _takes_time(self, names: set[str], recursive: bool = False) -> None:
        """runsv waits for a script as long as it takes; systemd would end the steps after 90 seconds."""
        if recursive or not {name.rsplit("/", 1)[-1] for name in names} <= programs.QUICK:
            self.service.set("TimeoutStartSec", "infinity")

    # -- simple commands

    def redirects(self, node: Node, start: int = 1) -> list[Redirect]:
        found = []
        for child in node.children[start:]:
            if child.type != "file_redirect":
                if child.type in ("heredoc_redirect", "herestring_redirect"):
                    raise NeedShell("a here-document")
                continue
            fd = -1
            operator = ""
            targets = []
            for part in child.children:
                if part.type == "file_descriptor":
                    text = text_of(part)
                    if not text.isdigit():
                        raise NeedShell("a redirection")
                    fd = int(text)
                elif not part.is_named and not operator:
                    operator = text_of(part)
                else:
                    targets.append(part)
            if not operator:
                raise NeedShell("a redirection")
            target = self.evaluator.value(targets[0]) if targets else lit("")
            if targets and targets[0].type == "process_substitution":
                target = [Piece("shell", text_of(targets[0]))]
            found.append(Redirect(fd, operator, target, list(targets[1:])))
        return found

    @staticmethod
    def _silent(found: list[Redirect]) -> bool:
        """Whether redirections only throw output away or join it."""
        for one in found:
            target = constant(one.target)
            if (
                one.more
                or one.operator not in (">", ">>", "&>", "&>>", ">&", "<", ">|")
                or target not in ("/dev/null", "1", "2", "-")
            ):
                return False
        return True

    def redirect(self, found: list[Redirect]) -> None:
        """Redirections of the main command."""
        for one in found:
            target = constant(one.target)
            fd = one.fd if one.fd >= 0 else (0 if one.operator == "<" else 1)
            if target is None:
                raw = one.target[0].text if one.target and one.target[0].kind == "shell" else ""
                if raw.startswith(">(") and fd in (1, 2):
                    words = self.parse_command(raw[2:-1].strip())
                    if words and _is_logger(words):
                        self.logged(words)
                        continue
                raise NeedShell("a redirection")
            if one.operator in (">&", "<&", ">&-", "<&-") and target in ("1", "2", "0", "-", ""):
                if target in ("-", "") or one.operator.endswith("-"):
                    target = "null"
                elif target == "1":
                    target = self.stdout
                elif target == "2":
                    target = self.stderr if self.stderr != "separate" else "journal"
                else:
                    raise NeedShell("a redirection")
                if fd == 1:
                    self.stdout = target
                elif fd == 2:
                    self.stderr = target
                elif fd != 0:
                    raise NeedShell("a redirection")
                continue
            if not target.startswith("/"):
                if target.isdigit() or not target:
                    raise NeedShell("a redirection")
                target = self.absolute(target)
            if one.operator == "<" and fd == 0:
                if target != "/dev/null":
                    self._input(target)
                continue
            if one.operator not in (">", ">>", "&>", "&>>", ">|", ">&"):
                raise NeedShell("a redirection")
            where = self._output(target, one.operator in (">>", "&>>"))
            if one.operator in ("&>", "&>>", ">&") and one.fd < 0:
                self.stdout = self.stderr = where
            elif fd == 1:
                self.stdout = where
            elif fd == 2:
                self.stderr = where
            else:
                raise NeedShell("a redirection")

    def _input(self, target: str) -> None:
        if target.startswith("/dev/tty") or target == "/dev/console":
            self.service.set("StandardInput", "tty")
            self.service.set("TTYPath", target)
        else:
            self.service.set("StandardInput", "file:" + target.replace("%", "%%"))

    def _output(self, target: str, append: bool) -> str:
        if target in ("/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"):
            return self.stdout
        if target in ("/dev/stderr", "/proc/self/fd/2", "/dev/fd/2"):
            return self.stderr if self.stderr != "separate" else "journal"
        if target == "/dev/null":
            return "null"
        if target.startswith("/dev/tty") or target == "/dev/console":
            self.service.set("TTYPath", target)
            return "tty"
        if not append:
            self.note(
                INFO, ">", f"StandardOutput=truncate: needs systemd 248; {target} is emptied at each start, as before"
            )
        return ("append:" if append else "truncate:") + target.replace("%", "%%")

    def simple(self, node: Node, redirects: list[Redirect], last: bool, checked: bool = False) -> bool:
        variables: list[Node] = []
        rest: list[Node] = []
        for child in node.children:
            if child.type == "variable_assignment" and not rest:
                variables.append(child)
            elif child.type == "file_redirect":
                redirects = redirects + self.redirects_of(child)
            elif child.type == "herestring_redirect":
                raise NeedShell("a here-string")
            elif child.type != "comment":
                rest.append(child)
        for one in redirects:
            rest += one.more
        if not rest:
            for child in variables:
                self.assignment(child)
            return False
        words = self.evaluator.words(rest)
        if not words:
            return False
        name = self.name_of(words[0])
        if name in self.functions:
            raise NeedShell("a function of the script")
        base = (name or "").rsplit("/", 1)[-1]
        if base == "exec" and name == "exec":
            if len(words) == 1:
                self.redirect(redirects)
                return False
            self.prefixed(variables)
            self.main_command(words[1:] if not (constant(words[1]) or "").startswith("-") else words, redirects)
            return True
        handler = _BUILTINS.get(base) if name else None
        if handler is not None and not variables:
            return bool(handler(self, words, redirects, last, checked, node))
        if last:
            if self.may_be_function(name or ""):
                raise NeedShell("it may be a function of a sourced file")
            self.prefixed(variables)
            self.main_command(words, redirects)
            if base not in ("exec",):
                self.note(
                    INFO,
                    "no exec",
                    "runit supervised the shell that waited for this command; systemd supervises the command",
                )
            return True
        if variables:
            raise NeedShell("variables for one command")
        self.step(words, redirects, checked)
        return False

    def redirects_of(self, child: Node) -> list[Redirect]:
        class _Holder:
            children: t.ClassVar[list[Node]] = [child]

        return self.redirects(t.cast(t.Any, _Holder), 0)

    def name_of(self, word: Word) -> str | None:
        """The name of a command, where it is known; a variable's default counts."""
        return self.fixed(word)

    def prefixed(self, variables: list[Node]) -> None:
        for child in variables:
            name = text_of(child.children[0])
            value = self.evaluator.value(child.children[2] if len(child.children) > 2 else None)
            self._export_value(name, value)
            self.vars[name] = value
            if name == "PATH":
                self.path_changed = True

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

    def step(self, words: list[Word], redirects: list[Redirect], checked: bool) -> None:
        if not self._silent(redirects):
            raise NeedShell("its output goes elsewhere")
        if constant(words[0]) in self.functions:
            raise NeedShell("a function of the script")
        if any(piece.kind == "shell" for word in words for piece in word):
            raise NeedShell("it has words that only a shell expands")
        if self.cwd_unknown or self.may_be_function(constant(words[0]) or ""):
            raise NeedShell("it depends on what the shell has read or where it is")
        program = self.program(words[0])
        if constant(program) is not None and not is_program(constant(program) or ""):
            raise NeedShell("not the name of a program")
        if constant(program) in _ONLY_BUILTIN:
            raise NeedShell("a builtin of the shell")
        if constant(program) is None:
            raise NeedShell("its command is known only when the service starts")
        if redirects:
            self.note_once(INFO, "redirection", "output of steps that was thrown away goes to the journal")
        argv = [program, *words[1:]]
        name = (constant(program) or "").rsplit("/", 1)[-1]
        if self.path_changed and not (constant(program) or "").startswith("/"):
            argv = [lit("/usr/bin/env"), *argv]
        if name == "snooze" and not self.steps and not self.prefix and self.leading_snooze is None:
            self.leading_snooze = words
            return
        if not any(_CHECKS.match(constant(word) or "") for word in words[1:]):
            self._takes_time({name}, any(re.match(r"-\w*R", constant(word) or "") for word in words[1:]))
        self.steps.append(Step.command(Command(argv, ignore=not (checked or self.errexit)), self.line))

    def main_command(self, words: list[Word], redirects: list[Redirect]) -> None:
        if self.prefix_execs and _base(words) in wrappers.HANDLERS and _base(words) != "exec":
            # What it sets is not for the other commands that the script may end with.
            raise NeedShell("one of several commands that the script may end with")
        self.redirect(redirects)
        argv = wrappers.peel(self, words)
        if not argv:
            raise NeedShell("no command")
        name = self.fixed(argv[0]) if constant(argv[0]) is None else constant(argv[0])
        if name is not None:
            argv = [lit(name), *argv[1:]]
        base = (name or "").rsplit("/", 1)[-1]
        if base == "sv":
            texts = [constant(word) for word in argv[1:]]
            if None not in texts:
                self.sv([str(text) for text in texts], True)
                self.ended = True
                return
        program = constant(self.program(argv[0]))
        if (program is not None and not is_program(program)) or name in _ONLY_BUILTIN:
            raise NeedShell("not the name of a program")
        self.main = argv

    def logged(self, words: list[Word]) -> None:
        self.log_command = words

    def pipeline(self, node: Node) -> bool:
        parts = [child for child in node.children if child.is_named]
        joined = any(text_of(child) == "|&" for child in node.children)
        loggers: list[list[Word]] = []
        for part in parts[1:]:
            one = part
            if one.type == "redirected_statement" and self._silent(self.redirects(one)):
                one = one.children[0]
            if one.type != "command" or any(child.type == "variable_assignment" for child in one.children):
                raise NeedShell("a pipe")
            words = self.evaluator.words(one.children)
            if words and constant(words[0]) == "exec":
                words = words[1:]
            found = _logger_of(words)
            if found is None:
                raise NeedShell("a pipe")
            loggers.append(found)
        first = parts[0]
        if first.type == "command":
            self.simple(first, [], True)
        elif first.type == "redirected_statement" and first.children[0].type == "command":
            self.simple(first.children[0], self.redirects(first), True)
        else:
            raise NeedShell("a pipe")
        if self.main is None:
            raise NeedShell("a pipe")
        if joined and self.stderr == "separate":
            self.stderr = self.stdout
        chosen = next((words for words in reversed(loggers) if _base(words) not in programs.FILTERS), loggers[-1])
        self.logged(chosen)
        self.note(INFO, "|", f"the pipe to {_base(chosen)} is not needed: what the service prints goes to the journal")
        return True

    # -- assignments

    def assignment(self, node: Node) -> None:
        children = node.children
        if not children or children[0].type != "variable_name":
            raise NeedShell("an array")
        name = text_of(children[0])
        operator = text_of(children[1]) if len(children) > 1 else "="
        if len(children) > 2 and children[2].type == "array":
            raise NeedShell("an array")
        value = self.evaluator.value(children[2] if len(children) > 2 else None)
        if operator == "+=":
            value = list(self.get(name) or []) + value
        if name == "IFS":
            raise Wrap(
                "IFS", "the script changes how the shell splits words; the original script is run", line_of(node)
            )
        if any(piece.kind == "shell" for piece in value):
            raise NeedShell("it is known only when the service starts")
        self.assign(name, value)

    def declaration(self, node: Node) -> None:
        word = text_of(node.children[0])
        exports = word == "export"
        for child in node.children[1:]:
            if child.type == "word" and text_of(child).startswith("-"):
                if "x" in text_of(child):
                    exports = True
                elif text_of(child) in ("-n", "-a", "-A", "-f"):
                    raise NeedShell(f"{word} {text_of(child)}")
            elif child.type == "variable_assignment":
                self.assignment(child)
                if exports:
                    self.export(text_of(child.children[0]))
            elif child.type == "variable_name":
                if exports:
                    self.export(text_of(child))
            elif child.is_named:
                raise NeedShell(word)

    def export(self, name: str) -> None:
        self.exported.add(name)
        value = self.get(name)
        if value is not None:
            self._export_value(name, value)

    def unset(self, name: str) -> None:
        self.vars[name] = None
        self.overridable.discard(name)
        if name in self.service.environment:
            del self.service.environment[name]
        elif name in self.dynamic or name in self.current:
            self.service.add("UnsetEnvironment", name)

    # -- settings files

    def source(self, word: Word, optional: bool, node: Node) -> None:
        text = self.fixed(word)
        if text is None:
            raise NeedShell("the name of the sourced file is known only when the service starts")
        path = self.absolute(text)
        relative = self.definition.relative(path)
        known: bool
        content: str | None
        if relative is not None:
            content = self.definition.text(relative)
            known = content is not None or self.definition.live
        else:
            known, content = self.definition.outside(path)
        if content is None:
            if any(mark in path for mark in programs.CODE_MARKS) or path.endswith((".sh", ".bash", "/activate")):
                if path.endswith("/bin/activate"):
                    self.virtual_environment(path)
                    return
                if known and optional:
                    self.note(INFO, ".", f"{path} does not exist on the host; not read any more")
                    return
                raise NeedShell(f"{path} is code for shells")
            usual = relative is not None or path.startswith(
                ("/etc/default/", "/etc/conf.d/", "/etc/sysconfig/", "/etc/sv/", "/usr/local/etc/")
            )
            if not optional and not usual and not known:
                self.note(
                    WARNING,
                    ".",
                    f"{path} was not collected and may use shell, which EnvironmentFile= would misread; a shell goes on reading it",
                )
                text = f". {word_text(lit(path))}"
                self.prefix.append(text)
                self.prefix_uses[text] = (None, set(), {"."})
                self.open_shell = True
                self.open_functions = self.open_functions or not _SETTINGS.search(path)
                return
            self.settings_file(path, optional)
            if self.definition.live and known:
                self.note(
                    INFO, ".", f"{path} does not exist; EnvironmentFile= reads it once it does (NAME=value lines only)"
                )
            else:
                self.note(
                    WARNING, ".", f"{path} was not collected; EnvironmentFile= reads its NAME=value lines, but no shell"
                )
            self._open(set(), None)
            return
        plain = plain_settings(content)
        if plain is not None:
            values, mentioned = plain
            names = set(values) | mentioned
            if (
                not names & self.later(node)
                and not self.allexport
                and not names & self.exported
                and not self._interesting(content)
            ):
                self.note(INFO, ".", f"{path} sets nothing that the script uses; not read any more")
                return
            self.settings_file(path, optional)
            self._open(names, values)
            self.note(
                INFO,
                ".",
                f"{path} holds plain NAME=value lines and is read by EnvironmentFile=; all its variables are passed on",
            )
            return
        self.evaluate_file(path, content, optional, node)

    @staticmethod
    def _interesting(content: str) -> bool:
        return "export " in content

    def settings_file(self, path: str, optional: bool) -> None:
        entry = ("-" if optional else "") + path
        if entry not in self.service.environment_files:
            self.service.environment_files.append(entry)

    def _open(self, names: set[str], values: dict[str, str] | None) -> None:
        """From here on variables may come from a settings file. Without `values` nothing is known about it."""
        if values is None:
            self.open_conf = True
            self.overridable |= {
                name for name, value in self.vars.items() if value is not None and constant(value) is not None
            }
            return
        for name in names:
            before = self.vars.pop(name, None)
            self.overridable.discard(name)
            text = None if before is None else constant(before)
            self.dynamic[name] = text
        self.current.update(values)

    def virtual_environment(self, path: str) -> None:
        root = path[: -len("/bin/activate")]
        self.assign("VIRTUAL_ENV", lit(root))
        self.exported |= {"VIRTUAL_ENV", "PATH"}
        self._export_value("VIRTUAL_ENV", lit(root))
        old = constant(self.get("PATH") or lit(DEFAULT_PATH)) or DEFAULT_PATH
        self.assign("PATH", lit(f"{root}/bin:{old}"))
        self.note(INFO, ".", f"what {path} sets (VIRTUAL_ENV, PATH) is in the unit")

    def evaluate_file(self, path: str, content: str, optional: bool, node: Node) -> None:
        """A settings file that uses shell: its values are fixed, or it goes on being read by a shell."""
        if path in self.reading or len(self.reading) > 8:
            raise NeedShell("it sources itself")
        saved = self._save()
        self.reading.append(path)
        try:
            self._evaluate_file(path, content, optional, node, saved)
        finally:
            self.reading.pop()

    def _evaluate_file(self, path: str, content: str, optional: bool, node: Node, saved: t.Any) -> None:
        outer = (self.script, self.file, self._references, self.sourcing)
        script = parse(content, self._shown(path))
        try:
            if script.errors:
                raise NeedShell("it does not parse")
            self.script, self.file, self.sourcing, self._references = script, script.file, True, None
            before = len(self.steps)
            if self.block(statements(script.root), False) or len(self.steps) != before or self.prefix != saved[24]:
                raise NeedShell("it does more than set variables")
        except (NeedShell, Wrap) as why:
            self.script, self.file, self._references, self.sourcing = outer
            self._restore(saved)
            self.line = line_of(node)
            text = f". {word_text(lit(path))}"
            if optional:
                text = f"[ ! -r {word_text(lit(path))} ] || {text}"
            for name in assigned(script.root):
                self.vars[name] = [Piece("shell", f"${name}")]
                self.overridable.discard(name)
            self.prefix.append(text)
            self.prefix_uses[text] = (None, set(), {"."})
            self.note(
                WARNING,
                ".",
                f"{path} uses shell ({why}), which EnvironmentFile= would misread; a shell goes on reading it",
            )
            self.open_shell = self.open_shell or "." in commands_in(script.root) or "source" in commands_in(script.root)
            return
        self.script, self.file, self._references, self.sourcing = outer
        self.line = line_of(node)
        self.note(
            DECISION,
            ".",
            f"{path} uses shell, which EnvironmentFile= would misread; its values were fixed at translation",
        )

    def _shown(self, path: str) -> str:
        relative = self.definition.relative(path)
        return relative if relative else path

    # -- && and ||, if, loops

    def and_or(self, node: Node, last: bool) -> bool:
        parts, operators = _flatten(node)
        if len(parts) < 2:
            raise NeedShell("a condition")
        # A || exit, A && B || exit
        leave = self.leaves([(parts[-1], False)])
        if leave is not None and len(parts) >= 2:
            self._messages(leave)
            if operators[-1] == "||" and all(one == "&&" for one in operators[:-1]):
                for part in parts[:-1]:
                    self.guard(part, False, leave)
                return False
            if operators[-1] == "&&" and len(parts) == 2:
                self.guard(parts[0], True, leave)
                return False
            if operators[-1] == "&&" and all(one == "||" for one in operators[:-1]):
                for part in parts[:-1]:
                    self.guard(part, True, leave)
                return False
            if operators[-1] == "&&" and all(one == "&&" for one in operators):
                first = self.test_of(parts[0])
                inner = [self.test_of(part) for part in parts[:-1]]
                if first is not None and None not in inner:
                    self.guard_test(("not", ("and", inner)), node, leave)
                    return False
        if leave is not None:
            raise NeedShell("a condition")
        if len(parts) == 2 and operators[0] == "||" and text_of(parts[1]) in ("true", ":", "/bin/true"):
            if self._is_sv(parts[0]):
                self.dispatch(parts[0], False)
                return False
            if parts[0].type in ("command", "redirected_statement"):
                errexit, self.errexit = self.errexit, False
                try:
                    return self.dispatch(parts[0], last)
                finally:
                    self.errexit = errexit
            raise NeedShell("a condition")
        if (
            not last
            and all(one == "&&" for one in operators)
            and all(_name_of(part) in _FILE_COMMANDS for part in parts)
        ):
            for part in parts:
                self.dispatch(part, False)
            return False
        if len(parts) == 2:
            then = [(parts[1], False)]
            if parts[1].type == "compound_statement" and parts[1].children[0].type == "{":
                then = statements(parts[1])
            return self.choice(parts[0], operators[0] == "||", then, None, last, node)
        if last and all(one == "&&" for one in operators):
            return self.chain(parts)
        if all(one == "&&" for one in operators):
            tests = [self.test_of(part) for part in parts[:-1]]
            for count, one in enumerate(tests):
                if one is None:
                    settings = self.sourced_alone([(part, False) for part in parts[count:]]) if count else None
                    break
            else:
                settings = self.sourced_alone([(parts[-1], False)])
            if settings is not None:
                self.read_settings(settings, True, parts[-1])
                return False
            answers = [conditions.decide(test, self.fact) if test else None for test in tests]
            if answers and all(answers):
                return self.dispatch(parts[-1], last)
            # test && mkdir && chown
            behind = [(part, False) for part in parts[1:]]
            if tests[0] is not None and not any(tests[1:]) and self.directory_choice(tests[0], False, behind):
                return False
        if operators[0] == "||" and all(one == "&&" for one in operators[1:]):
            test = self.test_of(parts[0])
            if test is not None and self.directory_choice(test, True, [(part, False) for part in parts[1:]]):
                return False
        raise NeedShell("a condition")

    def chain(self, parts: list[Node]) -> bool:
        """`a && b && exec c` at the end: a failure ends the script."""
        for part in parts[:-1]:
            if self.test_of(part) is not None:
                self.guard(part, False, Exit("1", False, False))
            elif part.type in ("list",):
                raise NeedShell("a condition")
            elif self.dispatch(part, False, True):
                return True
        return self.dispatch(parts[-1], True)

    def choice(
        self,
        condition: Node,
        negate: bool,
        then: list[tuple[Node, bool]],
        other: list[tuple[Node, bool]] | None,
        last: bool,
        node: Node,
    ) -> bool:
        """One condition, one or two branches."""
        test = self.test_of(condition)
        # settings
        if other is None:
            settings = self.sourced_alone(then)
            if settings is not None and not negate and test is not None:
                answer = conditions.decide(test, self.fact)
                if answer is not False or any(path for _operator, path in conditions.paths(test)):
                    self.read_settings(settings, True, then[-1][0])
                else:
                    self.note(INFO, "condition", "it is false at translation; left out")
                return False
        if test is not None:
            answer = conditions.decide(test, self.fact)
            if answer is not None:
                if answer == negate:
                    self.note(INFO, "condition", "it is false for this service; its branch was left out")
                    return self.block(other, last) if other else False
                if other:
                    self.note(INFO, "condition", "it is true for this service; the other branch was left out")
                return self.block(then, last)
            if other is None and self.directory_choice(test, negate, then):
                return False
        if other is None and test is not None and then and all(self._asks_sv(one) for one, _background in then):
            wants, before = list(self.service.wants), len(self.findings)
            for one, _background in then:
                self.dispatch(one, False)
            pulled = [name for name in self.service.wants if name not in wants]
            self.service.wants = wants
            self.findings[before:] = [
                one for one in self.findings[before:] if " is Wants= and After=" not in f" {one.message}"
            ]
            for name in pulled:
                self.note(INFO, "sv check", f"is After={name} without Wants=: it orders the two where both are enabled")
            return False
        if self._is_sv(condition) and not negate:
            if other is None and all(self._is_message(one) for one, _background in then):
                self.dispatch(condition, False)
                return False
            leaves = self.leaves(other) if other else None
            if leaves is not None:
                self.dispatch(_inner(condition), False)
                return self.block(then, last)
        if (
            self._is_sv(condition)
            and negate
            and other is None
            and all(self._is_message(one) or self._is_sv(one) for one, _b in then)
        ):
            self.dispatch(_inner(condition), False)
            for one, _background in then:
                if self._is_sv(one):
                    self.dispatch(one, False)
            return False
        if (
            other is None
            and all(self._is_message(one) for one, _background in then)
            and not self._has_effects(condition)
        ):
            self.note(INFO, "message", "only prints a message; left out")
            return False
        if (
            last
            and other is None
            and not negate
            and test is None
            and condition.type in ("command", "redirected_statement")
        ):
            return self.chain([condition, then[0][0]]) if len(then) == 1 else self._undecided(node)
        if (
            last
            and other is None
            and not negate
            and test is not None
            and len(then) == 1
            and "exec" in commands_in(then[0][0])
        ):
            self.guard_test(test, condition, Exit("1", False, False))
            return self.block(then, True)
        return self._undecided(node)

    def _undecided(self, node: Node) -> bool:
        raise NeedShell("its condition is known only when the service starts")

    def _has_effects(self, node: Node) -> bool:
        return not self.commands(node) <= programs.HARMLESS

    def _is_message(self, node: Node) -> bool:
        if node.type == "redirected_statement" and not self._silent(self._try_redirects(node)):
            return False
        return all(
            name in programs.MESSAGES and name not in self.functions for name in commands_in(node)
        ) and node.type in ("command", "redirected_statement", "list")

    def _try_redirects(self, node: Node) -> list[Redirect]:
        try:
            return self.redirects(node)
        except NeedShell:
            return [Redirect(9, "?", [], [])]

    def _asks_sv(self, node: Node) -> bool:
        """Whether a statement only has another service started or asked for."""
        if node.type == "list":
            parts, _operators = _flatten(node)
            node = parts[0]
            if len(parts) > 2 or not (self.leaves([(parts[1], False)]) or text_of(parts[1]) in ("true", ":")):
                return False
        words = text_of(_inner(node)).split()
        return self._is_sv(node) and any(word in _UP for word in words[1:4])

    @staticmethod
    def _is_sv(node: Node) -> bool:
        node = _inner(node)
        return node.type == "command" and (text_of(node).split(None, 1) or [""])[0].rsplit("/", 1)[-1] == "sv"

    def fact(self, operator: str, path: str) -> bool | None:
        """What is known of a file: only those of the service directory, and what every host has."""
        full = self.absolute(path)
        if full in ("/", "/etc", "/run", "/usr", "/var", "/dev/null", "/proc", "/sys", "/tmp"):
            return operator in ("-e", "-d", "-r", "-x", "-w")
        relative = self.definition.relative(full)
        if relative is None:
            return None
        if self.definition.has(relative) or relative == "":
            return True if operator in ("-e", "-f", "-r", "-d") else None
        return False if self.definition.live and relative.split("/")[0] not in ("supervise",) else None

    def test_of(self, node: Node) -> conditions.Test | None:
        """The test a node makes, where it is nothing but one."""
        if node.type == "redirected_statement":
            if not self._silent(self._try_redirects(node)):
                return None
            node = node.children[0]
        if node.type == "negated_command":
            inner = self.test_of(node.children[-1])
            return None if inner is None else ("not", inner)
        if node.type == "test_command":
            if node.children[0].type == "((":
                return None
            return self._test_of(list(test_words(node)), node.children[0].type == "[[")
        if node.type == "command" and text_of(node.children[0]) in ("test", "/usr/bin/test", "["):
            return self._test_of(node.children[1:], False)
        return None

    def _test_of(self, nodes: list[Node], double: bool) -> conditions.Test | None:
        words: list[Word] = []
        self.asked_unset = False
        for one in nodes:
            if not one.is_named:
                words.append(lit(text_of(one)))
                continue
            word = self.evaluator.value(one)
            text = constant(word)
            if (
                not double
                and text is not None
                and one.type in ("simple_expansion", "expansion", "command_substitution")
            ) and (not text or re.search(r"\s", text)):
                # Unquoted, it is no word or several: `[ -n $X ]` is true without X.
                return None
            words.append(word)
        # What runsv does not set somebody else may, as containers do: such a condition is not decided here.
        return None if self.asked_unset else conditions.read(words)

    def sourced_alone(self, found: list[tuple[Node, bool]]) -> tuple[Word, bool, list[str]] | None:
        """A branch that only reads a settings file: the file, whether all of it is exported, and what is besides."""
        word: Word | None = None
        exports = False
        names: list[str] = []
        for node, background in found:
            if background:
                return None
            text = " ".join(text_of(node).split())
            sourced = self.source_of(node)
            if sourced is not None and word is None:
                word = sourced
            elif text in ("set -a", "set -o allexport") and word is None:
                exports = True
            elif text in ("set +a", "set +o allexport") and word is not None:
                continue
            elif (
                node.type == "declaration_command"
                and re.fullmatch(r"export( [A-Za-z_]\w*)+", text)
                and word is not None
            ):
                names += text.split()[1:]
            else:
                return None
        return None if word is None else (word, exports, names)

    def read_settings(self, found: tuple[Word, bool, list[str]], optional: bool, node: Node) -> None:
        word, exports, names = found
        before = self.allexport
        self.allexport = before or exports
        self.exported |= set(names)
        try:
            self.source(word, optional, node)
        finally:
            self.allexport = before

    def source_of(self, node: Node) -> Word | None:
        """The file a node sources, where it does nothing else."""
        if node.type == "redirected_statement" and self._silent(self._try_redirects(node)):
            node = node.children[0]
        if node.type == "command" and text_of(node.children[0]) in (".", "source") and len(node.children) == 2:
            return self.evaluator.value(node.children[1])
        return None

    def leaves(self, found: list[tuple[Node, bool]] | None) -> Exit | None:
        """What a branch does that only says something and ends the script."""
        if not found:
            return None
        down = messages = False
        for index, (node, background) in enumerate(found):
            if background:
                return None
            final = index == len(found) - 1
            if node.type in ("compound_statement", "subshell"):
                inner = self.leaves(statements(node))
                if inner is None or not final:
                    return None
                return Exit(inner.code, down or inner.down, messages or inner.messages)
            if node.type == "list":
                parts, operators = _flatten(node)
                if set(operators) != {"&&"}:
                    return None
                inner = self.leaves([(part, False) for part in parts])
                if inner is None or not final:
                    return None
                return Exit(inner.code, down or inner.down, messages or inner.messages)
            one = _inner(node)
            if one.type != "command":
                return None
            words = text_of(one).split()
            name = words[0].rsplit("/", 1)[-1]
            if name == "exec" and len(words) > 1 and words[1].rsplit("/", 1)[-1] == "sv":
                words = words[1:]
                name = "sv"
                if final and self._leaving_sv(words):
                    return Exit("0", True, messages)
                return None
            if name in ("exit", "return"):
                if not final:
                    return None
                code = words[1].strip(";") if len(words) > 1 else ""
                return Exit(code, down, messages)
            if name == "sv" and self._leaving_sv(words):
                down = True
            elif name == "sleep":
                self.note_once(INFO, "sleep", "the pause before another attempt is RestartSec= now")
            elif name in programs.MESSAGES and self._is_message(node):
                messages = True
            elif name in ("mv", "rm", "touch") and any(
                "/service/" in word or word.endswith("down") for word in words[1:]
            ):
                down = True
            else:
                return None
        return None

    def _leaving_sv(self, words: list[str]) -> bool:
        """`sv down X` where the script is about to end: X is the service itself, whatever its directory is called here."""
        if self._own_sv(words):
            return True
        if len(words) == 3 and words[1] in ("down", "d", "stop", "exit"):
            self.note_once(
                WARNING, "sv down", f"'{' '.join(words)}' is taken for the service itself, as the script ends there"
            )
            return True
        return False

    def _own_sv(self, words: list[str]) -> bool:
        arguments = [word.strip("\"'") for word in words[1:]]
        while arguments and arguments[0].startswith("-"):
            arguments = arguments[2:] if arguments[0] == "-w" else arguments[1:]
        if len(arguments) < 2 or arguments[0] not in _DOWN | {"once", "o"}:
            return False
        own = (".", "./", self.definition.name, self.definition.path, "$PWD", "${PWD##*/}", "$(dirname")
        return all(
            name.rstrip("/") in own or name.rsplit("/", 1)[-1] == self.definition.name for name in arguments[1:2]
        )

    def _messages(self, leave: Exit) -> None:
        if leave.messages:
            self.note_once(
                INFO, "message", "the message is not printed; systemd logs the condition or command that failed"
            )

    def if_(self, node: Node, last: bool) -> bool:
        tests = condition_of(node)
        then = branch(node)
        other: list[tuple[Node, bool]] | None = None
        for child in node.children:
            if child.type == "elif_clause":
                return self._elif(node, last)
            if child.type == "else_clause":
                other = statements(child)
        if len(tests) != 1:
            raise NeedShell("a condition of several commands")
        condition = tests[0]
        leave = self.leaves(then)
        if leave is not None and (other is None or not self.leaves(other)):
            self._messages(leave)
            self.guard(condition, True, leave)
            return self.block(other, last) if other else False
        if other is not None:
            leave = self.leaves(other)
            if leave is not None:
                self._messages(leave)
                self.guard(condition, False, leave)
                return self.block(then, last)
        return self.choice(condition, False, then, other, last, node)

    def _elif(self, node: Node, last: bool) -> bool:
        """A ladder of conditions: decided by the first that is true, where all before are known to be false."""
        ladder: list[tuple[Node | None, list[tuple[Node, bool]]]] = []
        first = condition_of(node)
        if len(first) != 1:
            raise NeedShell("a condition of several commands")
        ladder.append((first[0], branch(node)))
        for child in node.children:
            if child.type == "elif_clause":
                found = condition_of(child)
                if len(found) != 1:
                    raise NeedShell("a condition of several commands")
                ladder.append((found[0], branch(child)))
            elif child.type == "else_clause":
                ladder.append((None, statements(child)))
        for condition, body in ladder:
            if condition is None:
                return self.block(body, last)
            test = self.test_of(condition)
            answer = None if test is None else conditions.decide(test, self.fact)
            if answer is None:
                raise NeedShell("its conditions are known only when the service starts")
            if answer:
                self.note(INFO, "condition", "it is decided for this service; the other branches were left out")
                return self.block(body, last)
        return False

    def while_(self, node: Node, last: bool) -> bool:
        tests = condition_of(node)
        word = text_of(node.children[0])
        if len(tests) == 1 and not last:
            condition = tests[0]
            negated = word == "until"
            inner = condition
            if inner.type == "redirected_statement":
                inner = inner.children[0]
            if inner.type == "negated_command":
                negated = not negated
                inner = inner.children[-1]
            if self._is_sv(inner) and negated:
                self.dispatch(_inner(inner), False)
                self.note(INFO, "loop", "it waited for another service; After= does")
                return False
        raise NeedShell("a loop")

    def case(self, node: Node, last: bool) -> bool:
        value = next(child for child in node.children[1:] if child.is_named)
        text = constant(self.evaluator.value(value))
        if text is None:
            raise NeedShell("a case that is decided when the service starts")
        from fnmatch import fnmatchcase

        for item in node.children:
            if item.type != "case_item":
                continue
            patterns: list[str] = []
            body: list[tuple[Node, bool]] = []
            seen = False
            for child in item.children:
                if child.type == ")":
                    seen = True
                elif not seen and child.is_named:
                    patterns.append(text_of(child).strip("\"'"))
                elif seen and child.is_named and child.type != "comment":
                    body.append((child, False))
                elif child.type in (";&", ";;&", "&"):
                    raise NeedShell("a case that falls through")
            if any("$" in pattern for pattern in patterns):
                raise NeedShell("a case with variable patterns")
            if any(fnmatchcase(text, pattern) for pattern in patterns):
                self.note(INFO, "case", f"decided for this service by '{text}'; the other branches were left out")
                return self.block(body, last)
        self.note(INFO, "case", f"no branch is for '{text}'; left out")
        return False

    def for_(self, node: Node, last: bool) -> bool:
        """A loop over constants is unrolled, where its body is simple commands."""
        name = ""
        values: list[Node] = []
        body = None
        for child in node.children:
            if child.type == "variable_name":
                name = text_of(child)
            elif child.type == "do_group":
                body = child
            elif child.is_named and child.type != "comment" and name:
                values.append(child)
        if last or body is None or not name or node.children[0].type != "for":
            raise NeedShell("a loop")
        words = self.evaluator.words(values)
        texts = [constant(word) for word in words]
        found = statements(body)
        if (
            None in texts
            or not 0 < len(texts) <= 8
            or any(one.type not in ("command", "list") or bg for one, bg in found)
        ):
            raise NeedShell("a loop")
        if commands_in(node) & {"break", "continue"}:
            raise NeedShell("a loop")
        before = len(self.prefix)
        for text in texts:
            self.vars[name] = lit(str(text))
            for one, _background in found:
                if self.dispatch(one, False):
                    raise NeedShell("a loop")
        if len(self.prefix) != before:
            raise NeedShell("a loop")
        return False

    # -- guards

    def guard(self, node: Node, negate: bool, leave: Exit) -> None:
        """The service runs only where a command succeeds (`negate`: fails)."""
        self.line = line_of(node)
        silent = node.type == "redirected_statement" and self._silent(self._try_redirects(node))
        if silent and node.children[0].type in ("test_command", "list", "negated_command", "pipeline"):
            node = node.children[0]
        if node.type == "negated_command":
            self.guard(node.children[-1], not negate, leave)
            return
        if node.type == "list":
            parts, operators = _flatten(node)
            wanted = "||" if negate else "&&"
            if all(one == wanted for one in operators):
                for part in parts:
                    self.guard(part, negate, leave)
                return
        test = self.test_of(node)
        if test is not None:
            self.guard_test(("not", test) if negate else test, node, leave)
            return
        one = _inner(node)
        if one.type == "command":
            name = text_of(one.children[0]).rsplit("/", 1)[-1]
            if name == "sv":
                if negate:
                    raise NeedShell("sv")
                self.dispatch(one, False)
                return
            sourced = self.source_of(node)
            if sourced is not None and not negate:
                self.source(sourced, False, node)
                return
            if not negate and name in ("cd", "export", "umask", "ulimit", "mkdir", "install", "chown", "chmod", "set"):
                if self.dispatch(node, False, True):
                    raise NeedShell("a condition")
                return
            if name in ("command", "which", "type", "hash") and not negate:
                plain = self._plain_words(node) or []
                sought = [text for text in plain[1:] if not text.startswith("-")]
                path = programs.path_of(sought[0], self.definition.commands) if len(sought) == 1 else ""
                if path.startswith("/"):
                    self.service.conditions.append(("ConditionFileIsExecutable", path))
                    self._guard_note(node)
                    return
                if path:
                    self.service.exec_condition.append(Command(line=f"command -v {word_text(lit(path))} >/dev/null"))
                    self._guard_note(node)
                    return
        elif node.type == "variable_assignment" and not negate:
            self.assignment(node)
            return
        names = self.commands(node)
        if "sv" in names or names & _STATEFUL or self.sets(node) & self.later(node):
            raise NeedShell("a condition")
        final = leave.down or leave.code in self.no_retry
        if one.type == "command" and not negate:
            try:
                redirects = self._try_redirects(node) if node.type == "redirected_statement" else []
                words = self.evaluator.words(child for child in one.children)
                handler = _BUILTINS.get(constant(words[0]) or "")
                if handler is None and not any(child.type == "variable_assignment" for child in one.children):
                    count = len(self.steps)
                    self.step(words, redirects, True)
                    if len(self.steps) == count:
                        return
                    if final:
                        step = self.steps.pop()
                        if step.run is not None:
                            self.service.exec_condition.append(step.run)
                        self._guard_note(node)
                    else:
                        self.note(
                            INFO,
                            "guard",
                            "runs before the command; where it fails, systemd tries again after RestartSec=, as runit did",
                        )
                    return
            except NeedShell:
                pass
        self.guard_shell(node, negate, final)

    def guard_shell(self, node: Node, negate: bool, final: bool) -> None:
        """A guard that only a shell can ask."""
        if self.cwd_unknown or any(self.may_be_function(name) for name in self.commands(node)):
            raise NeedShell("it depends on what the shell has read or where it is")
        printer, text = self.printed(node)
        names = self.commands(node)
        text = printer.prefix() + (
            f"! {text}" if negate and node.type != "list" else f"! {{ {text}; }}" if negate else text
        )
        if printer.shell_names:
            before = self.live_prefix(text)
            called: set[str] = set()
            for one in before:
                called |= self.prefix_uses.get(one, (None, set(), {"?"}))[2]
            if not called <= programs.HARMLESS:
                raise NeedShell("a condition")
            text = "; ".join([*before, text])
        if final:
            self.service.exec_condition.append(Command(line=text))
            self._guard_note(node)
        else:
            self._takes_time(names)
            self.steps.append(Step.command(Command(line=text), self.line))
            self.note(
                INFO,
                "guard",
                "runs before the command; where it fails, systemd tries again after RestartSec=, as runit did",
            )

    def _guard_note(self, node: Node) -> None:
        self.note(
            INFO,
            "guard",
            "asked once at each start: where it does not hold, systemd skips the service instead of trying again",
        )

    def guard_test(self, test: conditions.Test, node: Node, leave: Exit) -> None:
        answer = conditions.decide(test, self.fact)
        if answer is True:
            self.note(INFO, "guard", "it always holds for this service; left out")
            return
        final = leave.down or leave.code in self.no_retry
        found = conditions.as_conditions(test, volatile=final)
        if found is not None:
            for pair in found:
                if pair not in self.service.conditions:
                    self.service.conditions.append(pair)
            self._guard_note(node)
            return
        text = _test_text(test)
        if text is None:
            negate = test[0] == "not" and self.test_of(node) is not None and test[1] == self.test_of(node)
            if test != self.test_of(node) and not negate:
                raise NeedShell("a condition")
            self.guard_shell(node, negate, final)
            return
        self.note(
            INFO,
            "guard",
            "asked before each start"
            if final or not _asks_files(test)
            else "asked before each start; where it does not hold, systemd tries again after RestartSec=, as runit did",
        )
        if final or not _asks_files(test):
            self.service.exec_condition.append(Command(line=text))
        elif test[0] == "unary":
            self.steps.append(Step.command(Command([lit("/usr/bin/test"), lit(test[1]), test[2]]), self.line))
        else:
            self.steps.append(Step.command(Command(line=text), self.line))

    def directory_choice(self, test: conditions.Test, negate: bool, then: list[tuple[Node, bool]]) -> bool:
        """`[ -d X ] || mkdir X` and its kin: the same as making X, where nothing but X is made."""
        inverted = False
        while test[0] == "not":
            inverted = not inverted
            test = test[1]
        if test[0] != "unary" or test[1] not in ("-d", "-e") or negate == inverted:
            return False
        path = constant(test[2])
        if path is None:
            return False
        path = self.absolute(path)
        saved = self._save()
        before = len(self.steps)
        try:
            for node, background in then:
                one = node
                if background or one.type not in ("command", "redirected_statement", "list"):
                    raise NeedShell("not only directories")
                pieces = _flatten(one)[0] if one.type == "list" else [one]
                for piece in pieces:
                    if not {name.rsplit("/", 1)[-1] for name in commands_in(piece)} <= _FILE_COMMANDS:
                        raise NeedShell("not only directories")
                    self.dispatch(piece, False)
            made = self.steps[before:]
            if any(step.path is None for step in made) or not any(step.kind == "make" for step in made):
                raise NeedShell("not only directories")
            for step in made:
                where = step.path or ""
                if where != path and not where.startswith(path + "/") and not path.startswith(where + "/"):
                    raise NeedShell("not only this directory")
        except NeedShell:
            self._restore(saved)
            return False
        for step in made:
            step.guarded = True
            if step.argv[0].endswith("mkdir") and not any(re.match(r"-\w*p", word) for word in step.argv[1:]):
                step.argv[1:1] = ["-p"]
        return True

    # -- builtins

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

    def sv(self, arguments: list[str], last: bool) -> None:
        while arguments and arguments[0].startswith("-"):
            arguments = arguments[2:] if arguments[0] == "-w" else arguments[1:]
        if not arguments:
            return
        verb, names = arguments[0], arguments[1:]
        for name in names:
            full = self.absolute(name) if "/" in name or name == "." else name
            base = full.rstrip("/").rsplit("/", 1)[-1]
            own = full == self.definition.path or base == self.definition.name
            if base == "log" and "/" in full:
                self.note(INFO, f"sv {verb}", "the log service is journald's work now")
            elif own and verb in _DOWN | {"once", "o"}:
                self.down_self = True
            elif own:
                self.note(INFO, f"sv {verb}", "asks for the service itself; left out")
            elif verb in _UP:
                unit = unit_of(base)
                for where in (self.service.wants, self.service.after):
                    if unit not in where:
                        where.append(unit)
                self.note(INFO, f"sv {verb}", f"is Wants= and After={unit}: started before this service")
            elif verb in _DOWN:
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

    def b_mkdir(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        return self._files(words, redirects, last, checked, "make")

    def b_chown(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        return self._files(words, redirects, last, checked, "own")

    def b_chmod(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, node: Node) -> bool:
        return self._files(words, redirects, last, checked, "mode")

    def _files(self, words: list[Word], redirects: list[Redirect], last: bool, checked: bool, kind: str) -> bool:
        if last:
            raise NeedShell("a script that ends with it")
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


# An argument that looks like a file in the working directory.
_RELATIVE_FILE = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_./-]*\.(conf|cnf|cfg|cdb|mjs|cjs|exs|txt|sqlite3?|sock|socket|pid|env|hcl|dat|sql|ini|ya?ml|json|toml|sh|py|pl|rb|"
    r"ru|jar|war|js|ts|pem|key|crt|db|xml|properties|lua|php|rules|list|log)\Z"
)


def relative_file(word: str) -> bool:
    """Whether an argument looks like a file in the working directory."""
    return _RELATIVE_FILE.match(word) is not None


def is_relative(text: str) -> bool:
    """Whether shell text names files by relative paths."""
    if re.search(r"(^|[\s=:'\"])\.{1,2}/", text) or re.search(r"(?<![<>&$])[<>]\s*[A-Za-z0-9_.]", text):
        return True
    if any(relative_file(word) for word in re.split(r"[\s;|&<>()'\"=]+", text)):
        return True
    for part in re.split(r"[;|&(){}\n]+|\b(?:then|do|else)\b", text):
        words = [word for word in part.split() if not re.match(r"\d*[<>]", word)]
        if words and not re.search(r"[$`'\"]", part) and names_relative(Command.of(*words)):
            return True
    return False


def names_relative(command: Command) -> bool:
    """Whether a command whose arguments are files has one that is relative."""
    words = [constant(word) for word in command.argv]
    if not words or (words[0] or "").rsplit("/", 1)[-1] not in programs.OF_FILES:
        return False
    rest = [word for word in words[1:] if word and not word.startswith("-")]
    if (words[0] or "").rsplit("/", 1)[-1] in ("chown", "chgrp", "chmod", "sed", "grep"):
        rest = rest[1:]
    return any(not word.startswith("/") for word in rest)


def _is_utf8(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def is_program(text: str) -> bool:
    """Whether systemd takes this for the program of a command line."""
    if text.startswith("/"):
        return (
            not text.endswith("/")
            and normal(text) not in programs.DIRECTORIES
            and not re.search("[\"'\\\\\x00-\x1f\x7f]", text)
        )
    return re.match(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z", text) is not None


def _is_logger(words: list[Word]) -> bool:
    return _logger_of(words) is not None


def _base(words: list[Word]) -> str:
    return (constant(words[0]) or "").rsplit("/", 1)[-1]


def _logger_of(words: list[Word]) -> list[Word] | None:
    """The logging command in these words, behind wrappers; None where it does more than log."""
    rest = list(words)
    if rest and _base(rest) in ("chpst", "setuidgid", "s6-setuidgid", "exec"):
        for index in range(1, len(rest)):
            if (constant(rest[index]) or "").rsplit("/", 1)[-1] in programs.LOGGERS:
                rest = rest[index:]
                break
    if not rest or _base(rest) not in programs.LOGGERS:
        return None
    if any(piece.kind == "shell" for word in rest for piece in word):
        return None
    if _base(rest) == "cat" and len(rest) > 1:
        return None
    return rest


def _inner(node: Node) -> Node:
    """The command in redirections; of `sv status X | grep run`, sv."""
    if node.type == "redirected_statement":
        node = node.children[0]
    if node.type == "pipeline":
        parts = [child for child in node.children if child.is_named]
        names = [(text_of(part).split() or [""])[0].rsplit("/", 1)[-1] for part in parts]
        if names[:1] == ["sv"] and set(names[1:]) <= {"grep", "egrep"}:
            return _inner(parts[0])
    return node


def _name_of(node: Node) -> str:
    """The name a plain command is called by."""
    if node.type != "command" or not node.children:
        return ""
    return text_of(node.children[0]).rsplit("/", 1)[-1]


def _flatten(node: Node) -> tuple[list[Node], list[str]]:
    """The commands and operators of an and-or list, in order."""
    if node.type != "list":
        return [node], []
    named = [child for child in node.children if child.is_named and child.type != "comment"]
    operators = [text_of(child) for child in node.children if not child.is_named and child.type in ("&&", "||")]
    if len(named) != 2 or len(operators) != 1:
        raise NeedShell("a list")
    left, between = _flatten(named[0])
    right, after = _flatten(named[1])
    return left + right, between + operators + after


def _construct(node: Node) -> str:
    if node.type == "command":
        return text_of(node.children[0])
    return {
        "list": "&&",
        "if_statement": "if",
        "while_statement": "while",
        "for_statement": "for",
        "case_statement": "case",
    }.get(node.type, node.type.replace("_", " "))


def _failing_exits(text: str) -> str:
    """A step that ends with success lets the service start; where the script ended, it must not."""
    return re.sub(r"(?<![\w$-])exit(?:\s+0)?(?=\s*(?:;|\}|\)|$|&|\|))", "exit 1", text)


def _asks_files(test: conditions.Test) -> bool:
    return bool(conditions.paths(test))


def _test_text(test: conditions.Test) -> str | None:
    kind = test[0]
    if kind in ("and", "or"):
        parts = [_test_text(part) for part in test[1]]
        if None in parts:
            return None
        return "{ " + (" && " if kind == "and" else " || ").join(str(part) for part in parts) + "; }"
    if kind == "not":
        inner = _test_text(test[1])
        return None if inner is None else f"! {inner}"
    words = [lit(test[1]), test[2]] if kind == "unary" else [test[1], lit(test[2]), test[3]]
    out = []
    for word in words:
        if any(piece.kind == "shell" for piece in word):
            return None
        out.append(word_text([piece._replace(split=False) for piece in word]))
    return f"[ {' '.join(out)} ]"


def unit_of(name: str) -> str:
    """The unit that a service of the old supervisor becomes."""
    from ansible_collections.pidone.systemd.plugins.plugin_utils._translate.render import unit_name

    return unit_name(name) + ".service"


_BUILTINS: dict[str, t.Callable[..., bool]] = {
    "cd": Interpreter.b_cd,
    "umask": Interpreter.b_umask,
    "ulimit": Interpreter.b_ulimit,
    "set": Interpreter.b_set,
    ".": Interpreter.b_source,
    "source": Interpreter.b_source,
    ":": Interpreter.b_message,
    "echo": Interpreter.b_message,
    "printf": Interpreter.b_message,
    "true": Interpreter.b_nothing,
    "hash": Interpreter.b_nothing,
    "exit": Interpreter.b_exit,
    "return": Interpreter.b_exit,
    "export": Interpreter.b_export,
    "eval": Interpreter.b_shell,
    "trap": Interpreter.b_shell,
    "read": Interpreter.b_shell,
    "wait": Interpreter.b_shell,
    "shift": Interpreter.b_shell,
    "alias": Interpreter.b_shell,
    "shopt": Interpreter.b_shell,
    "pushd": Interpreter.b_shell,
    "getopts": Interpreter.b_shell,
    "let": Interpreter.b_shell,
    "test": Interpreter.b_test,
    "[": Interpreter.b_test,
    "sv": Interpreter.b_sv,
    "mkdir": Interpreter.b_mkdir,
    "install": Interpreter.b_mkdir,
    "chown": Interpreter.b_chown,
    "chgrp": Interpreter.b_chown,
    "chmod": Interpreter.b_chmod,
}

__all__ = ["Interpreter", "NeedShell", "Wrap", "arrange", "unit_of"]
