"""The Space: exactly the files that its page needs, in the shape that the Hub wants, and they run by themselves."""

import ast
import re
import subprocess
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from s2vt_model import checkpoint, manifest
from s2vt_model.__main__ import main
from s2vt_model.backbones import FOLDER
from s2vt_model.checkpoint import WEIGHTS
from s2vt_model.errors import S2VTError
from s2vt_model.hub import Hub
from s2vt_model.models import read_catalogue
from s2vt_model.publishing import publish, write
from s2vt_model.space import ROOT, prepare_space
from tests.browsing import choose_example, needs_chromium, visiting
from tests.hub_server import TOKEN, serving


@pytest.fixture(scope="module")
def publication():
    return prepare_space("org/demo")


@pytest.fixture(scope="module")
def folder(publication, tmp_path_factory):
    folder = tmp_path_factory.mktemp("assembled") / "space"
    write(publication, folder)
    return folder


def front_matter(card: str) -> dict:
    return yaml.safe_load(card.split("---\n", 2)[1])


def names_in(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


# --- which files ----------------------------------------------------------------------------------


def module_file(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def imported(file: Path) -> set[Path]:
    """The project's modules that a file names, wherever in it, and the packages that they are in."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parts = [name.split(".") for name in names]
    return {f for p in parts for i in range(1, len(p) + 1) if (f := module_file(".".join(p[:i])))}


def test_its_modules_are_those_that_app_py_needs(folder):
    needed, new = set(), {ROOT / "app.py"}
    while new:
        needed |= new
        new = {other for file in new for other in imported(file)} - needed
    assert {name for name in names_in(folder) if name.endswith(".py")} == {
        file.relative_to(ROOT).as_posix() for file in needed
    }


def test_no_tests_no_corpora_no_other_weights(folder):
    names = names_in(folder)
    assert not [name for name in names if re.match(r"tests/|scripts/|recipes/|benchmarks/|\.ci/|shared", name)]
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyi")]
    weights = {name.split("/")[1] for name in names if name.startswith("weights/")}
    listed = {where.name for m in read_catalogue(added="").streams.values() for where in m.checkpoints.values()}
    assert weights == {"models.toml", "backbones", *listed}
    assert {n.split("/")[2] for n in names if n.startswith("weights/backbones/")} == {
        "tf_efficientnet_lite2.in1k",
        "i3d-kinetics400-rgb",
        "flow-lite0-msvd",
        "timm",  # what feeds VGG-19, without its weights
    }


def test_what_git_ignores_stays_there(folder, publication):
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if known.returncode:
        pytest.skip("not a git working copy")
    made = {"README.md", ".gitattributes"}
    assert publication.files.keys() - made <= set(known.stdout.splitlines())


def test_binary_files_go_by_lfs_and_text_does_not(folder):
    attributes = (folder / ".gitattributes").read_text()
    patterns = [line.split()[0] for line in attributes.splitlines()]
    assert all("filter=lfs diff=lfs merge=lfs -text" in line for line in attributes.splitlines())
    for name in names_in(folder):
        content = (folder / name).read_bytes()
        if any(fnmatch(name, pattern) for pattern in patterns):
            continue
        content.decode("utf-8")
        assert len(content) < 10_000_000
    assert "filter=lfs" not in (ROOT / ".gitattributes").read_text()  # a plain clone needs no LFS


# --- the front matter -----------------------------------------------------------------------------


def test_the_front_matter(publication):
    data = front_matter(publication.card)
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert data["sdk"] == "gradio"
    assert data["sdk_version"] == pins["gradio"]
    assert data["python_version"] == "3.11"  # a string: 3.10 would be 3.1
    assert data["app_file"] == "app.py"
    assert data["license"] == "mit"
    assert len(data["short_description"]) <= 60
    assert {"title", "emoji", "colorFrom", "colorTo", "tags"} <= data.keys()
    assert data["preload_from_hub"] == ["timm/vgg19.tv_in1k config.json,model.safetensors"]  # all else comes along


def test_requirements_are_pinned(folder):
    lines = [line.partition("#")[0].strip() for line in (folder / "requirements.txt").read_text().splitlines()]
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", line) for line in lines if line)


def of_the_hub(server) -> str:
    """A checkpoint with a backbone of its own. Returns its commit."""
    files = {file.name: file.read_bytes() for file in (WEIGHTS / "meanpool-msvd-rgb").iterdir()}
    embedded = WEIGHTS / "backbones" / "tf_efficientnet_lite2.in1k"
    files["config.json"] = files["config.json"].replace(embedded.name.encode(), b"another")
    files |= {f"backbone/{name}": (embedded / name).read_bytes() for name in FOLDER}
    listed = {
        name: manifest.Entry(sha256(content).hexdigest(), len(content))
        for name, content in files.items()
        if name in checkpoint.FILES or name.startswith("backbone/")
    }
    return server.repository("org/better").commit(files | {manifest.NAME: manifest.to_json(listed).encode()})


def test_what_is_of_the_hub_is_preloaded(tmp_path):
    list_of_models = tmp_path / "models.toml"
    with serving() as server:
        commit = of_the_hub(server)
        list_of_models.write_text(
            f"""default = "rgb"
            [streams.rgb]
            checkpoint = "{WEIGHTS / "s2vt-msvd-rgb"}"
            about = "embedded"
            [streams.vgg19]
            checkpoint = "{WEIGHTS / "s2vt-msvd-vgg19-rgb"}"
            about = "its backbone is of the Hub"
            [streams.better]
            repository = "org/better"
            revision = "{commit}"
            about = "all of it is of the Hub"
            """
        )
        hub = Hub(server.url, tmp_path / "home", token=False)
        publication = prepare_space("org/demo", read_catalogue(list_of_models, added=""), hub)
    assert front_matter(publication.card)["preload_from_hub"] == [
        "timm/vgg19.tv_in1k config.json,model.safetensors",
        "org/better manifest.json,config.json,vocabulary.txt,model.safetensors,golden.safetensors,"
        f"backbone/config.json,backbone/model.safetensors,backbone/golden.safetensors {commit}",
    ]
    assert "weights/backbones/timm/vgg19.tv_in1k/config.json" in publication.files


# --- bad wishes -----------------------------------------------------------------------------------


def test_a_model_from_elsewhere_is_refused(tmp_path):
    elsewhere = tmp_path / "mine"
    write_copy(WEIGHTS / "s2vt-msvd-rgb", elsewhere)
    list_of_models = tmp_path / "models.toml"
    list_of_models.write_text('default = "mine"\n[streams.mine]\ncheckpoint = "mine"\nabout = "…"\n')
    with pytest.raises(S2VTError, match="is not in the project’s"):
        prepare_space("org/demo", read_catalogue(list_of_models, added=""))


def write_copy(source: Path, folder: Path) -> None:
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())


def test_a_folder_with_something_in_it_is_left_alone(publication, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(S2VTError, match="is not an empty folder"):
        write(publication, tmp_path)
    assert names_in(tmp_path) == {"mine.txt"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["weights/s2vt-msvd-rgb", "--space", "org/demo"], "name no folder"),
        (["--repo", "org/name"], "Name the folder of the checkpoint"),
        (["--space", "demo"], "write org/name"),
        (["--space", "org/demo@v1"], "name the repository alone"),
    ],
)
def test_what_does_not_go_together(arguments, sentence, capsys):
    assert main(["publish", *arguments]) == 1
    assert sentence in capsys.readouterr().err


# --- going to the Hub -----------------------------------------------------------------------------


def test_a_dry_run_prints_what_would_go(capsys):
    assert main(["publish", "--space", "org/demo", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "18,822,180 bytes  weights/s2vt-msvd-rgb/model.safetensors" in printed
    assert "sdk: gradio" in printed


def test_it_is_published_as_it_was_assembled(publication, folder, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its storage is beyond a small server; LFS is not
    with serving() as server:
        published = publish(publication, server.url, TOKEN)
        assert published.url == f"{server.url}/spaces/org/demo"
        there = server.repositories["spaces/org/demo"]
        assert there.commits[published.commit] == {name: (folder / name).read_bytes() for name in names_in(folder)}
        assert server.asked("POST", "/api/repos/create") == 1
        there.commit(there.commits[published.commit] | {"demo/old.py": b"?", "weights/old/x": b"?", "mine.txt": b"!"})
        again = publish(publication, server.url, TOKEN)
        assert there.commits[again.commit].keys() == {*publication.files, "mine.txt"}


# --- running --------------------------------------------------------------------------------------


@needs_chromium
def test_it_runs_in_a_place_of_its_own(publication, browser, tmp_path):
    from scripts.try_space import started  # needs playwright

    write(publication, tmp_path / "space")
    with started(tmp_path / "space") as url, visiting(browser, url) as page:
        choose_example(page)
        assert page.locator(".caption").text_content()
        page.locator("#model", has_text="words and runs on").wait_for()
        assert page.locator("#models label").count() == len(read_catalogue(added="").models)
