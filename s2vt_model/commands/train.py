"""Train a checkpoint on a corpus of captioned videos: MSVD (with Flickr8k's stills, if you like), MPII-MD or M-VAD."""

import argparse
from pathlib import Path

from s2vt_model.corpora.registry import CORPORA


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", choices=CORPORA, default="msvd", help="default: %(default)s")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="its folder (see the README)")
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
    corpus = CORPORA[options.corpus]
    cache = None
    if recipe.backbone not in corpus.features:
        cache = open_cache(options.cache, load_backbone(WEIGHTS / "backbones" / recipe.backbone, device))
    fold = Fold.parse(options.fold) if options.fold else None
    data = load_training_data(recipe, cache, corpus, options.root, options.flickr8k, fold)
    learner = train(recipe, data, options.out, device)
    folder = save_run(learner, recipe, data, options.out)
    print(
        f"Trained. The checkpoint is in {folder}; score it with: "
        f"python -m s2vt_model evaluate --checkpoint {folder} --corpus {options.corpus} --root {options.root}"
    )
    return 0
