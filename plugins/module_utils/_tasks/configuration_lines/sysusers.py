# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `sysusers` module's task: a file of sysusers.d(5), and the users and groups that it describes."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.accounts_were import (
    Accounts,
    AccountsWere,
    process_of,
    read_accounts,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.accounts_were import (
    lines_of as account_lines,
)
from ansible_collections.pidone.systemd.plugins.module_utils._engine.bring_about import bring_about
from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Change, Plan
from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import open_session
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.fields import (
    Specifiers,
    lines_of,
    split_line,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.place import ConfigurationFile
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.record import Made, Record
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.steps import (
    Apply,
    RemoveAccounts,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.sysusers_line import (
    Line,
    lines_of_options,
    read_line,
)
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tool import Tool, account_files

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session

# What systemd-sysusers writes for the password of whom it makes.
_OURS = "!*"
_NOT_MADE = "of which no record says that a task has made it"


class Wanted(t.NamedTuple):
    """Who shall be there: names of users and groups, and (user, group) of members."""

    users: list[str]
    groups: list[str]
    members: list[tuple[str, str]]

    def by_kind(self) -> Made:
        """The same for a record."""
        return {"users": self.users, "groups": self.groups, "members": [f"{user}:{group}" for user, group in self.members]}


def converge(module: Module) -> dict[str, t.Any]:
    """Bring a file of sysusers.d, and whom it describes, to what the module's options ask for; returns the module's result."""
    params = module.params
    absent = params["state"] == "absent"
    lines = lines_of_options(params["lines"] or [])
    if absent and params["apply"]:
        raise BadInput("apply: `state: absent` leaves no lines to do that with; leave `apply` out")
    if not absent and not lines:
        raise BadInput("lines: is empty, and a file without lines says nothing; give lines, or set `state: absent`")
    opened = open_session({**params, "scope": "system"}, module=module)
    file = ConfigurationFile(module, opened, "sysusers")
    with opened as session:
        task = _Task(module, session, file, lines, absent)
        try:
            plan, _ctx, changed = bring_about(module, session, task.plan, params["rollback"])
        except SystemdError as e:
            e.data.setdefault("path", file.path)
            raise
    result: dict[str, t.Any] = {"changed": changed, "path": file.path, "written": file.written, "warnings": plan.warnings}
    for step in plan.steps:
        if getattr(step, "backup_file", ""):
            result["backup_file"] = step.backup_file  # type: ignore[attr-defined]
    return {**result, **plan.report(module._diff)}


class _Task:
    """One file, and the way to a plan."""

    def __init__(
        self, module: Module, session: Session, file: ConfigurationFile, lines: t.Sequence[Line], absent: bool
    ) -> None:
        self._session = session
        # Who is made, and who is there no longer when all is done.
        self._made = self._gone = Wanted([], [], [])
        self._file, self._lines, self._absent, self._params = file, list(lines), absent, module.params
        self._tool = Tool("systemd-sysusers", root=file.root)
        self._specifiers = Specifiers(file.tree)

    def plan(self) -> Plan:
        """What is to be done."""
        plan = Plan()
        self._file.written = False
        self._made = self._gone = Wanted([], [], [])
        self._record = Record.of(self._session, self._file)
        text = self._file.read()
        old = [read_line(line) for line in lines_of(text or "")]
        if self._absent:
            if text is not None:
                plan.steps, plan.file_diffs = self._file.steps(None)
        elif old != self._lines or text is None:
            warned = self._tool.verify([line.text() for line in self._lines], account_files(self._file.tree))
            plan.steps, plan.file_diffs = self._file.steps(self._file.text([line.text() for line in self._lines]))
            plan.warnings += warned
        if self._params["apply"]:
            self._apply(plan)
        if self._params["purge"]:
            self._purge(plan, [line for line in old if line is not None])
        self._record.keep(plan, self._made.by_kind(), self._gone_by_now().by_kind())
        return plan

    def _gone_by_now(self) -> Wanted:
        """Who is removed, and who of the record is there no longer, and is not made again at boot by a line of the file."""
        record, gone = self._record, self._gone
        if not any(map(record.names, ("users", "groups", "members"))):
            return gone
        now = read_accounts(self._file.root)
        wanted = wanted_of([] if self._absent else self._lines, self._specifiers)
        members = [(user, group) for user, _colon, group in (each.partition(":") for each in record.names("members"))]
        return Wanted(
            [*gone.users, *(name for name in record.names("users") if name not in now.users and name not in wanted.users)],
            [*gone.groups, *(name for name in record.names("groups") if name not in now.groups and name not in wanted.groups)],
            [
                *gone.members,
                *(each for each in members if each[0] in gone.users or each[1] in gone.groups),
                *(each for each in members if each[0] not in now.members(each[1]) and each not in wanted.members),
            ],
        )

    # -- who is missing

    def _apply(self, plan: Plan) -> None:
        wanted = wanted_of(self._lines, self._specifiers)
        now = read_accounts(self._file.root)
        missing = missing_of(wanted, now, self._is_known)
        plan.warnings += [
            warning for line in self._lines for warning in differences(line, now, self._specifiers)
        ]
        if not any(missing):
            return
        root = self._file.root

        def left() -> list[str]:
            return _names(missing_of(missing, read_accounts(root), self._is_known))

        self._made = missing
        note = AccountsWere(root, missing.users, missing.groups, missing.members)
        lines = [Line(*map(self._specifiers.fixed, line)).text() for line in self._lines]
        plan.steps.append(Apply(self._tool, [], lines, _names(missing), [note], left))
        plan.changes += [
            *(Change(f"user {name}", "absent", "present") for name in missing.users),
            *(Change(f"group {name}", "absent", "present") for name in missing.groups),
            *(Change(f"user {user}", f"no member of {group}", f"member of {group}") for user, group in missing.members),
        ]

    def _is_known(self, name: str, group: bool) -> bool:
        """Whether the host knows somebody by another way than its files."""
        if self._file.root:
            return False
        import grp
        import pwd

        try:
            return bool(grp.getgrnam(name) if group else pwd.getpwnam(name))
        except KeyError:
            return False

    # -- who goes

    def _purge(self, plan: Plan, known: t.Sequence[Line]) -> None:
        """Remove whom tasks have made by lines that are in the file no longer."""
        mine = [] if self._absent else self._lines
        kept = wanted_of(mine, self._specifiers)
        described = described_by([*known, *(self._lines if self._absent else ())], self._specifiers)
        gone = Wanted(
            [name for name in described.users if name not in kept.users],
            [name for name in described.groups if name not in kept.groups and name not in kept.users],
            [pair for pair in described.members if pair not in kept.members],
        )
        if not any(gone):
            return
        lines_of_others = self._lines_of_others()
        theirs = wanted_of(lines_of_others, self._specifiers)
        named = {self._specifiers.expand(line.primary) for line in (*mine, *lines_of_others) if line.primary}
        untold = untold_of([*mine, *lines_of_others], self._specifiers)
        root = self._file.root
        now = read_accounts(root)
        rows = account_lines(root, [*now.users, *gone.users], [])["shadow"]
        shadow = {line.split(":", 1)[0]: line.split(":") for line in rows}
        left: list[str] = []
        # Who is in one of the files no longer may be in the others still, where a task was cut short.
        users, half = [], []
        for name in dict.fromkeys(gone.users):
            ours = ("users", name) in self._record
            if name not in now.users:
                half += [name] if ours and (shadow.get(name) or [name, _OURS])[1] == _OURS and name not in theirs.users else []
                continue
            why = why_kept(name, now, shadow, theirs, root) if ours else _NOT_MADE
            why = why or next((f"for whom {text} may be, too" for start, text in untold if name.startswith(start)), "")
            if why:
                left.append(f"user {name}, {why}")
            else:
                users.append(name)
        groups, half_groups = [], []
        for name in dict.fromkeys(gone.groups):
            ours = ("groups", name) in self._record
            if name not in now.groups:
                half_groups += [name] if ours and name not in theirs.groups else []
                continue
            why = why_group_kept(name, now, [*users, *half], gone.members, theirs) if ours else _NOT_MADE
            why = why or next((f"for which {text} may be, too" for start, text in untold if name.startswith(start)), "")
            why = why or ("which a line names as the group of a user" if name in named else "")
            if why:
                left.append(f"group {name}, {why}")
            else:
                groups.append(name)
        members = []
        for user, group in dict.fromkeys(gone.members):
            if user not in now.members(group) or group in groups or (user, group) in theirs.members:
                continue
            if ("members", f"{user}:{group}") in self._record:
                members.append((user, group))
            elif user not in (*users, *half):
                left.append(f"user {user} of group {group}, {_NOT_MADE}")
        # Who is gone is nobody's member any more.
        members += [
            (user, group)
            for group in now.groups
            for user in now.members(group)
            if user in (*users, *half) and group not in groups and (user, group) not in members
        ]
        lines = account_lines(root, [*users, *half], [*groups, *half_groups])
        if members or any(lines.values()):
            # Before the file forgets whom it has made: who is cut short in between finds it there again.
            plan.steps.insert(0, RemoveAccounts(root, lines, members))
            self._gone = Wanted([*users, *half], [*groups, *half_groups], members)
            plan.changes += [
                *(Change(f"user {name}", "present", "removed") for name in users),
                *(Change(f"group {name}", "present", "removed") for name in groups),
                *(Change(f"user {user}", f"member of {group}", f"no member of {group}") for user, group in members),
            ]
        if left:
            plan.warnings.append(f"purge: not removed: {'; '.join(left[:10])}")

    def _lines_of_others(self) -> list[Line]:
        found = []
        # Whom a package's file has made that this one hides is the package's, too.
        for _file, text in self._file.others(hidden=True):
            line = read_line(text)
            if line is None:
                # One of a newer version still names somebody.
                try:
                    fields, _rest = split_line(text, 6)
                except BadInput:
                    continue
                line = Line("u", fields[1]) if len(fields) > 1 else None
            if line is not None:
                found.append(line)
        return found


def wanted_of(lines: t.Sequence[Line], specifiers: Specifiers) -> Wanted:
    """Who shall be there by lines; those with specifiers that are not known here are left out."""
    wanted = Wanted([], [], [])
    described = {line.name for line in lines if line.type[:1] == "u"}
    for line in lines:
        name = specifiers.expand(line.name)
        if not name or line.type == "r":
            continue
        if line.type == "m":
            group = specifiers.expand(line.id)
            if group:
                wanted.users.append(name)
                # Who has no line of its own is made as by one that says nothing else.
                wanted.groups.extend([group] if line.name in described else [name, group])
                wanted.members.append((name, group))
        elif line.type == "g":
            wanted.groups.append(name)
        else:
            wanted.users.append(name)
            if not line.primary:
                wanted.groups.append(name)
    return wanted


def described_by(lines: t.Sequence[Line], specifiers: Specifiers) -> Wanted:
    """Who may be of these lines' making: users and groups that have a line of their own, and memberships.

    A line of type `m` also has its user and group made where they are missing, but is of the membership alone: who drops it does
    not mean the group.
    """
    found = Wanted([], [], [])
    for line in lines:
        name, group = specifiers.expand(line.name), specifiers.expand(line.id) if line.type == "m" else ""
        if not name or line.type == "r" or group is None:
            continue
        if line.type == "m":
            found.members.append((name, group))
            continue
        if line.type != "g":
            found.users.append(name)
        if not line.primary:
            found.groups.append(name)
    return found


def untold_of(lines: t.Sequence[Line], specifiers: Specifiers) -> list[tuple[str, str]]:
    """Names that only systemd can tell: how each begins, and as it is written."""
    names = [name for line in lines for name in (line.name, line.id if line.type == "m" else "")]
    return [(specifiers.start(name), name) for name in dict.fromkeys(names) if specifiers.expand(name) is None]


def missing_of(wanted: Wanted, now: Accounts, known: t.Callable[[str, bool], bool]) -> Wanted:
    """Who of those is not there.

    :param known: `(name, group)`: whether somebody is there who is not in the files.
    """
    users = [name for name in dict.fromkeys(wanted.users) if name not in now.users and not known(name, False)]
    groups = [
        name
        for name in dict.fromkeys(wanted.groups)
        # With a user that is there systemd makes no group of the same name.
        if name not in now.groups and not known(name, True) and (name in users or name not in wanted.users)
    ]
    members = [
        (user, group)
        for user, group in dict.fromkeys(wanted.members)
        if user not in now.members(group) and not (known(group, True) and group not in now.groups)
    ]
    return Wanted(users, groups, members)


def differences(line: Line, now: Accounts, specifiers: Specifiers) -> list[str]:
    """In what a user or group that is there is another than the line says, which systemd-sysusers changes nothing of."""
    name = specifiers.expand(line.name) or ""
    found = (now.groups if line.type == "g" else now.users).get(name)
    if line.type in ("m", "r") or not found or len(found) < (3 if line.type == "g" else 7):
        return []
    what = "group" if line.type == "g" else "user"
    pairs: list[tuple[str, str | None, str]] = [("id", line.number, found[2])]
    if line.type != "g":
        pairs += [
            ("description", specifiers.expand(line.description), found[4]),
            ("home", specifiers.expand(line.home), found[5]),
            ("shell", specifiers.expand(line.shell), found[6]),
        ]
    told = [f"{key} {now_is or '(none)'}, and not {wanted}" for key, wanted, now_is in pairs if wanted and wanted != now_is]
    if not told:
        return []
    return [
        f"{what} {name} is there with {'; '.join(told)}: systemd-sysusers changes nobody who is there; use ansible.builtin.{what}"
    ]


def why_kept(name: str, now: Accounts, shadow: t.Mapping[str, t.Sequence[str]], theirs: Wanted, root: str) -> str:
    """Why a user whom a task has made is not removed; empty where it may be: it is still as it was made, and nobody uses it."""
    fields = now.users[name]
    uid = fields[2] if len(fields) > 2 else ""
    if not is_digits(uid) or count(uid) == 0:
        return "which is root or none of ours"
    if name in theirs.users:
        return "for whom another file has a line, too"
    # Who has no line there has no password, or half of it was removed by a task that was cut short.
    password = (shadow.get(name) or ["", fields[1] if fields[1] != "x" else _OURS])[1]
    if password != _OURS:
        return "who has not the password that systemd-sysusers gives (!*), so that somebody else made or took it"
    process = 0 if root else process_of(count(uid))
    return f"whose process {process} runs" if process else ""


def why_group_kept(
    name: str, now: Accounts, users: t.Sequence[str], members: t.Sequence[tuple[str, str]], theirs: Wanted
) -> str:
    """Why a group is not removed; empty where it may be."""
    fields = now.groups[name]
    gid = fields[2] if len(fields) > 2 else ""
    if not is_digits(gid) or count(gid) == 0:
        return "which is that of root or none of ours"
    if name in theirs.groups:
        return "for which another file has a line, too"
    of = [user for user, row in now.users.items() if len(row) > 3 and row[3] == gid and user not in users]
    others = [user for user in now.members(name) if user not in users and (user, name) not in members]
    if of or others:
        return f"which {(of or others)[0]} is in"
    return ""


def _names(wanted: Wanted) -> list[str]:
    names = [*wanted.users, *wanted.groups, *(f"{user} in {group}" for user, group in wanted.members)]
    return list(dict.fromkeys(names))
