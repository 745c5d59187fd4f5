#!/usr/bin/python
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `credential`: secrets that lie encrypted on the host, for services."""

from __future__ import annotations

DOCUMENTATION = r"""
module: credential
short_description: Keep secrets for services encrypted on the host
version_added: 1.0.0
author:
  - pidone.systemd contributors (!UNKNOWN)
description:
  - Encrypts a secret with a key of the host's, as C(systemd-creds) does, and keeps it in a file that no other host can read. Systemd decrypts it for the
    services that ask for it with C(LoadCredentialEncrypted), when it starts them, into memory that only they can read.
  - What lies on the host is decrypted there and compared, so that a secret that is the same is not encrypted anew. Nothing of a secret is in a result, a
    diff, a log or a message.
  - With O(unit), the unit is given the credential in the same task.
  - This needs systemd 250, and systemd 256 for O(scope=user).
extends_documentation_fragment:
  - pidone.systemd.attributes
attributes:
  check_mode:
    support: full
    details:
      - Nothing is encrypted in check mode, since that makes the host's key where there is none.
  diff_mode:
    support: full
    details:
      - Says whether there was a credential, and shows the drop-in of O(unit).
  idempotent:
    support: full
options:
  name:
    description:
      - Name of the credential, by which services ask for it, of letters, digits and any of V(- _ . @ +). It is encrypted with the secret, so a file
        under another name is of no use.
    type: str
    required: true
  content:
    description:
      - The secret, of up to 750 KiB. Required with O(state=present).
      - It is taken as it is, so a line break at its end is part of it.
    type: str
  encoding:
    description:
      - Whether O(content) is the secret as text, or as C(base64), as bytes that are no text have to be.
    type: str
    choices: [text, base64]
    default: text
  state:
    description:
      - V(absent) removes the file, and the drop-in of O(unit). Other units that ask for the credential do not start any more then.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - The file. By default that is O(name) in C(/etc/credstore.encrypted) or, with O(scope=user), in C(~/.config/credstore.encrypted), where systemd 254
        and later look by themselves for a credential that is named without a path.
    type: str
  runtime:
    description:
      - Keep it, and the drop-in of O(unit), below C(/run), so that they are gone at the next boot.
    type: bool
    default: false
  with_key:
    description:
      - What it is encrypted with. V(auto) is the TPM2 chip together with a key on the disk, or that key alone where there is no such chip. What is there
        already is left as it is with V(auto), unless it is without any key.
      - V(host) is the key on the disk, in C(/var/lib/systemd/credential.secret), which is made when it is first needed.
      - V(tpm2) is the chip alone, and V(host+tpm2) is both.
      - V(null) is no key, so anybody can read it, such as in an image that is made before there is a host. This needs systemd 256.
    type: str
    choices: [auto, host, tpm2, host+tpm2, 'null']
    default: auto
  not_after:
    description:
      - Point of time after which systemd will not decrypt it any more, such as V(2027-01-31), V(2027-01-31 18:00:00) or V(2027-01-31T18:00:00Z), in the
        host's time zone where none is given. Write it in quotes, as YAML makes something else of it otherwise.
      - By default there is none, and one that a credential has is taken off it.
      - Not with O(scope=user).
    type: str
  unit:
    description:
      - Name of a service, socket, mount or swap that is given the credential, by a drop-in C(credential-NAME.conf). Its processes find the secret in
        C($CREDENTIALS_DIRECTORY/NAME).
      - With O(scope=user) this needs systemd 258, as the managers of users cannot decrypt before. Services of users call C(systemd-creds --user decrypt) there.
    type: str
  on_change:
    description:
      - What is done to O(unit), where it runs, when the credential or its drop-in changed. With V(nothing) it goes on with the secret that it was started
        with.
    type: str
    choices: [nothing, restart]
    default: nothing
  scope:
    description:
      - Whose service manager it is about. V(system) is the host's own, V(user) that of one user, who alone can decrypt it, with the host.
    type: str
    choices: [system, user]
    default: system
  user:
    description:
      - Name or number of the user, with O(scope=user). By default the user as whom the task runs.
    type: str
  timeout:
    description:
      - How long encrypting, decrypting and the restart may take each, as a time span.
    type: str
    default: 5min
notes:
  - The secret is on its way to the host in the arguments of the task, as with any module. They are neither logged nor returned.
seealso:
  - module: pidone.systemd.unit_file
"""

EXAMPLES = r"""
- name: The application's database password, encrypted on the host, and given to its service
  pidone.systemd.credential:
    name: db-password
    content: "{{ vault_db_password }}"
    unit: app.service
    on_change: restart

- name: A certificate's key, for as long as the certificate is good, bound to the TPM2 chip
  pidone.systemd.credential:
    name: tls-key
    content: "{{ lookup('ansible.builtin.file', 'web1.key', rstrip=false) }}"
    with_key: tpm2
    not_after: '2027-01-31T00:00:00Z'

- name: Bytes that are no text
  pidone.systemd.credential:
    name: keytab
    content: "{{ lookup('ansible.builtin.file', 'app.keytab.b64') }}"
    encoding: base64

- name: No longer
  pidone.systemd.credential:
    name: db-password
    unit: app.service
    state: absent
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /etc/credstore.encrypted/db-password
not_after:
  description: When systemd will not decrypt it any more; V(null) for never.
  returned: success
  type: str
  sample: '2027-01-31T00:00:00Z'
dropin_path:
  description: The drop-in of the unit.
  returned: with O(unit)
  type: str
  sample: /etc/systemd/system/app.service.d/credential-db-password.conf
steps:
  description: What was done or, in check mode, would be, in order.
  returned: when there was anything to do
  type: list
  elements: str
  sample: [write /etc/credstore.encrypted/db-password]
"""

from ansible_collections.pidone.systemd.plugins.module_utils import _compiled  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.pidone.systemd.plugins.module_utils._engine.entry import run
from ansible_collections.pidone.systemd.plugins.module_utils._module import AnsibleModule
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.credential.task import converge


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "content": {"type": "str"},
            "encoding": {"type": "str", "choices": ["text", "base64"], "default": "text"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "str"},
            "runtime": {"type": "bool", "default": False},
            "with_key": {"type": "str", "choices": ["auto", "host", "tpm2", "host+tpm2", "null"], "default": "auto"},
            "not_after": {"type": "str"},
            "unit": {"type": "str"},
            "on_change": {"type": "str", "choices": ["nothing", "restart"], "default": "nothing"},
            "scope": {"type": "str", "choices": ["system", "user"], "default": "system"},
            "user": {"type": "str"},
            "timeout": {"type": "str", "default": "5min"},
        },
        supports_check_mode=True,
        hidden=("content",),
    )
    run(module, converge)


if __name__ == "__main__":
    main()
