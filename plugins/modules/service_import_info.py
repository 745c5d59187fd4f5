#!/usr/bin/python

# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_import_info
short_description: Translate the services of another init system to systemd units
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Collects the services of runit or daemontools from a host, or from a checkout, and translates them to units of systemd.
  - Collecting runs on the host and needs nothing there but Python; neither systemd nor D-Bus. Translating runs on the
    controller, and gives the same units for the same files.
  - Everything in the scripts is either expressed in the units or named in the findings.
  - The host is not trusted. Its answer is checked before anything is done with it, and a service with more in it than anybody writes by hand (files of 256
    KiB, scripts of 64 KiB, a thousand commands) is refused with a finding.
  - The module changes nothing and writes no units. See R(the table of constructs,
    ansible_collections.pidone.systemd.docsite.guide_runit_constructs) for what becomes of what.
requirements:
  - tree-sitter and tree-sitter-bash on the controller (C(pip install tree-sitter tree-sitter-bash)).
extends_documentation_fragment:
  - pidone.systemd.attributes
  - pidone.systemd.attributes.info_module
attributes:
  platform:
    platforms: posix
    details:
      - The host that is left behind needs no systemd.
  action:
    details:
      - The translation runs on the controller.
  action_group:
    description: Is in no action group, since it talks to no systemd.
    support: none
    membership: []
