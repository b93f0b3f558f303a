"""A captioner's captions of a corpus, and their scores beside the baselines'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2vt_model.captioner import Captioner, Features
from s2vt_model.corpora import CaptionedVideo
from s2vt_model.decoding import DecodingOptions
from s2vt_model.evaluation.baselines import constant_sentence, nearest_neighbour_captions
from s2vt_model.evaluation.features import CorpusFeatures
from s2vt_model.evaluation.metrics import score

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
    source: CorpusFeatures,
    videos: Sequence[CaptionedVideo],
    train: Sequence[CaptionedVideo],
    options: DecodingOptions,
) -> Evaluation:
    """Score `captioner` on `videos`; the baselines learn from `train`. Both must be available from `source`.

    Nearest neighbours are found with the features of the first stream.
    """
    captions = write_captions(captioner, source.of(captioner, videos), options)
    references = {v.name: v.sentences for v in videos}
    constant = constant_sentence([s for v in train for s in v.sentences])
    first = next(iter(captioner.streams.values()))
    neighbours = nearest_neighbour_captions(
        source.of_stream(first, videos),
        source.of_stream(first, train),
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
