"""A folder <-> a model. Loading proves that network, vocabulary and weights belong together.

weights/NAME/
    config.json           CheckpointConfig
    vocabulary.txt        a word a line
    model.safetensors     the network's weights, float16 (float32 where they were converted)
    golden.safetensors    features, and the sentence (ids, log-probabilities) they must give;
                          a fingerprint of the vocabulary
    manifest.json         SHA-256 of these four, checked where the folder was downloaded
    README.md             model card
    backbone/             the backbone's folder, where it was downloaded with the checkpoint
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from s2vt_model.architectures import Network, NetworkState, build_network
from s2vt_model.config import CheckpointConfig
from s2vt_model.decoding import DecodingOptions, decode
from s2vt_model.errors import CheckpointError, first_line
from s2vt_model.frame_order import reading_order
from s2vt_model.manifest import write_manifest
from s2vt_model.vocabulary import Vocabulary

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
DEFAULT_CHECKPOINT = WEIGHTS / "s2vt-msvd-rgb"
FILES = ("config.json", "vocabulary.txt", "model.safetensors", "golden.safetensors")
GOLDEN_TOLERANCE = 0.02  # nat a word: what other hardware's rounding may change
GOLDEN_OPTIONS = DecodingOptions(method="greedy")


@dataclass(frozen=True)
class Checkpoint:
    """A trained network, ready to write; its weights are float32 in memory."""

    config: CheckpointConfig
    vocabulary: Vocabulary
    network: Network
    folder: Path

    def encode(self, videos: Sequence[Tensor]) -> NetworkState:
        """Read each video's features, (T, feature_size) in the order of time, in the checkpoint's order."""
        read = [x[reading_order(self.config.frame_order, len(x))] for x in videos]
        lengths = torch.tensor([len(x) for x in read])
        padded = pad_sequence(read, batch_first=True).to(self.network.predict.weight.device)
        return self.network.encode(padded, None if len(lengths.unique()) == 1 else lengths)

    @property
    def backbone_folder(self) -> Path:
        """In the checkpoint, beside it, or among the weights that come with the project."""
        within = self.folder / "backbone"
        beside = self.folder.parent / "backbones" / self.config.backbone
        return next((f for f in (within, beside) if f.is_dir()), WEIGHTS / "backbones" / self.config.backbone)


def load_checkpoint(folder: str | Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Load and check `folder`. Raises `CheckpointError` with a sentence that says what is wrong."""
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"There is no checkpoint folder “{folder}”. Name one such as weights/s2vt-msvd-rgb.")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"The checkpoint “{folder}” lacks “{missing[0]}”. Restore the folder.")
    try:
        config = CheckpointConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
        vocabulary = Vocabulary.load(folder / "vocabulary.txt")
        weights = load_file(folder / "model.safetensors")
        golden = load_file(folder / "golden.safetensors")
        network = build_network(config.network)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"The checkpoint “{folder}” is damaged ({first_line(error)}). Restore the folder."
        ) from error
    claims_zero = config.no_frame == "zero"
    possible = (None,) if config.network.architecture == "mean_pool" else ("zero", "mean")
    if config.no_frame not in possible or (claims_zero and weights.get("no_frame", torch.zeros(1)).any()):
        raise CheckpointError(f"The config of “{folder}” names another “no frame” than its weights hold.")

    expected = config.network.vocabulary_size
    if len(vocabulary) != expected:
        raise CheckpointError(
            f"The vocabulary of “{folder}” has {len(vocabulary)} entries, its network {expected}: "
            "they are not of one training run. Restore the vocabulary that came with the weights."
        )
    _load_weights(network, weights, folder)
    checkpoint = Checkpoint(config, vocabulary, network.eval().requires_grad_(False), folder)
    _check_golden(checkpoint, golden)
    network.to(device)
    return checkpoint


def save_checkpoint(
    folder: str | Path,
    config: CheckpointConfig,
    vocabulary: Vocabulary,
    network: Network,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write `folder`, golden sample included: greedy decoding of made-up features.

    float16 halves the file and moves log-probabilities a little; float32 keeps the weights to the bit.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config.to_json(), encoding="utf-8")
    vocabulary.save(folder / "vocabulary.txt")
    weights = {name: t.to(dtype).contiguous() for name, t in network.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    stored = build_network(config.network).eval()
    stored.load_state_dict(weights)
    noise = torch.randn(8, config.network.feature_size, generator=torch.Generator().manual_seed(0))
    features = 0.3 * noise.abs() + (stored.no_frame if config.no_frame == "mean" else 0.0)
    ids, log_probs = _golden_sentence(Checkpoint(config, vocabulary, stored, folder), features)
    golden = {"features": features, "words": ids, "log_probs": log_probs, "vocabulary": _fingerprint(vocabulary)}
    save_file(golden, folder / "golden.safetensors")
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes files that only their owner can read
    write_manifest(folder, FILES)


def _load_weights(network: Network, weights: dict[str, Tensor], folder: Path) -> None:
    wanted = network.state_dict()
    missing = sorted(wanted.keys() - weights.keys())
    if missing:
        raise CheckpointError(
            f"The weights of “{folder}” lack the tensor “{missing[0]}”"
            f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}. Restore model.safetensors."
        )
    surplus = sorted(weights.keys() - wanted.keys())
    if surplus:
        raise CheckpointError(f"The weights of “{folder}” hold a tensor that its network has not: “{surplus[0]}”.")
    for name, tensor in weights.items():
        if tensor.shape != wanted[name].shape:
            raise CheckpointError(
                f"The tensor “{name}” of “{folder}” is {tuple(tensor.shape)}, its config.json says "
                f"{tuple(wanted[name].shape)}: weights and config are not of one training run."
            )
    network.load_state_dict(weights)


def _golden_sentence(checkpoint: Checkpoint, features: Tensor) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        hypothesis = decode(checkpoint.network, checkpoint.encode([features]), 1, GOLDEN_OPTIONS)[0][0]
    log_probs = [*hypothesis.word_log_probs, *([] if hypothesis.end_log_prob is None else [hypothesis.end_log_prob])]
    return torch.tensor(hypothesis.words), torch.tensor(log_probs)


def _fingerprint(vocabulary: Vocabulary) -> Tensor:
    """SHA-256 of the words in their order, (32,) bytes: ids alone cannot tell words that changed places."""
    return torch.tensor(list(sha256("\n".join(vocabulary.words).encode()).digest()), dtype=torch.uint8)


def _check_golden(checkpoint: Checkpoint, golden: dict[str, Tensor]) -> None:
    try:
        ids, log_probs = _golden_sentence(checkpoint, golden["features"])
        agrees = (
            torch.equal(ids, golden["words"])
            and torch.allclose(log_probs, golden["log_probs"], rtol=0, atol=GOLDEN_TOLERANCE)
            and torch.equal(_fingerprint(checkpoint.vocabulary), golden["vocabulary"])
        )
    except (KeyError, ValueError, TypeError, RuntimeError):
        agrees = False
    if not agrees:
        raise CheckpointError(
            f"The checkpoint “{checkpoint.folder}” does not reproduce its golden sample: weights, "
            "vocabulary or golden.safetensors were changed. Restore the folder."
        )
