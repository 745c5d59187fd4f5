# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start scripts, interpreted: what they come to in systemd's terms.

`interpreter` goes from statement to statement and has `handlers` take them. `scope` is what is known at a statement and `outcome`
what the script has come to; `dialect` is what a supervisor adds to the shell. `wrappers` are commands that run another, `programs`
what is known of commands by their names.
"""
