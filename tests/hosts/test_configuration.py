# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `configuration` on real hosts: settings that are really in force, each put there in the one right way."""

from __future__ import annotations

import typing as t

import pytest

from tests import contract
from tests.attacks.bad_inputs_on_host import ModulesOnHost
from tests.lab.fixtures import every_version
from tests.lab.host import Host

ETC = "/etc/systemd"
# Systemd leaves down what is started often (StartLimitBurst=), by whomever.
RESTART = "systemctl reset-failed systemd-journald; systemctl restart systemd-journald"
SET_LOG_LEVEL = (
    "busctl set-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager LogLevel s"
)
Result = dict[str, t.Any]


class Configuration:
    """The module on a host."""

    def __init__(self, host: Host, modules: ModulesOnHost) -> None:
        self.host, self._modules = host, modules

    def task(self, name: str, check: bool = False, **args: t.Any) -> Result:
        """One task; an error of the module is a result."""
        answer = self._modules("configuration", {"name": name, **args}, check)
        assert answer["result"] is not None, answer["output"]
        result: Result = answer["result"]
        contract.has_no_traceback(result)
        return result

    def converge(self, name: str, **args: t.Any) -> Result:
        """Plan, do, and do again."""
        return contract.converge(lambda check: self.task(name, check, **args), self.picture)

    def refused(self, name: str, *words: str, **args: t.Any) -> Result:
        """The same error in both modes, and nothing changed."""
        return contract.refused(lambda check: self.task(name, check, **args), self.picture, *words)

    def picture(self) -> str:
        """Files, and who has been started when."""
        told = self.host.run(
            f"find {ETC} /run/systemd/*.conf.d /home/deploy/.config -printf '%p %T@ %i\\n' 2>/dev/null | sort; "
            "systemctl show systemd-journald systemd-logind -p Id,InvocationID,ExecMainStartTimestampMonotonic; "
            "systemctl show -p DefaultLimitNOFILE,DefaultTimeoutStartUSec,LogLevel,TimerSlackNSec"
        )
        return str(told.stdout)

    def told(self, unit: str, *properties: str) -> dict[str, str]:
        return contract.show(self.host, unit, *properties)


@pytest.fixture(scope="module")
def modules(host: Host) -> t.Iterator[ModulesOnHost]:
    with ModulesOnHost(host) as found:
        yield found


@pytest.fixture
def conf(host: Host, modules: ModulesOnHost) -> t.Iterator[Configuration]:
    yield Configuration(host, modules)
    left = host.run(f"grep -rl 'pidone.systemd.configuration marker' {ETC} /run/systemd; true").stdout.split()
    if left:
        # A test failed; systemd itself is as it was after this.
        host.run(f"rm -f {' '.join(left)}; systemctl daemon-reload; systemctl kill -s HUP systemd-logind; {RESTART}")
    host.run("systemctl is-active systemd-journald", check=True)


