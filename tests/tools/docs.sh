#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Builds the HTML documentation, from the modules' documentation and docs/docsite, into build/docs. Needs no network.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH
export ANSIBLE_COLLECTIONS_PATH=$PWD/build/collections

work=$PWD/build/docs-rst
rm -rf "$work" build/docs
mkdir -p "$work"
chmod 0700 "$work"  # antsibull-docs refuses a directory that others could write to
antsibull-docs --config-file docs/sphinx/antsibull-docs.cfg collection --use-current --squash-hierarchy --fail-on-error \
    --dest-dir "$work" pidone.systemd
python docs/sphinx/pages.py "$work"
sphinx-build -q -W --keep-going -b html -c docs/sphinx -d build/docs-doctrees "$work" build/docs
echo "docs: build/docs/index.html"
