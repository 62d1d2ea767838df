# SPDX-License-Identifier: MIT
"""docker stop: what has arrived is answered, and the program has ended by itself before the engine
would kill it, with exit code 0."""

import time

from client import Background, ask, connect, datagrams, is_silent, receive_to_end

CLIENTS = 20
LINES = 1000
DATAGRAMS = 20
# Long enough for docker stop to have sent its signal.
SUSPENDED_S = 1.5
# After which docker stop kills, by default.
GRACE_S = 10
QUESTIONS = b"".join(b"%07d\n" % number for number in range(LINES))
ANSWERS = b"".join(b"Received: %07d\n" % number for number in range(LINES))


def stop(container):
    """Runs docker stop; returns how long it took."""
    begin = time.monotonic()
    container.engine("stop", container.id)
    return time.monotonic() - begin


def test_no_answer_is_lost(start):
    """The server is suspended while clients send a thousand lines each, and datagrams, and while
    docker stop tells it to end: so nothing has been answered when that comes. All the answers come,
    in order, and then the end."""
    container = start()
    socks = [connect(container.tcp) for _ in range(CLIENTS)]
    with datagrams(container.udp) as other:
        for sock in [*socks, other]:
            ask(sock, b"hello\n")
        container.engine("kill", "--signal", "STOP", container.id)
        for sock in socks:
            sock.sendall(QUESTIONS)
        for number in range(DATAGRAMS):
            other.send(b"%d" % number)
        assert all(is_silent(sock, 0) for sock in [*socks, other])
        stopping = Background(stop, container)
        time.sleep(SUSPENDED_S)
        container.engine("kill", "--signal", "CONT", container.id)
        for sock in socks:
            with sock:
                assert receive_to_end(sock) == ANSWERS
        assert [other.recv(100) for _ in range(DATAGRAMS)] == \
            [b"Received: %d" % number for number in range(DATAGRAMS)]
    assert SUSPENDED_S < stopping.result() < GRACE_S / 2
    assert container.state(".State.ExitCode") == 0, container.log()
    assert "SIGTERM" in container.log()


def test_client_that_stays(start):
    """A client that neither reads nor ends is waited for no longer than the engine waits."""
    container = start()
    with connect(container.tcp, receive_bytes=4096) as sock:
        ask(sock, b"hello\n")
        sock.sendall(QUESTIONS * 20)
        took_s = stop(container)
    assert 2 < took_s < GRACE_S - 1
    assert container.state(".State.ExitCode") == 0, container.log()
