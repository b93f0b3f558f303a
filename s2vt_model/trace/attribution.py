"""Which frames speak for a word: six answers, word × frame, none of which is the truth.

S2VT has no attention: all that a word knows of the video came through the state (h1, c1, h2, c2). So nothing
can be read off; one can only ask what would have been, or how steep the way is. Every method asks about
log p(word | the words before it, frames), of the streams together where several write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from s2vt_model.errors import S2VTError
from s2vt_model.progress import Progress, Work
from s2vt_model.trace.gradients import integrate, slopes
from s2vt_model.trace.question import Question
from s2vt_model.trace.record import Method, MethodName


@dataclass(frozen=True)
class AttributionOptions:
    """How frames are asked about. Raises `S2VTError` on a value that makes no sense."""

    window: int = 1  # neighbouring frames that occlusion covers at once
    seed: int = 0  # of the randomised weights

    def __post_init__(self):
        if not (isinstance(self.window, int) and self.window >= 1):
            raise S2VTError(f"Occlusion covers a whole number of frames, 1 or more; not {self.window}.")


class Map(NamedTuple):
    """One method's answer."""

    values: Tensor  # (L, T), frames in the order of time
    completeness_error: Tensor | None = None  # (L,) nat
    window: int | None = None


Answer = Callable[[Question, AttributionOptions], Work[Map]]


# --- gradients --------------------------------------------------------------------------------


def gradient_norm(question: Question, options: AttributionOptions) -> Work[Map]:
    """Simonyan et al. 2014, arXiv 1312.6034; of the whole feature vector, before the embedding."""
    gradients = yield from _gradients(question)
    features = gradients @ question.network.frame_embedding.weight  # (L, T, D): the chain rule
    return Map(question.in_time(features.norm(dim=2)))


def gradient_times_input(question: Question, options: AttributionOptions) -> Work[Map]:
    """Relative to “no frame”, so that it is the first-order estimate of what `occlusion_replaced` measures."""
    gradients = yield from _gradients(question)
    return Map(question.in_time((gradients * (question.frames - question.no_frame)).sum(dim=2)))


def integrated_gradients(question: Question, options: AttributionOptions) -> Work[Map]:
    """Sundararajan et al. 2017, arXiv 1703.01365, along the straight line from “no frame” in every place."""
    values, error = yield from integrate(question)
    return Map(question.in_time(values), error)


def _gradients(question: Question) -> Work[Tensor]:
    """(L, T, frame_embedding_size) of every word, at the film as it is."""
    every = torch.ones(1, len(question.words), dtype=torch.bool)
    return (yield from slopes(question, question.frames[None], every)).gradients


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
