"""Score a checkpoint on a corpus, beside a constant sentence and nearest neighbours."""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from s2vt_model.corpora.registry import CORPORA


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", choices=CORPORA, default="msvd", help="default: %(default)s")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="its folder (see the README)")
    parser.add_argument("--split", choices=["val", "test"], default="val")
    parser.add_argument("--checkpoint", type=Path, help="default: the one that comes with the project")
    parser.add_argument("--beam", type=int, metavar="K", help="beam width; 1 is greedy")
    parser.add_argument("--length-exponent", type=float, metavar="X")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--cache", type=Path, default=Path(".cache/features"), help="where features are kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object, captions included")


def run(options: argparse.Namespace) -> int:
    from s2vt_model.captioner import Captioner
    from s2vt_model.checkpoint import DEFAULT_CHECKPOINT
    from s2vt_model.errors import CorpusError
    from s2vt_model.evaluation.evaluate import evaluate
    from s2vt_model.evaluation.metrics import require_tools
    from s2vt_model.features import open_cache

    require_tools()
    captioner = Captioner.load(options.checkpoint or DEFAULT_CHECKPOINT, options.device)
    checkpoint = captioner.checkpoint
    decoding = checkpoint.config.decoding
    if options.beam is not None:
        decoding = replace(decoding, method="beam", beam_width=options.beam)
    if options.length_exponent is not None:
        decoding = replace(decoding, length_exponent=options.length_exponent)
    corpus = CORPORA[options.corpus]
    clips = [v for v in corpus.read(options.root) if v.path]
    videos = [v for v in clips if v.split == options.split]
    train = [v for v in clips if v.split == "train"]
    if not videos or not train:
        raise CorpusError(
            f"“{options.root}” lacks clips of the {options.split} or the train split. "
            f"Put those of {corpus.title} at “{options.root / corpus.clips}”."
        )
    cache = open_cache(options.cache, captioner.backbone, checkpoint.backbone_folder)
    result = evaluate(checkpoint, cache, videos, train, decoding)

    if options.json:
        about = {"model": checkpoint.config.name, "corpus": options.corpus, "split": options.split}
        print(json.dumps(about | {"clips": len(videos), "decoding": asdict(decoding)} | asdict(result), indent=1))
        return 0
    print(f"{checkpoint.config.name} on {len(videos)} {options.split} clips of {options.corpus}")
    rows = {
        f"constant: “{result.constant_sentence}”": result.constant,
        "nearest neighbours": result.nearest_neighbour,
        f"{checkpoint.config.name}, {result.distinct} different sentences": result.scores,
    }
    print(f"{'':48}" + "".join(f"{metric:>9}" for metric in result.scores))
    for label, scores in rows.items():
        print(f"{label:48}" + "".join(f"{value:9.2f}" for value in scores.values()))
    return 0
