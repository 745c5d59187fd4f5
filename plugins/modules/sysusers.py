#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `sysusers`: users and groups of the system that systemd-sysusers makes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sysusers
short_description: Manage files of sysusers.d, and the users and groups they describe
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Writes a file of C(sysusers.d) from structured lines, and has the users and groups that they describe made at once if wanted.
  - The lines are checked by the host's own C(systemd-sysusers) before they are put in place, with C(--dry-run) where the version has it (250 and later),
    and on copies of C(/etc/passwd) and C(/etc/group) in a scratch directory elsewhere. A type that this version does not know, such as V(u!) before 257, is
    an error that names the line.
  - C(systemd-sysusers) makes who is missing, and changes nobody who is there. Where somebody is there with another number, home or shell than the
    line says, a warning tells; M(ansible.builtin.user) changes that.
extends_documentation_fragment:
  - pidone.systemd.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows the file before and after, and who is made or removed.
  idempotent:
    support: full
options:
  name:
    description:
      - Name of the file, with C(.conf) added where it is missing. V(app) is C(/etc/sysusers.d/app.conf).
      - A file of a package with the same name, in C(/usr/lib/sysusers.d), is no longer read then.
    type: str
    required: true
  state:
    description:
      - V(present) makes the file what O(lines) say.
      - V(absent) removes it. Who was made by its lines stays, unless O(purge) says otherwise.
    type: str
    choices: [present, absent]
    default: present
  lines:
    description:
      - The lines of the file, in order. Required with O(state=present).
      - With O(state=absent) they tell O(purge) who was made by a file that may be gone already.
      - Two lines for one user or group that contradict each other are an error, as systemd would ignore the second one.
      - Specifiers in names, descriptions and paths are kept; write C(%%) for a percent sign.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - V(u) is a user with a group of the same name, V(u!) one that is locked as a whole (257 and later), V(g) a group, V(m) makes a user a member of a
            group, and V(r) is a range of numbers to choose from.
        type: str
        required: true
        choices: [u, u!, g, m, r]
      name:
        description:
          - The user, of V(g) the group; V(r) has none.
        type: str
      id:
        description:
          - The number, or the absolute path of a file whose owner's number it is. Without it, systemd chooses.
          - Of a user also V(850:staff), with the number or name of a group that is there already, in place of one of the user's own. Of V(r) a range
            such as V(500-900).
        type: str
      group:
        description:
          - Of V(m) the group. Of V(u) the user's group in place of one of its own, as in O(lines[].id).
        type: str
      description:
        description:
          - What the user is for, in a few words.
        type: str
        aliases: [gecos]
      home:
        description:
          - The home directory, C(/) by default. It is not made; that is for M(pidone.systemd.tmpfiles).
        type: str
      shell:
        description:
          - The shell; by default none that lets anybody in.
        type: str
  root:
    description:
      - Directory of a tree that is not running, such as an image being built or a chroot. Users and groups are its own.
      - The tree should not be written to by others while the task works in it.
    type: path
  runtime:
    description:
      - Write below C(/run), so that the file is gone at the next boot. Who was made stays.
    type: bool
    default: false
  apply:
    description:
      - Have users, groups and memberships that are missing made at once, by the lines of this file.
    type: bool
    default: false
  purge:
    description:
      - Remove users, groups and memberships whose lines are no longer in the file, or go with it. Files of such users stay.
      - Only who was made by an earlier task of this module for this file, with O(apply=true), as a record on the host says (below
        C(/var/lib/pidone.systemd/made), of a tree in the tree). Left, with a warning, is who was there before, or was made by C(systemd-sysusers) at boot.
      - Of a line of type V(m), the membership goes and nothing else, also where the line had the user or group made.
      - Left, with a warning, is also who has been given a password, whose processes run, for whom another file of C(sysusers.d) has a line (a package's
        file of the same name included, which this one hides), and a group that anybody else is in.
    type: bool
    default: false
  timeout:
    description:
      - How long C(systemd-sysusers) may take, as a time span.
    type: str
    default: 5min
  rollback:
    description:
      - When something fails, put everything back. The file gets its old content, and who was made is removed again, unless a process of such a user
        runs by then.
    type: bool
    default: false
  backup:
    description:
      - Keep a copy of the old file beside it, with the time in its name. Systemd does not read such copies.
    type: bool
    default: false
seealso:
  - module: pidone.systemd.tmpfiles
  - module: ansible.builtin.user
  - name: sysusers.d(5)
    description: The types of lines and their fields.
    link: https://www.freedesktop.org/software/systemd/man/latest/sysusers.d.html
"""

EXAMPLES = r"""
- name: A user for a service, a group, and the one in the other
  pidone.systemd.sysusers:
    name: app
    lines:
      - {type: u, name: app, description: The application, home: /var/lib/app}
      - {type: g, name: app-data, id: '850'}
      - {type: m, name: app, group: app-data}
    apply: true

- name: A user in an image that is being built
  pidone.systemd.sysusers:
    name: app
    root: /srv/image
    lines:
      - {type: u, name: app}
    apply: true

- name: The file is gone, and the user as well unless somebody uses it
  pidone.systemd.sysusers:
    name: app
    state: absent
    purge: true
"""

RETURN = r"""
path:
  description: The file.
  returned: always, once the options are known to be good
  type: str
  sample: /etc/sysusers.d/app.conf
written:
  description: Whether the file was written or removed, or in check mode would be.
  returned: success
  type: bool
backup_file:
  description: The copy of the old file.
  returned: when O(backup=true) and there was one
  type: str
  sample: /etc/sysusers.d/app.conf.4711.2026-11-22@12:00:00~
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [write /etc/sysusers.d/app.conf, systemd-sysusers for app]
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.configuration_lines.sysusers import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "lines": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "type": {"type": "str", "required": True, "choices": ["u", "u!", "g", "m", "r"]},
                    "name": {"type": "str"},
                    "id": {"type": "str"},
                    "group": {"type": "str"},
                    "description": {"type": "str", "aliases": ["gecos"]},
                    "home": {"type": "str"},
                    "shell": {"type": "str"},
                },
            },
            "root": {"type": "path"},
            "runtime": {"type": "bool", "default": False},
            "apply": {"type": "bool", "default": False},
            "purge": {"type": "bool", "default": False},
            "timeout": {"type": "str", "default": "5min"},
            "rollback": {"type": "bool", "default": False},
            "backup": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, converge)


if __name__ == "__main__":
    main()
