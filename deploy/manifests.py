"""The manifests in deploy/k8s: how they are read, put together, and compared with what Kubernetes knows.

Kinds that Kubernetes brings are compared with its schemas, strictly: a misspelt field is a fault. Those of operators
have no schema here, so the fields that we use are written down below, each from the operator's documentation; another
field, or another kind, is a fault until somebody has looked it up.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

Manifest = dict[str, Any]

KUBERNETES = "1.32"
"""The oldest version that is supported; what is newer than that is no field of it, and so a fault."""

KUSTOMIZE_KINDS = frozenset({"Kustomization", "Component"})
PARTS = ("resources", "components")  # of a kustomization: files and folders that it names

FIELDS_OF_OPERATORS: dict[tuple[str, str], dict[str, bool]] = {
    ("postgresql.cnpg.io/v1", "Cluster"): {  # cloudnative-pg.io, API reference
        "spec.instances": True,
        "spec.imageName": True,
        "spec.bootstrap.initdb.database": True,
        "spec.bootstrap.initdb.owner": True,
        "spec.bootstrap.initdb.dataChecksums": False,
        "spec.bootstrap.initdb.postInitApplicationSQL": False,
        "spec.postgresql.parameters.*": False,
        "spec.resources.requests.*": False,
        "spec.resources.limits.*": False,
        "spec.storage.size": True,
    },
    ("keda.sh/v1alpha1", "TriggerAuthentication"): {  # keda.sh, authentication
        "spec.secretTargetRef": True,
    },
    ("keda.sh/v1alpha1", "ScaledObject"): {  # keda.sh, scaling deployments; scalers: PostgreSQL, Redis lists
        "spec.scaleTargetRef.name": True,
        "spec.minReplicaCount": False,
        "spec.maxReplicaCount": True,
        "spec.pollingInterval": False,
        "spec.cooldownPeriod": False,
        "spec.triggers": True,
    },
}
"""The fields of operators' kinds that may be used, and whether they must be. `*` stands for any one name."""

FIELDS_OF_TRIGGERS = {
    "postgresql": {"query", "targetQueryValue"},
    "redis": {"address", "databaseIndex", "listName", "listLength"},
}
"""What the metadata of each of KEDA's triggers must have, and may."""

FILES_OF_SECRETS = {"likeness-addresses": {"objects-url", "vectors-url", "secret-key"}}
"""The files that a Secret becomes where a manifest mounts it whole, as secret.example.yaml makes it."""


