"""Video in, caption out, in three stages: read, features, decode.

What the first two found is a `Seen`; writing another caption about it repeats neither, and another
captioner needs only the views that are not among it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from s2vt_model.architectures import NetworkState
from s2vt_model.decoding import BeamWatcher, DecodingOptions, Hypothesis, Writer, decode
from s2vt_model.errors import S2VTError, VideoError
from s2vt_model.fusion import FusedState, Fusion, check_alpha, share_among
from s2vt_model.hub import fetch
from s2vt_model.models import Model, read_catalogue
from s2vt_model.progress import Progress, Work, finish
from s2vt_model.stream import Stream, StreamLibrary, View
from s2vt_model.video import Clip, Sampling, read_clips, usage_of
from s2vt_model.vocabulary import Vocabulary, check_shared

Features = Mapping[str, Tensor]  # a stream's name -> (T, feature_size) float32, on the CPU
Views = Mapping[View, Tensor]  # the same by what they depend on, which several streams may share
NOTHING_KNOWN: Views = MappingProxyType({})


@dataclass(frozen=True)
class Seen:
    """What the model saw of one video: all that writing about it needs."""

    clips: Mapping[Sampling, Clip]  # what had to be read, the first stream's frames first
    views: Views  # all that is known of the video now
    features: Features  # of the streams that could run, one at least
    read_seconds: float
    features_seconds: float
    left_out: Mapping[str, str] = field(default_factory=dict)  # why a stream could not run, a sentence each

    @property
    def clip(self) -> Clip:
        """The frames that the first stream looked at, where nothing was known of them before."""
        return next(iter(self.clips.values()))


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
    """One or several streams that write together."""

    def __init__(
        self,
        name: str,
        streams: Mapping[str, Stream],
        alpha: Mapping[str, float],
        decoding: DecodingOptions | None = None,
    ):
        """`decoding`: the default options; those of the first stream's checkpoint unless given.

        Raises `CheckpointError` where the streams do not share a vocabulary, `S2VTError` for an α
        that is none.
        """
        self.name = name
        self.streams = dict(streams)
        self.alpha = check_alpha(alpha, list(streams))
        check_shared({stream: s.checkpoint.vocabulary for stream, s in self.streams.items()})
        self.default_options = decoding or self._first.checkpoint.config.decoding  # as chosen on validation data

    @classmethod
    def load(cls, model: Model | str | None = None, device: str | StreamLibrary = "auto") -> "Captioner":
        """Load a model of `weights/models.toml`, by default its default one. Raises `S2VTError`.

        Checkpoints of the Hub are downloaded first. A `StreamLibrary` in place of a device lends streams that other
        captioners use too.
        """
        if not isinstance(model, Model):
            catalogue = read_catalogue()
            model = catalogue.model(model or catalogue.default)
        library = device if isinstance(device, StreamLibrary) else StreamLibrary(resolve_device(device))
        if model.on_hub:
            model = finish(fetch(model, library.hub))
        streams = {name: library.stream(folder) for name, folder in model.checkpoints.items()}
        return cls(model.name, streams, model.alpha, model.decoding)

    @classmethod
    def of_checkpoint(cls, folder: str | Path, device: str = "auto") -> "Captioner":
        """A checkpoint folder by itself. Raises `CheckpointError`."""
        stream = StreamLibrary(resolve_device(device)).stream(folder)
        config = stream.checkpoint.config
        return cls(config.name, {config.stream: stream}, {config.stream: 1.0})

    @property
    def _first(self) -> Stream:
        return next(iter(self.streams.values()))

    @property
    def vocabulary(self) -> Vocabulary:
        return self._first.checkpoint.vocabulary

    @property
    def device(self) -> torch.device:
        return self._first.backbone.device

    @property
    def sampling(self) -> Sampling:
        """Of the frames that are shown: those of the first stream."""
        return self._first.checkpoint.config.sampling

    def knows(self, views: Views) -> bool:
        """Whether no stream needs to look any more."""
        return all(stream.view in views for stream in self.streams.values())

    def look(
        self,
        path: str | Path,
        start: float | None = None,
        end: float | None = None,
        known: Views = NOTHING_KNOWN,
    ) -> Work[Seen]:
        """Read a video from `start` to `end` (seconds) and compute the features of every stream.

        Views of the same part that are `known` are not computed again; where all are, nothing is read.
        Streams that cannot run (a motion stream on a single frame) are left out, and `Seen` says so;
        raises `VideoError` where none can.
        """
        began = time.perf_counter()
        new = [view for view in dict.fromkeys(s.view for s in self.streams.values()) if view not in known]
        samplings = list(dict.fromkeys(view.sampling for view in new))
        clips = (yield from read_clips(path, samplings, start, end)) if samplings else []
        clip_of = dict(zip(samplings, clips, strict=True))
        read = time.perf_counter()
        views, problems = dict(known), {}
        for view in new:
            try:
                views[view] = yield from view.backbone.features_of(clip_of[view.sampling])
            except VideoError as error:
                problems[view] = str(error)
        features = self.features(views)
        left_out = {
            name: f"The {name} stream was left out: {problems[s.view]}"
            for name, s in self.streams.items()
            if s.view in problems
        }
        if not features:
            why = " ".join(problems.values() if len(self.streams) == 1 else left_out.values())
            raise VideoError(f"“{Path(path).name}” cannot be captioned: {why}")
        return Seen(clip_of, views, features, read - began, time.perf_counter() - read, left_out)

    def usage(self, clips: Mapping[Sampling, Clip], features: Features) -> str:
        """Which frames were used, in words: by which stream, where the streams with features differ."""
        readers: dict[Sampling, list[str]] = {}
        for name in features:
            readers.setdefault(self.streams[name].view.sampling, []).append(name)
        if len(readers) == 1:
            return clips[next(iter(readers))].usage()
        return usage_of(
            {
                f"The {' and '.join(names)} stream{'s' * (len(names) > 1)}": clips[sampling]
                for sampling, names in readers.items()
            }
        )

    def features(self, views: Views) -> Features:
        """Of the streams whose view is among `views`."""
        return {name: views[stream.view] for name, stream in self.streams.items() if stream.view in views}

    def write(
        self,
        features: Features,
        options: DecodingOptions | None = None,
        alpha: Mapping[str, float] | None = None,
        prefix: Sequence[int] = (),
    ) -> Captions:
        """Sentences about one video. Milliseconds; no CNN is involved.

        `alpha`: other shares than the model's own; `prefix`: the ids of words that all sentences begin with.
        """
        began = time.perf_counter()
        hypotheses = self.decode([features], options, alpha, prefix)[0]
        return Captions(tuple(self._caption(h) for h in hypotheses), time.perf_counter() - began)

    def decode(
        self,
        videos: Sequence[Features],
        options: DecodingOptions | None = None,
        alpha: Mapping[str, float] | None = None,
        prefix: Sequence[int] = (),
        watch: BeamWatcher | None = None,
    ) -> list[list[Hypothesis]]:
        """Sentences about each of several videos with features of the same streams, the best first."""
        writer, state = self.read(videos, alpha)
        return decode(writer, state, len(videos), options or self.default_options, prefix, watch)

    @torch.inference_mode()
    def read(
        self, videos: Sequence[Features], alpha: Mapping[str, float] | None = None
    ) -> tuple[Writer, NetworkState | FusedState]:
        """What writes about videos with features of the same streams, and its state when it has read them."""
        shares = self.shares(videos[0], alpha)
        checkpoints = {name: self.streams[name].checkpoint for name in shares}
        states = [c.encode([video[name] for video in videos]) for name, c in checkpoints.items()]
        networks = [c.network for c in checkpoints.values()]
        if len(networks) == 1:
            return networks[0], states[0]
        return Fusion(networks, list(shares.values())), FusedState(tuple(states))

    def shares(self, features: Features, alpha: Mapping[str, float] | None = None) -> dict[str, float]:
        """α of the streams that `features` are of, in the order in which they write; they add up to 1."""
        names = [name for name in self.streams if name in features]
        return share_among(check_alpha(alpha or self.alpha, list(self.streams)), names)

    def caption(
        self,
        path: str | Path,
        options: DecodingOptions | None = None,
        start: float | None = None,
        end: float | None = None,
        alpha: Mapping[str, float] | None = None,
    ) -> Work[tuple[Seen, Captions]]:
        """All three stages."""
        seen = yield from self.look(path, start, end)
        yield Progress("decode", 0.0, "Writing the caption")
        return seen, self.write(seen.features, options, alpha)

    def _caption(self, hypothesis: Hypothesis) -> Caption:
        texts = (self.vocabulary.words[i] for i in hypothesis.words)
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
