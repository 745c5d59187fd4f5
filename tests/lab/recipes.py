# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of host consists of. A kind is data; to add one, add an entry (see README.md)."""

from __future__ import annotations

import hashlib
import json
import typing as t

#: Bump when the build steps of images.py change what comes out.
BUILD = 1

COMMON = (
    "acl",
    "dbus",
    "iproute2",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "tzdata",
)
#: Real services of Debian for hosts of other init systems.
SERVICES = ("cron", "memcached", "nginx-light", "redis-server", "socklog-run")
SYSTEMD = ("systemd", "systemd-sysv", "libpam-systemd", "dbus-user-session")
#: What other packages depend on systemd for, where there is none.
STANDALONE = ("systemd-standalone-sysusers", "systemd-standalone-tmpfiles")

#: Runs in the new root (as $1): users, SSH, and peace from timers that would fetch packages.
CUSTOMIZE = r"""
set -e
useradd --root "$1" --create-home --shell /bin/bash --uid 1000 deploy
useradd --root "$1" --create-home --shell /bin/bash --uid 1001 nosudo
echo 'deploy ALL=(ALL:ALL) NOPASSWD: ALL' > "$1/etc/sudoers.d/deploy"
chmod 0440 "$1/etc/sudoers.d/deploy"
mkdir -p "$1/etc/ssh/sshd_config.d"
cat > "$1/etc/ssh/sshd_config.d/lab.conf" <<'END'
AuthorizedKeysFile /etc/ssh/lab_authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
MaxSessions 100
MaxStartups 100
END
echo '127.0.0.1 localhost' > "$1/etc/hosts"
mkdir -p "$1/etc/systemd/system"
rm -f "$1/etc/resolv.conf" "$1/etc/hostname" "$1/var/lib/dbus/machine-id"
: > "$1/etc/machine-id"
for unit in apt-daily.timer apt-daily-upgrade.timer console-getty.service getty@tty1.service; do
    ln -sf /dev/null "$1/etc/systemd/system/$unit"
done
rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/*
"""

#: For hosts that will become systemd hosts (or go back): the packages for it, in a repository on the host itself.
REPOSITORY = r"""
mkdir "$1/srv/debs"
chroot "$1" sh -ec 'cd /srv/debs && apt-get -q download "$@"' sh SYSTEMD_PACKAGES
for deb in "$1"/srv/debs/*.deb; do
    dpkg-deb --field "$deb"
    echo "Filename: ./${deb##*/}"
    echo "Size: $(stat -c %s "$deb")"
    echo "SHA256: $(sha256sum "$deb" | cut -d' ' -f1)"
    echo
done > "$1/srv/debs/Packages"
echo 'deb [trusted=yes] file:/srv/debs ./' > "$1/etc/apt/sources.list.d/lab.list"
mv "$1/etc/apt/sources.list" "$1/etc/apt/sources.list.network"
"""

#: The same, for hosts that have no systemd at all yet: it is fetched with all that it takes.
WITHOUT_SYSTEMD = r"""
mkdir -p "$1/srv/debs/partial"
chroot "$1" sh -ec 'apt-get -q -y -o Dir::Cache::archives=/srv/debs --no-install-recommends --download-only install systemd'
rmdir "$1/srv/debs/partial"
rm -f "$1/srv/debs/lock"
"""

#: Packages enable their services only where they may start them, which they may not while an image is made. There is no
#: terminal either: Debian's way to say so is the dot.
RUNIT = r"""
for service in ssh socklog-unix; do
    ln -sfn "/etc/sv/$service" "$1/etc/runit/runsvdir/default/$service"
done
mv "$1/etc/runit/runsvdir/default/getty-tty1" "$1/etc/runit/runsvdir/default/.getty-tty1"
"""

