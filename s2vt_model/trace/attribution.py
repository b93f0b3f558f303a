"""Which frames speak for a word: six answers, word × frame, none of which is the truth.

S2VT has no attention: all that a word knows of the video came through the state (h1, c1, h2, c2). So nothing
can be read off; one can only ask what would have been, or how steep the way is. Every method asks about
log p(word | the words before it, frames), of the streams together where several write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from s2vt_model.errors import S2VTError
from s2vt_model.progress import Progress, Work
from s2vt_model.trace.question import Question
from s2vt_model.trace.record import Method, MethodName

GRADIENTS_AT_ONCE = 64  # rows of a batch: points of the path × words
POINTS_AT_ONCE = 16
MOST_POINTS = 128
EASING = 4
# A word's path is cut finer until the sum is off by less than this: half of what is promised.
INCOMPLETE_SHARE, INCOMPLETE_NATS = 0.01, 0.005


@dataclass(frozen=True)
class AttributionOptions:
    """How frames are asked about. Raises `S2VTError` on a value that makes no sense."""

    window: int = 1  # neighbouring frames that occlusion covers at once
    points: int = 8  # of the path of integrated gradients, at first
    seed: int = 0  # of the randomised weights

    def __post_init__(self):
        if not (isinstance(self.window, int) and self.window >= 1):
            raise S2VTError(f"Occlusion covers a whole number of frames, 1 or more; not {self.window}.")
        if not (isinstance(self.points, int) and 1 <= self.points <= MOST_POINTS):
            raise S2VTError(f"The path has between 1 and {MOST_POINTS} points; not {self.points}.")


class Map(NamedTuple):
    """One method's answer."""

    values: Tensor  # (L, T), frames in the order of time
    completeness_error: Tensor | None = None  # (L,) nat
    window: int | None = None


Answer = Callable[[Question, AttributionOptions], Work[Map]]


# --- gradients --------------------------------------------------------------------------------


def gradient_norm(question: Question, options: AttributionOptions) -> Work[Map]:
    """Simonyan et al. 2014, arXiv 1312.6034; of the whole feature vector, before the embedding."""
    gradients = yield from path_gradients(question, question.frames[None], torch.ones(1))
    features = gradients @ question.network.frame_embedding.weight  # (L, T, D): the chain rule
    return Map(question.in_time(features.norm(dim=2)))


def gradient_times_input(question: Question, options: AttributionOptions) -> Work[Map]:
    """Relative to “no frame”, so that it is the first-order estimate of what `occlusion_replaced` measures."""
    gradients = yield from path_gradients(question, question.frames[None], torch.ones(1))
    return Map(question.in_time((gradients * (question.frames - question.no_frame)).sum(dim=2)))


def integrated_gradients(question: Question, options: AttributionOptions) -> Work[Map]:
    """Sundararajan et al. 2017, arXiv 1703.01365, along the straight line from “no frame” in every place.

    Nearly all that happens on this line happens close to its start: a film that differs from “no frame” by a
    hundredth is almost as telling as the film itself. So the way is t = u^4, with Gauss-Legendre quadrature in u.
    Words whose sum is not complete get twice the points, up to `MOST_POINTS`.
    """
    difference = question.frames - question.no_frame
    empty = question.no_frame.expand_as(question.frames)
    found, without = question.ask(torch.stack([question.frames, empty]))
    tolerance = INCOMPLETE_SHARE * torch.maximum(found.abs(), without.abs()) + INCOMPLETE_NATS
    values = difference.new_zeros(len(question.words), len(difference))
    error = torch.full_like(found, torch.inf)
    points = options.points
    while points <= MOST_POINTS and (rough := (error.abs() > tolerance).nonzero()[:, 0]).numel():
        way, weights = _quadrature(points)
        path = empty + way.to(difference)[:, None, None] * difference
        gradients = yield from path_gradients(question, path, weights, rough)
        values[rough] = (gradients * difference).sum(dim=2)
        error = values.sum(dim=1) - (found - without)
        points *= 2
    return Map(question.in_time(values), error)


def _quadrature(points: int) -> tuple[Tensor, Tensor]:
    """Points t in 0..1 and their weights, (points,) each: Σ weight · f(t) ≈ ∫ f(t) dt."""
    nodes, weights = (torch.from_numpy(x) / 2 for x in np.polynomial.legendre.leggauss(points))
    u = nodes + 0.5
    return u**EASING, weights * EASING * u ** (EASING - 1)


