#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Installs the Debian packages that the tests, the lab and the demo need; does nothing where all of them are there.
# Usage: prerequisites.sh [PACKAGE...]   (without arguments: everything in tests/debian-packages.txt)
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ $# -gt 0 ]; then
    wanted=("$@")
else
    mapfile -t wanted < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' tests/debian-packages.txt)
fi

if ! command -v dpkg-query >/dev/null; then
    echo "prerequisites: this is not a Debian machine; see to it that these are installed: ${wanted[*]}" >&2
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    # a Python that did not come from Debian may well have its own
    if [ "$package" = python3-venv ] && "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null; then continue; fi
    status=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null || true)
    [ "${status:0:2}" = ii ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "prerequisites: Debian packages are missing, and only root can install them. Run as root:" >&2
    echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

echo "prerequisites: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120)
mkdir -p build/logs
quietly() { "$@" </dev/null >build/logs/apt.log 2>&1 || { cat build/logs/apt.log >&2; return 1; }; }
quietly "${apt[@]}" update
# policy-rc.d: a package that brings a service must not start it on the machine that only tests.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 0755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
quietly "${apt[@]}" install --yes --no-install-recommends "${missing[@]}"
