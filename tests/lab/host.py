# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every host can do, whatever it runs on."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import time
import typing as t
from pathlib import Path

from tests.lab import bytecode, cgroup, images, network, paths
from tests.lab.proc import LabError, Process, run, wait_until
from tests.lab.recipes import Kind

if t.TYPE_CHECKING:
    from tests.lab.runner import PlaybookResult

USERS = ("root", "deploy", "nosudo")


class Host:
    """A host of the lab. Its state is ``build/lab/hosts/NAME/host.json``; everything else is derived from it."""

    boot_timeout = 30.0

    def __init__(self, state: dict[str, t.Any]) -> None:
        self.state = state

    # -- identity ------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the host, which is its hostname too."""
        return t.cast(str, self.state["name"])

    @property
    def kind(self) -> Kind:
        """What kind of host it is."""
        return images.kind_of(self.state["kind"])

    @property
    def address(self) -> str:
        """Its IPv4 address, reachable from this machine only."""
        return t.cast(str, self.state["address"])

    @property
    def directory(self) -> Path:
        """Where the host's state and root file system are."""
        return paths.HOSTS / self.name

    @property
    def root(self) -> Path:
        """The host's root file system as seen from outside."""
        return self.directory / "root"

    @property
    def supervisor(self) -> Process | None:
        """The process that runs the host."""
        return Process.load(self.state.get("supervisor"))

    @property
    def owner(self) -> Process | None:
        """The process for which the host was started (None: it stays until it is taken down)."""
        return Process.load(self.state.get("owner"))

    def alive(self) -> bool:
        """Whether the host runs."""
        process = self.supervisor
        return process is not None and process.alive()

    def save(self) -> None:
        """Write the state, atomically."""
        temporary = self.directory / f".host.json.{os.getpid()}"
        temporary.write_text(json.dumps(self.state, indent=1))
        temporary.rename(self.directory / "host.json")

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Prepare the root file system and the network, boot, and wait until it is reachable over SSH."""
        image = images.build(self.kind)
        ensure_key()
        network.attach(self.name, int(self.address.rpartition(".")[2]))
        self.prepare(image)
        self.boot()

    def prepare(self, image: Path) -> None:
        """Make the host's own root file system from the image."""
        raise NotImplementedError

    def own_files(self, address: str) -> dict[str, str]:
        """What each host has besides its image, as ``{path without leading slash: content}``.

        *address* is its own as it sees it.
        """
        files = {
            "etc/ssh/lab_authorized_keys": paths.KEY.with_suffix(".pub").read_text(),
            "etc/machine-id": f"{secrets.token_hex(16)}\n",
            "etc/hostname": f"{self.name}\n",
            "etc/hosts": f"127.0.0.1 localhost\n{address} {self.name}\n",
        }
        if self.state.get("keep_bytecode"):
            files[bytecode.MODULE] = Path(bytecode.__file__).read_text()
            files[bytecode.HOOK] = bytecode.HOOK_TEXT
        return files

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process that runs the host."""
        raise NotImplementedError

    def wait_booted(self) -> None:
        """Wait until the boot is over."""
        raise NotImplementedError

    def leader(self) -> int:
        """Process id, outside, of the host's PID 1."""
        raise NotImplementedError

    def boot(self) -> None:
        """Start the prepared host and wait until it answers."""
        process = self.launch()
        self.state["supervisor"] = list(Process.of(process.pid))
        self.save()
        self.wait_booted()

    def kill(self) -> None:
        """End the host at once, as a power cut would."""
        process = self.supervisor
        if process:
            process.kill(signal.SIGKILL)
        cgroup.end(self.state["cgroup"])
        if process:
            _reap(process)

    def remove(self) -> None:
        """End the host and remove all its traces. Works on any half-made or half-removed host."""
        self.disconnect()
        self.kill()
        network.detach(self.name)
        mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for point in sorted((p for p in mounted if p.startswith(f"{self.directory}/")), reverse=True):
            run("umount", "--lazy", point)
        # Renamed first: whoever brings up a host of this name meanwhile finds either all of it or nothing.
        trash = paths.LAB / "trash" / f"{self.name}-{secrets.token_hex(4)}"
        trash.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.directory.rename(trash)
            shutil.rmtree(trash, ignore_errors=True)

    def console(self) -> str:
        """What the host wrote to its console since it was made."""
        log = self.directory / "console.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def _console_tail(self) -> str:
        return "\n".join(self.console().splitlines()[-15:])

    def wait_ssh(self, timeout: float) -> None:
        """Wait until sshd greets."""

        def greets() -> bool:
            if not self.alive():
                raise LabError(f"{self.name} ended while booting; its console:\n{self._console_tail()}")
            try:
                with socket.create_connection((self.address, 22), timeout=1) as connection:
                    connection.settimeout(2)
                    return connection.recv(4) == b"SSH-"
            except OSError:
                return False

        try:
            wait_until(greets, f"{self.name}: sshd", timeout)
        except LabError as exc:
            raise LabError(f"{exc}; console:\n{self._console_tail()}") from None

    # -- use -----------------------------------------------------------------------------------------------------

    def control_path(self, user: str) -> Path:
        """The socket that shares one SSH connection between commands (and with Ansible)."""
        return paths.RUN_CLONE / f"{self.name}-{user}"

    def ssh_options(self, user: str) -> list[str]:
        """Options for ssh, scp and Ansible: the lab's key, a shared connection, no known-hosts file."""
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "GlobalKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "IdentitiesOnly": "yes",
            "ConnectTimeout": "30",
            "ServerAliveInterval": "15",
            "ControlMaster": "auto",
            "ControlPersist": "120s",
            "ControlPath": str(self.control_path(user)),
        }
        words = ["-F", "none", "-i", str(paths.KEY)]
        for key, value in options.items():
            words += ["-o", f"{key}={value}"]
        return words

    def ssh_command(self, user: str = "root", *flags: str) -> list[str]:
        """The ssh command line up to and including the address."""
        paths.RUN_CLONE.mkdir(parents=True, exist_ok=True)
        return ["ssh", *flags, *self.ssh_options(user), f"{user}@{self.address}"]

    def run(
        self,
        command: str | t.Sequence[str],
        *,
        user: str = "root",
        input: str | None = None,  # pylint: disable=redefined-builtin
        check: bool = False,
        timeout: float | None = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line (str) or an exact argument vector (list) on the host over SSH.

        With *check*, a non-zero exit raises AssertionError that shows the output.
        """
        line = command if isinstance(command, str) else shlex.join(command)
        done = subprocess.run(
            [*self.ssh_command(user), "--", line],
            input=input if input is not None else "",
            text=True,
            errors="replace",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {line!r} exited {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def write(self, path: str, content: str | bytes, mode: int = 0o644, owner: str = "root") -> None:
        """Write a file on the host (parents are made), atomically."""
        data = content.encode() if isinstance(content, str) else content
        quoted = shlex.quote(path)
        line = (
            f'd=$(dirname -- {quoted}); mkdir -p -- "$d" && t=$(mktemp -- "$d/.lab.XXXXXX") && cat > "$t" && '
            f'chmod {mode:o} "$t" && chown {shlex.quote(owner)} "$t" && mv -f -- "$t" {quoted}'
        )
        done = subprocess.run(
            [*self.ssh_command(), "--", line], input=data, capture_output=True, timeout=60, check=False
        )
        if done.returncode:
            raise AssertionError(f"{self.name}: writing {path}: {done.stderr.decode(errors='replace')}")

    def read(self, path: str) -> str:
        """Content of a file on the host; FileNotFoundError if it is not there."""
        done = self.run(["cat", "--", path])
        if done.returncode:
            raise FileNotFoundError(f"{self.name}:{path}: {done.stderr.strip()}")
        return done.stdout

    def exists(self, path: str) -> bool:
        """Whether *path* exists on the host (a dangling link counts)."""
        return self.run(f"test -e {shlex.quote(path)} -o -L {shlex.quote(path)}").returncode == 0

    def ansible(self, module: str, args: dict[str, t.Any] | None = None, **options: t.Any) -> dict[str, t.Any]:
        """Run one Ansible task on the host over SSH; see :func:`tests.lab.runner.task`."""
        from tests.lab import runner

        return runner.task(self, module, args, **options)

    def playbook(self, text: str | list[dict[str, t.Any]], *extra_args: str, **options: t.Any) -> PlaybookResult:
        """Run a playbook (``hosts: all``) on the host; see :func:`tests.lab.runner.playbook`."""
        from tests.lab import runner

        return runner.playbook(text, [self], *extra_args, **options)

    def disconnect(self) -> None:
        """Close the shared SSH connections."""
        for path in paths.RUN_CLONE.glob(f"{self.name}-*"):
            user = path.name[len(self.name) + 1 :]
            if user not in USERS:
                continue
            subprocess.run(
                ["ssh", "-F", "none", "-o", f"ControlPath={path}", "-O", "exit", "lab"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=10,
            )
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def inventory(self) -> dict[str, t.Any]:
        """The host's Ansible variables. The login user is left to the playbook (by default who runs it: root)."""
        options = self.ssh_options("root")
        args = [word for word in options if not word.startswith("ControlPath=")]
        # -o ControlPath=... is replaced by Ansible's own option, so that a login as another user has its own connection.
        del args[args.index("ControlPersist=120s") + 1]
        return {
            "ansible_host": self.address,
            "ansible_ssh_private_key_file": str(paths.KEY),
            "ansible_ssh_args": shlex.join(args),
            "ansible_control_path": str(paths.RUN_CLONE / f"{self.name}-%%r"),
            "ansible_python_interpreter": "/usr/bin/python3",
        }


def ensure_key() -> None:
    """Make the clone's SSH key if it is missing."""
    if paths.KEY.exists():
        return
    with paths.locked(paths.LAB / "key.lock"):
        if not paths.KEY.exists():
            temporary = paths.KEY.with_suffix(f".{secrets.token_hex(4)}")
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pidone-lab", "-f", temporary)
            temporary.with_suffix(temporary.suffix + ".pub").rename(paths.KEY.with_suffix(".pub"))
            temporary.rename(paths.KEY)


def _reap(process: Process, timeout: float = 5.0) -> None:
    """Wait until the process is gone, collecting it if it is our child."""
    deadline = time.monotonic() + timeout
    while process.alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
