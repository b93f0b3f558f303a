"""Corpora -> vocabulary, standardised features, sources; and the folds of cross-validation."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.corpora.flickr8k import read_flickr8k
from s2vt_model.corpora.msvd import vgg19_features
from s2vt_model.corpora.registry import Corpus
from s2vt_model.errors import CorpusError, S2VTError
from s2vt_model.features import FeatureCache
from s2vt_model.training.recipe import Recipe
from s2vt_model.training.sources import Example, Source, make_example
from s2vt_model.training.translation import Translation
from s2vt_model.video import Sampling
from s2vt_model.vocabulary import Vocabulary


@dataclass(frozen=True)
class Standardisation:
    """Mean and deviation of a feature, (D,) each, over all frames of the training clips."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, features: Sequence[Tensor]) -> "Standardisation":
        frames = torch.cat(list(features))
        # A tenth of the overall deviation is added, so that almost constant features stay small.
        return cls(frames.mean(dim=0), frames.std(dim=0) + 0.1 * frames.std())

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.deviation


@dataclass(frozen=True)
class Fold:
    """One of `count` parts of the training videos, kept out of training.

    MSVD's numbers follow its YouTube ids, so a run of consecutive numbers keeps all clips of one
    YouTube video together, also of those whose origin is not on record.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Fold":
        """"0/3" -> the first of three parts. Raises `S2VTError`."""
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        if not match or int(match[1]) >= int(match[2]):
            raise S2VTError(f"A fold is written I/N with I from 0 to N - 1, such as 0/3; not “{text}”.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def split_fold(
    videos: Sequence[CaptionedVideo], fold: Fold | None
) -> tuple[list[CaptionedVideo], list[CaptionedVideo]]:
    """The train videos -> those to learn from, and those the fold keeps out."""

    def number(video: CaptionedVideo) -> int:
        digits = video.name.removeprefix("vid")
        if not digits.isdecimal():
            raise CorpusError(f"Folds need MSVD's names, vidN; “{video.name}” is none.")
        return int(digits)

    train = [v for v in videos if v.split == "train"]
    if fold is None:
        return train, []
    last = max(map(number, train))
    part = [(number(v) - 1) * fold.count // last for v in train]
    kept = [v for v, p in zip(train, part, strict=True) if p != fold.index]
    held_out = [v for v, p in zip(train, part, strict=True) if p == fold.index]
    return kept, held_out


def unseen_videos(videos: Sequence[CaptionedVideo], fold: Fold | None) -> list[CaptionedVideo]:
    """What a model may be judged by while it is being chosen: val's videos, and those that its fold kept out."""
    _, held_out = split_fold(videos, fold)
    return held_out + [v for v in videos if v.split == "val"]


