"""A checkpoint folder -> a repository of the Hugging Face Hub, from which hub.py makes the same folder again."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import timm
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    EvalResult,
    HfApi,
    ModelCard,
    constants,
    get_token,
)

from s2vt_model import backbones, checkpoint, manifest
from s2vt_model.backbones import load_backbone
from s2vt_model.checkpoint import Checkpoint, load_checkpoint
from s2vt_model.corpora.registry import CORPORA
from s2vt_model.errors import HubError, S2VTError
from s2vt_model.hub_transfer import explained
from s2vt_model.stream import Stream

PIPELINE = "video-text-to-text"  # the Hub's word for what reads a video and writes
TEST_CLIPS = "{}, the clips that the card names"  # not all of a corpus's test clips can always be had
DATASETS = {name: corpus.title for name, corpus in CORPORA.items()} | {"flickr8k": "Flickr8k"}  # the Hub's -> ours
METRICS = {"METEOR": "meteor", "BLEU_4": "bleu", "ROUGE_L": "rouge", "CIDEr": "cider"}  # ours -> the Hub's


@dataclass(frozen=True)
class Publication:
    """What goes to the Hub, and where to."""

    repository: str  # "org/name"
    files: Mapping[str, Path | bytes]  # path in the repository -> a file here, or its content
    owned: tuple[str, ...]  # folders, as “backbone/”, in which nothing else is to stay from an earlier publication
    card: str  # the README.md among them
    kind: Literal["model", "space"] = "model"


@dataclass(frozen=True)
class Published:
    """What became of it."""

    url: str
    commit: str  # 40 hex digits


def prepare(folder: Path, repository: str) -> Publication:
    """All that a checkpoint's repository needs. Raises `CheckpointError` where the folder is not in order."""
    loaded = load_checkpoint(folder)
    files: dict[str, Path | bytes] = {name: folder / name for name in checkpoint.FILES}
    beside = loaded.backbone_folder
    if "/" not in loaded.config.backbone:
        Stream(loaded, load_backbone(beside))  # they fit, and its golden sample holds
        files |= {f"backbone/{name}": beside / name for name in backbones.FOLDER}
    elif (beside / "config.json").is_file():
        files["backbone/config.json"] = beside / "config.json"  # only the preprocessing: the Hub has the rest
    entries = {name: manifest.Entry.of(file) for name, file in files.items()}
    card = model_card(loaded, repository)
    files |= {manifest.NAME: manifest.to_json(entries).encode(), "README.md": card.encode()}
    extras = {"recipe.toml": folder / "recipe.toml", "backbone/README.md": beside / "README.md"}
    files |= {name: file for name, file in extras.items() if file.is_file()}
    return Publication(repository, files, ("backbone/",), card)


def publish(publication: Publication, endpoint: str | None = None, token: str | None = None) -> Published:
    """Upload it in one commit; the repository is made where there is none. Raises `HubError`.

    Files that the owner put beside it stay.

    endpoint, token: in place of HF_ENDPOINT and HF_TOKEN.
    """
    url = endpoint or constants.ENDPOINT
    if not (token or get_token()):
        raise HubError(f"Set HF_TOKEN to an access token that may write. They are made at {url}/settings/tokens.")
    api = HfApi(endpoint=endpoint, token=token)
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
        for name, content in publication.files.items()
    ]
    name, kind = publication.repository, publication.kind
    what, folder = ("a checkpoint", "") if kind == "model" else ("the demo", "spaces/")
    try:
        api.create_repo(name, repo_type=kind, space_sdk="gradio" if kind == "space" else None, exist_ok=True)
        there = [file.rfilename for file in api.repo_info(name, repo_type=kind).siblings]
        stale = [file for file in there if file.startswith(publication.owned) and file not in publication.files]
        operations += [CommitOperationDelete(file, is_folder=False) for file in stale]
        done = api.create_commit(name, operations, repo_type=kind, commit_message=f"S2VT: {what}")
    except Exception as error:
        raise explained(name, url, error) from error
    return Published(f"{url}/{folder}{name}", done.oid)


def write(publication: Publication, folder: Path) -> None:
    """Put it into a folder in the place of the Hub. Raises `S2VTError` where something is in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise S2VTError(f"“{folder}” is not an empty folder. Name another one.")
    for name, content in publication.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            shutil.copyfile(content, file)


def model_card(loaded: Checkpoint, repository: str) -> str:
    """The folder's README.md, or a short one, with the front matter that the Hub reads."""
    config, readme = loaded.config, loaded.folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else f"# {config.name}\n\n{_short_text(loaded)}"
    card = ModelCard(text, ignore_metadata_errors=True)
    data = card.data
    if not data.license:
        data.license, data["license_name"] = "other", "see-model-card"
    data.library_name = data.library_name or "pytorch"
    data.pipeline_tag = data.pipeline_tag or PIPELINE
    data.tags = data.tags or ["s2vt", "video-captioning"]
    data.datasets = data.datasets or [name for name, title in DATASETS.items() if title in config.trained_on] or None
    if timm.models.is_model_pretrained(config.backbone):
        data.base_model = data.base_model or f"timm/{config.backbone}"
    elif "/" in config.backbone:
        data.base_model = data.base_model or config.backbone
    scores = {name: value for name, value in config.scores.items() if name in METRICS}
    corpus = next((name for name, about in CORPORA.items() if about.title in config.trained_on), None)
    if scores and corpus:  # what it was scored on is what it learned from
        clips = TEST_CLIPS.format(CORPORA[corpus].title)
        data.metrics = data.metrics or [METRICS[name] for name in scores]
        data.model_name = config.name
        data.eval_results = [
            EvalResult(PIPELINE, corpus, clips, METRICS[name], value, dataset_split="test", metric_name=name)
            for name, value in scores.items()
        ]
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n{card.text.strip()}\n\n{_how_to_use(repository)}"))


def _short_text(loaded: Checkpoint) -> str:
    size = sum(p.numel() for p in loaded.network.parameters())
    config = loaded.config
    return (
        f"An S2VT (Venugopalan et al., ICCV 2015) that writes one English sentence about a short video: {size:,} "
        f"parameters, {len(loaded.vocabulary):,} words, on features of `{config.backbone}`.\n\n"
        f"Learned from: {config.trained_on or 'not said'}. Licence: {config.license or 'not said'}.\n"
    )


def _how_to_use(repository: str) -> str:
    return f"## How to use\n\n```\npython -m s2vt_model caption VIDEO --checkpoint {repository}\n```\n"
