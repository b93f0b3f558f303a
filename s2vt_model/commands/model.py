"""The arguments that name a model, which several commands share."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2vt_model.errors import S2VTError

if TYPE_CHECKING:  # torch takes seconds to import; `--help` does without it
    from s2vt_model.captioner import Captioner


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--stream", metavar="NAME", help="a model of weights/models.toml or a sum, such as rgb+motion")
    which.add_argument("--checkpoint", type=Path, metavar="DIR", help="a checkpoint folder of your own")
    parser.add_argument("--alpha", metavar="A", help="shares of a sum's streams, such as rgb=.6,motion=.4")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")


def load_captioner(options: argparse.Namespace) -> "Captioner":
    """What the arguments name, or the default model. Raises `S2VTError`."""
    from s2vt_model.captioner import Captioner
    from s2vt_model.models import parse_alpha, read_catalogue

    if options.checkpoint:
        if options.alpha:
            raise S2VTError("--alpha shares the say among the streams of a sum: name one with --stream.")
        return Captioner.of_checkpoint(options.checkpoint, options.device)
    catalogue = read_catalogue()
    alpha = parse_alpha(options.alpha) if options.alpha else None
    return Captioner.load(catalogue.model(options.stream or catalogue.default, alpha), options.device)
