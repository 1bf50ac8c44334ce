"""The command that exports a model, as far as it goes without PyTorch."""

import importlib.util

import pytest
from click import BadParameter
from click.testing import CliRunner

from pipeline.errors import ConfigurationError
from webapp.cli_models_export import default_name, export_model

without_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is not None, reason="the extra `export` is installed"
)


@without_torch
def test_the_extra_that_is_missing_is_named(tmp_path):
    arguments = ["ViT-B-32", "openai", "--output", str(tmp_path)]
    result = CliRunner().invoke(export_model, arguments)

    assert isinstance(result.exception, ConfigurationError)
    assert "needs the extra `export`" in result.exception.user_message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["clip-vit-b-32", "My Model", "lite", ".hidden", "../evil", "", "a" * 65])
def test_a_name_that_is_none_or_of_the_list_is_refused_before_anything_is_done(tmp_path, name):
    with pytest.raises(BadParameter, match=r"cannot be called|is the name of a model that Likeness knows"):
        export_model.main(
            ["ViT-B-32", "openai", "--name", name, "--output", str(tmp_path / "models")], standalone_mode=False
        )
    assert list(tmp_path.iterdir()) == []


def test_every_model_gets_a_name_that_a_card_accepts():
    assert default_name("ViT-B-32", "laion2b_s34b_b79k") == "vit-b-32-laion2b_s34b_b79k"
    assert default_name("RN50", "/tmp/My Weights.pt") == "rn50-my-weights"  # noqa: S108 - no file is touched
    assert default_name("ViT-B-32", "") == "vit-b-32-random"


def test_help_tells_what_the_names_are():
    result = CliRunner().invoke(export_model, ["--help"])

    assert result.exit_code == 0
    assert "ARCH PRETRAINED" in result.output
    assert "a checkpoint file" in " ".join(result.output.split())
