# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services: one per flag, argument and rule of runit. `@` stands for the probe with the service's name."""

from __future__ import annotations

PREFIX = "t-"
OUT = "/var/lib/probe"

# What differs between any two starts, or is systemd's own and documented as such.
SYSTEMS_OWN = frozenset(
    "PATH LANG PWD OLDPWD SHLVL _ LC_CTYPE INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID MEMORY_PRESSURE_WATCH "
    "MEMORY_PRESSURE_WRITE HOME USER LOGNAME SHELL".split()
)

SH = "#!/bin/sh\nexec 2>&1\n"


def runs(script: str, **files: str) -> dict[str, str]:
    """The files of a service with that run script."""
    return {"run": script if script.startswith("#!") else SH + script, **files}


# One process is looked at: arguments, identities, directory, environment, limits, niceness, umask, session, outputs.
SEEN: dict[str, dict[str, str]] = {
    "plain": runs("exec @ a 'b  c' '' '$HOME' 100% 'say \"hi\"' 'back\\slash' \"it's\""),
    "flag-u": runs("exec chpst -u daemon @"),
    "flag-u-group": runs("exec chpst -u daemon:mail @"),
    "flag-u-groups": runs("exec chpst -u daemon:daemon:mail:news @"),
    "flag-u-numbers": runs("exec chpst -u :1234:1235 @"),
    "flag-U": runs("exec chpst -U daemon @"),
    "flag-b": runs("exec chpst -b another @"),
    "flag-e": runs(
        "export GONE=here STAYS=here\nexec chpst -e ./env @",
        **{
            "env/ONE": "first\nsecond\n",
            "env/BLANKS": "x y \t \n",
            "env/NUL": "a\0b\n",
            "env/GONE": "",
            "env/RAW": "a$b%c\"d'e\\f",
        },
    ),
    "flag-root": runs("exec chpst -/ /srv/jail @"),
    "flag-C": runs("exec chpst -C /var/tmp @"),
    "flag-n": runs("exec chpst -n 5 @"),
    "flag-n-negative": runs("exec chpst -n -3 @"),
    "flag-l": runs(f"exec chpst -l {OUT}/lock.l @"),
    "flag-L": runs(f"exec chpst -L {OUT}/lock.L @"),
    "flag-m": runs("exec chpst -m 400000000 @"),
    "flag-d": runs("exec chpst -d 300000000 @"),
    "flag-o": runs("exec chpst -o 123 @"),
    "flag-p": runs("exec chpst -p 321 @"),
    "flag-f": runs("exec chpst -f 1000000 @"),
    "flag-c": runs("exec chpst -c 4096 @"),
    "flag-r": runs("exec chpst -r 200000000 @"),
    "flag-t": runs("exec chpst -t 100 @"),
    "flag-P": runs("exec chpst -P @"),
    "flag-v": runs("exec chpst -v -u daemon @"),
    "flag-0": runs("exec chpst -0 @"),
    "flag-1": runs("exec chpst -1 @"),
    "flag-2": runs("exec chpst -2 @"),
    "flags-together": runs("exec chpst -u daemon:mail -n 3 -o 99 -C /tmp -P @ x"),
    "argv0": runs('exec -a "my name" @', run="#!/bin/bash\nexec 2>&1\nexec -a 'my name' @"),
    "umask": runs("umask 027\nexec @"),
    "cd": runs("cd /var/tmp || exit 1\nexec @"),
    "cd-fails": runs("cd /nowhere/at/all\nexec @"),
    "guard-before-cd": runs(
        "X=$(cat which)\n[ -f configs/$X ] || exit 1\ncd src\nexec @",
        **{"which": "here\n", "configs/here": "", "src/file": ""},
    ),
    "limit-behind-a-step": runs(
        f"dd if=/dev/zero of={OUT}/limit.image bs=64k count=2 status=none\nexec chpst -f 100000 @"
    ),
    "umask-behind-a-step": runs(f"rm -f {OUT}/umask.made; touch {OUT}/umask.made\numask 077\nexec @"),
    "ulimit": runs("ulimit -n 200\nulimit -c 0\nexec @"),
    "nice": runs("exec nice -n 4 @"),
    "export": runs("export A=1 B='two words'\nC=3\nexport C\nD=not-exported\nexec @ $D"),
    "prefix": runs("A=1 exec @"),
    "conf": runs("[ -r ./conf ] && . ./conf\nexec @ ${OPTS:---default} ${MORE:=none}", conf='OPTS="--one two"\n'),
    "conf-absent": runs("[ -r ./conf ] && . ./conf\nexec @ ${OPTS:---default}"),
    "name": runs('exec @ "${PWD##*/}" $(basename "$PWD")'),
    "setpriv": runs("exec setpriv --reuid=daemon --regid=mail --clear-groups @"),
    "invoke-run": runs("#!/usr/bin/env /lib/runit/invoke-run\nexec 2>&1\nexec @ $OPTS\n", **{"env/FROM_ENV": "yes\n"}),
    "stderr-apart": runs("#!/bin/sh\nexec @"),
    "default-exported": runs("[ -r ./conf ] && . ./conf\nexport APP=${APP:-/etc/app.toml}\nexec @"),
    # There is a t-prog in /usr/local/bin as well, and each tells the probe where it is.
    "path": runs("export PATH=/opt/t/bin:$PATH\nexec t-prog path"),
    "path-behind": runs("PATH=$PATH:/opt/t/bin\nexec t-prog path-behind"),
    "path-by-eval": runs("eval 'PATH=/opt/t/bin:$PATH'\nexec t-prog path-by-eval"),
    "values": runs("exec chpst -e /etc/sv/t-values/values @", **{"values/KEY": "-----BEGIN-----\0abc\0"}),
    "directory": runs("exec @", **{"compose.in": "services\n"}),
    # chpst by way of sudo, by its whole path; a name that only bash can give; wrappers in the text of a shell.
    "sudo": runs("exec sudo /usr/bin/chpst -u daemon @"),
    "argv0-in-bash": runs("#!/bin/bash\nexec 2>&1\nexec -a 'my name' @ $(cat arguments)\n", arguments="--one two\n"),
    "argv0-in-sh": runs("exec chpst -b 'my name' @ $(cat arguments)", arguments="--one two\n"),
    "wrappers-in-text": runs("exec sh -c 'exec envuidgid daemon softlimit -a 400000000 @ x'"),
    # It waits until the file is old enough, and the file is to be in the service directory.
    "snooze": runs("exec snooze -H'*' -M'*' -S'*' -t timefile -T 2 sh -c 'touch timefile; exec @ exit=0'"),
}
DEFAULTS = {"invoke-run": 'OPTS="x y"\nEXPORTED=1\n'}