def build_vocabulary_words(
    videos: Sequence[CaptionedVideo], stills: Sequence[CaptionedVideo], recipe: Recipe
) -> list[str]:
    """The words frequent enough in the training sentences of either corpus, sorted."""

    def frequent(corpus: Sequence[CaptionedVideo], minimum: int) -> set[str]:
        counts = Counter(w for v in corpus if v.split == "train" for s in v.sentences for w in s.split())
        return {w for w, n in counts.items() if n >= minimum}

    return sorted(frequent(videos, recipe.min_count_videos) | frequent(stills, recipe.min_count_stills))


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from."""

    vocabulary: Vocabulary
    sources: tuple[Source, ...]
    standardisation: Standardisation
    fold: Fold | None  # kept out
    twins: Sequence[tuple[Tensor, Tensor]] = ()  # what the backbone and VGG-19 see of each clip known by both

    @property
    def summary(self) -> str:
        """Such as "330 MSVD clips, 8086 Flickr8k stills"."""
        return ", ".join(f"{len(s.examples)} {s.title}" for s in self.sources)


def load_training_data(
    recipe: Recipe, cache: FeatureCache | None, corpus: Corpus, root: Path, flickr8k: Path | None, fold: Fold | None
) -> TrainingData:
    """Read the corpora; features come from the cache, or are computed into it (this takes minutes).

    Without a cache, they are those that the corpus brings of the recipe's backbone.
    """
    videos = corpus.read(root)
    stills = read_flickr8k(flickr8k) if flickr8k else []
    vocabulary = Vocabulary(build_vocabulary_words(videos, stills, recipe))
    kept, _ = split_fold(videos, fold)
    if cache is None:
        source, standardise = _brought_videos(recipe, corpus, root, kept, vocabulary)
        return TrainingData(vocabulary, (source,), standardise, fold)
    clips = [v for v in kept if v.path]
    if not clips:
        raise CorpusError(f"There are no training clips. Put those of {corpus.title} at “{root / corpus.clips}”.")

    def example(video: CaptionedVideo, views: list[Tensor]) -> Example:
        return make_example(video, views, vocabulary, recipe.typicality)

    def views_of(some: Sequence[CaptionedVideo], sampling: Sampling) -> list[tuple[Tensor, ...]]:
        """Each as it is and, where the recipe says so, mirrored."""
        paths = [v.path for v in some]
        sides = (False, True) if recipe.mirrored else (False,)
        return list(zip(*(cache.features_of_all(paths, sampling, m) for m in sides), strict=True))

    views = views_of(clips, recipe.training_sampling)
    if recipe.stream == "motion" and recipe.oversampling > 1:
        # What I3D sees of a movement depends on how far apart the frames are: as far as the model will see them, too.
        views = [dense + seen for dense, seen in zip(views, views_of(clips, recipe.sampling), strict=True)]
    standardise = Standardisation.of([plain for plain, *_ in views])
    examples = [example(v, [standardise(x) for x in seen]) for v, seen in zip(clips, views, strict=True)]
    sources = [_videos("clips", f"{corpus.title} clips", examples, recipe, recipe.oversampling)]
    twins = []
    if recipe.vgg19.start or recipe.vgg19.end:
        vgg19 = _standardised_vgg19(root, kept)
        if recipe.vgg19_enters != "embedded":
            seen = {v.name: e.views[0] for v, e in zip(clips, examples, strict=True)}
            twins = _twins(seen, vgg19, root)
        if recipe.vgg19_enters == "translated":
            translate = Translation.learn([(theirs, ours) for ours, theirs in twins])
            vgg19 = {name: translate(features) for name, features in vgg19.items()}
        examples = [example(v, [vgg19[v.name]]) for v in kept if v.name in vgg19]
        title = f"{corpus.title} videos by VGG-19 features"
        sources.append(_videos("vgg19", title, examples, recipe, recipe.vgg19_oversampling))
    if stills and (recipe.stills.start or recipe.stills.end):
        sources.append(
            Source(
                "stills",
                "Flickr8k stills",
                [
                    example(s, [standardise(x) for x in seen])
                    for s, seen in zip(stills, views_of(stills, recipe.sampling), strict=True)
                ],
                recipe.stills_per_step,
                recipe.sentences_per_still,
                recipe.max_words,
            )
        )
    return TrainingData(vocabulary, tuple(sources), standardise, fold, twins)


def _standardised_vgg19(root: Path, kept: Sequence[CaptionedVideo]) -> dict[str, Tensor]:
    """VGG-19 features of the kept videos that have them, (16, 512), by name."""
    pooled = vgg19_features(root)
    found = {v.name: torch.from_numpy(pooled[v.name]) for v in kept if v.name in pooled}
    if not found:
        raise CorpusError(
            f"No training video of “{root}” has VGG-19 features. Set vgg19 = {{ start = 0, end = 0 }} in the recipe."
        )
    standardise = Standardisation.of(list(found.values()))
    return {name: standardise(features) for name, features in found.items()}


def _twins(seen: Mapping[str, Tensor], vgg19: Mapping[str, Tensor], root: Path) -> list[tuple[Tensor, Tensor]]:
    """Of each clip with VGG-19 features what the backbone saw of it, (T, D), and those, (16, 512), all standardised."""
    both = [name for name in seen if name in vgg19]
    if not both:
        raise CorpusError(
            f"No training clip below “{root}” has VGG-19 features, too, to learn from how they compare. "
            'Set vgg19_enters = "embedded", or vgg19 = { start = 0, end = 0 }, in the recipe.'
        )
    return [(seen[name], vgg19[name]) for name in both]


def _brought_videos(
    recipe: Recipe, corpus: Corpus, root: Path, kept: Sequence[CaptionedVideo], vocabulary: Vocabulary
) -> tuple[Source, Standardisation]:
    """Videos whose features the corpus brings; their clips, if there are any, are not looked at."""
    if any((recipe.vgg19.start, recipe.vgg19.end, recipe.stills.start, recipe.stills.end)):
        raise S2VTError(
            f"The features of {recipe.backbone} come from a file of {corpus.title}; nothing is learned beside them. "
            "Set vgg19 = { start = 0, end = 0 } and stills = { start = 0, end = 0 } in the recipe."
        )
    brought = corpus.features[recipe.backbone](root)
    videos = [v for v in kept if v.name in brought]
    if not videos:
        raise CorpusError(
            f"The features of {recipe.backbone} below “{root}” are those of no training video. "
            f"Put the file there that belongs to {corpus.title}."
        )
    features = [torch.from_numpy(brought[v.name]) for v in videos]
    standardise = Standardisation.of(features)
    examples = [
        make_example(v, [standardise(x)], vocabulary, recipe.typicality) for v, x in zip(videos, features, strict=True)
    ]
    title = f"{corpus.title} videos by features of {recipe.backbone}"
    return _videos("clips", title, examples, recipe, recipe.oversampling), standardise


def _videos(name: str, title: str, examples: list[Example], recipe: Recipe, oversampling: float) -> Source:
    return Source(
        name,
        title,
        examples,
        recipe.videos_per_step,
        recipe.sentences_per_video,
        recipe.max_words,
        oversampling,
        recipe.pace,
        recipe.frame_order,
    )
