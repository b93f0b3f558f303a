"""Train a checkpoint on MSVD clips, their VGG-19 features and Flickr8k's stills."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--msvd", type=Path, required=True, metavar="DIR", help="MSVD's folder (see the README)")
    parser.add_argument("--flickr8k", type=Path, metavar="DIR", help="Flickr8k's folder; without it, no stills")
    parser.add_argument("--recipe", type=Path, required=True, help="a TOML file: sizes, steps, rates, seed")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="run folder; one that exists goes on")
    parser.add_argument("--fold", metavar="I/N", help="keep the I-th (from 0) of N parts of the videos out")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--cache", type=Path, default=Path(".cache/features"), help="where features are kept")


def run(options: argparse.Namespace) -> int:
    from s2vt_model.backbones import load_backbone
    from s2vt_model.captioner import resolve_device
    from s2vt_model.checkpoint import WEIGHTS
    from s2vt_model.features import open_cache
    from s2vt_model.training.corpus import Fold, load_training_data
    from s2vt_model.training.recipe import read_recipe
    from s2vt_model.training.train import save_run, train

    device = resolve_device(options.device)
    recipe = read_recipe(options.recipe)
    backbone_folder = WEIGHTS / "backbones" / recipe.backbone
    cache = open_cache(options.cache, load_backbone(backbone_folder, device), backbone_folder)
    fold = Fold.parse(options.fold) if options.fold else None
    data = load_training_data(recipe, cache, options.msvd, options.flickr8k, fold)
    learner = train(recipe, data, options.out, device)
    folder = save_run(learner, recipe, data, options.out)
    print(f"Trained. The checkpoint is in {folder}; score it with: python -m s2vt_model evaluate --checkpoint {folder}")
    return 0
