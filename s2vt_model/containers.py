"""What can be said of a video file without decoding it: enough for honest sentences.

Of the container only the names and sizes of its outermost parts are looked at.
"""

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

from s2vt_model.errors import VideoError

MEDIA_BOXES = (b"moov", b"moof", b"mdat")  # what follows other boxes may be a phone maker's own trailer
EBML, SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")


def check_file(path: Path) -> None:
    """Raises `VideoError` where `path` is no file that could be a video."""
    _check_name(path)
    try:
        exists = path.exists()
    except OSError as error:  # too long a name, or a folder that may not be entered
        raise VideoError(f"“{path.name[:80]}” is no path that can be opened. Check it.") from error
    if not exists:
        raise VideoError(f"There is no file “{path}”. Check the path.")
    if path.is_dir():
        raise VideoError(f"“{path}” is a folder. Name a video file in it.")
    if not os.access(path, os.R_OK):
        raise VideoError(f"“{path.name}” may not be read. Check its permissions.")
    if path.stat().st_size == 0:
        raise VideoError(f"“{path.name}” is empty (0 bytes). Copy or download it again.")
    if _is_playlist(path):
        raise VideoError(f"“{path.name}” is a playlist, not a video. Open a file that it lists.")
    if _is_text(path):
        raise VideoError(
            f"“{path.name}” holds text, not a video: perhaps an error page that was saved in its place. "
            "Download it again."
        )


def why_unreadable(path: Path) -> str:
    """A sentence about a file that OpenCV cannot open."""
    if _lacks_index(path):
        return (
            f"The index of “{path.name}” is missing: the recording or download broke off. "
            "Copy it again, or repair it with a tool such as untrunc."
        )
    return (
        f"“{path.name}” holds no pictures that can be decoded: it is not a video, only sound, "
        "damaged, or in an unknown format. Try an mp4, mov, webm, mkv, avi or gif file."
    )


def breaks_off(path: Path) -> bool:
    """Whether the file (mp4, mov, avi, mkv, webm) is shorter than it says itself."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(256)
    if head[:4] == b"RIFF":
        announced = int.from_bytes(head[4:8], "little")
        return 8 + announced > size and announced < 0xFFFF0000  # above: "unknown", from live recorders
    if head[:4] == EBML:
        end = _matroska_end(head)
        return end is not None and end > size
    return head[4:8] == b"ftyp" and any(end > size for kind, end in _boxes(path) if kind in MEDIA_BOXES)


def _check_name(path: Path) -> None:
    """OpenCV crashes, taking the process with it, on a name that UTF-8 cannot express."""
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError as error:
        shown = str(path).encode(errors="replace").decode()
        raise VideoError(f"The name “{shown}” is not valid UTF-8. Rename the file or its folder.") from error
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL
        raise VideoError(f"“{path.name[:80]}” is no path that can be opened. Check it.") from error


def _is_text(path: Path) -> bool:
    """Whether the file starts like text. FFmpeg would render some such files as letters on a screen."""
    with path.open("rb") as file:
        head = file.read(4096)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\n\r\f\ufeff" for character in text)


def _is_playlist(path: Path) -> bool:
    """Whether the file only names others, which are not the visitor's to open."""
    with path.open("rb") as file:
        return file.read(64).removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"#EXTM3U", b"ffconcat"))


def _lacks_index(path: Path) -> bool:
    """Whether an mp4 or mov has no `moov` box, without which its frames cannot be found."""
    kinds = [kind for kind, _ in _boxes(path)]
    return kinds[:1] == [b"ftyp"] and b"moov" not in kinds


def _boxes(path: Path) -> Iterator[tuple[bytes, int]]:
    """Top-level boxes of an ISO media file (mp4, mov): kind, and where each should end."""
    size_of_file = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= size_of_file:
            file.seek(at)
            header = file.read(16)
            size = int.from_bytes(header[:4], "big")
            if size == 1:  # a 64-bit size follows
                size = int.from_bytes(header[8:16], "big")
            elif size == 0:  # to the end of the file
                size = size_of_file - at
            if size < 8:
                return
            yield header[4:8], at + size
            at += size


def _matroska_end(head: bytes) -> int | None:
    """Where the segment of an mkv or webm should end; None where a live recorder left it open."""
    length, payload = _matroska_length(head, 4)
    segment = payload + (length or 0)
    if head[segment : segment + 4] != SEGMENT:
        return None
    length, payload = _matroska_length(head, segment + 4)
    return None if length is None else payload + length


def _matroska_length(data: bytes, at: int) -> tuple[int | None, int]:
    """An EBML length at `at`, None if it is the reserved "unknown", and the position after it."""
    width = 9 - data[at].bit_length() if at < len(data) and data[at] else 8
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), at + width