def read(path: Path) -> list[Manifest]:
    """Return the documents of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def manifest_files(folder: Path) -> list[Path]:
    """Return the YAML files below `folder` that are manifests: neither kustomizations nor values of charts."""
    return sorted(
        path
        for path in folder.rglob("*.yaml")
        if path.name != "kustomization.yaml" and "values" not in path.parts and not _is_patch(path)
    )


def _is_patch(path: Path) -> bool:
    kustomization = path.parent / "kustomization.yaml"
    if not kustomization.exists():
        return False
    return any(patch.get("path") == path.name for patch in read(kustomization)[0].get("patches", []))


def missing_parts(folder: Path) -> list[str]:
    """Return what the kustomizations below `folder` name and is not there, and manifests that none of them names."""
    faults, named = [], set()
    for kustomization in sorted(folder.rglob("kustomization.yaml")):
        (content,) = read(kustomization)
        patches = [patch["path"] for patch in content.get("patches", []) if "path" in patch]
        for name in [part for key in PARTS for part in content.get(key, [])] + patches:
            path = (kustomization.parent / name).resolve()
            named.add(path)
            if not (path.is_file() or (path / "kustomization.yaml").is_file()):
                faults.append(f"{kustomization}: {name} is not there")
    orphans = [path for path in manifest_files(folder) if path.resolve() not in named and ".example" not in path.name]
    return [*faults, *(f"{path}: no kustomization names it" for path in orphans)]


def rendered(folder: Path) -> Iterator[tuple[str, Manifest]]:
    """Give what kustomize makes of each overlay, and of the base with each component, with a name for it.

    Gives nothing where there is no kubectl. Raises CalledProcessError when kustomize refuses one.
    """
    if not shutil.which("kubectl"):
        return
    for overlay in [*sorted((folder / "overlays").iterdir()), folder / "milvus"]:
        for manifest in kustomized(overlay):
            yield f"overlay {overlay.name}", manifest
    for component in sorted((folder / "components").iterdir()):
        with tempfile.TemporaryDirectory() as scratch:
            parts = {"resources": [folder / "base"], "components": [component]}
            relative = {key: [os.path.relpath(path, Path(scratch).resolve()) for path in parts[key]] for key in parts}
            (Path(scratch) / "kustomization.yaml").write_text(yaml.safe_dump(relative), encoding="utf-8")
            for manifest in kustomized(Path(scratch)):
                yield f"component {component.name}", manifest


def kustomized(folder: Path) -> list[Manifest]:
    """Return what kustomize makes of one folder. Raises CalledProcessError when it refuses."""
    command = ["kubectl", "kustomize", folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def unmounted(manifests: list[Manifest]) -> list[str]:
    """Return which workloads read a setting from a file, by a ConfigMap, that nothing mounts into them."""
    settings = {each["metadata"]["name"]: each["data"] for each in manifests if each["kind"] == "ConfigMap"}
    return [
        f"{manifest['kind']} {manifest['metadata']['name']}: {path}, which {variable} names, is not mounted"
        for manifest in manifests
        if manifest["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}
        for pod in [manifest["spec"]["template"]["spec"]]
        for container in pod["containers"]
        for source in container.get("envFrom", [])
        for variable, path in settings.get(source.get("configMapRef", {}).get("name"), {}).items()
        if variable.endswith("_FILE") and path and path not in _mounted(pod, container)
    ]


def _mounted(pod: dict[str, Any], container: dict[str, Any]) -> set[str]:
    """Return the paths of the files that Secrets become in a container."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    return {
        f"{mount['mountPath']}/{file}"
        for mount in container.get("volumeMounts", [])
        for source in volumes[mount["name"]].get("projected", {}).get("sources", [])
        for file in _files(source.get("secret", {}))
    }


def _files(secret: dict[str, Any]) -> set[str]:
    if "items" in secret:
        return {item["path"] for item in secret["items"]}
    return FILES_OF_SECRETS.get(secret.get("name", ""), set())


def faults(manifest: Manifest) -> list[str]:
    """Return what is wrong with a manifest, in words."""
    kind = (manifest.get("apiVersion", ""), manifest.get("kind", ""))
    if kind in FIELDS_OF_OPERATORS:
        return _faults_of_operators(manifest, FIELDS_OF_OPERATORS[kind])
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    except (kubernetes_validate.SchemaNotFoundError, KeyError):
        return [f"the kind {kind[1]} of {kind[0]} is not known"]
    return []


def _faults_of_operators(manifest: Manifest, fields: dict[str, bool]) -> list[str]:
    found = list(_leaves(manifest.get("spec", {}), "spec"))
    wrong = [f"{path} is no field that was looked up" for path in found if not {path, _pattern(path)} & set(fields)]
    missing = [f"{path} is missing" for path, required in fields.items() if required and path not in found]
    return [*wrong, *missing, *_faults_of_triggers(manifest.get("spec", {}).get("triggers", []))]


def _leaves(value: object, path: str) -> Iterator[str]:
    """Give the paths of what is no mapping; a list is taken as one thing."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}")
    else:
        yield path


def _pattern(path: str) -> str:
    return path.rpartition(".")[0] + ".*"


def _faults_of_triggers(triggers: list[dict[str, Any]]) -> Iterator[str]:
    for trigger in triggers:
        wanted = FIELDS_OF_TRIGGERS.get(trigger.get("type", ""))
        if wanted is None or set(trigger) - {"type", "metadata", "authenticationRef"}:
            yield f"the trigger {trigger} is not known"
        elif set(trigger["metadata"]) != wanted:
            yield f"the trigger {trigger['type']} needs {', '.join(sorted(wanted))}"
