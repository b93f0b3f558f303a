"""Made-up films, and tiny checkpoints that have an opinion about them."""

import torch

from s2vt_model.architectures import build_network
from s2vt_model.checkpoint import Checkpoint
from s2vt_model.config import CheckpointConfig, S2VTConfig
from s2vt_model.trace import Film, Footage
from s2vt_model.trace.record import TracedFrame
from s2vt_model.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["a", "man", "dog", "is", "running", "singing", "on", "grass"])
FRAME_S = 0.4
SIZES = {"rgb": 6, "motion": 4}


def footage(features: torch.Tensor, pictures: int = 1) -> Footage:
    """Vectors of so many pictures each, a picture every 0.4 s."""
    frames = []
    for at in range(0, len(features) * pictures, pictures):
        last = at + pictures - 1
        times = (round(x * FRAME_S, 4) for x in (at, last, last + 1))
        frames.append(TracedFrame(at * 10, last * 10, *times))
    return Footage(features, tuple(frames))


def film(**streams: Footage) -> Film:
    return Film(streams, 0.0, max(s.frames[-1].end_s for s in streams.values()))


def noise_film(frames: int = 7, seed: int = 1) -> Film:
    """A stream "rgb" of so many frames, and "motion" of half as many vectors."""
    noise = torch.Generator().manual_seed(seed)
    rgb = torch.randn(frames, SIZES["rgb"], generator=noise)
    motion = torch.randn(-(-frames // 2), SIZES["motion"], generator=noise)
    return film(rgb=footage(rgb), motion=footage(motion, 2))


def tiny(stream: str = "rgb", seed: int = 0, no_frame: str = "zero", order: str = "time", **network) -> Checkpoint:
    torch.manual_seed(seed + SIZES[stream])
    shape = S2VTConfig(SIZES[stream], 5, 4, 8, len(VOCABULARY), **network)
    pools = shape.architecture == "mean_pool"
    config = CheckpointConfig(f"tiny-{stream}", stream, "none", shape, None if pools else no_frame, order)
    built = build_network(shape).eval().requires_grad_(False)
    for parameter in built.parameters():
        parameter.mul_(3)  # large enough to have an opinion
    if no_frame == "mean" and not pools:
        built.no_frame.normal_()
    return Checkpoint(config, VOCABULARY, built, None)


def only(film: Film, stream: str) -> Film:
    """The film as one stream sees it."""
    return Film({stream: film.streams[stream]}, film.start_s, film.duration_s, film.edits)
