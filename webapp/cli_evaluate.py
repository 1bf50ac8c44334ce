"""`likeness evaluate`: quality and speed on pictures with known answers, as tables and as JSON."""

import json
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli_evaluate_relevance import print_relevance
from webapp.cli_progress import track
from webapp.cli_session import configured

if TYPE_CHECKING:
    from pipeline.decoders import DecoderPool
    from pipeline.evaluation import Report, RetrievalReport, StageTime
    from pipeline.evaluation_protocols import CaptionScores, CategoryScores, ColorScores
    from pipeline.settings import Settings

DUPLICATES = "Duplicates are not measured by this version."
MOST_UNREADABLE = 10  # told one by one; --json has all


def _chosen_parts(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    from pipeline.evaluation import PARTS

    chosen = tuple(part.strip() for part in value.split(",")) if value else PARTS
    if unknown := set(chosen) - set(PARTS):
        raise click.BadParameter(f"{', '.join(sorted(unknown))} is none of {', '.join(PARTS)}.")
    return chosen


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures here.")
@click.option(
    "--only",
    callback=_chosen_parts,
    metavar="PARTS",
    help="Some of retrieval,relevance,category,captions,colors,speed.",
)
def evaluate(folder: Path, json_file: Path | None, only: tuple[str, ...]) -> None:
    """Measure quality and speed on labelled pictures.

    DIR has images.csv (path, set, label, category, and if known group and sha256_source), or a folder for each
    class. With captions/captions.json and colour/truth.json words and palettes are measured too. The data folder
    of Likeness is not touched.
    """
    settings = configured()

    from pipeline.labelled_folder import read_labelled_folder

    labelled = read_labelled_folder(folder.resolve())
    models = settings.models_folder
    with nullcontext(models) if models.is_dir() else tempfile.TemporaryDirectory(prefix="likeness-") as kept:
        from pipeline.evaluation import evaluate as measure
        from pipeline.features.encoders import registry

        name = registry.DEFAULT if settings.encoder == "auto" else settings.encoder
        encoder = registry.open_encoder(name, Path(kept))
        with _decoders(settings) as decoders:
            report = measure(labelled, encoder, decoders, parts=only, threads=settings.worker_threads, track=track)
    if json_file:
        json_file.write_text(json.dumps(asdict(report), indent=2, ensure_ascii=False), encoding="utf-8")
    _print(report)


def _decoders(settings: "Settings") -> "DecoderPool":
    from pipeline.decoders import DecoderPool
    from pipeline.features.decode import Limits

    limits = Limits(settings.max_upload_bytes, settings.max_pixels, settings.decoder_memory_bytes)
    return DecoderPool(settings.decoder_processes, limits, settings.decoder_memory_bytes, settings.decoder_seconds)


def _print(report: "Report") -> None:
    click.echo(f"folder    {report.folder}: {report.pictures:,} pictures")
    click.echo(f"machine   {report.machine}")
    click.echo(f"encoder   {report.encoder}")
    parts: list[tuple[object, Callable[..., None]]] = [
        (report.retrieval, _print_retrieval),
        (report.relevance, print_relevance),
        (report.categories, _print_categories),
        (report.captions, _print_captions),
        (report.colors, _print_colors),
        (report.speed, _print_speed),
    ]
    for scores, show in parts:
        if scores is not None:
            click.echo()
            show(scores)
    click.echo(f"\n{DUPLICATES}")
    if report.unreadable:
        click.echo(f"\nLeft out, because they could not be read: {len(report.unreadable):,}")
        for line in report.unreadable[:MOST_UNREADABLE]:
            click.echo(f"  {line}")


def _print_retrieval(report: "RetrievalReport") -> None:
    click.echo("Retrieval: same set and label is relevant; P@10 with k = min(10, size of the class - 1)")
    click.echo(f"{'':<22}{'':>8}  {'this encoder':^24}  {'RGB histogram':^24}")
    head = f"{'P@10':>8}{'R@10':>8}{'mAP':>8}"
    click.echo(f"{'set':<22}{'queries':>8}  {head}  {head}")
    rows = [(name, report.sets[name], report.histogram_sets[name]) for name in sorted(report.sets)]
    for name, ours, baseline in [*rows, ("mean over sets", report.mean, report.histogram_mean)]:
        cells = "  ".join(
            f"{scores.precision:>8.3f}{scores.recall:>8.3f}{scores.mean_average_precision:>8.3f}"
            for scores in (ours, baseline)
        )
        click.echo(f"{name:<22}{ours.queries:>8,}  {cells}")


def _print_categories(parts: "dict[str, CategoryScores]") -> None:
    for part, scores in parts.items():
        click.echo(
            f"Category, pictures the head was {part}: macro-F1 {scores.macro_f1:.3f}, accuracy {scores.accuracy:.3f}"
            if part != "all"
            else f"Category: macro-F1 {scores.macro_f1:.3f}, accuracy {scores.accuracy:.3f}"
        )
        click.echo(f"{'category':<22}{'pictures':>8}{'precision':>11}{'recall':>8}{'F1':>8}")
        for row in scores.categories:
            click.echo(f"{row.category:<22}{row.pictures:>8,}{row.precision:>11.3f}{row.recall:>8.3f}{row.f1:>8.3f}")
        click.echo(f"{'all':<22}{scores.pictures:>8,}{'':>11}{'':>8}{scores.macro_f1:>8.3f}")


def _print_captions(scores: "CaptionScores") -> None:
    click.echo(f"Captions: each first caption searched among {scores.pictures:,} pictures")
    click.echo(
        f"recall@1 {scores.recall_at_1:.3f}  recall@5 {scores.recall_at_5:.3f}  recall@10 {scores.recall_at_10:.3f}  "
        f"(chance {scores.chance_at_10:.3f}; no word understood in {scores.not_understood:.1%})"
    )


def _print_colors(kinds: "dict[str, ColorScores]") -> None:
    click.echo("Colors: share-weighted recall of the true palette within CIEDE2000 of 5 and 8")
    click.echo(f"{'kind':<22}{'pictures':>8}{'≤ 5':>8}{'≤ 8':>8}{'share error':>13}{'spurious':>10}{'their share':>13}")
    for kind in [*sorted(set(kinds) - {"all"}), "all"]:
        row = kinds[kind]
        click.echo(
            f"{kind:<22}{row.pictures:>8,}{row.recall_5:>8.3f}{row.recall_8:>8.3f}{row.share_error:>13.3f}"
            f"{row.spurious_colors:>10.3f}{row.spurious_share:>13.3f}"
        )


def _print_speed(stages: "tuple[StageTime, ...]") -> None:
    click.echo("Speed: milliseconds per picture, one thread, one picture at a time")
    click.echo(f"{'stage':<22}{'mean':>8}{'median':>8}")
    for stage in stages:
        click.echo(f"{stage.stage:<22}{stage.mean_ms:>8.1f}{stage.median_ms:>8.1f}")
