# SPDX-License-Identifier: MIT
"""As a service of systemd: its protocols, with a service manager that is played, and its units."""

import ctypes
import errno
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

import network
from client import Background, ask, connect, datagrams, receive_to_end
from program import (DEADLINE_S, TOP, command, is_sanitized, is_slow, needs_bare_program,
                     program_file)

EX_CONFIG = 78
UNITS = TOP / "src/program"
SOCKET_UNITS = ("rollcall.socket", "rollcall-udp.socket")

# Gives itself the descriptors as systemd would, from 3 on, and becomes the program.
SHIM = """
import fcntl, os, sys
given = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",") if fd]
for number, fd in enumerate(given, 3):
    os.dup2(fd, number)
os.closerange(3 + len(given), 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """Where the program tells how it is: the socket that NOTIFY_SOCKET names."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name[0] == "@" else name)
        self.socket.settimeout(DEADLINE_S)

    def environment(self, **more):
        return {"NOTIFY_SOCKET": self.name, **more}

    def next(self):
        """The next message, its assignments."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def next_within(self, seconds):
        """The same, or None."""
        self.socket.settimeout(seconds)
        try:
            return self.next()
        except TimeoutError:
            return None
        finally:
            self.socket.settimeout(DEADLINE_S)


@pytest.fixture
def manager(tmp_path):
    one = Manager(str(tmp_path / "notify"))
    yield one
    one.socket.close()


def watchdog(period_s, **more):
    return {"WATCHDOG_USEC": str(int(period_s * 2e6)), **more}


# ---- What the manager is told ----------------------------------------------------------------


@pytest.mark.smoke
def test_ready(server, manager):
    """The first message says that it is ready, and where: a client can connect at once."""
    rollcall = server(environment=manager.environment())
    message = manager.next()
    assert message.pop("READY") == "1"
    addresses = [f"{kind} {host}:{port}" for kind in ("tcp", "udp")
                 for host, port in rollcall.addresses(kind)]
    assert message == {"STATUS": "Listening on " + ", ".join(addresses)}
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")


def test_many_addresses(server, manager):
    """More than fits into a status: it ends with a whole address."""
    count = 60
    server(*count * ("--tcp", "127.0.0.1:0"), environment=manager.environment())
    status = manager.next()["STATUS"]
    assert re.fullmatch(r"Listening on tcp 127\.0\.0\.1:\d+(, tcp 127\.0\.0\.1:\d+)+", status)
    assert 10 < status.count("tcp") < count and len(status) < 1024


def test_ready_only_if_it_listens(server, manager, run):
    """What it cannot listen on it is not ready for: the first message comes from the next one."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        words = ["/usr/bin/env", f"NOTIFY_SOCKET={manager.name}", *command()]
        assert run("--udp", "127.0.0.1:0", "--tcp", taken, words=words).returncode == 71
    assert manager.next_within(0.1) is None
    server(environment=manager.environment())
    assert manager.next()["READY"] == "1"


def test_abstract_name(server):
    """A name without a file."""
    one = Manager(f"@rollcall-test-{os.getpid()}")
    server(environment=one.environment())
    assert one.next()["READY"] == "1"
    one.socket.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping(server, manager, number):
    """It says so when the drain begins, while a client is still there, and asks for time for it."""
    rollcall = server("--drain-timeout", "100", environment=manager.environment())
    manager.next()
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")
        rollcall.signal(number)
        message = manager.next()
        assert receive_to_end(sock) == b""
        assert rollcall.process.poll() is None
        assert message["STOPPING"] == "1"
        assert "draining 1 clients" in message["STATUS"]
        assert int(message["EXTEND_TIMEOUT_USEC"]) > 100e6
    assert rollcall.wait() == 0
    assert manager.next_within(0.1) is None


