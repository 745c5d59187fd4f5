# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Completes the pages that antsibull-docs made, before Sphinx reads them. Usage: ``pages.py DIRECTORY``.

The architecture and the release notes become pages, the index of environment variables names those of the collection, and
the lists of pages get captions, which the sidebar shows.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = ("PIDONE_SYSTEMD_JEEPNEY_DIR", "PIDONE_SYSTEMD_KEEP_COMPILED")
# Category of changelog fragments -> heading.
CATEGORIES = {
    "major_changes": "Major changes",
    "minor_changes": "Minor changes",
    "breaking_changes": "Breaking changes",
    "deprecated_features": "Deprecated features",
    "removed_features": "Removed features",
    "security_fixes": "Security fixes",
    "bugfixes": "Bug fixes",
    "known_issues": "Known issues",
}


def heading(text: str, line: str = "=") -> str:
    """A heading of reStructuredText."""
    return f"{text}\n{line * len(text)}\n\n"


def from_markdown(path: Path) -> str:
    """A page with the text of a Markdown file."""
    text = re.sub(r"<!--.*?-->", "", path.read_text(), flags=re.DOTALL).strip()
    title, _end, body = text.partition("\n")
    html = MarkdownIt("commonmark").enable("table").render(body)
    return heading(title.lstrip("# ")) + ".. raw:: html\n\n" + "".join(f"   {line}\n" for line in html.splitlines())


def release_notes() -> str:
    """What the changelog says of releases, and of what has not been released yet."""
    found: dict[str, dict[str, list[str]]] = {}
    coming: dict[str, list[str]] = {}
    for fragment in sorted((ROOT / "changelogs" / "fragments").glob("*.yml")):
        for category, texts in (yaml.safe_load(fragment.read_text()) or {}).items():
            coming.setdefault(category, []).extend([texts] if isinstance(texts, str) else texts)
    if coming:
        found["Not released yet"] = coming
    releases = (yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text()) or {}).get("releases") or {}
    for version in sorted(releases, key=lambda each: [int(n) for n in re.findall(r"\d+", each)], reverse=True):
        found[f"Version {version}"] = releases[version].get("changes") or {}
    page = heading("Release notes")
    for version, changes in found.items():
        page += heading(version, "-")
        if isinstance(changes.get("release_summary"), str):
            page += f"{changes['release_summary'].strip()}\n\n"
        elif changes.get("release_summary"):
            page += "\n\n".join(changes["release_summary"]).strip() + "\n\n"
        for category, title in CATEGORIES.items():
            if changes.get(category):
                page += heading(title, "~")
                page += "".join(f"- {text.strip()}\n".replace("\n", "\n  ").rstrip(" ") for text in changes[category]) + "\n"
    return page


def with_captions(index: str) -> str:
    """The index with the last heading before each list of pages as its caption, and a list of the pages made here."""
    out: list[str] = []
    last = ""
    lines = index.splitlines()
    for at, line in enumerate(lines):
        if at and re.fullmatch(r"([-=~])\1{2,}", line):
            last = lines[at - 1]
        out.append(line)
        if line == ".. toctree::" and any(each.strip() for each in lines[at + 2 : at + 6]) and last != "Description":
            out.append(f"    :caption: {last}")
    pages = ["architecture", "release_notes", "environment_variables"]
    out += ["", *heading("About the collection", "-").splitlines(), ".. toctree::", "    :maxdepth: 1"]
    out += ["    :caption: About the collection", "", *(f"    {page}" for page in pages), ""]
    return "\n".join(out)


def main(directory: Path) -> None:
    """Write and change the pages of a directory."""
    (directory / "architecture.rst").write_text(from_markdown(ROOT / "docs" / "architecture.md"))
    (directory / "release_notes.rst").write_text(release_notes())
    variables = directory / "environment_variables.rst"
    text = variables.read_text().replace(":orphan:\n\n", "")
    if "No environment variables have been defined." not in text:
        raise SystemExit("antsibull-docs lists variables by itself now: take this out")
    named = "".join(f"- :envvar:`{name}`\n" for name in VARIABLES)
    told = "No plugin reads an environment variable on the controller. Tasks on hosts read these:\n\n"
    variables.write_text(text.replace("No environment variables have been defined.\n", told + named))
    index = directory / "index.rst"
    index.write_text(with_captions(index.read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
