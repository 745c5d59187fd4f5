# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target for a fuzzer: bytes as a service directory, which is translated or refused, and nothing else."""

from __future__ import annotations

import base64

from ansible_collections.pidone.systemd.plugins.plugin_utils import _answers
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources import translate
from ansible_collections.pidone.systemd.plugins.plugin_utils._sources.runit import translator as runit

# Where a part of the input begins another file than the run script.
_SEPARATOR = b"\n%%"
_FILES = ("finish", "check", "log/run", "control/t", "conf", "env/A")

SEEDS = [
    script.encode()
    for script in (
        "exec 2>&1\nexec chpst -u www:adm -o 1024 -m 1000000 -e ./env /usr/sbin/httpd -DFOREGROUND $OPTS\n",
        "[ -r /etc/default/web ] && . /etc/default/web\n: ${PORT:=80}\nmkdir -p /run/web && chown web /run/web\n"
        "exec setpriv --reuid=web --regid=web --init-groups /usr/bin/web --port \"$PORT\" 2>&1\n",
        "if [ -f /etc/no ]; then sv down .; exit 0; fi\ncase \"$1\" in a|b) x=1;; *) x=$(hostname);; esac\n"
        "for i in 1 2 3; do echo $i; done\nwhile ! test -S /run/s; do sleep 1; done\nexec env -i A=\"$x\" nice -n 5 prog <<EOF\n$x\nEOF\n"
        "\n%%#!/bin/sh\necho finish $1 $2\n%%exec svlogd -tt /var/log/web\n",
        "cd /srv || exit 1\nulimit -n 4096\numask 027\nexport A='b c' PATH=/opt/bin:$PATH\nf() { echo \"$@\"; }\nf x\nprog &\nwait $!\n",
    )
]
TOKENS = [
    token.encode()
    for token in ("exec ", "chpst ", "-u ", "sv ", "$(", "`", "${A:-", "}", "\n", "%%", "<<E\n", "2>&1", " && ", " || ", "[ ", "; ", "&", "'", '"', "$?")
]


def one_input(data: bytes) -> None:
    """Translate a service whose run script, and other files after `%%` at the beginning of a line, are these bytes.

    :raises AssertionError: the result is none that is documented.
    :raises Exception: whatever the translator stumbles over, which it would call a script that could not be understood.
    """
    run, *others = data.split(_SEPARATOR)
    files = [_file("run", b"#!/bin/sh\n" + run)]
    files += [_file(path, content) for path, content in zip(_FILES, others, strict=False)]
    raw = {"name": "web", "source": "runit", "path": "/etc/sv/web", "live": len(data) % 2 == 0, "files": files}
    strict, runit.STRICT = runit.STRICT, True
    try:
        results = translate(_answers.definitions([raw]), log="svlogd" if len(data) % 3 == 0 else "journald")
    finally:
        runit.STRICT = strict
    (result,) = _answers.services(results)
    assert bool(result["units"]) == (result["translation"] != "refused")
    for unit in result["units"]:
        unit["content"].encode()
        assert "\0" not in unit["content"]


def _file(path: str, content: bytes) -> dict[str, str]:
    """A file as the collector returns it."""
    try:
        return {"path": path, "type": "file", "mode": "0755", "content": content.decode()}
    except UnicodeDecodeError:
        encoded = base64.b64encode(content).decode("ascii")
        return {"path": path, "type": "file", "mode": "0755", "content": encoded, "encoding": "base64"}
