"""Compare CLIP as Likeness runs it with open_clip on PyTorch: preprocessing, decoding, 8 bits, tokens.

    python bench/clip_parity.py FOLDER… [--pictures N] [--captions FILE] [--architecture NAME] [--pretrained TAG|FILE]
                                        [--models DIR] [--enlarged MEGAPIXELS]

Needs the extra `export`. Without --pretrained the weights are random: that proves the way of a picture and a text
through the code, and not how good 8 bits are with real weights. FILE of captions is a list of {"captions": [...]}, as
`likeness evaluate` reads it. What was exported is kept in DIR and used again. --enlarged makes a JPEG of that size of
every picture first, with grain, so that decoding has something to shrink.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps

from pipeline.errors import ImageRejected
from pipeline.features.decode import Limits, decode
from pipeline.features.encoders.cards import CARD_FILE, TOKENIZER, read_card
from pipeline.features.encoders.clip import ClipEncoder, open_clip
from pipeline.features.encoders.clip_tokens import load_tokenizer
from pipeline.features.picture import Picture
from pipeline.folder_walk import list_files
from pipeline.model_export import PRECISIONS, Wish, export
from pipeline.model_export_source import SourceModel, open_source

NEIGHBORS = 10
Vectors = npt.NDArray[np.float32]
File = tuple[str, Picture, Image.Image]
"""A name, the working copy, and what Pillow makes of the whole file."""


def main() -> None:
    """Print a table for pictures and one for tokens."""
    options = _options()
    torch.set_num_threads(1)
    source = open_source(options.architecture, options.pretrained)
    with tempfile.TemporaryDirectory() as scratch:
        models = options.models or Path(scratch)
        exact, small = (exported(options.architecture, options.pretrained, models, one) for one in PRECISIONS)
        print(f"{options.architecture}, weights {options.pretrained or 'random'}", flush=True)
        if options.captions:
            _tokens(source, exact, models, options.captions)
        files = _files(options.folders, options.pictures, options.enlarged)
        _pictures(source, exact, small, files)


def exported(architecture: str, pretrained: str, models: Path, precision: str) -> ClipEncoder:
    """Return the encoder in `models`, exported before if it is not there."""
    folder = models / f"bench-{architecture.lower()}-{precision}"
    if not folder.exists():
        export(Wish(architecture, pretrained, folder.name), models, precisions=(precision,), tell=print)
    card = read_card(json.loads((folder / CARD_FILE).read_text(encoding="utf-8")))
    return open_clip(folder, card, device="cpu")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CLIP as Likeness runs it, beside open_clip.")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--captions", type=Path)
    parser.add_argument("--architecture", default="ViT-B-32")
    parser.add_argument("--pretrained", default="")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--enlarged", type=float)
    return parser.parse_args()


def _tokens(source: SourceModel, encoder: ClipEncoder, models: Path, captions: Path) -> None:
    tokenizer = load_tokenizer(models / encoder.name / encoder.card.file(TOKENIZER).path, encoder.card.tokenizing)
    texts = [text for entry in json.loads(captions.read_text(encoding="utf-8")) for text in entry["captions"]]
    same = sum(
        np.array_equal(tokenizer.tokens(tokenizer.clean(text)).ids, source.tokenize([text])[0].numpy())
        for text in texts
    )
    print(f"token ids as open_clip's for {same:,} of {len(texts):,} captions")


def _pictures(source: SourceModel, exact: ClipEncoder, small: ClipEncoder, files: Iterator[File]) -> None:
    rows: dict[str, list[Vectors]] = {name: [] for name in ("same pixels", "whole file", "fp32", "int8")}
    names = []
    for name, picture, whole in files:
        names.append(name)
        rows["same pixels"].append(_torch(source, Image.fromarray(picture.pixels)))
        rows["whole file"].append(_torch(source, whole))
        rows["fp32"].append(exact.embed_pictures([picture])[0])
        rows["int8"].append(small.embed_pictures([picture])[0])
    vectors = {name: np.stack(found) for name, found in rows.items()}
    print(f"\n{len(names)} pictures: cosine                       least      1 %   median     mean  worst")
    for title, one, other in (
        ("fp32 and open_clip, same pixels", "fp32", "same pixels"),
        ("fp32 from a file and open_clip, whole", "fp32", "whole file"),
        ("int8 and fp32", "int8", "fp32"),
        ("int8 from a file and open_clip, whole", "int8", "whole file"),
    ):
        cosines = (vectors[one] * vectors[other]).sum(axis=1)
        figures = (cosines.min(), np.quantile(cosines, 0.01), np.median(cosines), cosines.mean())
        print(f"{title:38}  " + " ".join(f"{figure:8.6f}" for figure in figures), names[int(cosines.argmin())])
    between = vectors["fp32"] @ vectors["fp32"].T
    print(f"two different pictures, mean             {between[~np.eye(len(names), dtype=bool)].mean():8.6f}")
    for one, other in (("int8", "fp32"), ("fp32", "whole file")):
        overlap = _overlap(vectors[one], vectors[other])
        print(f"the {NEIGHBORS} nearest, shared by {one} and {other}: {overlap:.3f}")


def _files(folders: Sequence[str], most: int, megapixels: float | None) -> Iterator[File]:
    found = 0
    for path in map(Path, list_files(folders).files):
        content = path.read_bytes()
        try:
            if megapixels:
                content = _enlarged(decode(content, Limits()), megapixels, seed=found)
            picture = decode(content, Limits())
        except ImageRejected:
            continue
        with Image.open(BytesIO(content)) as image:
            yield path.name, picture, ImageOps.exif_transpose(image).convert("RGB")
        found += 1
        if found == most:
            return


def _enlarged(picture: Picture, megapixels: float, seed: int) -> bytes:
    height, width = picture.pixels.shape[:2]
    times = np.sqrt(megapixels * 1e6 / (width * height))
    image = Image.fromarray(picture.pixels).resize(
        (round(width * times), round(height * times)), Image.Resampling.BICUBIC
    )
    grain = np.random.default_rng(seed).integers(-6, 7, (image.height, image.width, 1), dtype=np.int16)
    file = BytesIO()
    Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=88)
    return file.getvalue()


def _torch(source: SourceModel, image: Image.Image) -> Vectors:
    with torch.no_grad():
        vector = source.network.encode_image(source.transform(image)[None])[0].numpy()
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _overlap(ours: Vectors, theirs: Vectors) -> float:
    return (
        float(np.mean([len(one & other) for one, other in zip(*map(_nearest, (ours, theirs)), strict=True)]))
        / NEIGHBORS
    )


def _nearest(vectors: Vectors) -> list[set[int]]:
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, -np.inf)
    return [set(row) for row in np.argsort(-similarities, axis=1)[:, :NEIGHBORS].tolist()]


if __name__ == "__main__":
    main()
