# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from files, for many units at once, is what systemd says of each, in all shapes that units have: enablement, links
that are missing, how services run and end, and which files units are made of."""

from __future__ import annotations

import io
import json
import random
import tarfile
import typing as t
from pathlib import Path

import jeepney
import pytest

from tests.lab.fixtures import every_version

pytestmark = every_version

REMOTE = "/root/enablement"
UTILS = "ansible_collections/pidone/systemd/plugins/module_utils"
ROOT = Path(__file__).resolve().parents[2]
SHIPPED = (
    "_errors.py",
    "_dbus/connection.py",
    "_dbus/errors.py",
    "_dbus/messages.py",
    "_dbus/places.py",
    "_systemd/enablement.py",
    "_systemd/names.py",
    "_systemd/numbers.py",
    "_systemd/reading.py",
    "_systemd/services.py",
)
ETC, RUN, LOCAL, LIB = "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/lib/systemd/system"
PLACES = (ETC, RUN, LOCAL, LIB, "/run/systemd/transient", "/run/systemd/generator", "/run/systemd/generator.late",
          "/etc/systemd/system.attached", "/etc/systemd/system.control")  # fmt: skip
LASTING = [ETC]

WANTED = "[Unit]\nDescription=x\n\n[Service]\nExecStart=/bin/true\n\n[Install]\nWantedBy=multi-user.target\n"
STATIC = "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n"
# Of each text: what is told of a unit that is this file alone, or None where systemd has to be asked.
TEXTS: dict[str, tuple[str, str | None]] = {
    "wanted": (WANTED, "disabled"),
    "static": (STATIC, "static"),
    "required": (STATIC + "[Install]\n# why\nRequiredBy = multi-user.target  b.target\n", "disabled"),
    "also": (STATIC + "[Install]\nAlso=dbus.service\n", "indirect"),
    "also and wanted": (STATIC + "[Install]\nAlso=dbus.service\nWantedBy=multi-user.target\n", "disabled"),
    "alias": (STATIC + "[Install]\nAlias=NAME-alias.service\n", "disabled"),
    "alias of another type": (STATIC + "[Install]\nAlias=NAME-alias.mount\n", None),
    "empty install": (STATIC + "[Install]\n", "static"),
    "comments": ("# [x\n[Service]\nExecStart=/bin/true\n[Install]\n; none\n#WantedBy=a.target\n", "static"),
    "no end": (STATIC + "[Install]\nWantedBy=multi-user.target", "disabled"),
    "blanks": (STATIC + "[Install]  \n\n \nWantedBy=multi-user.target \n\n", "disabled"),
    "brackets": (STATIC + "ExecStart=/bin/sh -c '[ a ] && [b'\n[Install]\nWantedBy=a.target\n", "disabled"),
    "continued": ("[Service]\nExecStart=/bin/sh \\\n  -c true\n[Install]\nWantedBy=a.target\n", "disabled"),
    "nothing": ("", None),
    "reset": (STATIC + "[Install]\nWantedBy=a.target\nWantedBy=\n", None),
    "continued install": (STATIC + "[Install]\nAlso=\\\n  dbus.service\n", None),
    "continued into": (STATIC + "X=\\\n[Install]\nWantedBy=a.target\n", None),
    "continued comment": (STATIC + "X=\\\n# no\n[Install]\nWantedBy=a.target\n", None),
    "indented": (STATIC + "  [Install]\nWantedBy=a.target\n", None),
    "returns": (WANTED.replace("\n", "\r\n"), None),
    "mark": ("\xef\xbb\xbf" + WANTED, None),
    "no head": (STATIC + "[Install\nWantedBy=a.target\n", None),
    "no section": ("[Unit]\n[X y\n" + WANTED, None),
    "zero": (WANTED + "\0", None),
    "include": (".include /dev/null\n" + WANTED, None),
    "not last": ("[Install]\nWantedBy=a.target\n" + STATIC, None),
    "twice": (WANTED + STATIC + "[Install]\nAlso=dbus.service\n", None),
    "specifier": (STATIC + "[Install]\nWantedBy=%p.target\n", None),
    "bad specifier": (STATIC + "[Install]\nAlso=%z.service\n", None),
    "bad also": (STATIC + "[Install]\nAlso=nothing at all\n", None),
    "default instance": (STATIC + "[Install]\nDefaultInstance=x\n", None),
    "unknown": (STATIC + "[Install]\nWanted=a.target\n", None),
    "upheld": (STATIC + "[Install]\nUpheldBy=a.target\n", None),
    "not utf-8": (STATIC + "Description=\xff\xfe\n[Install]\nWantedBy=a.target\n", None),
    "utf-8": (STATIC + "Description=\xc3\xa4\n[Install]\nWantedBy=a.target\n", "disabled"),
    "no character": (STATIC + "Description=\xef\xbf\xbe\n[Install]\nWantedBy=a.target\n", None),
    "other sections": ("[X-Other]\na=b\n[Service]\nno assignment\n[Install]\nWantedBy=a.target\n", "disabled"),
    "spaces": ("[Not a Section]\n" + WANTED, None),
}
# Of each text of [Service], without its head: whether the file tells how the service runs and ends.
SERVICES: dict[str, tuple[str, bool]] = {
    "simple": ("ExecStart=/bin/true\n", True),
    "restart": ("ExecStart=/bin/true\nRestart=on-failure\n", True),
    "oneshot": ("Type=oneshot\nExecStart=/bin/true\n", True),
    "remains": ("Type = oneshot \nRemainAfterExit= yes\nExecStop=/bin/true", True),
    "remains not": ("Type=oneshot\nRemainAfterExit=0\nExecStart=/bin/true\n", True),
    "no start": ("RemainAfterExit=true\nExecStop=/bin/true\n", True),
    "last wins": ("Type=oneshot\nType=notify\nExecStart=/bin/true\nRestart=always\nRestart=no\n", True),
    "bus name": ("BusName=a.b\nExecStart=/bin/true\n", True),
    "prefixes": ("ExecStart=-@/bin/true true\n", True),
    "comments": ("#Type=oneshot\n ; Type=oneshot\nExecStart=/bin/true\n", True),
    "continued": ("ExecStart=/bin/sh \\\nType=oneshot\nRestart=always\n", True),
    "blanks": ("  Type=\\\n  oneshot\nExecStart=/bin/true\n", True),
    "other sections": ("ExecStart=/bin/true\n[Unit]\nType=oneshot\n[X-Y]\nRestart=always\n[Service]\nType=exec\n", True),
    "other case": ("type=oneshot\nTYPE=oneshot\nExecStart=/bin/true\n", True),
    "continued comment": ("# no \\\nType=oneshot\nExecStart=/bin/true\n", False),
    "two backslashes": ("Environment=x \\\\\nType=oneshot\nExecStart=/bin/true\n", False),
    "reset": ("Type=oneshot\nType=\nExecStart=/bin/true\n", False),
    "reset start": ("ExecStart=/bin/true\nExecStart=\nExecStop=/bin/true\nRemainAfterExit=yes\n", False),
    "no such type": ("Type=dump\nExecStart=/bin/true\n", False),
    "no such restart": ("Restart=perhaps\nExecStart=/bin/true\n", False),
    "forced restart": ("ExecStart=/bin/true\nRestartForceExitStatus=3\n", False),
    "no boolean": ("RemainAfterExit=perhaps\nExecStart=/bin/true\n", False),
    "later versions": ("Type=notify-reload\nExecStart=/bin/true\n", False),
    "specifier": ("ExecStart=%t/x\n", False),
    "no path": ("ExecStart=-\nExecStop=/bin/true\nRemainAfterExit=yes\n", False),
    "returns": ("Type=oneshot\rExecStart=/bin/true\n", False),
}

Made = dict[str, t.Any]


class Found(t.NamedTuple):
    """What the files tell and what systemd says, by name; of units that have all their links, the names."""

    states: dict[str, list[t.Any]]
    whole: frozenset[str]
    services: dict[str, list[t.Any]]
    # The same of units that are one file alone.
    files: dict[str, list[t.Any]]
    rest: dict[str, list[t.Any]]


@pytest.fixture
def compare(host: t.Any) -> t.Callable[..., Found]:
    """Has the host compare."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in Path(str(jeepney.__file__)).parent.glob("*.py"):
            tar.add(path, f"jeepney/{path.name}")
        for name in SHIPPED:
            tar.add(ROOT / "plugins/module_utils" / name, f"{UTILS}/{name}")
        tar.add(Path(__file__).parent / "enablement_on_host.py", "on_host.py")
    host.write(f"{REMOTE}/all.tar", archive.getvalue())
    host.run(f"tar -C {REMOTE} -xf {REMOTE}/all.tar", check=True)

    def asked(made: Made, names: list[str] | None) -> Found:
        question = json.dumps({"made": made, "names": names, "lasting": LASTING})
        done = host.run(["python3", f"{REMOTE}/on_host.py"], input=question, check=True)
        answer = json.loads(done.stdout)
        found: dict[str, list[t.Any]] = answer["states"]
        wrong = {name: both for name, both in found.items() if both[0] is not None and both[0] != both[1]}
        wrong.update({name: ["all links are there", made] for name, made in answer["whole"].items() if made})
        for kind in ("services", "files", "rest"):
            wrong.update({name: both for name, both in answer[kind].items() if both[0] != both[1]})
        told = {name: {path: text for path, text in made.items() if _stem(name) in path + str(text)} for name in wrong}
        assert not wrong, f"files tell and systemd says: {wrong}, of {json.dumps(told, indent=1)[:6000]}"
        return Found(found, frozenset(answer["whole"]), answer["services"], answer["files"], answer["rest"])

    return asked


