"""`python -m s2vt_model caption|evaluate|train|convert|publish …`."""

import argparse
import os
import sys
from importlib import import_module

from s2vt_model.errors import S2VTError

COMMANDS = {
    "caption": "write a sentence about each video file",
    "evaluate": "score a checkpoint on a corpus: METEOR, BLEU, ROUGE-L, CIDEr",
    "train": "train a checkpoint on a corpus",
    "convert": "turn the authors' Caffe files into a checkpoint or a backbone",
    "publish": "upload a checkpoint to the Hugging Face Hub",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m s2vt_model", description="S2VT: video to text.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        module = import_module(f"s2vt_model.commands.{name}")
        subparser = subparsers.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # what the terminal's encoding lacks is escaped, not a crash
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return options.run(options)
    except S2VTError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"{error.strerror or error}: “{error.filename}”." if error.filename else error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
