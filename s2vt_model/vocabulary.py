"""Words <-> ids, numbered as in the authors' release: 0 `<EOS>`, 1 `<UNK>`, then the words."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from s2vt_model.errors import CheckpointError

EOS = 0  # ends a sentence, starts it, and is the word input while frames are read
UNK = 1  # stands for rare words in training; never written
SPECIALS = ("<EOS>", "<UNK>")


class Vocabulary:
    """The words a checkpoint can write."""

    def __init__(self, words: Iterable[str]):
        self.words = (*SPECIALS, *words)
        self._ids = {word: i for i, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            raise ValueError("The vocabulary lists a word twice.")

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, sentence: str) -> list[int]:
        """A lower-case sentence -> ids, `UNK` for words that are not listed; no `EOS`."""
        return [self._ids.get(word, UNK) for word in sentence.split()]

    def decode(self, ids: Sequence[int]) -> str:
        """Ids -> a sentence, up to the first `EOS`."""
        ids = list(ids)
        return " ".join(self.words[i] for i in (ids[: ids.index(EOS)] if EOS in ids else ids))

    def save(self, file: Path) -> None:
        """One word a line; the two specials are understood."""
        file.write_text("".join(f"{word}\n" for word in self.words[len(SPECIALS) :]), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> "Vocabulary":
        return cls(file.read_text(encoding="utf-8").splitlines())


def check_shared(vocabularies: Mapping[str, Vocabulary]) -> None:
    """Raises `CheckpointError` where streams, by name, could not write together: one id must be one word to all."""
    (first, words), *others = ((name, vocabulary.words) for name, vocabulary in vocabularies.items())
    for other, its_words in others:
        if its_words != words:
            raise CheckpointError(
                f"The streams “{first}” and “{other}” have different vocabularies and cannot write together. "
                "Choose checkpoints of one training corpus."
            )
