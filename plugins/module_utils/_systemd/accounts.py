# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom this process works: root becomes the user whose manager and files it deals with, and root again where it must.

What a user can write to, root could be led anywhere by: by a link, a socket of somebody else, a file that is none. As the
user it gets no further than the user. The ids that change are the effective ones, of the whole process; the real ones stay
root's, so that the user can neither signal nor trace it, and so that there is a way back.
"""

from __future__ import annotations

import builtins
import os
import sys
import typing as t
from contextlib import contextmanager, suppress

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_account
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits


class Account(t.NamedTuple):
    """A user of this host; `home` has no slash at its end, and none twice, as in the paths that systemd tells."""

    uid: int
    gid: int
    name: str
    home: str
    shell: str = "/bin/sh"


class _Ids(t.NamedTuple):
    """Effective user, effective group and supplementary groups of a process."""

    uid: int
    gid: int
    groups: list[int]


class NoSuchUser(BadInput):
    """There is no user of that name or number. `account` is what one could have in its place: nobody's ids, and no files."""

    def __init__(self, user: str) -> None:
        super().__init__(f"user: there is no user {shown(user)} on this host; create it first, or correct the name")
        # Where useradd(8) would put it. What is there all the same was somebody else's, and is not looked at.
        home = f"/home/{user}"
        self.account = Account(_NOBODY, _NOBODY, user, f"/nonexistent/{user}" if os.path.lexists(home) else home)


# Outermost first: as whom is worked now, and what this process was before.
_ACTING: list[tuple[Account, _Ids]] = []
# The user and the group that own nothing (user_namespaces(7)).
_NOBODY = 65534
# What a signal asked for while it could not be done.
_PUT_OFF: list[t.Callable[[], t.Any]] = []


def find_account(user: str | None) -> Account:
    """The account of a user by name or number, of the effective user for None.

    :raises NoSuchUser: there is no such user.
    """
    if user is not None:
        check_account(user, "user")
    try:
        entry = user_entry(str(os.geteuid()) if user is None else user)
    except KeyError:
        raise NoSuchUser(str(os.geteuid()) if user is None else user) from None
    return Account(
        entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir.rstrip("/") or "/", entry.pw_shell or "/bin/sh"
    )


def user_entry(user: str) -> t.Any:
    """The entry of a user by name or number, as of `pwd`.

    :raises KeyError: there is no such user.
    """
    import pwd

    try:
        return pwd.getpwuid(count(user)) if is_digits(user) else pwd.getpwnam(user)
    except (OverflowError, ValueError):
        # No number or name of anybody.
        raise KeyError(user) from None


def group_id(group: str) -> int:
    """The number of a group by name or number; a number needs no entry.

    :raises KeyError: there is no such group.
    """
    import grp

    if is_digits(group):
        return count(group)
    try:
        return grp.getgrnam(group).gr_gid
    except ValueError:
        raise KeyError(group) from None


def acting_for() -> Account | None:
    """The account whose effective ids this process has taken; None where it is itself."""
    return _ACTING[-1][0] if _ACTING else None


@contextmanager
def acting_as(account: Account | None) -> t.Iterator[None]:
    """Have the effective ids and the groups of an account for a while; of None, and of whoever is not root, change nothing.

    :raises SystemdError: the ids cannot be taken, as in a container that has no such ids.
    """
    if account is None or os.geteuid() != 0 or account.uid == 0:
        yield
        return
    before = _Ids(0, os.getegid(), os.getgroups())
    try:
        _take(_Ids(account.uid, account.gid, os.getgrouplist(account.name, account.gid)))
    except OSError as e:
        with suppress(OSError):
            _take(before)
        raise SystemdError(f"user: cannot act as {account.name} (uid {account.uid}): {e.strerror}") from e
    _ACTING.append((account, before))
    own_import = builtins.__import__
    builtins.__import__ = _imports_as_root(own_import)
    try:
        yield
    finally:
        builtins.__import__ = own_import
        _ACTING.pop()
        _take(before)


@contextmanager
def privileged(why: str) -> t.Iterator[None]:
    """Have root's ids again for a while, inside of `acting_as`; elsewhere, change nothing.

    Nothing that the user chose may be opened by its path, or run, within it.

    :param why: what needs them, for the reader.
    """
    if not _ACTING or os.geteuid() == 0:
        yield
        return
    now = _Ids(os.geteuid(), os.getegid(), os.getgroups())
    try:
        _take(_ACTING[0][1])
        yield
    finally:
        _take(now)
        if _PUT_OFF:
            _PUT_OFF.pop()()


def as_itself(action: t.Callable[[], t.Any]) -> None:
    """Do something in a signal's handler that may raise: at once, or when root's ids, had for a moment, are given back.

    An exception that came while ids are changed would leave all that follows, a rollback for one, with root's.
    """
    if _ACTING and os.geteuid() == 0:
        _PUT_OFF[:] = [action]
        return
    action()


def give_up_root() -> None:
    """In a child process: have the effective ids for good, so that there is no way back, also for a program that is run."""
    uid, gid = os.geteuid(), os.getegid()
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def environment_of(account: Account) -> dict[str, str]:
    """The variables that say who somebody is."""
    return {
        "HOME": account.home,
        "USER": account.name,
        "LOGNAME": account.name,
        "SHELL": account.shell,
        "XDG_RUNTIME_DIR": f"/run/user/{account.uid}",
    }


def _take(ids: _Ids) -> None:
    # Only root may set groups. The real user is root wherever this is called, which permits it.
    os.seteuid(0)
    try:
        os.setgroups(ids.groups)
        os.setegid(ids.gid)
    finally:
        # Whatever failed: nobody stays root who was not.
        os.seteuid(ids.uid)


def _imports_as_root(own_import: t.Any) -> t.Any:
    """`__import__` that reads modules as root: what Ansible runs is in a directory that only the task's own user may read."""

    def load(
        name: str,
        globals: t.Any = None,
        locals: t.Any = None,
        fromlist: t.Any = (),
        level: int = 0,
    ) -> t.Any:
        there = sys.modules.get(name) if not level else None
        if there is not None and all(hasattr(there, each) for each in fromlist or ()):
            return own_import(name, globals, locals, fromlist, level)
        with privileged("the code of the task itself is root's to read"):
            return own_import(name, globals, locals, fromlist, level)

    return load
