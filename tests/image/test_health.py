# SPDX-License-Identifier: MIT
"""The health check of the image: a round trip over TCP and UDP from inside the container."""

import pytest

from container import wait_until

# The image's own command, at a pace for tests.
PACE = ("--health-interval", "1s", "--health-timeout", "2s", "--health-retries", "2",
        "--health-start-period", "0s")


def becomes(container, status):
    """Waits for a verdict; the last checks tell why it is another."""
    try:
        wait_until(lambda: container.state(".State.Health.Status") == status, status)
    except AssertionError as late:
        raise AssertionError(f"{late}; {container.state('.State.Health')}") from None


@pytest.mark.parametrize("service", ["reply", "echo"])
def test_healthy(start, service):
    container = start(*PACE, arguments=["--service", service])
    becomes(container, "healthy")


def test_stopped_cold(start):
    """A server that is there, and holds its ports, but does nothing any more is unhealthy. When it
    goes on it is healthy again."""
    container = start(*PACE)
    becomes(container, "healthy")
    container.engine("kill", "--signal", "STOP", container.id)
    becomes(container, "unhealthy")
    container.engine("kill", "--signal", "CONT", container.id)
    becomes(container, "healthy")


def test_silent_in_the_log(start):
    """Health checks, which go on all day, add nothing to the log."""
    container = start(*PACE)
    before = container.log()
    becomes(container, "healthy")
    assert container.log() == before and "warning" not in before and "error" not in before
