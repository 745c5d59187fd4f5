# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a host: what its units are, and every file that is said to be theirs; and the way back to a picture."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import time
import typing as t

USER = "deploy"
UID = 1000
HOME = f"/home/{USER}"
TREE = "/srv/kp-tree"
#: Where services of the scenarios leave traces.
TRACES = "/run/kp"
#: What lines of tmpfiles.d make.
MADE = "/srv/kp-made"
#: The program of services that must not be run: it leaves a trace.
JOB = "/usr/local/bin/kp-job"

#: Every place below which a task may touch anything.
ROOTS = (
    "/etc/credstore.encrypted",
    "/etc/systemd",
    "/run/systemd/system",
    "/run/systemd/system.control",
    "/run/systemd/system.attached",
    "/run/systemd/transient",
    "/run/systemd/user",
    "/run/systemd/generator",
    "/run/systemd/generator.early",
    "/run/systemd/generator.late",
    "/var/lib/systemd/linger",
    "/var/lib/systemd/timers",
    "/var/lib/pidone.systemd",
    "/run/pidone.systemd",
    f"{HOME}/.config",
    f"{HOME}/.local",
    f"/run/user/{UID}/systemd/user",
    f"/run/user/{UID}/systemd/user.control",
    f"/run/user/{UID}/systemd/transient",
    f"/run/user/{UID}/pidone.systemd",
    TREE,
    TRACES,
    "/etc/tmpfiles.d",
    "/etc/sysusers.d",
    MADE,
)
# Of these the names at the top are looked at: what is left there is nobody's.
_SHARED = ("/tmp", "/var/tmp", "/run", "/var/lib", f"/run/user/{UID}")
#: Records of what is going on, and locks.
RECORDS = (
    "/var/lib/pidone.systemd",
    "/run/pidone.systemd",
    f"/run/user/{UID}/pidone.systemd",
    f"{HOME}/.local/state",
)
# Scopes of logins come and go.
_OTHERS = re.compile(r"/transient/(?!kp-)[^/]+|/timers/stamp-(?!kp-)[^/]+$")
# Seconds after which a unit is taken as it is, though it is not done; and one whose process does not become what it runs.
_BUSY, _SLOW = 5, 60
# How one begins that is encrypted with the host's key.
_CREDENTIAL = b"Whxqht+dQJax1aZeCGLxm"
_BACKUP = re.compile(r"\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~$")

PROPERTIES = (
    "Id LoadState ActiveState SubState UnitFileState NeedDaemonReload FragmentPath DropInPaths MainPID Job "
    "NextElapseUSecRealtime NextElapseUSecMonotonic Persistent ControlGroup CPUQuotaPerSecUSec MemoryMax MemoryHigh TasksMax CPUWeight "
    "FreezerState"
).split()


class Entry(t.NamedTuple):
    """A file, directory or link as it was; `content` is None for a directory, and the target of a link."""

    mode: int
    uid: int
    gid: int
    content: bytes | None
    times: tuple[int, int]
    inode: int

    @property
    def facts(self) -> tuple[t.Any, ...]:
        """What two pictures have in common where nothing differs: not times, nor which inode it is."""
        return (self.mode, self.uid, self.gid, _meant(self.content))


def _meant(content: bytes | None) -> bytes | None:
    """What a file says: of a credential, which is encrypted another way each time, that is what it holds."""
    if content is None or not content.startswith(_CREDENTIAL):
        return content
    command = ["systemd-creds", "--name=kp", "decrypt", "-", "-"]
    done = subprocess.run(command, input=content, capture_output=True, check=False, timeout=60)
    return content if done.returncode else done.stdout


Files = dict[str, Entry]


class Picture(t.NamedTuple):
    """A host as it was."""

    files: Files
    units: dict[str, dict[str, str]]


def files() -> Files:
    """All that is there below the roots."""
    found: Files = {}
    for root in ROOTS:
        if not os.path.isdir(root):
            continue
        _look(root, found)
        for folder, names, others in os.walk(root):
            for name in (*names, *others):
                path = f"{folder}/{name}"
                if not _OTHERS.search(path):
                    _look(path, found)
    for root in _SHARED:
        if os.path.isdir(root):
            for name in os.listdir(root):
                if "pidone" in name or "ansible" in name or name.startswith(("kp-", ".kp-")):
                    _look(f"{root}/{name}", found)
    return found


