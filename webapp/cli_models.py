"""The commands for encoders and their weights; those that change the encoder of a database are in `cli_models_use`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli_errors import FAILURE, as_wrong_usage_of, say
from webapp.cli_models_export import export_model
from webapp.cli_models_use import cancel, drop, pause, resume, use
from webapp.cli_progress import shown_in_megabytes
from webapp.cli_session import configured, stopped_gently

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.features.encoders.protocol import Encoder
    from pipeline.features.encoders.registry import Model

NAME_WIDTH = 22
ROLES = {"active": "IN USE", "building": "being filled", "old": "its vectors are kept"}
WHERE = {"here": "here", "partly": "partly here", "missing": "not here"}


@click.group()
def models() -> None:
    """Show the encoders there are, and get their weights."""


for command in (use, pause, resume, cancel, drop, export_model):
    models.add_command(command)


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models_list(as_json: bool) -> None:
    """List the encoders, with the terms of their weights."""
    from pipeline.encoder_switch import roles
    from pipeline.features.encoders import registry

    settings = configured()
    folder, used = settings.models_folder, roles(settings)
    listed = [_told(name, folder) | {"role": used.get(name)} for name in registry.names(folder)]
    if as_json:
        click.echo(json.dumps({"models": listed}, indent=2, ensure_ascii=False))
        return
    for told in listed:
        for line in _lines(told):
            click.echo(line)


@models.command("pull")
@click.argument("name")
def models_pull(name: str) -> None:
    """Download the model NAME, or what is missing or damaged of it."""
    from pipeline.model_hub import ModelHub
    from pipeline.weights import pull

    settings = configured()
    with stopped_gently(), shown_in_megabytes(f"Pulling {name}") as on_progress:
        card = pull(name, settings.models_folder, ModelHub(settings.hub), on_progress)
    if not card.commercial_use:
        click.echo(f"The licence of {name}, {card.licence}, forbids commercial use.", err=True)
    click.echo(f"The model {name} is here, with every checksum right.", err=True)


@models.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What it is called here; without a card.json, which model of the list it is.")
def models_import(path: Path, name: str | None) -> None:
    """Bring in a model from a folder, ZIP or TAR archive, without a network."""
    from pipeline.encoder_switch import check_unneeded
    from pipeline.features.encoders.cards import check_name
    from pipeline.weights_import import install_from

    if name is not None:
        with as_wrong_usage_of("--name"):
            check_name(name)
    settings = configured()

    def check(encoder: "Encoder") -> None:
        check_unneeded(settings, encoder.name, but_for=encoder.fingerprint)

    with stopped_gently(), shown_in_megabytes(f"Importing {path.name}") as on_progress:
        card = install_from(path, settings.models_folder, name, on_progress, check=check)
    click.echo(f"The model {card.name} is here, with every checksum right.", err=True)


@models.command("verify")
@click.argument("name", required=False)
@click.pass_context
def models_verify(context: click.Context, name: str | None) -> None:
    """Compare the files of the model NAME, or of every model that is here, with their checksums.

    The exit status is 1 if a file is damaged or missing.
    """
    from pipeline.weights import faults, present

    folder = configured().models_folder
    names = [name] if name else present(folder)
    if not names:
        click.echo("No model is here. `likeness models list` shows which there are.")
    is_sound = True
    for one in names:
        found = faults(one, folder)
        for sentence in found:
            say(f"{one}: {sentence}")
        if not found:
            click.echo(f"{one}: every checksum is right.")
        is_sound = is_sound and not found
    if not is_sound:
        context.exit(FAILURE)


@models.command("remove")
@click.argument("name")
def models_remove(name: str) -> None:
    """Remove the files of the model NAME."""
    from pipeline.encoder_switch import check_unneeded
    from pipeline.weights import remove

    settings = configured()
    check_unneeded(settings, name)
    remove(name, settings.models_folder)
    click.echo(f"The model {name} was removed.", err=True)


def _told(name: str, folder: Path) -> dict[str, object]:
    """Return what is known of a model; one whose card is damaged must not hide the others."""
    from pipeline.errors import ModelUnusable
    from pipeline.features.encoders import registry
    from pipeline.features.encoders.catalog import CATALOG

    try:
        return _told_of(registry.find(name, folder), folder)
    except ModelUnusable as error:
        if name in CATALOG:
            return _told_of(registry.find(name), folder) | {"error": error.user_message}
        return {"name": name, "state": "partly", "error": error.user_message}


def _told_of(model: "Model", folder: Path) -> dict[str, object]:
    from pipeline.features.encoders.catalog import CATALOG, DEFAULT
    from pipeline.weights import state

    card = model.card
    told: dict[str, object] = {
        "name": model.name,
        "description": model.description,
        "dimension": model.dimension,
        "licence": model.licence,
        "source": model.source,
        "state": "here",
        "default": model.name == DEFAULT,
        "commercial_use": True,
    }
    if card:
        said = asdict(card)
        more = ("architecture", "pretrained", "precision", "languages", "quality", "hardware", "repository", "revision")
        told |= {name: said[name] for name in (*more, "commercial_use")}
        told |= {
            "state": state(model.name, folder),
            "bytes": card.bytes,
            "verified": CATALOG[model.name].is_pinned if model.name in CATALOG else card.is_pinned,
        }
    return told


def _lines(told: dict[str, object]) -> "Iterator[str]":
    """Yield what `models list` says of a model: what it is, on what terms, and what more is known."""
    indent = " " * NAME_WIDTH
    if "description" not in told:
        yield f"{told['name']:<{NAME_WIDTH}}{told['error']}"
        return
    size = told.get("bytes")
    facts = [
        f"{told['dimension']} numbers",
        f"{size / 1e6:,.0f} MB" if isinstance(size, int) else "",
        WHERE[str(told["state"])],
        "the default where it can be had" if told["default"] else "",
        ROLES.get(str(told["role"]), ""),
    ]
    yield f"{told['name']:<{NAME_WIDTH}}{told['description']}"
    yield f"{indent}{', '.join(filter(None, facts))}"
    forbidden = "" if told["commercial_use"] else "; COMMERCIAL USE IS FORBIDDEN"
    yield f"{indent}licence {told['licence']}{forbidden}; from {told['source']}"
    known = [f"{name}: {told[name]}" for name in ("languages", "quality", "hardware") if told.get(name)]
    if known:
        yield f"{indent}{'; '.join(known)}"
    if told.get("verified") is False:
        yield f"{indent}its checksums could not be verified; they are taken from the hub at the first download"
    if "error" in told:
        yield f"{indent}{told['error']}"
