"""Every model of `weights/models.toml` on one corpus, beside the baselines and the paper's own figures."""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from s2vt_model.captioner import Captioner
from s2vt_model.corpora import CaptionedVideo
from s2vt_model.decoding import DecodingOptions
from s2vt_model.evaluation.baselines import constant_sentence, nearest_neighbour_captions
from s2vt_model.evaluation.evaluate import write_captions
from s2vt_model.evaluation.features import CorpusFeatures
from s2vt_model.evaluation.metrics import score_each
from s2vt_model.models import Catalogue
from s2vt_model.progress import finish

REFERENCE = "rgb"  # the row that differences are taken to, at its own decoding
TIMED_CLIPS = 5
RESAMPLINGS = 10_000


@dataclass(frozen=True)
class Row:
    """One model with one way of decoding, or a baseline."""

    name: str
    decoding: str  # "greedy", "beam 2"; "" of a baseline
    scores: Mapping[str, float]  # percent
    each: Mapping[str, Sequence[float]]  # METEOR and CIDEr of each clip, percent
    distinct: int
    ms_a_clip: float | None  # from file to caption as chosen for the model, median of a few clips
    paper: float | None  # METEOR of the paper's model of this kind


def table(
    catalogue: Catalogue,
    videos: Sequence[CaptionedVideo],
    train: Sequence[CaptionedVideo],
    source: CorpusFeatures,
    device: str,
) -> Iterator[Row]:
    """Baselines first, then every stream and set, greedy and as chosen for it. The videos need clips."""
    references = {v.name: v.sentences for v in videos}

    def row(name: str, how: str, captions: dict[str, str], ms: float | None = None, paper: float | None = None) -> Row:
        scores, each = score_each(captions, references)
        return Row(name, how, scores, each, len(set(captions.values())), ms, paper)

    constant = constant_sentence([s for v in train for s in v.sentences])
    yield row("constant sentence", "", dict.fromkeys(references, constant))
    sentences = {v.name: v.sentences for v in train}
    backbones = set()
    for name in (*catalogue.streams, *catalogue.sets):
        model = catalogue.model(name)
        captioner = Captioner.load(model, device)
        needed = [*videos, *train]
        if len(source.available(captioner, needed)) < len(needed):
            print(f"“{name}” is left out: its features come with the corpus, not of all videos.", file=sys.stderr)
            continue
        stream = next(iter(captioner.streams.values()))
        backbone = stream.backbone.config.name
        if backbone not in backbones:
            backbones.add(backbone)
            near = [source.of_stream(stream, some) for some in (videos, train)]
            yield row(f"nearest neighbours, {name}", "", nearest_neighbour_captions(*near, sentences))
        features = source.of(captioner, videos)
        ms = statistics.median(_milliseconds(captioner, v.path) for v in videos[:TIMED_CLIPS])
        chosen = captioner.default_options
        for options in dict.fromkeys([replace(chosen, method="greedy"), chosen]):
            yield row(name, _how(options), write_captions(captioner, features, options), ms, model.paper)


def _milliseconds(captioner: Captioner, video: Path) -> float:
    began = time.perf_counter()
    finish(captioner.caption(video))
    return (time.perf_counter() - began) * 1e3


def _how(options: DecodingOptions) -> str:
    return f"beam {options.beam_width}" if options.method == "beam" else options.method


def interval(row: Row, reference: Row, metric: str) -> tuple[float, float, float]:
    """Mean difference to `reference` over the same clips and its 95 % interval (paired bootstrap, percentiles)."""
    differences = np.array(row.each[metric]) - np.array(reference.each[metric])
    picks = np.random.default_rng(0).integers(len(differences), size=(RESAMPLINGS, len(differences)))
    low, high = np.percentile(differences[picks].mean(axis=1), (2.5, 97.5))
    return float(differences.mean()), float(low), float(high)
