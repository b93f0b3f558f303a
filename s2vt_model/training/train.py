"""The training loop: `python -m s2vt_model train`.

A run folder holds `state.pt` (to go on after a kill, exactly), `log.jsonl`, `recipe.json`, the
averaged weights as `learner.safetensors` (for distillation), and at the end `checkpoint/`.
"""

import json
import random
import time
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from s2vt_model.checkpoint import save_checkpoint
from s2vt_model.config import CheckpointConfig, S2VTConfig
from s2vt_model.training.corpus import TrainingData
from s2vt_model.training.learner import Learner, export, losses
from s2vt_model.training.recipe import Recipe, Share
from s2vt_model.training.sources import Source

SAVE_EVERY_STEPS = 200
LOG_EVERY_STEPS = 50
WARM_UP = 0.1  # share of the steps in which the learning rate rises


def train(recipe: Recipe, data: TrainingData, run: Path, device: str = "cpu") -> Learner:
    """Train, or go on training, in the folder `run`; returns the averaged learner.

    Killed and started again, a run takes the very steps it would have taken.
    """
    run.mkdir(parents=True, exist_ok=True)
    (run / "recipe.json").write_text(json.dumps(recipe.to_dict(), indent=2) + "\n", encoding="utf-8")
    torch.manual_seed(recipe.seed)
    rng = random.Random(recipe.seed)
    learner = new_learner(recipe, data).to(device)
    optimiser = torch.optim.AdamW(learner.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps, pct_start=WARM_UP
    )
    averaged = torch.optim.swa_utils.AveragedModel(
        learner, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average_decay)
    )
    parts = {"learner": learner, "optimiser": optimiser, "schedule": schedule, "averaged": averaged}
    done = _resume(run, parts, rng)
    teachers = [load_teacher(Path(folder), recipe, data, device) for folder in recipe.teachers]

    started = time.monotonic()
    learner.train()
    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        for step in range(done + 1, recipe.steps + 1):
            source = _draw_source(data.sources, recipe, (step - 1) / recipe.steps, rng)
            batch = source.draw(rng)
            with torch.autocast(torch.device(device).type, torch.bfloat16):
                loss, logged = losses(learner, _to(batch, device), recipe, teachers)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learner.parameters(), recipe.gradient_norm)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(learner)
            if step % LOG_EVERY_STEPS == 0 or step == recipe.steps:
                entry = {"step": step, "source": source.name, "loss": loss.item(), **logged}
                entry["seconds"] = round(time.monotonic() - started, 1)
                log.write(json.dumps(entry) + "\n")
                log.flush()
                print(entry, flush=True)
            if step % SAVE_EVERY_STEPS == 0 or step == recipe.steps:
                _save(run, parts, rng, step)
    result = averaged.module.eval()
    save_file(result.state_dict(), run / "learner.safetensors")
    return result


def save_run(learner: Learner, recipe: Recipe, data: TrainingData, run: Path) -> Path:
    """Write the run's checkpoint, which takes raw features; returns its folder."""
    network = export(learner.cpu(), data.standardisation.mean, data.standardisation.deviation)
    config = CheckpointConfig(
        name=recipe.name,
        stream="rgb",
        backbone=recipe.backbone,
        network=network.config,
        no_frame="mean",
        trained_on="MSVD train clips" + "".join(f", {s.name}" for s in data.sources if s.name != "clips"),
        license="research corpora: see README.md",
    )
    folder = run / "checkpoint"
    save_checkpoint(folder, config, data.vocabulary, network)
    return folder


def new_learner(recipe: Recipe, data: TrainingData) -> Learner:
    """An untrained learner for this vocabulary and these features."""
    config = S2VTConfig(
        feature_size=len(data.standardisation.mean),
        frame_embedding_size=recipe.frame_embedding_size,
        word_embedding_size=recipe.word_embedding_size,
        hidden_size=recipe.hidden_size,
        vocabulary_size=len(data.vocabulary),
        dropout=recipe.dropout,
    )
    return Learner(config, recipe.forget_bias)


def load_teacher(run: Path, recipe: Recipe, data: TrainingData, device: str) -> Learner:
    """The averaged learner of a finished run with the same vocabulary and features."""
    sizes = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    names = ("frame_embedding_size", "word_embedding_size", "hidden_size")
    learner = new_learner(replace(recipe, **{name: sizes[name] for name in names}), data)
    learner.load_state_dict(load_file(run / "learner.safetensors"))
    return learner.to(device).eval()


def _draw_source(sources: tuple[Source, ...], recipe: Recipe, progress: float, rng: random.Random) -> Source:
    shares: list[Share] = [getattr(recipe, source.name) for source in sources]
    weights = [s.start + (s.end - s.start) * progress for s in shares]
    return rng.choices(sources, weights)[0]


def _to(batch, device: str):
    moved = {name: x.to(device) for name, x in vars(batch).items() if isinstance(x, torch.Tensor)}
    return replace(batch, **moved)


def _save(run: Path, parts: dict, rng: random.Random, step: int) -> None:
    version, internal, gauss = rng.getstate()
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"step": step, "rng": (version, list(internal), gauss), "torch_rng": torch.get_rng_state()}
    partial = run / "state.pt.partial"  # a kill while writing must not cost the run
    torch.save(state, partial)
    partial.replace(run / "state.pt")


def _resume(run: Path, parts: dict, rng: random.Random) -> int:
    """Restore the run's state, if it has one; returns the steps already done."""
    file = run / "state.pt"
    if not file.is_file():
        return 0
    state = torch.load(file, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    version, internal, gauss = state["rng"]
    rng.setstate((version, tuple(internal), gauss))
    torch.set_rng_state(state["torch_rng"])
    return state["step"]