#: The kernel for virtual machines, without the packages that would make an initial RAM disk for it.
KERNEL = r"""
chroot "$1" sh -ec '
    cd /srv
    kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/.*Depends: \(linux-image-[0-9].*\)/\1/p" | head -n 1)
    apt-get -q download "$kernel"
'
dpkg-deb -x "$1"/srv/linux-image-*.deb "$1/srv/kernel"
mv "$1"/srv/kernel/boot/vmlinuz-* "$1/boot/vmlinuz"
modules=$(echo "$1"/srv/kernel/usr/lib/modules/* "$1"/srv/kernel/lib/modules/* | tr ' ' '\n' | grep -v '\*')
mkdir -p "$1/usr/lib/modules"
mv "$modules" "$1/usr/lib/modules/"
rm -rf "$1"/srv/* "$1/usr/lib/modules/"*/kernel/drivers/gpu "$1/usr/lib/modules/"*/kernel/sound
chroot "$1" depmod -a "${modules##*/}"
printf '%s\n' virtio_pci virtio_net virtio_blk ext4 > "$1/etc/modules-load.d/lab.conf"
ln -sf /dev/null "$1/etc/systemd/system/serial-getty@ttyS0.service"
cat > "$1/etc/systemd/system/lab-network.service" <<'END'
[Unit]
Description=The address that qemu forwards to
DefaultDependencies=no
After=systemd-modules-load.service
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/ip address add 10.0.2.15/24 dev eth0
ExecStart=/bin/ip link set eth0 up
ExecStart=/bin/ip route add default via 10.0.2.2
[Install]
WantedBy=multi-user.target
END
chroot "$1" systemctl enable lab-network.service
# Without these systemd rebuilds caches at boot, which takes seconds in an emulator.
touch -d '+1 day' "$1/etc/.updated" "$1/var/.updated"
# Half of a boot's, and most of a reload's work: nothing here comes from generators, and they are not what this host is for.
for kind in system user; do
    mkdir -p "$1/etc/systemd/$kind-generators"
    for each in "$1/usr/lib/systemd/$kind-generators/"*; do
        ln -s /dev/null "$1/etc/systemd/$kind-generators/${each##*/}"
    done
done
"""


class Kind(t.NamedTuple):
    """One kind of host."""

    name: str
    backend: str  # "nspawn" or "qemu"
    suite: str
    packages: tuple[str, ...]
    customize: str = CUSTOMIZE
    about: str = ""

    def key(self) -> str:
        """Hash of everything the image depends on: a changed recipe is a new image."""
        text = json.dumps([BUILD, self.backend, self.suite, self.packages, self.customize])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _kinds(*kinds: Kind) -> dict[str, Kind]:
    return {kind.name: kind for kind in kinds}


KINDS = _kinds(
    Kind("bullseye", "nspawn", "bullseye", (*COMMON, *SYSTEMD, "policykit-1"), about="Debian 11, systemd 247"),
    Kind("bookworm", "nspawn", "bookworm", (*COMMON, *SYSTEMD, "polkitd"), about="Debian 12, systemd 252"),
    Kind("trixie", "nspawn", "trixie", (*COMMON, *SYSTEMD, "polkitd"), about="Debian 13, systemd 257"),
    Kind(
        "machines",
        "nspawn",
        "trixie",
        (*COMMON, *SYSTEMD, "systemd-container"),
        about="Debian 13, systemd 257 with systemd-machined, which can run containers of its own",
    ),
    Kind(
        "runit",
        "nspawn",
        "trixie",
        (*COMMON, "runit-init", "runit", "runit-services", "snooze", "systemd", *SERVICES),
        customize=REPOSITORY.replace(
            "SYSTEMD_PACKAGES",
            "systemd-sysv libpam-systemd dbus-user-session runit-init init initscripts insserv startpar sysv-rc",
        )
        + RUNIT
        + CUSTOMIZE,
        about="Debian 13 booting runit, systemd installed beside it",
    ),
    Kind(
        "runit-only",
        "nspawn",
        "trixie",
        (*COMMON, "runit-init", "runit", "runit-services", "python3-apt", *STANDALONE, *SERVICES),
        customize=WITHOUT_SYSTEMD
        + REPOSITORY.removeprefix('\nmkdir "$1/srv/debs"').replace(
            "SYSTEMD_PACKAGES", "systemd-sysv libpam-systemd dbus-user-session runit-init"
        )
        + RUNIT
        + CUSTOMIZE,
        about="Debian 13 booting runit, without systemd; /srv/debs has it",
    ),
    Kind(
        "runit-run",
        "nspawn",
        "trixie",
        (*COMMON, *SYSTEMD, "polkitd", "runit", "runit-run", "runit-services", *SERVICES),
        about="Debian 13 booting systemd, which runs runsvdir",
    ),
    Kind(
        "sysvinit",
        "nspawn",
        "bookworm",
        (*COMMON, "sysvinit-core", "systemd", "insserv", *SERVICES),
        customize=REPOSITORY.replace(
            "SYSTEMD_PACKAGES",
            "systemd-sysv libpam-systemd dbus-user-session sysvinit-core init initscripts insserv startpar sysv-rc",
        )
        + CUSTOMIZE,
        about="Debian 12 booting sysvinit, systemd installed beside it",
    ),
    Kind(
        "vm",
        "qemu",
        "trixie",
        (*COMMON, *SYSTEMD, "polkitd", "kmod"),
        customize="set -e\n: packed by cpio.py, version 2\n" + KERNEL + CUSTOMIZE,
        about="Debian 13 in an emulated virtual machine, with all cgroup controllers",
    ),
)
