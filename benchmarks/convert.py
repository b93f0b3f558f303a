"""What converting files as large as the authors' costs, and how far what comes out is from Caffe's equations.

    python -m benchmarks.convert            (about 2 GB of temporary files)

The files hold random weights, with the layers and shapes of the authors'. Each is converted by
`python -m s2vt_model convert` in a process of its own. The equations are those of the tests, in NumPy.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from s2vt_model.backbones import Backbone, load_backbone
from s2vt_model.checkpoint import Checkpoint, load_checkpoint
from s2vt_model.config import AUTHORS
from s2vt_model.vocabulary import EOS, SPECIALS
from tests import caffe_equations
from tests.caffemodels import Layers, flow_layers, s2vt_layers, vgg16_layers, write_caffemodel

FRAMES, STEPS = 10, 20
# getrusage would count what this process held when it started the other.
CONVERT = "import s2vt_model.__main__ as m; print(m.main(), open('/proc/self/status').read())"


def main() -> None:
    rng = np.random.default_rng(0)
    sizes = (AUTHORS.feature_size, AUTHORS.frame_embedding_size, AUTHORS.word_embedding_size, AUTHORS.hidden_size)
    networks: dict[str, Callable[[], Layers]] = {
        "s2vt": lambda: s2vt_layers(rng, *sizes, AUTHORS.vocabulary_size, spread=0.08),
        "vgg16": lambda: vgg16_layers(rng),
        "flow": lambda: flow_layers(rng),
    }
    print(f"{'':6}{'parameters':>12}{'file, MB':>10}{'seconds':>9}{'peak, MiB':>11}")
    for kind, build in networks.items():
        with tempfile.TemporaryDirectory() as folder:
            layers = build()
            file = write_caffemodel(Path(folder) / f"{kind}.caffemodel", layers, v1=kind == "vgg16")
            count = sum(b.size for blobs in layers.values() for b in blobs)
            seconds, peak = convert(file, kind, Path(folder) / "out")
            print(f"{kind:6}{count:12,}{file.stat().st_size / 1e6:10.1f}{seconds:9.1f}{peak / 1024:11.0f}", flush=True)
            if kind == "s2vt":
                compare_probabilities(load_checkpoint(Path(folder) / "out"), layers, rng)
            else:
                compare_features(load_backbone(Path(folder) / "out"), layers)


def convert(file: Path, kind: str, out: Path) -> tuple[float, int]:
    """Seconds, and KiB at the peak: Linux' count of resident pages, those of the mapped file included."""
    arguments = ["convert", str(file), "--kind", kind, "--out", str(out)]
    if kind == "s2vt":
        vocabulary = file.with_suffix(".txt")
        words = range(AUTHORS.vocabulary_size - len(SPECIALS))
        vocabulary.write_text("".join(f"word{k}\n" for k in words), encoding="utf-8")
        arguments += ["--vocabulary", str(vocabulary)]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", CONVERT, *arguments], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    return seconds, int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1])


@torch.inference_mode()
def compare_probabilities(checkpoint: Checkpoint, layers: Layers, rng: np.random.Generator) -> None:
    """Of each next word, STEPS random words being written about FRAMES random frames; in float32 and in float16."""
    features = np.maximum(rng.standard_normal((FRAMES, AUTHORS.feature_size)), 0).astype(np.float32)
    words = rng.integers(AUTHORS.vocabulary_size, size=STEPS).tolist()
    expected = caffe_equations.CaffeS2VT(layers, np.float32).probabilities(features, words)
    for stored in ("float32", "float16"):
        if stored == "float16":
            checkpoint.network.half().float()
        state = checkpoint.encode([torch.from_numpy(features)])
        difference, nats = 0.0, 0.0
        for word, row in zip([EOS, *words[:-1]], expected, strict=True):
            logits, state = checkpoint.network.step(torch.tensor([word]), state)
            found = logits[0].double().softmax(dim=0).numpy()
            difference = max(difference, np.abs(found - row).max())
            nats = max(nats, np.abs(np.log(found) - np.log(row, dtype=np.float64))[row > 1e-3].max())
        print(
            f"      stored as {stored}: {STEPS} steps, probabilities up to {expected.max():.2f}: largest difference "
            f"{difference:.1e}; {nats:.1e} nat among words above 0.001",
            flush=True,
        )


def compare_features(backbone: Backbone, layers: Layers) -> None:
    """Of one noisy picture, from its pixels on, relative to their length."""
    config = backbone.config
    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    kept = round(256 * config.crop_pct)
    x = caffe_equations.preprocess(picture, config.input_size, kept, config.mean).astype(np.float32)
    if config.architecture == "vgg16":
        expected = caffe_equations.vgg16_fc7(x, layers)
    else:
        expected, _ = caffe_equations.flow_fc6(x, layers)
    found = backbone(picture[None])[0].numpy()
    distance = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    print(f"      features of a picture: relative L2 distance {distance:.1e}", flush=True)


if __name__ == "__main__":
    main()
