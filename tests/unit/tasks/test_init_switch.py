# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /sbin/init is, and the way back, in a tree of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init.switch import Init, trial_units


@pytest.fixture(params=["link", "program"])
def init(request: pytest.FixtureRequest, tmp_path: Path) -> Init:
    """A tree with merged directories, where /sbin/init is a link to runit-init, or is that program."""
    sbin = tmp_path / "usr" / "sbin"
    sbin.mkdir(parents=True)
    (tmp_path / "sbin").symlink_to("usr/sbin")
    (sbin / "runit-init").write_text("runit")
    if request.param == "link":
        (sbin / "init").symlink_to("runit-init")
    else:
        os.link(sbin / "runit-init", sbin / "init")
    systemd = tmp_path / "usr" / "lib" / "systemd" / "systemd"
    systemd.parent.mkdir(parents=True)
    systemd.write_text("systemd")
    systemd.chmod(0o755)
    return Init(str(tmp_path))


def picture(init: Init) -> dict[str, str]:
    directory = Path(init.path).parent
    return {path.name: os.readlink(path) if path.is_symlink() else path.read_text() for path in directory.iterdir()}


def test_there_and_back(init: Init) -> None:
    before = picture(init)
    assert init.boots() in ("runit-init", "init")
    assert init.keep()
    assert init.choose_systemd()
    assert init.boots() == "systemd"
    assert os.readlink(init.path) == "/usr/lib/systemd/systemd"
    assert init.old_program().endswith(("/runit-init", "/init.before-systemd"))
    assert not init.keep()
    assert not init.choose_systemd()

    assert init.choose_old()
    assert not init.choose_old()
    assert init.boots() in ("runit-init", "init")
    assert init.forget()
    assert not init.forget()
    assert picture(init) == before


def test_it_can_be_chosen_again_and_again(init: Init) -> None:
    # the first boot on trial goes back, and its confirmation chooses systemd again
    init.keep()
    for dummy in range(3):
        assert init.choose_systemd()
        assert init.choose_old()
    assert Path(init.path).read_text() == "runit"


def test_without_systemd_nothing_is_chosen(init: Init) -> None:
    (Path(init.root) / "usr/lib/systemd/systemd").unlink()
    init.keep()
    with pytest.raises(SystemdError, match="install the package systemd first"):
        init.choose_systemd()
    assert init.boots() != "systemd"


def test_without_a_kept_one_there_is_no_way_back(init: Init) -> None:
    init.choose_systemd()
    assert not init.choose_old()
    assert init.boots() == "systemd"


def test_the_trial_ends_in_a_reboot_and_begins_with_the_way_back(init: Init) -> None:
    back, timer, fallback = trial_units(init, 600).values()
    assert f"ExecStart=/bin/mv -fT {init.path}.trial {init.path}" in back
    assert "WantedBy=sysinit.target" in back
    assert "OnBootSec=600\n" in timer
    assert "Unit=pidone-init-fallback.service" in timer
    assert "SuccessAction=reboot" in fallback