def _look(path: str, found: Files) -> None:
    try:
        status = os.lstat(path)
        content: bytes | None = None
        if stat.S_ISLNK(status.st_mode):
            content = os.fsencode(os.readlink(path))
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                content = file.read()
    except FileNotFoundError:
        return
    found[path] = Entry(
        status.st_mode,
        status.st_uid,
        status.st_gid,
        content,
        (status.st_atime_ns, status.st_mtime_ns),
        status.st_ino,
    )


def put_back(wanted: Files) -> bool:
    """Make all files what they were, with their times; returns whether any was not."""
    now = files()
    touched = False
    for path in sorted(now.keys() - wanted.keys(), reverse=True):
        touched = True
        if stat.S_ISDIR(now[path].mode):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            os.unlink(path)
    for path in sorted(wanted):
        entry, there = wanted[path], now.get(path)
        if there is not None and there.facts == entry.facts and there.times[1] == entry.times[1]:
            continue
        touched = True
        directory = stat.S_ISDIR(entry.mode)
        if there is not None and (not directory or not stat.S_ISDIR(there.mode)):
            os.unlink(path)
        if directory:
            os.makedirs(path, exist_ok=True)
        elif stat.S_ISLNK(entry.mode):
            os.symlink(t.cast(bytes, entry.content), os.fsencode(path))
            os.lchown(path, entry.uid, entry.gid)
            os.utime(path, ns=entry.times, follow_symlinks=False)
            continue
        else:
            with open(path, "wb") as file:
                file.write(entry.content or b"")
        os.chown(path, entry.uid, entry.gid)
        os.chmod(path, stat.S_IMODE(entry.mode))
    # What is written in a directory changes its time; the deepest come first.
    for path in sorted(wanted, reverse=True):
        if not stat.S_ISLNK(wanted[path].mode):
            os.utime(path, ns=wanted[path].times)
    return touched


def systemctl(*words: str, user: bool = False) -> str:
    """Run systemctl; returns what it printed."""
    options: dict[str, t.Any] = {}
    command = ["systemctl", *words]
    if user:
        command.insert(1, "--user")
        options = {"user": UID, "group": UID, "extra_groups": []}
        options["env"] = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "XDG_RUNTIME_DIR": f"/run/user/{UID}"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        **options,
    )
    return done.stdout


def units(names: t.Sequence[str], user: bool = False) -> dict[str, dict[str, str]]:
    """What the manager says of units, once it is done with them, and their processes have become what they run."""
    begun = time.monotonic()
    while True:
        found, commands = {}, {}
        if names:
            told = systemctl("show", "--all", "-p", ",".join(PROPERTIES), "--", *names, user=user)
            for block in told.strip().split("\n\n"):
                values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
                if "Id" in values:
                    found[values["Id"]] = values
        busy = any(
            values["ActiveState"] in ("activating", "deactivating", "reloading")
            or values.get("Job", "0") not in ("", "0")
            for values in found.values()
        )
        waited = time.monotonic() - begun
        # A manager that has just begun to execute itself anew answers nobody.
        if ((found or not names) and not busy) or waited > _BUSY:
            pids = {name: values.get("MainPID", "0") for name, values in found.items()}
            commands = {name: _command(pid) for name, pid in pids.items() if pid not in ("", "0")}
            # The process of one may be gone, and another one in its place, before that is told: the manager is asked again.
            if all(commands.values()) or waited > _SLOW:
                break
        time.sleep(0.02)
    return {name: _comparable(values, commands.get(name)) for name, values in found.items()}


def _comparable(values: dict[str, str], command: str | None) -> dict[str, str]:
    """The same without what is another one in each run, and with what the main process runs, where there is one."""
    values = dict(values)
    values.pop("Job", None)
    group = values.pop("ControlGroup", "")
    for name in ("memory.max", "cpu.max") if group else ():
        # Where the host has the controllers.
        try:
            with open(f"/sys/fs/cgroup{group}/{name}") as file:
                values[f"kernel's {name}"] = file.read().strip()
        except OSError:
            pass
    # What systemd has not noticed to be gone is told by NeedDaemonReload.
    values["DropInPaths"] = " ".join(path for path in values.get("DropInPaths", "").split() if os.path.exists(path))
    values.pop("MainPID", None)
    if command is not None:
        values["Command"] = command
    for name in ("NextElapseUSecRealtime", "NextElapseUSecMonotonic"):
        if name in values:
            values[name] = _sane(values[name])
    return values


