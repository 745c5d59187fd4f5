# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What presets say of instances (systemd.preset(5)). On D-Bus systemd tells only what they say of the template's file name."""

from __future__ import annotations

import fnmatch
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._systemd.names import (
    instance_of,
    is_template,
    python_pattern,
    template_of,
)
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import words_of
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.tree import Tree

_PLACES = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
_ACTIONS = {"enable": "enabled", "disable": "disabled", "ignore": ""}


class Rule(t.NamedTuple):
    """One line: what becomes (`enabled`, `disabled`, empty for nothing) of units that match, or of these instances of a template."""

    preset: str
    pattern: str
    instances: t.Sequence[str] = ()


def parse_rules(text: str) -> list[Rule]:
    """The rules of one file; what systemd makes nothing of is passed over."""
    rules = []
    for line in text.replace("\r", "\n").split("\n"):
        words = words_of(line)
        if len(words) < 2 or words[0] not in _ACTIONS:
            continue
        preset, pattern, instances = _ACTIONS[words[0]], words[1], words[2:]
        if instances and (preset != "enabled" or not is_template(pattern)):
            # Of an `enable` systemd ignores the line; of the others it takes all of it for the pattern, which then matches nothing.
            continue
        rules.append(Rule(preset, pattern, instances))
    return rules


def read_rules(tree: Tree, kind: str) -> list[Rule]:
    """All rules of a host or tree, the first that matches winning.

    :param kind: `system`, or `user` for those of all users' managers.
    :raises Unreadable: a file may not be read.
    """
    files: dict[str, str] = {}
    for place in _PLACES:
        directory = f"{tree.root}{place}/systemd/{kind}-preset"
        for name in tree.names(directory):
            if name.endswith(".preset"):
                files.setdefault(name, f"{directory}/{name}")
    return [rule for name in sorted(files) for rule in parse_rules(tree.read_text(files[name], errors="replace") or "")]


def preset_of(rules: t.Iterable[Rule], name: str) -> str:
    """What the rules say of an instance: `enabled`, `disabled`, or empty for nothing; where none matches it is enabled."""
    for rule in rules:
        listed = rule.pattern == template_of(name) and instance_of(name) in rule.instances
        if listed or fnmatch.fnmatchcase(name, python_pattern(rule.pattern)):
            return rule.preset
    return "enabled"


def instances_of(rules: t.Iterable[Rule], template: str) -> list[str]:
    """The instances of a template that the rule which is about it names."""
    for rule in rules:
        if fnmatch.fnmatchcase(template, python_pattern(rule.pattern)):
            return [template.replace("@.", f"@{instance}.") for instance in rule.instances]
    return []
