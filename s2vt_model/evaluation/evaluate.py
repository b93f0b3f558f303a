"""A checkpoint's captions of a corpus, and their scores beside the baselines'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2vt_model.checkpoint import Checkpoint
from s2vt_model.corpora import CaptionedVideo
from s2vt_model.decoding import DecodingOptions, decode
from s2vt_model.evaluation.baselines import constant_sentence, nearest_neighbour_captions
from s2vt_model.evaluation.metrics import score
from s2vt_model.features import FeatureCache

VIDEOS_PER_BATCH = 32


@dataclass(frozen=True)
class Evaluation:
    """Scores (percent) of a checkpoint and of what it must beat, on the same videos."""

    captions: dict[str, str]
    scores: dict[str, float]
    distinct: int  # different sentences among the captions
    constant: dict[str, float]
    constant_sentence: str
    nearest_neighbour: dict[str, float]


def write_captions(
    checkpoint: Checkpoint, features: Mapping[str, Tensor], options: DecodingOptions
) -> dict[str, str]:
    """The best sentence for each video's features, (T, D)."""
    captions = {}
    names = list(features)
    for at in range(0, len(names), VIDEOS_PER_BATCH):
        chunk = names[at : at + VIDEOS_PER_BATCH]
        with torch.inference_mode():
            state = checkpoint.encode([features[n] for n in chunk])
        for name, hypotheses in zip(chunk, decode(checkpoint.network, state, len(chunk), options), strict=True):
            captions[name] = checkpoint.vocabulary.decode(hypotheses[0].words)
    return captions


def evaluate(
    checkpoint: Checkpoint,
    cache: FeatureCache,
    videos: Sequence[CaptionedVideo],
    train: Sequence[CaptionedVideo],
    options: DecodingOptions,
) -> Evaluation:
    """Score `checkpoint` on `videos`; the baselines learn from `train`. Both need clips."""

    def features_by_name(some: Sequence[CaptionedVideo]) -> dict[str, Tensor]:
        found = cache.features_of_all([v.path for v in some], checkpoint.config.sampling)
        return dict(zip([v.name for v in some], found, strict=True))

    features = features_by_name(videos)
    references = {v.name: v.sentences for v in videos}
    captions = write_captions(checkpoint, features, options)
    constant = constant_sentence([s for v in train for s in v.sentences])
    neighbours = nearest_neighbour_captions(
        features,
        features_by_name(train),
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