def test_watchdog(server, manager):
    """It is told twice in the time of the watchdog that the loop turns, whether or not there is
    anything to do, and no more when it does not turn."""
    period_s = 0.2
    rollcall = server(environment=manager.environment(**watchdog(period_s)))
    assert manager.next()["READY"] == "1"
    assert manager.next() == {"WATCHDOG": "1"}
    times = [time.monotonic()]
    for _ in range(6):
        assert manager.next() == {"WATCHDOG": "1"}
        times.append(time.monotonic())
    assert times[-1] - times[0] == pytest.approx(6 * period_s, rel=0.3)
    assert max(b - a for a, b in zip(times, times[1:])) < 2 * period_s

    rollcall.signal(signal.SIGSTOP)
    while manager.next_within(2 * period_s):  # one may have been on its way
        assert time.monotonic() < times[-1] + DEADLINE_S
    assert manager.next_within(3 * period_s) is None
    rollcall.signal(signal.SIGCONT)
    assert manager.next() == {"WATCHDOG": "1"}


@pytest.mark.parametrize("more", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"},
                                  {"WATCHDOG_USEC": "soon"}], ids=str)
def test_watchdog_of_others(server, manager, more):
    """For another process, or without a time, there is nothing to tell."""
    server(environment=manager.environment(**{**watchdog(0.01), **more}))
    assert manager.next()["READY"] == "1"
    assert manager.next_within(0.3) is None


def test_manager_does_not_read(server, manager):
    """Its queue is full: nothing waits for it, and one line says so."""
    environment = manager.environment(**watchdog(0.001))
    rollcall = server("--quiet", environment=environment)
    rollcall.wait_for_log("cannot notify the service manager of 'WATCHDOG=1'")
    with connect(rollcall.tcp) as sock:
        begin = time.monotonic()
        for _ in range(100):
            ask(sock, b"hello\n")
            time.sleep(0.002)  # in which the watchdog is due
            assert time.monotonic() - begin < DEADLINE_S / 4
    assert len(rollcall.stderr.matching("service manager")) == 1


@pytest.mark.parametrize("name", ["relative", "/no/such/socket", "@no-such-name",
                                  "/" + 120 * "x"], ids=lambda name: name[:8])
def test_nobody_to_tell(server, name):
    """A name that is none, or nobody's: it says so, and serves."""
    rollcall = server(environment={"NOTIFY_SOCKET": name})
    rollcall.wait_for_log("rollcall: warning: cannot notify the service manager")
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")


@needs_bare_program
def test_no_descriptor_to_tell_with(run, manager):
    """One descriptor too few: it says that the manager cannot be told. (Then none is left for
    signals either, which ends it.)"""
    words = ["/usr/bin/env", f"NOTIFY_SOCKET={manager.name}", *command()]
    for count in range(6, 30):
        done = run("--tcp", "127.0.0.1:0", "--udp", "none", words=words,
                   preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count)))
        assert done.returncode == 71
        if "cannot notify the service manager" in done.stderr:
            break
    else:
        pytest.fail("it never says so")
    assert "Too many open files" in done.stderr and "LimitNOFILE" in done.stderr


# ---- What it hands over ----------------------------------------------------------------------


def bound(kind=socket.SOCK_STREAM, family=socket.AF_INET, host="127.0.0.1"):
    """A socket as systemd makes them."""
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((host, 0))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


def activation(socks):
    """Settings of a server that gets these sockets, and no addresses but those of its options."""
    numbers = [sock.fileno() for sock in socks]
    words = [sys.executable, "-c", SHIM, ",".join(map(str, numbers)), *command()]
    return {"recipe": True, "words": words, "pass_fds": numbers}


def names(kind, *socks):
    formats = {socket.AF_INET: "{} {}:{}", socket.AF_INET6: "{} [{}]:{}"}
    return [formats[sock.family].format(kind, *sock.getsockname()[:2]) for sock in socks]


