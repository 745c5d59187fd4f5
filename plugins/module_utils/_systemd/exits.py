# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How processes end, as systemd tells it and as people read it."""

from __future__ import annotations

import os
import signal
import typing as t

# si_code of waitid(2), which systemd calls ExecMainCode and the like: CLD_EXITED, CLD_KILLED, CLD_DUMPED.
EXITED, KILLED, DUMPED = 1, 2, 3
# Exit statuses that systemd itself sets when it cannot run the command: systemd.exec(5), "Process Exit Codes".
_OF_SYSTEMD = {
    200: "CHDIR", 201: "NICE", 202: "FDS", 203: "EXEC", 204: "MEMORY", 205: "LIMITS", 206: "OOM_ADJUST",
    207: "SIGNAL_MASK", 208: "STDIN", 209: "STDOUT", 210: "CHROOT", 211: "IOPRIO", 212: "TIMERSLACK",
    213: "SECUREBITS", 214: "SETSCHEDULER", 215: "CPUAFFINITY", 216: "GROUP", 217: "USER", 218: "CAPABILITIES",
    219: "CGROUP", 220: "SETSID", 221: "CONFIRM", 222: "STDERR", 224: "PAM", 225: "NETWORK", 226: "NAMESPACE",
    227: "NO_NEW_PRIVILEGES", 228: "SECCOMP", 229: "SELINUX_CONTEXT", 230: "PERSONALITY", 231: "APPARMOR_PROFILE",
    232: "ADDRESS_FAMILIES", 233: "RUNTIME_DIRECTORY", 235: "CHOWN", 236: "SMACK_PROCESS_LABEL", 237: "KEYRING",
    238: "STATE_DIRECTORY", 239: "CACHE_DIRECTORY", 240: "LOGS_DIRECTORY", 241: "CONFIGURATION_DIRECTORY",
    242: "NUMA_POLICY", 243: "CREDENTIALS", 245: "BPF",
}  # fmt: skip


def is_of_systemd(status: int) -> bool:
    """Whether an exit status is one of those with which systemd says that it could not run a command.

    A command may have such a status of its own accord all the same; 255, which many have, is not one.
    """
    return status in _OF_SYSTEMD


class Exit(t.NamedTuple):
    """How a process ended.

    :param code: EXITED, KILLED or DUMPED; 0 where it has not ended, or never ran.
    :param number: the exit status or the signal.
    """

    code: int = 0
    number: int = 0

    @property
    def status(self) -> int | None:
        """The exit status; None where it did not exit of itself."""
        return self.number if self.code == EXITED else None

    @property
    def signal(self) -> str | None:
        """The name of the signal that killed it, or None."""
        return signal_name(self.number) if self.code in (KILLED, DUMPED) else None

    @property
    def core_dumped(self) -> bool:
        return self.code == DUMPED

    @property
    def rc(self) -> int | None:
        """Exit status, or minus the number of the signal, as Python's subprocess tells it; None where it has not ended."""
        return -self.number if self.code in (KILLED, DUMPED) else self.status

    @property
    def meaning(self) -> str:
        """What systemd says with the exit status where it could not run the command, such as `EXEC`; else empty."""
        return _OF_SYSTEMD.get(self.number, "") if self.code == EXITED else ""

    @property
    def word(self) -> str | None:
        """Which kind of end it was, in the word that systemd has in EXIT_CODE (systemd.exec(5)); None where it has not ended."""
        return {EXITED: "exited", KILLED: "killed", DUMPED: "dumped"}.get(self.code)

    @property
    def is_success(self) -> bool:
        return self.code == EXITED and not self.number


def exit_of(properties: t.Mapping[str, t.Any], prefix: str = "ExecMain") -> Exit:
    """The end of a service's main process, from the properties `ExecMainCode` and `ExecMainStatus`."""
    return Exit(properties.get(f"{prefix}Code") or 0, properties.get(f"{prefix}Status") or 0)


def exit_of_wait(status: int) -> Exit:
    """The end of a child of this process, from what waitpid(2) tells."""
    if os.WIFSIGNALED(status):
        return Exit(DUMPED if os.WCOREDUMP(status) else KILLED, os.WTERMSIG(status))
    return Exit(EXITED, os.WEXITSTATUS(status))


def signal_name(number: int) -> str:
    """A signal's name, such as `SIGTERM` or `SIGRTMIN+3`; the number as text where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        if signal.SIGRTMIN < number < signal.SIGRTMAX:
            return f"SIGRTMIN+{number - signal.SIGRTMIN}"
        return str(number)


def told(status: int | None, killed_by: str | None, core_dumped: bool = False) -> str:
    """How a process ended, in a few words: `exited with status 203/EXEC`, `was killed by SIGTERM`."""
    if killed_by:
        return f"was killed by {killed_by}{' (core dumped)' if core_dumped else ''}"
    meaning = Exit(EXITED, status or 0).meaning
    return f"exited with status {status}{f'/{meaning}' if meaning else ''}"
