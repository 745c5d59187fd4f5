# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command prints and is given to read, and how the result tells it."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._engine.engine import Context
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.sizes import format_bytes
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.run.request import Request

# Bytes of output beyond the limit that are kept while it is read, so that it is not cut at each read.
_SLACK = 1 << 20
# fcntl(2): how many bytes a pipe holds. The module fcntl names it since Python 3.10.
_F_GETPIPE_SZ = 1032


class Output:
    """Reads what a unit prints, while other things are waited for, and keeps the last of it.

    :param streams: which of `stdout` and `stderr` are read.
    :param limit: bytes of each that are kept; what came before them is only counted.
    """

    def __init__(self, streams: t.Sequence[str], limit: int) -> None:
        self.ends: dict[str, int] = {}
        self._limit = limit
        self._sources: dict[int, str] = {}
        self._data: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._dropped = {"stdout": 0, "stderr": 0}
        for stream in streams:
            source, self.ends[stream] = os.pipe()
            self._sources[source] = stream
            # A command may open /dev/stdout anew, and be another user by then.
            os.fchmod(self.ends[stream], 0o666)
            os.set_blocking(source, False)
        self._wake = os.pipe()
        self._thread: t.Any = None

    def begin(self, keep_ends: bool = False) -> None:
        """Read from now on; the ends to be written to are another's business, unless they are kept for later."""
        import threading

        if not keep_ends:
            for end in self.ends.values():
                os.close(end)
            self.ends.clear()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        import select

        poll = select.poll()
        for source in (*self._sources, self._wake[0]):
            poll.register(source, select.POLLIN)
        open_sources, woken = set(self._sources), False
        while open_sources:
            for ready, _event in poll.poll(0 if woken else None):
                if ready == self._wake[0]:
                    woken = True
                    poll.unregister(ready)
                elif not self._take(ready, 1 << 16):
                    poll.unregister(ready)
                    open_sources.discard(ready)
            if woken:
                # The unit is down: what it printed is in the pipes, also where somebody still holds them.
                for source in open_sources:
                    self._take_all(source)
                return

    def _take(self, source: int, most: int) -> int | None:
        """Keep what is there, up to so many bytes; returns how many came, 0 at the end, None where there is nothing now."""
        try:
            data = os.read(source, most)
        except BlockingIOError:
            return None
        stream = self._sources[source]
        kept = self._data[stream]
        kept += data
        if len(kept) > self._limit + _SLACK:
            self._cut(stream)
        return len(data)

    def _take_all(self, source: int) -> None:
        """Take what a pipe can hold, and no more: who still holds the other end may write for ever."""
        import fcntl

        left = fcntl.fcntl(source, _F_GETPIPE_SZ)
        while left > 0:
            came = self._take(source, min(left, 1 << 16))
            if not came:
                return
            left -= came

    def _cut(self, stream: str) -> None:
        """Drop from the beginning what is more than the limit, and what that leaves of a character of UTF-8."""
        kept = self._data[stream]
        more = len(kept) - self._limit
        if more <= 0:
            return
        more += next((at for at in range(4) if kept[more + at : more + at + 1].isascii() or kept[more + at] >= 0xC0), 0)
        self._dropped[stream] += more
        del kept[:more]

    def end(self) -> None:
        """Take what is left and stop reading."""
        if self._thread is not None:
            os.write(self._wake[1], b".")
            self._thread.join()
            self._thread = None
        for descriptor in (*self.ends.values(), *self._sources, *self._wake):
            os.close(descriptor)
        self.ends, self._wake = {}, (-1, -1)
        self._sources = {}
        for stream in self._data:
            self._cut(stream)

    def data(self, stream: str) -> bytearray:
        """What came on one stream, or the last of it. Complete after `end`."""
        return self._data[stream]

    def dropped(self, stream: str) -> int:
        """How many bytes came before that."""
        return self._dropped[stream]


def printed(output: Output, request: Request, streams: t.Sequence[str], ctx: Context) -> dict[str, t.Any]:
    """What was printed, as the result tells it; null where nobody read it."""
    facts: dict[str, t.Any] = {"stdout": None, "stderr": None}
    for stream in streams:
        facts.update(as_text(stream, output.data(stream), request.strip))
        dropped = output.dropped(stream)
        if dropped:
            facts[f"{stream}_dropped"] = dropped
            ctx.warnings.append(
                f"{stream} is cut: its first {dropped} bytes are not returned, as it was longer than `output_limit` "
                f"({format_bytes(request.output_limit)})"
            )
    return facts


def as_text(stream: str, data: bytes | bytearray, strip: bool) -> dict[str, t.Any]:
    """What was printed, as text; where it is no text, also as base64."""
    facts = {}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        import base64

        text = data.decode("utf-8", "replace")
        facts[f"{stream}_base64"] = base64.b64encode(data).decode()
    facts[stream] = text.rstrip("\r\n") if strip else text
    return facts