@every_version
class TestEveryVersion:
    """What versions differ in: how settings are checked, and how each daemon is told."""

    def test_limits_of_services(self, conf: Configuration) -> None:
        own = {"DefaultLimitNOFILE": "5000:6000", "DefaultTimeoutStartSec": "77s"}
        done = conf.converge("system", settings={"Manager": own})
        assert done["path"] == f"{ETC}/system.conf.d/50-ansible.conf"
        assert done["steps"] == [f"write {done['path']}", "daemon-reload", "see what the manager says of it"]
        assert done["effective"] == {"Manager": {"DefaultLimitNOFILE": "5000:6000", "DefaultTimeoutStartSec": "1min17s"}}
        assert not done.get("warnings")
        limits = conf.host.run("systemd-run -q --wait --pipe sh -c 'ulimit -Sn; ulimit -Hn'", check=True).stdout
        assert limits.split() == ["5000", "6000"]
        # The same in other words: the file is another one, and nothing has to be done for it.
        spelled = conf.converge("system", settings={"Manager": {**own, "DefaultTimeoutStartSec": 77}})
        assert spelled["steps"] == [f"rewrite {done['path']}"]
        gone = conf.converge("system", state="absent")
        assert gone["steps"] == [f"remove {done['path']}", "daemon-reload"]
        assert "77" not in conf.host.run("systemctl show -p DefaultTimeoutStartUSec").stdout
        assert not conf.host.exists(f"{ETC}/system.conf.d")

    def test_what_needs_a_new_process(self, conf: Configuration) -> None:
        done = conf.converge("system", dropin="slack", runtime=True, settings={"Manager": {"TimerSlackNSec": "60us", "LogLevel": "notice"}})
        assert done["path"] == "/run/systemd/system.conf.d/slack.conf"
        assert "daemon-reexec" in done["steps"]
        assert conf.host.run("cat /proc/1/timerslack_ns").stdout.strip() == "60000"
        assert done["effective"]["Manager"] == {"TimerSlackNSec": "60000ns", "LogLevel": "notice"}
        back = conf.converge("system", dropin="slack", runtime=True, state="absent")
        assert "daemon-reexec" in back["steps"]
        assert conf.host.run("systemctl show -p LogLevel --value").stdout.strip() == "info"
        assert "TimerSlackNSec will be what systemd has by default from the next boot on" in str(back["warnings"])

    @pytest.mark.parametrize("level", ["debug", "info"])
    def test_what_was_set_while_it_runs(self, conf: Configuration, level: str) -> None:
        """It goes before the files, whatever is read again; so it is let go of, once for all."""
        conf.host.run(f"{SET_LOG_LEVEL} {level}", check=True)
        own = {"Manager": {"LogLevel": "notice"}}
        done = conf.converge("system", dropin="level", settings=own)
        assert done["steps"][0] == "let LogLevel follow the files"
        assert done["effective"] == own
        assert not done.get("warnings")
        conf.host.run(f"{SET_LOG_LEVEL} {level}", check=True)
        (warning,) = conf.task("system", dropin="level", settings={"Manager": {**own["Manager"], "LogColor": True}})["warnings"]
        assert f"LogLevel= in [Manager] is {level} in force" in str(warning)
        assert conf.converge("system", dropin="level", state="absent")["steps"][0] == "let LogLevel follow the files"
        assert conf.host.run("systemctl show -p LogLevel --value").stdout.strip() == "info"

    def test_the_journal_really_limits(self, conf: Configuration) -> None:
        before = conf.told("systemd-journald.service", "InvocationID")
        settings = {"Journal": {"RateLimitIntervalSec": "1min", "RateLimitBurst": 3, "SystemMaxUse": "24M", "RuntimeMaxUse": "24M"}}
        done = conf.converge("journald", dropin="few", settings=settings)
        assert done["steps"][1] == "try-restart systemd-journald.service"
        # In containers what it says of them would never be found: test_what_the_journal_says_of_itself_is_in_no_journal.
        assert not [step for step in done["steps"] if step.startswith("see ")]
        assert conf.told("systemd-journald.service", "InvocationID") != before
        conf.host.run("systemd-run -q --wait --unit=cf-talks sh -c 'for i in $(seq 300); do echo line $i; done'", check=True)
        lines = int(conf.host.run("journalctl --sync; journalctl -q -u cf-talks -o cat | grep -c ^line", check=True).stdout)
        # Journald lets through up to six times as many, by the room that there is on the disk.
        assert 1 <= lines < 60
        assert "max 24" in conf.host.run("journalctl -q -b -u systemd-journald -o cat | grep Journal | tail -n 1").stdout
        assert conf.converge("journald", dropin="few", state="absent")["changed"]

    def test_told_something_new_often(self, conf: Configuration) -> None:
        """More often than systemd starts what dies: journald comes up each time."""
        for number in range(7):
            before = conf.told("systemd-journald.service", "InvocationID")
            done = conf.task("journald", dropin="often", settings={"Journal": {"SyncIntervalSec": f"{number + 1}min"}})
            assert done["changed"], done
            assert conf.told("systemd-journald.service", "InvocationID") != before
        assert conf.task("journald", dropin="often", state="absent")["changed"]

    def test_logind_is_told_and_never_restarted(self, conf: Configuration) -> None:
        before = conf.told("systemd-logind.service", "InvocationID", "ExecMainPID")
        done = conf.converge("logind", settings={"Login": {"UserStopDelaySec": "33s", "KillUserProcesses": True, "KillOnlyUsers": ["a", "b c"]}})
        assert done["effective"] == {"Login": {"UserStopDelaySec": "33s", "KillUserProcesses": "yes", "KillOnlyUsers": "a b c"}}
        # It is only the daemon who can tell that this is nothing: the file goes, and logind has read that.
        refused = conf.task("logind", settings={"Login": {"UserStopDelaySec": "44s", "RuntimeDirectorySize": "much"}})
        assert refused["failed"]
        assert "RuntimeDirectorySize=much" in refused["msg"]
        assert refused["problems"][0]["line"] == 6
        assert refused["rolled_back"]
        assert not refused["changed"]
        again = conf.task("logind", settings={"Login": {"UserStopDelaySec": "33s", "KillUserProcesses": True, "KillOnlyUsers": ["a", "b c"]}})
        assert not again["changed"]
        assert again["effective"]["Login"]["UserStopDelaySec"] == "33s"
        assert conf.converge("logind", state="absent")["changed"]
        assert conf.told("systemd-logind.service", "InvocationID", "ExecMainPID") == before

    def test_what_was_left_for_later(self, conf: Configuration) -> None:
        """Written or removed without being applied, and then applied."""
        values = {"logind": ("Login", "UserStopDelaySec", "35s"), "system": ("Manager", "DefaultTimeoutStopSec", "76s")}
        for name, (section, key, value) in values.items():
            own: dict[str, t.Any] = {"settings": {section: {key: value}}}
            conf.task(name, dropin="10-first", settings={section: {key: "21s"}})
            assert conf.task(name, apply=False, **own)["effective"] == {section: {key: "21s"}}
            # Without a wish to apply it there is nothing to do, however often.
            assert not conf.task(name, apply=False, **own)["changed"]
            late = conf.converge(name, **own)
            assert len(late["steps"]) == 2, late
            assert late["effective"][section][key] == {"35s": "35s", "76s": "1min16s"}[value]
            assert conf.task(name, state="absent", apply=False)["changed"]
            gone = conf.converge(name, state="absent")
            assert len(gone["steps"]) == 1, gone
            assert conf.task(name, dropin="10-first", settings={section: {key: "21s"}})["effective"] == {section: {key: "21s"}}
            assert conf.converge(name, dropin="10-first", state="absent")["changed"]

    def test_bad_settings_are_refused(self, conf: Configuration) -> None:
        conf.refused("system", "did you mean DefaultLimitNOFILE=?", settings={"Manager": {"DefaultLimitNofiles": 5}})
        conf.refused("system", "DefaultTimeoutStartSec=soon", settings={"Manager": {"DefaultTimeoutStartSec": "soon"}})
        conf.refused("system", "there is no section [Maneger]", "[Manager]?", settings={"Maneger": {"LogLevel": "info"}})
        conf.refused("journald", "did you mean SystemMaxUse=?", settings={"Journal": {"SystemMaxUsed": "1G"}})
        conf.refused("journald", "SystemMaxUse=: 'much' is not a size", settings={"Journal": {"SystemMaxUse": "much"}})
        conf.refused("journald", "'often' is none of volatile, persistent", settings={"Journal": {"Storage": "often"}})
        conf.refused("networkd", "knows no DHCP= in [Network]", settings={"Network": {"DHCP": "yes"}})
        conf.refused("user", "did you mean DefaultTasksMax=?", settings={"Manager": {"DefaultTasksMaxx": 500}})
        conf.refused("jurnald", "has no jurnald.conf; did you mean journald?", settings={"Journal": {"Storage": "none"}})

    def test_users_managers(self, conf: Configuration) -> None:
        host = conf.host
        host.run("loginctl enable-linger deploy; for i in $(seq 600); do test -S /run/user/1000/systemd/private && break; sleep 0.1; done")
        ask = "runuser -u deploy -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user show -p DefaultTimeoutStartUSec --value"
        own = {"settings": {"Manager": {"DefaultTimeoutStartSec": "44s"}}}
        try:
            # All of them are settings, though systemd lists some only in system.conf and some nowhere.
            wanted = {"DefaultTimeoutStartSec": "55s", "DefaultTasksMax": 500, "DefaultMemoryAccounting": True, "DefaultOOMPolicy": "stop"}
            assert conf.task("user", settings={"Manager": wanted}, apply=False)["changed"]
            assert host.run(ask).stdout.strip() == "1min 30s"
            done = conf.converge("user", settings={"Manager": wanted})
            assert done["steps"] == ["daemon-reload of all users' managers"]
            assert host.run(ask).stdout.strip() == "55s"
            if "systemd 247" in host.run("systemctl --version").stdout:
                conf.refused("user", "reads no settings of one user", scope="user", user="deploy", **own)
            else:
                mine = conf.converge("user", scope="user", user="deploy", dropin="60-mine", **own)
                assert mine["effective"] == {"Manager": {"DefaultTimeoutStartSec": "44s"}}
                assert host.run(ask).stdout.strip() == "44s"
                assert host.run(["stat", "-c", "%U", mine["path"]]).stdout.strip() == "deploy"
                assert conf.converge("user", scope="user", user="deploy", dropin="60-mine", state="absent")["changed"]
            assert conf.converge("user", state="absent")["changed"]
            assert host.run(ask).stdout.strip() == "1min 30s"
        finally:
            host.run("loginctl disable-linger deploy; rm -rf /home/deploy/.config/systemd/user.conf.d")