def path_gradients(question: Question, path: Tensor, weights: Tensor, words: Tensor | None = None) -> Work[Tensor]:
    """(W, T, frame_embedding_size) Σ weight · ∂ log p(word) / ∂ frames over the points of a path.

    path: (P, T, frame_embedding_size); weights: (P,); words: (W,) which ones, all by default.
    """
    question = question.differentiable()
    words = torch.arange(len(question.words)) if words is None else words
    total = path.new_zeros(len(words), *path.shape[1:])
    parts = list(zip(path.split(POINTS_AT_ONCE), weights.to(path).split(POINTS_AT_ONCE), strict=True))
    for done, (points, shares) in enumerate(parts):
        chunks = torch.arange(len(words)).split(max(GRADIENTS_AT_ONCE // len(points), 1))
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            log_probs = question.log_probs(points)  # (P, L)
        for chunk in chunks:
            yield Progress("trace", done / len(parts), "Asking which frames speak for a word: gradients")
            wanted = torch.zeros(len(chunk), *log_probs.shape, device=path.device, dtype=path.dtype)
            wanted[torch.arange(len(chunk)), :, words[chunk]] = shares
            (gradients,) = torch.autograd.grad(log_probs, points, wanted, retain_graph=True, is_grads_batched=True)
            total[chunk] += gradients.sum(dim=1)
    return total


# --- what would have been -----------------------------------------------------------------------


def occlusion_replaced(question: Question, options: AttributionOptions) -> Work[Map]:
    """Zeiler & Fergus 2014, arXiv 1311.2901, in time."""
    return (yield from _occlusion(question, options, _replace))


def occlusion_deleted(question: Question, options: AttributionOptions) -> Work[Map]:
    """Not the same as `occlusion_replaced`: a film that is shorter, but has no hole."""
    return (yield from _occlusion(question, options, _delete))


def single_frame(question: Question, options: AttributionOptions) -> Work[Map]:
    """Caption-guided saliency, Ramanishka et al. 2017, arXiv 1612.07360."""
    yield Progress("trace", None, "Asking which frames speak for a word: one frame alone")
    return Map(question.in_time(question.ask(question.frames[:, None]).T))


def _occlusion(
    question: Question, options: AttributionOptions, cover: Callable[[Question, Tensor], Tensor]
) -> Work[Map]:
    yield Progress("trace", None, "Asking which frames speak for a word: frames covered")
    count = len(question.frames)
    window = min(options.window, count)
    starts = torch.arange(count - window + 1, device=question.order.device)[:, None]
    covered = (question.order >= starts) & (question.order < starts + window)  # (windows, T) in the order of reading
    (found,) = question.ask(question.frames[None])
    lost = found - question.ask(cover(question, covered))  # (windows, L)
    shares = covered.to(lost) / covered.sum(dim=0)  # each frame's value: the mean over its windows
    return Map(question.in_time(lost.T @ shares), window=window)


def _replace(question: Question, covered: Tensor) -> Tensor:
    """(N, T) -> (N, T, frame_embedding_size)"""
    return torch.where(covered[:, :, None], question.no_frame, question.frames)


def _delete(question: Question, covered: Tensor) -> Tensor:
    """(N, T) -> (N, T - window, frame_embedding_size). Where nothing would be left, one “no frame” is."""
    if covered.all():
        return question.no_frame.expand(len(covered), 1, -1)
    return torch.stack([question.frames[~row] for row in covered])


METHODS: dict[MethodName, tuple[Method, Answer]] = {
    method.name: (method, answer)
    for method, answer in (
        (
            Method(
                "occlusion_replaced",
                "Frame blanked",
                "How much log p(word) falls when a frame is replaced by the “no frame” feature.",
                "nat",
            ),
            occlusion_replaced,
        ),
        (
            Method(
                "occlusion_deleted",
                "Frame cut out",
                "How much log p(word) falls when a frame is cut out, so that the film is shorter.",
                "nat",
            ),
            occlusion_deleted,
        ),
        (
            Method(
                "single_frame",
                "Frame alone",
                "log p(word) when the model has read this one frame and nothing else (caption-guided saliency).",
                "nat",
            ),
            single_frame,
        ),
        (
            Method(
                "integrated_gradients",
                "Integrated gradients",
                "The slope of log p(word) times the way from “no frame” to the frame, summed along that way; "
                "all frames together add up to what seeing the film changed.",
                "nat",
            ),
            integrated_gradients,
        ),
        (
            Method(
                "gradient_times_input",
                "Gradient × input",
                "The slope of log p(word) at this film times the whole way from “no frame” to the frame.",
                "nat",
            ),
            gradient_times_input,
        ),
        (
            Method(
                "gradient_norm",
                "Gradient",
                "How steeply log p(word) would change with the frame's feature vector, in whatever direction.",
                "nat per unit of length of the feature vector",
            ),
            gradient_norm,
        ),
    )
}
