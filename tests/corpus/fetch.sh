#!/usr/bin/env bash
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fetch Debian's packages of runit services into build/corpus, to try the translator on scripts that others wrote.
# Nothing of them is committed but the units that we make of them.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

packages=(
  runit runit-services bcron cryptsetup-run daemontools-run dropbear-run getty-run git-daemon-run mini-httpd-run
  dnscache-run dropbear ipsvd mailfront mongrel2-run opensmtpd-run socklog-run walldns tinydns rbldns axfrdns cereal
)
mkdir -p build/corpus/debs build/corpus/files
cd build/corpus/debs
for package in "${packages[@]}"; do
  # Not every release has all of them.
  ls "${package}"_*.deb >/dev/null 2>&1 || apt-get download "$package" >/dev/null 2>&1 || true
done
for deb in *.deb; do
  directory="../files/${deb%%_*}"
  [ -d "$directory" ] || dpkg -x "$deb" "$directory"
done
echo "$(find ../files -mindepth 1 -maxdepth 1 -type d | wc -l) packages in build/corpus/files"
