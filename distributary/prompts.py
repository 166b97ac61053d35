"""Prompt assembly, in trusted code: the whole text that a node completes.

The format is ChatML, as SmolLM2-Instruct was trained on (`tokenizer.chat_template` of its GGUF).
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from distributary.bodies import Message
from distributary.errors import InputError
from distributary.excerpts import excerpt
from distributary.models import ModelSpec

# Of 60 XQuAD questions, SmolLM2-135M had 21 right with the best passage alone and 16 with two,
# which took three times as long; being told how to answer brought the 21 to 23.
PASSAGES_SHOWN_MAX: Final = 1
PASSAGE_TOKENS_MAX: Final = 256  # reading 256 tokens takes two CPU cores about a second
PASSAGE_TOKENS_MIN: Final = 16  # a shorter rest of a passage says nothing
SEPARATOR_TOKENS: Final = 2  # a blank line
PASSAGES_TOKENS_MAX: Final = PASSAGES_SHOWN_MAX * (PASSAGE_TOKENS_MAX + SEPARATOR_TOKENS)
CHARACTERS_PER_TOKEN: Final = 4
SYSTEM: Final = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
SYSTEM_SHOWN: Final = "Answer the question from the text in a few words."

SPECIAL_TOKENS: Final = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<repo_name>",
    "<reponame>",
    "<file_sep>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<jupyter_script>",
    "<empty_output>",
)
_SPECIAL: Final = re.compile("<(?=" + "|".join(re.escape(t[1:]) for t in SPECIAL_TOKENS) + ")")


class Counter(Protocol):
    """What assembly needs of `distributary.tokens.TokenCounter`."""

    def count(self, text: str) -> int:
        """The number of tokens of `text`."""
        ...

    def cut(self, text: str, tokens_max: int) -> str:
        """The longest prefix that has at most `tokens_max` tokens."""
        ...


class Retrieved(Protocol):
    """What assembly needs of a retrieved passage."""

    @property
    def document(self) -> str:
        """The document's content hash, 64 hex digits."""
        ...

    @property
    def text(self) -> str:
        """The text to show."""
        ...


class Passage(NamedTuple):
    """A passage as it stands in a prompt.

    Attributes:
        document: the document's content hash, 64 hex digits.
        text: what is shown of it, escaped and perhaps cut.
    """

    document: str
    text: str


class Assembled(NamedTuple):
    """A prompt ready for a node.

    Attributes:
        prompt: the text to complete, special tokens included.
        prompt_tokens: its length, which is charged.
        shown: the passages in it, best first.
    """

    prompt: str
    prompt_tokens: int
    shown: tuple[Passage, ...]


def escape(text: str) -> str:
    """Breaks special tokens in text that others wrote, so that nobody can speak for another role.

    A space after the `<` leaves the text readable and changes no word of it.
    """
    return _SPECIAL.sub("< ", text)


def assemble(
    spec: ModelSpec,
    messages: Sequence[Message],
    passages: Sequence[Retrieved],
    counter: Counter,
    answer_tokens: int,
) -> Assembled:
    """Makes the prompt of a request; the same input always gives the same text.

    Before the user's last message stands, of the best passages, the excerpt that has most of its
    words. What does not fit is cut from the excerpts, never from what the customer wrote.

    Args:
        spec: the model, for its context.
        messages: the conversation, oldest first, with a message of the user.
        passages: whole documents, best first; `PASSAGES_SHOWN_MAX` are shown.
        counter: the model's tokenizer.
        answer_tokens: room to leave for the answer.

    Raises:
        InputError: `prompt_too_long`: the messages alone leave no room for the answer.
    """
    room = spec.context_tokens - answer_tokens
    bare = _render(messages, ())
    tokens = counter.count(bare)
    if tokens > room:
        raise InputError(
            f"Shorten the prompt: it and the answer have {spec.context_tokens} tokens.",
            value=tokens + answer_tokens,
            code="prompt_too_long",
        )
    question = messages[_asked(messages)].content
    shown = _fit(question, passages[:PASSAGES_SHOWN_MAX], room - tokens, counter)
    while shown:
        prompt = _render(messages, shown)
        tokens_shown = counter.count(prompt)
        if tokens_shown <= room:
            return Assembled(prompt, tokens_shown, shown)
        shown = shown[:-1]
    return Assembled(bare, tokens, ())


def _fit(
    question: str, passages: Sequence[Retrieved], room: int, counter: Counter
) -> tuple[Passage, ...]:
    """Escapes excerpts and cuts them to `room` tokens together, the first one first."""
    shown: list[Passage] = []
    for passage in passages:
        tokens_max = min(PASSAGE_TOKENS_MAX, room - SEPARATOR_TOKENS)
        if tokens_max < PASSAGE_TOKENS_MIN:
            break
        found = excerpt(question, passage.text, tokens_max * CHARACTERS_PER_TOKEN)
        text = counter.cut(escape(found), tokens_max).rstrip()
        if text:
            shown.append(Passage(passage.document, text))
            room -= counter.count(text) + SEPARATOR_TOKENS
    return tuple(shown)


def _asked(messages: Sequence[Message]) -> int:
    """Which message asks: the user's last one."""
    asked = len(messages) - 1
    while messages[asked].role != "user":
        asked -= 1
    return asked


def _render(messages: Sequence[Message], shown: Sequence[Passage]) -> str:
    asked = _asked(messages)
    context = "".join(f"{passage.text}\n\n" for passage in shown)
    turns = [
        _turn(message.role, (context if i == asked else "") + escape(message.content))
        for i, message in enumerate(messages)
    ]
    if messages[0].role != "system":
        turns.insert(0, _turn("system", SYSTEM_SHOWN if shown else SYSTEM))
    return "".join(turns) + "<|im_start|>assistant\n"


def _turn(role: str, content: str) -> str:
    return f"<|im_start|>{role}\n{content}<|im_end|>\n"
