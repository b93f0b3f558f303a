"""METEOR 1.5, BLEU-1..4, ROUGE-L and CIDEr, as `pycocoevalcap` computes them.

The captions of MSVD come lower-cased and without punctuation, so the PTB tokenizer has nothing to
do and is left out; published figures on this text are reproduced to the last digit (see tests).
METEOR is a Java program: `java` must be on the PATH.
"""

import contextlib
import importlib.util
import io
import shutil
from collections.abc import Mapping, Sequence
from functools import cache

from s2vt_model.errors import S2VTError

METRICS = ("METEOR", "BLEU_1", "BLEU_2", "BLEU_3", "BLEU_4", "ROUGE_L", "CIDEr")


def require_tools() -> None:
    """Raises `S2VTError` where scoring lacks what it needs: better before the features than after."""
    if not importlib.util.find_spec("pycocoevalcap"):
        raise S2VTError("Scoring needs pycocoevalcap: pip install -r requirements-dev.txt")
    if not shutil.which("java"):
        raise S2VTError("METEOR needs Java: install a Java runtime (Debian: default-jre-headless).")


def score(captions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Each metric in percent, for one caption a video. Raises `S2VTError` where a tool is missing."""
    totals, _ = score_each(captions, references)
    return totals


def score_each(
    captions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The corpus's scores, and METEOR's and CIDEr's of each video in the order of `captions`."""
    require_tools()
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    said = {video: [caption] for video, caption in captions.items()}
    truth = {video: list(references[video]) for video in captions}
    with contextlib.redirect_stdout(io.StringIO()):  # BLEU prints its bookkeeping
        bleu, _ = Bleu(4).compute_score(truth, said)
    meteor, meteor_each = _meteor().compute_score(truth, said)
    rouge, _ = Rouge().compute_score(truth, said)
    cider, cider_each = Cider().compute_score(truth, said)
    totals = dict(zip(METRICS, (meteor, *bleu, rouge, cider), strict=True))
    each = {"METEOR": list(meteor_each), "CIDEr": list(cider_each)}
    return {m: 100 * float(v) for m, v in totals.items()}, {m: [100 * float(x) for x in v] for m, v in each.items()}


def meteor_each(sentences: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """METEOR, 0..1, of each sentence against its own references. Raises `S2VTError` where a tool is missing."""
    require_tools()
    said = {number: [sentence] for number, sentence in enumerate(sentences)}
    return _meteor().compute_score(dict(enumerate(references)), said)[1]


@cache
def _meteor():
    """One Java process for all scores: it reads a large paraphrase table when it starts."""
    from pycocoevalcap.meteor.meteor import Meteor

    return Meteor()
