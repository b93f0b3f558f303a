"""All that decides a training run, read from a TOML file. Same recipe, same seed: same weights."""

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import S2VTError


@dataclass(frozen=True)
class Share:
    """How often a source is drawn from, at the first step and at the last (linear between)."""

    start: float
    end: float


@dataclass(frozen=True)
class Recipe:
    """Defaults are those of the embedded checkpoint."""

    name: str = "s2vt-msvd-rgb"
    backbone: str = "tf_efficientnet_lite2.in1k"
    seed: int = 1
    steps: int = 2000

    # The network
    frame_embedding_size: int = 400
    word_embedding_size: int = 400
    hidden_size: int = 512
    dropout: float = 0.5
    forget_bias: float = 1.5  # at the start; torch's 0 forgets half of the state at every frame

    # The vocabulary: words seen this often in MSVD's train sentences, or in Flickr8k's
    min_count_msvd: int = 5
    min_count_flickr8k: int = 10

    # What is drawn from: clips, their VGG-19 features, stills
    clips: Share = Share(0.3, 0.3)
    vgg19: Share = Share(0.3, 0.3)
    stills: Share = Share(0.4, 0.4)
    videos_per_step: int = 24
    sentences_per_video: int = 8
    stills_per_step: int = 40
    sentences_per_still: int = 5
    # Sentences that say what the others of their video say are drawn more often: the weight of a
    # sentence is exp(typicality * agreement), the agreement in 0..1. 0 draws all alike.
    typicality: float = 0.0

    # The optimiser: AdamW, one-cycle learning rate, averaged weights
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    gradient_norm: float = 5.0
    label_smoothing: float = 0.05
    words_loss: float = 0.05  # weight of "which words will be said", predicted after the last frame
    average_decay: float = 0.998  # of the weights' moving average, which is what is kept

    # Self-critical fine-tuning, after imitation
    reward_steps: int = 400
    reward_learning_rate: float = 5e-5
    reward_imitation: float = 0.2  # weight of the cross-entropy that stays in the loss
    reward_average_decay: float = 0.98

    # How the checkpoint writes unless told otherwise (see scripts/choose_decoding.py)
    decoding: DecodingOptions = DecodingOptions()

    def to_dict(self) -> dict:
        return asdict(self)


def read_recipe(file: str | Path) -> Recipe:
    """A TOML file whose keys are `Recipe`'s fields. Raises `S2VTError`."""
    try:
        fields = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        for name in ("clips", "vgg19", "stills"):
            if name in fields:
                fields[name] = Share(**fields[name])
        if "decoding" in fields:
            fields["decoding"] = DecodingOptions(**fields["decoding"])
        return Recipe(**fields)
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise S2VTError(f"The recipe “{file}” cannot be used: {error}.") from error
