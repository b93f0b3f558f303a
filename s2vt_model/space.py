"""The files of a Hugging Face Space that runs this project's page: the page, what it computes with, and its models.

Left out is what only the command line and learning need. The project itself keeps its weights as plain files; only the
Space's folder has a .gitattributes that hands them to Git LFS, as the Hub wants of files over 10 MB.
"""

from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import SpaceCard

from s2vt_model import backbones, checkpoint, manifest
from s2vt_model.checkpoint import load_checkpoint
from s2vt_model.errors import S2VTError
from s2vt_model.hub import TIMM_FILES, Hub
from s2vt_model.hub_name import HubName
from s2vt_model.models import Catalogue, read_catalogue
from s2vt_model.progress import finish
from s2vt_model.publishing import Publication
from s2vt_model.stream import StreamLibrary

ROOT = Path(__file__).resolve().parents[1]
AT_THE_TOP = ("app.py", "requirements.txt", "LICENSE", "weights/models.toml")
TREES = ("demo", "s2vt_model")
LEFT_OUT = {
    "demo/__main__.py",
    "demo/page/screenshot.png",
    "demo/page/trace.png",
    "s2vt_model/__main__.py",
    "s2vt_model/caffe.py",
    "s2vt_model/caffemodel.py",
    "s2vt_model/commands",
    "s2vt_model/corpora",
    "s2vt_model/evaluation",
    "s2vt_model/features.py",
    "s2vt_model/publishing.py",
    "s2vt_model/space.py",
    "s2vt_model/training",
}
BY_LFS = ("*.safetensors", "*.mp4")
TEXT = """\
# S2VT: a video in, a sentence out

S2VT ([Venugopalan et al., ICCV 2015](https://arxiv.org/abs/1505.00487)) watches a video the way one reads a sentence: a
CNN turns each sampled frame into a vector, two stacked LSTMs read the vectors one after the other, and then the same
two LSTMs write a sentence. Here one can caption a video, and look into every step of it.

`pip install -r requirements.txt && python app.py` runs the same on a machine of one's own. Programs reach it with
`gradio_client`: the endpoints are `/caption` and `/trace`.

The code is under the MIT licence. The weights are not: see their cards in `weights/`. The clips have free licences of
their own: see `demo/examples/README.md`.
"""


def prepare_space(repository: str, catalogue: Catalogue | None = None, hub: Hub | None = None) -> Publication:
    """All that a Space called `repository` needs; by default its models are those of weights/models.toml.

    What is listed of the Hub is fetched from `hub`, to see that it is in order, and which files it has. Raises
    `S2VTError` where one of the models is not, or neither there nor in the project's folder.
    """
    catalogue = catalogue or read_catalogue(added="")
    files: dict[str, Path | bytes] = {name: ROOT / name for name in (*AT_THE_TOP, *_code())}
    preload: list[str] = []  # repository, files, commit
    hub = hub or Hub()
    library = StreamLibrary("cpu", hub)
    for model in catalogue.streams.values():
        for where in model.checkpoints.values():
            if isinstance(where, HubName):
                folder = finish(hub.checkpoint(where))
                loaded = load_checkpoint(folder)
                brought = [f"backbone/{name}" for name in backbones.FOLDER if (folder / "backbone" / name).is_file()]
                preload.append(_preloaded(where, (manifest.NAME, *checkpoint.FILES, *brought)))
            else:
                loaded = library.stream(where).checkpoint  # it fits its backbone, and both golden samples hold
                files |= _of_folder(where, (*checkpoint.FILES, "README.md"))
                files |= _of_folder(loaded.backbone_folder, (*backbones.FOLDER, "README.md"))
            if "/" in loaded.config.backbone:
                preload.append(_preloaded(HubName.parse(loaded.config.backbone), TIMM_FILES))
    card = _card(list(dict.fromkeys(preload)))
    attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in BY_LFS)
    files |= {"README.md": card.encode(), ".gitattributes": attributes.encode()}
    return Publication(repository, files, ("demo/", "s2vt_model/", "weights/"), card, kind="space")


def _code() -> Iterator[str]:
    """The page and the model: modules, and what stands beside them."""
    for tree in TREES:
        for file in sorted((ROOT / tree).rglob("*")):
            name = file.relative_to(ROOT)
            wanted = LEFT_OUT.isdisjoint({name.as_posix(), *(parent.as_posix() for parent in name.parents)})
            if wanted and file.is_file() and "__pycache__" not in name.parts and file.suffix != ".pyi":
                yield name.as_posix()


def _of_folder(folder: Path, names: tuple[str, ...]) -> dict[str, Path | bytes]:
    """Those of the files that are there, by their paths in the Space, which are those in the project."""
    folder = folder.resolve()
    if not folder.is_relative_to(ROOT):
        raise S2VTError(f"“{folder}” is not in the project’s folder. Move it into weights/ and list it there.")
    return {(folder / n).relative_to(ROOT).as_posix(): folder / n for n in names if (folder / n).is_file()}


def _preloaded(where: HubName, names: tuple[str, ...]) -> str:
    """How the front matter says which files the Hub puts into the Space's cache when it builds it."""
    return " ".join(filter(None, (where.repository, ",".join(names), where.revision)))


def _card(preload: list[str]) -> str:
    """The project's front matter, and what a visitor of the Space's files should know."""
    data = SpaceCard.load(ROOT / "README.md").data
    if preload:
        data["preload_from_hub"] = preload
    return f"---\n{data.to_yaml()}\n---\n{TEXT}"
