# SPDX-License-Identifier: MIT
"""The health check of the image: a round trip over TCP and UDP from inside the container."""

import pytest

from container import DEFAULT_PROFILE, PACE, PROFILE


@pytest.mark.parametrize("service", ["reply", "echo"])
def test_healthy(start, service):
    start(*PACE, arguments=["--service", service]).becomes("healthy")


@pytest.mark.parametrize("profile", [PROFILE, DEFAULT_PROFILE], ids=["io_uring", "epoll"])
def test_stopped_cold(start, profile):
    """A server that is there, and holds its ports, but does nothing any more is unhealthy. When it
    goes on it is healthy again."""
    container = start(*PACE, profile=profile)
    container.becomes("healthy")
    container.engine("kill", "--signal", "STOP", container.id)
    container.becomes("unhealthy")
    container.engine("kill", "--signal", "CONT", container.id)
    container.becomes("healthy")


def test_silent_in_the_log(start):
    """Health checks, which go on all day, add nothing to the log."""
    container = start(*PACE)
    before = container.log()
    container.becomes("healthy")
    assert container.log() == before and "warning" not in before and "error" not in before
