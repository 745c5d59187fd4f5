#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs the molecule scenarios, each on hosts of its own. Usage: molecule.sh [SCENARIO...]   (without arguments: all)
set -euo pipefail
cd "$(dirname "$0")/../../extensions"
PATH=$PWD/../.venv/bin:$PATH
export ANSIBLE_COLLECTIONS_PATH=$PWD/../build/collections
[ -t 1 ] || export NO_COLOR=1 ANSIBLE_NOCOLOR=1 PY_COLORS=0
if [ $# -eq 0 ]; then
    shopt -s nullglob
    scenarios=()
    for file in molecule/*/molecule.yml; do
        scenarios+=("$(basename "$(dirname "$file")")")
    done
    set -- "${scenarios[@]}"
fi
for scenario in "$@"; do
    molecule test --scenario-name "$scenario" </dev/null
done
