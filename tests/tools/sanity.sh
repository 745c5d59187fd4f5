#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs ansible-test sanity over a copy of the tree, on this machine. Arguments go to ansible-test.
# TREE=REVISION takes a commit instead of the files as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH
version=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

if compgen -G 'tests/sanity/ignore*' >/dev/null; then
    echo "sanity: there must be no ignore entries: $(echo tests/sanity/ignore*)" >&2
    exit 1
fi

# ansible-test makes a virtual environment for each tool without pip and fetches a script that installs pip into it. Where
# that script cannot be fetched, its place in the cache is taken by one that lets the pip we have do the same work.
bootstrap() {
    local requirements url version cache
    requirements=$(.venv/bin/python -c 'import ansible_test as m; print(m.__path__[0])')
    url=$(grep -oE "https://[^'\"]+get-pip-%s\.py" "$requirements/_util/target/setup/requirements.py" || true)
    version=$(sed -nE "s/^ +pip='([0-9.]+)',$/\1/p" "$requirements/_internal/python_requirements.py")
    [ -n "$url" ] && [ -n "$version" ] || return 0  # another ansible-core does it another way
    cache=$HOME/.ansible/test/cache/get_pip_${version//./_}.py
    if [ -s "$cache" ]; then
        grep -q PYTHON_WITH_PIP "$cache" || return 0  # the real one
    elif .venv/bin/python -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=5)' \
        "${url//%s/$version}" 2>/dev/null; then
        return 0
    else
        echo "sanity: the pip bootstrap script cannot be downloaded, the pip of .venv does its work"
    fi
    mkdir -p "$(dirname "$cache")"
    sed "s|@PYTHON@|$PWD/.venv/bin/python|" tests/tools/get_pip_offline.py >"$cache"
}
bootstrap

tests/tools/export-tree.sh build/sanity "${TREE:-}"
cd build/sanity/ansible_collections/pidone/systemd
# without what pip has to say while it fills the tools' environments
ansible-test sanity --local --python "$version" --color "${SANITY_COLOR:-no}" "$@" </dev/null 2>&1 |
    sed -uE '/^ *(Looking in|Collecting|Downloading|Installing|Successfully|Using cached|Requirement already|━)/d
        /^WARNING: Location .* is ignored/d'
