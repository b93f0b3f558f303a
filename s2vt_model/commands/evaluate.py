"""Score a checkpoint on a corpus, beside a constant sentence and nearest neighbours."""

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2vt_model.commands.model import add_model_arguments, load_captioner
from s2vt_model.corpora.registry import CORPORA

if TYPE_CHECKING:
    from s2vt_model.corpora import CaptionedVideo
    from s2vt_model.evaluation.features import CorpusFeatures
    from s2vt_model.models import Catalogue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", choices=CORPORA, default="msvd", help="default: %(default)s")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="its folder (see the README)")
    parser.add_argument("--split", choices=["val", "test"], default="val")
    add_model_arguments(parser)
    parser.add_argument("--beam", type=int, metavar="K", help="beam width; 1 is greedy")
    parser.add_argument("--length-exponent", type=float, metavar="X")
    parser.add_argument("--cache", type=Path, default=Path(".cache/features"), help="where features are kept")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print one JSON object, captions included")
    how.add_argument("--table", action="store_true", help="score every model of weights/models.toml")


def run(options: argparse.Namespace) -> int:
    from s2vt_model.errors import CorpusError
    from s2vt_model.evaluation.evaluate import evaluate
    from s2vt_model.evaluation.features import CorpusFeatures
    from s2vt_model.evaluation.metrics import require_tools

    require_tools()
    corpus = CORPORA[options.corpus]
    source = CorpusFeatures(corpus, options.root, options.cache)
    known = corpus.read(options.root)
    captioner = None if options.table else load_captioner(options, corpus.features)
    usable = source.available(captioner, known) if captioner else [v for v in known if v.path]
    videos = [v for v in usable if v.split == options.split]
    train = [v for v in usable if v.split == "train"]
    if not videos or not train:
        raise CorpusError(
            f"“{options.root}” lacks clips of the {options.split} or the train split. "
            f"Put those of {corpus.title} at “{options.root / corpus.clips}”."
        )
    if captioner is None:
        return _print_table(options, source, videos, train)
    decoding = captioner.default_options
    if options.beam is not None:
        decoding = replace(decoding, method="beam", beam_width=options.beam)
    if options.length_exponent is not None:
        decoding = replace(decoding, length_exponent=options.length_exponent)
    result = evaluate(captioner, source, videos, train, decoding)

    if options.json:
        about = {"model": captioner.name, "corpus": options.corpus, "split": options.split}
        print(json.dumps(about | {"clips": len(videos), "decoding": asdict(decoding)} | asdict(result), indent=1))
        return 0
    of_split = sum(v.split == options.split for v in known)
    print(f"{captioner.name} on {len(videos)} of {of_split} {options.split} videos of {options.corpus}")
    rows = {
        f"constant: “{result.constant_sentence}”": result.constant,
        "nearest neighbours": result.nearest_neighbour,
        f"{captioner.name}, {result.distinct} different sentences": result.scores,
    }
    print(f"{'':48}" + "".join(f"{metric:>9}" for metric in result.scores))
    for label, scores in rows.items():
        print(f"{label:48}" + "".join(f"{value:9.2f}" for value in scores.values()))
    return 0


def _print_table(
    options: argparse.Namespace,
    source: "CorpusFeatures",
    videos: "list[CaptionedVideo]",
    train: "list[CaptionedVideo]",
) -> int:
    from s2vt_model.evaluation.table import REFERENCE, RESAMPLINGS, interval, table
    from s2vt_model.models import read_catalogue

    print(f"{len(videos)} {options.split} clips of {options.corpus}; “paper”: METEOR on all 670 test clips")
    print(f"{'':28}{'':8}{'METEOR':>8}{'BLEU-4':>8}{'ROUGE-L':>9}{'CIDEr':>8}{'distinct':>10}{'ms':>7}{'paper':>7}")
    rows = []
    for row in table(_at_hand(read_catalogue()), videos, train, source, options.device):
        rows.append(row)
        s = row.scores
        ms = f"{row.ms_a_clip:.0f}" if row.ms_a_clip else "–"
        print(
            f"{row.name:28}{row.decoding:8}{s['METEOR']:8.2f}{s['BLEU_4']:8.2f}{s['ROUGE_L']:9.2f}{s['CIDEr']:8.2f}"
            f"{row.distinct:10}{ms:>7}{row.paper or '–':>7}",
            flush=True,
        )
    reference = [row for row in rows if row.name == REFERENCE][-1]
    print(f"\nMean difference to {REFERENCE}, {reference.decoding}, over the clips, with its 95 % interval")
    print(f"(paired bootstrap, {RESAMPLINGS:,} resamplings; METEOR here is the mean of the clips' own scores)")
    for row in rows:
        if row is not reference:
            differences = (
                f"{metric} {mean:+6.2f} ({low:+6.2f} to {high:+6.2f})"
                for metric in ("METEOR", "CIDEr")
                for mean, low, high in [interval(row, reference, metric)]
            )
            print(f"{row.name:28}{row.decoding:8}{'   '.join(differences)}")
    return 0


def _at_hand(catalogue: "Catalogue") -> "Catalogue":
    """The models that need no download: a table is no order for 575 MB of VGG-19."""
    from s2vt_model.hub import Hub, is_here

    absent = [name for name, model in catalogue.streams.items() if not is_here(model, Hub())]
    for name in absent:
        print(
            f"“{name}” is left out, as some of it is on the Hugging Face Hub. "
            f"`python -m s2vt_model caption FILE --stream {name}` downloads it.",
            file=sys.stderr,
        )
    return catalogue.without(absent)
