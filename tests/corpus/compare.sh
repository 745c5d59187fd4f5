#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Compare the units made of Debian's runit services with the units that the packages of the same programs ship.
# Run tests/corpus/fetch.sh first. Nothing that is fetched is committed.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

packages=(
  anacron apache2 at chrony cron cups-daemon dbus dropbear-bin elogind haveged isc-dhcp-server lightdm
  mariadb-server mdadm openntpd postfix preload proftpd-core rsyslog sddm slim xdm
)
mkdir -p build/corpus/shipped/debs
cd build/corpus/shipped/debs
for package in "${packages[@]}"; do
  ls "${package}"_*.deb >/dev/null 2>&1 || apt-get download "$package" >/dev/null 2>&1 || echo "not to be had: $package" >&2
done
for deb in *.deb; do
  directory="../${deb%%_*}"
  [ -d "$directory" ] || dpkg -x "$deb" "$directory"
done
cd ../../../..
PYTHONPATH=.:build/collections "${PYTHON:-.venv/bin/python}" tests/corpus/compare.py
