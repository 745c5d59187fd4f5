# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes against servers and programs that do all that they should not: none takes longer than it may, none is left behind."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time
import typing as t
from pathlib import Path
from unittest.mock import MagicMock, patch

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._engine import probe as options
from ansible_collections.pidone.systemd.plugins.module_utils._engine import probing
from ansible_collections.pidone.systemd.plugins.module_utils._engine.probe import Probe, ProbeUnits
from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
# A test in which nothing hangs has far less; one that hangs fails by it.
PATIENCE = 10.0


class Status(t.NamedTuple):
    id: str
    active_state: str = "active"
    sub_state: str = "running"
    path: str = "/"


def context(*statuses: Status) -> t.Any:
    """What a step gets to know: units that run, but for those given."""
    known = {status.id: status for status in statuses}
    manager = MagicMock()
    manager.status.side_effect = lambda names: [known.get(name, Status(name)) for name in names]
    return MagicMock(wait=True, manager=manager)


def probe(timeout: str = "400ms", interval: str = "20ms", **what: t.Any) -> Probe:
    made = Probe.of({"timeout": timeout, "interval": interval, **what}, "probe")
    assert made is not None
    return made


def units(**probes: Probe) -> ProbeUnits:
    return ProbeUnits({f"{name}.service": each for name, each in probes.items()})


def problem(ctx: t.Any = None, timeout: str = "9s", interval: str = "9s", **what: t.Any) -> str:
    """What is wrong with a unit that does not answer, told in time; by default after one try."""
    begun = time.monotonic()
    with pytest.raises(SystemdError) as e:
        units(a=probe(timeout, interval, **what)).apply(ctx or context())
    assert time.monotonic() - begun < PATIENCE
    return str(e.value.data["probe"]["problem"])


class Server:
    """Does something with every connection, in a thread for each; `asked` is what the first line of requests was."""

    def __init__(self, peer: socket.socket, does: t.Callable[[socket.socket], None]) -> None:
        self.peer, self.does = peer, does
        self.asked: list[bytes] = []
        self.over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._begin(self._accept)

    @property
    def port(self) -> int:
        return int(self.peer.getsockname()[1])

    def _begin(self, target: t.Callable[..., None], *args: t.Any) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer = self.peer.accept()[0]
                self._open.append(peer)
                self._begin(self._serve, peer)

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            self.does(peer)

    def close(self) -> None:
        self.over.set()
        for peer in (self.peer, *self._open):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            peer.close()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., Server]]:
    made: list[Server] = []

    def begin(does: t.Callable[[socket.socket], None]) -> Server:
        made.append(Server(socket.create_server(("127.0.0.1", 0)), does))
        return made[-1]

    yield begin
    for server in made:
        server.close()


def answering(data: bytes) -> t.Callable[[socket.socket], None]:
    def answer(peer: socket.socket) -> None:
        peer.recv(1 << 16)
        peer.sendall(data)

    return answer


