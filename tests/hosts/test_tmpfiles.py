# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules `tmpfiles` and `sysusers` on real hosts: what lines describe is there, is put right, grows old and goes."""

from __future__ import annotations

import typing as t

import pytest

from tests import contract
from tests.attacks.bad_inputs_on_host import ModulesOnHost
from tests.lab.fixtures import every_version
from tests.lab.host import Host

#: All that the tests make.
PLACE = "/srv/tf"
_PICTURE = (
    f"find {PLACE} /etc/tmpfiles.d /etc/sysusers.d -printf '%p %l %m %U %G %T@ %i\\n' 2>/dev/null | sort; "
    "cat /etc/passwd /etc/group; stat -c '%i %Y' /etc/passwd /etc/group"
)


@pytest.fixture(scope="module")
def modules(host: Host) -> t.Iterator[ModulesOnHost]:
    with ModulesOnHost(host) as found:
        yield found


@pytest.fixture(autouse=True)
def clean(host: Host) -> t.Iterator[None]:
    yield
    # And what the tasks remember to have made.
    host.run(
        f"rm -rf {PLACE} /etc/tmpfiles.d/tf* /etc/sysusers.d/tf* /home/deploy/.config/user-tmpfiles.d "
        "/var/lib/pidone.systemd/made/*/*/tf.json /home/deploy/.local/state/pidone.systemd/made"
    )


class Run:
    """Runs one of the modules on a file `tf`."""

    def __init__(self, host: Host, modules: ModulesOnHost, module: str) -> None:
        self._host, self._modules, self._module = host, modules, module

    def once(self, check: bool = False, **args: t.Any) -> dict[str, t.Any]:
        answer = self._modules(self._module, {"name": "tf", **args}, check)
        result = answer["result"]
        assert result is not None, answer["output"]
        contract.has_no_traceback(result)
        return t.cast("dict[str, t.Any]", result)

    def refused(self, **args: t.Any) -> str:
        """The message of a task that fails, and changes nothing."""
        before = self._host.run(_PICTURE).stdout
        result = self.once(**args)
        assert result.get("failed"), result
        assert self._host.run(_PICTURE).stdout == before
        return str(result["msg"])

    def __call__(self, **args: t.Any) -> dict[str, t.Any]:
        """Check mode, the task, and the task again: it is as it was told, and then there is nothing to do."""
        return contract.converge(
            lambda check: self.once(check, **args), lambda: self._host.run(_PICTURE).stdout
        )


@pytest.fixture
def tmpfiles(host: Host, modules: ModulesOnHost) -> Run:
    return Run(host, modules, "tmpfiles")


@pytest.fixture
def sysusers(host: Host, modules: ModulesOnHost) -> Run:
    return Run(host, modules, "sysusers")


def described(host: Host, *paths: str) -> list[str]:
    """Kind, mode, owner and group of paths."""
    quoted = " ".join(f"'{PLACE}/{path}'" for path in paths)
    return host.run(f"stat -c '%F %a %U:%G' {quoted}", check=True).stdout.splitlines()


def warnings(result: dict[str, t.Any]) -> list[str]:
    """The texts of a result's warnings, which newer versions of ansible-core have in an object."""
    found = result.get("warnings", [])
    return [each if isinstance(each, str) else each["event"]["msg"] for each in found]


def line(kind: str, path: str, **more: str) -> dict[str, str]:
    return {"type": kind, "path": path if path.startswith(("/", "%")) else f"{PLACE}/{path}", **more}


TEXT = ' two  "quoted"\\ \n\tlines of 100%% \u00e9 '
LINES = [
    line("d", "a b\"c", mode="0750", user="nobody", group="daemon"),
    line("f", "a b\"c/text", mode="0640", argument=TEXT),
    line("f", "a b\"c/dash", argument="-"),
    line("L+", "link", argument="a b\"c/text"),
    line("p", "pipe", mode="0620"),
    line("d", "z2", mode="0700", user="nobody"),
    line("z", "z*", mode="0711", user="daemon"),
    line("w", "given", argument="new"),
    line("d!", "boot", mode="0700"),
    line("L", "slash", argument="\\x41\\b"),
]


