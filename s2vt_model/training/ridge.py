"""Ridge regression (Hoerl & Kennard 1970): a linear map, drawn towards zero where there is little to learn from."""

import torch
from torch import Tensor


def ridge_regression(x: Tensor, y: Tensor, prior: float, weight: Tensor | None = None) -> Tensor:
    """The (D, E) map from x, (N, D), to y, (N, E), both centred.

    prior: how strongly it is drawn, relative to the sum of the rows' weights.
    weight: of each row, (N, 1); 1 by default.
    """
    weight = torch.ones(len(x), 1, dtype=x.dtype) if weight is None else weight
    ridge = prior * weight.sum() * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(x.T @ (weight * x) + ridge, x.T @ (weight * y))
