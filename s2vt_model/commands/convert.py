"""Turn a .caffemodel of the S2VT authors into a checkpoint, or one of the CNNs that S2VT reads into a backbone."""

import argparse
import sys
from pathlib import Path

from s2vt_model.errors import S2VTError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.caffemodel")
    parser.add_argument(
        "--kind",
        choices=["s2vt", "vgg16", "flow"],
        required=True,
        help="S2VT itself, the VGG-16 that its authors used, or their CNN for images of flow",
    )
    parser.add_argument("--vocabulary", type=Path, metavar="FILE", help="of --kind s2vt: the words of the network")
    parser.add_argument("--words", type=Path, metavar="FILE", help="keep these words of it only, one a line")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")


def run(options: argparse.Namespace) -> int:
    if (options.out / "config.json").exists():
        raise S2VTError(f"There is something in “{options.out}” already. Name another folder with --out.")
    if options.kind == "s2vt":
        return _convert_s2vt(options)
    if options.vocabulary or options.words:
        raise S2VTError("Only --kind s2vt has a vocabulary: leave --vocabulary and --words out.")
    from s2vt_model.caffe import BACKBONES

    config = BACKBONES[options.kind](options.model, options.out)
    print(f"Converted. {options.out} is a backbone of {config.feature_size} numbers a frame.")
    return 0


def _convert_s2vt(options: argparse.Namespace) -> int:
    if not options.vocabulary:
        raise S2VTError("The network's words are in a file of their own: name it with --vocabulary.")
    from s2vt_model.caffe import VGG16_BACKBONE, convert_s2vt, read_word_list
    from s2vt_model.vocabulary import SPECIALS

    words = read_word_list(options.words) if options.words else None
    config = convert_s2vt(options.model, options.vocabulary, options.out, words)
    kept = config.network.vocabulary_size - len(SPECIALS)
    if words is not None and kept < len(set(words)):
        print(f"{len(set(words)) - kept:,} of the listed words are not in the vocabulary.", file=sys.stderr)
    print(
        f"Converted. {options.out} is a checkpoint of {kept:,} words. It reads the backbone “{VGG16_BACKBONE}”: "
        f"VGG_ILSVRC_16_layers.caffemodel, converted with --kind vgg16 "
        f"--out {options.out.parent / 'backbones' / VGG16_BACKBONE}"
    )
    return 0
