"""Film in, `Trace` out.

The sentence is searched for as ever, by the networks as they are, which remember what they read; then it is written
once more, and what every step did is worked out from what went in and what came out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from s2vt_model.architectures import Network
from s2vt_model.captioner import Captioner, Features, Seen
from s2vt_model.checkpoint import Checkpoint
from s2vt_model.decoding import DecodingOptions, Hypothesis, decode
from s2vt_model.frame_order import reading_order
from s2vt_model.fusion import FusedState
from s2vt_model.progress import Progress, Work
from s2vt_model.trace.attribution import METHODS, AttributionOptions, Map
from s2vt_model.trace.beam import BeamTree
from s2vt_model.trace.film import Film, Footage, film_of
from s2vt_model.trace.layers import summarise
from s2vt_model.trace.packed import pack
from s2vt_model.trace.question import Question, ask_about, no_frame_feature
from s2vt_model.trace.record import Attribution, Layer, Scores, Trace, TracedStream, rounded
from s2vt_model.trace.sanity import rank_correlation, shuffled_weights
from s2vt_model.trace.stepped import Recording, wrapped
from s2vt_model.trace.watching import watch_prefixes
from s2vt_model.trace.words import trace_words, written
from s2vt_model.vocabulary import EOS

DEFAULT_ATTRIBUTION = AttributionOptions()


def trace(
    captioner: Captioner,
    film: Film | Seen,
    options: DecodingOptions | None = None,
    alpha: Mapping[str, float] | None = None,
    prefix: Sequence[int] = (),
    attribution: AttributionOptions | None = DEFAULT_ATTRIBUTION,
) -> Work[Trace]:
    """The best sentence about a film, and all that led to it.

    `prefix`: ids of the words that it is made to begin with; `attribution`: None to leave that part, by far the
    longest, out. Raises what `Captioner.decode` and `film_of` raise.
    """
    options = options or captioner.default_options
    if isinstance(film, Seen):
        film = film_of(captioner, film)
    yield Progress("trace", None, "Writing the caption")
    recorded = record(captioner, film.features, options, alpha, prefix)
    best = recorded.best
    words = written(best)
    texts = [captioner.vocabulary.words[i] for i in words]

    shares = captioner.shares(film.features, alpha)
    checkpoints = {name: captioner.streams[name].checkpoint for name in shares}
    watching = yield from watch_prefixes(captioner, film, options, alpha)
    if attribution:
        answered = yield from _attribute(checkpoints, film, shares, words, attribution)
    else:
        answered = dict.fromkeys(shares, ((), None))
    streams = (
        _stream(name, checkpoint, shares[name], film.streams[name], recorded.layers[name], *answered[name])
        for name, checkpoint in checkpoints.items()
    )
    logits = list(recorded.logits.values())
    return Trace(
        model=captioner.name,
        start_s=film.start_s,
        duration_s=film.duration_s,
        edits=film.edits,
        decoding=options,
        caption=captioner.vocabulary.decode(best.words),
        log_prob=rounded(best.log_prob, 6),
        finished=best.end_log_prob is not None,
        words=trace_words(best, logits, list(shares.values()), captioner.vocabulary, len(prefix)),
        streams=tuple(streams),
        beam=recorded.beam.choose(texts) if options.method == "beam" else (),
        watching=watching,
        methods=tuple(method for method, _ in METHODS.values()) if attribution else (),
    )


class Recorded(NamedTuple):
    """One decoding, and what the networks did in it; by the names of the streams, in the order in which they write."""

    best: Hypothesis
    beam: BeamTree
    layers: dict[str, tuple[Layer, Layer]]
    logits: dict[str, Tensor]  # (L, V) at every step of the best sentence


@torch.inference_mode()
def record(
    captioner: Captioner,
    features: Features,
    options: DecodingOptions,
    alpha: Mapping[str, float] | None = None,
    prefix: Sequence[int] = (),
) -> Recorded:
    """What `captioner.decode` does, with every step of reading, and of writing the best sentence, on record."""
    recording = _recording(captioner)
    writer, state = recording.read([features], alpha)
    tree = BeamTree(captioner.vocabulary, options.length_exponent)
    best = decode(writer, state, 1, options, prefix, tree.grow)[0][0]
    states = state.streams if isinstance(state, FusedState) else (state,)
    inputs = torch.tensor([[EOS, *written(best)[:-1]]])
    layers, logits = {}, {}
    for name, own in zip(recording.shares(features, alpha), states, strict=True):
        network = recording.streams[name].checkpoint.network
        logits[name] = network.predict(network.decode(inputs.to(own.device), own))[0]
        layers[name] = tuple(
            summarise(layer, *getattr(network, layer).steps(), encoding_steps=_reads(network, features[name]))
            for layer in ("lstm1", "lstm2")
        )
    return Recorded(best, tree, layers, logits)


def _recording(captioner: Captioner) -> Captioner:
    """The same captioner, whose networks remember."""
    streams = {}
    for name, stream in captioner.streams.items():
        network = wrapped(stream.checkpoint.network, Recording)
        streams[name] = replace(stream, checkpoint=replace(stream.checkpoint, network=network))
    return Captioner(captioner.name, streams, captioner.alpha)


def _reads(network: Network, features: Tensor) -> int:
    """How many of a layer's steps read; mean pooling has none that do."""
    return len(features) if network.config.architecture == "s2vt" else 0


