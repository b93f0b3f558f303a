"""Checkpoints and backbones of the Hugging Face Hub -> folders on this disk.

A checkpoint's repository holds what a folder of weights/ holds, its `manifest.json`, and, in `backbone/`, the
backbone it was trained with where neither the Hub has that under timm's name nor this project brings it.

- What is on this disk already is used without a word to the Hub if the name is pinned to a commit.
- Only files that the manifest lists are downloaded, their sizes known beforehand, and they are what it says.
- Weights are safetensors. Pickles can run code when they are opened: they are refused.
- The backbones of others have no manifest. Commit and hashes are written down at the first download, and held to.

Environment variables: HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the others of `huggingface_hub`.
"""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.hf_api import ModelInfo

from s2vt_model import backbones, checkpoint, manifest
from s2vt_model.errors import HubError, HubUnreachableError, first_line
from s2vt_model.hub_name import HubName
from s2vt_model.hub_transfer import ASK_SECONDS, Meter, exchange
from s2vt_model.manifest import Manifest
from s2vt_model.progress import Progress, Work
from s2vt_model.vocabulary import Vocabulary, check_shared

if TYPE_CHECKING:
    from s2vt_model.models import Model

MAX_CHECKPOINT_BYTES = 600_000_000  # without its backbone; the authors' own, in float32, has 349 million
MAX_BACKBONE_BYTES = 1_500_000_000  # VGG-19 has 575 million
TIMM_FILES = ("config.json", "model.safetensors")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
PLAIN_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class Hub:
    """Where to ask, as whom, and where downloads are kept; by default as the environment says."""

    endpoint: str | None = None  # URL
    home: Path | None = None  # in place of HF_HOME
    token: bool | None = None  # False: as nobody, even if the environment has a token

    def checkpoint(self, name: HubName) -> Work[Path]:
        """The checkpoint's folder. Raises `HubError`."""
        yield Progress("download", None, f"Checking the files of {name}")
        held = self.held_checkpoint(name)
        if held and name.is_pinned:
            return held
        try:
            folder = yield from exchange(str(name), self.url, lambda meter: self._download_checkpoint(name, meter))
        except HubUnreachableError:
            if held is None:
                raise
            yield Progress("download", None, f"The Hub cannot be asked; the copy of {name} here is used")
            return held
        if bad := self._unsound(folder, name):
            raise HubError(
                f"“{bad}” of “{name}” is not the file that its manifest.json describes; it was thrown away. "
                "Try again; if that does not help, ask its owner to publish it again."
            )
        return folder

    def held_checkpoint(self, name: HubName) -> Path | None:
        """The folder that `checkpoint` found last, if it is all there and sound; the Hub is not asked."""
        revision = name.revision or "main"
        folder = self._cached(name.repository, revision, (manifest.NAME, "config.json"))
        return None if folder is None or self._unsound(folder, name) else folder

    def backbone(self, name: HubName) -> Work[Path]:
        """The folder of a network in timm's layout: its config.json and its safetensors. Raises `HubError`."""
        held = self.held_backbone(name)
        if held:
            yield Progress("download", None, f"Checking the files of {name}")
            if not self._unlike_first(held, name):
                return held
        folder = yield from exchange(str(name), self.url, lambda meter: self._download_backbone(name, meter))
        yield Progress("download", None, f"Checking the files of {name}")
        if bad := self._unlike_first(folder, name):
            raise HubError(
                f"“{bad}” of “{name}” is not the file that was downloaded here first. If its owner has changed it and "
                f"you trust the change, delete “{self._record_file(name)}” and try again."
            )
        return folder

    def held_backbone(self, name: HubName) -> Path | None:
        """The folder that `backbone` found last, if it is all there; the Hub is not asked.

        Before that, what somebody else left in the cache: timm, or a Space that preloads it.
        """
        return self._cached(name.repository, self._revision(name) or "main", TIMM_FILES)

    # --- asking ---------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self.endpoint or constants.ENDPOINT

    def _download_checkpoint(self, name: HubName, meter: Meter) -> Path:
        info = self._ask(name, meter)
        self._check_offer(name, info, (manifest.NAME, *checkpoint.FILES), MAX_CHECKPOINT_BYTES)
        # By the name's own revision: so the cache remembers what that was, for when the Hub cannot be asked.
        folder = self._fetch(name.repository, manifest.NAME, name.revision or "main", meter).parent
        if folder.name != info.sha:
            raise HubError(f"“{name}” was changed while it was being downloaded. Try again.")
        listed = self._listed(folder, name)
        self._fetch(name.repository, "config.json", info.sha, meter)
        wanted = self._wanted(folder, listed, name)
        sizes = {s.rfilename: s.size for s in info.siblings}
        for file in wanted:
            if sizes.get(file) != listed[file].size:
                raise HubError(
                    f"“{file}” of “{name}” has another size than its manifest.json says. "
                    "Ask its owner to publish it again."
                )
        self._fetch_all(name, info, wanted, meter)
        return folder

    def _download_backbone(self, name: HubName, meter: Meter) -> Path:
        info = self._ask(replace(name, revision=self._revision(name)), meter)
        self._check_offer(name, info, TIMM_FILES, MAX_BACKBONE_BYTES)
        return self._fetch_all(name, info, TIMM_FILES, meter)

    def _ask(self, name: HubName, meter: Meter) -> ModelInfo:
        api = HfApi(endpoint=self.endpoint, token=self.token)
        info = api.model_info(name.repository, revision=name.revision, files_metadata=True, timeout=ASK_SECONDS)
        meter.hear()
        if info.id != name.repository:
            raise HubError(f"“{name.repository}” is called “{info.id}” now. Ask for it by that name.")
        return info

    def _fetch(self, repository: str, file: str, revision: str, meter: Meter) -> Path:
        path = hf_hub_download(
            repository,
            file,
            revision=revision,
            endpoint=self.endpoint,
            cache_dir=self._cache,
            token=self.token,
            etag_timeout=ASK_SECONDS,
            tqdm_class=meter.bar,
        )
        meter.hear()
        return Path(path)

    def _fetch_all(self, name: HubName, info: ModelInfo, files: Iterable[str], meter: Meter) -> Path:
        sizes = {s.rfilename: s.size for s in info.siblings}
        missing = [f for f in files if self._cached(name.repository, info.sha, [f]) is None]
        meter.expect(f"Downloading {name}", sum(sizes[f] for f in missing))
        config, *_ = [self._fetch(name.repository, file, info.sha, meter) for file in files]
        return config.parent

    # --- what may be downloaded -------------------------------------------------------------

    def _check_offer(self, name: HubName, info: ModelInfo, needed: Iterable[str], max_bytes: int) -> None:
        sizes = {s.rfilename: s.size or 0 for s in info.siblings}
        missing = [file for file in needed if file not in sizes]
        pickles = [file for file in sizes if file.endswith(PICKLES)]
        if "model.safetensors" in missing and pickles:
            raise HubError(
                f"“{name}” offers its weights as a pickle, “{pickles[0]}”, which can run code when it is opened. "
                "Ask its owner for safetensors."
            )
        if missing:
            raise HubError(
                f"“{name}” lacks “{missing[0]}”: it is not what is looked for. Name a repository that "
                "`python -m s2vt_model publish` made, or as a backbone one of timm's."
            )
        backbone = [file for file in sizes if file.startswith("backbone/")]
        parts = (f"“{name}”", needed, max_bytes), (f"The backbone of “{name}”", backbone, MAX_BACKBONE_BYTES)
        for what, wanted, most in parts:
            if (size := sum(sizes[file] for file in wanted)) > most:
                raise HubError(
                    f"{what} is {size / 1e6:,.0f} MB large; at most {most / 1e6:,.0f} MB are downloaded. "
                    "Name a smaller one."
                )

    def _listed(self, folder: Path, name: HubName) -> Manifest:
        try:
            listed = manifest.read_manifest(folder)
            missing = [file for file in checkpoint.FILES if file not in listed]
            if missing:
                raise ValueError(f"it does not list “{missing[0]}”")
        except (OSError, ValueError) as error:
            raise HubError(
                f"The manifest.json of “{name}” cannot be used ({first_line(error)}). "
                "Ask its owner to publish it again."
            ) from error
        return listed

    def _wanted(self, folder: Path, listed: Manifest, name: HubName) -> list[str]:
        """The checkpoint's files, and its backbone's unless this project brings the very same."""
        backbone = backbone_of(folder)
        brought = {file.removeprefix("backbone/"): e for file, e in listed.items() if file.startswith("backbone/")}
        files = list(checkpoint.FILES)
        if isinstance(backbone, HubName):
            return files + [f"backbone/{file}" for file in brought if file == "config.json"]
        if not PLAIN_NAME.fullmatch(backbone):
            raise HubError(f"The config of “{name}” names a backbone “{backbone}”. Ask its owner for a proper name.")
        embedded = checkpoint.WEIGHTS / "backbones" / backbone
        if embedded.is_dir() and all(entry.is_of(embedded / file) for file, entry in brought.items()):
            return files
        if not brought.keys() >= set(backbones.FOLDER):
            raise HubError(
                f"“{name}” was trained with the backbone “{backbone}”, which it does not bring. "
                "Ask its owner to publish it again, with the backbone."
            )
        return files + [f"backbone/{file}" for file in backbones.FOLDER]

    # --- what is here -----------------------------------------------------------------------

    @property
    def _cache(self) -> Path:
        return self.home / "hub" if self.home else Path(constants.HF_HUB_CACHE)

    def _cached(self, repository: str, revision: str, files: Iterable[str]) -> Path | None:
        found = [
            try_to_load_from_cache(repository, file, cache_dir=self._cache, revision=revision) for file in files
        ]
        return Path(found[0]).parent if all(isinstance(path, str) for path in found) else None

    def _unsound(self, folder: Path, name: HubName) -> str | None:
        """A file that has not come yet, or is not what the manifest says.

        Such a one is thrown away, and the manifest too: either may have rotted.
        """
        try:
            listed = self._listed(folder, name)
            bad = self._differing(folder, {"config.json": listed["config.json"]})  # before it is read
            if not bad:
                wanted = {file: listed[file] for file in self._wanted(folder, listed, name)}
                if missing := [file for file in wanted if not (folder / file).is_file()]:
                    return missing[0]
                bad = self._differing(folder, wanted)
        except HubError:
            bad = manifest.NAME
        if bad:
            _throw_away(folder / manifest.NAME)
        return bad

    def _differing(self, folder: Path, listed: Manifest) -> str | None:
        """A file that is not what it must be, thrown out of the cache so that it can be downloaded again."""
        for name, entry in listed.items():
            if not entry.is_of(folder / name):
                _throw_away(folder / name)
                return name
        return None

    # --- what others' backbones were ---------------------------------------------------------

    def _record_file(self, name: HubName) -> Path:
        home = self.home or Path(constants.HF_HOME)
        return home / "s2vt" / (str(name).replace("/", "--") + ".json")

    def _write_record(self, name: HubName, folder: Path) -> None:
        file = self._record_file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        files = manifest.to_json(manifest.entries_of(folder, TIMM_FILES))
        file.write_text(json.dumps({"commit": folder.name, "files": json.loads(files)}, indent=2), encoding="utf-8")

    def _read_record(self, name: HubName) -> tuple[str, Manifest]:
        """The commit, and what its files were."""
        try:
            record = json.loads(self._record_file(name).read_text(encoding="utf-8"))
            listed = manifest.from_json(json.dumps(record["files"]))
            return record["commit"], {file: listed[file] for file in TIMM_FILES}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HubError(f"“{self._record_file(name)}” cannot be read. Delete it to trust “{name}” anew.") from error

    def _revision(self, name: HubName) -> str | None:
        """The commit that is held to; before there is one, what the name says."""
        return self._read_record(name)[0] if self._record_file(name).is_file() else name.revision

    def _unlike_first(self, folder: Path, name: HubName) -> str | None:
        """A file that is not what it was; at the first time, all of them are written down."""
        if self._record_file(name).is_file():
            return self._differing(folder, self._read_record(name)[1])
        self._write_record(name, folder)
        return None


