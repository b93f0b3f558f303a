"""What captioning costs: seconds a clip by stage, as ratios to the clip's own length, and peak memory.

    python -m benchmarks.caption MSVD/clips/*.mp4
    python -m benchmarks.caption --csv MSVD/clips.csv --split test
    python -m benchmarks.caption --csv MSVD/clips.csv --split test --model rgb+flow --flow tvl1

One process, one clip after the other, as `python -m s2vt_model caption` does it. `--flow` measures flow by
another algorithm than the one that the flow network learned from: for the time, not for the sentence.
"""

import argparse
import csv
import resource
import time
from dataclasses import replace
from pathlib import Path

import torch

from s2vt_model.captioner import Captioner
from s2vt_model.progress import finish


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clips", type=Path, nargs="*")
    parser.add_argument("--csv", type=Path, help="MSVD's clips.csv; its clips lie in clips/ beside it")
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", help="a model of weights/models.toml or a sum; the default one unless given")
    parser.add_argument("--flow", choices=["farneback", "tvl1"])
    options = parser.parse_args()
    clips = options.clips
    if options.csv:
        with options.csv.open(newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.DictReader(lines) if row["split"] == options.split]
        clips = [options.csv.parent / f"clips/{row['video']}.mp4" for row in rows]

    if not clips:
        parser.error("name clips, or MSVD's clips.csv with --csv")

    began = time.perf_counter()
    captioner = Captioner.load(options.model)
    loading = time.perf_counter() - began
    for stream in captioner.streams.values():
        backbone = stream.backbone
        if options.flow and backbone.config.flow:
            backbone.config = replace(backbone.config, flow=replace(backbone.config.flow, algorithm=options.flow))
    read = features = decode = film = 0.0
    frames = 0
    for clip in clips:
        seen, captions = finish(captioner.caption(clip))
        read += seen.read_seconds
        features += seen.features_seconds
        decode += captions.decode_seconds
        film += seen.clip.duration_s
        frames += len(seen.clip.indices)
    count, total = len(clips), read + features + decode
    print(f"{count} clips of {film / count:.1f} s and {frames / count:.1f} sampled frames on average")
    print(f"{captioner.name}: {torch.get_num_threads()} threads, {captioner.device}; loading {loading:.2f} s")
    for stage, seconds in (("read", read), ("features", features), ("decode", decode), ("all", total)):
        print(f"{stage:9} {seconds / count:7.3f} s a clip   {seconds / film:6.3f} of the clip's length")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
