# SPDX-License-Identifier: MIT
"""The fixtures that start the real program, and end every test with a look at how it ended."""

import os
import resource
import shutil
import signal
import tempfile

import pytest

import network
from program import DEADLINE_S, Server, program_file, run_program


def pytest_sessionstart():
    if not os.path.exists(program_file()):
        pytest.exit(f"there is no {program_file()}: run make first", returncode=2)


@pytest.fixture(autouse=True)
def last_deadline():
    """Every wait has a deadline of its own; this one ends a test that has none by mistake."""
    def end(*_):
        raise AssertionError(f"the test did not end in {6 * DEADLINE_S} s")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(6 * DEADLINE_S)
    yield
    signal.alarm(0)


@pytest.fixture
def server(last_deadline):
    """A factory: server(*options, **settings) starts the program, see Server in program.py. Each
    that still runs at the end of the test is sent SIGTERM; then it must have exited with 0 and
    have written nothing that looks like a sanitizer's report."""
    started = []

    def start(*options, **settings):
        started.append(Server(*options, **settings))
        return started[-1].wait_until_ready()

    yield start
    try:
        for one in started:
            one.finish()
    finally:
        for one in started:
            one.clean_up()


@pytest.fixture
def run():
    """run(*options, **settings) runs the program to its end, which must come soon by itself."""
    return run_program


@pytest.fixture
def own_network():
    """A network namespace of the test's own, entered for the test: all ports are free in it."""
    with network.entered(network.Namespace()):
        network.ip("link", "set", "lo", "up")
        yield


@pytest.fixture
def public_program():
    """The command of a copy of the program that other users can reach and run."""
    directory = tempfile.mkdtemp(prefix="rollcall-")
    try:
        os.chmod(directory, 0o755)
        copy = shutil.copy(program_file(), directory)
        os.chmod(copy, 0o755)
        yield copy
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def many_files():
    """The test's own limit of open files, raised to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
