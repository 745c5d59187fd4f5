# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the HTML documentation (``make docs``). It is built without the network."""

from __future__ import annotations

project = "pidone.systemd"
author = "pidone.systemd contributors"
copyright = "2026, pidone.systemd contributors"
title = "pidone.systemd"
html_title = "pidone.systemd"

extensions = ["sphinx_antsibull_ext"]
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
default_role = "any"

html_theme = "alabaster"
html_theme_options = {"description": "Manage systemd over its D-Bus API", "fixed_sidebar": True, "page_width": "1100px", "sidebar_width": "260px"}
html_static_path = ["static"]
html_css_files = ["extra.css"]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False

# Ansible's own pages are not here to be linked to.
suppress_warnings = ["ref.ref", "ref.any"]