def test_sockets(server, manager):
    """TCP and UDP, IPv4 and IPv6: they are listened on, and nothing else is; an early client is
    served."""
    tcp = [bound(), bound(family=socket.AF_INET6, host="::1")]
    udp = [bound(socket.SOCK_DGRAM), bound(socket.SOCK_DGRAM, socket.AF_INET6, "::1")]
    with connect(tcp[0].getsockname()) as early:
        early.sendall(b"early\n")
        with datagrams(udp[0].getsockname()) as early_udp:
            early_udp.send(b"early")
            settings = activation([udp[0], *tcp, udp[1]])
            rollcall = server("--log-level", "warning", **settings,
                              environment=manager.environment())
            assert manager.next()["STATUS"] == "Listening on " + ", ".join(
                names("tcp", *tcp) + names("udp", *udp))
            assert early.recv(100) == b"Received: early\n"
            assert early_udp.recv(100) == b"Received: early"
    for sock in tcp:
        with connect(sock.getsockname()[:2]) as client:
            ask(client, b"hello\n")
    for sock in udp:
        with datagrams(sock.getsockname()[:2]) as client:
            ask(client, b"hello")
    before = rollcall.cpu_s()
    time.sleep(0.3)
    assert rollcall.cpu_s() - before < 0.1


def test_sockets_and_addresses(server, manager):
    """Addresses of the command line are listened on as well, the usual ones are not."""
    with bound() as sock:
        rollcall = server("--udp", "127.0.0.1:0", "--log-level", "warning", **activation([sock]),
                          environment=manager.environment())
        status = manager.next()["STATUS"]
        assert status.startswith("Listening on " + names("tcp", sock)[0] + ", udp 127.0.0.1:")
        assert status.count(",") == 1
        with connect(sock.getsockname()) as client:
            ask(client, b"hello\n")
        assert rollcall.stop() == 0


def test_clients_wait_for_the_next_server(server):
    """The manager still has the socket: clients wait for the next server."""
    with bound() as tcp, bound(socket.SOCK_DGRAM) as udp:
        first = server("--log-level", "error", **activation([tcp, udp]))
        with connect(tcp.getsockname()) as client:
            ask(client, b"hello\n")
        assert first.stop() == 0
        with connect(tcp.getsockname()) as waiting, datagrams(udp.getsockname()) as other:
            waiting.sendall(b"hello\n")
            other.send(b"hello")
            server("--log-level", "error", **activation([tcp, udp]))
            assert waiting.recv(100) == b"Received: hello\n"
            assert other.recv(100) == b"Received: hello"


def one_request_each(address, stop, lost):
    """Connects, asks, reads the answer and closes, again and again; notes what went wrong."""
    while not stop.is_set():
        with connect(address) as sock:
            try:
                ask(sock, b"hello\n")
            except (OSError, AssertionError) as failure:
                lost.append(repr(failure))


def test_no_answer_is_lost_at_a_restart(server):
    """While clients ask one question for each connection, servers that share the listening socket
    take over from one another: what is accepted is answered, the others wait for the next one."""
    stop, lost = threading.Event(), []
    with bound() as listener:
        current = server("--quiet", "--log-level", "warning", **activation([listener]))
        askers = [Background(one_request_each, listener.getsockname(), stop, lost)
                  for _ in range(4 if is_slow() else 20)]
        for _ in range(3):
            time.sleep(0.3)
            following = server("--quiet", "--log-level", "warning", **activation([listener]))
            assert current.stop() == 0
            current = following
        stop.set()
        for asker in askers:
            asker.result()
    assert lost == []


def test_systemds_own_tool(server, own_network):
    """The same without anything of ours in between: systemd-socket-activate waits for a client, and
    then starts the program with its sockets."""
    if not shutil.which("systemd-socket-activate"):
        pytest.skip("there is no systemd-socket-activate")
    rollcall = server("--quiet", "--log-level", "error", recipe=True, words=[
        "systemd-socket-activate", "--listen=127.0.0.1:81", "--listen=[::1]:82", *command()])
    rollcall.wait_for_log(r"Listening on \[::1\]:82")
    with connect(("::1", 82)) as first:
        ask(first, b"hello\n")
        with connect(("127.0.0.1", 81)) as second:
            ask(second, b"hello\n")
        with pytest.raises(ConnectionRefusedError):
            connect(("127.0.0.1", 8080))


