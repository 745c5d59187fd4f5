# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's jeepney, packed for hosts that lack it."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import typing as t
import zipfile
import zlib
from pathlib import Path

# The first version that has all that is used here, Authenticator last.
OLDEST = "0.7"
# What `_dbus` uses. The rest of jeepney (its own connections, proxies, buses) is not needed on hosts.
PARTS = ("auth.py", "low_level.py")


class Bundle(t.NamedTuple):
    """A packed jeepney: the SHA-256 of the zip in hexadecimal, and the zip."""

    digest: str
    data: bytes

    def as_text(self) -> str:
        """The zip compressed and in base64."""
        return base64.b64encode(zlib.compress(self.data, 9)).decode()


class TooOld(Exception):
    """The controller's jeepney is older than 0.7; the text says where it is."""


def pack() -> Bundle | None:
    """Pack the jeepney of the Python that runs Ansible; None if it has none.

    The same jeepney always gives the same bytes (no compression, no times), so that hosts know it again.

    :raises TooOld: there is one that cannot be used.
    """
    found = importlib.util.find_spec("jeepney")
    if found is None or found.origin is None or not found.submodule_search_locations:
        return None  # nor is a folder that only has the name a library
    folder = Path(found.submodule_search_locations[0])
    files = {f"jeepney/{name}": (folder / name).read_bytes() for name in PARTS}
    if b"class Authenticator" not in files["jeepney/auth.py"]:
        raise TooOld(str(folder))
    files["jeepney/__init__.py"] = _package((folder / "__init__.py").read_text())
    # The licence, MIT, goes where the code goes.
    for path in sorted(folder.parent.glob("jeepney-*.dist-info/**/LICENSE*")):
        files["jeepney/LICENSE"] = path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name])
    data = buffer.getvalue()
    return Bundle(hashlib.sha256(data).hexdigest(), data)


def _package(original: str) -> bytes:
    """The package's own file without its imports, which would draw in everything."""
    version = [line for line in original.splitlines() if line.startswith("__version__")]
    lines = [
        '"""Part of jeepney, brought here by the Ansible collection pidone.systemd: auth and low_level only."""',
        *version,
    ]
    return "".join(f"{line}\n" for line in lines).encode()
