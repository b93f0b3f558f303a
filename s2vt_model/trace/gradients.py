"""Gradients of log p(word) by the frames, and their integral along the way from “no frame” to the film.

Many words of many films go through the network together: a backward pass takes one word of every film.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from s2vt_model.progress import Progress, Work
from s2vt_model.trace.question import Question

GRADIENTS_AT_ONCE = 128  # rows of a batch: films × words
FILMS_AT_ONCE = 16

EASING = 4
FINEST = 2**14  # the way is cut at whole numbers 0 … FINEST
PIECES = 4  # at first
MOST_POINTS = 1024  # of one word
# Of the completeness that is promised, 2 % and 0.01 nat, nine tenths: the rest is for rounding.
INCOMPLETE_SHARE, INCOMPLETE_NATS = 0.018, 0.009
SPARED = 0.75  # pieces whose errors add up to this share of a word's stay whole: halves have errors too


class Slopes(NamedTuple):
    """log p of all words of N films, and by how much it rises with each frame, where that was asked."""

    log_probs: Tensor  # (N, L)
    gradients: Tensor  # (number asked, T, …), film by film and in each word by word


def slopes(question: Question, films: Tensor, asked: Tensor, along: Tensor | None = None) -> Work[Slopes]:
    """films: (N, T, frame_embedding_size); asked: (N, L) bool, which gradients are wanted.

    The gradients are (T, frame_embedding_size) each; with a direction `along` of that shape, (T,) each: what every
    frame adds to the slope in that direction.
    """
    question = question.differentiable()
    log_probs = films.new_empty(asked.shape)
    gradients = films.new_empty(int(asked.sum()), *films.shape[1 : 3 if along is None else 2])
    place = (asked.flatten().cumsum(dim=0) - 1).view(asked.shape)  # in `gradients`
    batches = asked.sum(dim=1).argsort(descending=True, stable=True).split(FILMS_AT_ONCE)  # like beside like
    for done, batch in enumerate(batches):
        leaves = films[batch].detach().requires_grad_()
        with torch.enable_grad():
            answers = question.log_probs(leaves)
        log_probs[batch] = answers.detach()
        film, word = asked[batch].nonzero(as_tuple=True)
        turn = (asked[batch].cumsum(dim=1) - 1)[film, word]
        most = int(asked[batch].sum(dim=1).max())
        for turns in torch.arange(most).split(max(GRADIENTS_AT_ONCE // len(batch), 1)) if most else ():
            yield Progress("trace", done / len(batches), "Asking which frames speak for a word: gradients")
            now = (turn >= turns[0]) & (turn <= turns[-1])
            row, of, what = turn[now] - turns[0], film[now], word[now]
            wanted = torch.zeros(len(turns), *answers.shape).to(answers)
            wanted[row, of, what] = 1
            (found,) = torch.autograd.grad(answers, leaves, wanted, retain_graph=True, is_grads_batched=True)
            found = found[row, of]
            gradients[place[batch][of, what]] = found if along is None else (found * along).sum(dim=2)
    return Slopes(log_probs, gradients)


class Piece(NamedTuple):
    """Of the way."""

    first: int
    middle: int
    last: int

    @property
    def halves(self) -> "tuple[Piece, Piece]":
        return piece(self.first, self.middle), piece(self.middle, self.last)


def piece(first: int, last: int) -> Piece:
    return Piece(first, (first + last) // 2, last)


class Integral(NamedTuple):
    values: Tensor  # (L, T) in the order of reading
    error: Tensor  # (L,) nat: their sums less what they should be


def integrate(question: Question) -> Work[Integral]:
    """∫ ∂ log p / ∂ frames · (frames - no frame) dt over the straight line from “no frame” in every place to the film.

    Nearly all that happens on this line happens close to its start, where a film is hardly more than nothing, so the
    way is t = u^4 and runs over u. By Simpson's rule, adaptively (Kuncir 1962), word by word: a piece's integral
    over all frames is known without integrating, log p at its end less log p at its start. So each piece knows how far
    it is off, and is cut into halves, which use its points again, while the errors of all pieces of a word, without
    their signs, add up to more than what is promised.
    """
    difference = question.frames - question.no_frame
    words = range(len(question.words))
    empty = question.no_frame.expand_as(question.frames)
    found, without = question.ask(torch.stack([question.frames, empty]))
    tolerance = (INCOMPLETE_SHARE * torch.maximum(found.abs(), without.abs()) + INCOMPLETE_NATS).tolist()
    heights = {0: without}  # point -> log p of all words
    rising = {(0, word): torch.zeros_like(difference[:, 0]) for word in words}  # by u; at u = 0, t does not move
    step = FINEST // PIECES
    errors: list[dict[Piece, float]] = [{} for _ in words]  # of each word's pieces
    new = [[piece(at, at + step) for at in range(0, FINEST, step)] for _ in words]

    def simpson(one: Piece, word: int) -> Tensor:
        ends = rising[one.first, word] + rising[one.last, word]
        return (ends + 4 * rising[one.middle, word]) * ((one.last - one.first) / FINEST / 6)

    while any(new):
        pairs = {(at, word) for word in words for one in new[word] for at in one} - rising.keys()
        points = sorted({at for at, _ in pairs})
        asked = torch.tensor([[(at, word) in pairs for word in words] for at in points])
        u = torch.tensor(points).to(difference) / FINEST
        films = empty + (u**EASING)[:, None, None] * difference
        log_probs, along = yield from slopes(question, films, asked, difference)
        heights |= dict(zip(points, log_probs, strict=True))
        for (film, word), slope in zip(asked.nonzero().tolist(), along, strict=True):
            rising[points[film], word] = slope * EASING * u[film] ** (EASING - 1)
        for word in words:
            for one in new[word]:
                should_be = heights[one.last][word] - heights[one.first][word]
                errors[word][one] = (simpson(one, word).sum() - should_be).item()
            new[word] = _to_be_halved(errors[word], tolerance[word])
    values = torch.stack([sum(simpson(one, word) for one in errors[word]) for word in words])
    return Integral(values, values.sum(dim=1) - (found - without))


def _to_be_halved(errors: dict[Piece, float], tolerance: float) -> list[Piece]:
    """Takes a word's worst pieces out; returns their halves. None when the word is complete, or cut finely enough."""
    left = sum(map(abs, errors.values()))
    if left <= tolerance or 2 * len(errors) >= MOST_POINTS:
        return []
    worst = []
    for one in sorted(errors, key=lambda piece: -abs(errors[piece])):
        if left <= SPARED * tolerance:
            break
        if one.last - one.first > 2:
            worst.append(one)
            left -= abs(errors.pop(one))
    return [half for one in worst for half in one.halves]
