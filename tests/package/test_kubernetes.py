"""The DaemonSet: every field is one that the API knows, and its rights and mounts are those of the systemd unit."""

import copy
import re
import subprocess

import pytest

from kubernetes import OBJECTS
from machine import BUILD, ROOT

jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed: deploy/deps test")
yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed: deploy/deps test")
SHIPPED = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/dnsguard.yaml").read_text()))
UNIT = (ROOT / "deploy/dnsguardd.service").read_text()


def complaints(objects):
    return [error.message for one in objects
            for error in jsonschema.Draft7Validator(OBJECTS[one["kind"]]).iter_errors(one)]


def daemon_set(objects):
    return next(one for one in objects if one["kind"] == "DaemonSet")


def pod(objects):
    return daemon_set(objects)["spec"]["template"]["spec"]


def test_the_api_takes_it():
    assert complaints(SHIPPED) == []


@pytest.mark.parametrize("change, said", [
    (lambda objects: pod(objects).update(hostNetworks=True), "hostNetworks"),
    (lambda objects: pod(objects)["containers"][0]["securityContext"]["capabilities"].update(add=["CAP_BPF"]), "CAP_BPF"),
    (lambda objects: pod(objects)["containers"][0].update(image="dnsguard"), "dnsguard"),
    (lambda objects: pod(objects)["volumes"][1]["hostPath"].update(type="Dir"), "Dir"),
    (lambda objects: pod(objects)["containers"][0]["livenessProbe"]["httpGet"].update(port="10530"), "10530"),
    (lambda objects: daemon_set(objects).update(apiVersion="extensions/v1beta1"), "apps/v1"),
    (lambda objects: daemon_set(objects)["spec"].pop("selector"), "selector"),
], ids=["misspelt", "capability", "image without a tag", "kind of path", "port as text", "old api", "no selector"])
def test_it_would_not_take(change, said):
    """Twins: what the check is worth."""
    changed = copy.deepcopy(SHIPPED)
    change(changed)
    assert any(said in complaint for complaint in complaints(changed))


def test_what_belongs_together_is_named_alike():
    """What no schema sees: selector and labels, mounts and volumes, the map of the configuration."""
    spec = daemon_set(SHIPPED)["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    volumes = {volume["name"]: volume for volume in pod(SHIPPED)["volumes"]}
    assert [mount["name"] for mount in pod(SHIPPED)["containers"][0]["volumeMounts"]] == list(volumes)
    config = next(one for one in SHIPPED if one["kind"] == "ConfigMap")
    assert volumes["config"]["configMap"]["name"] == config["metadata"]["name"]
    namespace = next(one for one in SHIPPED if one["kind"] == "Namespace")["metadata"]["name"]
    assert {one["metadata"].get("namespace", namespace) for one in SHIPPED} == {namespace}


def test_its_rights_are_those_of_the_unit():
    rights = pod(SHIPPED)["containers"][0]["securityContext"]
    unit = re.search(r"^CapabilityBoundingSet=(.*)$", UNIT, re.M)[1].split()
    assert rights["capabilities"]["drop"] == ["ALL"]
    assert {f"CAP_{name}" for name in rights["capabilities"]["add"]} == set(unit)
    assert not rights["privileged"] and not rights["allowPrivilegeEscalation"] and rights["readOnlyRootFilesystem"]


def test_what_must_outlive_a_pod_is_the_nodes():
    """Each place that the daemon writes is mounted from the node, and nothing else is writable."""
    paths = {volume["name"]: volume.get("hostPath", {}).get("path") for volume in pod(SHIPPED)["volumes"]}
    writable = {mount["mountPath"]: paths[mount["name"]] for mount in pod(SHIPPED)["containers"][0]["volumeMounts"]
                if not mount.get("readOnly")}
    assert writable == {path: path for path in ("/sys/fs/bpf", "/run/dnsguard", "/var/lib/dnsguard")}


def test_its_configuration_is_good_and_observes(tmp_path):
    text = next(one for one in SHIPPED if one["kind"] == "ConfigMap")["data"]["dnsguard.yaml"]
    (tmp_path / "dnsguard.yaml").write_text(text)
    done = subprocess.run([BUILD / "dnsguardd", "--check-config", "--config", tmp_path / "dnsguard.yaml"], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(text)["mode"] == "observe"
