"""The body of a request: hand-written reading of what `inference.request.v1.json` describes.

It is on the hot path of the inference job, where a JSON Schema validator would take a hundred
times as long; a property test holds the two equal.
"""

import re
from typing import Any, Final, NamedTuple

from distributary.answers import Refusal
from distributary.errors import InputError

MESSAGES_MAX: Final = 64
MAX_TOKENS_MAX: Final = 256
MAX_TOKENS_DEFAULT: Final = 64
DEADLINE_MS_MAX: Final = 300_000

ROLES: Final = ("system", "user", "assistant")
_NAME = re.compile(r"[a-z0-9-]{1,63}")
_MODEL = re.compile(r"[A-Za-z0-9._-]{1,63}")
_NOT_BLANK = re.compile(r"[^ \t\r\n]")
_BODY_FIELDS: Final = frozenset(
    ("model", "prompt", "messages", "datanet", "adapter", "agent", "settings", "deadline_ms")
)
_SETTINGS_FIELDS: Final = frozenset(("max_tokens",))
_MESSAGE_FIELDS: Final = frozenset(("role", "content"))


class Message(NamedTuple):
    """One turn of a conversation; `role` is one of `ROLES`."""

    role: str
    content: str


class Body(NamedTuple):
    """What a request asks for.

    Attributes:
        model: public name of a model, not yet looked up.
        messages: the conversation; a prompt is one message of the user.
        question: the text that retrieval uses: the prompt, or the user's last message.
        datanet: the datanet to retrieve from.
        adapter: an adapter of the model.
        agent: the agent that earns for bringing the request.
        max_tokens: the longest answer, in tokens.
        deadline_ms: from admission to answer, milliseconds; None: the job's default.
    """

    model: str
    messages: tuple[Message, ...]
    question: str
    datanet: str | None
    adapter: str | None
    agent: str | None
    max_tokens: int
    deadline_ms: int | None


def _bad(sentence: str, value: object = None) -> InputError:
    return InputError(sentence, value=value, code=Refusal.BAD_REQUEST)


def _text(value: Any, field: str) -> str:
    if type(value) is not str:
        raise _bad(f"`{field}` must be text.")
    if not _NOT_BLANK.search(value):
        raise InputError(f"`{field}` is empty: say something.", code=Refusal.EMPTY_PROMPT)
    return value


def _message(value: Any) -> Message:
    if type(value) is not dict or value.keys() != _MESSAGE_FIELDS:
        raise _bad("A message is an object of `role` and `content`, nothing else.")
    if value["role"] not in ROLES:
        raise _bad(f"`role` is one of {', '.join(ROLES)}.")
    return Message(value["role"], _text(value["content"], "content"))


def _conversation(body: dict[str, Any]) -> tuple[tuple[Message, ...], str]:
    if ("prompt" in body) == ("messages" in body):
        raise _bad("Give either `prompt` or `messages`.")
    if "prompt" in body:
        prompt = _text(body["prompt"], "prompt")
        return (Message("user", prompt),), prompt
    given = body["messages"]
    if type(given) is not list or not 1 <= len(given) <= MESSAGES_MAX:
        raise _bad(f"`messages` is a list of 1 to {MESSAGES_MAX}.")
    messages = tuple([_message(value) for value in given])
    for message in reversed(messages):
        if message.role == "user":
            return messages, message.content
    raise _bad("`messages` needs one of the role user.")


def _whole(value: Any, field: str, maximum: int) -> int:
    # JSON has one kind of number: 64.0 is the 64 that RFC 8785 writes for both.
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 1 <= value <= maximum:
        raise _bad(f"`{field}` must be a whole number from 1 to {maximum}.")
    return value


def _max_tokens(settings: Any) -> int:
    if type(settings) is not dict or not settings.keys() <= _SETTINGS_FIELDS:
        raise _bad("`settings` is an object that may hold `max_tokens`, nothing else.")
    if "max_tokens" not in settings:
        return MAX_TOKENS_DEFAULT
    return _whole(settings["max_tokens"], "settings.max_tokens", MAX_TOKENS_MAX)


def _name(body: dict[str, Any], field: str) -> str | None:
    if field not in body:
        return None
    value = body[field]
    if type(value) is not str or not _NAME.fullmatch(value):
        raise _bad(f"`{field}` must be 1 to 63 of a-z, 0-9 and -.")
    return value


def read_body(body: Any) -> Body:
    """Reads the `body` of a request.

    Raises:
        InputError: `empty_prompt`, or `bad_request` with the field and what it must be.
    """
    if type(body) is not dict:
        raise _bad("`body` must be an object.")
    if not body.keys() <= _BODY_FIELDS:
        unknown = min(str(field) for field in body.keys() - _BODY_FIELDS)
        raise _bad("`body` has a field that is unknown or reserved.", unknown[:64])
    model = body.get("model")
    if type(model) is not str or not _MODEL.fullmatch(model):
        raise _bad("`model` must be 1 to 63 of letters, digits and . _ -")
    messages, question = _conversation(body)
    return Body(
        model=model,
        messages=messages,
        question=question,
        datanet=_name(body, "datanet"),
        adapter=_name(body, "adapter"),
        agent=_name(body, "agent"),
        max_tokens=_max_tokens(body["settings"]) if "settings" in body else MAX_TOKENS_DEFAULT,
        deadline_ms=(
            _whole(body["deadline_ms"], "deadline_ms", DEADLINE_MS_MAX)
            if "deadline_ms" in body
            else None
        ),
    )
