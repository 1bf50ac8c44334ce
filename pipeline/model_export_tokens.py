"""The tokenizers of open_clip as a file `tokenizer.json`, which the library `tokenizers` reads without PyTorch."""

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, processors

from pipeline.errors import ModelUnusable
from pipeline.features.encoders.cards import Tokenizing

WORDS = r"(?i)'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""Where CLIP's tokenizer cuts a text before it looks words up (open_clip/tokenizer.py, `SimpleTokenizer.pat`)."""

END_OF_WORD = "</w>"

_CLEANINGS = {"_clean_lower": "clip", "_clean_canonicalize": "canonical", "_clean_whitespace": "whitespace"}
"""What open_clip calls its cleanings."""


def write_tokenizer(source: Any, path: Path) -> Tokenizing:
    """Write a tokenizer of open_clip to `path` and return how it is used.

    Raises ModelUnusable for those that do something that a card cannot say.
    """
    if hasattr(source, "bpe_ranks"):
        return _write_simple(source, path)
    if getattr(source, "strip_sep_token", False) or getattr(source, "tokenizer_mode", ""):
        raise ModelUnusable("The tokenizer of this model does something that Likeness does not know.")
    inner = source.tokenizer
    if not getattr(inner, "is_fast", False):
        raise ModelUnusable("The tokenizer of this model cannot be written to a file.", detail=type(inner).__name__)
    inner.backend_tokenizer.save(str(path))
    return Tokenizing(
        context_length=int(source.context_length),
        cleaning=_cleaning(source),
        lower=False,
        pad_id=int(inner.pad_token_id or 0),
    )


def _write_simple(source: Any, path: Path) -> Tokenizing:
    start, end = (source.decoder[number] for number in source.all_special_ids[:2])
    merges = sorted(source.bpe_ranks, key=source.bpe_ranks.__getitem__)
    tokenizer = Tokenizer(models.BPE(vocab=dict(source.encoder), merges=merges, end_of_word_suffix=END_OF_WORD))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=list(zip((start, end), source.all_special_ids[:2], strict=True))
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (start, end)])
    tokenizer.save(str(path))
    return Tokenizing(
        context_length=int(source.context_length), cleaning=_cleaning(source), pad_id=0, end_id=int(source.eot_token_id)
    )


def _cleaning(source: Any) -> str:
    name = source.clean_fn.__name__
    if name not in _CLEANINGS:
        raise ModelUnusable(
            "The tokenizer of this model cleans texts in a way that Likeness does not know.", detail=name
        )
    return _CLEANINGS[name]
