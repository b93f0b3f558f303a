"""Every number a checkpoint needs to be rebuilt, as it stands in its `config.json`."""

import json
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import S2VTError
from s2vt_model.frame_order import FrameOrder
from s2vt_model.video import Sampling

Architecture = Literal["s2vt", "mean_pool"]
CellName = Literal["lstm", "gru", "rnn"]


@dataclass(frozen=True)
class S2VTConfig:
    """An S2VT network, or one to compare it with. The authors' release is `AUTHORS` below.

    Raises `S2VTError` where there is no such network.
    """

    feature_size: int  # of a frame, from the backbone
    frame_embedding_size: int
    word_embedding_size: int
    hidden_size: int  # of each of the two LSTMs
    vocabulary_size: int  # words + <EOS> + <UNK>
    dropout: float = 0.0  # on features, word embeddings and both LSTMs' outputs, in training
    architecture: Architecture = "s2vt"
    cell: CellName = "lstm"  # what stands in the place of both LSTMs

    def __post_init__(self):
        check_choice("architecture", self.architecture, get_args(Architecture))
        check_choice("cell", self.cell, get_args(CellName))


def check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises `S2VTError` where `value` is none of the choices."""
    if value not in choices:
        *others, last = choices
        raise S2VTError(f"The {what} is {', '.join(others)} or {last}, not “{value}”.")


# The one checkpoint the authors released: VGG-16 fc7 features, 87,358,668 parameters.
AUTHORS = S2VTConfig(
    feature_size=4096,
    frame_embedding_size=500,
    word_embedding_size=500,
    hidden_size=1000,
    vocabulary_size=46_168,
)


@dataclass(frozen=True)
class CheckpointConfig:
    """A checkpoint's `config.json`: the network, and all that must agree with it."""

    name: str
    stream: str  # what the frames show: "rgb", "motion" or "flow"
    backbone: str  # a folder of weights/backbones
    network: S2VTConfig
    no_frame: Literal["zero", "mean"] | None  # the feature fed as a frame while words are written, if one is
    frame_order: FrameOrder = "time"  # in which the frames were read in training, and are read
    sampling: Sampling = field(default_factory=Sampling)
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    trained_on: str = ""
    license: str = ""
    scores: dict[str, float] = field(default_factory=dict)  # as the model card's command prints them

    def __post_init__(self):
        check_choice("frame order", self.frame_order, get_args(FrameOrder))

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "CheckpointConfig":
        """Raises `ValueError`, `KeyError` or `TypeError` where the text is not such a config."""
        fields = json.loads(text)
        fields["network"] = S2VTConfig(**fields["network"])
        fields["sampling"] = Sampling(**fields["sampling"])
        fields["decoding"] = DecodingOptions(**fields["decoding"])
        return cls(**fields)
