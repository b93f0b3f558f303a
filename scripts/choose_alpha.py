"""Choose the shares of two streams, and how they write together, on MSVD's val clips.

    python -m scripts.choose_alpha --msvd MSVD rgb+motion

Prints METEOR and CIDEr for every share of the first stream and every way of decoding. What is chosen
goes into weights/models.toml.
"""

import argparse
from pathlib import Path

from s2vt_model.captioner import Captioner
from s2vt_model.corpora.registry import CORPORA
from s2vt_model.decoding import DecodingOptions
from s2vt_model.evaluation.evaluate import write_captions
from s2vt_model.evaluation.features import CorpusFeatures
from s2vt_model.evaluation.metrics import score

SHARES = [tenths / 10 for tenths in range(11)]
DECODINGS = {
    "greedy": DecodingOptions("greedy"),
    "beam 2, exponent 0.5": DecodingOptions("beam", 2, 0.5),
    "beam 3, exponent 0.5": DecodingOptions("beam", 3, 0.5),
    "beam 5, exponent 0.7": DecodingOptions("beam", 5, 0.7),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--msvd", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache/features"))
    parser.add_argument("model", help="two streams of weights/models.toml, such as rgb+motion")
    options = parser.parse_args()

    captioner = Captioner.load(options.model)
    first, second = captioner.streams
    source = CorpusFeatures(CORPORA["msvd"], options.msvd, options.cache)
    videos = [v for v in source.available(captioner, source.corpus.read(options.msvd)) if v.split == "val"]
    references = {v.name: v.sentences for v in videos}
    features = source.of(captioner, videos)
    print(f"{len(videos)} val clips; METEOR / CIDEr")
    print(f"{first:>6} {second:>6}  " + "".join(f"{name:>24}" for name in DECODINGS))
    for share in SHARES:
        cells = []
        for decoding in DECODINGS.values():
            scores = score(write_captions(captioner, features, decoding, {first: share, second: 1 - share}), references)
            cells.append(f"{scores['METEOR']:.2f} / {scores['CIDEr']:.2f}")
        print(f"{share:6.1f} {1 - share:6.1f}  " + "".join(f"{cell:>24}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
