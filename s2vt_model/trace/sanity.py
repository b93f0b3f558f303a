"""What keeps one from over-reading a heat map: the same map of a network that learned nothing, and how methods agree.

After Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, arXiv 1810.03292.
"""

import copy

import numpy as np
import torch
from torch import Tensor

from s2vt_model.architectures import Network

LEAST_FRAMES = 3  # two frames agree or do not: no correlation to speak of


@torch.no_grad()
def shuffled_weights(network: Network, seed: int) -> Network:
    """A copy with the numbers of every weight tensor in random order: of the same size and spread, but meaningless."""
    twin = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    for parameter in twin.parameters():
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return twin


def rank_correlation(one: Tensor, other: Tensor) -> float | None:
    """Spearman's ρ of two maps (L, T): of each word over the frames, then the mean over the words.

    None where there are too few frames, or a word's frames are all tied.
    """
    if one.shape[1] < LEAST_FRAMES:
        return None
    found = []
    for a, b in zip(one.cpu().numpy(), other.cpu().numpy(), strict=True):
        a, b = (r - r.mean() for r in (_ranks(a), _ranks(b)))
        if not (a.any() and b.any()):
            return None
        found.append((a @ b) / np.sqrt((a @ a) * (b @ b)))
    return float(np.mean(found))


def _ranks(values: np.ndarray) -> np.ndarray:
    """0 for the least; tied values share the mean of their ranks."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts + 1) / 2)[which]
