"""Choose the shares of two streams, and how they write together, on MSVD's val clips or by cross-validation.

    python -m scripts.choose_alpha --msvd MSVD rgb+motion
    python -m scripts.choose_alpha --msvd MSVD rgb=runs/rgb0,runs/rgb1 motion=runs/motion0,runs/motion1

In the second form run folders take the checkpoints' place, as many of the one stream as of the other; each pair writes
about the val clips and those of the fold that both kept out, and all captions are scored together.

Prints METEOR and CIDEr for every share of the first stream and every way of decoding. What is chosen
goes into weights/models.toml.
"""

import argparse
from pathlib import Path

from s2vt_model.captioner import Captioner
from s2vt_model.decoding import DecodingOptions
from s2vt_model.stream import StreamLibrary
from s2vt_model.training.corpus import Fold
from s2vt_model.training.train import fold_of
from scripts.unseen import UnseenClips

SHARES = [tenths / 10 for tenths in range(11)]
DECODINGS = {
    "greedy": DecodingOptions("greedy"),
    "beam 2, exponent 0.5": DecodingOptions("beam", 2, 0.5),
    "beam 3, exponent 0.7": DecodingOptions("beam", 3, 0.7),
    "beam 5, exponent 0.7": DecodingOptions("beam", 5, 0.7),
    "beam 5, exponent 1.1": DecodingOptions("beam", 5, 1.1),
}


def captioners(what: list[str]) -> list[tuple[Captioner, Fold | None]]:
    """A model's name, or NAME=RUN,RUN… of two streams -> captioners, and what each kept out of training."""
    if len(what) == 1:
        return [(Captioner.load(what[0]), None)]
    library = StreamLibrary("cpu")
    runs = {name: [Path(run) for run in found.split(",")] for name, _, found in (x.partition("=") for x in what)}
    pairs = []
    for pair in zip(*runs.values(), strict=True):
        folds = {str(fold_of(run)): fold_of(run) for run in pair}
        if len(folds) > 1:
            raise SystemExit(f"{' and '.join(map(str, pair))} kept different folds out: {', '.join(folds)}.")
        streams = {name: library.stream(run / "checkpoint") for name, run in zip(runs, pair, strict=True)}
        captioner = Captioner("+".join(runs), streams, {name: 1 / len(runs) for name in runs})
        pairs.append((captioner, *folds.values()))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--msvd", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache/features"))
    parser.add_argument("what", nargs="+", help="a model of two streams, such as rgb+motion; or NAME=RUN,… of each")
    options = parser.parse_args()

    pairs = captioners(options.what)
    clips = UnseenClips(pairs, options.msvd, options.cache)
    first, second = pairs[0][0].streams
    print(f"{len(clips)} clips; METEOR / CIDEr")
    print(f"{first:>6} {second:>6}  " + "".join(f"{name:>24}" for name in DECODINGS))
    for share in SHARES:
        cells = []
        for decoding in DECODINGS.values():
            scores = clips.score(clips.write(decoding, {first: share, second: 1 - share}))
            cells.append(f"{scores['METEOR']:.2f} / {scores['CIDEr']:.2f}")
        print(f"{share:6.1f} {1 - share:6.1f}  " + "".join(f"{cell:>24}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
