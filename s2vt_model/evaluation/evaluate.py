"""A captioner's captions of a corpus, and their scores beside the baselines'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from s2vt_model.captioner import Captioner, Features
from s2vt_model.corpora import CaptionedVideo
from s2vt_model.decoding import DecodingOptions
from s2vt_model.evaluation.baselines import constant_sentence, nearest_neighbour_captions
from s2vt_model.evaluation.metrics import score
from s2vt_model.features import open_cache
from s2vt_model.stream import Stream

VIDEOS_PER_BATCH = 32


@dataclass(frozen=True)
class Evaluation:
    """Scores (percent) of a captioner and of what it must beat, on the same videos."""

    captions: dict[str, str]
    scores: dict[str, float]
    distinct: int  # different sentences among the captions
    constant: dict[str, float]
    constant_sentence: str
    nearest_neighbour: dict[str, float]


def corpus_features(captioner: Captioner, videos: Sequence[CaptionedVideo], cache: Path) -> dict[str, Features]:
    """Each video's features of every stream, by the video's name; computed where `cache` lacks them."""
    by_stream = {name: stream_features(stream, videos, cache) for name, stream in captioner.streams.items()}
    return {v.name: {name: found[v.name] for name, found in by_stream.items()} for v in videos}


def stream_features(stream: Stream, videos: Sequence[CaptionedVideo], cache: Path) -> dict[str, Tensor]:
    """Each video's features (T, D), by the video's name."""
    kept = open_cache(cache, stream.backbone, stream.checkpoint.backbone_folder)
    found = kept.features_of_all([v.path for v in videos], stream.checkpoint.config.sampling)
    return dict(zip([v.name for v in videos], found, strict=True))


def write_captions(
    captioner: Captioner,
    features: Mapping[str, Features],
    options: DecodingOptions | None = None,
    alpha: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """The best sentence for each video."""
    captions = {}
    names = list(features)
    for at in range(0, len(names), VIDEOS_PER_BATCH):
        chunk = names[at : at + VIDEOS_PER_BATCH]
        written = captioner.decode([features[n] for n in chunk], options, alpha)
        for name, hypotheses in zip(chunk, written, strict=True):
            captions[name] = captioner.vocabulary.decode(hypotheses[0].words)
    return captions


def evaluate(
    captioner: Captioner,
    cache: Path,
    videos: Sequence[CaptionedVideo],
    train: Sequence[CaptionedVideo],
    options: DecodingOptions,
) -> Evaluation:
    """Score `captioner` on `videos`; the baselines learn from `train`. Both need clips.

    Nearest neighbours are found with the features of the first stream.
    """
    captions = write_captions(captioner, corpus_features(captioner, videos, cache), options)
    references = {v.name: v.sentences for v in videos}
    constant = constant_sentence([s for v in train for s in v.sentences])
    first = next(iter(captioner.streams.values()))
    neighbours = nearest_neighbour_captions(
        stream_features(first, videos, cache),
        stream_features(first, train, cache),
        {v.name: v.sentences for v in train},
    )
    return Evaluation(
        captions=captions,
        scores=score(captions, references),
        distinct=len(set(captions.values())),
        constant=score(dict.fromkeys(captions, constant), references),
        constant_sentence=constant,
        nearest_neighbour=score(neighbours, references),
    )
