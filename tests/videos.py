"""Videos written by the tests, in which every frame shows its own number.

OpenCV writes the common kinds. What it cannot write (variable frame rate, rotation, damage) is made
of those by editing the bytes of the container, as a phone or a broken download would have left them.
"""

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

CODECS = {".webm": "VP80", ".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".mkv": "MJPG"}
ROWS, COLUMNS = 2, 8  # 16 bits, a block of brightness each
BLACK, WHITE = 20, 235


def numbered_frame(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """(height, width, 3) uint8: the number's bits as dark and bright blocks, row by row."""
    bits = [(number >> k) & 1 for k in range(ROWS * COLUMNS)]
    grid = np.array(bits).reshape(ROWS, COLUMNS)
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    grey = np.where(grid[rows][:, columns], WHITE, BLACK).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def read_number(frame: np.ndarray) -> int:
    """The number that a frame shows, however it was compressed or shrunk."""
    height, width = frame.shape[:2]
    blocks = frame[: height // ROWS * ROWS, : width // COLUMNS * COLUMNS].mean(axis=2)
    means = blocks.reshape(ROWS, height // ROWS, COLUMNS, width // COLUMNS).mean(axis=(1, 3))
    return sum(1 << k for k, bright in enumerate(means.flatten() > (BLACK + WHITE) / 2) if bright)


def write_video(
    path: Path, frames: Iterable[np.ndarray] | int, fps: float = 25, size: tuple[int, int] = (48, 64)
) -> Path:
    """Write frames (BGR), or that many numbered ones of `size` (height, width). Returns `path`."""
    if isinstance(frames, int):
        frames = (numbered_frame(number, *size) for number in range(frames))
    writer = None
    for frame in frames:
        if writer is None:
            fourcc = cv2.VideoWriter.fourcc(*CODECS[path.suffix])
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, frame.shape[1::-1])
            assert writer.isOpened(), f"this OpenCV cannot write {path.suffix}"
        writer.write(frame)
    writer.release()
    return path


def sliding_frames(count: int, step_px: tuple[int, int], height: int = 224, width: int = 224) -> list[np.ndarray]:
    """A soft random pattern that moves on by `step_px` (right, down) from frame to frame."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    pattern = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, BLACK, WHITE, cv2.NORM_MINMAX)
    x, y = step_px
    return [np.repeat(np.roll(pattern, (y * i, x * i), (0, 1))[:, :, None], 3, axis=2) for i in range(count)]


# --- mp4, box by box ---------------------------------------------------------------------------


def edit_boxes(data: bytes, route: list[bytes], change: Callable[[bytes], bytes]) -> bytes:
    """Change the payload of the boxes that `route` leads to, such as [b"moov", b"trak", b"tkhd"]."""
    edited, at = b"", 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind, payload = data[at + 4 : at + 8], data[at + 8 : at + size]
        if kind == route[0]:
            payload = change(payload) if len(route) == 1 else edit_boxes(payload, route[1:], change)
        edited += struct.pack(">I4s", len(payload) + 8, kind) + payload
        at += size
    return edited


def rotate_mp4(path: Path, clockwise: int) -> None:
    """Ask players to turn the pictures, as a phone held upright does."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[clockwise]

    def turn(header: bytes) -> bytes:
        a, b, c, d = (value * 0x10000 for value in matrix)
        return header[:40] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000) + header[76:]

    path.write_bytes(edit_boxes(path.read_bytes(), [b"moov", b"trak", b"tkhd"], turn))


def set_mp4_durations(path: Path, seconds: list[float], fps: float = 25) -> None:
    """Show each frame for its own time: a variable frame rate."""
    data = path.read_bytes().replace(b"edts", b"free")  # the edit list holds the old length

    def retime(table: bytes) -> bytes:
        count, ticks = struct.unpack(">II", table[8:16])  # all frames alike
        assert count == len(seconds)
        entries = b"".join(struct.pack(">II", 1, round(s * fps * ticks)) for s in seconds)
        return struct.pack(">II", 0, len(seconds)) + entries

    path.write_bytes(edit_boxes(data, [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"], retime))


def index_first(data: bytes) -> bytes:
    """The same mp4 with its index in front of the frames, as made for streaming."""
    at, boxes = 0, {}
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        boxes[data[at + 4 : at + 8]] = data[at : at + size]
        at += size
    moov = boxes.pop(b"moov")

    def shift(table: bytes) -> bytes:
        count = int.from_bytes(table[4:8], "big")
        offsets = struct.unpack(f">{count}I", table[8:])
        return table[:8] + struct.pack(f">{count}I", *(offset + len(moov) for offset in offsets))

    moov = edit_boxes(moov, [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco"], shift)
    return boxes.pop(b"ftyp") + moov + b"".join(boxes.values())


def sound_only(data: bytes) -> bytes:
    """The same mp4 whose only track says that it is sound."""
    return data.replace(b"hdlr" + bytes(8) + b"vide", b"hdlr" + bytes(8) + b"soun")


# --- webm and avi ------------------------------------------------------------------------------


def as_live_recording(webm: bytes) -> bytes:
    """The same webm as a browser records it: no duration, no segment size."""
    at = webm.index(bytes.fromhex("448988"))  # Duration, 8 bytes -> Void, 9 bytes
    webm = webm[:at] + bytes.fromhex("ec89") + bytes(9) + webm[at + 11 :]
    at = webm.index(bytes.fromhex("18538067"))
    return webm[: at + 4] + bytes.fromhex("01ffffffffffffff") + webm[at + 12 :]


def set_avi_frame_count(avi: bytes, count: int) -> bytes:
    """The same avi whose headers claim another number of frames."""
    at = avi.index(b"avih") + 8 + 16
    avi = avi[:at] + struct.pack("<I", count) + avi[at + 4 :]
    at = avi.index(b"strh") + 8 + 32
    return avi[:at] + struct.pack("<I", count) + avi[at + 4 :]
