"""Upload a checkpoint folder to the Hugging Face Hub, with its model card, manifest and backbone."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a checkpoint, such as weights/s2vt-msvd-rgb")
    parser.add_argument("--repo", required=True, metavar="ORG/NAME", help="the repository; made where there is none")
    parser.add_argument("--dry-run", action="store_true", help="print what would go, and send nothing")


def run(options: argparse.Namespace) -> int:
    from s2vt_model.errors import HubError
    from s2vt_model.hub_name import HubName
    from s2vt_model.publishing import prepare, publish

    name = HubName.parse(options.repo)
    if name.revision:
        raise HubError("A checkpoint is published as a new commit: name the repository alone, org/name.")
    publication = prepare(options.folder, name.repository)
    if options.dry_run:
        print(f"Would go to {name.repository}:")
        for path, content in publication.files.items():
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            print(f"{size:>12,} bytes  {path}")
        print(f"\nREADME.md:\n{publication.card}")
        return 0
    published = publish(publication)
    print(
        f"Published at {published.url}. To list it, add to weights/models.toml:\n\n"
        f'[streams.{name.repository.partition("/")[2].replace(".", "-")}]\n'
        f'repository = "{name.repository}"\n'
        f'revision = "{published.commit}"\n'
        f'about = "…"'
    )
    return 0