def _command(pid: str) -> str:
    """What a process runs; nothing as long as it is on its way there, or gone.

    What systemd has forked has systemd's own command line, or that of its executor, then the name of the program in
    parentheses; the kernel has none of a process within exec(), nor of one that has ended and is not waited for.
    """
    try:
        command = _command_line(pid)
        with open(f"/proc/{pid}/stat") as file:
            parent = file.read().rpartition(") ")[2].split()[1]
        if command.startswith("(") or os.path.basename(command.split(" ")[0]) == "systemd-executor":
            return ""
        return "" if command == _command_line(parent) else command
    except OSError:
        return ""


def _command_line(pid: str) -> str:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().replace(b"\0", b" ").decode(errors="replace").strip()


def _sane(text: str) -> str:
    """A time: one that is far away is told as such, one that counts from now only whether it is there."""
    year = re.search(r"\b(2[1-9]\d\d)-", text)
    if year or text in ("infinity", "n/a"):
        return "far away" if year or text == "infinity" else ""
    if re.search(r"\d{4}-\d\d-\d\d", text):
        return text
    return "some" if text not in ("", "0") else ""


def manager(user: bool = False) -> dict[str, str]:
    """What the manager says of itself."""
    deadline = time.monotonic() + 60
    while True:
        told = systemctl("show", "-p", "Environment,LogLevel", user=user)
        values = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        if values or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    words = [word for word in values.get("Environment", "").split() if word.startswith("KP_")]
    return {"Environment": " ".join(sorted(words)), "LogLevel": values.get("LogLevel", "")}


def take(names: t.Sequence[str], user: bool = False, with_manager: bool = False) -> Picture:
    """Take a picture of units, of files, and of what the manager says of itself if that matters."""
    # Units first: a service that was started late may still write.
    states = units(names, user)
    if with_manager:
        states["manager"] = manager(user)
    return Picture(files(), states)


class Difference(t.NamedTuple):
    """What is not as it should be: `kind` is stray, file, restart or state."""

    kind: str
    text: str


def compare(wanted: Picture, got: Picture) -> list[Difference]:
    """How one picture differs from the one it should be."""
    found = []
    expected_files, there = _lasting(wanted.files), _lasting(got.files)
    for path in sorted(expected_files.keys() | there.keys()):
        was, now = expected_files.get(path), there.get(path)
        if was is None and now is not None:
            found.append(Difference("stray", f"{path} is there{_begin(now)}"))
        elif now is None:
            found.append(Difference("file", f"{path} is not there"))
        elif was is not None and was.facts != now.facts:
            found.append(Difference("file", f"{path}: {was.facts} expected, got {now.facts}"))
    for name in sorted(wanted.units.keys() | got.units.keys()):
        expected, values = wanted.units.get(name, {}), got.units.get(name, {})
        for key in sorted(expected.keys() | values.keys()):
            if expected.get(key) != values.get(key):
                kind = "restart" if key == "Command" else "state"
                found.append(Difference(kind, f"{name}: {key}={expected.get(key)} expected, got {values.get(key)}"))
    return found


def _lasting(found: Files) -> Files:
    """The same without locks, and with copies of a file that say the same as one: each task that is run makes a backup."""
    named: Files = {}
    for path, entry in found.items():
        # Systemd makes the directories at the top itself, and leaves them.
        if _is_lock(path, entry) or (path in ROOTS and stat.S_ISDIR(entry.mode)):
            continue
        name = _BACKUP.sub(".BACKUP~", path)
        while name in named and named[name].facts != entry.facts:
            name += "+"
        named[name] = entry
    return named


def _is_lock(path: str, entry: Entry | None) -> bool:
    """Whether it is what tasks wait for, in which who last held it stands, or a directory that records are kept in."""
    if not path.startswith(RECORDS):
        return False
    return path.endswith(".lock") or (entry is not None and stat.S_ISDIR(entry.mode))


def _begin(entry: Entry) -> str:
    if entry.content is None:
        return ", a directory"
    return f": {entry.content[:120]!r}"


def written(before: Files, after: Files) -> list[str]:
    """What was written between two looks, even if it is the same as before; locks are taken, not written."""
    return [
        path
        for path in sorted(before.keys() | after.keys())
        if not _is_lock(path, after.get(path) or before.get(path))
        and _state(before.get(path)) != _state(after.get(path))
    ]


def _state(entry: Entry | None) -> t.Any:
    return entry and (entry.facts, entry.times[1], entry.inode)
