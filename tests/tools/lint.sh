#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The static quality gates, each with a line of its own; all of them run, then the failed ones are named.
# Usage: lint.sh [GATE...]   (see `gates` below; without arguments: all)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
PATH=$PWD/.venv/bin:$PATH
export ANSIBLE_COLLECTIONS_PATH=$PWD/build/collections PYTHONDONTWRITEBYTECODE=1
gates=(ruff mypy python38 shellcheck yamllint reuse changelog docs ansible-lint stripped galaxy-importer)

gate_ruff() { ruff check --quiet .; }

gate_mypy() {
    mypy --no-error-summary -p ansible_collections.pidone.systemd.plugins -p tests
}

# What is sent to managed hosts uses nothing of the standard library that Python 3.8 does not have.
gate_python38() { vermin --quiet --no-tips --violations --target=3.8- plugins/modules plugins/module_utils; }

gate_shellcheck() {
    # scripts by their first line, whatever their names
    local scripts
    mapfile -t scripts < <(git ls-files --cached --others --exclude-standard | while read -r file; do
        [ -f "$file" ] && head -n1 "$file" | grep -aqE '^#!.*\b(ba)?sh\b' && echo "$file"
    done)
    shellcheck "${scripts[@]}"
}

gate_yamllint() { yamllint --strict .; }

gate_reuse() {
    # of a copy: under build/, files come and go while others work
    tests/tools/export-tree.sh build/reuse && reuse --root build/reuse/ansible_collections/pidone/systemd lint --lines
}

gate_changelog() {
    antsibull-changelog lint && antsibull-changelog lint-changelog-yaml --strict changelogs/changelog.yaml
}

gate_docs() {
    antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs dependent \
        --disallow-unknown-collection-refs --check-extra-docs-refs "$PWD/build/collections/ansible_collections/pidone/systemd"
}

gate_ansible-lint() { ansible-lint --strict --profile production --offline -q --nocolor </dev/null; }

# Distributions delete everything but these directories. What is left has to load and to document itself.
gate_stripped() {
    local work=$PWD/build/stripped top
    top=$work/ansible_collections/pidone/systemd
    tests/tools/export-tree.sh "$work"
    find "$top" -mindepth 1 -maxdepth 1 -regextype posix-extended \
        -not -regex '.*/(galaxy.yml|meta|plugins|roles|playbooks|extensions)' -exec rm -rf {} +
    local -x ANSIBLE_COLLECTIONS_PATH=$work
    ansible-doc --metadata-dump pidone.systemd >"$work/docs.json" || return 1  # fails on what cannot be loaded
    python - "$work/docs.json" "$top" <<'PY'
import json
import sys
from pathlib import Path

with open(sys.argv[1]) as file:
    documented = {name for plugins in json.load(file)["all"].values() for name in plugins}
for path in sorted(Path(sys.argv[2], "plugins", "modules").glob("*.py")):
    if f"pidone.systemd.{path.stem}" not in documented:
        sys.exit(f"module {path.stem} cannot be loaded without the rest of the repository")
PY
}

# What Galaxy would do with the published artifact. Its own exit status ignores warnings; here they are failures.
gate_galaxy-importer() {
    local work=$PWD/build/importer log=$PWD/build/importer/importer.log artifact
    tests/tools/export-tree.sh "$work"
    rm -rf "$work/dist"
    (cd "$work/ansible_collections/pidone/systemd" &&
        ansible-galaxy collection build --force --output-path "$work/dist" >/dev/null) || return 1
    artifact=("$work"/dist/*.tar.gz)
    (cd "$work" && python -m galaxy_importer.main "${artifact[0]}" >"$log" 2>&1)
    local status=$?
    if [ $status -ne 0 ] || grep -qE '^(WARNING|ERROR|CRITICAL)' "$log"; then
        cat "$log"
        return 1
    fi
}

failed=()
for gate in "${@:-${gates[@]}}"; do
    start=$SECONDS
    if output=$("gate_$gate" 2>&1); then
        printf '  ok      %-16s %3d s\n' "$gate" $((SECONDS - start))
    else
        failed+=("$gate")
        printf '  FAILED  %-16s %3d s\n' "$gate" $((SECONDS - start))
        printf '%s\n' "$output" | sed 's/^/      /'
    fi
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "lint: failed: ${failed[*]}" >&2
    exit 1
fi
