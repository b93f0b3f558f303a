"""The metrics are those of the literature, and the baselines do what their names say."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch

from s2vt_model.evaluation.baselines import constant_sentence, most_typical, nearest_neighbour_captions

SHARED = Path(__file__).parents[2] / "shared"
REFERENCE = SHARED / "msvd/metric_reference"

needs_metrics = pytest.mark.skipif(
    not (shutil.which("java") and importlib.util.find_spec("pycocoevalcap")),
    reason="METEOR needs Java and pycocoevalcap (requirements-dev.txt)",
)


@needs_metrics
@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the published sentences and scores are not on this machine")
def test_published_scores_of_394_sentences_are_reproduced_to_the_last_digit():
    from s2vt_model.evaluation.metrics import score

    predictions = json.loads((REFERENCE / "predictions.json").read_text())
    references = json.loads((REFERENCE / "references.json").read_text())
    published = json.loads((REFERENCE / "published.json").read_text())
    scores = score({video: said[0] for video, said in predictions.items()}, references)
    assert {metric: round(scores[metric], 2) for metric in published} == published


@needs_metrics
def test_a_caption_that_is_a_reference_scores_full_marks_and_a_foreign_one_none():
    from s2vt_model.evaluation.metrics import score_each

    references = {
        "a": ["a man is playing a guitar on stage", "someone plays the guitar"],
        "b": ["two dogs run over the green grass", "dogs are running"],
        "c": ["a woman slices an onion with a knife", "somebody is cooking"],
    }
    right = {video: said[0] for video, said in references.items()}
    totals, each = score_each(right, references)
    assert totals["BLEU_4"] == pytest.approx(100, abs=0.1)
    assert totals["ROUGE_L"] == pytest.approx(100, abs=0.1)
    totals, each = score_each(right | {"c": "zzz qqq"}, references)
    assert each["METEOR"][2] == 0
    assert each["CIDEr"][2] == 0
    assert each["CIDEr"][0] > 100


def test_the_constant_sentence_is_the_most_frequent_one():
    assert constant_sentence(["a dog runs", "a man sings", "a man sings"]) == "a man sings"


def test_the_most_typical_sentence_shares_its_words_with_the_others():
    assert most_typical(["a dog runs", "a big dog runs fast", "the animal", "a dog runs home"]) == "a dog runs"


def test_nearest_neighbours_lend_their_sentence():
    train = {f"dog{i}": torch.randn(4, 8) * 0.01 + 1 for i in range(5)}
    train |= {f"man{i}": torch.randn(4, 8) * 0.01 - 1 for i in range(5)}
    sentences = {name: ["a dog runs"] if name.startswith("dog") else ["a man sings"] for name in train}
    features = {"x": torch.full((3, 8), 0.9), "y": torch.full((9, 8), -0.9)}
    captions = nearest_neighbour_captions(features, train, sentences)
    assert captions == {"x": "a dog runs", "y": "a man sings"}
