"""All that decides a training run, read from a TOML file.

The same recipe gives the same weights on the same machine with the same number of threads.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from s2vt_model.config import Architecture, CellName, check_choice
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import S2VTError
from s2vt_model.frame_order import FrameOrder
from s2vt_model.video import Sampling

ScheduleName = Literal["one-cycle", "constant"]
Entrance = Literal["embedded", "joined", "translated"]


@dataclass(frozen=True)
class Share:
    """How often a source is drawn from, at the first step and at the last (linear between)."""

    start: float
    end: float


@dataclass(frozen=True)
class Recipe:
    """The checkpoints' own are `weights/s2vt-msvd-rgb/recipe.toml` and its like; the defaults are RGB's on MSVD."""

    name: str = "s2vt-msvd-rgb"
    stream: Literal["rgb", "motion", "flow"] = "rgb"
    backbone: str = "tf_efficientnet_lite2.in1k"
    sampling: Sampling = field(default_factory=Sampling)  # of a video that the model writes about
    seed: int = 1
    steps: int = 2000

    # The network
    architecture: Architecture = "s2vt"
    cell: CellName = "lstm"
    frame_order: FrameOrder = "time"
    frame_embedding_size: int = 400
    word_embedding_size: int = 400
    hidden_size: int = 512
    dropout: float = 0.5
    forget_bias: float = 1.5  # of LSTMs, at the start; torch's 0 forgets half of the state at every frame

    # The vocabulary: words seen this often in the videos' train sentences, or in the stills'
    min_count_videos: int = 5
    min_count_stills: int = 10

    # Sub-clips are drawn from views that hold more frames than the model would see of the video
    oversampling: int = 2  # frames of a clip's view for each of those
    mirrored: bool = True  # clips and stills are also shown mirrored
    vgg19_oversampling: float = 1.0  # VGG-19 features: of their 16 frames
    pace: tuple[float, float] = (0.6, 1.1)  # fewest and most frames of a batch, relative to what the model would see

    # What is drawn from: clips, their VGG-19 features, stills
    clips: Share = Share(0.3, 0.3)
    vgg19: Share = Share(0.3, 0.3)
    # By a frame embedding of their own, which may join that of clips (see joining.py); or translated (translation.py)
    vgg19_enters: Entrance = "embedded"
    stills: Share = Share(0.4, 0.4)
    videos_per_step: int = 24
    sentences_per_video: int = 8
    stills_per_step: int = 40
    sentences_per_still: int = 5
    # Sentences that say what the others of their video say are drawn more often: the weight of a
    # sentence is exp(typicality * agreement), the agreement in 0..1. 0 draws all alike.
    typicality: float = 0.0
    max_words: int = 14  # of a sentence; longer ones are cut, and their end is not learned

    # The optimiser: AdamW, which without weight decay is Adam; averaged weights
    learning_rate: float = 2e-3
    schedule: ScheduleName = "one-cycle"  # of the learning rate: to its height and back to almost 0
    weight_decay: float = 1e-4
    gradient_norm: float = 5.0
    label_smoothing: float = 0.05
    said_weight: float = 0.05  # of the loss on "which words will be said", guessed before the first word
    average_decay: float = 0.998  # of the weights' moving average, which is what is kept; 0 keeps the last weights

    # Self-critical fine-tuning, after imitation
    reward_steps: int = 400
    reward_learning_rate: float = 5e-5
    reward_imitation: float = 0.2  # weight of the cross-entropy that stays in the loss
    reward_average_decay: float = 0.98
    reward_meteor: float = 0.0  # weight of METEOR (0..1) in the reward, beside CIDEr (0..10); needs Java

    # Cells that are added to either LSTM at the end, and hold what a linear regression expects to be said (evidence.py)
    evidence_cells: int = 0
    evidence_weight: float = 0.6  # nats for each time that a word is expected once more than usual
    evidence_prior: float = 1.0  # of the ridge, relative to the number of videos

    # How the checkpoint writes unless told otherwise (see scripts/choose_decoding.py)
    decoding: DecodingOptions = DecodingOptions()

    def __post_init__(self):
        check_choice("architecture", self.architecture, get_args(Architecture))
        check_choice("cell", self.cell, get_args(CellName))
        check_choice("frame order", self.frame_order, get_args(FrameOrder))
        check_choice("schedule", self.schedule, get_args(ScheduleName))
        check_choice("way in which VGG-19 features enter", self.vgg19_enters, get_args(Entrance))
        counts = (self.steps, self.videos_per_step, self.sentences_per_video, self.max_words, self.hidden_size)
        if not all(isinstance(n, int) and n >= 1 for n in (*counts, self.oversampling)):
            raise S2VTError("A recipe's steps, sizes and numbers of videos and words are whole numbers, 1 or more.")
        if not isinstance(self.evidence_cells, int) or self.evidence_cells < 0:
            raise S2VTError("A recipe's evidence_cells are a whole number, 0 or more.")
        if not isinstance(self.evidence_prior, float | int) or self.evidence_prior <= 0:
            raise S2VTError("A recipe's evidence_prior is a number above 0.")
        if self.evidence_cells and self.cell != "lstm":
            raise S2VTError("Evidence is held by the gates of LSTMs: set evidence_cells = 0 in the recipe.")
        shares = (self.clips, self.vgg19, self.stills)
        if not all(isinstance(s, Share) for s in shares) or self.clips.start <= 0 or self.clips.end <= 0:
            raise S2VTError("A recipe's shares are written { start = 0.3, end = 0.4 }; that of clips is above 0.")
        lengths = (self.vgg19_oversampling, *self.pace)
        if not all(isinstance(x, float | int) and x > 0 for x in lengths) or len(self.pace) != 2:
            raise S2VTError("A recipe's vgg19_oversampling is a number above 0, its pace two: pace = [0.6, 1.1].")
        check_choice("stream of a recipe", self.stream, ("rgb", "motion", "flow"))
        if self.stream != "rgb" and (self.stills.start or self.stills.end):
            raise S2VTError("Stills show no motion: set stills = { start = 0, end = 0 } in the recipe.")

    @property
    def training_sampling(self) -> Sampling:
        """As `sampling`, but `oversampling` times as many frames, where there are that many."""
        return Sampling(max(self.sampling.every // self.oversampling, 1), self.sampling.max_frames * self.oversampling)


def read_recipe(file: str | Path) -> Recipe:
    """A TOML file whose keys are `Recipe`'s fields. Raises `S2VTError`."""
    try:
        fields = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        for name in ("clips", "vgg19", "stills"):
            if name in fields:
                fields[name] = Share(**fields[name])
        for name, kind in (("sampling", Sampling), ("decoding", DecodingOptions)):
            if name in fields:
                fields[name] = kind(**fields[name])
        if "pace" in fields:
            fields["pace"] = tuple(fields["pace"])
        return Recipe(**fields)
    except S2VTError:
        raise
    except (OSError, ValueError, TypeError) as error:  # tomllib's and Unicode's errors are ValueErrors
        raise S2VTError(f"The recipe “{file}” cannot be used: {error}.") from error
