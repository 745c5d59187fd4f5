# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be in `services`, and how it is named where it may not."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.handover.options import (
    GivenDropin,
    GivenUnit,
    check_services,
)

BAD: list[tuple[str, t.Any]] = [
    ("services[1]:", "text"),
    ("services[1]:", 5),
    ("services[1].name:", {"name": None}),
    ("services[1].name:", {"name": 5}),
    ("services[1].name:", {"name": ""}),
    ("services[1].name:", {"name": "../x"}),
    ("services[1].name:", {"name": ".x"}),
    ("services[1].name:", {"name": "a\0b"}),
    ("services[1].name:", {"name": "a\nb"}),
    ("services[1].name:", {"name": "ä" * 150}),
    ("services[1].name:", {"name": "n" * 300}),
    ("services[1].name:", {"name": "\ud800"}),
    ("services[1].definition:", {"definition": "text"}),
    ("services[1].definition.path:", {"definition": {"path": 5}}),
    ("services[1].definition.path:", {"definition": {"path": "etc/sv/x"}}),
    ("services[1].definition.path:", {"definition": {"path": "/etc/sv/x\0"}}),
    ("services[1].path:", {"path": "/etc\n"}),
    ("services[1].definition.links:", {"definition": {"links": 5}}),
    ("services[1].definition.links:", {"definition": {"links": "/etc/service/x"}}),
    ("services[1].definition.links[0]:", {"definition": {"links": ["x"]}}),
    ("services[1].definition.links[1]:", {"definition": {"links": ["/x", "/x\0"]}}),
    ("services[1].source:", {"source": "s6"}),
    ("services[1].source:", {"source": ["runit"]}),
    ("services[1].accept:", {"accept": 5}),
    ("services[1].accept:", {"accept": "limits"}),
    ("services[1].accept[0]:", {"accept": [["limits"]]}),
    ("services[1].accept[0]:", {"accept": ["x"]}),
    ("services[1].units:", {"units": {"name": "x"}}),
    ("services[1].units:", {"units": "x.service"}),
    ("services[1].units[0]:", {"units": ["x.service"]}),
    ("services[1].units[0]:", {"units": [None]}),
    ("services[1].units[0].name:", {"units": [{"content": "x"}]}),
    ("services[1].units[0].name:", {"units": [{"name": "../../x.service"}]}),
    ("services[1].units[0].name:", {"units": [{"name": "n" * 300}]}),
    ("services[1].units[0].content:", {"units": [{"name": "x", "content": 5}]}),
    ("services[1].units[0].content: is empty", {"units": [{"name": "x", "content": " \n"}]}),
    ("services[1].units[0].content: holds a NUL", {"units": [{"name": "x", "content": "[Service]\0"}]}),
    ("services[1].units[0].content: character 3", {"units": [{"name": "x", "content": "[S\ud800"}]}),
    ("services[1].dropins:", {"dropins": "x"}),
    ("services[1].dropins[0]:", {"dropins": ["x"]}),
    ("services[1].dropins[0].unit:", {"dropins": [{"name": "x", "content": ""}]}),
    ("services[1].dropins[0].name:", {"dropins": [{"unit": "x", "content": ""}]}),
    ("services[1].dropins[0].name:", {"dropins": [{"unit": "x", "name": "../x", "content": ""}]}),
    ("services[1].dropins[0].content:", {"dropins": [{"unit": "x", "name": "y"}]}),
    ("services[1].packaged:", {"packaged": 5}),
    ("services[1].packaged.name:", {"packaged": {"name": "/etc/passwd"}}),
    ("services[1].state:", {"state": "up"}),
    ("services[1].state.pid:", {"state": {"pid": "1"}}),
    ("services[1].state.pid:", {"state": {"pid": 10**30}}),
]


@pytest.mark.parametrize(("words", "service"), BAD)
def test_bad(words: str, service: t.Any) -> None:
    given = {"name": "x", **service} if isinstance(service, dict) else service
    with pytest.raises(BadInput) as caught:
        check_services([{"name": "good"}, given])
    assert caught.value.msg.startswith(words)
    assert caught.value.msg.isprintable()
    assert len(caught.value.msg) < 300


def test_all_of_it() -> None:
    (given,) = check_services(
        [
            {
                "name": "web",
                "source": "daemontools",
                "definition": {"path": "//etc/sv/../sv/web/", "links": ["/service/web"]},
                "units": [{"name": "web"}, {"name": "web.socket", "content": "[Socket]\n"}],
                "dropins": [{"unit": "web", "name": "local", "content": ""}],
                "packaged": {"name": "web.service", "path": "/lib/systemd/system/web.service"},
                "accept": ["limits"],
                "translation": "native",
                "state": {"pid": 7, "enabled": True},
                "more": object(),
            }
        ]
    )
    assert (given.path, given.links) == ("/etc/sv/web", ["/service/web"])
    assert given.units == [GivenUnit("web.service", None), GivenUnit("web.socket", "[Socket]\n")]
    assert given.dropins == [GivenDropin("web.service", "local.conf", "")]
    assert (given.packaged, given.accept, given.translation) == ("web.service", ["limits"], "native")


def test_the_least_of_it() -> None:
    (given,) = check_services([{"name": "web", "definition": None, "units": None, "packaged": None, "path": "/etc/sv/web"}])
    assert (given.path, given.links, given.source, given.units, given.packaged) == ("/etc/sv/web", [], None, [], "")
