"""Make the traces that are stored beside the example clips, so that the page is alive before any weight is loaded.

    python -m scripts.trace_examples

They are what the default model says, as it decodes by default.
"""

from demo.examples import EXAMPLES
from s2vt_model.captioner import Captioner
from s2vt_model.progress import finish
from s2vt_model.trace import trace


def main() -> None:
    captioner = Captioner.load(device="cpu")
    for example in EXAMPLES:
        found = finish(trace(captioner, finish(captioner.look(example.path))))
        example.trace.write_text(found.to_json() + "\n", encoding="utf-8")
        print(f"{example.trace.name}: {found.caption}, {example.trace.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
