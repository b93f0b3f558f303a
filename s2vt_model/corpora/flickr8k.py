"""Flickr8k (Hodosh, Young & Hockenmaier, JAIR 2013): captioned stills, for training only.

    ROOT/captions_lc_nopunc.txt    NAME<TAB>sentence, a line each
    ROOT/images/NAME.webp          (or .jpg)
"""

from collections import defaultdict
from pathlib import Path

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.errors import CorpusError


def read_flickr8k(root: str | Path) -> list[CaptionedVideo]:
    """Every still that is there, with its sentences."""
    root = Path(root)
    file = root / "captions_lc_nopunc.txt"
    if not file.is_file():
        raise CorpusError(f"Flickr8k's sentences are not at “{file}”. The README says how the folder must look.")
    sentences = defaultdict(list)
    for line in file.read_text(encoding="utf-8").splitlines():
        name, _, sentence = line.partition("\t")
        sentences[name].append(sentence)
    stills = []
    for name, said in sentences.items():
        image = next((p for s in (".webp", ".jpg") if (p := root / f"images/{name}{s}").is_file()), None)
        if image:
            stills.append(CaptionedVideo(name, "train", tuple(said), image, name))
    return stills
