"""Upload a checkpoint folder to the Hugging Face Hub, with its model card, manifest and backbone; or the demo."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2vt_model.errors import HubError, S2VTError
from s2vt_model.hub_name import HubName

if TYPE_CHECKING:
    from s2vt_model.publishing import Publication, Published


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="a checkpoint, such as weights/s2vt-msvd-rgb"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--repo", metavar="ORG/NAME", help="the checkpoint's repository; made where there is none")
    where.add_argument("--space", metavar="ORG/NAME", help="the Space for the page and the listed models; likewise")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--dry-run", action="store_true", help="print what would go, and send nothing")
    instead.add_argument("--out", type=Path, metavar="DIR", help="put it into an empty folder, and send nothing")


def run(options: argparse.Namespace) -> int:
    name = HubName.parse(options.repo or options.space)
    if name.revision:
        raise HubError("What is published is a new commit: name the repository alone, org/name.")
    if options.space and options.folder:
        raise S2VTError("A Space takes the models that weights/models.toml lists: name no folder.")
    if options.repo and not options.folder:
        raise S2VTError("Name the folder of the checkpoint that is to be published.")

    from s2vt_model.publishing import prepare, publish, write
    from s2vt_model.space import prepare_space

    publication = prepare_space(name.repository) if options.space else prepare(options.folder, name.repository)
    if options.dry_run:
        _print_files(publication)
    elif options.out:
        write(publication, options.out)
        print(f"{options.out} holds what {name.repository} needs: {len(publication.files)} files.")
    else:
        published = publish(publication)
        print(f"Published at {published.url}." if options.space else _how_to_list(name, published))
    return 0


def _print_files(publication: "Publication") -> None:
    print(f"Would go to {publication.repository}:")
    for path, content in publication.files.items():
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        print(f"{size:>12,} bytes  {path}")
    print(f"\nREADME.md:\n{publication.card}")


def _how_to_list(name: HubName, published: "Published") -> str:
    return (
        f"Published at {published.url}. To list it, add to weights/models.toml:\n\n"
        f'[streams.{name.repository.partition("/")[2].replace(".", "-")}]\n'
        f'repository = "{name.repository}"\n'
        f'revision = "{published.commit}"\n'
        f'about = "…"'
    )