# What comes out differently, as the guide says.
DIFFERENT: dict[str, set[str]] = {
    # What the command line is made of is in the unit's environment, where the shell had it to itself.
    "conf": {"environment OPTS"},
    "conf-absent": {"environment OPTS"},
    # systemd's limit of processes is set for the user, soft and hard.
    "flag-p": {"limits NPROC"},
    # Under systemd a process always has its own group among its groups.
    "setpriv": {"groups"},
    # What sudo does besides: its variables, and no core dumps (rlimit_core of sudoers(5)).
    "sudo": {*(f"environment {name}" for name in ("MAIL", "SUDO_COMMAND", "SUDO_GID", "SUDO_HOME", "SUDO_UID", "SUDO_USER", "TERM")), "limits CORE"},
    # runit as the first process ignores SIGCONT, and so does what it starts and does not ask for it, as the other probes do.
    "snooze": {"ignored"},
}

# Started again and again: (what it does) -> about how many seconds lie between two starts, under runit and under systemd.
AGAIN: dict[str, tuple[str, float, float]] = {
    "exit-0": ("exec @ exit=0", 1.0, 1.0),
    "exit-3": ("exec @ exit=3", 1.0, 1.0),
    "killed": ("exec @ kill=9", 1.0, 1.0),
    # runit waits only after runs shorter than a second, systemd always; the guide says so.
    "longer": ("exec @ after=1.3 exit=0", 1.3, 2.3),
}

