"""Bring the manifests of weights/ up to date: after a config.json was edited by hand, say with new scores.

    python -m scripts.write_manifests
"""

from s2vt_model.checkpoint import FILES, WEIGHTS
from s2vt_model.manifest import write_manifest


def main() -> None:
    for config in sorted(WEIGHTS.glob("*/config.json")):
        write_manifest(config.parent, FILES)
        print(config.parent)


if __name__ == "__main__":
    main()