def unix_listener():
    sock = socket.socket(socket.AF_UNIX)
    sock.bind("")
    sock.listen()
    return sock


def both_families():
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", 0))
    sock.listen()
    return sock


@pytest.mark.parametrize("make, texts", [
    (unix_listener, ["neither IPv4 nor IPv6"]),
    (lambda: os.fdopen(os.pipe()[0]), ["not a socket"]),
    (socket.socket, ["does not listen"]),
    (lambda: socket.socket(type=socket.SOCK_DGRAM), ["not bound"]),
    (both_families, ["both IPv4 and IPv6", "BindIPv6Only=ipv6-only"]),
], ids=["unix", "pipe", "silent", "unbound", "both"])
def test_refused_sockets(run, make, texts):
    """What cannot be used is named, with the reason; then nothing is served."""
    with bound() as good, make() as bad:
        numbers = [good.fileno(), bad.fileno()]
        done = subprocess.run(
            [sys.executable, "-c", SHIM, ",".join(map(str, numbers)), *command()],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S,
            pass_fds=numbers)
    assert done.returncode == EX_CONFIG, done.stderr
    for text in ["rollcall: error:", "descriptor 4", *texts]:
        assert text in done.stderr


def test_missing_sockets(run):
    """Fewer than were said, or no number: neither is taken for none. (Descriptor 3 is the ring.)"""
    def shell(count):
        return ["/bin/sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS={count} exec "$0" "$@"', *command()]

    done = run(words=shell(2))
    assert done.returncode == EX_CONFIG and "descriptor 3" in done.stderr
    done = run(words=shell("many"))
    assert done.returncode == EX_CONFIG and "LISTEN_FDS" in done.stderr


def test_sockets_of_others(server):
    """Variables that were meant for another process do not matter."""
    rollcall = server(environment={"LISTEN_PID": "1", "LISTEN_FDS": "3"})
    with connect(rollcall.tcp) as sock:
        ask(sock, b"hello\n")


# ---- The units -------------------------------------------------------------------------------


def analyze(*words):
    try:
        done = subprocess.run(["systemd-analyze", "--no-pager", *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=DEADLINE_S)
    except FileNotFoundError:
        pytest.skip("there is no systemd-analyze")
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def units(tmp_path):
    """The units, as they are installed for the program under test."""
    text = (UNITS / "rollcall.service.in").read_text()
    installed = text.replace("@BINDIR@/rollcall", program_file())
    assert program_file() in installed and "@" not in re.sub("(?m)^#.*|@[a-z-]+", "", installed)
    (tmp_path / "rollcall.service").write_text(installed)
    for name in SOCKET_UNITS:
        (tmp_path / name).write_text((UNITS / name).read_text())
    return tmp_path


def test_units_are_valid(units):
    """systemd understands every line of them."""
    files = [str(units / name) for name in ("rollcall.service", *SOCKET_UNITS)]
    assert analyze("verify", "--man=no", *files) == (0, "")
    broken = units / "rollcall.service"
    broken.write_text(broken.read_text().replace("WatchdogSec", "WatchdogSek"))
    assert "WatchdogSek" in analyze("verify", "--man=no", *files)[1]


@pytest.mark.parametrize("name", SOCKET_UNITS)
def test_socket_options_fit(units, name):
    """systemd sets each option of a unit on all sockets of the unit, and warns at each start if that
    fails: options of TCP are for streams, and no unit has both kinds. All start one service."""
    settings = re.findall(r"(?m)^(\w+)=(.*)", (units / name).read_text())
    names = {key for key, _ in settings}
    assert len({"ListenStream", "ListenDatagram"} & names) == 1
    if "ListenDatagram" in names:
        assert not {key for key in names if re.match("NoDelay|KeepAlive|Backlog|DeferAccept", key)}
        assert ("Service", "rollcall.service") in settings


def test_sandbox_is_tight(units):
    """Its exposure, from 0.0 to 10.0 as systemd counts, is at most 2."""
    code, text = analyze("security", "--offline=true", "--threshold=20",
                         str(units / "rollcall.service"))
    if "unrecognized option" in text:
        pytest.skip("this systemd-analyze judges no files")
    assert code == 0, text


def system_calls(group):
    """The names of the calls of one of systemd's groups, those of the groups in it too."""
    if not group.startswith("@"):
        return {group}
    code, text = analyze("syscall-filter", group)
    assert code == 0, text
    members = [line.strip() for line in text.splitlines()[1:] if not line.strip().startswith("#")]
    return set().union(*(system_calls(member) for member in members if member))


def allowed_calls(text):
    """What the SystemCallFilter= lines leave, one after the other (systemd.exec(5))."""
    allowed = system_calls("@default")
    for words in re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE):
        names_of = set().union(*map(system_calls, words.lstrip("~").split()))
        allowed = allowed - names_of if words.startswith("~") else allowed | names_of
    return allowed


IO_URING_CALLS = ["io_uring_setup", "io_uring_enter", "io_uring_register"]


def call_numbers():
    text = subprocess.run(["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: int(number) for name, number in
            re.findall(r"^#define __NR_(\w+) (\d+)$", text, re.MULTILINE)}


def filtered(allowed):
    """For preexec: a seccomp filter like systemd's, which refuses all other calls with EPERM."""
    load_number, if_equal, give_back = 0x20, 0x15, 0x06
    allow, fail = 0x7fff0000, 0x00050000 | errno.EPERM
    words = [(load_number, 0, 0, 0)]
    for number in sorted(allowed):
        words += [(if_equal, 0, 1, number), (give_back, 0, 0, allow)]
    words.append((give_back, 0, 0, fail))
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *word) for word in words))
    header = struct.pack("@HP", len(words), ctypes.addressof(program))
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2

    def install():
        assert network.libc.prctl(no_new_privileges, 1, 0, 0, 0) == 0
        assert network.libc.prctl(set_seccomp, filter_mode, header) == 0
        return program

    return install


