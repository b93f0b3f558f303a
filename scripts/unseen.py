"""What runs write about MSVD clips that they never saw, scored together: what is chosen with, never test."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from s2vt_model.captioner import Captioner
from s2vt_model.corpora.registry import CORPORA
from s2vt_model.decoding import DecodingOptions
from s2vt_model.evaluation.evaluate import write_captions
from s2vt_model.evaluation.features import CorpusFeatures
from s2vt_model.evaluation.metrics import score
from s2vt_model.training.corpus import Fold, unseen_videos


class UnseenClips:
    """Captioners, each beside the videos that a model of its fold may be judged by.

    Val's videos are every fold's, so a caption's key is the captioner's number and the video's name: 0/vid1440.
    """

    def __init__(self, captioners: Sequence[tuple[Captioner, Fold | None]], root: Path, cache: Path):
        """captioners: each with what it kept out of training. Features come from the folder `cache`, or go there."""
        source = CorpusFeatures(CORPORA["msvd"], root, cache)
        videos = source.corpus.read(root)
        self._parts, self._references = [], {}
        for number, (captioner, fold) in enumerate(captioners):
            unseen = source.available(captioner, unseen_videos(videos, fold))
            self._parts.append((captioner, source.of(captioner, unseen)))
            self._references |= {f"{number}/{v.name}": v.sentences for v in unseen}

    def __len__(self) -> int:
        return len(self._references)

    def write(self, decoding: DecodingOptions, alphas: Mapping[str, float] | None = None) -> dict[str, str]:
        """A sentence about each clip."""
        return {
            f"{number}/{video}": caption
            for number, (captioner, features) in enumerate(self._parts)
            for video, caption in write_captions(captioner, features, decoding, alphas).items()
        }

    def score(self, captions: Mapping[str, str]) -> dict[str, float]:
        """The metrics of `s2vt_model.evaluation.metrics`, over all clips at once."""
        return score(captions, self._references)
