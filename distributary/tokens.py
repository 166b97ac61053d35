"""Token counts that are charged: SmolLM2's own tokenizer, run here and not by the paid node."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributary.models import model_file
from distributary.settings import load_settings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONTROL = 3  # llama.cpp's token type of special tokens
_HEAD_BYTES = 4 * 1024 * 1024  # SmolLM2's metadata, vocabulary included, ends before this


class TokenCounter:
    """Counts tokens exactly as llama.cpp does; special tokens in the text count as one each.

    Safe to share between threads. 40 tokens take about 25 µs, 1,000 about 0.8 ms.
    """

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self._tokenizer = tokenizer

    def count(self, text: str) -> int:
        """The number of tokens of `text`; 0 for an empty one."""
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def ids(self, text: str) -> list[int]:
        """The token ids of `text`."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def cut(self, text: str, tokens_max: int) -> str:
        """The longest prefix, at a token's end, that has at most `tokens_max` tokens."""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        if len(offsets) <= tokens_max:
            return text
        end = offsets[tokens_max - 1][1] if tokens_max > 0 else 0
        prefix = text[:end]
        # A character of several tokens may end here, and tokens are not additive at a cut.
        while prefix and self.count(prefix) > tokens_max:
            prefix = prefix[:-1]
        return prefix


class ByteCounter:
    """Counts one token per four bytes, begun ones included: for the simulated model only.

    Its answers are made up, so are its tokens; counting them for real would be most of the CPU
    that a load benchmark measures.
    """

    def count(self, text: str) -> int:
        """The number of tokens of `text`; 0 for an empty one."""
        return -(-len(text.encode()) // 4)

    def cut(self, text: str, tokens_max: int) -> str:
        """The longest prefix that has at most `tokens_max` tokens."""
        return text.encode()[: 4 * max(tokens_max, 0)].decode(errors="ignore")


def counters() -> Mapping[str, TokenCounter | ByteCounter]:
    """The counters by the name that `ModelSpec.tokenizer` gives.

    Raises:
        UnavailableError: the weights are not installed.
    """
    return {"smollm2": default_counter(), "bytes": ByteCounter()}


def load_counter(file: Path, cache: Path) -> TokenCounter:
    """Loads the tokenizer of a GGUF file, through a copy in the cache folder.

    Reading 49,152 tokens and 48,900 merges out of the model file takes 5 s, the copy 0.1 s. The
    copy's name is a hash of the file's head, so another model never meets it.

    Raises:
        OSError: the model file or the cache folder cannot be used.
    """
    from tokenizers import Tokenizer

    # Its own thread pool breaks in forked processes and steals cores from ours.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with file.open("rb") as stream:
        head = hashlib.sha256(stream.read(_HEAD_BYTES)).hexdigest()
    cached = cache / "tokenizers" / f"{head}.json"
    if not cached.exists():
        _write(cached, _read_gguf(file).to_str())
    return TokenCounter(Tokenizer.from_file(str(cached)))


@lru_cache(maxsize=1)
def default_counter() -> TokenCounter:
    """The counter of the models served, loaded at first use and kept.

    Raises:
        UnavailableError: the weights are not installed.
    """
    return load_counter(model_file(), load_settings().cache)


def _read_gguf(file: Path) -> "Tokenizer":
    """Builds what llama.cpp's pre-tokenizer `smollm` does: single digits, then GPT-2's pieces."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields: Any = GGUFReader(file).fields
    words: list[str] = fields["tokenizer.ggml.tokens"].contents()
    kinds: list[int] = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(word, special=True, normalized=False)
            for word, kind in zip(words, kinds, strict=True)
            if kind == _CONTROL
        ]
    )
    return tokenizer


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as stream:
        stream.write(text)
    Path(stream.name).replace(path)
