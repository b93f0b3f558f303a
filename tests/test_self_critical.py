"""The reward is CIDEr, and earning it changes what is written."""

import importlib.util
import random
import shutil

import pytest
import torch

from s2vt_model.corpora import CaptionedVideo
from s2vt_model.training.cider import Cider
from s2vt_model.training.corpus import Standardisation, TrainingData
from s2vt_model.training.recipe import Recipe
from s2vt_model.training.self_critical import Critic
from s2vt_model.training.sources import Source, make_example
from s2vt_model.training.train import new_learner
from s2vt_model.vocabulary import Vocabulary

SAID = {
    "a": ["a man is playing a guitar", "a man plays the guitar", "someone is playing"],
    "b": ["two dogs run over the grass", "dogs are running", "a dog is playing"],
    "c": ["a woman slices an onion", "someone is slicing an onion with a knife"],
}
CAPTIONS = {"a": "a man is playing a a guitar", "b": "a dog is running", "c": "someone slices an onion with a"}


@pytest.mark.skipif(not importlib.util.find_spec("pycocoevalcap"), reason="needs pycocoevalcap (requirements-dev.txt)")
def test_the_reward_equals_pycocoevalcap_where_that_sees_the_end_as_a_word():
    from pycocoevalcap.cider.cider import Cider as Reference

    vocabulary = Vocabulary(sorted({w for said in SAID.values() for s in said for w in s.split()}))
    reward = Cider([[vocabulary.encode(s) for s in said] for said in SAID.values()])
    found = [reward.score(i, vocabulary.encode(c)) for i, c in enumerate(CAPTIONS.values())]
    truth = {video: [f"{s} END" for s in said] for video, said in SAID.items()}
    _, expected = Reference().compute_score(truth, {video: [f"{c} END"] for video, c in CAPTIONS.items()})
    assert found == pytest.approx(list(expected), abs=1e-9)


def critic_of(said: list[list[str]], meteor: float) -> Critic:
    """said: the sentences of each video."""
    vocabulary = Vocabulary(sorted({w for sentences in said for s in sentences for w in s.split()}))
    videos = [CaptionedVideo(f"v{i}", "train", tuple(sentences), None, "v") for i, sentences in enumerate(said)]
    examples = [make_example(v, [torch.zeros(8, 6)], vocabulary, 0.0) for v in videos]
    return Critic.of(Source("clips", "clips", examples, videos_per_step=1, sentences_per_video=1), vocabulary, meteor)


@pytest.mark.skipif(not shutil.which("java"), reason="METEOR needs Java")
@pytest.mark.skipif(not importlib.util.find_spec("pycocoevalcap"), reason="needs pycocoevalcap (requirements-dev.txt)")
def test_meteor_adds_to_the_reward_by_its_weight_but_not_for_what_is_said_of_every_other_video():
    stock = "somebody cooking his kichen"
    guitar = ["a man plays a guitar", "a man is playing a guitar", stock]
    said = [guitar, ["two dogs run", stock], ["a cat sleeps"], [stock]]
    critic, without = critic_of(said, meteor=3.0), critic_of(said, meteor=0.0)
    written = [(0, "a man plays a guitar"), (1, stock), (2, "a cat sleeps"), (3, stock)]
    videos, sentences = zip(*((v, critic.vocabulary.encode(s)) for v, s in written), strict=True)
    meteor = (critic.rewards(videos, sentences) - without.rewards(videos, sentences)) / 3.0
    assert meteor.tolist() == pytest.approx([1.0, 0.0, 1.0, 1.0], abs=1e-6)  # of the last, nothing else is said


@pytest.mark.parametrize(
    "variant",
    [{}, {"cell": "gru"}, {"cell": "rnn"}, {"architecture": "mean_pool"}],
    ids=lambda variant: "-".join(variant.values()) or "s2vt",
)
def test_rewarded_sentences_become_likelier(variant):
    vocabulary = Vocabulary(["a", "dog", "man", "runs", "sings"])
    sentences = {1.0: ("a dog runs",), -1.0: ("a man sings",)}
    examples = []
    for sign, said in sentences.items():
        views = [torch.full((8, 6), sign)]
        examples.append(make_example(CaptionedVideo("v", "train", said, None, "x"), views, vocabulary, 0.0))
    source = Source("clips", "clips", examples, videos_per_step=2, sentences_per_video=1)
    data = TrainingData(vocabulary, (source,), Standardisation(torch.zeros(6), torch.ones(6)), fold=None)
    torch.manual_seed(2)  # of some seeds, REINFORCE soon writes one word only, and stays with it
    recipe = Recipe(frame_embedding_size=12, word_embedding_size=12, hidden_size=24, dropout=0.0, **variant)
    learner = new_learner(recipe, data)
    critic, rng = Critic.of(source, vocabulary), random.Random(2)
    optimiser = torch.optim.Adam(learner.parameters(), 1e-2)
    rewards = []
    for _ in range(120):
        loss, reward = critic.loss(learner, rng)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rewards.append(reward)
    assert sum(rewards[-10:]) / 10 > 2 * sum(rewards[:10]) / 10
