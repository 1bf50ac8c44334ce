"""`likeness models export`: a model of open_clip becomes a folder that Likeness runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli_errors import as_wrong_usage_of
from webapp.cli_session import configured

if TYPE_CHECKING:
    from pipeline.features.picture import Picture

MOST_PICTURES = 100  # more say nothing more about an export


@click.command("export")
@click.argument("architecture", metavar="ARCH")
@click.argument("pretrained", metavar="PRETRAINED")
@click.option("--name", help="What the model is to be called; ARCH and PRETRAINED in small letters if not given.")
@click.option("--precision", type=click.Choice(["fp32", "int8", "both"]), default="fp32", show_default=True)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder in which the model gets a folder; that of the models if not given.",
)
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Pictures on which the export is compared with PyTorch; some are drawn if not given.",
)
@click.option("--licence", help="The licence of the weights, for the card.")
@click.option("--commercial-use", is_flag=True, help="The licence allows commercial use.")
def export_model(
    architecture: str,
    pretrained: str,
    *,
    name: str | None,
    precision: str,
    output: Path | None,
    pictures: Path | None,
    licence: str | None,
    commercial_use: bool,
) -> None:
    """Turn a model of open_clip into one that Likeness runs.

    ARCH and PRETRAINED are open_clip's names, such as ViT-B-32 and laion2b_s34b_b79k, which is downloaded. PRETRAINED
    may also be a checkpoint file, or "" for random weights, to try things. Needs the extra `export`.
    """
    from pipeline.errors import ConfigurationError, extra_missing
    from pipeline.features.encoders.registry import check_new_name

    name = default_name(architecture, pretrained) if name is None else name
    with as_wrong_usage_of("--name"):  # before anything is imported or downloaded, which takes its time
        check_new_name(name)
    settings = configured()

    try:
        from pipeline.model_export import PRECISIONS, UNKNOWN_LICENCE, Wish, export
    except ImportError as error:
        raise ConfigurationError(
            extra_missing("Exporting a model", "export", in_image=False), detail=str(error)
        ) from error
    wish = Wish(
        architecture,
        pretrained,
        name,
        licence or UNKNOWN_LICENCE,
        commercial_use,
    )
    folder = output or settings.models_folder
    cards = export(
        wish,
        folder,
        precisions=PRECISIONS if precision == "both" else (precision,),
        pictures=_decoded(pictures) if pictures else (),
        tell=click.echo,
    )
    for card in cards:
        click.echo(f"{folder / card.name}: {(card.bytes or 0) / 1e6:,.0f} MB")


def default_name(architecture: str, pretrained: str) -> str:
    """Return a name for the model that a card accepts."""
    weights = Path(pretrained).stem if pretrained else "random"
    said = f"{architecture}-{weights}".lower()
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-._") else "-" for letter in said)


def _decoded(folder: Path) -> "list[Picture]":
    from pipeline.errors import ImageRejected
    from pipeline.features.decode import Limits, decode
    from pipeline.folder_walk import list_files

    pictures = []
    for path in list_files([str(folder)]).files:
        try:
            pictures.append(decode(Path(path), Limits()))
        except ImageRejected:
            continue  # what is no picture says nothing about an export
        if len(pictures) == MOST_PICTURES:
            break
    return pictures
