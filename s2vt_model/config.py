"""Every number a checkpoint needs to be rebuilt, as it stands in its `config.json`."""

import json
from dataclasses import asdict, dataclass, field
from typing import Literal

from s2vt_model.decoding import DecodingOptions
from s2vt_model.video import Sampling


@dataclass(frozen=True)
class S2VTConfig:
    """Sizes of an S2VT network. The authors' release is `AUTHORS` below."""

    feature_size: int  # of a frame, from the backbone
    frame_embedding_size: int
    word_embedding_size: int
    hidden_size: int  # of each of the two LSTMs
    vocabulary_size: int  # words + <EOS> + <UNK>
    dropout: float = 0.0  # on features, word embeddings and both LSTMs' outputs, in training

    @property
    def lstm2_input_size(self) -> int:
        """[LSTM 1's output | word embedding | stage flag]."""
        return self.hidden_size + self.word_embedding_size + 1


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
    stream: str  # what the frames show: "rgb"; "motion"; later "flow"
    backbone: str  # a folder of weights/backbones
    network: S2VTConfig
    no_frame: Literal["zero", "mean"]  # the feature fed as a frame while words are written
    sampling: Sampling = field(default_factory=Sampling)
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    trained_on: str = ""
    license: str = ""
    scores: dict[str, float] = field(default_factory=dict)  # as the model card's command prints them

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
