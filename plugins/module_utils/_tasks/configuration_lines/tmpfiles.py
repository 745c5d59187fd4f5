# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `tmpfiles` module's task: a file of tmpfiles.d(5), what its lines describe, and what becomes of it."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan, Step
from ansible_collections.pidone.systemd.plugins.module_utils._engine.node_was import Node, look_for, real_path
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, short
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.reading import Unreadable
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import UnsafeWay
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import (
    Specifiers,
    lines_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.kept import Head, Kept, heads_of
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.place import ConfigurationFile
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.record import Record
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.steps import (
    Apply,
    RemoveMade,
    RemoveTrees,
    Sweep,
    why_not_removable,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles_line import (
    AGED,
    DIRECTORIES,
    GLOBS,
    MAKING,
    Line,
    lines_of_options,
    read_line,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles_look import (
    Differing,
    Ids,
    Look,
    Untold,
    notes_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tool import Tool, account_files

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session

# Paths that a result or a warning tells.
_TOLD = 200


def converge(module: Module) -> dict[str, t.Any]:
    """Bring a file of tmpfiles.d, and what it describes, to what the module's options ask for; returns the module's result."""
    params = module.params
    absent = params["state"] == "absent"
    lines = lines_of_options(params["lines"] or [])
    _check_options(params, absent)
    opened = open_session(params, may_be_down=True, may_be_gone=absent, module=module)
    file = ConfigurationFile(module, opened, "tmpfiles")
    with opened as session:
        task = _Task(module, session, file, lines, absent)
        try:
            plan, _ctx, changed = bring_about(module, session, task.plan, params["rollback"])
        except SystemdError as e:
            e.data.setdefault("path", file.path)
            raise
    result: dict[str, t.Any] = {"changed": changed, "path": file.path, "written": file.written, "warnings": plan.warnings}
    result["untold"] = task.untold[:_TOLD]
    result["removed"] = task.removed(plan, module.check_mode)[:_TOLD]
    for step in plan.steps:
        if getattr(step, "backup_file", ""):
            result["backup_file"] = step.backup_file  # type: ignore[attr-defined]
    return {**result, **plan.report(module._diff)}


def _check_options(params: t.Mapping[str, t.Any], absent: bool) -> None:
    """Refuse options that say nothing together.

    :raises BadInput: they do.
    """
    for option in ("apply", "clean", "remove"):
        if absent and params[option]:
            raise BadInput(f"{option}: `state: absent` leaves no lines to do that with; leave `{option}` out")
    if not absent and not params["lines"]:
        raise BadInput("lines: is empty, and a file without lines says nothing; give lines, or set `state: absent`")


class _Task:
    """One file, and the way to a plan."""

    def __init__(
        self, module: Module, session: Session, file: ConfigurationFile, lines: t.Sequence[Line], absent: bool
    ) -> None:
        self._module, self._file, self._lines, self._absent = module, file, list(lines), absent
        self._params = module.params
        self._tree, self._root = file.tree, file.root
        user = session.scope == "user"
        self._tool = Tool("systemd-tmpfiles", user, self._root)
        self._specifiers = _specifiers_of(session, file)
        self._session = session
        self._others: list[Head] | None = None
        # Directories that are made, and that are there no longer when all is done; in a tree without its root.
        self._made: list[str] = []
        self._gone: list[str] = []
        self.untold: list[str] = []

    def plan(self) -> Plan:
        """What is to be done."""
        plan = Plan()
        self._others = None
        self._made, self._gone = [], []
        self._record = Record.of(self._session, self._file)
        self._file.written, self.untold = False, []
        text = self._file.read()
        old = [read_line(line) for line in lines_of(text or "")]
        known = [line for line in old if line is not None]
        if self._absent:
            if text is not None:
                steps, plan.file_diffs = self._file.steps(None)
                plan.steps += steps
        elif [line and line.meaning for line in old] != [line.meaning for line in self._lines] or text is None:
            self._write(plan)
        if self._params["apply"]:
            self._apply(plan)
        elif self._file.written and not self._absent:
            # Who is not there is told of, though nothing is made yet.
            ids = Ids(self._tree, True)
            self._look(ids, [])
            plan.warnings += [f"{who} is not there (yet), whom a line names" for who in dict.fromkeys(ids.missing)]
        if self._params["purge"] != "nothing":
            self._purge(plan, known)
        for option, verb in (("remove", "--remove"), ("clean", "--clean")):
            if self._params[option]:
                self._sweep(plan, option, verb)
        self._gone += self._long_gone()
        self._record.keep(plan, {"directories": self._made}, {"directories": self._gone})
        return plan

    def _long_gone(self) -> list[str]:
        """Directories of the record that are there no longer, or go with others, and that no line of the file makes again at boot."""
        missing = [path for path in self._record.names("directories") if not self._is_directory(path)]
        if missing and not self._absent:
            own = Kept(self._tree, self._specifiers)
            for line in self._lines:
                own.add(line.type, line.path)
            missing = [path for path in missing if f"{self._root}{path}" not in own]
        return [*missing, *(path for path in self._record.names("directories") if path.startswith(tuple(f"{each}/" for each in self._gone)))]

    def _is_directory(self, path: str) -> bool:
        try:
            node = look_for(f"{self._root}{path}", self._root)
        except Unreadable:
            # Whoever has a say there may make it another again.
            return True
        return node is not None and node.kind == "directory"

    def removed(self, plan: Plan, check_mode: bool) -> list[str]:
        """What was removed by `clean`, `remove` and `purge`, or in check mode would be."""
        found: list[str] = []
        for step in plan.steps:
            if isinstance(step, Sweep):
                found += step.names if check_mode else step.removed
            elif isinstance(step, (RemoveMade, RemoveTrees)):
                found += step.names
        return found

    # -- the file

    def _write(self, plan: Plan) -> None:
        # Whether users are there is told apart, and does not matter to whether a line is one.
        warned = self._tool.verify([line.text(accounts=False) for line in self._lines], account_files(self._tree))
        steps, plan.file_diffs = self._file.steps(self._file.text([line.text() for line in self._lines]))
        plan.steps += steps
        plan.warnings += warned
        theirs = {head.path: head.file for head in self._heads()}
        for index, line in enumerate(self._lines):
            if line.path in theirs and line.letter in MAKING | AGED:
                plan.warnings.append(
                    f"lines[{index}].path: {theirs[line.path]} has a line for {line.path} as well; of two that make it, the one in the "
                    "file whose name comes first holds at the next boot"
                )

    def _heads(self) -> list[Head]:
        """The lines of other files that hold."""
        if self._others is None:
            self._others = heads_of(self._file.others())
        return self._others

    # -- what it describes

    def _look(self, ids: Ids, untold: list[Line]) -> list[Differing]:
        look = Look(self._tree, self._specifiers, ids)
        for index, line in sorted(enumerate(self._lines), key=lambda each: each[1].letter in GLOBS):
            try:
                look.add(index, line)
            except Untold:
                untold.append(line)
            except Unreadable as e:
                if self._params["apply"]:
                    raise SystemdError(f"lines[{index}].path: {e.msg}") from e
        return look.differing()

    def _apply(self, plan: Plan) -> None:
        ids = Ids(self._tree, self._module.check_mode)
        untold: list[Line] = []
        found = self._look(ids, untold)
        plan.warnings += [
            f"not there yet, and taken for made by an earlier task: {who}" for who in dict.fromkeys(ids.missing)
        ]
        self.untold = [f"{line.type} {line.path}" for line in untold]
        numbers = dict.fromkeys(each.line for each in found)
        chosen = [line for index, line in enumerate(self._lines) if index in numbers]
        if self._file.written:
            # Once for each change of the file: whether they are right cannot be seen.
            chosen = [line for line in self._lines if line in chosen or line in untold]
        if not chosen:
            return

        def left() -> list[str]:
            now = self._look(Ids(self._tree, False), [])
            mine = {each.path for each in found if "-" not in self._lines[each.line].modifiers}
            kernel = ("/proc/", "/sys/")
            return [each.path for each in now if each.path in mine and not each.path.startswith(kernel)]

        names = list(dict.fromkeys([*(each.path for each in found), *(line.path for line in chosen if line in untold)]))
        lines = [self._given(line).text() for line in chosen]
        plan.steps.append(Apply(self._tool, ["--create"], lines, names, notes_of(found, self._root), left))
        plan.changes += [Change(each.path, *each.told()) for each in {each.path: each for each in found}.values()]
        self._made = [
            each.path[len(self._root) :]
            for each in found
            if self._lines[each.line].letter in DIRECTORIES and (each.before is None or each.before.kind != "directory")
        ]
        if self._file.written:
            plan.changes += [Change(f"{line.type} {line.path}", "cannot be told", "applied") for line in untold]

    def _given(self, line: Line) -> Line:
        """A line as the tool is given it to apply."""
        argument = line.argument if set("~^") & set(line.modifiers) else self._specifiers.fixed(line.argument)
        return line._replace(path=self._specifiers.fixed(line.path), argument=argument)

    # -- what goes

    def _purge(self, plan: Plan, known: t.Sequence[Line]) -> None:
        """Remove what lines have made that are in the file no longer."""
        mine = [] if self._absent else self._lines
        gone = [line for line in (*known, *(self._lines if self._absent else ())) if line.letter in MAKING]
        kept = {line.path for line in mine}
        gone = list({line.path: line for line in gone if line.path not in kept}.values())
        if not gone:
            return
        own, theirs = (Kept(self._tree, self._specifiers) for _each in range(2))
        for line in mine:
            own.add(line.type, line.path, self._file.path)
        # What a package's file has made that this one hides is the package's, too.
        for head in heads_of(self._file.others(hidden=True)):
            theirs.add(*head)
        look = Look(self._tree, self._specifiers, Ids(self._tree, True))
        found: dict[str, tuple[Line, Node]] = {}
        left: list[str] = []
        for line in gone:
            try:
                (path,) = look.paths(line, "purge")
                node = look_for(path, self._root, content=True)
            except Untold:
                left.append(f"{line.path}, whose specifiers only systemd knows")
                continue
            except UnsafeWay as e:
                left.append(f"{line.path}, {e.why}")
                continue
            except Unreadable as e:
                left.append(f"{line.path}, which cannot be looked at ({e.msg})")
                continue
            # What is in the file still may be spelled in another way.
            if node is None or path in own:
                continue
            why = own.why(path) or theirs.why(path)
            if why:
                left.append(f"{path}, {why}")
            else:
                found[path] = (line, node)
        self._plan_removal(plan, found, left)
        if left:
            plan.warnings.append(f"purge: not removed: {'; '.join(left[:10])}")

    def _plan_removal(self, plan: Plan, found: t.Mapping[str, tuple[Line, Node]], left: list[str]) -> None:
        unused: dict[str, Node] = {}
        trees: list[str] = []
        # What is in a directory goes first.
        for path in sorted(found, key=lambda each: (-each.count("/"), each)):
            line, node = found[path]
            why = _why_used(line, node, self._specifiers)
            if node.kind == "directory" and not why:
                rest = sorted(name for name in self._tree.names(path) if f"{path}/{name}" not in unused)
                if not rest:
                    why = why_not_removable(path, self._root)
                elif self._params["purge"] != "everything":
                    why = f"which holds {short(rest)}"
                else:
                    why = self._why_not_whole(path, rest)
                    if not why:
                        trees.append(path)
                        continue
            if why:
                left.append(f"{path}, {why}")
            else:
                unused[path] = node
        steps: list[Step] = [RemoveMade(unused)] if unused else []
        steps += [RemoveTrees(trees)] if trees else []
        # Before the file forgets what it has made: who is cut short in between finds it there again.
        plan.steps[:0] = steps
        plan.changes += [Change(path, found[path][1].told(), "removed") for path in (*unused, *trees)]
        self._gone += [path[len(self._root) :] for path in (*unused, *trees)]

    def _why_not_whole(self, path: str, rest: t.Sequence[str]) -> str:
        """Why a directory does not go with all that is in it; empty where it does."""
        inside = path[len(self._root) :]
        if inside.count("/") < 2:
            return "which is at the top of the file system"
        if ("directories", inside) not in self._record:
            return f"which holds {short(rest)}, and of which no record says that a task has made it"
        try:
            # Nor may somebody have moved there what is another's.
            real_path(f"{path}/{rest[0]}", self._root)
        except UnsafeWay as e:
            return e.why
        return why_not_removable(path, self._root)

    def _sweep(self, plan: Plan, option: str, verb: str) -> None:
        """Have removed what is too old, or what lines say goes."""
        from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles_aged import (
            Aged,
            keeping_lines,
        )

        kept = Kept(self._tree, self._specifiers)
        for head in (*self._heads(), *(Head(line.type, line.path, self._file.path) for line in self._lines)):
            kept.add(*head)
        aged = Aged(kept)
        look = Look(self._tree, self._specifiers, Ids(self._tree, True))
        found: list[str] = []
        given: list[Line] = []
        for index, line in enumerate(self._lines):
            # By its real path, as what is kept is looked for by its name.
            given.append(line._replace(path=kept.real(line.type, line.path)))
            if line.boot_only:
                continue
            try:
                paths = look.paths(line, f"lines[{index}].path")
            except Unreadable as e:
                given.pop()
                plan.warnings.append(f"{option}: {e.msg}")
                continue
            except Untold:
                self.untold.append(f"{line.type} {line.path}")
                continue
            if option == "clean":
                aged.look(line, paths)
            elif line.letter in "rR":
                found += paths
            elif line.letter == "D":
                found += [f"{path}/{name}" for path in paths for name in sorted(self._tree.names(path))]
        found += aged.found
        if not aged.is_whole:
            plan.warnings.append("clean: there is more than can be looked at here; systemd-tmpfiles cleans all of it")
        if not found:
            return
        # Owners and modes are nothing to it, and who is not there would keep it from its work.
        lines = [self._given(line).text(accounts=False) for line in given]
        if option == "clean":
            lines += keeping_lines(self._heads(), given, kept)
        plan.steps.append(Sweep(self._tool, verb, lines, found))
        plan.changes += [Change(path, "there", "removed") for path in found[:_TOLD]]


def _specifiers_of(session: Session, file: ConfigurationFile) -> Specifiers:
    if session.scope != "user":
        return Specifiers(file.tree)
    from ansible_collections.pidone.systemd.plugins.module_utils._systemd.accounts import find_account

    account = session.account
    if account is None and not session.gone:
        account = find_account(session.user)
    if account is None:
        return Specifiers(file.tree, session.user or "", session.home, session.uid)
    return Specifiers(file.tree, account.name, account.home, account.uid, account.gid)


def _why_used(line: Line, node: Node, specifiers: Specifiers) -> str:
    """Why something is not what a line has made; empty where it is."""
    kinds = {"f": "file", "p": "pipe", "L": "link", "c": "character device", "b": "block device"}
    kind = "directory" if line.letter in DIRECTORIES else kinds[line.letter]
    if node.kind != kind:
        return f"which is a {node.kind} by now"
    if kind == "link":
        target = specifiers.expand(line.argument or f"/usr/share/factory{line.path}")
        return "" if node.target == target else f"which leads to {node.target} by now"
    if kind == "file":
        content = line.content()
        text = specifiers.expand(line.argument) if content is not None and "~" not in line.modifiers else None
        made = content if "~" in line.modifiers else None if text is None else text.encode("utf-8", "surrogateescape")
        return "" if made is not None and node.content == made else "which holds something else by now"
    return ""