class TestTmpfiles:
    """What lines describe."""

    @every_version
    def test_it_is_made_and_put_right(self, host: Host, tmpfiles: Run) -> None:
        host.run(f"mkdir -p {PLACE}/z1; echo old line >{PLACE}/given", check=True)
        done = tmpfiles(lines=LINES, apply=True)
        assert done["changed"]
        assert done["untold"] == []
        wanted = [
            "directory 750 nobody:daemon",
            "regular file 640 root:root",
            "symbolic link 777 root:root",
            "fifo 620 root:root",
            "directory 711 daemon:root",
            "directory 711 daemon:root",
        ]
        # The pattern changes what another line has made.
        paths = ("a b\"c", "a b\"c/text", "link", "pipe", "z1", "z2")
        assert described(host, *paths) == wanted
        assert host.read(f"{PLACE}/a b\"c/text") == TEXT.replace("%%", "%")
        assert host.read(f"{PLACE}/a b\"c/dash") == "-"
        assert host.read(f"{PLACE}/given") == "new line\n"
        assert not host.exists(f"{PLACE}/boot")
        assert host.run(f"readlink {PLACE}/slash", check=True).stdout == "\\x41\\b\n"
        # The host's own tool finds nothing to object to in the file, and nothing to do.
        before = host.run(_PICTURE).stdout
        said = host.run("systemd-tmpfiles --create /etc/tmpfiles.d/tf.conf 2>&1", check=True).stdout
        assert said == ""
        assert [each for each in host.run(_PICTURE).stdout.splitlines() if "given" not in each] == [
            each for each in before.splitlines() if "given" not in each
        ]

        # What others change is seen, each by itself, and nothing else touched.
        host.run(f"cd {PLACE}; chmod 777 'a b\"c' pipe; rm 'a b\"c/text'; ln -sfn /etc link; chown 0 z1", check=True)
        (foretold,) = tmpfiles.once(check=True, lines=LINES, apply=True)["steps"]
        assert "and 3 more" in foretold
        assert tmpfiles(lines=LINES, apply=True)["changed"]
        assert described(host, *paths) == wanted
        # The same lines, written in another way, are the same.
        text = host.read("/etc/tmpfiles.d/tf.conf")
        host.write("/etc/tmpfiles.d/tf.conf", text.replace("0750", "750").replace(" p ", "  p  ") + "\n; ours\n")
        assert tmpfiles.once(lines=LINES, apply=True)["changed"] is False

    @every_version
    def test_what_this_version_does_not_know_is_refused(self, host: Host, tmpfiles: Run) -> None:
        version = int(host.run("systemd-tmpfiles --version", check=True).stdout.split()[1])
        for number, (since, bad) in enumerate(
            [(257, line("L?", "x", argument="/etc")), (250, line("d=", "x")), (250, line("d", "x", age="mM:10d"))]
        ):
            if version >= since:
                known = tmpfiles.once(check=True, lines=[bad])
                assert not known.get("failed"), known["msg"]
            else:
                message = tmpfiles.refused(lines=[line("d", "y"), bad])
                assert message.startswith("lines[1]: systemd-tmpfiles of this host refuses it"), (number, message)
        assert "lines[0]: " in tmpfiles.refused(lines=[line("d", "/%Y")])
        assert tmpfiles.refused(lines=[line("d", "x", user="tf-nobody")], apply=True).startswith("lines[0].user: there is no user")
        told = tmpfiles.once(check=True, lines=[line("d", "x", user="tf-nobody")], apply=True)
        assert any("user tf-nobody" in warning for warning in warnings(told))
        host.run(f"mkdir -p {PLACE}/full/in; touch {PLACE}/file", check=True)
        for bad in (line("d", "file"), line("L+", "full", argument="/etc"), line("f", "full")):
            assert "lines[0].path: " in tmpfiles.refused(lines=[bad], apply=True)

    @every_version
    def test_what_is_old_goes(self, host: Host, tmpfiles: Run) -> None:
        # The change of a status cannot be made old, and when something was read is changed by whoever looks; 247 knows no choice.
        age = "1us" if host.kind.name == "bullseye" else "mM:10d"
        old, new = "touch -h -d '20 days ago'", "touch -d '20 days'"
        host.run(
            f"mkdir -p {PLACE}/c/sub/empty {PLACE}/c/theirs {PLACE}/c/kept {PLACE}/c/young; cd {PLACE}/c; ln -s /etc link; "
            "touch new sub/new old sub/old theirs/old kept/old sticky young/old; chmod +t sticky; "
            f"{old} old sub/old theirs/old kept/old sticky young/old link sub/empty sub theirs kept; {new} new sub/new young",
            check=True,
        )
        host.write("/etc/tmpfiles.d/tf-other.conf", f"x {PLACE}/c/theirs\n")
        args: dict[str, t.Any] = {"lines": [line("d", "c", age=age), line("x", "c/kept")], "clean": True}
        planned, done, again = (tmpfiles.once(check, **args) for check in (True, False, False))
        assert (planned["changed"], done["changed"], again["changed"]) == (True, True, False), again
        gone = ["link", "old", "sub/empty", "sub/old", "young/old"]
        assert planned["removed"] == done["removed"] == [f"{PLACE}/c/{name}" for name in gone]
        left = host.run(f"cd {PLACE}/c; find . | sort", check=True).stdout.split()
        assert left == [
            ".", "./kept", "./kept/old", "./new", "./sticky", "./sub", "./sub/new", "./theirs", "./theirs/old", "./young"
        ]  # fmt: skip

    def test_what_lines_have_made_goes(self, host: Host, tmpfiles: Run) -> None:
        host.run("mkdir -p /srv/tf-out; touch /srv/tf-out/x", check=True)
        lines = [
            line("d", ""), line("d", "empty"), line("d", "full"), line("f", "same", argument="x"), line("f", "other", argument="x"),
            line("L", "link", argument="/srv/tf-out"), line("r", "gone*"), line("D", "volatile"),
        ]  # fmt: skip
        tmpfiles(lines=lines, apply=True)
        host.run(f"cd {PLACE}; echo y >other; ln -s /srv/tf-out full/out; mkdir -p full/d volatile/x; touch gone1 gone2", check=True)
        done = tmpfiles(lines=lines, remove=True)
        assert done["removed"] == [f"{PLACE}/gone1", f"{PLACE}/gone2", f"{PLACE}/volatile/x"]
        # A line that is no longer there.
        done = tmpfiles(lines=[each for each in lines if "empty" not in each["path"]], purge="unused")
        assert done["removed"] == [f"{PLACE}/empty"]
        done = tmpfiles(state="absent", purge="unused", lines=lines)
        assert sorted(done["removed"]) == [f"{PLACE}/link", f"{PLACE}/same", f"{PLACE}/volatile"]
        (warning,) = warnings(done)
        assert all(f"{PLACE}{path}, which " in warning for path in ("", "/full", "/other")), warning
        done = tmpfiles(state="absent", purge="everything", lines=lines)
        assert done["removed"] == [f"{PLACE}/full", PLACE]
        assert not host.exists(PLACE)
        assert host.run("ls /srv/tf-out", check=True).stdout == "x\n"
        host.run("rm -r /srv/tf-out")

    def test_no_user_and_no_mount_leads_it_elsewhere(self, host: Host, tmpfiles: Run) -> None:
        lines = [line("d", "of/cache/app", age="1us"), line("d", "made"), line("d", "before")]
        host.run(f"mkdir -p {PLACE}/of/cache/app {PLACE}/before; chown -R deploy {PLACE}/of; touch {PLACE}/before/x", check=True)
        try:
            tmpfiles(lines=lines, apply=True)
            host.run(
                f"mkdir -p {PLACE}/vault/app {PLACE}/made/a {PLACE}/made/b; touch {PLACE}/vault/app/x {PLACE}/made/a/x; rm -r {PLACE}/of/cache; "
                f"ln -s ../vault {PLACE}/of/cache; chown -h deploy {PLACE}/of/cache; mount -t tmpfs none {PLACE}/made/b",
                check=True,
            )
            # Systemd itself makes nothing there.
            done = tmpfiles.once(lines=lines, apply=True)
            assert done["msg"].startswith(f"lines[0].path: {PLACE}/of/cache/app is left alone, the way to which leads from"), done
            swept = tmpfiles(lines=lines, clean=True)
            assert "clean: " in warnings(swept)[0]
            # So that nobody is told anything else before.
            for check in (True, False):
                done = tmpfiles.once(check, lines=lines, state="absent", purge="everything")
                assert done["removed"] == []
                (warning,) = warnings(done)
                reasons = [
                    f"of/cache/app, the way to which leads from {PLACE}/of/cache, which is user ", f"made, in which {PLACE}/made/b is a mount",
                    "before, which holds x, and of which no record says",
                ]  # fmt: skip
                assert all(f"{PLACE}/{reason}" in warning for reason in reasons), warning
            assert host.run(f"cd {PLACE}; ls vault/app made/a before", check=True).stdout.split() == [
                "before:", "x", "made/a:", "x", "vault/app:", "x"
            ]  # fmt: skip
        finally:
            host.run(f"umount {PLACE}/made/b")
        # What was recorded is ours for later, too.
        assert tmpfiles(state="absent", lines=lines[1:2], purge="everything")["removed"] == [f"{PLACE}/made"]

    def test_a_tree_is_not_left(self, host: Host, tmpfiles: Run) -> None:
        tree = f"{PLACE}/tree"
        host.run(
            f"mkdir -p {tree}/etc {tree}/var {tree}/run {PLACE}/out; ln -s {PLACE}/out {tree}/leads; ln -s ../run {tree}/var/run; "
            f"printf 'root:x:0:0::/:/bin/sh\\ntfu:x:777:778::/:/bin/sh\\n' >{tree}/etc/passwd; printf 'tfg:x:779:\\n' >{tree}/etc/group",
            check=True,
        )
        done = tmpfiles(lines=[line("d", "/var/run/app", mode="0700", user="tfu", group="tfg")], root=tree, apply=True)
        assert done["path"] == f"{tree}/etc/tmpfiles.d/tf.conf"
        assert host.run(f"stat -c '%a %u %g' {tree}/run/app", check=True).stdout == "700 777 779\n"
        # With --root, systemd itself takes the tree for a part of what such specifiers stand for.
        tmpfiles(lines=[line("d", "%S/app 1%%")], root=tree, apply=True)
        assert host.exists(f"{tree}/var/lib/app 1%")
        tmpfiles(lines=[line("d", "/var/run/app", mode="0700", user="tfu", group="tfg")], root=tree, apply=True)
        assert "leads out of" in tmpfiles.refused(lines=[line("d", "/leads/app")], root=tree, apply=True)
        assert "there is no user 'deploy'" in tmpfiles.refused(lines=[line("d", "/x", user="deploy")], root=tree, apply=True)
        host.run(f"ln -s {PLACE}/out {tree}/run/app/out; touch {PLACE}/out/x", check=True)
        done = tmpfiles(state="absent", purge="everything", root=tree)
        assert done["removed"] == [f"{tree}/run/app"]
        assert host.exists(f"{PLACE}/out/x")

    def test_a_users_files_are_the_users(self, host: Host, tmpfiles: Run) -> None:
        lines = [{"type": "d", "path": "%h/tf-made", "mode": "0700"}, {"type": "f", "path": "%h/tf-made/x", "argument": "%u"}]
        of_user: dict[str, t.Any] = {"scope": "user", "user": "deploy"}
        done = tmpfiles(lines=lines, apply=True, **of_user)
        assert done["path"] == "/home/deploy/.config/user-tmpfiles.d/tf.conf"
        told = host.run("stat -c '%a %U' /home/deploy/tf-made /home/deploy/tf-made/x /home/deploy/.config/user-tmpfiles.d/tf.conf")
        assert told.stdout == "700 deploy\n644 deploy\n644 deploy\n"
        assert host.read("/home/deploy/tf-made/x") == "deploy"
        # Nothing is done there with root's rights.
        message = tmpfiles.once(lines=[{"type": "d", "path": "/etc/tf-made"}], apply=True, **of_user)
        assert message["failed"]
        assert not host.exists("/etc/tf-made")
        tmpfiles(lines=lines, state="absent", purge="unused", **of_user)
        assert not host.exists("/home/deploy/tf-made")
        assert not host.exists("/home/deploy/.config/user-tmpfiles.d")


