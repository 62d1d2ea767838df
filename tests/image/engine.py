# SPDX-License-Identifier: MIT
"""A Docker engine: the one that runs here, or else one of the tests' own, which leaves the
machine's firewall and forwarding alone. What it downloads and builds is kept in build/image."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
DIRECTORY = os.path.join(TOP, "build/image")
RELEASE = "trixie"
BASE = f"debian:{RELEASE}-slim"
OWN_BASE = f"rollcall-test-base:{RELEASE}"

START_LIMIT_S = 60
PULL_LIMIT_S = 120
DEBOOTSTRAP_LIMIT_S = 300
BUILD_LIMIT_S = 400
BRIDGE = "docker0"


class Unavailable(Exception):
    """What cannot be had, and why."""


def last_line(path):
    with open(path, encoding="utf-8", errors="replace") as log:
        return (log.read().splitlines() or ["it says nothing"])[-1]


def mirror():
    """Where apt takes Debian itself from: not its updates or security fixes."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)",
         "Created-By: Packages", "Origin: Debian", "Component: main"],
        capture_output=True, text=True, check=False).stdout
    for line in targets.splitlines():
        codename, uri = line.split()
        if "-" not in codename:
            return uri
    raise Unavailable("apt knows no mirror of Debian")


class Engine:
    """engine("run", ...) is docker run, and returns what it prints."""

    def __init__(self):
        if not shutil.which("docker"):
            raise Unavailable("there is no docker command")
        os.makedirs(DIRECTORY, exist_ok=True)
        self.environment = dict(os.environ)
        self.process = self.directory = None
        self.had_bridge = os.path.exists(f"/sys/class/net/{BRIDGE}")
        if self.try_("info").returncode != 0:
            self._start()
        self.version = self("version", "--format", "{{.Server.Version}}")

    def try_(self, *arguments, limit_s=60):
        """Runs docker(1); returns what subprocess.run() does, with texts."""
        return subprocess.run(["docker", *map(str, arguments)], cwd=TOP, env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="backslashreplace", timeout=limit_s, check=False)

    def __call__(self, *arguments, limit_s=60):
        done = self.try_(*arguments, limit_s=limit_s)
        assert done.returncode == 0, f"docker {' '.join(map(str, arguments))}: {done.stderr}"
        return done.stdout.strip()

    def _start(self):
        if os.geteuid() != 0 or not shutil.which("dockerd"):
            raise Unavailable("no Docker engine runs here, and to start one needs root and dockerd")
        # The path of a socket has at most 107 bytes, and that of the build may have more.
        self.directory = tempfile.mkdtemp(prefix="rollcall-image-")
        socket = f"unix://{self.directory}/docker.sock"
        log = os.path.join(DIRECTORY, "engine.log")
        with open(log, "w", encoding="utf-8") as output:
            # It ends with the tests even if these are killed.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "dockerd", "--host", socket,
                 "--data-root", f"{DIRECTORY}/engine", "--exec-root", f"{self.directory}/exec",
                 "--pidfile", f"{self.directory}/pid",
                 "--iptables=false", "--ip6tables=false", "--ip-forward=false"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        self.environment["DOCKER_HOST"] = socket
        end = time.monotonic() + START_LIMIT_S
        while self.try_("info").returncode != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise Unavailable(f"dockerd does not start: {last_line(log)}")
            time.sleep(0.2)
        self._clean()

    def _clean(self):
        """Removes what earlier runs left: containers and networks, if one was killed, and builds of
        other days. Those of today make the next one quick."""
        for container in self("ps", "--all", "--quiet").split():
            self("rm", "--force", container)
        self("network", "prune", "--force")
        self("image", "prune", "--force", "--filter", "until=24h")

    def stop(self):
        """Ends the engine, if it is the tests' own."""
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if not self.had_bridge:
            subprocess.run(["ip", "link", "delete", BRIDGE], stderr=subprocess.DEVNULL, check=False)
        # The engine leaves a mount of the machine's own network namespace.
        subprocess.run(["umount", f"{self.directory}/exec/netns/default"],
                       stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def base(self):
        """The image to build on: Debian's own, or where no registry answers one made of its
        packages."""
        if self.try_("image", "inspect", BASE).returncode == 0:
            return BASE
        if self.try_("image", "inspect", OWN_BASE).returncode == 0:
            return OWN_BASE
        try:
            if self.try_("pull", BASE, limit_s=PULL_LIMIT_S).returncode == 0:
                return BASE
        except subprocess.TimeoutExpired:
            pass
        self._make_base()
        return OWN_BASE

    def _make_base(self):
        if os.geteuid() != 0 or not shutil.which("debootstrap"):
            raise Unavailable(f"no registry has {BASE}, and to make it needs root and debootstrap")
        log = os.path.join(DIRECTORY, "debootstrap.log")
        with tempfile.TemporaryDirectory(prefix="rollcall-base-", dir=DIRECTORY) as root, \
                open(log, "w", encoding="utf-8") as output:
            done = subprocess.run(["debootstrap", "--variant=minbase", RELEASE, root, mirror()],
                                  stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                  timeout=DEBOOTSTRAP_LIMIT_S, check=False)
            if done.returncode != 0:
                raise Unavailable(f"no base image: debootstrap: {last_line(log)}")
            with subprocess.Popen(["tar", "-C", root, "--exclude=./dev/*", "-c", "."],
                                  stdout=subprocess.PIPE) as tar:
                subprocess.run(["docker", "import", "-", OWN_BASE], env=self.environment,
                               stdin=tar.stdout, stdout=output, check=True)

    def build(self, file, tag, base):
        """Builds an image; fails with the end of what was printed."""
        # The engine's own network has no way out here; the machine's has.
        done = self.try_("build", "--network", "host", "--build-arg", f"BASE={base}",
                         "--file", file, "--tag", tag, ".", limit_s=BUILD_LIMIT_S)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