def _stem(name: str) -> str:
    return name.partition("@")[0].rpartition(".")[0] or name.partition("@")[0]


def test_texts(compare: t.Any) -> None:
    """What [Install] and the rest of a file say, of units that nothing enables, and of those that links enable."""
    made: Made = {}
    expected: dict[str, str | None] = {}
    for number, (text, told) in enumerate(TEXTS.values()):
        for place, pull, state in ((ETC, "", told), (LIB, ETC, "enabled"), (LOCAL, RUN, "enabled-runtime")):
            name = f"en-{number:02}{place.count('/')}{len(place)}.service"
            made[f"{place}/{name}"] = text.replace("NAME", name.rpartition(".")[0])
            if pull:
                made[f"{pull}/multi-user.target.wants/{name}"] = [f"{place}/{name}"]
            expected[name] = None if told is None else state
    found, whole, *_others = compare(made, list(expected))
    # Those that are enabled for good, and by what nobody asks for.
    assert whole and all(expected[name] in ("enabled", None) for name in whole)
    # Where it is said that systemd has to be asked it may not be so for all states.
    assert {name: found[name][0] for name, state in expected.items() if state} == {
        name: state for name, state in expected.items() if state
    }


def test_shapes(compare: t.Any) -> None:
    """Links, masks, drop-ins, templates and places, each alone."""
    made: Made = {}
    expected: dict[str, str | None] = {}

    def unit(stem: str, state: str | None, kind: str = "service", place: str = ETC, text: str = WANTED) -> str:
        name = f"en-{stem}.{kind}"
        made[f"{place}/{name}"] = text
        expected[name] = state
        return name

    for number, place in enumerate(PLACES):
        unit(f"place{number}", "disabled" if number < 4 or "attached" in place else None, place=place)
        name = unit(f"pulled{number}", None if number == 8 else "disabled", place=ETC)
        made[f"{place}/multi-user.target.wants/{name}"] = [f"../{name}"]
        expected[name] = "enabled" if place == ETC else "enabled-runtime" if place.startswith("/run/") else "disabled"
    for kind in ("service", "socket", "target", "timer", "path", "mount", "automount", "swap", "slice"):
        unit("kind", "disabled", kind, text=STATIC.replace("Service", kind.capitalize()) + "[Install]\nWantedBy=a.target\n")
    for suffix, state in (("wants", "enabled"), ("requires", "enabled"), ("upholds", None), ("other", None), ("d", None)):
        name = unit(suffix, state)
        made[f"{ETC}/en-x.target.{suffix}/{name}"] = [f"../{name}"]
    for number, target in enumerate(("/nowhere/en-to0.service", "../en-to1.service", "/dev/null", "/lib/systemd/system/x.service")):
        name = unit(f"to{number}", "enabled")
        made[f"{ETC}/multi-user.target.wants/{name}"] = [target]
    # Old versions go by the target where links come after the unit's file.
    for number, target in enumerate(("/nowhere", "/nowhere/en-late1.service")):
        name = unit(f"late{number}", "enabled-runtime" if number else None)
        made[f"/run/systemd/generator.late/en-z.target.wants/{name}"] = [target]
    # Another name in a directory of links, and beside the unit.
    name = unit("by-other", None)
    made[f"{ETC}/multi-user.target.wants/en-other-name.service"] = [f"../{name}"]
    name = unit("alias", None, text=STATIC + "[Install]\nAlias=en-alias2.service\n")
    made[f"{ETC}/en-alias2.service"] = [f"{ETC}/{name}"]
    expected["en-alias2.service"] = None
    name = unit("alias-not-there", None)
    made[f"{ETC}/en-some-name.service"] = [name]
    expected["en-some-name.service"] = None
    # Masks, for good and until the reboot, of units that are enabled too.
    for number, (place, mask) in enumerate(((LIB, ETC), (LIB, RUN), (ETC, RUN))):
        name = unit(f"mask{number}", None, place=place)
        made[f"{mask}/{name}"] = ["/dev/null"]
        made[f"{ETC}/multi-user.target.wants/{name}"] = [f"{place}/{name}"]
    # Linked from elsewhere, and twice.
    for number, place in enumerate((ETC, RUN)):
        name = f"en-linked{number}.service"
        made[f"/opt/{name}"] = WANTED
        made[f"{place}/{name}"] = [f"/opt/{name}"]
        expected[name] = None
    name = unit("both", "enabled")
    made[f"{ETC}/multi-user.target.wants/{name}"] = [f"../{name}"]
    made[f"{RUN}/multi-user.target.wants/{name}"] = [f"../{name}"]
    made[f"{RUN}/{name}"] = STATIC
    # Drop-ins.
    for number, text in enumerate(("[Service]\nUser=x\n", "[Install]\nWantedBy=a.target\n", "[broken\n", "")):
        for link in (False, True):
            name = unit(f"dropin{number}{int(link)}", None, text=STATIC)
            if number in (0, 3):
                expected[name] = "enabled" if link else "static"
            made[f"{ETC}/{name}.d/a.conf"] = text
            if link:
                made[f"{ETC}/multi-user.target.wants/{name}"] = [f"../{name}"]
    # A directory of links that is a link.
    name = unit("in-linked", None)
    made[f"/opt/en-linked.wants/{name}"] = [f"{ETC}/{name}"]
    made[f"{ETC}/en-y.target.wants"] = ["/opt/en-linked.wants"]
    # Templates and instances.
    for stem in ("tpl", "tpl-default"):
        unit(f"{stem}@", None, text=WANTED + ("DefaultInstance=d\n" if "default" in stem else ""))
        made[f"{ETC}/multi-user.target.wants/en-{stem}@1.service"] = [f"../en-{stem}@.service"]
        expected.update({f"en-{stem}@1.service": None, f"en-{stem}@2.service": None})
    made[f"{RUN}/multi-user.target.wants/en-tpl@3.service"] = ["/etc/systemd/system/en-tpl@.service"]
    expected["en-tpl@3.service"] = None
    expected["en-not-there.service"] = ""
    made[f"{ETC}/multi-user.target.wants/en-no-file.service"] = ["../en-no-file.service"]
    expected["en-no-file.service"] = ""
    expected["en-not-there.device"] = ""
    found = compare(made, list(expected)).states
    assert {name: found[name][0] for name in expected} == expected


