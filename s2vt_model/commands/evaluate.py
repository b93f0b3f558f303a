"""Score a checkpoint on a corpus, beside a constant sentence and nearest neighbours."""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from s2vt_model.commands.model import add_model_arguments, load_captioner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", choices=["msvd"], default="msvd")
    parser.add_argument("--root", type=Path, required=True, help="the corpus's folder (see the README)")
    parser.add_argument("--split", choices=["val", "test"], default="val")
    add_model_arguments(parser)
    parser.add_argument("--beam", type=int, metavar="K", help="beam width; 1 is greedy")
    parser.add_argument("--length-exponent", type=float, metavar="X")
    parser.add_argument("--cache", type=Path, default=Path(".cache/features"), help="where features are kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object, captions included")


def run(options: argparse.Namespace) -> int:
    from s2vt_model.corpora.msvd import read_msvd
    from s2vt_model.errors import CorpusError
    from s2vt_model.evaluation.evaluate import evaluate
    from s2vt_model.evaluation.metrics import require_tools

    require_tools()
    captioner = load_captioner(options)
    decoding = captioner.default_options
    if options.beam is not None:
        decoding = replace(decoding, method="beam", beam_width=options.beam)
    if options.length_exponent is not None:
        decoding = replace(decoding, length_exponent=options.length_exponent)
    clips = [v for v in read_msvd(options.root) if v.path]
    videos = [v for v in clips if v.split == options.split]
    train = [v for v in clips if v.split == "train"]
    if not videos or not train:
        raise CorpusError(f"“{options.root / 'clips'}” lacks clips of the {options.split} or the train split.")
    result = evaluate(captioner, options.cache, videos, train, decoding)

    if options.json:
        about = {"model": captioner.name, "corpus": options.corpus, "split": options.split}
        print(json.dumps(about | {"clips": len(videos), "decoding": asdict(decoding)} | asdict(result), indent=1))
        return 0
    print(f"{captioner.name} on {len(videos)} {options.split} clips of {options.corpus}")
    rows = {
        f"constant: “{result.constant_sentence}”": result.constant,
        "nearest neighbours": result.nearest_neighbour,
        f"{captioner.name}, {result.distinct} different sentences": result.scores,
    }
    print(f"{'':48}" + "".join(f"{metric:>9}" for metric in result.scores))
    for label, scores in rows.items():
        print(f"{label:48}" + "".join(f"{value:9.2f}" for value in scores.values()))
    return 0
