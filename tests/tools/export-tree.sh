#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Copies the collection as git knows it (tracked files, and new ones that are not ignored) into
# DEST/ansible_collections/pidone/systemd, a git repository of its own, as ansible-test wants it.
# Usage: export-tree.sh DEST [REVISION]   (with a revision: that one, instead of the files as they are now)
set -euo pipefail
cd "$(dirname "$0")/../.."

top=$1/ansible_collections/pidone/systemd
rm -rf "$top"
mkdir -p "$top"
if [ -n "${2:-}" ]; then
    git archive "$2" | tar -x -C "$top"
else
    git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do
            # a deleted file stays in the index until it is committed
            if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\0' "$file"; fi
        done |
        tar --create --null --files-from=- | tar -x -C "$top"
fi
git -C "$top" init -q -b main
git -C "$top" add -A
git -C "$top" -c user.name=export -c user.email=export@example.invalid commit -q --no-verify -m export
