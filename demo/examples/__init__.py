"""Short clips under free licences, credited in README.md beside them."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Example:
    """A clip that comes with the page."""

    title: str
    credit: str
    path: Path

    @property
    def trace(self) -> Path:
        """What the default model did with it, as scripts/trace_examples.py stored it."""
        return self.path.with_suffix(".trace.json")


EXAMPLES = (
    Example("A dog at rest", "Eriberto Mota, CC BY-SA 4.0", FOLDER / "dog.mp4"),
    Example("A cockatoo", "imageio, BSD-2-Clause", FOLDER / "cockatoo.mp4"),
    Example("Big Buck Bunny", "Blender Foundation, CC BY 3.0", FOLDER / "rabbit.mp4"),
)
