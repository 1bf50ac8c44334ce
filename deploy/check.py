"""Whether what lies in deploy, and the files for Docker, can be what they say. `make check` runs it.

There is no container engine and no cluster here: this reads, and starts nothing. What it cannot see is listed in
docs/deploy.md.
"""

import subprocess
import sys
from pathlib import Path

import manifests

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
COMPOSE_FILES = (
    "docker-compose.yml",
    "docker-compose.small.yml",
    "deploy/compose.seaweedfs.yml",
    "deploy/compose.ports.yml",
)


def check() -> list[str]:
    """Return what is wrong, in words."""
    schema = [PROGRAMS / "check-jsonschema", "--quiet", "--builtin-schema", "vendor.compose-spec", *COMPOSE_FILES]
    found = [*_run(schema), *_run([PROGRAMS / "hadolint", "Dockerfile"])]
    folder = ROOT / "deploy" / "k8s"
    found += manifests.missing_parts(folder)
    for path in manifests.manifest_files(folder):
        name = path.relative_to(ROOT)
        found += [f"{name}: {fault}" for manifest in manifests.read(path) for fault in manifests.faults(manifest)]
    try:
        made = list(manifests.rendered(folder))
    except subprocess.CalledProcessError as error:
        return [*found, f"kubectl kustomize refuses: {error.stderr.strip()}"]
    if not made:
        print("kubectl is not there, so what kustomize makes of deploy/k8s was not looked at.")
    for part in dict.fromkeys(name for name, _ in made):
        together = [manifest for name, manifest in made if name == part]
        found += [f"{part}, {fault}" for fault in manifests.unmounted(together)]
    seen: set[str] = set()
    for name, manifest in made:
        text = repr(manifest)
        if text not in seen:  # components are laid over the same base
            seen.add(text)
            found += [
                f"{name}, {manifest['kind']} {manifest['metadata']['name']}: {fault}"
                for fault in manifests.faults(manifest)
            ]
    return found


def _run(command: list[object]) -> list[str]:
    """Return what `command` says when it fails."""
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    return [(done.stdout + done.stderr).strip()] if done.returncode else []


if __name__ == "__main__":
    faults = check()
    for fault in faults:
        print(fault)
    sys.exit(bool(faults))
