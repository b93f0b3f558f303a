"""A checkpoint goes to the Hub and comes back the same."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml
from huggingface_hub import constants

from demo.examples import EXAMPLES
from s2vt_model import checkpoint
from s2vt_model.backbones import ImageBackbone, load_backbone, save_backbone
from s2vt_model.captioner import Captioner
from s2vt_model.checkpoint import WEIGHTS
from s2vt_model.errors import HubError
from s2vt_model.hub import Hub, fetch
from s2vt_model.hub_name import HubName
from s2vt_model.manifest import write_manifest
from s2vt_model.models import stream_of_hub
from s2vt_model.progress import finish
from s2vt_model.publishing import prepare, publish
from s2vt_model.stream import StreamLibrary
from tests.hub_server import TOKEN, serving

CHECKPOINT = WEIGHTS / "s2vt-msvd-rgb"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its storage is beyond a small server; LFS is not
    with serving() as server:
        yield server


def captions_of(captioner):
    seen = finish(captioner.look(EXAMPLES[0].path))
    return captioner.write(seen.features).candidates


def test_a_published_checkpoint_captions_bitwise_the_same(server, tmp_path, captioner):
    published = publish(prepare(CHECKPOINT, "me/s2vt"), server.url, TOKEN)
    assert published.url == f"{server.url}/me/s2vt"
    hub = Hub(server.url, tmp_path, token=False)
    model = finish(fetch(stream_of_hub(HubName("me/s2vt", published.commit)), hub))
    (folder,) = model.checkpoints.values()
    assert folder != CHECKPOINT
    assert server.asked("GET", "backbone/model.safetensors") == 0  # the same comes with the project
    again = Captioner.load(model, StreamLibrary("cpu", hub))
    assert captions_of(again) == captions_of(captioner)  # words and log-probabilities, exactly


def with_a_backbone_of_its_own(tmp_path):
    """The same checkpoint, beside a backbone that looks at the middle of each frame alone."""
    embedded = load_backbone(WEIGHTS / "backbones" / "tf_efficientnet_lite2.in1k")
    other = ImageBackbone(replace(embedded.config, name="mine", crop_mode="center"))
    other.network.load_state_dict(embedded.network.state_dict())
    noise = np.random.default_rng(0).integers(0, 256, (2, 60, 80, 3), np.uint8)
    save_backbone(tmp_path / "backbones/mine", other, noise)
    folder = shutil.copytree(CHECKPOINT, tmp_path / "tuned")
    config = folder / "config.json"
    config.write_text(config.read_text().replace("tf_efficientnet_lite2.in1k", "mine"))
    write_manifest(folder, checkpoint.FILES)
    return folder


def test_a_backbone_of_its_own_comes_along(server, tmp_path, captioner):
    folder = with_a_backbone_of_its_own(tmp_path)
    published = publish(prepare(folder, "me/tuned"), server.url, TOKEN)
    hub = Hub(server.url, tmp_path / "home", token=False)
    model = finish(fetch(stream_of_hub(HubName("me/tuned", published.commit)), hub))
    again = Captioner.load(model, StreamLibrary("cpu", hub))
    (stream,) = again.streams.values()
    assert stream.backbone.config.crop_mode == "center"
    assert captions_of(again) == captions_of(Captioner.of_checkpoint(folder, "cpu"))
    assert captions_of(again) != captions_of(captioner)


def test_publishing_again_is_another_commit(server, tmp_path):
    folder = shutil.copytree(CHECKPOINT, tmp_path / "mine")
    first = publish(prepare(folder, "me/s2vt"), server.url, TOKEN)
    (folder / "recipe.toml").write_text("seed = 2\n")
    second = publish(prepare(folder, "me/s2vt"), server.url, TOKEN)
    assert first.commit != second.commit
    assert server.asked("PUT", "/lfs/") == 4  # two files of the checkpoint, two of its backbone; once


def test_publishing_again_leaves_no_backbone_behind(server, tmp_path):
    """What the owner put beside the checkpoint stays."""
    folder = with_a_backbone_of_its_own(tmp_path)
    publish(prepare(folder, "me/tuned"), server.url, TOKEN)
    repository = server.repositories["me/tuned"]
    repository.commit(repository.commits[repository.refs["main"]] | {"notes.md": b"mine", "backbone/old.txt": b"?"})
    publication = prepare(folder, "me/tuned")
    published = publish(publication, server.url, TOKEN)
    assert repository.commits[published.commit].keys() == {*publication.files, "notes.md", ".gitattributes"}


def test_the_card(tmp_path):
    publication = prepare(CHECKPOINT, "me/s2vt")
    assert publication.files["README.md"].decode() == publication.card
    _, front, text = publication.card.split("---\n", 2)
    matter = yaml.safe_load(front)
    assert matter["license"] == "other"
    assert matter["library_name"] == "pytorch"
    assert matter["pipeline_tag"] == "video-text-to-text"
    assert matter["base_model"] == "timm/tf_efficientnet_lite2.in1k"
    assert "msvd" in matter["datasets"]
    assert "meteor" in matter["metrics"]
    (entry,) = matter["model-index"]
    metrics = {m["name"]: m["value"] for m in entry["results"][0]["metrics"]}
    assert metrics == {"METEOR": 32.47, "BLEU_4": 45.17, "ROUGE_L": 69.57, "CIDEr": 76.49}
    assert "# s2vt-msvd-rgb" in text
    assert "--checkpoint me/s2vt" in text


def test_a_folder_without_a_card_gets_a_short_one(tmp_path):
    folder = shutil.copytree(CHECKPOINT, tmp_path / "mine")
    (folder / "README.md").unlink()
    card = prepare(folder, "me/s2vt").card
    assert "3,686 words, on features of `tf_efficientnet_lite2.in1k`" in card
    matter = yaml.safe_load(card.split("---\n", 2)[1])
    assert matter["license"] == "other"
    assert matter["datasets"] == ["msvd", "flickr8k"]
    assert matter["base_model"] == "timm/tf_efficientnet_lite2.in1k"


@pytest.mark.parametrize(
    ("trained_on", "dataset"),
    [("54000 MPII-MD clips", ("mpii-md", "MPII-MD, the clips that the card names")), ("converted from x", None)],
)
def test_scores_are_told_of_the_corpus_it_learned_from(tmp_path, trained_on, dataset):
    folder = shutil.copytree(CHECKPOINT, tmp_path / "mine")
    (folder / "README.md").unlink()
    config = json.loads((folder / "config.json").read_text()) | {"trained_on": trained_on}
    (folder / "config.json").write_text(json.dumps(config))
    matter = yaml.safe_load(prepare(folder, "me/s2vt").card.split("---\n", 2)[1])
    if dataset is None:
        assert "model-index" not in matter
        assert "datasets" not in matter
    else:
        (result,) = matter["model-index"][0]["results"]
        assert (result["dataset"]["type"], result["dataset"]["name"]) == dataset
        assert matter["datasets"] == [dataset[0]]


def test_publishing_needs_a_token(server, monkeypatch):
    publication = prepare(CHECKPOINT, "me/s2vt")
    with pytest.raises(HubError, match="refuses the access token"):
        publish(publication, server.url, "hf_wrong")
    monkeypatch.setattr("s2vt_model.publishing.get_token", lambda: None)
    with pytest.raises(HubError, match="Set HF_TOKEN to an access token that may write"):
        publish(publication, server.url)
    assert "me/s2vt" not in server.repositories


def test_a_dry_run_sends_nothing(server, capsys):
    from s2vt_model.__main__ import main

    assert main(["publish", str(CHECKPOINT), "--repo", "me/s2vt", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "18,822,180 bytes  model.safetensors" in printed
    assert "backbone/model.safetensors" in printed
    assert "model-index" in printed
    assert server.requests == []
    assert main(["publish", str(CHECKPOINT), "--repo", "me/s2vt@v1", "--dry-run"]) == 1