def test_links_that_are_missing(compare: t.Any) -> None:
    """Units that are enabled, with all the links that they ask for, and with some of them."""
    made: Made = {}
    asked = STATIC + "[Install]\nWantedBy=en-a.target en-b.target\nRequiredBy=en-c.target\n"
    links = ("a.target.wants", "b.target.wants", "c.target.requires", "c.target.wants", "d.target.wants")
    whole = set()
    for number in range(2 ** len(links)):
        name = f"en-{number}.service"
        made[f"{LIB if number % 2 else ETC}/{name}"] = asked
        there = [link for at, link in enumerate(links) if number >> at & 1]
        made.update({f"{ETC}/en-{link}/{name}": [f"../{name}"] for link in there})
        if set(links[:3]) <= set(there):
            whole.add(name)
    for place in (RUN, LIB):
        name = f"en-elsewhere{len(place)}.service"
        made[f"{ETC}/{name}"] = WANTED
        made[f"{place}/multi-user.target.wants/{name}"] = [f"../{name}"]
    found = compare(made, [path.rpartition("/")[2] for path in made])
    assert found.whole == whole


def test_services(compare: t.Any) -> None:
    """What the texts of services say, and what else there may be of them."""
    made: Made = {}
    expected = {}
    for number, (text, told) in enumerate(SERVICES.values()):
        name = f"en-{number}.service"
        made[f"{ETC}/{name}"] = f"[Unit]\nDescription=x\n[Service]\n{text}"
        expected[name] = told
    shapes: dict[str, dict[str, t.Any]] = {
        "dropin": {f"{LIB}/en-dropin.service.d/a.conf": "[Service]\nType=oneshot\n"},
        "by-prefix": {f"{RUN}/en-by-.service.d/a.conf": "[Service]\nType=oneshot\n"},
        "alias": {f"{ETC}/en-other.service": ["en-alias.service"], f"{ETC}/en-other.service.d/a.conf": "[Service]\nType=oneshot\n"},
        "mask": {f"{LIB}/en-mask.service": STATIC},
        "control": {"/etc/systemd/system.control/en-control.service.d/a.conf": "[Service]\nType=oneshot\n"},
        "first": {f"{RUN}/en-first.service": STATIC + "Type=oneshot\n"},
        "plain": {f"{ETC}/en-x.target.wants/en-plain.service": ["../en-plain.service"]},
    }
    for stem, others in shapes.items():
        made[f"{ETC}/en-{stem}.service"] = ["/dev/null"] if stem == "mask" else STATIC
        made.update(others)
        expected[f"en-{stem}.service"] = stem in ("plain", "first")
    found = compare(made, list(expected))
    assert {name for name, told in expected.items() if told} == set(found.services)
    assert {"en-plain.service", "en-first.service"} <= set(found.files)
    # Nobody has asked for these before, and nothing else names them.
    assert set(found.rest) >= set(found.services) - {"en-plain.service"}
    # Whatever is the drop-in of all services is that of each.
    found = compare({**made, f"{ETC}/service.d/a.conf": "[Service]\nRestart=always\n"}, list(expected))
    assert found.services == found.files == {}


