import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from putting import putting

from pipeline.backend import Backend
from pipeline.settings import PREFIX, SECRET_FIELDS, Settings, read_settings
from pipeline.stores.s3_address import read_address
from pipeline.stores.vectors_milvus_address import parse_address
from pipeline.worker import Worker
from webapp.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
LAID_OVER = {path.name: yaml.safe_load(path.read_text()) for path in sorted(ROOT.glob("deploy/compose.*.yml"))}
COMPOSE = {path.name: yaml.safe_load(path.read_text()) for path in sorted(ROOT.glob("docker-compose*.yml"))}
KUBERNETES = ROOT / "deploy" / "k8s"
VARIABLES = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | {
    f"{PREFIX}{name}_FILE".upper() for name in SECRET_FIELDS
}
ROLES = {command.name for command in COMMANDS} | {"beat"}

SERVICES = [
    pytest.param(content, service, id=f"{file}-{name}")
    for file, content in COMPOSE.items()
    for name, service in content["services"].items()
]


@pytest.fixture
def manifests(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that looks at deploy/k8s."""
    monkeypatch.syspath_prepend(str(ROOT / "deploy"))
    import manifests

    return manifests


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of deploy/k8s to spoil."""
    return shutil.copytree(KUBERNETES, tmp_path / "k8s")


def test_only_settings_that_exist_are_set() -> None:
    guides = [ROOT / "docs" / "deploy.md", *(ROOT / "docs" / "deploy").iterdir()]
    files = [
        *ROOT.glob("docker-compose*.yml"),
        *ROOT.glob("deploy/*.yml"),
        ROOT / "Dockerfile",
        *KUBERNETES.rglob("*.yaml"),
        *guides,
    ]
    named = {name: path for path in files for name in re.findall(rf"\b{PREFIX}[A-Z_]+\b", path.read_text())}
    places = {"LIKENESS_BIND", "LIKENESS_PORT"}  # where Docker listens, which the program is not told
    assert {name: path.name for name, path in named.items() if name not in VARIABLES | places} == {}


@pytest.mark.parametrize(("content", "service"), SERVICES)
def test_what_a_service_needs_is_there(content: dict[str, Any], service: dict[str, Any]) -> None:
    assert set(service.get("depends_on", {})) <= set(content["services"])
    assert set(service.get("networks", [])) <= set(content["networks"])
    assert set(service.get("secrets", [])) <= set(content["secrets"])
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(content["volumes"])


@pytest.mark.parametrize(("content", "service"), SERVICES)
def test_images_are_pinned_and_services_limited(content: dict[str, Any], service: dict[str, Any]) -> None:
    del content
    assert re.search(r":v?\d|:RELEASE|^likeness:", service["image"]), "the image has no version"
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert service["restart"] in {"unless-stopped", "on-failure"}


@pytest.mark.parametrize(("content", "service"), SERVICES)
def test_our_own_containers_have_no_rights(content: dict[str, Any], service: dict[str, Any]) -> None:
    del content
    if service["image"].startswith("likeness:"):
        assert service["command"][0] in ROLES
        assert (service["read_only"], service["cap_drop"], service["user"]) == (True, ["ALL"], "10001:10001")


@pytest.mark.parametrize("file", COMPOSE)
def test_only_the_pages_are_reachable_and_only_from_this_machine_unless_told_otherwise(file: str) -> None:
    open_to_others = {
        name: service["ports"] for name, service in COMPOSE[file]["services"].items() if "ports" in service
    }
    assert open_to_others == {"web": ["${LIKENESS_BIND:-127.0.0.1}:${LIKENESS_PORT:-8000}:8000"]}


def test_what_is_laid_over_the_servers_names_what_is_there() -> None:
    servers = COMPOSE["docker-compose.yml"]
    for content in LAID_OVER.values():
        known = {key: {*servers[key], *content.get(key, {})} for key in ("services", "networks", "secrets", "volumes")}
        for name, service in content["services"].items():
            whole = servers["services"].get(name, {}) | service
            assert set(service.get("depends_on", {})) <= known["services"]
            assert set(service.get("networks", [])) <= known["networks"]
            assert set(service.get("secrets", [])) <= known["secrets"]
            assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= known["volumes"]
            assert re.search(r":v?\d|:RELEASE|^likeness:", whole["image"]), "the image has no version"
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
            assert "ports" not in service or "front" in service["networks"], "an internal network opens no port"


def test_with_seaweedfs_nothing_waits_for_minio_and_nothing_starts_it() -> None:
    servers, over = COMPOSE["docker-compose.yml"]["services"], LAID_OVER["compose.seaweedfs.yml"]["services"]
    assert over["minio"] == {"profiles": ["minio"]}
    waiting = {name for name, service in servers.items() if "minio" in service.get("depends_on", {})}
    assert waiting == {"web", "worker", "celery", "beat", "milvus"}
    for name in waiting:
        merged = servers[name]["depends_on"] | over[name]["depends_on"]
        assert merged["minio"]["required"] is False
        assert "seaweedfs" in merged
    environment = servers["milvus"]["environment"] | over["milvus"]["environment"]
    assert "minio:" not in environment["MINIO_ADDRESS"]


def test_every_secret_is_made_at_random_once_and_closed_to_others(tmp_path: Path) -> None:
    script = shutil.copy(ROOT / "deploy" / "secrets.sh", tmp_path / "secrets.sh")
    subprocess.run([script], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    contents = [*COMPOSE.values(), *LAID_OVER.values()]
    wanted = {Path(secret["file"]).name for content in contents for secret in content.get("secrets", {}).values()}
    assert wanted | {"milvus.env"} <= set(made)
    passwords = [made[name] for name in made if name.endswith("_password") or name == "secret_key"]
    assert len(set(passwords)) == len(passwords) == 5
    assert {len(password) for password in passwords} == {48}
    assert made["database_url"] == f"postgresql://likeness:{made['postgres_password']}@postgres:5432/likeness"
    objects, vectors = read_address(made["objects_url"]), parse_address(made["vectors_url"])
    assert (objects.shown, objects.secret) == ("s3+http://minio:9000/likeness", made["minio_password"])
    assert (vectors.shown, vectors.token) == ("milvus://milvus:19530", f"root:{made['milvus_password']}")
    (identity,) = json.loads(made["s3.json"])["identities"]
    assert identity["credentials"] == [{"accessKey": objects.key, "secretKey": made["minio_password"]}]
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    subprocess.run([script], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


def test_the_secrets_are_in_no_repository_and_in_no_image() -> None:
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text().split()
    kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert not any(line.startswith("!deploy") for line in kept)
    assert {ROOT / line[1:] for line in kept} <= set(ROOT.iterdir())


def test_every_manifest_is_named_and_every_named_one_is_there(manifests: ModuleType, copied: Path) -> None:
    assert manifests.missing_parts(copied) == []
    (copied / "base" / "worker.yaml").rename(copied / "base" / "workers.yaml")
    first, second = manifests.missing_parts(copied)
    assert first.endswith("worker.yaml is not there")
    assert second.endswith("workers.yaml: no kustomization names it")


@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        ("base/web.yaml", "livenessProbe:", "livenesProbe:", "livenesProbe"),
        ("base/migrate.yaml", "kind: Job", "kind: Jobb", "the kind Jobb"),
        ("components/postgresql/cluster.yaml", "instances: 3", "instancs: 3", "spec.instancs is no field"),
        ("components/keda/scaled-object.yaml", "targetQueryValue", "targetValue", "needs query, targetQueryValue"),
    ],
)
def test_a_misspelt_word_is_found(
    manifests: ModuleType, copied: Path, file: str, right: str, wrong: str, said: str
) -> None:
    path = copied / file
    text = path.read_text()
    assert [fault for manifest in manifests.read(path) for fault in manifests.faults(manifest)] == []
    assert right in text
    path.write_text(text.replace(right, wrong))
    assert said in str([fault for manifest in manifests.read(path) for fault in manifests.faults(manifest)])


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed, and is not needed")
@pytest.mark.parametrize("component", ["", "components: [../../components/celery]"])
def test_the_overlay_of_the_guide_becomes_manifests(manifests: ModuleType, copied: Path, component: str) -> None:
    guide = (ROOT / "docs" / "deploy" / "cluster.md").read_text()
    written = re.search(r"ours/kustomization.yaml <<'END'\n(.*?)\n +END\n", guide, re.DOTALL)
    assert written is not None
    ours = copied / "overlays" / "ours"
    ours.mkdir()
    shutil.copy(copied / "values" / "postgresql-10m.yaml", ours)
    patch = "\n  - path: postgresql-10m.yaml\n"
    (ours / "kustomization.yaml").write_text(textwrap.dedent(written[1]) + patch + component)
    made = manifests.kustomized(ours)
    assert [fault for manifest in made for fault in manifests.faults(manifest)] == []
    assert manifests.unmounted(made) == []
    images = {image for manifest in made for image in re.findall(r"'image': '([^']+)'", repr(manifest))}
    assert images - {"valkey/valkey:9.1.1-alpine"} == {"registry.example.org/likeness:0.1.0"}
    (cluster,) = (manifest for manifest in made if manifest["kind"] == "Cluster")
    assert cluster["spec"]["storage"]["size"] == "250Gi"
    assert len(made) > 15


def test_every_file_that_a_setting_names_is_mounted_where_it_is_read(manifests: ModuleType) -> None:
    base = [manifest for path in manifests.manifest_files(KUBERNETES / "base") for manifest in manifests.read(path)]
    assert manifests.unmounted(base) == []
    (settings,) = (manifest for manifest in base if manifest["kind"] == "ConfigMap")
    settings["data"]["LIKENESS_QUEUE_URL_FILE"] = "/run/secrets/likeness/queue-url"
    without = [fault.partition(":")[0] for fault in manifests.unmounted(base)]
    assert without == ["Job likeness-migrate", "Deployment likeness-web", "Deployment likeness-worker"]
    (celery,) = manifests.read(KUBERNETES / "components" / "celery" / "kustomization.yaml")
    patched = [patch["target"]["kind"] for patch in celery["patches"] if "name: likeness-redis" in patch["patch"]]
    assert set("|".join(patched).split("|")) == {fault.split()[0] for fault in without}
    (secret,) = manifests.read(KUBERNETES / "secret.example.yaml")
    assert set(secret["stringData"]) == manifests.FILES_OF_SECRETS[secret["metadata"]["name"]]


@pytest.mark.parametrize("guide", sorted((ROOT / "docs" / "deploy").glob("*.md")), ids=lambda guide: guide.stem)
def test_what_the_guides_show_and_name_is_there(manifests: ModuleType, guide: Path) -> None:
    text = guide.read_text()
    for block in re.findall(r"^( *)```yaml\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
        manifest = yaml.safe_load(textwrap.dedent(block[1]))
        assert "kind" not in manifest or manifests.faults(manifest) == []
    named = set(re.findall(r"\bdeploy/[\w./-]+\.(?:ya?ml|sh)\b", text))
    own = {"deploy/k8s/overlays/ours/kustomization.yaml", "deploy/k8s/values/milvus-secrets.yaml"}
    assert {name for name in named - own if not (ROOT / name).is_file()} == set()


def test_the_job_that_moves_gives_options_that_exist(manifests: ModuleType) -> None:
    job, policy = manifests.read(KUBERNETES / "move.example.yaml")
    pod = job["spec"]["template"]
    name, *options = pod["spec"]["containers"][0]["args"]
    (command,) = (command for command in COMMANDS if command.name == name)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {option.partition("=")[0] for option in options} <= known
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_all_of_it_can_be_checked_without_kubectl() -> None:
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    script = ROOT / "deploy" / "check.py"
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stdout + done.stderr
    assert done.stdout.startswith("kubectl is not there")


def test_workers_are_scaled_by_what_waits(
    manifests: ModuleType,
    tmp_path: Path,
    models: Path,
    postgresql_url: str,
    open_grid_backend: Callable[[Settings], Backend],
) -> None:
    _, scaled = manifests.read(KUBERNETES / "components" / "keda" / "scaled-object.yaml")
    query = sa.text(scaled["spec"]["triggers"][0]["metadata"]["query"])
    backend = open_grid_backend(read_settings(data=tmp_path, models=models, database_url=postgresql_url))
    put = putting(backend)
    for color in ("red", "green", "blue"):
        put(color=color)
    with backend.database.read() as connection:
        assert connection.scalar(query) == 3
    Worker(backend).drain()
    with backend.database.read() as connection:
        assert connection.scalar(query) == 0
