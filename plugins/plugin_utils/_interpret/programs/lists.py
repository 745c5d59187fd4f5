# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about programs by their names: where the standard ones are, which only write logs, which change the shell."""

from __future__ import annotations

# Utilities that every host has at these paths (merged /usr or not).
_BIN = (
    "cat chgrp chmod chown cp date dd df echo false grep hostname kill ln login ls mkdir mknod mktemp mount mv ps pwd rm rmdir "
    "sed sh sleep stty sync touch true umount uname bash su mountpoint dmesg gzip tar ip"
).split()


_USR_BIN = (
    "awk basename chrt cut dirname env expr find flock getent head id install ionice killall logger mkfifo nice nohup nproc pgrep "
    "pkill printf prlimit runuser setpriv setsid sort stat stdbuf sudo tail taskset tee test timeout tr uniq wc xargs chpst "
    "sv svlogd python3 perl"
).split()


_SBIN = "sysctl modprobe ifconfig route iptables ip6tables losetup swapon swapoff start-stop-daemon".split()
STANDARD: dict[str, str] = {
    **{name: f"/bin/{name}" for name in _BIN},
    **{name: f"/usr/bin/{name}" for name in _USR_BIN},
    **{name: f"/sbin/{name}" for name in _SBIN},
}


# Of these, the ones that no virtual environment or version manager brings along in a PATH of its own.
EVERYWHERE = frozenset(STANDARD) - {"python3", "perl"}


# Programs whose work is done by journald once the service runs under systemd.
LOGGERS = frozenset(
    (
        "svlogd",
        "logger",
        "vlogger",
        "multilog",
        "s6-log",
        "tinylog",
        "cat",
        "tai64n",
        "systemd-cat",
        "tai64nlocal",
        "ts",
        "socklog",
    )
)


# Of these, the ones that only shape lines on their way.
FILTERS = frozenset(("tai64n", "tai64nlocal", "ts", "cat", "tee"))
# Programs whose children are meant to outlive a restart: sessions, jobs and containers of users.
LEAVES_CHILDREN = frozenset(
    ("sshd", "dropbear", "cron", "crond", "atd", "cronie", "fcron", "dcron", "containerd", "dockerd", "lxcfs")
)


# Programs that look for files, or code, in the directory they are started in.
LOOKS_AROUND = frozenset(
    "docker-compose podman-compose make gmake npm npx yarn pnpm rackup rake bundle foreman honcho hivemind overmind procodile mix sbt mvn "
    "gradle lein cargo composer vagrant jekyll hugo mkdocs gunicorn uvicorn hypercorn waitress-serve flask celery puma unicorn thin "
    "nodemon skaffold tilt".split()
)


# Directories that every host has, so that they are no programs.
DIRECTORIES = frozenset(
    "/ /bin /sbin /usr /usr/bin /usr/sbin /usr/lib /usr/local /usr/local/bin /usr/local/sbin /etc /var /run /tmp /dev /opt /home /root "
    "/run/user /run/lock /var/run /var/lib /var/log /var/cache /usr/libexec /usr/share /etc/default /lib".split()
)


# Services that systemd's own units of the early boot name in their After=.
EARLY = frozenset(("auditd",))
# What only tells the time until the service is stopped.
FOREVER = frozenset(("infinity", "inf", "365d", "1000d", "999d", "9999d", "10000d", "99999d"))
MESSAGES = frozenset(("echo", "printf", ":", "true", "logger", "msg", "msg_warn", "msg_ok", "msg_error", "msg_normal"))
# Commands without effects: they may run again, or as another user, without anything changing.
HARMLESS = frozenset(
    "hostname nproc date id uname test [ [[ true false : echo printf expr basename dirname cut tr sed awk grep egrep fgrep head "
    "tail sort uniq wc command type which getconf free ls find xargs readlink realpath pwd cat getent seq ip lsb_release "
    "nproc arch tty stat domainname dnsdomainname sysctl lscpu rev tac exec export set shift local return unset exit".split()
)


# Of these, the ones that do nothing but look, whatever their arguments are: a step of them alone changes nothing that a later one could ask for.
LOOKS = (HARMLESS - frozenset("ip sysctl hostname domainname sed find xargs exec".split())) | frozenset(
    ("sleep", "umask", "ulimit", "cd", "mountpoint", "pgrep", "ps", "pidof", "logger")
)


# Commands that end at once, whatever the host is doing. Others may take longer than systemd waits for a step by itself.
QUICK = HARMLESS - {"exec", "find", "xargs", "tail"} | frozenset(
    "mkdir install chown chmod chgrp rm rmdir ln cp mv touch mkfifo mknod mktemp tee setfacl modprobe mountpoint dmesg "
    "ssh-keygen alsactl kill pkill killall pidof pgrep ps echo setcap ulimit umask cd logger dbus-uuidgen stty env start-stop-daemon "
    "usermod groupmod adduser addgroup useradd groupadd ifconfig route iptables ip6tables hostname losetup sed "
    "let read eval source . shopt trap".split()
)


# Commands whose arguments, but options, are files.
OF_FILES = frozenset(
    "touch rm mv cp ln cat mkdir rmdir chown chgrp chmod tee mkfifo sed grep head tail readlink realpath".split()
)


# Files whose text is code for shells rather than settings.
CODE_MARKS = (
    "functions",
    "/lib/",
    "/usr/share/",
    "/libexec/",
    "rc.subr",
    "/etc/profile",
    "bashrc",
    "bash_profile",
    "zshrc",
    ".profile",
    "nvm.sh",
    "rvm",
)


def path_of(name: str, commands: dict[str, str]) -> str:
    """The path of a program called by a bare name: as found on the host, or where every host has it, or the name."""
    return commands.get(name) or STANDARD.get(name) or name


# Builtins that change the shell itself, so that what follows depends on them.
STATEFUL = frozenset(
    "cd exec export set shift trap umask ulimit . source eval read alias unset readonly declare typeset local getopts wait pushd shopt".split()
)


# Commands that only a shell has.
ONLY_BUILTIN = frozenset(
    "command type local ulimit umask times jobs fg bg let declare typeset builtin enable disown bind caller".split()
)


FILE_COMMANDS = frozenset(("mkdir", "install", "chown", "chmod", "chgrp"))
# Programs of runit, daemontools and their kin, and others that come with them.
OF_SUPERVISORS = frozenset(
    "chpst svlogd utmpset setuidgid envdir envuidgid softlimit setlock pgrphack argv0 fghack multilog tai64n tai64nlocal tinylog pause "
    "snooze vlogger runsvdir runsv s6-setuidgid s6-envdir s6-softlimit s6-setsid s6-log svwaitup setuser".split()
)
# Commands that go on as somebody else, and may have to be installed for that.
CHANGE_ACCOUNT = frozenset(("chpst", "setuidgid", "su", "setpriv", "runuser", "sudo"))
