# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""runit and daemontools: a service directory as a service of systemd's.

`translator` puts the parts together: `run`, `finish`, `control` and `log` look at the scripts of these names, and `process`, `one_shots`
and `manner` make a service of what the run script has come to. What runit adds to scripts is `dialect` and `sv`; `draft` is what there is so far.
"""