options:
  source:
    description:
      - The init system to translate from.
      - daemontools is a subset of runit, and read the same way.
    type: str
    choices:
      - runit
      - daemontools
    required: true
  path:
    description:
      - A service directory, a directory that holds service directories at any depth, or one run script.
      - Without it all known places are read, such as C(/etc/sv) and C(/etc/service) (Debian), C(/var/service) (Void),
        C(/etc/runit/sv) (Artix), C(/opt/*/sv) (Omnibus) and C(/service).
      - Where the directory is not at one of these places, the service is assumed to be in C(/etc/sv/NAME) on the host.
    type: path
  root:
    description:
      - The directory that is taken for the root of the host, such as a mounted image or a checkout of its files.
    type: path
    default: /
  name:
    description:
      - Names of services, or globs. Without it all are translated.
    type: list
    elements: str
  log:
    description:
      - What becomes of log services (C(log/run)).
      - With V(journald) the journal takes what a service prints, and the log service goes.
      - With V(svlogd) the log service stays, as a unit of its own that reads from a named pipe.
    type: str
    choices:
      - journald
      - svlogd
    default: journald
  target:
    description:
      - The target that pulls in the services (C(WantedBy=)).
    type: str
    default: multi-user.target
  definitions:
    description:
      - Definitions of an earlier run (RV(services[].definition)) to translate again. No host is contacted.
      - Takes the place of O(path), O(root) and O(name).
    type: list
    elements: dict
seealso:
  - module: pidone.systemd.unit_file
"""

EXAMPLES = r"""
- name: Translate the services of a host
  pidone.systemd.service_import_info:
    source: runit
  register: import

- name: Show what a person has to decide
  ansible.builtin.debug:
    msg: "{{ item.name }} {{ item.findings | selectattr('severity', 'eq', 'decision') | map(attribute='message') | list }}"
  loop: "{{ import.services }}"
  loop_control:
    label: "{{ item.name }}"

- name: Translate a checkout on the controller
  pidone.systemd.service_import_info:
    source: runit
    path: "{{ playbook_dir }}/sv"
  delegate_to: localhost

- name: Translate the services of an image, keeping svlogd
  pidone.systemd.service_import_info:
    source: runit
    root: /mnt/image
    name:
      - app-*
    log: svlogd

# Without a playbook:
# ansible localhost -m pidone.systemd.service_import_info -a "source=runit path=sv"
"""

RETURN = r"""
services:
  description: The services, by name and path.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the service.
      type: str
      returned: success
      sample: web
    source:
      description: The init system it comes from.
      type: str
      returned: success
      sample: runit
    path:
      description: The service directory on the host.
      type: str
      returned: success
      sample: /etc/sv/web
    translation:
      description:
        - V(native) where the units need nothing but directives.
        - V(shell) where a command of the units holds a line of shell. The run script is not needed any longer.
        - V(wrapped) where the unit runs the original script.
        - V(refused) where there is no correct unit. The findings say why.
      type: str
      returned: success
      sample: native
    units:
      description: The units. Most services have one; timers and kept log services have more.
      type: list
      elements: dict
      returned: success
      contains:
        name:
          description: Name of the unit.
          type: str
          returned: success
          sample: web.service
        content:
          description: Text of the unit file.
          type: str
          returned: success
          sample: "[Service]\nExecStart=/usr/bin/web\n"
        sections:
          description: The same as sections and directives. A directive with several values has a list.
          type: dict
          returned: success
          sample: {Service: {ExecStart: /usr/bin/web}}
    findings:
      description: What the reader should know about the translation.
      type: list
      elements: dict
      returned: success
      contains:
        key:
          description:
            - What kind of finding it is. R(The page of findings, ansible_collections.pidone.systemd.docsite.guide_findings) says of each what it
              means. It stays the same between versions.
          type: str
          returned: success
          sample: condition.skips
        title:
          description: The kind of finding in a few words.
          type: str
          returned: success
          sample: Where a condition does not hold, the service is skipped
        severity:
          description: V(info), V(warning) (check it) or V(decision) (a choice was made that may have to be another one).
          type: str
          returned: success
          sample: info
        construct:
          description: What in the file it is about.
          type: str
          returned: success
          sample: guard
        file:
          description: The file, relative to the service directory. Empty where it is about none.
          type: str
          returned: success
          sample: run
        line:
          description: The line, from 1; 0 where it is about no line.
          type: int
          returned: success
          sample: 3
        message:
          description: What became of it.
          type: str
          returned: success
          sample: "asked once at each start"
        remediation:
          description: What to do about it.
          type: dict
          returned: success
          contains:
            type:
              description: V(hint) (the text), V(variables) (of the role P(pidone.systemd.runit_migration#role)) or V(command) (for the host).
              type: str
              returned: success
              sample: hint
            text:
              description: What to do, in words.
              type: str
              returned: success
              sample: Start web.service once the condition holds, where that may come later than the host's start.
            variables:
              description: Variables of the role, with values.
              type: dict
              returned: if the type is V(variables)
              sample: {runit_migration_log: svlogd}
            command:
              description: A command for the host, to be run as root.
              type: str
              returned: if the type is V(command)
              sample: systemctl enable getty@tty1.service
    state:
      description: State of the service on the host.
      type: dict
      returned: success
      contains:
        enabled:
          description: Whether a scanned directory has a link to it.
          type: bool
          returned: success
          sample: true
        running:
          description: Whether its process runs.
          type: bool
          returned: success
          sample: true
        wanted:
          description: Whether its supervisor wants it V(up) or V(down). Null where nothing is known.
          type: str
          returned: success
          sample: up
        down:
          description: Whether it has a file C(down), so that it is not started with the host.
          type: bool
          returned: success
          sample: false
        pid:
          description: Process ID of the service. Null where it does not run.
          type: int
          returned: success
          sample: 4711
        once:
          description: Whether it runs but is not to be started again (C(sv once)).
          type: bool
          returned: when it is supervised
          sample: false
        paused:
          description: Whether it is paused.
          type: bool
          returned: when it is supervised
          sample: false
        since:
          description: Since when it has been in this state, in seconds of the epoch.
          type: int
          returned: when it is supervised
          sample: 1767225600
    definition:
      description:
        - The raw files, as O(definitions) takes them, with the links of scanned directories (C(links)).
        - Files that not every user of the host may read have C(private=true). Of them only scripts (C(run), C(finish), C(check), C(control), those of the
          log) and settings of C(svlogd) have their contents, as those are what is translated. Of settings that a script sources there are the names
          of the variables (C(variables)), of others, such as the files of an environment directory, nothing but mode and size.
        - A link that somebody other than root made, or could have made, is not followed to what is neither theirs nor for everybody to read.
      type: dict
      returned: success
      sample: {name: web, path: /etc/sv/web, files: [{path: run, content: "#!/bin/sh\nexec web\n"}]}
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._sources import names
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.service_import.info import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "str", "choices": names(), "required": True},
            "path": {"type": "path"},
            "root": {"type": "path", "default": "/"},
            "name": {"type": "list", "elements": "str"},
            "log": {"type": "str", "choices": ["journald", "svlogd"], "default": "journald"},
            "target": {"type": "str", "default": "multi-user.target"},
            "definitions": {"type": "list", "elements": "dict"},
        },
        supports_check_mode=True,
    )
    run(module, gather)


if __name__ == "__main__":
    main()
