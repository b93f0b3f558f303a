"""A training run: `python -m s2vt_model train`.

Two phases. *Imitation*: cross-entropy on people's sentences. *Self-critical*: sentences of its own,
rewarded with the CIDEr they get, and METEOR if the recipe says so. Each hands on the moving average of its weights.
Between them, VGG-19's frame embedding may join that of clips (`joining.py`); at the end, cells may be added that hold
what a regression expects to be said (`evidence.py`).

A run folder holds the phases' states and logs, what they are of (`run.json`: recipe, data and fold), and
at the end `checkpoint/`.
"""

import json
import random
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from s2vt_model.checkpoint import save_checkpoint
from s2vt_model.config import CheckpointConfig, S2VTConfig
from s2vt_model.errors import S2VTError
from s2vt_model.evaluation.metrics import require_tools
from s2vt_model.training.corpus import Fold, TrainingData
from s2vt_model.training.evidence import Evidence, hold_evidence
from s2vt_model.training.joining import join_embeddings
from s2vt_model.training.learner import Learner, export, imitation_loss
from s2vt_model.training.phase import Phase
from s2vt_model.training.recipe import Recipe
from s2vt_model.training.self_critical import Critic
from s2vt_model.training.sources import Source

RUN_FILE = "run.json"
WARM_UP = 0.1  # share of the steps in which a one-cycle learning rate rises


def train(recipe: Recipe, data: TrainingData, run: Path, device: str = "cpu") -> Learner:
    """Train, or go on training, in the folder `run`; returns the averaged learner.

    Raises `S2VTError` where `run` holds a run of another recipe, fold or corpus, where METEOR is to be rewarded but
    cannot be had, and where there are more cells for evidence than the videos can fill.
    """
    if recipe.reward_steps and recipe.reward_meteor:
        require_tools()  # better now than after hours of imitation
    run.mkdir(parents=True, exist_ok=True)
    _identify(run, recipe, data)
    torch.manual_seed(recipe.seed)
    learner = new_learner(recipe, data).to(device)
    learner = _imitation(recipe, data, device).run(learner, run)
    if recipe.vgg19_enters == "joined" and data.twins:
        join_embeddings(learner, data.twins)
    if recipe.reward_steps:
        learner = _self_critical(recipe, data, device).run(learner, run)
    if recipe.evidence_cells:
        learner = learner.cpu()
        evidence = Evidence.learn(data.sources, data.twins, recipe.evidence_cells, recipe.evidence_prior)
        # `learner.said` fits the network no more; it is thrown away with the learner.
        learner.network = hold_evidence(learner.network, evidence, recipe.evidence_weight)
    return learner


def save_run(learner: Learner, recipe: Recipe, data: TrainingData, run: Path) -> Path:
    """Write the run's checkpoint, which takes raw features; returns its folder."""
    network = export(learner.cpu(), data.standardisation.mean, data.standardisation.deviation)
    config = CheckpointConfig(
        name=recipe.name,
        stream=recipe.stream,
        backbone=recipe.backbone,
        network=network.config,
        no_frame="mean" if recipe.architecture == "s2vt" else None,
        frame_order=recipe.frame_order,
        sampling=recipe.sampling,
        decoding=recipe.decoding,
        trained_on=data.summary,
        license="code MIT; learned from research corpora, see README.md",
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
        architecture=recipe.architecture,
        cell=recipe.cell,
    )
    return Learner(config, recipe.forget_bias, embeds_vgg19=recipe.vgg19_enters != "translated")


def _identify(run: Path, recipe: Recipe, data: TrainingData) -> None:
    """Note what the run is of; going on with something else would mix two trainings, or leak a fold."""
    fold = str(data.fold) if data.fold else None
    identity = json.dumps({"recipe": asdict(recipe), "trained_on": data.summary, "fold": fold}, indent=2) + "\n"
    file = run / RUN_FILE
    if not file.is_file():
        file.write_text(identity, encoding="utf-8")
    elif file.read_text(encoding="utf-8") != identity:
        raise S2VTError(f"“{run}” holds a run of another recipe, fold or corpus. Name another folder with --out.")


def fold_of(run: Path) -> Fold | None:
    """The fold that a run kept out of training."""
    text = json.loads((run / RUN_FILE).read_text(encoding="utf-8"))["fold"]
    return Fold.parse(text) if text else None


def _imitation(recipe: Recipe, data: TrainingData, device: str) -> Phase:
    def loss(learner: Learner, step: int, rng: random.Random) -> tuple[Tensor, dict]:
        source = _draw_source(data.sources, recipe, (step - 1) / recipe.steps, rng)
        value, parts = imitation_loss(learner, source.draw(rng).to(device), recipe)
        return value, {"source": source.name, **parts}

    one_cycle = partial(OneCycleLR, max_lr=recipe.learning_rate, total_steps=recipe.steps, pct_start=WARM_UP)
    return Phase(
        "imitation",
        recipe.steps,
        recipe.seed,
        loss,
        partial(_adamw, rate=recipe.learning_rate, decay=recipe.weight_decay),
        one_cycle if recipe.schedule == "one-cycle" else None,
        recipe.gradient_norm,
        recipe.average_decay,
    )


def _self_critical(recipe: Recipe, data: TrainingData, device: str) -> Phase:
    videos = [s for s in data.sources if s.name != "stills"]
    critics = {s.name: Critic.of(s, data.vocabulary, recipe.reward_meteor) for s in videos}

    def loss(learner: Learner, step: int, rng: random.Random) -> tuple[Tensor, dict]:
        source = _draw_source([c.source for c in critics.values()], recipe, 1.0, rng)
        critic_loss, reward = critics[source.name].loss(learner, rng, device)
        learner.train()
        imitated, _ = imitation_loss(learner, source.draw(rng).to(device), recipe)
        value = critic_loss + recipe.reward_imitation * imitated
        return value, {"source": source.name, "reward": reward}

    return Phase(
        "self_critical",
        recipe.reward_steps,
        recipe.seed,
        loss,
        partial(_adamw, rate=recipe.reward_learning_rate, decay=recipe.weight_decay),
        None,
        recipe.gradient_norm,
        recipe.reward_average_decay,
    )


def _adamw(learner: Learner, rate: float, decay: float) -> AdamW:
    return AdamW(learner.parameters(), rate, weight_decay=decay)


def _draw_source(sources: list[Source], recipe: Recipe, progress: float, rng: random.Random) -> Source:
    shares = [getattr(recipe, source.name) for source in sources]
    weights = [s.start + (s.end - s.start) * progress for s in shares]
    return rng.choices(sources, weights)[0]