def test_others_files(conf: Configuration) -> None:
    """Who wins is told; what others wrote stays, and what this module once wrote with the marker goes."""
    theirs = f"{ETC}/journald.conf.d/90-theirs.conf"
    conf.host.write(theirs, "[Journal]\nMaxRetentionSec=1week\n")
    wanted = {"Journal": {"MaxRetentionSec": "1month", "SyncIntervalSec": "4min"}}
    try:
        old = conf.task("journald", dropin="10-old", settings={"Journal": {"MaxFileSec": "1day"}}, marker="cf", apply=False)
        assert old["steps"] == [f"write {ETC}/journald.conf.d/10-old.conf"]
        other = conf.task("journald", dropin="11-other", settings={"Journal": {"MaxFileSec": "1day"}}, marker="cf 2", apply=False)
        done = conf.converge("journald", settings=wanted, marker="cf", purge=True, apply=False)
        assert done["purged"] == [old["path"]]
        assert done["overridden"] == [{"section": "Journal", "setting": "MaxRetentionSec", "path": theirs}]
        assert f"{theirs} says otherwise" in str(done["warnings"])
        assert conf.host.exists(other["path"])
        # Nobody has been told yet; now it is done for what is there, and only then.
        late = conf.converge("journald", settings=wanted, marker="cf", purge=True)
        assert late["steps"][0] == "try-restart systemd-journald.service"
        # It says what theirs says already, so that nothing has to be done for it.
        conf.host.run(f"rm {theirs}; {RESTART}")
        conf.host.write(theirs, "[Journal]\nSyncIntervalSec=240\n")
        conf.task("journald", settings={"Journal": {"SyncIntervalSec": "4min"}}, marker="cf", purge=True)
        same = conf.task("journald", state="absent", marker="cf", purge=True)
        assert same["steps"] == [f"remove {ETC}/journald.conf.d/50-ansible.conf"]
    finally:
        conf.host.run(f"rm -rf {ETC}/journald.conf.d; {RESTART}")


