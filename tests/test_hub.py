"""Checkpoints from the Hub: what is asked of it, what is refused, and what is said when it fails."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.file_download
import pytest
import torch

from s2vt_model import hub_transfer, manifest
from s2vt_model.architectures import build_network
from s2vt_model.backbones import FOLDER
from s2vt_model.checkpoint import FILES, WEIGHTS, load_checkpoint, save_checkpoint
from s2vt_model.config import CheckpointConfig, S2VTConfig
from s2vt_model.errors import CheckpointError, HubError, HubUnreachableError
from s2vt_model.hub import Hub, fetch
from s2vt_model.hub_name import HubName
from s2vt_model.models import read_catalogue
from s2vt_model.progress import finish
from s2vt_model.vocabulary import Vocabulary
from tests.hub_server import TOKEN, serving

ROOT = Path(__file__).parents[1]
EMBEDDED = WEIGHTS / "backbones" / "tf_efficientnet_lite2.in1k"
WORDS = ["a", "man", "is", "singing"]
CONFIG = CheckpointConfig(
    name="tiny",
    stream="rgb",
    backbone="tf_efficientnet_lite2.in1k",
    network=S2VTConfig(1280, 5, 4, 16, vocabulary_size=len(WORDS) + 2),
    no_frame="zero",
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Retries follow at once; nobody's token is used."""
    at_once = SimpleNamespace(sleep=lambda seconds: None)
    monkeypatch.setattr(huggingface_hub.file_download, "time", at_once)
    monkeypatch.setenv("HF_TOKEN", "")


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def hub(server, tmp_path):
    return Hub(server.url, tmp_path / "home", token=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("made") / "tiny"
    save_checkpoint(folder, CONFIG, Vocabulary(WORDS), build_network(CONFIG.network))
    return folder


@pytest.fixture
def files(folder):
    """What a repository of it holds."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


NAME = HubName("org/tiny")


def download(hub, name=NAME) -> Path:
    return finish(hub.checkpoint(name))


def sentence_about(hub, name=NAME) -> str:
    with pytest.raises(HubError) as error:
        download(hub, name)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert len(sentence) < 400
    return sentence


def pinned(commit: str) -> HubName:
    return replace(NAME, revision=commit)


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("org/name", HubName("org/name")),
        (" org/name@v1.0 ", HubName("org/name", "v1.0")),
        ("timm/vgg19.tv_in1k", HubName("timm/vgg19.tv_in1k")),
        ("org/name@refs/pr/1", HubName("org/name", "refs/pr/1")),
    ],
)
def test_names(text, name):
    assert HubName.parse(text) == name
    assert HubName.parse(str(name)) == name


@pytest.mark.parametrize(
    "text", ["", "name", "a/b/c", "/etc/passwd", "../weights", "org/..", "org/a--b", "org/name@", "o/na me", "o/n@../x"]
)
def test_what_is_no_name(text):
    with pytest.raises(HubError, match="write org/name"):
        HubName.parse(text)


def test_a_folder_goes_before_a_name(folder, monkeypatch):
    monkeypatch.chdir(folder.parent.parent)
    assert HubName.or_folder(f"{folder.parent.name}/tiny") == Path(f"{folder.parent.name}/tiny")
    assert HubName.or_folder(f"{folder.parent.name}/typo") == Path(f"{folder.parent.name}/typo")
    assert HubName.or_folder("org/tiny@v1") == HubName("org/tiny", "v1")


# --- downloads ----------------------------------------------------------------------------------


def test_cold_then_warm(server, hub, files):
    commit = server.repository("org/tiny", files).refs["main"]
    found = download(hub, pinned(commit))
    assert {file: (found / file).read_bytes() for file in files} == files
    assert load_checkpoint(found).config == CONFIG
    assert server.requests
    server.requests.clear()
    assert download(hub, pinned(commit)) == found
    assert server.requests == []


def test_progress_is_told_in_bytes(server, hub, files):
    server.repository("org/tiny", files)
    server.stalls.add("golden.safetensors")  # it stands still after the weights
    work = hub.checkpoint(NAME)
    step = next(step for step in work if step.fraction)
    work.close()
    assert step.stage == "download"
    assert step.message.startswith("Downloading org/tiny: 0.")
    assert step.message.endswith(" MB")
    assert 0 < step.fraction <= 1


def test_only_what_the_manifest_lists_is_downloaded(server, hub, files):
    server.repository("org/tiny", files | {"notes.txt": b"?", "pytorch_model.bin": b"?", "run.py": b"?"})
    found = download(hub)
    assert sorted(file.name for file in found.iterdir()) == sorted([*FILES, manifest.NAME])
    assert server.asked("GET", "pytorch_model.bin") == server.asked("GET", "run.py") == 0


def test_the_embedded_backbone_is_used_where_the_hashes_agree(server, hub, files):
    entries = manifest.entries_of(EMBEDDED, FOLDER)
    listed = manifest.from_json(files[manifest.NAME].decode())
    listed |= {f"backbone/{name}": entry for name, entry in entries.items()}
    brought = {f"backbone/{name}": (EMBEDDED / name).read_bytes() for name in entries}
    server.repository("org/tiny", files | brought | {manifest.NAME: manifest.to_json(listed).encode()})
    assert load_checkpoint(download(hub)).backbone_folder == EMBEDDED
    assert server.asked("GET", "backbone/") == 0


def test_another_backbone_comes_along(server, hub, files):
    brought = {f"backbone/{name}": b"other " + name.encode() for name in FOLDER}
    listed = _listing(files | brought)
    server.repository("org/tiny", files | brought | listed)
    found = download(hub)
    assert load_checkpoint(found).backbone_folder == found / "backbone"
    assert {f"backbone/{name}": (found / "backbone" / name).read_bytes() for name in FOLDER} == brought
    server.requests.clear()
    assert download(hub, pinned(found.name)) == found
    assert server.requests == []


@pytest.mark.parametrize("file", FOLDER)
def test_one_that_differs_in_one_file_comes_along_whole(server, hub, files, file):
    brought = {f"backbone/{name}": (EMBEDDED / name).read_bytes() for name in FOLDER}
    brought[f"backbone/{file}"] += b" "
    server.repository("org/tiny", files | brought | _listing(files | brought))
    found = download(hub)
    assert {f"backbone/{name}": (found / "backbone" / name).read_bytes() for name in FOLDER} == brought


def test_another_backbone_that_lacks_a_file_is_refused(server, hub, files):
    brought = {"backbone/model.safetensors": b"other", "backbone/golden.safetensors": b"other"}
    server.repository("org/tiny", files | brought | _listing(files | brought))
    assert "which it does not bring" in sentence_about(hub)


def _listing(files) -> dict[str, bytes]:
    """The manifest of other files than it was written for."""
    entries = {
        name: manifest.Entry(sha256(content).hexdigest(), len(content))
        for name, content in files.items()
        if name != manifest.NAME
    }
    return {manifest.NAME: manifest.to_json(entries).encode()}


def test_a_tag_that_moves_brings_the_new_files(server, hub, files):
    repository = server.repository("org/tiny")
    old = repository.commit(files, "v1")
    assert download(hub, pinned("v1")).name == old
    changed = files | {"config.json": files["config.json"].replace(b'"tiny"', b'"tuny"')}
    new = repository.commit(changed | _listing(changed), "v1")
    found = download(hub, pinned("v1"))
    assert found.name == new
    assert load_checkpoint(found).config.name == "tuny"
    assert download(hub, pinned(old)).name == old


def test_a_server_that_dies_midway_and_comes_back_is_resumed(server, hub, files):
    server.repository("org/tiny", files)
    server.breaks_after["model.safetensors"] = [5000, 7000]
    found = download(hub)
    assert (found / "model.safetensors").read_bytes() == files["model.safetensors"]
    assert server.asked("GET", "/storage/") == 4  # thrice the weights, once the golden sample
    assert load_checkpoint(found).config == CONFIG


def test_a_download_that_breaks_off_goes_on_with_the_next_file(server, hub, files):
    server.repository("org/tiny", files)
    server.breaks_after["model.safetensors"] = [100] + [0] * 20
    assert "broke off. Try again" in sentence_about(hub)
    server.breaks_after.clear()
    server.requests.clear()
    assert load_checkpoint(download(hub)).config == CONFIG
    assert server.asked("GET", "vocabulary.txt") == 0  # that one had come


def test_a_file_that_is_whole_but_too_short_is_refused(server, hub, files):
    server.repository("org/tiny", files)
    server.shortens.add("model.safetensors")
    assert "broke off. Try again" in sentence_about(hub)
    server.shortens.clear()
    assert load_checkpoint(download(hub)).config == CONFIG


@pytest.mark.parametrize("is_pinned", [True, False])
@pytest.mark.parametrize("file", [*FILES, manifest.NAME])
def test_a_file_that_rotted_in_the_cache_is_downloaded_again(server, hub, files, file, is_pinned):
    commit = server.repository("org/tiny", files).refs["main"]
    name = pinned(commit) if is_pinned else NAME
    rotten = download(hub, name) / file
    rotten.resolve().write_bytes(rotten.read_bytes()[:-1] + b"?")
    found = download(hub, name)
    assert {file: (found / file).read_bytes() for file in files} == files
    server.status = 503
    assert download(hub, name) == found


def test_a_manifest_with_a_wrong_digit_is_downloaded_again(server, hub, files):
    commit = server.repository("org/tiny", files).refs["main"]
    rotten = download(hub, pinned(commit)) / manifest.NAME
    digest = sha256(files["model.safetensors"]).hexdigest().encode()
    rotten.resolve().write_bytes(files[manifest.NAME].replace(digest, digest[::-1]))
    found = download(hub, pinned(commit))
    assert {file: (found / file).read_bytes() for file in files} == files


def test_looking_for_a_checkpoint_does_not_disturb_its_download(server, hub, files):
    commit = server.repository("org/tiny", files).refs["main"]
    server.stalls.add("golden.safetensors")
    work = hub.checkpoint(pinned(commit))
    next(step for step in work if step.fraction)
    assert hub.held_checkpoint(pinned(commit)) is None
    server.released.set()
    server.stalls.clear()
    assert load_checkpoint(finish(work)).config == CONFIG


def test_stop_ends_the_download(server, hub, files):
    server.repository("org/tiny", files)
    server.stalls.add("model.safetensors")
    work = hub.checkpoint(NAME)
    while not any("/storage/" in path for _, path, _ in server.requests):
        next(work)
    began = time.perf_counter()
    work.close()
    assert time.perf_counter() - began < 1


# --- refusals -----------------------------------------------------------------------------------


def test_no_such_repository(server, hub):
    assert "There is no “org/tiny” on the Hub" in sentence_about(hub)


def test_no_such_revision(server, hub, files):
    server.repository("org/tiny", files)
    assert "“org/tiny@v9”: there is no such revision" in sentence_about(hub, pinned("v9"))
    assert "there is no such revision" in sentence_about(hub, pinned("0" * 40))


def test_gated(server, hub, files):
    server.repository("org/tiny", files).is_gated = True
    assert "is gated: accept its owner's conditions" in sentence_about(hub)


def test_a_private_repository_opens_with_a_token(server, hub, files):
    server.repository("org/tiny", files).is_private = True
    assert "or it is private" in sentence_about(hub)
    assert load_checkpoint(download(replace(hub, token=TOKEN))).config == CONFIG
    storage = [authorization for _, path, authorization in server.requests if path.startswith("/storage/")]
    assert storage
    assert set(storage) == {None}  # the token goes to the Hub alone


def test_renamed(server, hub, files):
    server.repository("new/name", files)
    server.repository("org/tiny").renamed_to = "new/name"
    assert "“org/tiny” is called “new/name” now" in sentence_about(hub)


def test_a_wrong_hash(server, hub, files):
    server.repository("org/tiny", files)
    server.spoils.add("model.safetensors")
    assert "“model.safetensors” of “org/tiny” is not the file that its manifest.json describes" in sentence_about(hub)
    server.spoils.clear()
    assert load_checkpoint(download(hub)).config == CONFIG  # the wrong one was not kept


def test_a_pickle_in_the_place_of_safetensors(server, hub, files):
    del files["model.safetensors"]
    server.repository("org/tiny", files | {"pytorch_model.bin": b"\x80\x04."})
    assert "as a pickle, “pytorch_model.bin”" in sentence_about(hub)
    assert server.asked("GET", "/resolve/") == 0


def test_a_repository_of_something_else(server, hub):
    server.repository("org/tiny", {"README.md": b"#"})
    assert "lacks “manifest.json”" in sentence_about(hub)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: b"[]", "does not list files with their sha256"),
        (lambda m: b"{", "cannot be used"),
        (lambda m: m.replace(b"vocabulary.txt", b"../../../vocabulary"), "lists the file “../../../vocabulary”"),
        (lambda m: m.replace(b"golden.safetensors", b"gulden.safetensors"), "does not list “golden.safetensors”"),
        (lambda m: m.replace(b'"size": ', b'"size": 1'), "has another size"),
    ],
)
def test_a_manifest_that_is_none(server, hub, files, change, sentence):
    server.repository("org/tiny", files | {manifest.NAME: change(files[manifest.NAME])})
    assert sentence in sentence_about(hub)


@pytest.mark.parametrize("backbone", ["../../secrets", "..", "none-such"])
def test_a_config_with_a_backbone_that_cannot_be(server, hub, files, backbone):
    changed = files | {"config.json": files["config.json"].replace(CONFIG.backbone.encode(), backbone.encode())}
    server.repository("org/tiny", changed | _listing(changed))
    sentence_about(hub)
    assert server.asked("GET", "model.safetensors") == 0


def test_what_is_too_large_is_not_begun(server, hub, files, monkeypatch):
    server.repository("org/tiny", files)
    monkeypatch.setattr("s2vt_model.hub.MAX_CHECKPOINT_BYTES", 1000)
    assert sentence_about(hub).startswith("“org/tiny” is 0 MB large; at most 0 MB are downloaded.")
    assert server.asked("GET", "/resolve/") == 0


def test_a_backbone_has_a_limit_of_its_own(server, hub, files, monkeypatch):
    """The authors' checkpoint has 349 MB, its VGG-16 another 537."""
    brought = {f"backbone/{name}": bytes(6000) for name in FOLDER}
    files |= _listing(files | brought)
    server.repository("org/tiny", files | brought)
    monkeypatch.setattr("s2vt_model.hub.MAX_CHECKPOINT_BYTES", sum(map(len, files.values())))
    monkeypatch.setattr("s2vt_model.hub.MAX_BACKBONE_BYTES", 17_999)
    assert sentence_about(hub).startswith("The backbone of “org/tiny” is 0 MB large")
    assert server.asked("GET", "/resolve/") == 0
    monkeypatch.setattr("s2vt_model.hub.MAX_BACKBONE_BYTES", 18_000)
    assert (download(hub) / "backbone/model.safetensors").stat().st_size == 6000


# --- a Hub that is slow, dead, or not to be asked -----------------------------------------------


def test_a_hub_that_hangs_is_given_up(server, hub, files, monkeypatch):
    server.repository("org/tiny", files)
    server.is_hanging = True
    monkeypatch.setattr("s2vt_model.hub.ASK_SECONDS", 0.3)
    began = time.perf_counter()
    assert f"The Hub at {server.url} cannot be reached" in sentence_about(hub)
    assert time.perf_counter() - began < 5


def test_a_download_that_stands_still_is_given_up(server, hub, files, monkeypatch):
    server.repository("org/tiny", files)
    server.stalls.add("model.safetensors")
    monkeypatch.setattr(hub_transfer, "SILENCE_SECONDS", 0.5)
    assert "has sent nothing of “org/tiny”" in sentence_about(hub)


@pytest.mark.parametrize(("status", "sentence"), [(503, "cannot answer now"), (429, "cannot answer now")])
def test_a_hub_that_refuses_all(server, hub, status, sentence):
    server.status = status
    assert sentence in sentence_about(hub)


def test_a_hub_that_is_not_there(tmp_path):
    assert "cannot be reached" in sentence_about(Hub("http://127.0.0.1:9", tmp_path, token=False))


def test_what_was_downloaded_serves_where_the_hub_cannot_be_asked(server, hub, files, monkeypatch):
    server.repository("org/tiny", files)
    found = download(hub)
    server.status = 503
    assert "The Hub cannot be asked; the copy of org/tiny here is used" in [s.message for s in hub.checkpoint(NAME)]
    assert download(hub) == found


def run(code, home, **environment):
    """Python in a process of its own: `huggingface_hub` reads the environment when it is imported."""
    own = os.environ | {"HF_HOME": str(home), "HF_TOKEN": "", **environment}
    return subprocess.run(
        [sys.executable, *code], cwd=ROOT, env=own, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_environment_is_honoured(server, files, tmp_path):
    """HF_ENDPOINT, HF_HOME, HF_TOKEN, HF_HUB_OFFLINE and S2VT_MODELS; the command line."""
    server.repository("org/tiny", files).is_private = True
    caption = ["-m", "s2vt_model", "caption", "demo/examples/dog.mp4"]
    ask = [*caption, "--checkpoint", "org/tiny"]
    offline = run(ask, tmp_path, HF_ENDPOINT=server.url, HF_TOKEN=TOKEN, HF_HUB_OFFLINE="1")
    assert offline.returncode == 1
    assert offline.stderr.startswith("“org/tiny” is not among this machine's downloads, and HF_HUB_OFFLINE forbids")
    assert server.requests == []
    online = run(ask, tmp_path, HF_ENDPOINT=server.url, HF_TOKEN=TOKEN)
    assert online.returncode == 0, online.stderr
    assert (tmp_path / "hub/models--org--tiny").is_dir()
    server.requests.clear()
    listed = run([*caption, "--stream", "org/tiny"], tmp_path, HF_ENDPOINT=server.url, HF_HUB_OFFLINE="1",
                 S2VT_MODELS="org/tiny")  # fmt: skip
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout == online.stdout
    assert server.requests == []


# --- lists of models ----------------------------------------------------------------------------


def test_models_of_the_hub_in_the_list(server, hub, files, tmp_path):
    commit = server.repository("org/tiny", files).refs["main"]
    (tmp_path / "models.toml").write_text(
        'default = "rgb"\n[streams.rgb]\ncheckpoint = "one"\nabout = "frames"\n'
        f'[streams.tiny]\nrepository = "org/tiny"\nrevision = "{commit}"\nabout = "small"\n'
    )
    catalogue = read_catalogue(tmp_path / "models.toml", added="org/one, org/other@v2")
    assert [m.name for m in catalogue.models] == ["rgb", "tiny", "org/one", "org/other@v2"]
    assert catalogue.model("rgb").checkpoints == {"rgb": tmp_path / "one"}
    assert not catalogue.model("rgb").on_hub
    tiny = catalogue.model("tiny")
    assert tiny.checkpoints == {"tiny": pinned(commit)}
    assert finish(fetch(tiny, hub)).checkpoints["tiny"].name == commit
    both = catalogue.model("tiny+org/one")
    assert both.checkpoints == {"tiny": pinned(commit), "org/one": HubName("org/one")}
    assert catalogue.model("someone/else@v3").checkpoints == {"someone/else@v3": HubName("someone/else", "v3")}


def test_streams_that_cannot_write_together_are_refused_before_a_download(server, hub):
    """VGG-19 has 575 MB, and its captioner other words than RGB's."""
    model = read_catalogue(added="").model("rgb+vgg19")
    with pytest.raises(CheckpointError, match="“rgb” and “vgg19” have different vocabularies"):
        finish(fetch(model, hub))
    assert server.requests == []


@pytest.mark.parametrize(
    ("revision", "default", "sentence"),
    [("main", "rgb", "is not a commit of 40 digits"), ("0" * 40, "tiny", "must not depend on the Hub")],
)
def test_a_list_that_cannot_be(tmp_path, revision, default, sentence):
    (tmp_path / "models.toml").write_text(
        f'default = "{default}"\n[streams.rgb]\ncheckpoint = "one"\nabout = "frames"\n'
        f'[streams.tiny]\nrepository = "org/tiny"\nrevision = "{revision}"\nabout = "small"\n'
    )
    with pytest.raises(CheckpointError, match=sentence):
        read_catalogue(tmp_path / "models.toml", added="")


def test_a_variable_that_names_nothing():
    with pytest.raises(CheckpointError, match="S2VT_MODELS cannot be used: “nonsense” is no name"):
        read_catalogue(added="org/one,nonsense")


# --- manifests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", sorted(f.parent for f in WEIGHTS.glob("*/config.json")), ids=lambda f: f.name)
def test_the_manifests_that_come_with_the_project_agree_with_the_files(folder):
    """After editing a config.json, run `python -m scripts.write_manifests`."""
    assert manifest.read_manifest(folder) == manifest.entries_of(folder, FILES)


def test_unreachable_is_told_from_refused(server, hub):
    with pytest.raises(HubError) as error:
        download(hub)
    assert not isinstance(error.value, HubUnreachableError)
