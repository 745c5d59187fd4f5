# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service is after the first boot of systemd, compared with what it was under the source that the record names."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils import _sources
from ansible_collections.pidone.systemd.plugins.module_utils._observe.expected import Expected
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.init import verify

WAS: dict[str, t.Any] = {
    "pid": 100, "command": ["web"], "program": "/usr/bin/web", "uid": 33, "user": "www-data", "gid": 33, "group": "www-data",
    "group_ids": [], "groups": [], "cwd": "/etc/sv/web", "root": "/", "environment": ["PATH", "SVDIR"], "umask": "0022",
    "limits": {}, "nice": 0, "cgroup": "/", "session": 100, "stdio": ["/dev/null"] * 3, "sockets": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "worse"), [({}, set()), ({"source": "runit"}, set()), ({"source": "lamps"}, {"cwd", "environment"})]
)
def test_what_is_expected_is_the_sources(source: dict[str, str], worse: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of an earlier version names none, and is one of runit or daemontools."""
    lamps = SimpleNamespace(expected=lambda _path: Expected("/else", "it hangs there"))
    monkeypatch.setitem(_sources.SOURCES, "lamps", lambda: t.cast(t.Any, lamps))
    now = {**WAS, "pid": 200, "session": 200, "cwd": "/", "environment": ["PATH"], "cgroup": "/system.slice/web.service"}
    monkeypatch.setattr(verify, "snapshot", lambda _pid, _others: now)
    service: t.Any = {
        "name": "web", "path": "/etc/sv/web", "units": ["web.service"], "packaged": False, "accept": [], "wanted": True, "before": WAS,
        **source,
    }  # fmt: skip
    seen = {"web.service": verify.Seen("active", "running", 200, 0, "success", "simple", "", True, "loaded")}
    told = verify._service(service, seen, seen, ())
    assert {one["what"] for one in told["differences"] if one["worse"]} == worse
    assert (told["outcome"], told["parity"]) == ("failed" if worse else "handed_over", not worse)
