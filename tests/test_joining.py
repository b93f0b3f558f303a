"""The embedding of VGG-19 features joins that of clips."""

import pytest
import torch
from torch.nn.functional import cosine_similarity

from s2vt_model.config import S2VTConfig
from s2vt_model.corpora.msvd import VGG19_SIZE
from s2vt_model.training.joining import join_embeddings
from s2vt_model.training.learner import Learner

FEATURE_SIZE = 12


@pytest.fixture
def learner():
    torch.manual_seed(0)
    return Learner(S2VTConfig(FEATURE_SIZE, 6, 4, 8, vocabulary_size=5), forget_bias=1.0)


@pytest.fixture
def twins():
    """Of 60 clips 32 frames, and VGG-19's 16 features, which follow from them."""
    generator = torch.Generator().manual_seed(1)
    truth = torch.randn(FEATURE_SIZE, VGG19_SIZE, generator=generator) / FEATURE_SIZE**0.5
    clips = [torch.randn(16, FEATURE_SIZE, generator=generator).repeat_interleave(2, dim=0) for _ in range(60)]
    return [(clip, clip[::2] @ truth) for clip in clips]


def test_a_frame_goes_both_ways_at_once(learner, twins):
    own = learner.network.frame_embedding.weight.clone()
    both = torch.cat([clip[::2] @ own.T + vgg19 @ learner.vgg19_embedding.weight.T for clip, vgg19 in twins])
    join_embeddings(learner, twins)
    embedded = torch.cat([clip[::2] for clip, _ in twins]) @ learner.network.frame_embedding.weight.T
    assert cosine_similarity(embedded, both).mean() > 0.995  # the ridge shrinks a little
    alone = torch.cat([clip[::2] for clip, _ in twins]) @ own.T
    assert cosine_similarity(embedded, alone).mean() < 0.95


def test_embedded_frames_deviate_as_before(learner, twins):
    frames = torch.cat([clip for clip, _ in twins])
    before = (frames @ learner.network.frame_embedding.weight.T).std()
    join_embeddings(learner, twins)
    after = (frames @ learner.network.frame_embedding.weight.T).std()
    assert after.item() == pytest.approx(before.item(), rel=1e-4)


def test_the_embedding_of_vgg19_features_stays_as_it_was(learner, twins):
    before = learner.vgg19_embedding.weight.clone()
    join_embeddings(learner, twins)
    assert learner.vgg19_embedding.weight.equal(before)
