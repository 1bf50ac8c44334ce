"""What `likeness evaluate` prints about relevance: how well it is told that there is nothing alike."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.evaluation_relevance import RelevanceScores


def print_relevance(scores: "RelevanceScores") -> None:
    """Print the curve, what the limits that are shipped do, and what each strength is worth."""
    click.echo(
        f"Relevance: {scores.queries:,} queries; without kin is the same query with its {scores.left_out} left out"
    )
    lost = "".join(f"{point.lost:>8.1%}" for point in scores.curve)
    told = "".join(f"{point.told:>8.1%}" for point in scores.curve)
    click.echo(f"{'right hits lost':<34}{lost}")
    click.echo(f"{'told “weak” or “none” without kin':<34}{told}")
    click.echo(
        f"by the limits in use: {scores.told:.1%} told, {scores.none:.1%} of all with “none”; "
        f"{scores.lost:.1%} of the right hits lost"
    )
    click.echo(f"{'set':<22}{'lost':>8}{'told':>8}")
    for name, point in scores.by_set.items():
        click.echo(f"{name:<22}{point.lost:>8.1%}{point.told:>8.1%}")
    click.echo(f"{'hits that are':<22}{'right':>8}{'of right':>10}{'of wrong':>10}")
    for band in scores.strengths:
        name = f"{band.strength} or more" if band.strength == "possible" else band.strength
        click.echo(f"{name:<22}{band.precision:>8.1%}{band.right_kept:>10.1%}{band.wrong_kept:>10.1%}")