@every_version
def test_what_the_journal_says_of_itself_is_in_no_journal(conf: Configuration) -> None:
    """Why there is no step that looks for it in containers: if this fails, there can be one."""
    path = "/run/systemd/journald.conf.d/cf-bad.conf"
    conf.host.write(path, "[Journal]\nSystemMaxUse=much\n")
    try:
        conf.host.run(f"{RESTART} && logger cf-was-restarted && journalctl --sync", check=True)
        told = conf.host.run("journalctl -q -b -o cat", check=True).stdout
        assert "cf-was-restarted" in told
        assert "cf-bad.conf" not in told
    finally:
        conf.host.run(f"rm -r /run/systemd/journald.conf.d; {RESTART}")


def test_a_tree(conf: Configuration) -> None:
    conf.host.run(
        "mkdir -p /srv/cf/etc /srv/cf/usr/lib/systemd; cd /srv/cf; ln -s ../../etc/systemd/coredump.conf usr/lib/systemd/coredump.conf; "
        "ln -s /lib usr/lib64; mkdir etc/systemd; printf '[Coredump]\\n#Storage=external\\n#Compress=yes\\n' > etc/systemd/coredump.conf"
    )
    try:
        done = conf.converge("coredump", root="/srv/cf", settings={"Coredump": {"Storage": "none"}})
        assert done["steps"] == ["write /srv/cf/etc/systemd/coredump.conf.d/50-ansible.conf"]
        conf.refused("coredump", "did you mean Storage=?", root="/srv/cf", settings={"Coredump": {"Storag": "none"}})
        conf.host.run("rm -r /srv/cf/etc/systemd/coredump.conf.d; ln -s /tmp/cf-elsewhere /srv/cf/etc/systemd/coredump.conf.d")
        assert conf.task("coredump", root="/srv/cf", settings={"Coredump": {"Storage": "none"}})["path"] == "/srv/cf/tmp/cf-elsewhere/50-ansible.conf"
        assert not conf.host.exists("/tmp/cf-elsewhere")
    finally:
        conf.host.run("rm -rf /srv/cf")
