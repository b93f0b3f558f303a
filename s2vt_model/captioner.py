"""Video in, caption out, in three stages: read, features, decode.

What the first two found is a `Seen`; writing another caption about it repeats neither.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2vt_model.backbones import Backbone, load_backbone
from s2vt_model.checkpoint import DEFAULT_CHECKPOINT, Checkpoint, load_checkpoint
from s2vt_model.decoding import DecodingOptions, Hypothesis, decode
from s2vt_model.errors import CheckpointError, S2VTError, VideoError
from s2vt_model.progress import Progress, Work
from s2vt_model.video import Clip, read_clip


@dataclass(frozen=True)
class Seen:
    """What the model saw of one video: all that writing about it needs."""

    clip: Clip
    features: Tensor  # (N, feature_size) float32, on the CPU
    read_seconds: float
    features_seconds: float


@dataclass(frozen=True)
class Word:
    """A written word and its natural log-probability, given those before it."""

    text: str
    log_prob: float


@dataclass(frozen=True)
class Caption:
    """One sentence."""

    words: tuple[Word, ...]
    log_prob: float  # of the whole sentence, its end included
    finished: bool  # False where it was cut at `max_words`

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Captions:
    """The sentences of one decoding, the best first; at least one."""

    candidates: tuple[Caption, ...]
    decode_seconds: float

    @property
    def best(self) -> Caption:
        return self.candidates[0]


class Captioner:
    """A checkpoint and its backbone."""

    def __init__(self, checkpoint: Checkpoint, backbone: Backbone):
        if backbone.config.feature_size != checkpoint.config.network.feature_size:
            raise CheckpointError(
                f"The checkpoint “{checkpoint.config.name}” takes features of "
                f"{checkpoint.config.network.feature_size} numbers, the backbone “{backbone.config.name}” "
                f"makes {backbone.config.feature_size}. Name the backbone it was trained with in its config.json."
            )
        self.checkpoint = checkpoint
        self.backbone = backbone

    @classmethod
    def load(cls, folder: str | Path = DEFAULT_CHECKPOINT, device: str = "auto") -> "Captioner":
        """Load a checkpoint folder and its backbone, golden samples checked. Raises `CheckpointError`."""
        where = resolve_device(device)
        checkpoint = load_checkpoint(folder, where)
        return cls(checkpoint, load_backbone(checkpoint.backbone_folder, where))

    @property
    def default_options(self) -> DecodingOptions:
        """As chosen for this checkpoint on validation data."""
        return self.checkpoint.config.decoding

    def look(self, path: str | Path, start: float | None = None, end: float | None = None) -> Work[Seen]:
        """Read a video from `start` to `end` (seconds) and compute its features."""
        began = time.perf_counter()
        clip = yield from read_clip(path, self.checkpoint.config.sampling, start, end)
        read = time.perf_counter()
        try:
            features = yield from self.backbone.extract(clip.frames)
        except VideoError as error:
            raise VideoError(f"“{Path(path).name}” cannot be captioned: {error}") from error
        return Seen(clip, features, read - began, time.perf_counter() - read)

    def write(self, features: Tensor, options: DecodingOptions | None = None) -> Captions:
        """Sentences about features (N, feature_size). Milliseconds; no CNN is involved."""
        began = time.perf_counter()
        with torch.inference_mode():
            state = self.checkpoint.encode([features])
            hypotheses = decode(self.checkpoint.network, state, 1, options or self.default_options)[0]
        captions = tuple(self._caption(h) for h in hypotheses)
        return Captions(captions, time.perf_counter() - began)

    def caption(
        self,
        path: str | Path,
        options: DecodingOptions | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> Work[tuple[Seen, Captions]]:
        """All three stages."""
        seen = yield from self.look(path, start, end)
        yield Progress("decode", 0.0, "Writing the caption")
        return seen, self.write(seen.features, options)

    def _caption(self, hypothesis: Hypothesis) -> Caption:
        texts = (self.checkpoint.vocabulary.words[i] for i in hypothesis.words)
        words = tuple(Word(t, p) for t, p in zip(texts, hypothesis.word_log_probs, strict=True))
        return Caption(words, hypothesis.log_prob, hypothesis.end_log_prob is not None)


def resolve_device(device: str) -> str:
    """"auto" -> "cuda" where there is one, else "cpu". Raises `S2VTError` for a device that isn't there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise S2VTError("This machine has no usable CUDA device. Choose --device cpu or auto.")
    return device


def caption_record(file: str, seen: Seen, captions: Captions, model: str) -> dict:
    """What `caption --json` prints and the app's API returns about one file."""
    best = captions.best
    return {
        "file": file,
        "caption": best.text,
        "log_prob": round(best.log_prob, 4),
        "words": [{"word": w.text, "log_prob": round(w.log_prob, 4)} for w in best.words],
        "frames": [
            {"index": i, "time_s": t} for i, t in zip(seen.clip.indices, seen.clip.times_s, strict=True)
        ],
        "duration_s": seen.clip.duration_s,
        "seconds": {
            "read": round(seen.read_seconds, 3),
            "features": round(seen.features_seconds, 3),
            "decode": round(captions.decode_seconds, 3),
        },
        "model": model,
    }
