"""One network's features are turned into another's by what videos that have both teach."""

import pytest
import torch

from s2vt_model.training.translation import Translation

FRAMES = 2000


def videos(noise: float, generator: torch.Generator) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Of each video 16 frames of 6 numbers, and 32 of 9 numbers that follow from them, but for the noise."""
    truth = torch.randn(6, 9, generator=torch.Generator().manual_seed(1))
    pairs = []
    for _ in range(FRAMES // 16):
        ours = torch.randn(16, 6, generator=generator)
        theirs = (ours @ truth).repeat_interleave(2, dim=0)
        pairs.append((ours, theirs + noise * torch.randn(theirs.shape, generator=generator)))
    return pairs


def test_it_finds_the_features_of_the_same_moment():
    generator = torch.Generator().manual_seed(0)
    translate = Translation.learn(videos(0.1, generator))
    for ours, theirs in videos(0.1, generator):
        cosine = torch.nn.functional.cosine_similarity(translate(ours), theirs[::2])
        assert cosine.mean() > 0.98


def test_its_features_deviate_as_the_networks_own_do_however_little_it_can_tell():
    generator = torch.Generator().manual_seed(0)
    pairs = videos(8.0, generator)
    told = torch.cat([Translation.learn(pairs)(ours) for ours, _ in pairs])
    assert told.std().item() == pytest.approx(torch.cat([theirs for _, theirs in pairs]).std().item(), rel=0.02)
