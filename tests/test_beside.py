"""What the backbone and VGG-19 see of a video stands side by side, and one embedding is left of two."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cosine_similarity

from s2vt_model.config import S2VTConfig
from s2vt_model.corpora.msvd import VGG19_SIZE
from s2vt_model.training.beside import SideBySide
from s2vt_model.training.learner import Learner, export
from s2vt_model.vocabulary import EOS

FEATURE_SIZE = 12


@pytest.fixture
def twins():
    """Of 60 clips 32 frames, and VGG-19's 16 features, which follow from them."""
    generator = torch.Generator().manual_seed(1)
    truth = torch.randn(FEATURE_SIZE, VGG19_SIZE, generator=generator) / FEATURE_SIZE**0.5
    clips = [torch.randn(16, FEATURE_SIZE, generator=generator).repeat_interleave(2, dim=0) for _ in range(60)]
    return [(clip, clip[::2] @ truth) for clip in clips]


def test_what_one_network_saw_stays_and_what_the_other_would_have_seen_is_translated(twins):
    beside = SideBySide.learn(twins[1:])
    clip, vgg19 = twins[0][0][::2], twins[0][1]
    of_clip, of_vgg19 = beside.of_backbone(clip), beside.of_vgg19(vgg19)
    assert of_clip.shape == of_vgg19.shape == (16, FEATURE_SIZE + VGG19_SIZE)
    assert of_clip[:, :FEATURE_SIZE].equal(clip)
    assert of_vgg19[:, FEATURE_SIZE:].equal(vgg19)
    assert cosine_similarity(of_clip[:, FEATURE_SIZE:], vgg19).min() > 0.99
    assert cosine_similarity(of_vgg19[:, :FEATURE_SIZE], clip).min() > 0.99


@pytest.mark.parametrize("architecture", ["s2vt", "mean_pool"])
def test_the_exported_network_is_given_the_backbones_features_and_says_what_the_learner_said_of_both(
    twins, architecture
):
    torch.manual_seed(0)
    beside = SideBySide.learn(twins)
    config = S2VTConfig(FEATURE_SIZE, 6, 4, 8, vocabulary_size=5, architecture=architecture)
    learner = Learner(replace(config, feature_size=FEATURE_SIZE + VGG19_SIZE), 1.0, embeds_vgg19=False).eval()
    mean, deviation = torch.randn(FEATURE_SIZE), torch.rand(FEATURE_SIZE) + 0.5
    network = export(learner, mean, deviation, beside)
    assert network.config == config
    raw = torch.randn(3, 6, FEATURE_SIZE)
    standardised = (raw - mean) / deviation
    words = torch.tensor([[EOS, 3, 4]] * 3)
    with torch.no_grad():
        found = network(raw, words)
        expected = learner.network(torch.stack([beside.of_backbone(x) for x in standardised]), words)
        by_one_alone = learner.network(torch.cat([standardised, torch.zeros(3, 6, VGG19_SIZE)], dim=2), words)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(found, by_one_alone, atol=1e-3)
