#!/bin/sh
# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every listening TCP socket with the program and the user behind it, one a line.
set -eu
ss -Hltnp | sed -nE 's/.* ([^ ]+:[0-9]+) +[^ ]+ +users:\(\("([^"]+)",pid=([0-9]+).*/\1 \2 \3/p' |
    while read -r address program pid; do echo "$address $program $(stat -c %U "/proc/$pid")"; done | sort
