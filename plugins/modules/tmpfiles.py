#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `tmpfiles`: files, directories and links that systemd-tmpfiles makes, cleans and removes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tmpfiles
short_description: Manage files of tmpfiles.d, and what their lines describe
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Writes a file of C(tmpfiles.d) from structured lines, and has what they describe made at once if wanted, with its modes and owners.
  - The lines are checked by the host's own C(systemd-tmpfiles) before they are put in place, with C(--dry-run) where the version has it (256 and later),
    and on nothing in a scratch directory elsewhere. A type or modifier that this version does not know is an error that names the line.
  - A file that already means what is wanted is left alone, however it is formatted; V(755) is the mode V(0755), and V(7d) the age V(1w).
  - With O(apply=true), what somebody else has removed or changed of what the lines describe is seen and put right, and only that.
extends_documentation_fragment:
  - pidone.systemd.attributes
attributes:
  check_mode:
    support: full
    details:
      - A user or group of a line that does not exist is taken for one that an earlier task would have made, with a warning.
      - With O(clean=true) a directory may be foretold to go that stays, where it was made a short while ago with old times, as by unpacking an archive.
  diff_mode:
    support: full
    details:
      - Shows the file before and after, and of each path what it is and what becomes of it.
  idempotent:
    support: partial
    details:
      - Whether things are as a line says cannot be told for the types V(Z), V(t), V(T), V(h), V(H), V(a), V(A) and V(w+), for what is in a directory
        that V(C) copies to, for credentials (V(^)), for patterns with braces, and for specifiers that versions of systemd understand differently.
        Such lines are applied when the file changes, and RV(untold) names them.
      - What a setting below C(/proc) or C(/sys) reads back may not be what was written; then V(w) writes it every time.
