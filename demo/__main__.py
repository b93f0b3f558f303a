"""`python -m demo show out.json [--video FILE]`: a trace as a page, in the browser, without a server or a network."""

import argparse
import sys
import tempfile
import webbrowser
from pathlib import Path

from s2vt_model.errors import S2VTError


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="The page's tools.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="open a trace of “s2vt_model caption FILE --trace out.json” in the browser")
    show.add_argument("trace", type=Path, metavar="TRACE", help="the JSON file")
    show.add_argument("--video", type=Path, metavar="FILE", help="the video it is about, to play along")
    show.add_argument("--out", type=Path, metavar="FILE", help="write the page there, and open nothing")
    options = parser.parse_args(arguments)
    try:
        page = _page(options.trace, options.video)
    except S2VTError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.strerror or error}: “{error.filename}”.", file=sys.stderr)
        return 1
    file = options.out or Path(tempfile.mkdtemp(prefix="s2vt-")) / f"{options.trace.stem}.html"
    file.write_text(page, encoding="utf-8")
    if options.video is None:
        print("Without its video the page shows grey frames. Name it with --video FILE.", file=sys.stderr)
    print(file)
    if options.out is None:
        webbrowser.open(file.resolve().as_uri())
    return 0


def _page(file: Path, video: Path | None) -> str:
    from demo.offline import saved_page
    from demo.preview import is_playable, write_preview
    from demo.stored import record_of
    from demo.tracing import told_of
    from s2vt_model.progress import finish
    from s2vt_model.trace import Trace

    trace = Trace.from_json(file.read_bytes())  # says what is wrong with it
    told = told_of(trace.to_json())
    record = record_of(told["trace"], video)
    if video is None or is_playable(video):
        return saved_page(record, told, video)
    with tempfile.TemporaryDirectory() as folder:
        preview = finish(write_preview(video, Path(folder) / "preview.webm"))
        playing = {"is_preview": True, "preview_until_s": preview.until_s}
        return saved_page({**record, **playing}, told, preview.path)


if __name__ == "__main__":
    sys.exit(main())
