# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose service manager a module talks to; private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    # `scope` and `user`, of every module that talks to a manager.
    DOCUMENTATION = r"""
options:
  scope:
    description:
      - Whose service manager it is about.
      - V(system) is the host's own. Root talks to it directly, other users over the system bus, where polkit decides what they may do.
      - V(user) is the manager of one user. Root needs neither C(become_user) nor any environment variable for it.
      - V(global) are the unit files that all users share; there is no manager behind it, so nothing can be started there.
    type: str
    choices: [system, user, global]
    default: system
  user:
    description:
      - Name or number of the user whose manager it is, with O(scope=user).
      - By default the user as whom the task runs.
    type: str
"""

    # What `user` may be besides, and `machine`, of modules that read managers; to be named before the fragment itself.
    MANAGERS = r"""
options:
  user:
    description:
      - Name or number of the user whose manager it is, with O(scope=user).
      - V("*") are the managers of all users that have one running, which only root can ask. Each is asked as its user, and one that does not answer
        keeps nobody from reading the others.
      - By default the user as whom the task runs.
  machine:
    description:
      - Name of a container that runs on this host and that systemd-machined knows, as C(machinectl list) prints it. What is read is the container's
        system manager, which nothing has to be installed for in the container.
      - V("*") are all these containers; one that does not answer keeps nobody from reading the others. Virtual machines are not among them.
      - Only root can do this, with O(scope=system) and without O(user), and only where the container's PID 1 is systemd.
      - What the container's manager says is returned as it says it, and no file of the container is read. Paths, numbers of processes and control groups are
        those that hold in the container.
    type: str
"""

    # `root`, of modules that can work on the files of a tree nobody has booted.
    ROOT = r"""
options:
  root:
    description:
      - Directory of a tree that is not running, such as an image being built or a chroot.
      - Nothing is started and no manager is asked; only files in that tree are read and changed, with this host's C(systemctl --root) for links.
      - Links in the tree hold inside of it, as they will when it runs. An absolute one begins at the tree's root, and none leads out of the tree.
        Where C(systemctl --root) would follow a link out of the tree, the task fails and names the link.
      - Nothing of the tree is run, not even its systemd. So scripts for System V are not enabled in a tree.
      - The tree should not be written to by others while the task works in it.
    type: path
"""
