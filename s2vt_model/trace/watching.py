"""As it watches: the caption that the model would give had the clip ended earlier.

The features stay those of the whole clip. A motion vector counts as read once the last of its frames was shown.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from s2vt_model.captioner import Captioner, Features
from s2vt_model.decoding import DecodingOptions
from s2vt_model.progress import Progress, Work
from s2vt_model.trace.film import Film
from s2vt_model.trace.record import Prefix, rounded

SENTENCES_AT_ONCE = 320  # beams of all prefixes together


def watch_prefixes(
    captioner: Captioner, film: Film, options: DecodingOptions, alpha: Mapping[str, float] | None = None
) -> Work[tuple[Prefix, ...]]:
    """The caption at the moment of every frame of every stream, as `options` search; sampling becomes greedy.

    All prefixes are written in few batches. While a stream has seen nothing, the others share its say.
    """
    if options.method == "sample":
        options = replace(options, method="greedy")  # chance would change the sentence, not the film
    moments = sorted({frame.last_time_s for footage in film.streams.values() for frame in footage.frames})
    seen = {moment: _frames_seen(film, moment) for moment in moments}
    together: dict[frozenset[str], list[float]] = defaultdict(list)  # moments at which the same streams can write
    for moment, counts in seen.items():
        together[frozenset(name for name, count in counts.items() if count)].append(moment)
    at_once = max(SENTENCES_AT_ONCE // (options.beam_width if options.method == "beam" else 1), 1)
    batches = [group[at : at + at_once] for group in together.values() for at in range(0, len(group), at_once)]
    found: dict[float, Prefix] = {}
    for batch in batches:
        yield Progress("trace", len(found) / len(seen), "Captioning what was seen so far")
        films = [_cut(film, seen[moment]) for moment in batch]
        for moment, (best, *_) in zip(batch, captioner.decode(films, options, alpha), strict=True):
            caption = captioner.vocabulary.decode(best.words)
            found[moment] = Prefix(moment, tuple(seen[moment].values()), caption, rounded(best.log_prob))
    return tuple(found[moment] for moment in moments)


def _frames_seen(film: Film, moment: float) -> dict[str, int]:
    """How many vectors of each stream are complete at `moment`."""
    return {
        name: sum(frame.last_time_s <= moment for frame in footage.frames) for name, footage in film.streams.items()
    }


def _cut(film: Film, counts: Mapping[str, int]) -> Features:
    """What was seen so far, of the streams that have seen anything."""
    return {name: film.streams[name].features[:count] for name, count in counts.items() if count}
