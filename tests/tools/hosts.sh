#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs the tests that need real hosts.
# Usage: hosts.sh "KIND..." [PYTEST ARGUMENT...]   (an empty list of kinds: all that tests want)
set -euo pipefail
cd "$(dirname "$0")/../.."
kinds=$1
shift
if [ "$(id -u)" -ne 0 ]; then
    echo "hosts: booting test hosts takes root; run it as root" >&2
    exit 1
fi
if [ -n "$kinds" ]; then
    export PIDONE_HOSTS=$kinds
fi
# built before any test waits for them: those named, or all
# shellcheck disable=SC2086  # one word per kind
tests/lab/lab images $kinds >/dev/null
# each process boots the hosts it needs, and its tests share them (tests/lab/fixtures.py)
exec .venv/bin/pytest tests/hosts tests/attacks -q -n 4 --dist loadgroup --no-loadscope-reorder "$@" </dev/null