FINISH = f'#!/bin/sh\necho "$1 $2" >>{OUT}/$(basename "$PWD" | sed s/^{PREFIX}//).finish\n'
# finish is told how run ended.
FINISHED: dict[str, dict[str, str]] = {
    "finish-0": runs("exec @ exit=0", finish=FINISH),
    "finish-3": runs("exec @ exit=3", finish=FINISH),
    "finish-111": runs("exec @ exit=111", finish=FINISH),
    "finish-kill": runs("exec @ kill=9", finish=FINISH),
    "finish-term": runs("exec @ kill=15", finish=FINISH),
    "finish-down": runs("exec @", finish=FINISH),
    "finish-plain": runs(
        "exec @ after=1 exit=0", finish=f"#!/bin/sh\nexec 2>&1\necho again >>{OUT}/finish-plain.finish\n"
    ),
}

STOPPED: dict[str, dict[str, str]] = {
    "stop": runs("exec @"),
    "stop-child": runs("exec @ child"),
    "stop-int": runs("exec @", **{"control/t": '#!/bin/sh\nkill -INT "$(cat supervise/pid)"\n'}),
    "stop-quit": runs("exec @", **{"control/t": "#!/bin/sh\nexec sv quit .\n"}),
}

OTHERS: dict[str, dict[str, str]] = {
    "down": runs("exec @", down=""),
    "once": runs("exec @"),
    "self-down": runs("exec @ exit=0", finish="#!/bin/sh\nexec sv down .\n"),
    "pause": runs(
        f"echo up >>{OUT}/pause.up\nexec chpst -b t-pause pause", finish=f"#!/bin/sh\necho down >>{OUT}/pause.finish\n"
    ),
    "unready": runs(
        f"echo start >>{OUT}/unready.order\n/bin/false || exit 2\nexec chpst -b t-unready pause",
        finish=f"#!/bin/sh\necho finish $1 >>{OUT}/unready.order\n",
    ),
    "told": runs("exec @"),
    "tells": runs("exec @ exit=0", finish="#!/bin/sh\nsv hup t-told\n"),
    "needed": runs("sleep 2\nexec @", check=f"#!/bin/sh\nexec test -e {OUT}/needed.starts\n"),
    "needs": runs("sv check t-needed >/dev/null || exit 1\nexec @"),
    "steps": runs(
        "install -d -o daemon -g mail -m 0750 /run/t-steps\n"
        f"rm -f {OUT}/steps.old\n"
        f"stat -c '%U %G %a' /run/t-steps >{OUT}/steps.stat\n"
        "exec chpst -u daemon @"
    ),
    "sigpipe": runs(f"exec sh -c 'grep SigIgn /proc/$$/status >{OUT}/sigpipe.ignored; exec sleep 1000'"),
    "guard": runs("[ -x /nowhere/at/all ] || exec sv down t-guard\nexec @"),
    # The step runs at each try, though the script never gets further.
    "guard-behind": runs(f"echo step >>{OUT}/guard-behind.steps\n[ -e {OUT} ] && exit 0\nexec @"),
    # The one waits for what the other does before it starts it.
    "first": runs("touch /run/t-first.ready\nsv up t-worker\nexec @"),
    "worker": runs("while [ ! -e /run/t-first.ready ]; do sleep 0.2; done\nexec @"),
    "status": runs(f"@ exit=3\nrc=$?\necho $rc >>{OUT}/status.rc\nexit $rc"),
    "background": runs("exec @ &"),
    "refused": runs(
        "stop_me() { echo broken; sv down .; }\nsetup() { [ -d /srv ] || stop_me; ARGS=--x; }\n"
        "if [ -e /etc/hostname ]; then setup; fi\nexec @ $ARGS"
    ),
    "logged": runs("exec @ print", **{"log/run": "#!/bin/sh\nexec svlogd -tt /var/log/t-logged\n"}),
    "logged-kept": runs("exec @ print", **{"log/run": "#!/bin/sh\nexec svlogd -tt /var/log/t-logged-kept\n"}),
    "logged-out": runs("#!/bin/sh\nexec @ print", **{"log/run": "#!/bin/sh\nexec svlogd /var/log/t-logged-out\n"}),
}

LOGGED = ("logged", "logged-out", "logged-kept")


def all_services() -> dict[str, dict[str, str]]:
    """Every service: name -> relative path -> content."""
    again = {name: runs(script) for name, (script, _runit, _systemd) in AGAIN.items()}
    return {**SEEN, **again, **FINISHED, **STOPPED, **OTHERS}