def _stream(
    name: str,
    checkpoint: Checkpoint,
    share: float,
    footage: Footage,
    layers: tuple[Layer, Layer],
    attribution: tuple[Attribution, ...],
    scores: Scores | None,
) -> TracedStream:
    config = checkpoint.config
    order = reading_order(config.frame_order, _reads(checkpoint.network, footage.features)).tolist()
    return TracedStream(
        name=name,
        checkpoint=config.name,
        architecture=config.network.architecture,
        cell=config.network.cell,
        alpha=rounded(share),
        frames=footage.frames,
        reading_order=tuple(order),
        encoding_steps=len(order),
        baseline="mean" if no_frame_feature(checkpoint.network).any() else "zero",
        layers=layers,
        attribution=attribution,
        scores=scores,
    )


# --- attribution --------------------------------------------------------------------------------


def _attribute(
    checkpoints: Mapping[str, Checkpoint],
    film: Film,
    shares: Mapping[str, float],
    words: Sequence[int],
    options: AttributionOptions,
) -> Work[dict[str, tuple[tuple[Attribution, ...], Scores]]]:
    """Every method's map of every stream, beside that of the same networks with shuffled weights."""
    networks = [c.network for c in checkpoints.values()]
    shuffled = [shuffled_weights(network, options.seed) for network in networks]
    features = [film.streams[name].features for name in checkpoints]
    orders = [reading_order(c.config.frame_order, len(x)) for c, x in zip(checkpoints.values(), features, strict=True)]
    alpha = list(shares.values())
    found = {}
    for stream, name in enumerate(checkpoints):
        question = ask_about(stream, networks, features, orders, alpha, words)
        meaningless = ask_about(stream, shuffled, features, orders, alpha, words)
        maps: list[Map] = []
        randomised: list[Map] = []
        for _, answer in METHODS.values():
            maps.append((yield from answer(question, options)))
            randomised.append((yield from answer(meaningless, options)))
        found[name] = (_attributions(maps, randomised), _scores(question))
    return found


def _attributions(maps: Sequence[Map], randomised: Sequence[Map]) -> tuple[Attribution, ...]:
    return tuple(
        Attribution(
            values=pack(own.values, 16),
            randomised=pack(other.values, 16),
            rank_correlations=tuple(_rounded(rank_correlation(own.values, m.values)) for m in maps),
            randomised_correlation=_rounded(rank_correlation(own.values, other.values)),
            completeness_error=_numbers(own.completeness_error) if own.completeness_error is not None else None,
            window=own.window,
        )
        for own, other in zip(maps, randomised, strict=True)
    )


def _scores(question: Question) -> Scores:
    empty = question.no_frame.expand_as(question.frames)
    found, without = question.ask(torch.stack([question.frames, empty]))
    return Scores(_numbers(found), _numbers(without))


def _numbers(values: Tensor) -> tuple[float, ...]:
    return tuple(rounded(v) for v in values.tolist())


def _rounded(correlation: float | None) -> float | None:
    return None if correlation is None else rounded(correlation, 4)
