#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs the molecule scenarios, each on hosts of its own, three at a time; what one of them says is shown when it has ended.
# Usage: molecule.sh [SCENARIO...]   (without arguments: all)
set -euo pipefail
cd "$(dirname "$0")/../../extensions"
PATH=$PWD/../.venv/bin:$PATH
export ANSIBLE_COLLECTIONS_PATH=$PWD/../build/collections
[ -t 1 ] || export NO_COLOR=1 ANSIBLE_NOCOLOR=1 PY_COLORS=0
if [ $# -eq 0 ]; then
    shopt -s nullglob
    longest=runit_whole_system  # first, or it would run alone at the end
    scenarios=("$longest")
    for file in molecule/*/molecule.yml; do
        name=$(basename "$(dirname "$file")")
        [ "$name" = "$longest" ] || scenarios+=("$name")
    done
    set -- "${scenarios[@]}"
fi
# Molecule's own --workers has all scenarios share the hosts of one of them.
run_one() {
    local name=$1 verdict=ok
    echo "molecule: $name begins"
    molecule test --scenario-name "$name" >"$logs/$name.log" 2>&1 </dev/null || verdict=FAILED
    {
        flock 9  # nobody else's lines in between
        cat "$logs/$name.log"
        echo "molecule: $name $verdict"
    } 9>"$logs/lock"
    [ "$verdict" = ok ]
}
export -f run_one
export logs=$PWD/../build/logs/molecule
mkdir -p "$logs"
printf '%s\n' "$@" | xargs -P 3 -I '{}' bash -c 'run_one {}'
