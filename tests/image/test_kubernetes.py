# SPDX-License-Identifier: MIT
"""docker/kubernetes.yaml: no cluster runs here. kubectl reads it into Kubernetes' own types,
without a server, and what it gives back shows which fields it knows; what the fields say must fit
the image and the program."""

import json
import os
import re
import shutil
import subprocess

import pytest

from engine import TOP

yaml = pytest.importorskip("yaml", reason="there is no python3-yaml")

# Commands that work without a server, on the typed object, and change nothing that is given here.
UNCHANGED = {
    "Deployment": ["set", "env", "NAME=value"],
    "Service": ["set", "selector", "app.kubernetes.io/name=rollcall"],
}


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        return file.read()


@pytest.fixture
def objects():
    return {one["kind"]: one for one in yaml.safe_load_all(read("docker/kubernetes.yaml"))}


@pytest.fixture
def pod(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    (one,) = pod["containers"]
    return one


def instruction(word):
    """What follows the word in the Dockerfile, of the last line that begins with it."""
    lines = re.findall(rf"^{word} ((?:.*\\\n)*.*)$", read("docker/Dockerfile"), re.MULTILINE)
    return lines[-1].replace("\\\n", " ")


def as_kubectl_reads(one):
    """The object after kubectl has read it; kubectl drops silently what it does not know."""
    done = subprocess.run(
        ["kubectl", *UNCHANGED[one["kind"]], "--local", "--filename", "-", "--output", "json"],
        input=json.dumps(one), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lost(given, kept, path=""):
    """The paths at which something given is not kept."""
    if isinstance(given, dict):
        kept = kept if isinstance(kept, dict) else {}
        return [name for key, value in given.items()
                for name in lost(value, kept.get(key), f"{path}.{key}")]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return [name for index, value in enumerate(given)
                for name in lost(value, kept[index], f"{path}[{index}]")]
    return [] if given == kept else [path]


@pytest.fixture
def kubectl():
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl")


@pytest.mark.parametrize("kind", UNCHANGED)
def test_kubernetes_knows_each_field(kubectl, objects, kind):
    assert lost(objects[kind], as_kubectl_reads(objects[kind])) == []


def test_unknown_fields_are_found(kubectl, objects):
    """A misspelled field is lost, and a value of the wrong type is refused."""
    service = objects["Service"]
    service["spec"]["ports"][0]["targetport"] = service["spec"]["ports"][0].pop("targetPort")
    assert lost(service, as_kubectl_reads(service)) == [".spec.ports[0].targetport"]
    service["spec"]["ports"] = "8080"
    with pytest.raises(AssertionError, match="cannot unmarshal string"):
        as_kubectl_reads(service)


def test_selectors(objects):
    """Both selectors choose the pods."""
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"].items() <= labels.items()


def test_ports(objects, container):
    """The container's ports are those of the image; the service leads to both, by their names."""
    ports = {port["name"]: port for port in container["ports"]}
    exposed = {f"{port['containerPort']}/{port['protocol'].lower()}" for port in ports.values()}
    assert exposed == set(instruction("EXPOSE").split())
    served = {(port["targetPort"], port["protocol"])
              for port in objects["Service"]["spec"]["ports"]}
    assert served == {("tcp", "TCP"), ("udp", "UDP")}
    assert ports["tcp"]["protocol"] == "TCP" and ports["udp"]["protocol"] == "UDP"


def test_health(container):
    """The probes ask the server, as the image's own health check does (tests/image/test_health.py
    shows that it finds a stopped one), which kubelet does not know. But only for readiness over TCP:
    a server is not killed for having all the clients that it may have. None is given less time than
    the program takes."""
    command = json.loads(instruction("HEALTHCHECK").partition("CMD")[2])
    udp = next(url for url in command if url.startswith("udp://"))
    assert container["readinessProbe"]["exec"]["command"] == command
    for probe in "startupProbe", "livenessProbe":
        assert container[probe]["exec"]["command"] == [command[0], "--health", udp]
    for probe in "startupProbe", "readinessProbe", "livenessProbe":
        assert container[probe]["timeoutSeconds"] > 2


def test_least_privilege(pod, container):
    security = {**pod["securityContext"], **container["securityContext"]}
    assert security["runAsNonRoot"] is True
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == instruction("USER")
    # A profile in a file would have to be on the node.
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_other_profile(kubectl):
    """The lines of the comment are what is needed for the profile of docker/."""
    text = read("docker/kubernetes.yaml")
    other = re.sub(r"^ +type: RuntimeDefault\n( +)# (type: Localhost)\n +# (localhostProfile: )",
                   r"\1\2\n\1\3", text, flags=re.MULTILINE)
    (deployment,) = [one for one in yaml.safe_load_all(other) if one["kind"] == "Deployment"]
    assert lost(deployment, as_kubectl_reads(deployment)) == []
    profile = deployment["spec"]["template"]["spec"]["securityContext"]["seccompProfile"]
    assert profile["type"] == "Localhost"
    # The kubelet takes a path below its own directory only.
    assert f"/var/lib/kubelet/seccomp/{profile['localhostProfile']} " in text


def test_grace(pod):
    """The kubelet kills later than the program has given up on its last clients."""
    drain_ms = re.search(r"\.drain_timeout_ms = (\d+)", read("src/server/validate.c"))
    assert pod["terminationGracePeriodSeconds"] > int(drain_ms[1]) / 1000


def test_version(container):
    version = re.search(r'^#define ROLLCALL_VERSION "(.*)"$', read("include/rollcall.h"),
                        re.MULTILINE)
    assert container["image"] == f"rollcall:{version[1]}"
    # make image makes this tag; a given one is left alone.
    for given, made in (("rollcall", ["rollcall", f"rollcall:{version[1]}"]),
                        ("host:5000/own", ["host:5000/own", f"host:5000/own:{version[1]}"]),
                        ("host:5000/own:1", ["host:5000/own:1"])):
        printed = subprocess.run(["make", "-n", "image", f"IMAGE={given}"], cwd=TOP, text=True,
                                 stdout=subprocess.PIPE, timeout=60, check=True).stdout
        assert re.findall(r"-t (\S+)", printed) == made
    assert instruction("ARG") == f"VERSION={version[1]}"
