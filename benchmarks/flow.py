"""Our optical flow against OpenCV's on the same frames in one run: time a pair, ratio, accuracy.

OpenCV's TV-L1 is in its contrib wheel only, so this runs in an environment of its own:

    python3 -m venv flow-benchmark
    flow-benchmark/bin/pip install -r requirements.txt
    flow-benchmark/bin/pip uninstall --yes opencv-python-headless
    flow-benchmark/bin/pip install opencv-contrib-python-headless==5.0.0.93
    flow-benchmark/bin/python -m benchmarks.flow --clips MSVD/clips --truth FLOW_TRUTH

FLOW_TRUTH holds RubberWhale_10.png, RubberWhale_11.png and RubberWhale.flo (Middlebury).
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from s2vt_model.flow import farneback, tvl1
from s2vt_model.progress import finish
from s2vt_model.video import Sampling, read_clip

SIZES = ((224, 224), (256, 340))  # height, width
CLIPS = 10
PAIRS_PER_CLIP = 12  # a chunk of ours; OpenCV takes them one by one
FARNEBACK = (0.5, 3, 15, 3, 5, 1.2, 0)
# Bytes that pass through a GPU's memory for a pair at 224×224 where every kernel reads and writes each
# of its planes once, counted from the kernels: the roofline is these over the memory's bandwidth.
BYTES_A_PAIR = {
    ("Farnebäck", "torch"): 776e6,
    ("Farnebäck", "triton"): 35e6,
    ("TV-L1", "torch"): 11.3e9,
    ("TV-L1", "triton"): 0.6e9,
}

Method = Callable[[Tensor, Tensor], Tensor]


def opencv_farneback(first: Tensor, second: Tensor) -> Tensor:
    pairs = zip(first.numpy(), second.numpy(), strict=True)
    return _stack(cv2.calcOpticalFlowFarneback(a, b, None, *FARNEBACK) for a, b in pairs)


def opencv_tvl1(first: Tensor, second: Tensor) -> Tensor:
    pairs = zip(first.numpy(), second.numpy(), strict=True)
    return _stack(cv2.optflow.DualTVL1OpticalFlow_create().calc(a, b, None) for a, b in pairs)


def _stack(flows) -> Tensor:
    return torch.from_numpy(np.stack(list(flows))).permute(0, 3, 1, 2)


METHODS: dict[str, Method] = {
    "Farnebäck, OpenCV": opencv_farneback,
    "Farnebäck, torch": lambda a, b: farneback(a, b, backend="torch"),
    "TV-L1, OpenCV": opencv_tvl1,
    "TV-L1, torch": tvl1,
    "TV-L1, torch, 20 iterations a warp": lambda a, b: tvl1(a, b, innerIterations=20),
    "TV-L1, torch, adaptive": lambda a, b: tvl1(a, b, schedule="adaptive"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos; ten, spread over it, are used")
    parser.add_argument("--truth", type=Path, help="a folder with the RubberWhale frames and flow")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    if not hasattr(cv2, "optflow"):
        parser.error("OpenCV has no TV-L1 here; see the top of this file")
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)

    files = sorted(options.clips.glob("*.*"))
    files = files[:: max(len(files) // CLIPS, 1)][:CLIPS]
    errors = truth_errors(options.truth) if options.truth else {}
    print(f"OpenCV {cv2.__version__}, torch {torch.__version__}, both on {options.threads} threads")
    for height, width in SIZES:
        clips = [_grey_pairs(file, height, width) for file in files]
        print(f"\n{width}×{height}, median of {len(clips)} clips, {PAIRS_PER_CLIP} pairs each at most")
        print(f"{'':36} {'ms a pair':>10} {'speed':>9} {'error on RubberWhale, px':>25}")
        baseline = {}
        for name, method in METHODS.items():
            ms = statistics.median(_ms_a_pair(method, *clip) for clip in clips)
            algorithm = name.split(",")[0]
            baseline.setdefault(algorithm, ms)
            error = f"{errors[name]:.4f}" if errors else "–"
            print(f"{name:36} {ms:10.2f} {baseline[algorithm] / ms:9.2f} {error:>25}")
    if torch.cuda.is_available():
        _gpu(_grey_pairs(files[0], 224, 224, pairs=79))


def truth_errors(folder: Path) -> dict[str, float]:
    """Average end-point error of each method, px, over the pixels whose true flow is known."""
    frames = [cv2.imread(str(folder / f"RubberWhale_{i}.png"), cv2.IMREAD_GRAYSCALE) for i in (10, 11)]
    truth = torch.from_numpy(cv2.readOpticalFlow(str(folder / "RubberWhale.flo"))).permute(2, 0, 1)
    known = (truth.abs() < 1e9).all(dim=0)
    first, second = (torch.from_numpy(frame)[None] for frame in frames)
    return {
        name: (method(first, second)[0] - truth).norm(dim=0)[known].mean().item() for name, method in METHODS.items()
    }


def _grey_pairs(file: Path, height: int, width: int, pairs: int = PAIRS_PER_CLIP) -> tuple[Tensor, Tensor]:
    clip = finish(read_clip(file, Sampling(every=1, max_frames=pairs)))

    def grey(frames: np.ndarray) -> Tensor:
        small = (cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames)
        return torch.from_numpy(np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in small]))

    return grey(clip.frames), grey(clip.next_frames)


def _ms_a_pair(method: Method, first: Tensor, second: Tensor) -> float:
    method(first[:1], second[:1])  # tables are built once, threads are started once
    began = time.perf_counter()
    method(first, second)
    return (time.perf_counter() - began) / len(first) * 1e3


def _gpu(pairs: tuple[Tensor, Tensor]) -> None:
    first, second = (frames.cuda() for frames in pairs)
    device = torch.cuda.get_device_properties(first.device)
    bandwidth = 2 * device.memory_clock_rate * 1e3 * device.memory_bus_width / 8  # bytes/s; kHz, bits
    print(f"\n{device.name}, {bandwidth / 1e12:.1f} TB/s, {len(first)} pairs at 224×224")
    for name, method in {"Farnebäck": farneback, "TV-L1": tvl1}.items():
        for backend in ("torch", "triton"):
            method(first, second, backend=backend)  # compiles
            torch.cuda.synchronize()
            began = time.perf_counter()
            method(first, second, backend=backend)
            torch.cuda.synchronize()
            seconds = (time.perf_counter() - began) / len(first)
            share = BYTES_A_PAIR[name, backend] / seconds / bandwidth
            print(f"{name}, {backend}: {seconds * 1e6:.1f} µs a pair, {share:.0%} of the roofline")


if __name__ == "__main__":
    main()