class TestHttp:
    @pytest.mark.parametrize(
        "data,told",
        [
            (GOOD, ""),
            (b"HTTP/1.0 204 No Content\n\n", ""),
            # Not followed.
            (b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", ""),
            (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + GOOD, ""),
            (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 No\r\n\r\n", "it answered 500 No"),
            (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "it answered 503 Service Unavailable"),
            (b"HTTP/1.1 404\r\n\r\n", "it answered 404"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "it did not answer as a web server does"),
            (b"HTTP/1.1 OK\r\n\r\n", "it did not answer as a web server does"),
            (b"HTTP/1.1 \xb2\xb2\xb2\r\n\r\n", "it did not answer as a web server does"),
            (b"HTTP/" + b"1" * (1 << 18), "it did not answer as a web server does"),
            (b"", "it closed the connection without an answer"),
            (b"HTTP/1.1 200", "it closed the connection without an answer"),
        ],
    )
    def test_answers(self, serve: t.Callable[..., Server], data: bytes, told: str) -> None:
        url = f"http://127.0.0.1:{serve(answering(data)).port}/"
        if told:
            assert problem(http=url) == told
        else:
            units(a=probe(http=url)).apply(context())

    def test_only_what_is_listed_is_good(self, serve: t.Callable[..., Server]) -> None:
        url = f"http://127.0.0.1:{serve(answering(GOOD)).port}/"
        assert problem(http=url, status=[204, 301]) == "it answered 200 OK"
        units(a=probe(http=url, status=[200])).apply(context())

    def test_what_is_asked(self, serve: t.Callable[..., Server]) -> None:
        asked = []

        def answer(peer: socket.socket) -> None:
            asked.append(peer.recv(1 << 16).decode())
            peer.sendall(GOOD)

        port = serve(answer).port
        units(a=probe(http=f"http://me:a%20b@127.0.0.1:{port}/x/y?z=1#part")).apply(context())
        lines = asked[0].split("\r\n")
        assert lines[0] == "GET /x/y?z=1 HTTP/1.1"
        assert f"Host: 127.0.0.1:{port}" in lines
        assert "Authorization: Basic bWU6YSBi" in lines

    def test_a_body_is_not_read(self, serve: t.Callable[..., Server]) -> None:
        """One that never ends is none of ours."""

        def answer(peer: socket.socket) -> None:
            peer.recv(1 << 16)
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                peer.sendall(b"x" * (1 << 16))

        begun = time.monotonic()
        units(a=probe("30s", http=f"http://127.0.0.1:{serve(answer).port}/")).apply(context())
        assert time.monotonic() - begun < PATIENCE

    def test_one_that_trickles(self, serve: t.Callable[..., Server]) -> None:
        """Each byte comes soon enough, and all of them never do."""
        server: t.Any = None

        def answer(peer: socket.socket) -> None:
            for byte in b"HTTP/1.1 200 OK" + b" " * (1 << 20):
                peer.sendall(bytes([byte]))
                if server.over.wait(0.02):
                    return

        server = serve(answer)
        assert problem(http=f"http://127.0.0.1:{server.port}/", timeout="300ms") == "it did not answer within 0.3 s"

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_one_that_says_nothing(self, serve: t.Callable[..., Server], scheme: str) -> None:
        server: t.Any = None
        server = serve(lambda _peer: server.over.wait())
        assert problem(http=f"{scheme}://127.0.0.1:{server.port}/", timeout="300ms") == "it did not answer within 0.3 s"

    def test_a_try_ends_before_all_are_over(self, serve: t.Callable[..., Server]) -> None:
        """One that has come too early may be forgotten by a server that begins."""
        came = []
        server: t.Any = None

        def answer(peer: socket.socket) -> None:
            came.append(peer)
            if len(came) == 1:
                server.over.wait()
            answering(GOOD)(peer)

        server = serve(answer)
        with patch.object(probing, "ONE_TRY", 0.2):
            units(a=probe("30s", http=f"http://127.0.0.1:{server.port}/")).apply(context())
        assert len(came) == 2

    def test_a_last_try_without_time_says_nothing(self, serve: t.Callable[..., Server]) -> None:
        """What the one before it was told is what is wrong."""
        came = []
        server: t.Any = None

        def answer(peer: socket.socket) -> None:
            came.append(peer)
            if len(came) > 1:
                server.over.wait()
            answering(b"HTTP/1.1 503 Starting\r\n\r\n")(peer)

        server = serve(answer)
        told: list[str] = []

        def failed(trial: probing.Trial, _left: t.Sequence[probing.Trial]) -> None:
            told.append(trial.problem)
            if len(told) > 1:
                raise TimeoutError
            # Of the time of all tries this is what is left.
            trial.until, trial.due = time.monotonic() + 0.1, 0.0

        with pytest.raises(TimeoutError):
            probing.try_all([probing.Trial("a.service", probe("1h", http=f"http://127.0.0.1:{server.port}/"))], failed)
        assert told == ["it answered 503 Starting"] * 2

    def test_without_tls_where_it_is_asked_for(self, serve: t.Callable[..., Server]) -> None:
        told = problem(http=f"https://127.0.0.1:{serve(answering(b'HTTP/1.1 400 Bad Request' + bytes(99))).port}/")
        assert "wrong version number" in told.lower().replace("_", " ")
        assert "_ssl.c" not in told

    def test_certificates(self, serve: t.Callable[..., Server], tmp_path: Path) -> None:
        key, cert = tmp_path / "key", tmp_path / "cert"
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=a"]
        subprocess.run([*make, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert, key)

        def answer(peer: socket.socket) -> None:
            with tls.wrap_socket(peer, server_side=True) as safe:
                answering(GOOD)(safe)

        url = f"https://127.0.0.1:{serve(answer).port}/"
        assert "certificate" in problem(http=url)
        units(a=probe("30s", http=url, validate_certs=False)).apply(context())

    def test_nobody_there(self) -> None:
        assert problem(http=f"http://127.0.0.1:{unused_port()}/") == "Connection refused"


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as peer:
        return int(peer.getsockname()[1])


class TestTcp:
    def test_one_that_accepts(self) -> None:
        # Also by the name that every host has, and if nobody accepts it yet.
        with socket.create_server(("127.0.0.1", 0)) as peer:
            for host in ("", "127.0.0.1:", "localhost:", "[::ffff:127.0.0.1]:"):
                units(a=probe("30s", tcp=f"{host}{peer.getsockname()[1]}")).apply(context())

    def test_nobody_there(self) -> None:
        assert problem(tcp=str(unused_port())) == "Connection refused"

    def test_one_that_comes_up_later(self) -> None:
        port = unused_port()
        made: list[socket.socket] = []

        def fail_once(trial: probing.Trial, _left: t.Sequence[probing.Trial]) -> None:
            assert trial.problem == "Connection refused"
            made.append(socket.create_server(("127.0.0.1", port)))

        trial = probing.Trial("a.service", probe("30s", tcp=str(port)))
        probing.try_all([trial], fail_once)
        assert (trial.tries, len(made)) == (2, 1)
        made[0].close()

    def test_a_name_that_nobody_has(self) -> None:
        assert problem(tcp="nobody.invalid:80") == "there is no host nobody.invalid"

    def test_a_name_that_takes_long_to_be_looked_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "getent").write_text("#!/bin/sh\nexec sleep 1000\n")
        (tmp_path / "getent").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        assert problem(tcp="slow.invalid:80", timeout="300ms") == "it did not answer within 0.3 s"

    def test_an_address_that_swallows_all(self) -> None:
        """The next one is tried while there is time."""
        with socket.create_server(("127.0.0.1", 0)) as peer, socket.socket() as full:
            # Its queue has room for one, and then for none.
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            with socket.create_connection(full.getsockname()), contextlib.ExitStack() as stack:
                for _more in range(3):
                    stray = stack.enter_context(socket.socket())
                    stray.setblocking(False)
                    stray.connect_ex(full.getsockname())
                swallows, takes = full.getsockname(), peer.getsockname()

                def both(_host: str, _port: int) -> t.Any:
                    yield from ()
                    return [(socket.AF_INET, swallows), (socket.AF_INET, takes)]

                with patch.object(probing, "_addresses", both), patch.object(probing, "ONE_TRY", 1.0):
                    units(a=probe("30s", tcp="1")).apply(context())


class TestSocket:
    @pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
    def test_of_each_type(self, tmp_path: Path, kind: socket.SocketKind) -> None:
        path = str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX, kind) as peer:
            peer.bind(path)
            if kind is not socket.SOCK_DGRAM:
                peer.listen(1)
            units(a=probe(socket=path)).apply(context())
        assert problem(socket=path) == "Connection refused"

    def test_what_is_none(self, tmp_path: Path) -> None:
        assert problem(socket=str(tmp_path / "none")) == "No such file or directory"
        (tmp_path / "file").touch()
        assert problem(socket=str(tmp_path / "file")) == "Connection refused"

    def test_one_whose_queue_is_full(self, tmp_path: Path) -> None:
        path = str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as peer, contextlib.ExitStack() as stack:
            peer.bind(path)
            peer.listen(0)
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
            assert problem(socket=path) == "too many connections wait to be accepted"


def is_gone(pid: str) -> bool:
    """Whether a process ends, which takes a moment when it is killed."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.005)
    return False


class TestCommand:
    def test_ends(self) -> None:
        units(a=probe("30s", command="true")).apply(context())
        assert problem(command=["sh", "-c", "echo a; echo b >&2; exit 3"]) == "exited with status 3: b"
        assert problem(command=["sh", "-c", "kill -9 $$"]) == "was killed by signal 9"
        assert "no such program" in problem(command="/nope/nope")

    def test_one_that_hangs(self, tmp_path: Path) -> None:
        """With what it has started."""
        script = f"sleep 1000 & echo $! >{tmp_path}/pid; echo $$ >>{tmp_path}/pid; wait"
        assert problem(command=["sh", "-c", script], timeout="500ms") == "it did not end within 0.5 s"
        pids = (tmp_path / "pid").read_text().split()
        assert len(pids) == 2
        assert all(is_gone(pid) for pid in pids)

    def test_one_that_prints_megabytes(self) -> None:
        script = "head -c 50000000 /dev/zero | tr '\\0' 'x'; echo; echo end; exit 1"
        assert problem(command=["sh", "-c", script]) == "exited with status 1: end"

    def test_one_that_leaves_something_behind(self, tmp_path: Path) -> None:
        """Which holds its output, or fills it: it is not waited for, and it goes."""
        for left in ("sleep 1000", "yes"):
            begun = time.monotonic()
            script = f"{left} & echo $! >{tmp_path}/pid; exit 0"
            units(a=probe("30s", command=["sh", "-c", script])).apply(context())
            assert time.monotonic() - begun < PATIENCE
            assert is_gone((tmp_path / "pid").read_text())

    def test_its_input_is_empty(self) -> None:
        units(a=probe("30s", command="cat")).apply(context())


class TestSeveral:
    def test_side_by_side(self, tmp_path: Path) -> None:
        """Each waits for the other one."""
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        units(
            a=probe("30s", command=["sh", "-c", f"echo >{fifo}"]), b=probe("30s", command=["sh", "-c", f"read x <{fifo}"])
        ).apply(context())

    def test_time_is_counted_from_the_first_try_of_each(self) -> None:
        """More than are tried at once, the first of which take as long as the others may."""
        slow = {f"a{n}": probe("5s", command="sleep 0.3") for n in range(4)}
        later = {f"b{n}": probe("200ms", command="true") for n in range(4)}
        with patch.object(probing, "_MOST", 2):
            units(**slow, **later).apply(context())

    def test_one_fails_and_all_others_end(self, tmp_path: Path) -> None:
        script = f"echo $$ >{tmp_path}/$0; exec sleep 1000"
        more = {name: probe("1h", command=["sh", "-c", script, name]) for name in ("b", "c")}
        with pytest.raises(SystemdError) as e:
            units(a=probe(command="false"), **more).apply(context())
        assert e.value.data["probe"]["unit"] == "a.service"
        assert e.value.data["probe"]["tries"] > 1
        pids = [path.read_text() for path in tmp_path.iterdir()]
        assert pids
        assert all(is_gone(pid) for pid in pids if pid)

    def test_many(self) -> None:
        units(**{f"u{n}": probe("30s", command="true") for n in range(100)}).apply(context())

    def test_nothing_is_asked_where_nobody_waits(self) -> None:
        ctx = context()
        ctx.wait = False
        assert units(a=probe(command="false")).apply(ctx) is False


class TestDead:
    def test_one_that_died_is_not_waited_for(self) -> None:
        dead = Status("a.service", "failed", "failed")
        report = "ansible_collections.pidone.systemd.plugins.module_utils._engine.failures.report_unhealthy"
        ctx = context(dead)
        ctx.manager.properties.side_effect = lambda wanted: [None] * len(wanted)
        with patch(report, return_value=SystemdError("it died")) as told, pytest.raises(SystemdError, match="it died"):
            units(a=probe("1h", command="false"), b=probe("1h", command="false")).apply(ctx)
        assert told.call_args.args[1] == ["a.service"]

    def test_one_that_ran_to_its_end_may_answer(self, tmp_path: Path) -> None:
        """As a oneshot may, of which what it has made is left."""
        ctx = context(Status("a.service", "inactive", "dead"))
        why = "ansible_collections.pidone.systemd.plugins.module_utils._engine.failures.why_down"
        script = f"test -e {tmp_path}/made || {{ touch {tmp_path}/made; exit 1; }}"
        with patch(why, return_value=["finished"]):
            units(a=probe("30s", command=["sh", "-c", script])).apply(ctx)
            with pytest.raises(SystemdError, match="a.service ran to its end, but did not answer its probe"):
                units(a=probe(command="false")).apply(ctx)
        assert ctx.manager.status.called

    def test_not_asked_for_each_of_many_tries(self) -> None:
        """As systemd has better things to do."""
        ctx = context()
        with patch.object(options, "_LOOKS", 1e6), pytest.raises(SystemdError) as e:
            units(a=probe("500ms", "1ms", command="false")).apply(ctx)
        assert e.value.data["probe"]["tries"] > 5
        # After the first one, and at the end.
        assert ctx.manager.status.call_count == 2


class TestOptions:
    def test_for_an_instance(self) -> None:
        for params, what in (
            ({"tcp": "90%i"}, "907"),
            ({"tcp": "[::1]:80"}, "[::1]:80"),
            ({"http": "http://u:p@127.0.0.1:90%i/a?b"}, "http://u:p@127.0.0.1:907/a?b"),
            ({"command": "/bin/test -e '/a b/%i'"}, ["/bin/test", "-e", "/a b/7"]),
            ({"socket": "/run/%i"}, "/run/7"),
        ):
            assert probe(**params).for_unit("a@7.service").what == what
        assert [probe(tcp=text).address for text in ("90", "h:1", "[::1]:80")] == [("127.0.0.1", 90), ("h", 1), ("::1", 80)]

    @pytest.mark.parametrize(
        "params,name",
        [
            ({"tcp": "90%i"}, "a@100.service"),
            ({"tcp": "90%i"}, "a@x.service"),
            ({"tcp": "%i"}, "a.service"),
            ({"http": "http://localhost:90%i/"}, "a@100.service"),
            ({"http": "http://localhost:90%i/"}, "a@x.service"),
            ({"socket": "/run/%i"}, f"a@{'x' * 120}.service"),
        ],
    )
    def test_what_only_one_unit_makes_impossible(self, params: dict[str, t.Any], name: str) -> None:
        made = probe(**params)
        made.for_unit("a@7.service")
        with pytest.raises(BadInput) as e:
            made.for_unit(name)
        assert e.value.msg.startswith("probe.")
        assert name in e.value.msg
        with pytest.raises(BadInput):
            ProbeUnits({name: made})

    @pytest.mark.parametrize("params", [{"tcp": "-h:80"}, {"http": "http://-h/"}, {"http": "http://:80/"}, {"http": "http://h:0/"}])
    def test_hosts_that_are_none(self, params: dict[str, t.Any]) -> None:
        with pytest.raises(BadInput):
            probe(**params)

    def test_what_may_be_secret_is_not_told(self) -> None:
        made = probe(http="http://user:secret@a:90%i/b?token=secret")
        assert made.describe() == "http http://a:90%i/b"
        with pytest.raises(BadInput) as e:
            made.for_unit("a@100.service")
        assert "secret" not in e.value.msg

    @pytest.mark.parametrize(
        "params",
        [
            {"command": "/bin/x --password secret 'unclosed"},
            {"command": ["/bin/x", "secret\nand more"]},
            {"command": ["/bin/x", "secret" * 1000]},
            {"command": ["/bin/x", ["secret"]]},
            {"http": "http://user:secret@h/\n"},
            {"http": "ftp://h/b?token=secret"},
            {"http": "http://user:secret@h/" + "x" * 5000},
        ],
    )
    def test_nor_in_what_is_wrong_with_it(self, params: dict[str, t.Any]) -> None:
        with pytest.raises(BadInput, match="probe") as e:
            probe(**params)
        assert "secret" not in e.value.msg