def passwd(host: Host, name: str) -> str:
    return host.run(f"getent passwd {name}; getent group {name}; id -Gn {name}").stdout


class TestSysusers:
    """Whom lines describe."""

    @every_version
    def test_they_are_made_and_made_again(self, host: Host, sysusers: Run) -> None:
        lines = [
            {"type": "u", "name": "tfa", "id": "791", "description": 'The "tf" 100%%', "home": "/var/lib/tf", "shell": "/bin/false"},
            {"type": "u", "name": "tfb", "group": "nogroup", "shell": "/bin/sh"},
            {"type": "g", "name": "tfg", "id": "792"},
            {"type": "m", "name": "tfa", "group": "tfg"},
            {"type": "r", "id": "700-799"},
        ]
        try:
            done = sysusers(lines=lines, apply=True)
            assert done["changed"]
            assert warnings(done) == []
            assert passwd(host, "tfa") == 'tfa:x:791:791:The "tf" 100%:/var/lib/tf:/bin/false\ntfa:x:791:\ntfa tfg\n'
            assert host.run("id -gn tfb", check=True).stdout == "nogroup\n"
            assert host.run("getent group tfg", check=True).stdout == "tfg:x:792:tfa\n"
            # Who is gone is made again, and nobody else touched.
            host.run("userdel tfb; gpasswd -d tfa tfg; usermod -s /bin/sh tfa", check=True)
            told = sysusers.once(check=True, lines=lines, apply=True)
            assert told["steps"] == ["systemd-sysusers for tfb, tfa in tfg"]
            assert sysusers.once(lines=lines, apply=True)["changed"]
            (warning,) = warnings(sysusers.once(check=True, lines=lines, apply=True))
            assert "user tfa is there with shell /bin/sh, and not" in warning
            assert sysusers.once(lines=lines, apply=True)["changed"] is False
            assert "tfb" in passwd(host, "tfb")
            # What is used, or not ours, stays.
            # It is that user's when this returns.
            host.run("systemd-run --unit=tf-busy --uid=791 -p Type=exec sleep 1000; echo 'tfb:x' | chpasswd", check=True)
            kept = sysusers.once(state="absent", purge=True)
            assert kept["changed"]
            assert "whose process " in warnings(kept)[0]
            assert "user tfb, who has not the password" in warnings(kept)[0]
            assert "tfa" in passwd(host, "tfa")
            host.run("systemctl stop tf-busy; usermod -p '!*' tfb", check=True)
            gone = sysusers(state="absent", purge=True, lines=lines)
            assert gone["changed"]
            assert host.run("grep -c '^tf' /etc/passwd /etc/shadow /etc/group /etc/gshadow").stdout == (
                "/etc/passwd:0\n/etc/shadow:0\n/etc/group:0\n/etc/gshadow:0\n"
            )
            assert "tfa" not in host.run("cat /etc/group /etc/gshadow", check=True).stdout
        finally:
            host.run("systemctl stop tf-busy; userdel tfa; userdel tfb; groupdel tfg; true")

    @every_version
    def test_bad_lines_are_refused(self, host: Host, sysusers: Run) -> None:
        version = int(host.run("systemd-sysusers --version", check=True).stdout.split()[1])
        locked = {"type": "u!", "name": "tfa"}
        if version >= 257:
            assert not sysusers.once(check=True, lines=[locked]).get("failed")
        else:
            message = sysusers.refused(lines=[{"type": "g", "name": "tfg"}, locked])
            assert message.startswith("lines[1]: systemd-sysusers of this host refuses it: Unknown modifier"), message
        message = sysusers.refused(lines=[{"type": "u", "name": "%%"}])
        assert message.startswith("lines"), message
        broken = sysusers.once(lines=[{"type": "u", "name": "tfa", "group": "tf-none"}], apply=True, rollback=True)
        assert broken["failed"]
        assert not host.exists("/etc/sysusers.d/tf.conf")

    def test_a_tree_has_its_own(self, host: Host, sysusers: Run) -> None:
        tree = f"{PLACE}/tree"
        host.run(f"mkdir -p {tree}/etc", check=True)
        lines = [{"type": "u", "name": "tfa", "id": "793"}, {"type": "g", "name": "tfg"}, {"type": "m", "name": "tfa", "group": "tfg"}]
        assert sysusers(lines=lines, root=tree, apply=True)["changed"]
        assert "tfa:x:793:793:" in host.read(f"{tree}/etc/passwd")
        assert "tfa" not in host.read("/etc/passwd")
        assert sysusers(state="absent", purge=True, root=tree)["changed"]
        assert host.run(f"cat {tree}/etc/passwd {tree}/etc/group {tree}/etc/shadow", check=True).stdout == ""
