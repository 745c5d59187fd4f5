# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run scripts of ordered steps, made at random: each step has an effect that a later one, or the program in the end, can see."""

from __future__ import annotations

import random
import typing as t

# What the steps work on; it is empty when a script begins, and each program that is called notes what is in it.
TREE = "/srv/steps"
_VARIABLES = ("MODE", "PEER", "OPTS", "DATA")
_VALUES = ("fast", "10.0.0.1", "'two words'", '"$MODE-x"', "${PEER:-none}", "a:b")
_FILES = ("alpha", "beta", "gamma")
_USER = "stepper"


class _Script:
    """What is known of a script while it grows, so that its steps make sense together."""

    def __init__(self, chosen: random.Random) -> None:
        self.chosen = chosen
        self.functions = 0
        self.calls = 0

    def call(self) -> str:
        """A program with arguments that tell the state."""
        self.calls += 1
        words = [self.chosen.choice(('"$MODE"', "$PEER", '"${OPTS-}"', "$DATA", "plain", "-v", f"call{self.calls}", '"$PWD"'))
                 for _number in range(self.chosen.randint(1, 3))]  # fmt: skip
        return " ".join([self.chosen.choice(("step-a", "step-b", "/opt/steps/bin/step-c")), *words])

    def condition(self) -> str:
        """Something that earlier steps decide."""
        file, variable = self.chosen.choice(_FILES), self.chosen.choice(_VARIABLES)
        return self.chosen.choice(
            (
                f"[ -e {TREE}/{file} ]",
                f"test ! -f {TREE}/{file}",
                f'[ -n "${variable}" ]',
                '[ "$MODE" = fast ]',
                f"grep -q x {TREE}/{file} 2>/dev/null",
                f"[ -d {TREE}/{file}.d ] && [ -n \"$PEER\" ]",
            )
        )

    def effect(self) -> str:
        """One step on one line."""
        file, variable = self.chosen.choice(_FILES), self.chosen.choice(_VARIABLES)
        value = self.chosen.choice(_VALUES)
        return self.chosen.choice(
            (
                f"{variable}={value}",
                f"export {variable}={value}",
                f"export {variable}",
                f"unset {variable}",
                f"mkdir -p {TREE}/{file}.d",
                f"install -d -m 0750 {TREE}/{file}.d",
                f"touch {TREE}/{file}",
                f'echo "$MODE x" > {TREE}/{file}',
                f"echo more >>{TREE}/{file}",
                f"rm -f {TREE}/{file}",
                f"chmod 0640 {TREE}/{file} 2>/dev/null || true",
                f"chown {_USER} {TREE}/{file}.d 2>/dev/null || :",
                f"cd {TREE}",
                "cd /opt/steps",
                "umask 027",
                "umask 0002",
                "PATH=/opt/steps/bin:$PATH",
                f"{variable}=$(basename {TREE}/{file})",
                "exec 2>&1",
                ". /etc/default/steps",
                self.call(),
                f"{variable}={value} {self.call()}",
            )
        )

    def step(self) -> list[str]:
        """One statement, of one or more lines."""
        kind = self.chosen.randrange(10)
        if kind == 0:
            return [f"if {self.condition()}; then", f"  {self.effect()}", "else", f"  {self.effect()}", "fi"]
        if kind == 1:
            return [f"{self.condition()} && {self.effect()}", ":"]
        if kind == 2:
            return [f"{self.condition()} || {self.effect()}"]
        if kind == 3:
            return ["for each in one two; do", "  /opt/steps/bin/step-c $each \"$MODE\"", "done"]
        if kind == 4:
            return ['case "$MODE" in', f"  fast) {self.effect()} ;;", f"  *) {self.effect()} ;;", "esac"]
        if kind == 5:
            self.functions += 1
            name = f"part{self.functions}"
            return [f"{name}() {{", f"  {self.effect()}", f"  {self.effect()}", "}", name]
        if kind == 6:
            return [f"( {self.effect()}; {self.call()} )"]
        return [self.effect()]

    def end(self) -> str:
        """What the script becomes."""
        return "exec " + self.chosen.choice(("", "", f"chpst -u {_USER} ", "env EXTRA=1 ", "nice -n 3 ")) + self.call()


def script(seed: int, number: int) -> str:
    """A run script, the same for the same seed and number."""
    chosen = random.Random(f"{seed} {number}")
    made = _Script(chosen)
    lines = ["#!/bin/sh", *chosen.choice(([], [], ["set -e"], ["exec 2>&1"]))]
    for _step in range(chosen.randint(2, 7)):
        lines += made.step()
    return "\n".join([*lines, made.end(), ""])


#: What the scripts need on the host, beside the programs of their names: path -> text.
FILES: t.Mapping[str, str] = {"/etc/default/steps": "PEER=from-file\nOPTS='-q x'\n"}
PROGRAMS = ("step-a", "step-b")
PATHS = ("/opt/steps/bin/step-c",)
ACCOUNTS = (_USER,)