def _throw_away(file: Path) -> None:
    file.resolve().unlink(missing_ok=True)  # the cache keeps contents apart, and links to them
    file.unlink(missing_ok=True)


def backbone_of(folder: Path) -> HubName | str:
    """What the checkpoint in `folder` names as its backbone: one of the Hub's, or a folder. Raises `HubError`."""
    try:
        name = json.loads((folder / "config.json").read_text(encoding="utf-8"))["backbone"]
        return HubName.parse(name) if "/" in name else name
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HubError(f"The config.json in “{folder}” cannot be used ({first_line(error)}).") from error


def is_here(model: "Model", hub: Hub) -> bool:
    """Whether `fetch` has nothing to ask the Hub for."""
    try:
        for where in model.checkpoints.values():
            if isinstance(where, HubName):
                where = hub.held_checkpoint(where) if where.is_pinned else None
            if where is None:
                return False
            backbone = backbone_of(where)
            if isinstance(backbone, HubName) and hub.held_backbone(backbone) is None:
                return False
    except HubError:
        pass  # a damaged folder of this disk: loading it tells best what is wrong
    return True


def fetch(model: "Model", hub: Hub, brought: Collection[str] = ()) -> Work["Model"]:
    """The same model with all its checkpoints on this disk, and their backbones too.

    `brought`: backbones that nothing will be looked at with, as their features are there already.
    Raises `HubError`, and `CheckpointError` for streams that cannot write together: before a backbone that a
    checkpoint names on the Hub, which is the larger part, is downloaded for nothing.
    """
    folders = {}
    for stream, where in model.checkpoints.items():
        folders[stream] = (yield from hub.checkpoint(where)) if isinstance(where, HubName) else where
    try:
        vocabularies = {stream: Vocabulary.load(folder / "vocabulary.txt") for stream, folder in folders.items()}
        backbones_of_hub = [b for b in map(backbone_of, folders.values()) if isinstance(b, HubName)]
    except (OSError, ValueError):  # HubError is one of the latter
        return replace(model, checkpoints=folders)  # a damaged folder of this disk: loading it tells best what is wrong
    check_shared(vocabularies)
    for backbone in backbones_of_hub:
        if str(backbone) not in brought:
            yield from hub.backbone(backbone)
    return replace(model, checkpoints=folders)
