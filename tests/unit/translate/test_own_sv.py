# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One answer to whether a script takes its own service down, wherever it is asked."""

from __future__ import annotations

import types

import pytest

from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit.sv import own_sv

WEB = types.SimpleNamespace(name="web", path="/etc/sv/web")


@pytest.mark.parametrize(
    "name",
    ["web", ".", "./", "/etc/sv/web", "/service/web", '"$PWD"', "$NAME", "$SERVICE", '"$(basename $PWD)"', "$(dirname $0)", "`pwd`"],
)
def test_own_names(name: str) -> None:
    assert own_sv(["sv", "-w", "5", "down", name], WEB)  # type: ignore[arg-type]
    assert own_sv(["sv", "shutdown", name], WEB, for_good=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [["sv", "down", "mail"], ["sv", "up", "web"], ["sv", "down"], ["sv", "down", "/service/webmail"]])
def test_others(words: list[str]) -> None:
    assert not own_sv(words, WEB)  # type: ignore[arg-type]


def test_what_runsv_starts_again() -> None:
    assert own_sv(["sv", "term", "web"], WEB)  # type: ignore[arg-type]
    assert not own_sv(["sv", "term", "web"], WEB, for_good=True)  # type: ignore[arg-type]
