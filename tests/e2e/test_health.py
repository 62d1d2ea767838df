# SPDX-License-Identifier: MIT
"""--health: a running server is asked over TCP and UDP, whatever its service and framing; what does
not serve is not healthy, and is told so in time."""

import itertools
import signal
import socket
import time

import pytest

from client import Background, connect, datagrams
from program import is_slow, run_program

LIMIT_S = 10 if is_slow() else 2
SETTINGS = [("reply", *rest) for rest in itertools.product(("raw", "lines", "length"),
                                                          ("off", "rtp", "auto"))]
SETTINGS += [(service, framing, "auto") for service in ("echo", "discard")
             for framing in ("raw", "lines", "length")]
SETTINGS += [("echo", "raw", "off"), ("echo", "raw", "rtp")]


def url(kind, address):
    host, port = address
    return f"{kind}://[{host}]:{port}" if ":" in host else f"{kind}://{host}:{port}"


def ask(*urls):
    """Runs --health, which has to end in time; returns its exit code and what it said."""
    begin = time.monotonic()
    done = run_program(*itertools.chain(*(("--health", one) for one in urls)))
    assert time.monotonic() - begin < LIMIT_S * len(urls)
    assert done.stdout == ""
    assert (done.returncode == 0) == (done.stderr == "")
    return done.returncode, done.stderr


@pytest.mark.parametrize("service, framing, sequence", SETTINGS)
def test_healthy(server, service, framing, sequence):
    """Each service, framing and way to number is healthy, and the server has nothing to complain
    of. Only that `discard` takes datagrams cannot be told: then no answer comes."""
    rollcall = server("--service", service, "--framing", framing, "--udp-sequence", sequence)
    assert ask(url("tcp", rollcall.tcp)) == (0, "")
    code, text = ask(url("udp", rollcall.udp))
    assert code == (1 if service == "discard" else 0), text
    assert rollcall.stop() == 0
    assert not rollcall.stderr.matching("rollcall: (warning|error)|dropped")


@pytest.mark.smoke
def test_names_and_families(server):
    """Several addresses at once; a name is healthy if one of its addresses is."""
    rollcall = server("--tcp", "[::1]:0", "--udp", "[::1]:0")
    port = rollcall.tcp[1]
    assert ask(url("tcp", rollcall.tcp), url("udp", rollcall.udp),
               f"tcp://localhost:{port}") == (0, "")
    other = server("--tcp", "127.0.0.1:0", "--udp", "127.0.0.1:0")
    assert ask(f"udp://localhost:{other.udp[1]}", f"tcp://localhost:{other.tcp[1]}") == (0, "")


def test_nobody_there(server):
    """Refused connections and datagrams; each address that fails has its line, the others none."""
    rollcall = server()
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        addresses = [url("tcp", tcp.getsockname()), url("udp", udp.getsockname())]
        udp.close()
        code, text = ask(*addresses, url("tcp", rollcall.tcp))
    assert code == 1
    for address, line in zip(addresses, text.splitlines(), strict=True):
        assert line == f"rollcall: error: {address} is not healthy: Connection refused"


def test_unknown_host(own_network):
    code, text = ask("tcp://no-such-host.invalid:1")
    assert code == 1 and "no-such-host.invalid:1 is not healthy" in text


def test_link_local_without_zone(own_network):
    """A link-local address without its interface."""
    code, text = ask("tcp://[fe80::1]:1")
    assert code == 1 and "[fe80::1]:1 is not healthy" in text and "needs a zone" in text


def test_stopped_cold(server):
    """A server that hangs still has a kernel that accepts for it: only the answer tells."""
    rollcall = server()
    rollcall.signal(signal.SIGSTOP)
    try:
        for address in url("tcp", rollcall.tcp), url("udp", rollcall.udp):
            code, text = ask(address)
            assert code == 1 and "no answer within a second" in text
    finally:
        rollcall.signal(signal.SIGCONT)
    assert ask(url("tcp", rollcall.tcp), url("udp", rollcall.udp)) == (0, "")


def answer(listener, data):
    sock, _ = listener.accept()
    with sock:
        sock.recv(100)
        sock.sendall(data)


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 100000])
def test_something_else(data):
    """Another server has the port, and answers in its own way, at any length."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT_S)
        other = Background(answer, listener, data)
        code, text = ask(url("tcp", listener.getsockname()))
        other.join()
    assert code == 1 and "unexpected answer" in text


def test_datagrams_of_something_else():
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(LIMIT_S)

        def answer_datagram():
            sock.sendto(b"health\n", sock.recvfrom(100)[1])

        other = Background(answer_datagram)
        code, text = ask(url("udp", sock.getsockname()))
        other.result()
    assert code == 1 and "unexpected answer" in text


def test_lost_datagrams():
    """The first datagram gets no answer: there are others."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(LIMIT_S)

        def answer_second():
            first = sock.recv(100)
            second, address = sock.recvfrom(100)
            assert first != second and len(first) == len(second)
            sock.sendto(second, address)

        other = Background(answer_second)
        assert ask(url("udp", sock.getsockname())) == (0, "")
        other.result()


def test_full(server):
    """Clients that keep the only places: the health check waits in the backlog, in vain. A datagram
    is answered all the same, so that a supervisor can ask by it."""
    rollcall = server("--max-clients", 1, "--udp-max-clients-per-source", 1)
    with connect(rollcall.tcp), datagrams(rollcall.udp) as other:
        rollcall.wait_for("Client ID : 0 connected .")
        other.send(b"hello")
        assert other.recv(100) == b"Received: hello"
        code, text = ask(url("tcp", rollcall.tcp))
        assert code == 1 and "no answer within a second" in text
        assert ask(url("udp", rollcall.udp)) == (0, "")
