"""The arguments that name a model, which several commands share."""

import argparse
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from s2vt_model.commands.terminal import watch
from s2vt_model.errors import HubError, S2VTError
from s2vt_model.hub_name import HubName

if TYPE_CHECKING:  # torch takes seconds to import; `--help` does without it
    from s2vt_model.captioner import Captioner
    from s2vt_model.models import Model


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--stream", metavar="NAME", help="a model of weights/models.toml or a sum, such as rgb+motion")
    which.add_argument(
        "--checkpoint", metavar="WHERE", help="a checkpoint folder, or org/name[@revision] on the Hugging Face Hub"
    )
    parser.add_argument("--alpha", metavar="A", help="shares of a sum's streams, such as rgb=.6,motion=.4")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")


def load_captioner(options: argparse.Namespace, brought: Collection[str] = ()) -> "Captioner":
    """What the arguments name, or the default model. Raises `S2VTError`.

    `brought`: backbones of the Hub that need not be downloaded, as their features are there already.
    """
    from s2vt_model.captioner import Captioner
    from s2vt_model.models import Model, parse_alpha, read_catalogue

    if options.checkpoint:
        if options.alpha:
            raise S2VTError("--alpha shares the say among the streams of a sum: name one with --stream.")
        where = HubName.or_folder(options.checkpoint)
        model = _fetched(Model(str(where), "", {"checkpoint": where}, {"checkpoint": 1.0}, None), brought)
        return Captioner.of_checkpoint(model.checkpoints["checkpoint"], options.device)
    catalogue = read_catalogue()
    alpha = parse_alpha(options.alpha) if options.alpha else None
    model = _fetched(catalogue.model(options.stream or catalogue.default, alpha), brought)
    return Captioner.load(model, options.device)


def _fetched(model: "Model", brought: Collection[str]) -> "Model":
    from s2vt_model.hub import Hub, fetch

    try:
        return watch(fetch(model, Hub(), brought))
    except HubError as error:
        if model.on_hub:
            raise
        print(error, file=sys.stderr)  # only the backbone is not there: features that were made elsewhere will do
        return model
