"""Choose beam width and length exponent by cross-validation inside MSVD's train split, or on its val videos.

    for i in 0 1 2; do
        python -m s2vt_model train --corpus msvd --root MSVD --flickr8k FLICKR8K --fold $i/3 \
            --recipe weights/s2vt-msvd-rgb/recipe.toml --out runs/fold$i
    done
    python -m scripts.choose_decoding --msvd MSVD runs/fold0 runs/fold1 runs/fold2

Each run writes about the videos it never saw: those of its fold, if it kept one out, and the val videos. All captions
are scored together.
"""

import argparse
from pathlib import Path

from s2vt_model.captioner import Captioner
from s2vt_model.decoding import DecodingOptions
from s2vt_model.training.train import fold_of
from scripts.unseen import UnseenClips

WIDTHS = (2, 3, 5, 8)
EXPONENTS = (0.0, 0.5, 0.7, 0.9, 1.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--msvd", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache/features"))
    parser.add_argument("runs", type=Path, nargs="+", help="run folders; those of folds, or one")
    options = parser.parse_args()

    captioners = [(Captioner.of_checkpoint(run / "checkpoint"), fold_of(run)) for run in options.runs]
    clips = UnseenClips(captioners, options.msvd, options.cache)
    tried = [DecodingOptions("greedy")]
    tried += [DecodingOptions("beam", width, exponent) for width in WIDTHS for exponent in EXPONENTS]
    print("beam  exponent   METEOR  BLEU_4   CIDEr  distinct videos")
    for decoding in tried:
        captions = clips.write(decoding)
        s = clips.score(captions)
        how = "greedy" if decoding.method == "greedy" else f"{decoding.beam_width:4} {decoding.length_exponent:9.1f}"
        print(
            f"{how:>14}  "
            f"{s['METEOR']:7.2f} {s['BLEU_4']:7.2f} {s['CIDEr']:7.2f} "
            f"{len(set(captions.values())):9} {len(captions):6}",
            flush=True,
        )


if __name__ == "__main__":
    main()
