"""Write a sentence about each video file."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2vt_model.commands.model import add_model_arguments, load_captioner
from s2vt_model.commands.terminal import watch
from s2vt_model.errors import S2VTError, VideoError

if TYPE_CHECKING:  # torch takes seconds to import; `--help` does without it
    from s2vt_model.captioner import Captioner, Seen
    from s2vt_model.decoding import DecodingOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a video: mp4, mov, webm, mkv, avi, gif, …")
    add_model_arguments(parser)
    search = parser.add_mutually_exclusive_group()
    search.add_argument("--beam", type=int, metavar="K", help="beam search, K beams wide")
    search.add_argument("--greedy", action="store_true", help="take the likeliest word at each step")
    search.add_argument("--temperature", type=float, metavar="T", help="draw words by chance; below 1 safer")
    parser.add_argument("--start", type=float, metavar="S", help="leave out what comes before, in seconds")
    parser.add_argument("--end", type=float, metavar="S", help="leave out what comes after, in seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line: words, frames, times")
    parser.add_argument(
        "--trace", type=Path, metavar="OUT", help="write what the decoding of the one file did, as JSON"
    )
    parser.add_argument(
        "--window", type=int, default=1, metavar="N", help="in the trace, cover N neighbouring frames at once, not one"
    )


def run(options: argparse.Namespace) -> int:
    """Returns the exit status: 1 if any file failed."""
    from s2vt_model.captioner import caption_record

    if options.trace and len(options.files) > 1:
        raise S2VTError(
            f"A trace is of one video, and {len(options.files)} were named. Name one, or leave out --trace."
        )
    if options.window != 1 and not options.trace:
        raise S2VTError("--window says how frames are asked about in a trace. Add --trace OUT, or leave it out.")
    captioner = load_captioner(options)
    decoding = _decoding_options(captioner.default_options, options)
    several = len(options.files) > 1
    failed = False
    for file in options.files:
        try:
            seen, captions = watch(captioner.caption(file, decoding, options.start, options.end))
            if options.trace:
                _write_trace(options.trace, captioner, seen, decoding, options.window)
        except VideoError as error:
            failed = True
            if options.json:
                print(json.dumps({"file": file, "error": str(error)}), flush=True)
            else:
                print(error, file=sys.stderr, flush=True)
            continue
        if options.json:
            print(json.dumps(caption_record(file, seen, captions, captioner.name)), flush=True)
        else:
            label = f"{file}: " if several else ""
            print(label + captions.best.text, flush=True)
            usage = captioner.usage(seen.clips, seen.features)
            print(label + " ".join([usage, *seen.left_out.values()]), file=sys.stderr, flush=True)
    return 1 if failed else 0


def _write_trace(file: Path, captioner: "Captioner", seen: "Seen", decoding: "DecodingOptions", window: int) -> None:
    from s2vt_model.trace import AttributionOptions, trace

    text = watch(trace(captioner, seen, decoding, attribution=AttributionOptions(window))).to_json()
    file.write_text(text, encoding="utf-8")


def _decoding_options(defaults: "DecodingOptions", options: argparse.Namespace) -> "DecodingOptions":
    """The checkpoint's own options, but for what the command line says."""
    if options.greedy:
        return replace(defaults, method="greedy")
    if options.beam is not None:
        return replace(defaults, method="beam", beam_width=options.beam)
    if options.temperature is not None:
        return replace(defaults, method="sample", temperature=options.temperature)
    return defaults
