# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of files, and kernels that are installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._observe.kernel import Kernel, look_at_kernel, wants_reboot
from ansible_collections.pidone.systemd.plugins.module_utils._observe.packages import owners

LIBC, SSL = "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libssl.so.3"


def put(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_of_dpkg(tmp_path: Path) -> None:
    info = tmp_path / "var/lib/dpkg/info"
    # As of before /lib and /usr/lib were one.
    put(info / "libc6:amd64.list", f"/.\n/lib\n{LIBC[4:]}\n")
    put(info / "libssl3:amd64.list", f"/.\n{SSL}\n")
    put(info / "libz.list", "/usr/lib/libz.so.1\n/usr/lib/libz.so.1.3\n")
    put(info / "libz.md5sums", "/usr/lib/other\n")
    asked = [LIBC, SSL, "/usr/lib/libz.so.1.2.13", "/srv/own", "/usr/lib/other", "/lib"]
    assert owners(asked, root=str(tmp_path)) == {
        LIBC: "libc6",
        SSL: "libssl3",
        # Gone since, and still the package's by the name that it is asked for by.
        "/usr/lib/libz.so.1.2.13": "libz",
        "/lib": "libc6",
    }
    assert owners([], root=str(tmp_path)) == {}


def test_a_path_counts_before_the_name_it_is_asked_for_by(tmp_path: Path) -> None:
    info = tmp_path / "var/lib/dpkg/info"
    put(info / "a-dev.list", "/usr/lib/liba.so.1\n")
    put(info / "a.list", "/usr/lib/liba.so.1.2\n")
    assert owners(["/usr/lib/liba.so.1.2"], root=str(tmp_path)) == {"/usr/lib/liba.so.1.2": "a"}


def test_of_pacman(tmp_path: Path) -> None:
    local = tmp_path / "var/lib/pacman/local"
    put(local / "gcc-libs-13.2.1-3/files", "%FILES%\nusr/\nusr/lib/libgcc_s.so.1\n\n%BACKUP%\n")
    put(local / "ALPM_DB_VERSION", "9\n")
    assert owners(["/usr/lib/libgcc_s.so.1", "/usr/bin/x"], root=str(tmp_path)) == {"/usr/lib/libgcc_s.so.1": "gcc-libs"}


def test_of_rpm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files of the packages are told, in any order, beside what rpm says of files that are nobody's."""
    (tmp_path / "usr/lib/sysimage/rpm").mkdir(parents=True)
    here = tmp_path / "lib here.so"
    put(here)
    rpm = tmp_path / "bin/rpm"
    put(
        rpm,
        f'#!/bin/sh\necho "$@" >{tmp_path}/asked\n'
        f"printf '/usr/bin/x\\tother\\nfile /nope is not owned by any package\\n{here}\\tthe-package\\n'; exit 1\n",
    )
    rpm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{rpm.parent}:{os.environ['PATH']}")
    assert owners([str(here), "/nope/gone.so"], root=str(tmp_path)) == {str(here): "the-package"}
    asked = (tmp_path / "asked").read_text()
    assert asked.endswith(f" -f -- {here}\n"), "what is gone is not asked for"
    rpm.unlink()
    monkeypatch.setenv("PATH", str(rpm.parent))
    assert owners([str(here)], root=str(tmp_path)) == {}


def test_of_nobody(tmp_path: Path) -> None:
    assert owners([LIBC], root=str(tmp_path)) == {}


@pytest.mark.parametrize(
    ("running", "images", "modules", "newest", "outdated"),
    [
        ("6.1.0-18-amd64", ["6.1.0-18-amd64"], ["6.1.0-18-amd64"], "6.1.0-18-amd64", False),
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-18-amd64"], [], "6.1.0-18-amd64", True),
        ("6.1.0-18-amd64", ["6.1.0-9-amd64", "6.1.0-18-amd64"], [], "6.1.0-18-amd64", False),
        # Another kind is nothing to boot into by itself.
        ("6.1.0-9-cloud-amd64", ["6.1.0-9-cloud-amd64", "6.1.0-18-amd64"], [], "6.1.0-9-cloud-amd64", False),
        ("5.14.0-427.el9_4.x86_64", [], ["5.14.0-427.el9_4.x86_64", "5.14.0-503.el9_5.x86_64"], "5.14.0-503.el9_5.x86_64", True),
        # The first kernel of a release of RHEL has fewer numbers than its updates.
        ("4.18.0-193.1.2.el8_2.x86_64", [], ["4.18.0-193.el8.x86_64", "4.18.0-193.1.2.el8_2.x86_64"], "4.18.0-193.1.2.el8_2.x86_64", False),
        ("4.18.0-193.el8.x86_64", [], ["4.18.0-193.el8.x86_64", "4.18.0-193.1.2.el8_2.x86_64"], "4.18.0-193.1.2.el8_2.x86_64", True),
        # Arch Linux removes the modules of the kernel that runs.
        ("6.7.1-arch1-1", ["linux"], ["6.7.2-arch1-1"], "6.7.2-arch1-1", True),
        # A container, or what boots from elsewhere.
        ("6.1.0-18-amd64", [], [], None, None),
        ("6.1.0-18-amd64", [], ["5.10.0-1-rt"], None, None),
    ],
)
def test_kernels(
    tmp_path: Path, running: str, images: list[str], modules: list[str], newest: str | None, outdated: bool | None
) -> None:
    for name in images:
        put(tmp_path / f"boot/vmlinuz-{name}")
    for name in modules:
        put(tmp_path / f"lib/modules/{name}/modules.dep")
    # A directory that is left of one that was removed.
    put(tmp_path / "lib/modules/9.9.9-amd64/extra/a.ko")
    booted = os.stat(tmp_path).st_ctime + 1000
    assert look_at_kernel(str(tmp_path), running, booted) == Kernel(running, newest, outdated)


def test_a_kernel_that_was_replaced_under_its_name(tmp_path: Path) -> None:
    put(tmp_path / "boot/vmlinuz-6.1.0-18-amd64")
    changed = os.stat(tmp_path / "boot/vmlinuz-6.1.0-18-amd64").st_ctime
    assert look_at_kernel(str(tmp_path), "6.1.0-18-amd64", changed - 1).outdated is True
    assert look_at_kernel(str(tmp_path), "6.1.0-18-amd64", changed + 1).outdated is False


def test_word_that_a_package_has_left(tmp_path: Path) -> None:
    assert wants_reboot(str(tmp_path)) is False
    put(tmp_path / "run/reboot-required")
    assert wants_reboot(str(tmp_path)) is True