def test_files(compare: t.Any) -> None:
    """Units in all places, with drop-ins of all kinds, other names, masks, and another source."""
    made: Made = {}
    alone = set()
    for number, place in enumerate(PLACES):
        made[f"{place}/en-place{number}.service"] = STATIC
        alone |= {f"en-place{number}.service"} if number < 4 or "attached" in place else set()
    for kind in ("socket", "target", "timer", "path"):
        made[f"{LIB}/en-kind.{kind}"] = "[Unit]\nDescription=x\n" + {
            "socket": "[Socket]\nListenStream=/run/en\n", "timer": "[Timer]\nOnBootSec=1h\n", "path": "[Path]\nPathExists=/x\n"
        }.get(kind, "")  # fmt: skip
        made[f"{RUN}/en-kind.service"] = STATIC
        alone |= {f"en-kind.{kind}", "en-kind.service"}
    for number, (lower, upper) in enumerate(((LIB, ETC), (LIB, RUN), (LOCAL, RUN), (RUN, ETC))):
        made.update({f"{place}/en-both{number}.service": STATIC for place in (lower, upper)})
        alone.add(f"en-both{number}.service")
    for number, folder in enumerate(("en-dropin0.service", "en-.service", "en-dropin2-.service")):
        made[f"{(LIB, RUN, ETC)[number]}/{folder}.d/a.conf"] = "[Unit]\nDescription=y\n"
        made[f"{ETC}/en-dropin{number}{'-x' if number == 2 else ''}.service"] = STATIC
        if number == 1:
            # It is the drop-in of them all.
            found = compare(made, [path.rpartition("/")[2] for path in made])
            assert not {name for name in found.files if name.startswith("en-")} - {"en-kind.socket", "en-kind.target", "en-kind.timer", "en-kind.path"}
            del made[f"{RUN}/{folder}.d/a.conf"]
            alone.add("en-dropin1.service")
    made["/etc/systemd/system/en-kind.mount"] = "[Mount]\nWhat=tmpfs\nWhere=/en/kind\nType=tmpfs\n"
    made[f"{ETC}/en-source.service"] = "[Unit]\nSourcePath=/etc/hosts\n" + STATIC
    made[f"{ETC}/en-aliased.service"] = STATIC
    made[f"{ETC}/en-alias.service"] = ["en-aliased.service"]
    made[f"{ETC}/en-masked.service"] = ["/dev/null"]
    made[f"{LIB}/en-masked.service"] = STATIC
    made["/opt/en-linked.service"] = STATIC
    made[f"{ETC}/en-linked.service"] = ["/opt/en-linked.service"]
    found = compare(made, [path.rpartition("/")[2] for path in made])
    assert set(found.files) == alone


