# SPDX-License-Identifier: MIT
"""Debian's kernel packages, of several releases, without installing any: apt with sources, lists
and cache of its own finds, fetches and verifies them; the kernel is taken out and kept."""

import os
import re
import subprocess
import tarfile

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = ("bullseye", "bookworm", "trixie", "trixie-backports", "sid")
APT_LIMIT_S = 300

# In late releases the kernel itself is in linux-binary, and linux-image only depends on it.
NAMES = "^linux-(image|binary)-[0-9.]+[0-9].*-cloud-amd64$"
NAME = re.compile(r"^(linux-(image|binary)-(\d+\.\d+\.\d\S*)-cloud-amd64) ", re.MULTILINE)


class Unavailable(Exception):
    """What cannot be had, and why."""


def number(version):
    """A version to compare: 6.12.107 is above 6.6."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def mirror():
    """Where apt takes Debian itself from: not its updates or security fixes."""
    try:
        output = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)",
             "Created-By: Packages", "Origin: Debian", "Component: main"],
            capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"apt-get: {error}") from None
    for line in output.splitlines():
        codename, uri = line.split()
        if "-" not in codename:
            return uri
    raise Unavailable("apt knows no mirror of Debian")


class Packages:
    def __init__(self, directory):
        self.directory = os.path.abspath(directory)
        self.error = ""
        apt = os.path.join(self.directory, "apt")
        for name in "state/lists/partial", "cache/archives/partial":
            os.makedirs(os.path.join(apt, name), exist_ok=True)
        uri = mirror()
        with open(os.path.join(apt, "sources.list"), "w", encoding="utf-8") as sources:
            sources.writelines(f"deb [signed-by={KEYRING}] {uri} {suite} main\n"
                               for suite in SUITES)
        self.options = [
            "-q", "-o", f"Dir::State={apt}/state", "-o", "Dir::State::status=/dev/null",
            "-o", f"Dir::Cache={apt}/cache", "-o", f"Dir::Etc::sourcelist={apt}/sources.list",
            "-o", "Dir::Etc::sourceparts=/dev/null", "-o", "Dir::Etc::preferencesparts=/dev/null",
            "-o", "APT::Sandbox::User=", "-o", "Acquire::Languages=none"]
        # Without a network the lists of an earlier run will do, and some releases without others.
        self._run("apt-get", "update")
        self.names = NAME.findall(self._run("apt-cache", "search", "--names-only", NAMES))

    def _run(self, program, *arguments):
        try:
            done = subprocess.run([program, *self.options, *arguments], cwd=self.directory,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=APT_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.error = f"{program} {arguments[0]}: no end within {APT_LIMIT_S} s"
            return ""
        # A list that cannot be fetched is only a warning.
        problem = re.search("^[EW]: .*", done.stderr, re.MULTILINE)
        if problem:
            self.error = problem[0]
        return done.stdout

    def kernel(self, version):
        """The newest kernel of a version such as 6.1, or of all for "newest": the release that it
        calls itself by, and the path of its image."""
        wanted = () if version == "newest" else number(version)
        names = [(number(release), kind == "binary", name, release)
                 for name, kind, release in self.names
                 if number(release)[:len(wanted)] == wanted]
        if not names:
            raise Unavailable(f"no package of it; {self.error}".rstrip("; "))
        *_, name, release = max(names)
        path = os.path.join(self.directory, f"vmlinuz-{release}")
        if not os.path.exists(path):
            self._fetch(name, path)
        return release + "-cloud-amd64", path

    def _fetch(self, name, path):
        """Downloads a package, which apt checks against signed lists, and takes out the kernel."""
        self._run("apt-get", "download", name)
        packages = [file for file in os.listdir(self.directory) if file.startswith(name + "_")]
        if not packages:
            raise Unavailable(f"{name}: {self.error}")
        package = os.path.join(self.directory, packages[0])
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package],
                              stdout=subprocess.PIPE) as unpacker:
            with tarfile.open(fileobj=unpacker.stdout, mode="r|") as files:
                for file in files:
                    if os.path.basename(file.name).startswith("vmlinuz") and file.isfile():
                        with open(path + ".part", "wb") as image:
                            image.write(files.extractfile(file).read())
        os.remove(package)
        if unpacker.returncode != 0 or not os.path.exists(path + ".part"):
            raise Unavailable(f"{packages[0]} holds no kernel")
        os.rename(path + ".part", path)
