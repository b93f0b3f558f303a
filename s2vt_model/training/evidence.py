"""Evidence: what a linear regression expects to be said of a video, held by cells of their own until it is written.

Some hundred videos are few for LSTMs: what they learn by heart about frames hardly helps with the next video. A ridge
regression from a video's mean frame to the words said of it knows less, and is right more often. It needs no part of
its own in the network. Cells that are added to the trained LSTMs do what it does:

    reading    frame ── R rows of the frame embedding ── LSTM 1 hands them on ── LSTM 2 averages them
    writing    the stage flag shuts LSTM 2's input gates and opens its forget gates: c stays, and `predict` sees it

So it goes through the state like all else that the writer knows of the video. Cells that were trained see nothing of
those that are added. Mean pooling has no stages; there, the added cells hand on the mean frame at every word.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from s2vt_model.architectures import Network, build_network
from s2vt_model.errors import S2VTError
from s2vt_model.network import S2VT
from s2vt_model.training.ridge import ridge_regression
from s2vt_model.training.sources import Source
from s2vt_model.training.translation import Translation

STILL = 0.1  # what a still weighs, a video weighing 1
RARE = 0.002  # words said in a smaller share of the videos' sentences are left to the trained cells
DOUBT = 0.05  # added to a word's usual share: how much more than usual a word is expected counts relative to that
REACH = 0.2  # deviation of what the added rows say of a frame: small, so that tanh is all but linear
OPEN = 10.0  # a gate with this bias is open: sigmoid(10) = 0.99995; with its opposite it is shut
KEPT = 0.95  # of an average while reading, at every frame


@dataclass(frozen=True)
class Evidence:
    """A regression of rank R from standardised frames to words."""

    reading: Tensor  # (R, D)
    offset: Tensor  # (R,) reading @ frame + offset is 0 for the mean clip
    saying: Tensor  # (V, R): how much more than usual each word is expected, relative to its usual share
    frames: float  # that the model sees of a clip, usually

    @classmethod
    def learn(
        cls, sources: Sequence[Source], twins: Sequence[tuple[Tensor, Tensor]], rank: int, prior: float
    ) -> "Evidence":
        """From each video's mean frame to the share of its sentences that use a word, by the R strongest directions.

        sources, twins: see `TrainingData`; clips come first. prior: of the ridge, relative to the number of videos.
        Raises `S2VTError` where the videos tell fewer directions.
        """
        known = _mean_frames(sources, twins)
        said = [torch.stack([e.said for e in source.examples]).to_dense().double() for source, _ in known]
        videos = [y for y, (source, _) in zip(said, known, strict=True) if source.name != "stills"]
        usual = torch.cat(videos).mean(dim=0)  # (V,)
        told = usual >= RARE
        relative = 1 / (usual[told] + DOUBT)
        # Each source is compared with itself: stills are photographs, and captions of another kind.
        x = torch.cat([means - means.mean(dim=0) for _, means in known])
        y = torch.cat([(shares - shares.mean(dim=0))[:, told] * relative for shares in said])
        weight = torch.cat([_weights(source) for source, _ in known])
        regression = ridge_regression(x, y, prior, weight)  # (D, words told)
        _, strengths, directions = torch.linalg.svd(weight.sqrt() * x @ regression, full_matrices=False)
        told_apart = int((strengths > 1e-6 * strengths.max()).sum())
        if rank > told_apart:
            raise S2VTError(
                f"{rank} evidence_cells are more than these videos can fill: set at most {told_apart} in the recipe."
            )
        directions = directions[:rank].T  # (words told, R), the strongest first
        reading = (regression @ directions).T  # (R, D)
        clips, clip_means = known[0]
        frames = torch.cat([e.views[0] for e in clips.examples]).double()
        reach = (frames @ reading.T).std(dim=0) / REACH
        reading = reading / reach[:, None]
        saying = torch.zeros(len(usual), rank, dtype=x.dtype)
        saying[told] = directions * reach
        return cls(
            reading.float(),
            -(reading @ clip_means.mean(dim=0)).float(),
            saying.float(),
            torch.tensor([len(e.views[0]) for e in clips.examples]).median().item() / clips.oversampling,
        )


def _mean_frames(sources: Sequence[Source], twins: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[Source, Tensor]]:
    """Each source with the mean frame of its examples, (N, D), as the backbone of the first source sees them.

    Features of another network (VGG-19's, where they enter by an embedding of their own) are translated; without twins
    to learn that from, their source is left out.
    """
    size, known = sources[0].examples[0].views[0].shape[1], []
    for source in sources:
        seen = [e.views[0] for e in source.examples]
        if seen[0].shape[1] != size:
            if not twins:
                continue
            translate = Translation.learn([(theirs, ours) for ours, theirs in twins])
            seen = [translate(x) for x in seen]
        known.append((source, torch.stack([x.mean(dim=0) for x in seen]).double()))
    return known


def _weights(source: Source) -> Tensor:
    return torch.full((len(source.examples), 1), STILL if source.name == "stills" else 1.0).double()


def hold_evidence(network: Network, evidence: Evidence, weight: float) -> Network:
    """The network with R more cells in both LSTMs and R more rows of the frame embedding.

    weight: of the evidence, in nats for each time that a word is expected once more than usual.
    """
    rank, config = len(evidence.offset), network.config
    hidden, embedded = config.hidden_size, config.frame_embedding_size
    grown = build_network(replace(config, hidden_size=hidden + rank, frame_embedding_size=embedded + rank)).eval()
    with torch.no_grad():
        for parameter in grown.parameters():
            parameter.zero_()
        for name, buffer in network.named_buffers():
            grown.get_buffer(name).copy_(buffer)
        grown.word_embedding.weight.copy_(network.word_embedding.weight)
        grown.frame_embedding.weight.copy_(torch.cat([network.frame_embedding.weight, evidence.reading]))
        grown.frame_embedding.bias.copy_(torch.cat([network.frame_embedding.bias, evidence.offset]))
        if isinstance(network, S2VT):
            _grow(network.lstm1, grown.lstm1, [embedded])
            _grow(network.lstm2, grown.lstm2, [hidden, config.word_embedding_size + 1])
            _hand_on(grown.lstm1, rank, embedded)
            _average_while_reading(grown.lstm2, rank, hidden)
            held = 1 - KEPT**evidence.frames  # of the mean, after so many frames
        else:
            _grow(network.lstm1, grown.lstm1, [config.word_embedding_size])
            _grow(network.lstm2, grown.lstm2, [hidden, embedded])
            _hand_on(grown.lstm2, rank, hidden + rank + embedded)
            held = 1.0
        grown.predict.weight.copy_(torch.cat([network.predict.weight, weight / held * evidence.saying], dim=1))
        grown.predict.bias.copy_(network.predict.bias)
    return grown


def _grow(small: nn.LSTM, large: nn.LSTM, widths: Sequence[int]) -> None:
    """Copy a trained LSTM into the first cells of a larger one that is all zeros.

    widths: of the parts of its input. All but the last, or the only one, have grown at their ends by as many cells.
    """
    cells, added = small.hidden_size, large.hidden_size - small.hidden_size
    columns, start = [], 0
    for width in widths:
        columns += range(start, start + width)
        start += width + added

    def gates(lstm: nn.LSTM, name: str) -> Tensor:
        return getattr(lstm, name).view(4, lstm.hidden_size, -1)

    gates(large, "weight_ih_l0")[:, :cells, columns] = gates(small, "weight_ih_l0")
    gates(large, "weight_hh_l0")[:, :cells, :cells] = gates(small, "weight_hh_l0")
    for bias in ("bias_ih_l0", "bias_hh_l0"):
        gates(large, bias)[:, :cells] = gates(small, bias)


def _hand_on(lstm: nn.LSTM, rank: int, column: int) -> None:
    """The last `rank` cells say at every step what comes in from `column` on: h = tanh(tanh(x))."""
    i, f, _, o = lstm.bias_ih_l0.view(4, -1)[:, -rank:]
    i.fill_(OPEN)
    f.fill_(-OPEN)
    o.fill_(OPEN)
    lstm.weight_ih_l0.view(4, lstm.hidden_size, -1)[2, -rank:, column : column + rank].fill_diagonal_(1.0)


def _average_while_reading(lstm: nn.LSTM, rank: int, column: int) -> None:
    """The last `rank` cells average what comes in from `column` on while the stage flag is 0, and hold it at 1."""
    i, f, _, o = lstm.bias_ih_l0.view(4, -1)[:, -rank:]
    i.fill_(math.log((1 - KEPT) / KEPT))
    f.fill_(math.log(KEPT / (1 - KEPT)))
    o.fill_(OPEN)
    weights = lstm.weight_ih_l0.view(4, lstm.hidden_size, -1)[:, -rank:]  # the stage flag is the last column
    weights[0, :, -1] = -2 * OPEN
    weights[1, :, -1] = 2 * OPEN
    weights[2, :, column : column + rank].fill_diagonal_(1.0)