options:
  name:
    description:
      - Name of the file, with C(.conf) added where it is missing. V(app) is C(/etc/tmpfiles.d/app.conf).
      - A file of a package with the same name, in C(/usr/lib/tmpfiles.d), is no longer read then.
    type: str
    required: true
  state:
    description:
      - V(present) makes the file what O(lines) say.
      - V(absent) removes it. What its lines have made stays, unless O(purge) says otherwise.
    type: str
    choices: [present, absent]
    default: present
  lines:
    description:
      - The lines of the file, in order. Required with O(state=present).
      - With O(state=absent) they tell O(purge) what was made by a file that may be gone already.
      - Two lines for one path that contradict each other are an error, as systemd would ignore the second one.
      - Types whose paths are patterns, such as V(z) and V(w), come after all others, whatever the order, and may change what these make.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - The type as in tmpfiles.d(5), with its modifiers, such as V(d), V(f+), V(L+), V(d!) or V(x).
        type: str
        required: true
      path:
        description:
          - The absolute path; for types that take one a pattern.
          - Blanks, quotes and backslashes are escaped for systemd. Specifiers such as C(%h) or C(%b) are kept; write C(%%) for a percent sign.
        type: str
        required: true
      mode:
        description:
          - The mode in octal digits and in quotes, V('0755'). With V(~) before it, it is masked by what is there; with V(:) it is only for what is
            made (250 and later).
        type: raw
      user:
        description:
          - Name or number of the owner, with V(:) before it only of what is made (250 and later).
        type: str
      group:
        description:
          - Name or number of the group, likewise.
        type: str
      age:
        description:
          - How old what is in a directory may become, as a time span such as V(10d), with the prefixes of tmpfiles.d(5), such as V(~10d) or V(mM:10d)
            (the latter in 250 and later).
        type: str
      argument:
        description:
          - What stands at the end of the line; the text of a file, the target of a link.
          - For V(f) and V(w) it is the text itself, with its blanks and line ends, as it shall be in the file, and for V(L) and V(C) the path itself;
            the module writes the escapes. Specifiers are kept there too; write C(%%) for a percent sign.
        type: str
  scope:
    description:
      - V(system) are the host's own files.
      - V(user) are those of a user, C(~/.config/user-tmpfiles.d), all done as that user.
    type: str
    choices: [system, user]
    default: system
  user:
    description:
      - Name or number of the user, with O(scope=user). By default the user as whom the task runs.
    type: str
  root:
    description:
      - Directory of a tree that is not running, such as an image being built or a chroot. All paths are in it, and users and groups are its own.
      - Links in the tree hold inside of it. Where C(systemd-tmpfiles --root) would follow one out of the tree, the task fails and names the path.
      - The tree should not be written to by others while the task works in it.
    type: path
  runtime:
    description:
      - Write below C(/run), so that the file is gone at the next boot.
    type: bool
    default: false
  apply:
    description:
      - Have what the lines describe made at once, and put right where it is another (C(systemd-tmpfiles --create)). Only lines of this file are
        applied, and of them only those that have something to do.
      - Lines with V(!) are for the boot, and left out.
      - A path that somebody else could have led elsewhere is an error before anything is done. That is one which goes on from a directory or link of a
        user who is neither root nor the one whose files these are, to what is another user's; C(systemd-tmpfiles) makes nothing there either.
      - What is in the way and could not be made is an error before anything is done. So is a directory that is not empty and would be replaced by
        V(L+) or a type with V(=), with all that is in it.
    type: bool
    default: false
  clean:
    description:
      - Have what is older than the lines' ages removed at once (C(systemd-tmpfiles --clean)). What other files of C(tmpfiles.d) have lines for is
        left alone, by whatever name, and so is, with a warning, a path that somebody else could have led elsewhere.
      - What is removed is not brought back by O(rollback).
    type: bool
    default: false
  remove:
    description:
      - Have removed at once what lines of the types V(r) and V(R) name, and what is in the directories of V(D) (C(systemd-tmpfiles --remove)). A path
        that somebody else could have led elsewhere is left, with a warning.
      - What is removed is not brought back by O(rollback).
    type: bool
    default: false
  purge:
    description:
      - What becomes of what lines have made that are no longer in the file, or go with it. These are lines of the types V(d), V(D), V(v), V(q), V(Q), V(f),
        V(p), V(L), V(c) and V(b).
      - V(nothing) leaves it.
      - V(unused) removes what is as the line has made it, which are directories that are empty, files that hold what the line says, and links that
        lead where it says. A warning names what is left.
      - V(everything) also removes directories with all that is in them, and that is not brought back by O(rollback). These are only directories that
        an earlier task of this module has made for a line of this file, with O(apply=true), as a record on the host says (below
        C(/var/lib/pidone.systemd/made), a user's below C(~/.local/state/pidone.systemd/made)). Others, such as those that were there before, or that
        systemd has made at boot, are removed if they are empty. No link is followed, and a directory in which something
        is mounted is left as a whole, as are those at the top of the file system.
      - What another file of C(tmpfiles.d) has a line for is always left, and what holds such; also if it is spelled another way, over links, with
        specifiers or in a pattern, and also if it is a package's file of the same name, which this one hides. Where only systemd can tell what a
        specifier stands for, what it might stand for is left.
      - A path that somebody else could have led elsewhere is left, as with O(apply).
      - C(systemd-tmpfiles --purge) of newer versions is something else, as it is for lines with V($) only.
    type: str
    choices: [nothing, unused, everything]
    default: nothing
  timeout:
    description:
      - How long C(systemd-tmpfiles) may take each time, as a time span.
    type: str
    default: 5min
  rollback:
    description:
      - When something fails, put everything back. The file gets its old content; what was made is removed again, as far as nobody has put anything
        into it; modes, owners, contents of files and links that were replaced are as before.
    type: bool
    default: false
  backup:
    description:
      - Keep a copy of the old file beside it, with the time in its name. Systemd does not read such copies.
    type: bool
    default: false
seealso:
  - module: pidone.systemd.sysusers
  - name: tmpfiles.d(5)
    description: The types of lines, their arguments and specifiers.
    link: https://www.freedesktop.org/software/systemd/man/latest/tmpfiles.d.html
  - name: systemd-tmpfiles(8)
    description: What the program does, and when.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd-tmpfiles.html
"""

EXAMPLES = r"""
- name: A runtime directory and a cache whose files go after ten days, there at once
  pidone.systemd.tmpfiles:
    name: app
    lines:
      - {type: d, path: /run/app, mode: '0750', user: app, group: app}
      - {type: d, path: /var/cache/app, mode: '0750', user: app, group: app, age: 10d}
      - {type: x, path: /var/cache/app/keep}
      - {type: f, path: /run/app/motd, mode: '0644', argument: "Two lines\nof text\n"}
      - {type: L+, path: /etc/app/current, argument: /opt/app/2}
    apply: true

- name: What is too old in the cache goes now
  pidone.systemd.tmpfiles:
    name: app-cache
    lines:
      - {type: d, path: /var/cache/app, age: 10d}
    clean: true

- name: A user's own downloads, as root and without become_user
  pidone.systemd.tmpfiles:
    name: downloads
    scope: user
    user: alice
    lines:
      - {type: d, path: "%h/Downloads", age: 4w}
    apply: true

- name: A directory in an image that is being built
  pidone.systemd.tmpfiles:
    name: app
    root: /srv/image
    lines:
      - {type: d, path: /var/lib/app, mode: '0700', user: app}
    apply: true

- name: The file is gone, and what it has made as far as nobody uses it
  pidone.systemd.tmpfiles:
    name: app
    state: absent
    purge: unused
"""

RETURN = r"""
path:
  description: The file.
  returned: always, once the options are known to be good
  type: str
  sample: /etc/tmpfiles.d/app.conf
written:
  description: Whether the file was written or removed, or in check mode would be.
  returned: success
  type: bool
untold:
  description: Lines of which it cannot be told whether things are as they say, by type and path; at most 200.
  returned: success
  type: list
  elements: str
  sample: ["Z /var/lib/app"]
removed:
  description: What O(clean), O(remove) and O(purge) have removed, or in check mode would; at most 200 paths.
  returned: success
  type: list
  elements: str
  sample: [/var/cache/app/old]
backup_file:
  description: The copy of the old file.
  returned: when O(backup=true) and there was one
  type: str
  sample: /etc/tmpfiles.d/app.conf.4711.2026-11-22@12:00:00~
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [write /etc/tmpfiles.d/app.conf, "systemd-tmpfiles --create for /run/app"]
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.tmpfiles import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "lines": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "type": {"type": "str", "required": True},
                    "path": {"type": "str", "required": True},
                    "mode": {"type": "raw"},
                    "user": {"type": "str"},
                    "group": {"type": "str"},
                    "age": {"type": "str"},
                    "argument": {"type": "str"},
                },
            },
            "scope": {"type": "str", "choices": ["system", "user"], "default": "system"},
            "user": {"type": "str"},
            "root": {"type": "path"},
            "runtime": {"type": "bool", "default": False},
            "apply": {"type": "bool", "default": False},
            "clean": {"type": "bool", "default": False},
            "remove": {"type": "bool", "default": False},
            "purge": {"type": "str", "choices": ["nothing", "unused", "everything"], "default": "nothing"},
            "timeout": {"type": "str", "default": "5min"},
            "rollback": {"type": "bool", "default": False},
            "backup": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
