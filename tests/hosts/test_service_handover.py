# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services from runsvdir to systemd and back, on a host that runs both."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import tarfile
import typing as t
from pathlib import Path

import pytest

from tests.lab.host import Host

pytestmark = pytest.mark.lab_kinds("runit-run")

ROOT = Path(__file__).parents[2]
RECORDS = "/var/lib/pidone.systemd/handover"
#: Notes if another one of the same name runs already.
ALONE = """\
import fcntl, os, sys, time
print("here", flush=True)
lock = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o666)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    open("/var/lib/ho/twice", "a").write(sys.argv[1] + "\\n")
time.sleep(1000)
"""
UNIT = """\
[Unit]
Description={name}
{more}
[Service]
ExecStart={command}
Restart=always
RestartSec=1
{service}
[Install]
WantedBy=multi-user.target
"""


def unit(name: str, command: str, more: str = "", service: str = "") -> dict[str, str]:
    content = UNIT.format(name=name, command=command, more=more, service=service)
    return {"name": f"{name}.service", "content": content}


class Runit:
    """Services of the tests on the host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def make(self, **services: str | dict[str, str]) -> None:
        """Define services (`run`, or files by name; `_` stands for `-`), link them, and wait until they are up."""
        script = ["set -e"]
        up = []
        for key, given in services.items():
            name = key.replace("_", "-")
            files = {"run": given} if isinstance(given, str) else given
            for file, content in files.items():
                path = f"/etc/sv/{name}/{file}"
                script.append(f"mkdir -p $(dirname {path}); cat >{path} <<'END'\n{content}\nEND")
                if os.path.basename(file) in ("run", "finish", "check"):
                    script.append(f"chmod 755 {path}")
            if "down" not in files:
                up.append(name)
            script.append(f"ln -sfn /etc/sv/{name} /etc/service/{name}")
        for name in up:
            script.append(f"for n in $(seq 200); do sv status {name} | grep -q ^run && break; sleep 0.1; done")
        # Long enough for the first snapshot to be of what the script ends in.
        self.host.run("\n".join(script) + "\nsleep 0.5", check=True)

    def imported(self, *names: str, **options: t.Any) -> list[dict[str, t.Any]]:
        options = {"source": "runit", "name": list(names), **options}
        result = self.host.ansible("pidone.systemd.service_import_info", options)
        assert not result["failed"], result
        return t.cast("list[dict[str, t.Any]]", result["services"])

    def handover(self, services: list[dict[str, t.Any]], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        options = {"services": services, "settle": "1s", **options}
        return self.host.ansible("pidone.systemd.service_handover", options, check=check, diff=True)

    def status(self, name: str) -> str:
        return self.host.run(["sv", "status", f"/etc/sv/{name}"]).stdout

    def active(self, name: str) -> str:
        return self.host.run(["systemctl", "is-active", name]).stdout.strip()

    def enabled(self, name: str) -> str:
        return self.host.run(["systemctl", "is-enabled", name]).stdout.strip()

    def traces(self) -> list[str]:
        """Units, records and links of the tests that are on the host."""
        found = self.host.run(
            f"ls -d /etc/systemd/system/ho-* /etc/systemd/system/*/ho-* {RECORDS}/ho-* /etc/service/ho-* 2>/dev/null"
        )
        return found.stdout.split()


@pytest.fixture
def runit(host: Host) -> t.Iterator[Runit]:
    host.run("mkdir -p /var/lib/ho; chmod 1777 /var/lib/ho", check=True)
    host.write("/usr/local/lib/alone.py", ALONE)
    yield Runit(host)
    host.run(
        "cd /etc/systemd/system; systemctl --quiet stop 'ho-*' 2>/dev/null; "
        f"rm -rf /etc/service/ho-* ho-* */ho-* {RECORDS}/ho-* /usr/lib/systemd/system/ho-*; systemctl daemon-reload; "
        "for s in /etc/sv/ho-*; do sv force-exit $s >/dev/null 2>&1; done; rm -rf /etc/sv/ho-* /var/lib/ho /var/log/ho-*"
    )


def by_name(result: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {each["name"]: each for each in result["services"]}


def outcomes(result: dict[str, t.Any]) -> dict[str, str]:
    return {each["name"]: each["outcome"] for each in result["services"]}


def unexpected(entry: dict[str, t.Any]) -> list[str]:
    return [one["what"] for one in entry["differences"] if not one["expected"]]


WEB = """#!/bin/sh
exec 2>&1
cd /srv
ulimit -n 512
umask 027
exec chpst -u www-data:www-data:mail -n 3 python3 -u -m http.server 8099"""


def test_a_service_that_listens_goes_over_and_back(runit: Runit) -> None:
    runit.make(ho_web={"run": WEB, "log/run": "#!/bin/sh\nexec svlogd /var/log/ho-web"})
    runit.host.run("mkdir -p /var/log/ho-web", check=True)
    services = runit.imported("ho-web")

    planned = runit.handover(services, check=True)
    assert planned["changed"], planned
    assert outcomes(planned) == {"ho-web": "planned"}
    assert planned["services"][0]["before"]["sockets"] == ["tcp 0.0.0.0:8099"]
    assert runit.traces() == ["/etc/service/ho-web"]
    assert "ExecStart=" in planned["diff"][0]["after"]
    assert "stop ho-web under runit" in planned["diff"][-1]["prepared"]

    done = runit.handover(services)
    assert done["changed"], done
    assert done["steps"] == planned["steps"]
    (web,) = done["services"]
    assert web["outcome"] == "handed_over"
    assert unexpected(web) == []
    assert web["parity"] is True
    for side in (web["before"], web["after"]):
        assert (side["user"], side["group"], side["groups"]) == ("www-data", "www-data", ["mail", "www-data"]), side
        assert (side["cwd"], side["umask"], side["nice"]) == ("/srv", "0027", 3)
        assert side["limits"]["NOFILE"] == ["512", "512"]
        assert side["sockets"] == ["tcp 0.0.0.0:8099"]
    assert web["before"]["cgroup"] == "/system.slice/runit.service"
    assert web["after"]["cgroup"] == "/system.slice/ho-web.service"
    assert 0 < web["downtime"] < 2
    assert runit.status("ho-web").startswith("fail: ")
    assert (runit.active("ho-web"), runit.enabled("ho-web")) == ("active", "enabled")
    assert not runit.host.exists("/etc/service/ho-web")
    assert "http.server" in runit.host.run("curl -s http://127.0.0.1:8099/; pgrep -af http.server").stdout
    assert runit.host.run("pgrep -cf http.server").stdout.strip() == "1"

    again = runit.handover(runit.imported("ho-web"))
    assert not again["changed"]
    assert outcomes(again) == {"ho-web": "already"}
    assert "diff" not in again

    back = runit.handover([{"name": "ho-web"}], state="given_back")
    assert back["changed"], back
    assert outcomes(back) == {"ho-web": "given_back"}
    assert runit.status("ho-web").startswith("run: ")
    assert "run: log: " in runit.status("ho-web")
    assert runit.active("ho-web") == "inactive"
    assert runit.traces() == ["/etc/service/ho-web"]
    assert back["services"][0]["after"]["sockets"] == ["tcp 0.0.0.0:8099"]


def test_of_several_the_bad_ones_go_back(runit: Runit) -> None:
    run = "#!/bin/sh\nexec python3 /usr/local/lib/alone.py /var/lib/ho/{}"
    runit.make(
        ho_good=run.format("good"),
        ho_dies=run.format("dies"),
        ho_deaf="#!/bin/sh\nexec python3 -u -m http.server 8098",
        ho_nice="#!/bin/sh\nexec nice -n 4 sleep 1001",
        ho_stays=run.format("stays"),
        ho_wants="#!/bin/sh\nsv check ho-stays >/dev/null || exit 1\nexec python3 /usr/local/lib/alone.py /var/lib/ho/wants",
    )
    alone = "/usr/bin/python3 /usr/local/lib/alone.py /var/lib/ho/{}"
    services = [
        {"name": "ho-stays", "units": [unit("ho-stays", alone.format("stays"))]},
        {"name": "ho-good", "units": [unit("ho-good", alone.format("good"))]},
        {"name": "ho-dies", "units": [unit("ho-dies", "/bin/sh -c 'sleep 0.3; echo no good; exit 3'")]},
        {"name": "ho-deaf", "units": [unit("ho-deaf", "/usr/bin/python3 -u -m http.server 8097")]},
        {"name": "ho-nice", "units": [unit("ho-nice", "/bin/sleep 1001")], "accept": ["nice", "command"]},
        {
            "name": "ho-wants",
            "units": [unit("ho-wants", "/bin/false", "Wants=ho-stays.service\nAfter=ho-stays.service")],
        },
    ]
    result = runit.handover(services, listen="1s", timeout="20s")
    assert result["failed"]
    found = by_name(result)
    assert outcomes(result) == {
        "ho-stays": "waiting",
        "ho-good": "handed_over",
        "ho-dies": "back",
        "ho-deaf": "back",
        "ho-nice": "handed_over",
        "ho-wants": "back",
    }, result["msg"]
    assert list(found) == [each["name"] for each in services]
    assert result["summary"]["back"] == 3
    # The message is one screen, and says what there is to know.
    assert len(result["msg"].splitlines()) <= 60
    assert "3 of 6 services could not be handed over" in result["msg"]
    assert "no good" in result["msg"]
    assert found["ho-dies"]["failures"][0]["exit_code"] == 3
    assert "sockets: does not listen there any more: before tcp 0.0.0.0:8098" in found["ho-deaf"]["message"]
    assert unexpected(found["ho-nice"]) == ["nice"]
    assert found["ho-nice"]["parity"] is False
    assert "ho-wants, which needs it, does" in found["ho-stays"]["message"]
    for name in ("ho-dies", "ho-deaf", "ho-wants", "ho-stays"):
        assert runit.status(name).startswith("run: "), name
        assert runit.active(name) == "inactive"
    here = [path for path in runit.traces() if not re.search("good|nice", path)]
    assert here == [f"/etc/service/{name}" for name in ("ho-deaf", "ho-dies", "ho-stays", "ho-wants")]
    assert (runit.active("ho-good"), runit.active("ho-nice")) == ("active", "active")
    assert not runit.host.exists("/var/lib/ho/twice")

    # Alone, ho-stays would leave ho-wants with a question that nobody answers.
    planned = runit.handover([services[0]], check=True)
    assert any("ho-wants stays, and its run script asks" in each for each in planned["warnings"]), planned

    # With a better unit the rest goes over too, in an order in which ho-stays is not started by ho-wants.
    services[-1]["units"] = [unit("ho-wants", alone.format("wants"), "Wants=ho-stays.service\nAfter=ho-stays.service")]
    result = runit.handover([services[0], services[-1]])
    assert outcomes(result) == {"ho-stays": "handed_over", "ho-wants": "handed_over"}, result
    stops = [step for step in result["steps"] if step.startswith("stop ")]
    assert [step.split()[1] for step in stops] == ["ho-wants", "ho-stays"]
    assert not runit.host.exists("/var/lib/ho/twice")


def test_states_other_than_up(runit: Runit) -> None:
    pause = "#!/bin/sh\ntouch /var/lib/ho/paused\nexec chpst -b X sleep infinity"
    runit.make(
        ho_down={"run": "#!/bin/sh\nexec sleep 1000", "down": ""},
        ho_once="#!/bin/sh\nexec sleep 1001",
        ho_off="#!/bin/sh\nexec sleep 1002",
        ho_pause=pause,
        ho_logged={
            "run": "#!/bin/sh\nexec 2>&1\nexec python3 /usr/local/lib/alone.py /var/lib/ho/logged",
            "log/run": "#!/bin/sh\nexec svlogd /var/log/ho-logged",
        },
    )
    runit.host.run("mkdir -p /var/log/ho-logged; sv once ho-once; sv down ho-off", check=True)
    names = ["ho-down", "ho-off", "ho-once", "ho-pause", "ho-logged"]
    # An unlinked one that nobody uses: its unit is written, and no more.
    runit.host.run("mkdir /etc/sv/ho-idle; printf '#!/bin/sh\\nexec sleep 1004\\n' >/etc/sv/ho-idle/run; chmod +x $_")
    services = runit.imported("ho-*", log="svlogd")
    result = runit.handover(services)
    assert set(outcomes(result).values()) == {"handed_over"} or not result["failed"], result["msg"]
    found = {name: (runit.active(f"{name}.service"), runit.enabled(f"{name}.service")) for name in [*names, "ho-idle"]}
    assert found == {
        "ho-down": ("inactive", "disabled"),
        "ho-off": ("inactive", "enabled"),
        "ho-once": ("active", "disabled"),
        "ho-pause": ("active", "enabled"),
        "ho-logged": ("active", "enabled"),
        "ho-idle": ("inactive", "disabled"),
    }
    assert (runit.active("ho-logged-log.service"), runit.enabled("ho-logged-log.socket")) == ("active", "enabled")
    assert runit.host.run("pgrep -cx svlogd").stdout.strip() == "1"
    assert [one["what"] for one in by_name(result)["ho-pause"]["differences"]] == ["process"]
    assert not runit.handover(services)["changed"]

    back = runit.handover([{"name": name} for name in names], state="given_back")
    assert set(outcomes(back).values()) == {"given_back"}, back["msg"]
    words = {name: " ".join(runit.status(name).split(";")[0].split()[:1]) for name in names}
    assert words == {"ho-down": "down:", "ho-off": "down:", "ho-once": "run:", "ho-pause": "run:", "ho-logged": "run:"}
    assert "want down" in runit.status("ho-once")
    assert not runit.host.exists("/etc/sv/ho-off/down")
    assert runit.host.exists("/etc/sv/ho-down/down")
    assert "run: log:" in runit.status("ho-logged")
    assert runit.active("ho-logged-log.service") == "inactive"


def test_units_that_are_on_the_host(runit: Runit) -> None:
    runit.make(
        ho_pkg="#!/bin/sh\nexec sleep 1000",
        ho_mine="#!/bin/sh\nexec sleep 1001",
        ho_masked="#!/bin/sh\nexec sleep 1003",
        ho_bad="#!/bin/sh\nexec sleep 1004",
    )
    packaged, mine = unit("ho-pkg", "/bin/sleep 1002"), unit("ho-mine", "/bin/sleep 1001")
    theirs = "# mine\n" + mine["content"].replace("Description=ho-mine", "Description=by hand")
    runit.host.write("/usr/lib/systemd/system/ho-pkg.service", packaged["content"])
    runit.host.write("/etc/systemd/system/ho-mine.service", theirs)
    runit.host.run("systemctl daemon-reload; systemctl mask ho-pkg ho-masked ho-bad", check=True)

    refused = runit.handover([{"name": "ho-mine", "units": [mine]}])
    assert refused["failed"]
    assert "/etc/systemd/system/ho-mine.service is there already" in refused["msg"]
    assert "force" in refused["msg"]
    done = runit.handover(
        [
            {"name": "ho-mine", "units": [mine]},
            {
                "name": "ho-pkg",
                "packaged": {"name": "ho-pkg.service", "path": "/usr/lib/systemd/system/ho-pkg.service"},
                "dropins": [{"unit": "ho-pkg.service", "name": "50-nice.conf", "content": "[Service]\nNice=1\n"}],
                "accept": ["nice"],
            },
        ],
        force=True,
    )
    assert set(outcomes(done).values()) == {"handed_over"}, done["msg"]
    assert runit.host.read("/etc/systemd/system/ho-mine.service") == mine["content"]
    assert (runit.active("ho-pkg"), runit.enabled("ho-pkg")) == ("active", "enabled")
    # Another command line is what the packager has decided; the user has accepted the other priority.
    package = by_name(done)["ho-pkg"]
    assert package["after"]["nice"] == 1
    assert unexpected(package) == ["command", "nice"]
    assert package["parity"] is False

    # Masked in favour of runsv, by name: the unit takes the place of the mask, which is there again if that goes back.
    done = runit.handover(
        [
            {"name": name, "units": [unit(name, command)]}
            for name, command in (("ho-masked", "/bin/sleep 1003"), ("ho-bad", "/bin/false"))
        ]
    )
    assert outcomes(done) == {"ho-masked": "handed_over", "ho-bad": "back"}, done["msg"]
    assert runit.host.run("stat -c %F%a /etc/systemd/system/ho-masked.service").stdout == "regular file644\n"
    assert (runit.enabled("ho-masked"), runit.enabled("ho-bad")) == ("enabled", "masked")

    # A unit that somebody changed is not lost without being asked.
    runit.host.run("echo '# changed' >>/etc/systemd/system/ho-mine.service", check=True)
    refused = runit.handover([{"name": "ho-mine"}], state="given_back")
    assert "was changed since the handover" in refused["msg"]
    names = ("ho-mine", "ho-pkg", "ho-masked")
    back = runit.handover([{"name": name} for name in names], state="given_back", force=True)
    assert set(outcomes(back).values()) == {"given_back"}, back["msg"]
    assert runit.host.read("/etc/systemd/system/ho-mine.service") == theirs
    assert runit.host.exists("/usr/lib/systemd/system/ho-pkg.service")
    assert not runit.host.exists("/etc/systemd/system/ho-pkg.service.d")
    assert (runit.active("ho-pkg"), runit.enabled("ho-pkg")) == ("inactive", "masked"), "as runsv has it again"
    assert runit.enabled("ho-masked") == "masked"
    runit.host.run("systemctl unmask ho-pkg ho-masked ho-bad", check=True)


BAD: list[tuple[dict[str, t.Any], str]] = [
    ({"services": [{"units": []}]}, "services[0].name: None is not the name of a service"),
    ({"services": [{"name": "ho-a", "translation": "refused", "units": []}]}, "services: ho-a was refused"),
    ({"services": [{"name": "ho-none", "units": [unit("ho-none", "/bin/true")]}]}, "is not a service directory"),
    ({"services": [{"name": "ho-a", "units": [{"name": "ho a", "content": "x"}]}]}, "'ho a' holds ' '"),
    ({"services": [{"name": "ho-a", "units": [{"name": "ho-a.service", "content": " "}]}]}, "units[0].content: is empty"),
    ({"services": [{"name": "ho-a", "units": [{"name": "ho-not-there.service"}]}]}, "does not know it (not-found)"),
    (
        {"services": [{"name": "ho-a", "units": [unit("ho-a", "/bin/true", service="Nise=3")]}]},
        "ho-a.service was not accepted by this host's systemd, and nothing has been changed",
    ),
    (
        {"services": [{"name": "ho-a", "units": [unit("ho-a", "/bin/true")]}] * 2},
        "service ho-a is there twice",
    ),
    (
        {"services": [{"name": "ho-a", "units": [unit("ho-a", "/bin/true")]}], "directory": "/srv"},
        "directory: systemd looks for no units in /srv",
    ),
    ({"services": [{"name": "ho-a"}], "accept": ["colour"]}, "accept[0]: 'colour' is no difference"),
    ({"services": [{"name": "ho-a", "definition": "text"}]}, "services[0].definition: 'text' is not a mapping"),
    ({"services": [{"name": "ho-a", "definition": {"links": 5}}]}, "services[0].definition.links: 5 is not a list"),
    ({"services": [{"name": "ho-a", "definition": {"path": "/a\0"}}]}, "services[0].definition.path:"),
    ({"services": [{"name": "ho-a", "accept": 5}]}, "services[0].accept: 5 is not a list"),
    ({"services": [{"name": "ho-a", "dropins": ["x"]}]}, "services[0].dropins[0]: 'x' is not a mapping"),
    ({"services": [{"name": "ho\na"}]}, "services[0].name:"),
    ({"services": [{"name": "ho-a"}], "settle": "soon"}, "settle:"),
    (
        {"services": [{"name": "ho-b", "units": [unit("ho-b", "/bin/true")], "path": "/etc/service/ho-b"}]},
        "not a link",
    ),
    (
        {
            "services": [
                {"name": "ho-a", "units": [unit("ho-a", "/bin/true", "Wants=ho-c.service")]},
            ]
        },
        "hand both over in one task",
    ),
]


def test_bad_input_changes_nothing(runit: Runit) -> None:
    runit.make(ho_a="#!/bin/sh\nexec sleep 1000", ho_c="#!/bin/sh\nexec sleep 1001")
    # A service directory that is no link cannot be taken out of the scanned directory.
    runit.host.run("mkdir /etc/service/ho-b; printf '#!/bin/sh\\nexec sleep 1002\\n' >/etc/service/ho-b/run")
    runit.host.write("/usr/lib/systemd/system/ho-c.service", unit("ho-c", "/bin/sleep 1001")["content"])
    runit.host.run("systemctl daemon-reload", check=True)
    before = runit.traces()
    install(runit.host)
    told = runit.host.run(
        ["python3", "/srv/ho/killed.py", "/srv/ho", "0"],
        input=json.dumps([options for options, _text in BAD]),
        check=True,
    )
    for message, (_options, text) in zip(json.loads(told.stdout), BAD):
        assert text in message
        assert len(message.splitlines()) < 6
    assert runit.traces() == before
    assert runit.status("ho-a").startswith("run: ")
    denied = runit.host.ansible(
        "pidone.systemd.service_handover", {"services": [{"name": "ho-a"}]}, remote_user="nosudo"
    )
    assert "become: true" in denied["msg"]


# -- interruption


def install(host: Host) -> None:
    """Bring the code to a host, with what it needs there beside Python."""
    jeepney = importlib.util.find_spec("jeepney")
    assert jeepney is not None
    assert jeepney.origin is not None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:

        def add(source: Path, target: str) -> None:
            for path in sorted(source.rglob("*.py")):
                tar.add(path, f"{target}/{path.relative_to(source)}")

        add(Path(jeepney.origin).parent, "jeepney")
        add(ROOT / "plugins" / "module_utils", "ansible_collections/pidone/systemd/plugins/module_utils")
        tar.add(ROOT / "tests" / "hosts" / "handover" / "killed.py", "killed.py")
    host.write("/srv/ho.tar.gz", buffer.getvalue())
    host.run("rm -rf /srv/ho; mkdir -p /srv/ho && tar -xzf /srv/ho.tar.gz -C /srv/ho", check=True)


KILL = """
import json, subprocess, sys
state, count = sys.argv[1], int(sys.argv[2])
found = {}
for number in range(1, count + 1):
    name = f"ho-k{number:02}"
    service = {"name": name, "units": [json.loads(sys.argv[3].replace("NAME", name))]}
    options = {"services": [service], "state": state, "settle": "0"}
    done = subprocess.run([sys.executable, "/srv/ho/killed.py", "/srv/ho", str(number)], input=json.dumps(options),
                          capture_output=True, text=True)
    found[name] = [done.returncode, done.stdout.strip(), done.stderr.strip()]