@pytest.mark.parametrize("seed", range(3))
def test_mixtures(compare: t.Any, seed: int) -> None:
    """Shapes at random, together in one unit."""
    chance = random.Random(seed)
    made: Made = {}
    names = []
    texts = [text for text, _told in TEXTS.values()]
    for number in range(250):
        at = chance.choices(["", "@"], [9, 1])[0]
        name = f"en-{number:03}{at}.{chance.choice(['service', 'service', 'timer', 'socket', 'target', 'mount'])}"
        names.append(name)
        if chance.random() < 0.95:
            text = chance.choice(texts) if chance.random() < 0.5 else WANTED
            made[f"{chance.choice(PLACES)}/{name}"] = text.replace("NAME", _stem(name))
        one = name.replace("@", "@i")
        if at:
            names.append(one)
        for _times in range(chance.choice([0, 1, 1, 2])):
            where = chance.choice([ETC, ETC, *PLACES])
            folder = chance.choice(["wants", "wants", "wants", "requires", "upholds", "d", "x"])
            link = chance.choice([one, one, one, name, f"en-{chance.randrange(250):03}.service"])
            target = chance.choice([f"../{name}", f"{ETC}/{name}", f"{LIB}/{name}", "/dev/null", "/nowhere"])
            made[f"{where}/en-{chance.randrange(9)}.target.{folder}/{link}"] = [target]
        if chance.random() < 0.15:
            link = chance.choice([name, f"{_stem(name)}-alias.service", f"en-{chance.randrange(250):03}.service"])
            made.setdefault(
                f"{chance.choice([ETC, RUN, LOCAL])}/{link}",
                [chance.choice(["/dev/null", name, f"{LIB}/{name}", f"/opt/{name}"])],
            )
        if chance.random() < 0.15:
            made[f"{chance.choice(PLACES)}/{name}.d/x.conf"] = chance.choice(["[Service]\n", *texts])
    found, _whole, services, files, _rest = compare(made, names)
    assert services and files
    decided = {both[0] for both in found.values()}
    assert {"enabled", "enabled-runtime", "disabled", ""} <= decided, decided


def test_host(compare: t.Any) -> None:
    """All units of the host itself; most of them need not be asked about."""
    found, _whole, services, files, _rest = compare({}, None)
    assert len(services) > 20 and len(files) > 20
    plain = [name for name, both in found.items() if "@" not in name and both[1] in ("enabled", "disabled", "static")]
    decided = [name for name in plain if found[name][0] is not None]
    assert len(decided) > len(plain) * 0.7, sorted(set(plain) - set(decided))
