#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes .venv with everything in tests/requirements.txt, and the import path of the collection under build/.
# Does nothing where both are there and the requirements have not changed since.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
mkdir -p build/collections/ansible_collections/pidone
[ -L build/collections/ansible_collections/pidone/systemd ] ||
    ln -sfn ../../../.. build/collections/ansible_collections/pidone/systemd

stamp=$("$python" -c 'import sys; print(sys.version_info[:2])' | cat - tests/requirements.txt meta/ee-requirements.txt |
    sha256sum | cut -d' ' -f1)
[ "$(cat .venv/.stamp 2>/dev/null)" != "$stamp" ] || exit 0

exec 9>build/venv.lock
flock 9  # several make targets may start at once
[ "$(cat .venv/.stamp 2>/dev/null)" != "$stamp" ] || exit 0

echo "venv: installing the tools into .venv (a minute or two, only when the requirements change)"
version() { "$1" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null; }
if [ ! -x .venv/bin/pip ] || [ "$(version .venv/bin/python)" != "$(version "$python")" ]; then
    "$python" -m venv --clear .venv
fi
if ! .venv/bin/pip install --disable-pip-version-check --no-input -q -r tests/requirements.txt; then
    echo "venv: pip could not install tests/requirements.txt, see above" >&2
    exit 1
fi
echo "$stamp" >.venv/.stamp