print(json.dumps(found))
"""


def test_killed_at_any_step_it_ends_in_one_of_two_states(
    runit: Runit, tally: t.Callable[[dict[str, t.Any]], None]
) -> None:
    """One service is killed at the first thing done, the next at the second, and so on; then one run ends all of them."""
    host = runit.host
    install(host)
    names = [f"ho-k{number:02}" for number in range(1, 15)]
    run = "#!/bin/sh\nexec python3 /usr/local/lib/alone.py /var/lib/ho/{}"
    runit.make(**{name.replace("-", "_"): run.format(name) for name in names})
    content = unit("NAME", "/usr/bin/python3 /usr/local/lib/alone.py /var/lib/ho/NAME")
    services = [json.loads(json.dumps({"name": name, "units": [content]}).replace("NAME", name)) for name in names]

    for state, points in (("handed_over", 13), ("given_back", 10)):
        told = host.run(
            ["python3", "-c", KILL, state, str(points + 1), json.dumps(content)], check=True, timeout=240
        ).stdout
        killed = json.loads(told)
        last = {name: said for name, (code, said, _errors) in killed.items() if code == -9}
        # Each was killed at a point of its own, but for the last one, for which there was none left.
        assert list(last) == names[:points], killed
        assert killed[names[points]] == [0, f"{points} points", ""]
        assert not host.exists("/var/lib/ho/twice"), (state, host.read("/var/lib/ho/twice"), last)

        # What was left half way looks like unused by now, and need not be listed.
        resumed = runit.handover([], state=state, settle="0", timeout="60s")
        assert not resumed["failed"], resumed["msg"]
        assert len(resumed["resumed"]) >= points // 2
        assert outcomes(resumed) == dict.fromkeys(resumed["resumed"], state)
        result = runit.handover(services, state=state, settle="0", timeout="60s")
        assert not result["failed"], result["msg"]
        assert set(outcomes(result).values()) <= {state, "already"}, outcomes(result)
        assert not runit.handover(services, state=state)["changed"]
        assert not host.exists("/var/lib/ho/twice"), (state, host.read("/var/lib/ho/twice"), last)
        copies = host.run("pgrep -af alone.py").stdout
        assert {name: copies.count(f"/var/lib/ho/{name}\n") for name in names} == dict.fromkeys(names, 1)
        states = host.run(["systemctl", "is-active", *names]).stdout.split()
        links = host.run("ls /etc/service").stdout.split()
        records = host.run(f"ls {RECORDS}").stdout
        if state == "handed_over":
            assert set(states) == {"active"}
            assert not set(links) & set(names)
            assert all(f"{name}.json" in records for name in names)
        else:
            assert set(states) == {"inactive"}
            assert set(names) <= set(links)
            assert "ho-" not in records
            assert [path for path in runit.traces() if "/etc/service" not in path] == []
        tally({"of": points, "taken": points, "bad": []})


def test_killed_on_the_way_back(runit: Runit, tally: t.Callable[[dict[str, t.Any]], None]) -> None:
    """A unit that fails is undone step by step; killed in between, the next run brings the service to where it was."""
    host = runit.host
    install(host)
    runit.make(ho_back="#!/bin/sh\nexec python3 /usr/local/lib/alone.py /var/lib/ho/back")
    services = [{"name": "ho-back", "units": [unit("ho-back", "/bin/false")]}]
    said = []
    for number in (13, 16):
        done = host.run(
            ["python3", "/srv/ho/killed.py", "/srv/ho", str(number)],
            input=json.dumps({"services": services, "settle": "100ms"}),
        )
        said.append(done.stdout.strip().splitlines()[-1])
        assert not host.exists("/var/lib/ho/twice"), said
    assert all(re.match("after ", each) for each in said), said
    result = runit.handover(services, timeout="30s")
    assert outcomes(result) == {"ho-back": "back"}, result
    assert runit.status("ho-back").startswith("run: ")
    assert runit.traces() == ["/etc/service/ho-back"]
    assert os.path.basename(host.run("readlink /etc/service/ho-back").stdout.strip()) == "ho-back"
    assert host.run("pgrep -cf alone.py").stdout.strip() == "1"
    tally({"of": 2, "taken": 2, "bad": []})
