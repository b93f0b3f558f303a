"""The tree of sentences that a beam looked at."""

import math
from dataclasses import replace

from s2vt_model.decoding import BeamStep
from s2vt_model.trace.record import Node, rounded
from s2vt_model.vocabulary import Vocabulary


class BeamTree:
    """Watches the beam of one video (`decode(…, watch=tree.grow)`) and keeps what it saw."""

    def __init__(self, vocabulary: Vocabulary, length_exponent: float):
        self.vocabulary = vocabulary
        self.length_exponent = length_exponent
        self.nodes: list[Node] = []
        self._alive: list[int | None] = []  # which node each beam has come to; None before the first word
        self._step = 0

    def grow(self, step: BeamStep) -> None:
        """One more step. Continuations of dead beams, whose total is -inf, are none."""
        kept = set(step.kept[0].tolist())
        at: dict[int, int] = {}  # position among the step's continuations -> node
        columns = (step.parents, step.words, step.log_probs, step.totals, step.finished)
        continuations = zip(*(column[0].tolist() for column in columns), strict=True)
        for k, (parent, word, log_prob, total, finished) in enumerate(continuations):
            if not math.isfinite(total):
                continue
            at[k] = len(self.nodes)
            self.nodes.append(
                Node(
                    parent=self._alive[parent] if self._step else None,
                    step=self._step,
                    text=self.vocabulary.words[word],
                    log_prob=rounded(log_prob),
                    total=rounded(total),
                    score=rounded(total / (self._step + 1) ** self.length_exponent),
                    fate="finished" if finished else "kept" if k in kept else "dropped",
                    chosen=False,
                )
            )
        self._alive = [at.get(k) for k in step.kept[0].tolist()]
        self._step += 1

    def choose(self, texts: list[str]) -> tuple[Node, ...]:
        """All nodes, the path of the sentence `texts` (its "<EOS>" included, where it has one) marked."""
        found: int | None = None
        path = set()
        for step, text in enumerate(texts):
            found = next(
                at
                for at, node in enumerate(self.nodes)
                if node.step == step and node.text == text and node.parent == found and node.fate != "dropped"
            )
            path.add(found)
        return tuple(replace(node, chosen=at in path) for at, node in enumerate(self.nodes))
