"""A phase of training: an optimiser that follows one loss, killed and resumed without a trace.

While it runs, its whole state is in `RUN/PHASE.pt`; its log is `RUN/PHASE.jsonl`.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from s2vt_model.training.learner import Learner

SAVE_EVERY_STEPS = 200
LOG_EVERY_STEPS = 50

# (learner, step counted from 1, random numbers) -> the loss, and what to log of it
Loss = Callable[[Learner, int, random.Random], tuple[Tensor, dict[str, float | str]]]


@dataclass(frozen=True)
class Phase:
    """How long, how fast, and after what."""

    name: str
    steps: int
    seed: int
    loss: Loss
    optimiser: Callable[[Learner], torch.optim.Optimizer]
    schedule: Callable[[torch.optim.Optimizer], LRScheduler] | None  # None: a constant learning rate
    gradient_norm: float
    average_decay: float

    def run(self, learner: Learner, folder: Path) -> Learner:
        """Train `learner`, or go on training where `folder` stands; returns the averaged learner.

        Killed and started again on the same device, a phase takes the very steps it would have taken.
        """
        torch.manual_seed(self.seed)
        rng = random.Random(self.seed)
        optimiser = self.optimiser(learner)
        schedule = self.schedule(optimiser) if self.schedule else None
        averaged = AveragedModel(learner, multi_avg_fn=get_ema_multi_avg_fn(self.average_decay))
        parts = {"learner": learner, "optimiser": optimiser, "averaged": averaged}
        parts |= {"schedule": schedule} if schedule else {}
        device = next(learner.parameters()).device
        file = folder / f"{self.name}.pt"
        done = _resume(file, parts, rng)

        log_file = folder / f"{self.name}.jsonl"
        _forget_steps_after(done, log_file)
        with log_file.open("a", encoding="utf-8") as log:
            for step in range(done + 1, self.steps + 1):
                learner.train()
                with torch.autocast(device.type, torch.bfloat16):
                    loss, logged = self.loss(learner, step, rng)
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(learner.parameters(), self.gradient_norm)
                optimiser.step()
                if schedule:
                    schedule.step()
                averaged.update_parameters(learner)
                if step % LOG_EVERY_STEPS == 0 or step == self.steps:
                    entry = {"step": step, "loss": loss.item(), **logged}
                    log.write(json.dumps(entry) + "\n")
                    log.flush()
                    print(self.name, entry, flush=True)
                if step % SAVE_EVERY_STEPS == 0 or step == self.steps:
                    _save(file, parts, rng, step)
        return averaged.module.eval()


def _save(file: Path, parts: dict, rng: random.Random, step: int) -> None:
    version, internal, gauss = rng.getstate()
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"step": step, "rng": (version, list(internal), gauss), "torch_rng": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda_rng"] = torch.cuda.get_rng_state_all()
    partial = file.with_suffix(".partial")  # a kill while writing must not cost the run
    torch.save(state, partial)
    partial.replace(file)


def _resume(file: Path, parts: dict, rng: random.Random) -> int:
    """Restore the phase's state, if it has one; returns the steps already done."""
    if not file.is_file():
        return 0
    state = torch.load(file, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    version, internal, gauss = state["rng"]
    rng.setstate((version, tuple(internal), gauss))
    torch.set_rng_state(state["torch_rng"])
    if "cuda_rng" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda_rng"])
    return state["step"]


def _forget_steps_after(done: int, log_file: Path) -> None:
    """Steps that were logged but not saved are taken, and logged, again."""
    if log_file.is_file():
        lines = log_file.read_text(encoding="utf-8").splitlines(keepends=True)
        log_file.write_text("".join(x for x in lines if json.loads(x)["step"] <= done), encoding="utf-8")
