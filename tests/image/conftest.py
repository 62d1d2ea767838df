# SPDX-License-Identifier: MIT
"""The fixtures: an engine, the image built by it, and containers that end with their test."""

import os
import sys
import uuid

import pytest

from engine import TOP, Engine, Unavailable

# The clients are those of the tests from end to end.
sys.path.append(os.path.join(TOP, "tests/e2e"))

from container import IMAGE, IMAGE_ADDRESSES, Container


@pytest.fixture(scope="session")
def engine():
    """A Docker engine. Without one the tests that need it are skipped, and say why."""
    try:
        one = Engine()
    except Unavailable as reason:
        pytest.skip(str(reason))
    yield one
    one.stop()


@pytest.fixture(scope="session")
def base(engine):
    """The name of the image that is built on; there is a shell in it."""
    try:
        return engine.base()
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def image(engine, base):
    """The name of the image, which is built first."""
    engine.build("docker/Dockerfile", IMAGE, base)
    return IMAGE


@pytest.fixture
def start(engine, image, network):
    """start(*options, arguments=...) starts a container of the image and waits until it listens on
    its addresses, as many as there are. It is gone before the networks are."""
    started = []

    def begin(*options, addresses=IMAGE_ADDRESSES, **settings):
        started.append(Container(engine, *options, **settings))
        return started[-1].wait_until_ready(addresses)

    yield begin
    for one in started:
        one.remove()


@pytest.fixture
def run(engine, image):
    """run(*options, arguments=...) runs a container to its end; returns what subprocess.run()
    does."""
    def begin(*options, arguments=()):
        return engine.try_("run", "--rm", *options, image, *arguments)

    return begin


@pytest.fixture
def network(engine):
    """network(*options) makes a network; returns its name. Skips if the engine refuses it."""
    made = []

    def make(*options):
        name = f"rollcall-test-{uuid.uuid4().hex[:8]}"
        done = engine.try_("network", "create", *options, name)
        if done.returncode != 0:
            pytest.skip(f"no such network here: {done.stderr.strip()}")
        made.append(name)
        return name

    yield make
    for name in made:
        engine("network", "rm", name)
