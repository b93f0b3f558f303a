"""Features of a corpus's videos for models that are scored on it: brought by the corpus, or made from its clips."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from numpy import ndarray
from torch import Tensor

from s2vt_model.captioner import Captioner, Features
from s2vt_model.corpora import CaptionedVideo
from s2vt_model.corpora.registry import Corpus
from s2vt_model.features import open_cache
from s2vt_model.stream import Stream


class CorpusFeatures:
    """A stream's features come from the corpus's own file where it brings those of the stream's backbone."""

    def __init__(self, corpus: Corpus, root: Path, cache: Path):
        """`cache`: where those are kept that are made from clips."""
        self.corpus = corpus
        self.root = root
        self.cache = cache
        self._brought: dict[str, Mapping[str, ndarray]] = {}  # by backbone, read when first asked for

    def available(self, captioner: Captioner, videos: Sequence[CaptionedVideo]) -> list[CaptionedVideo]:
        """Those videos that every stream of the captioner has features of, or a clip to make them from."""
        files = [self._file_of(stream) for stream in captioner.streams.values()]
        return [v for v in videos if all(v.path is not None if f is None else v.name in f for f in files)]

    def of(self, captioner: Captioner, videos: Sequence[CaptionedVideo]) -> dict[str, Features]:
        """Each available video's features of every stream, by the video's name."""
        by_stream = {name: self.of_stream(stream, videos) for name, stream in captioner.streams.items()}
        return {v.name: {name: found[v.name] for name, found in by_stream.items()} for v in videos}

    def of_stream(self, stream: Stream, videos: Sequence[CaptionedVideo]) -> dict[str, Tensor]:
        """Each available video's features (T, D), by the video's name."""
        file = self._file_of(stream)
        if file is not None:
            return {v.name: torch.from_numpy(file[v.name]) for v in videos}
        kept = open_cache(self.cache, stream.backbone)
        found = kept.features_of_all([v.path for v in videos], stream.checkpoint.config.sampling)
        return dict(zip([v.name for v in videos], found, strict=True))

    def _file_of(self, stream: Stream) -> Mapping[str, ndarray] | None:
        """What the corpus brings of the stream's backbone, by the video's name; None where it brings nothing."""
        name = stream.backbone.config.name
        if name in self.corpus.features and name not in self._brought:
            self._brought[name] = self.corpus.features[name](self.root)
        return self._brought.get(name)
