"""How far long work is, where a person can see it."""

import sys

from s2vt_model.progress import Result, Work


def watch(work: Work[Result]) -> Result:
    """Run `work` to its end; at a terminal, one line that rewrites itself says how far it is."""
    show = sys.stderr.isatty()
    clear = "\r\033[K"
    try:
        while True:
            progress = next(work)
            if show:
                percent = "" if progress.fraction is None else f" ({progress.fraction:.0%})"
                print(f"{clear}{progress.message}{percent}", end="", file=sys.stderr, flush=True)
    except StopIteration as stop:
        return stop.value
    finally:
        if show:
            print(clear, end="", file=sys.stderr, flush=True)
