# SPDX-License-Identifier: MIT
"""The image in Podman, with its default profile, and with the one of docker/. The containers have no
network but their own loopback: what they are asked comes from inside."""

import os
import shutil
import subprocess

import pytest

from container import IMAGE_ADDRESSES, PROFILE, rings, wait_until, warnings
from engine import TOP

# Where no systemd runs, nothing else would run the health check, and podman run would fail for it.
ENVIRONMENT = {**os.environ, "DISABLE_HC_SYSTEMD": "true"}

# Below those of the tests themselves, which not everywhere may be raised, as Podman does.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


class Podman:
    """podman("run", ...) is podman run, with a store of its own, and returns what it prints."""

    def __init__(self, directory):
        # runc is Docker's too, and runs with cgroups of either version, which crun does not.
        self.words = ["podman", "--runtime", "runc", "--root", f"{directory}/root",
                      "--runroot", f"{directory}/run", "--storage-driver", "vfs",
                      "--cgroup-manager", "cgroupfs", "--events-backend", "none"]

    def try_(self, *arguments):
        return subprocess.run([*self.words, *arguments], cwd=TOP, env=ENVIRONMENT,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                              check=False, text=True)

    def __call__(self, *arguments):
        done = self.try_(*arguments)
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="module")
def podman(engine, image, tmp_path_factory):
    """Podman, with the image that the engine has built."""
    if os.geteuid() != 0 or not shutil.which("podman") or not shutil.which("runc"):
        pytest.skip("there is no podman, no runc, or no root to run them")
    directory = tmp_path_factory.mktemp("podman")
    archive = directory / "image.tar"
    engine("save", "--output", archive, image)
    podman = Podman(directory)
    podman("load", "--input", str(archive))
    yield podman
    podman("rm", "--all", "--force", "--time", "0")
    podman("rmi", "--all", "--force")


class Container:
    """One in the background, that listens."""

    def __init__(self, podman, image, *options):
        self.podman = podman
        self.id = podman("run", "--detach", "--network", "none", *LIMITS, *options,
                         f"localhost/{image}")
        wait_until(lambda: self.log().count("listening on ") == IMAGE_ADDRESSES, "it listens")

    def log(self):
        done = self.podman.try_("logs", self.id)
        return done.stdout + done.stderr

    def rings(self):
        return rings(self.podman("inspect", "--format", "{{.State.Pid}}", self.id))

    def stop(self):
        """Ends it; returns the exit code."""
        self.podman("stop", self.id)
        return int(self.podman("wait", self.id))


def test_no_option_at_all(podman, image):
    """It serves, on io_uring if this release allows it, or else with a warning."""
    container = Container(podman, image)
    podman("healthcheck", "run", container.id)
    is_blocked = container.rings() == ["eventpoll"]
    assert is_blocked or container.rings() == ["io_uring"]
    found = warnings(container.log())
    assert len(found) == is_blocked
    assert all("ENOSYS" in warning and "serving over epoll" in warning for warning in found)
    assert container.stop() == 0, container.log()


def test_profile_is_enough(podman, image):
    """Podman takes the same option and file as Docker."""
    container = Container(podman, image, "--security-opt", f"seccomp={PROFILE}")
    podman("healthcheck", "run", container.id)
    assert warnings(container.log()) == []
    assert container.rings() == ["io_uring"]
    assert container.stop() == 0, container.log()
