# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzzer's target for run scripts, with pieces of real ones and with what it once stumbled over."""

from __future__ import annotations

import random

import pytest

from tests.attacks.fuzz_run_scripts import one_input
from tests.unit.translate.test_any_script import LINES, TOKENS

FOUND = [b"", b"\0", b"\xff\xfe", b"exec foo\n%%\n%%exec bar", b"exec foo \xed\xa0\x80"]


@pytest.mark.parametrize("data", FOUND)
def test_what_was_found(data: bytes) -> None:
    one_input(data)


def test_pieces_of_scripts() -> None:
    chance = random.Random(7)
    for _turn in range(1500):
        parts = [chance.choice(chance.choice((LINES, TOKENS))) for _part in range(chance.randint(1, 12))]
        if chance.random() < 0.3:
            parts.insert(chance.randrange(len(parts)), "%%")
        one_input("\n".join(parts).encode("utf-8", "surrogateescape"))