@needs_bare_program
@pytest.mark.skipif(is_sanitized(), reason="a sanitizer needs calls of its own")
@pytest.mark.parametrize("is_forbidden", [
    pytest.param(False, id="as it is"),
    pytest.param(True, id="without io_uring", marks=pytest.mark.io_uring("epoll would serve"))])
def test_sandbox_allows_io_uring(server, run, units, manager, is_forbidden):
    """With the system calls that the unit leaves, the server starts and serves, tells how it is, and
    ends well. Without io_uring's among them it does so over epoll, with one warning, or with
    --engine io_uring does not start."""
    numbers = call_numbers()
    allowed = allowed_calls((units / "rollcall.service").read_text())
    assert set(IO_URING_CALLS) < allowed
    assert not {"mount", "ptrace", "init_module", "setuid", "chown", "bpf"} & allowed
    if is_forbidden:
        allowed -= set(IO_URING_CALLS)
    preexec = filtered(numbers[name] for name in allowed & set(numbers))
    if is_forbidden:
        assert run("--engine", "io_uring", preexec=preexec).returncode == 69
    rollcall = server("--engine", "auto", "--drain-timeout", "1", preexec=preexec,
                      environment=manager.environment())
    assert manager.next()["READY"] == "1"
    with connect(rollcall.tcp) as sock, datagrams(rollcall.udp) as other:
        ask(sock, b"hello\n")
        ask(other, b"hello")
    assert rollcall.stop() == 0
    assert manager.next()["STOPPING"] == "1"
    assert len(rollcall.stderr.matching("rollcall: (warning|error)")) == is_forbidden
    assert len(rollcall.stderr.matching("filter .EPERM.*serving over epoll")) == is_forbidden
