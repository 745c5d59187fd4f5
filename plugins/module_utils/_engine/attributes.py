# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, mode, SELinux context and chattr(1) attributes of a file, which ansible-core sets."""

from __future__ import annotations

import os
import re
import stat
import typing as t
from contextlib import contextmanager

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.checks import check_account, check_mode
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import is_digits

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import Module
    from ansible_collections.pidone.systemd.plugins.module_utils._engine.session import Session

_LABEL_PART = re.compile(r"[A-Za-z0-9_.:,-]{1,255}")
# The letters that chattr(1) sets, without those that it only shows.
_ATTRIBUTES = re.compile("[-+=]?[aAcCdDeFijmPsStTux]+")


class Attributes:
    """The options of one task for the attributes of its file.

    :param module: the Ansible module.
    :param path: the file, for messages.
    :param params: the options, where they are not those of the module.
    :param where: stands before the names of options in errors.
    """

    def __init__(
        self, module: Module, path: str, params: dict[str, t.Any] | None = None, where: str = ""
    ) -> None:
        self._module = module
        self._params = module.params if params is None else params
        self._path = path
        self._where = where

    @property
    def given(self) -> frozenset[str]:
        """Which of owner, group and mode are asked for, as `FileTools` takes it."""
        return frozenset(each for each in ("owner", "group", "mode") if self._params[each] is not None)

    def check(self, session: Session) -> list[str]:
        """Refuse attributes that cannot be given before anything is written, and in check mode too; returns warnings.

        :param session: tells as which user the file is written.
        """
        owner, group = self._params["owner"], self._params["group"]
        if owner is not None:
            check_account(owner, f"{self._where}owner")
        if group is not None:
            check_account(group, f"{self._where}group", "group")
        warnings = self._check_special()
        if owner and not is_digits(owner):
            import pwd

            try:
                pwd.getpwnam(owner)
            except KeyError:
                # The session has said so already of the user whose units they are.
                if session.account is None or owner != session.account.name:
                    warnings += self._missing(f"{self._where}owner: there is no user {owner!r} on this host")
        if group and not is_digits(group):
            import grp

            try:
                grp.getgrnam(group)
            except KeyError:
                if session.account is None or group != session.account.name:
                    warnings += self._missing(f"{self._where}group: there is no group {group!r} on this host")
        user = session.account.name if session.account else ""
        if owner and user and owner not in (user, str(session.uid)):
            raise BadInput(
                f"{self._where}owner: the units of {user} are written as that user, who cannot give files away to {owner}; leave out `owner`"
            )
        if self._params["mode"] is not None:
            check_mode(self._params["mode"], f"{self._where}mode")
            # Of a file that is not there yet, ansible-core looks at the mode only when it is set.
            try:
                with self.asking(True):
                    self._module.set_mode_if_different("/", self._params["mode"], False)
            except SystemdError as e:
                raise BadInput(
                    f"{self._where}mode: {self._params['mode']!r} is not a mode; write one such as '0644' or 'u=rw,go=r', in quotes"
                ) from e
        return warnings

    def _missing(self, problem: str) -> list[str]:
        """Refuse an account that is not there; a warning in check mode, where an earlier task may be the one to make it."""
        if not self._module.check_mode:
            raise BadInput(f"{problem}; create it first")
        return [f"{problem} yet; taken for made by an earlier task"]

    def _check_special(self) -> list[str]:
        """Refuse what ansible-core would pass on to chattr(1) or SELinux, or over in silence where there is neither."""
        warnings = []
        for option in ("seuser", "serole", "setype", "selevel"):
            value = self._params.get(option)
            if value is None:
                continue
            if not _LABEL_PART.fullmatch(value):
                raise BadInput(
                    f"{self._where}{option}: {shown(value)} is no part of an SELinux context; write one such as system_u, object_r, systemd_unit_file_t or s0"
                )
            if not self._module.selinux_enabled():
                warnings.append(f"{self._where}{option}: is not applied, since SELinux is not enabled on this host")
        attributes = self._params.get("attributes")
        if attributes is None:
            return warnings
        if not _ATTRIBUTES.fullmatch(attributes):
            raise BadInput(
                f"{self._where}attributes: {shown(attributes)} is none of the attributes of chattr(1); write letters such as `d`, with + or - before them"
            )
        if self._module.get_bin_path("chattr") is None:
            told = "chattr is not there, which sets attributes; install the package e2fsprogs"
            if not self._module.check_mode:
                raise BadInput(f"{self._where}attributes: {told}, or leave out `attributes`")
            warnings.append(f"{self._where}attributes: {told}")
        return warnings

    def set(self, path: str, check: bool) -> bool:
        """Give `path` what is wished for the file, or find out whether it lacks it (`check`); returns whether it did."""
        arguments = self._module.load_file_common_arguments(self._params, path=self._path)
        arguments["path"] = path
        if path != self._path and arguments["mode"] is not None:
            arguments["mode"] = self._absolute(arguments["mode"])
        with self.asking(check):
            return bool(self._module.set_fs_attributes_if_different(arguments, False))

    def _absolute(self, mode: t.Any) -> t.Any:
        """The mode that the file would get as it is: one in letters says what becomes of the mode that there is.

        What takes its place is open to nobody else yet, so that letters would come to something else there.
        """
        diff: dict[str, t.Any] = {}
        try:
            found = os.lstat(self._path)
            with self.asking(True):
                self._module.set_mode_if_different(self._path, mode, False, diff)
        except FileNotFoundError:
            return mode
        if "after" in diff:
            return diff["after"]["mode"]
        return f"{stat.S_IMODE(found.st_mode):#o}".replace("o", "", 1)

    @contextmanager
    def asking(self, check: bool) -> t.Iterator[None]:
        """Call functions of ansible-core's on files: in check mode or not, and failing as everything here does.

        They end the program by themselves otherwise: nothing would be put back, and the file named that was on its way.
        """

        def fail(msg: str, **facts: t.Any) -> t.NoReturn:
            why = facts.get("details") or facts.get("exception")
            raise SystemdError(f"{self._path}: {msg}" + (f": {why}" if why else ""))

        module = self._module
        mode, module.check_mode = module.check_mode, check
        own, module.fail_json = module.fail_json, fail
        try:
            yield
        finally:
            module.check_mode, module.fail_json = mode, own
