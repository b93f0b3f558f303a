"""The errors a person may meet. Each message is a whole sentence that says what to do."""


class S2VTError(ValueError):
    """Something the caller gave cannot be used; `str(error)` is fit to be shown as it is."""


class VideoError(S2VTError):
    """A file that is not a readable video, or a time range that holds no frame of it."""


class CheckpointError(S2VTError):
    """A checkpoint or backbone folder that is incomplete, damaged, or not what it says it is."""


class CaffeError(S2VTError):
    """A `.caffemodel`, or a vocabulary to go with it, that cannot be converted."""


class FlowError(S2VTError):
    """Images or parameters that optical flow cannot be measured with."""


class CorpusError(S2VTError):
    """A corpus folder that lacks a file the command needs."""


def first_line(error: Exception) -> str:
    """What a library says of a problem, fit to stand within a sentence."""
    if isinstance(error, KeyError):
        return f"the field {error} is missing"
    return str(error).strip().split("\n")[0][:200].rstrip(".")


class HubError(CheckpointError):
    """A repository of the Hugging Face Hub that cannot be had, or cannot be used."""


class HubUnreachableError(HubError):
    """The Hub does not answer, or may not be asked; what was downloaded earlier can still be used."""
