"""MPII-MD and M-VAD made up by the tests, in the files that their authors hand out."""

import random
from collections.abc import Sequence
from pathlib import Path

from s2vt_model.corpora import CaptionedVideo

MPII_MD_SPLITS = {"train": "training", "val": "validation", "test": "test"}
LSMDC_SPLITS = {"train": "training", "val": "val", "test": "test"}
TITLES = ("American_Beauty", "Mr._Brooks", "30_MINUTES_OR_LESS", "Up", "Ugly_Truth,_The", "Amélie")
WORDS = ("someone", "s", "walks", "in", "the", "7", "café", "quickly", "a", "door")


def write_mpii_md(root: Path, videos: Sequence[CaptionedVideo]) -> None:
    """The text files; clips are the caller's to write."""
    movies = {v.origin: MPII_MD_SPLITS[v.split] for v in videos}
    _write(root / "dataSplit.txt", [f"{movie}\t{split}" for movie, split in movies.items()])
    _write(root / "uniqueTestIds.txt", [v.name for v in videos if v.split == "test"])
    _write(root / "annotations-someone.csv", [f"{v.name}\t{as_written(s)}" for v in videos for s in v.sentences])


def write_mvad(root: Path, videos: Sequence[CaptionedVideo]) -> None:
    """The text files; clips are the caller's to write."""
    for split, name in LSMDC_SPLITS.items():
        lines = []
        for video in videos:
            if video.split == split:
                times = video.name.rpartition("_")[2].replace("-", "\t")
                lines += [f"{video.name}\t{times}\t{times}\t{as_written(s)}" for s in video.sentences]
        _write(root / f"LSMDC16_annos_{name}_someone.csv", lines)


def as_written(sentence: str) -> str:
    """As the corpora write it: "someone s gone" -> "SOMEONE's gone."."""
    text = sentence.replace("someone", "SOMEONE").replace(" s ", "'s ")
    return text[0].upper() + text[1:] + "."


def random_videos(root: Path, rng: random.Random, first_movie: int) -> list[CaptionedVideo]:
    """Clips of a few movies a split, movies numbered from `first_movie` on; half of the files exist, empty."""
    videos = []
    for number in range(6):
        movie = f"{first_movie + number:04}_{rng.choice(TITLES)}"
        start = 0
        for _ in range(rng.randint(1, 4)):
            start += rng.randint(1, 10**6)  # milliseconds
            name = f"{movie}_{_time(start)}-{_time(start + rng.randint(500, 20_000))}"
            sentences = tuple(" ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for _ in range(rng.randint(1, 3)))
            path = root / movie / f"{name}.avi" if rng.random() < 0.5 else None
            if path:
                path.parent.mkdir(exist_ok=True)
                path.touch()
            videos.append(CaptionedVideo(name, ("train", "val", "test")[number // 2], sentences, path, movie))
    return videos


def _time(milliseconds: int) -> str:
    """HH.MM.SS.mmm"""
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}.{seconds // 60 % 60:02}.{seconds % 60:02}.{milliseconds:03}"


def _write(file: Path, lines: Sequence[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
