"""Commands: send and quote."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import (
    JsonOption,
    print_fields,
    print_json,
    print_table,
    progress,
    results,
)

if TYPE_CHECKING:
    from distributary.answers import Answer
    from distributary.client import Client, Outcome
    from distributary.client.runfile import Asked
    from distributary.client.runs import Run
    from distributary.pricing import Quote

Prompt = Annotated[str | None, typer.Argument(help="What to ask.")]
File = Annotated[
    Path | None,
    typer.Option("--file", help="JSONL: a request per line, with at least `prompt`."),
]
Model = Annotated[str, typer.Option(help="Public name of a model.")]
Datanet = Annotated[str | None, typer.Option(help="Datanet to answer from.", metavar="NAME")]
Agent = Annotated[str | None, typer.Option(help="Agent that brings the request.", metavar="NAME")]
MaxTokens = Annotated[int | None, typer.Option(help="Longest answer, tokens.", metavar="N")]
MODEL = "smollm2-135m"
FAILURES_SHOWN_MAX = 20


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(send)
    app.command()(quote)


@dataclass(frozen=True)
class _Asking:
    """What the options say, as the defaults of every request."""

    prompt: str | None
    file: Path | None
    model: str
    datanet: str | None
    agent: str | None
    max_tokens: int | None

    def asked(self) -> "list[Asked]":
        from distributary.client import write_body
        from distributary.client.runfile import Asked, read_asked

        if (self.prompt is None) == (self.file is None):
            raise typer.BadParameter("Give either a prompt or --file.")
        given: dict[str, Any] = {
            "model": self.model,
            "datanet": self.datanet,
            "agent": self.agent,
            "max_tokens": self.max_tokens,
        }
        if self.file is None:
            return [Asked(1, write_body(prompt=self.prompt, **given), None)]
        # The body of a question that only lends its other fields to the lines.
        defaults = write_body(prompt="?", **given)
        del defaults["prompt"]
        return read_asked(self.file, defaults)


def send(
    prompt: Prompt = None,
    file: File = None,
    model: Model = MODEL,
    datanet: Datanet = None,
    agent: Agent = None,
    max_tokens: MaxTokens = None,
    max_charge: Annotated[
        int | None,
        typer.Option(min=0, help="Most to pay for a request, base units.", metavar="UNITS"),
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Local account; needed where there are several.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 90.0,
    as_json: JsonOption = False,
) -> None:
    """Ask, pay and print the answer; without --max-charge at most what `quote` says.

    A prompt is a new request each time. A file's requests are signed once and kept in
    FILE.run.jsonl: repeating the command replays what was answered and buys only the rest.

    Example: distributary send "What is a distributary?" --datanet packages

    Example: distributary send --file questions.jsonl --max-charge 1000000000000000
    """
    from distributary.client import Client

    asked = _Asking(prompt, file, model, datanet, agent, max_tokens).asked()
    with Client.of(account) as client:
        if file is None:
            _send_one(client, asked[0], max_charge, timeout, as_json)
        else:
            _send_file(client, file, asked, max_charge, timeout, as_json)


def _send_one(
    client: "Client", asked: "Asked", max_charge: int | None, timeout_s: float, as_json: bool
) -> None:
    maximum = _quoted(asked).charge_units_max if max_charge is None else max_charge
    with progress() as display:
        display.add_task("Waiting for the answer", total=None)
        answer = client.send_signed(client.sign(asked.body, max_charge_units=maximum), timeout_s)
    if as_json:
        print_json(_described(answer))
        return
    results.print(answer.text, markup=False, soft_wrap=True)
    shown = _described(answer) | {"charge_units_max": maximum}
    del shown["text"]
    print_fields("Answer", {k: v for k, v in shown.items() if v is not None})


def _described(answer: "Answer") -> dict[str, Any]:
    names = (
        *("status", "request_hash", "model", "model_version", "node", "datanet"),
        *("prompt_tokens", "answer_tokens", "charge_units", "text"),
    )
    return {name: getattr(answer, name) for name in names}


def _send_file(
    client: "Client",
    file: Path,
    asked: "list[Asked]",
    max_charge: int | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    from distributary.client.runs import open_run, summarise

    with progress() as display:
        task = display.add_task("Signing", total=None)
        run = open_run(client, file, asked, max_charge, lambda one: _quoted(one).charge_units_max)
        display.update(task, description="Answered", total=len(run.requests), completed=0)
        outcomes = []
        for outcome in client.send_many(run.requests, timeout_s=timeout_s):
            outcomes.append(outcome)
            display.advance(task)
            seconds = display.tasks[task].elapsed or 0
            rate = f"Answered, {len(outcomes) / seconds:.0f}/s" if seconds else "Answered"
            display.update(task, description=rate)
    summary = summarise(outcomes, repeated=run.repeated)
    if as_json:
        _print_outcomes(run, asked, outcomes, asdict(summary))
    else:
        _print_summary(run, outcomes, asdict(summary))
    if summary.answered < summary.requests:
        raise typer.Exit(1)


def _print_outcomes(
    run: "Run", asked: "list[Asked]", outcomes: "list[Outcome]", summary: dict[str, Any]
) -> None:
    from distributary.client.runs import result_of

    lines = {signed.request_hash: one.line for signed, one in zip(run.requests, asked, strict=True)}
    answers = [
        {
            "line": lines[outcome.signed.request_hash],
            "request_hash": outcome.signed.request_hash,
            "result": result_of(outcome),
            "attempts": outcome.attempts,
            "charge_units": outcome.answer.charge_units if outcome.answer else None,
            "text": outcome.answer.text if outcome.answer else None,
            "error": str(outcome.error) if outcome.error else None,
        }
        for outcome in outcomes
    ]
    print_json(
        summary
        | {
            "charge_units": str(summary["charge_units"]),
            "run_file": run.path,
            "repeated": run.repeated,
            "answers": sorted(answers, key=lambda answer: int(str(answer["line"]))),
        }
    )


def _print_summary(run: "Run", outcomes: "list[Outcome]", summary: dict[str, Any]) -> None:
    shown = {"requests": summary["requests"], **summary["by_result"]}
    units = summary["charge_units"]
    if not summary["charge_units_exact"]:
        units = f"{units} at most: what was executed in an earlier run is not charged again"
    shown |= {"charge_units": units, "answer_tokens": summary["answer_tokens"]}
    print_fields("Run, repeated" if run.repeated else "Run", shown | {"run_file": run.path})
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        print_table(
            "Not answered",
            ("request", "code", "what to do"),
            [
                (outcome.signed.request_hash, outcome.error.code, outcome.error.sentence)
                for outcome in failed[:FAILURES_SHOWN_MAX]
                if outcome.error is not None
            ],
        )


def _quoted(asked: "Asked") -> "Quote":
    import time

    from distributary.bodies import read_body
    from distributary.pricing import quote_body
    from distributary.rules import load_catalogue
    from distributary.tokens import counters

    now_ms = time.time_ns() // 1_000_000
    return quote_body(read_body(asked.body), load_catalogue("prices"), now_ms, counters())


def quote(
    prompt: Prompt = None,
    file: File = None,
    model: Model = MODEL,
    datanet: Datanet = None,
    agent: Agent = None,
    max_tokens: MaxTokens = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the most that a request, or a file of them, can cost; nothing is sent.

    Example: distributary quote "What is a distributary?" --max-tokens 64
    """
    asked = _Asking(prompt, file, model, datanet, agent, max_tokens).asked()
    quotes = [_quoted(one) for one in asked]
    shown = {
        "requests": len(quotes),
        "models": sorted({q.model for q in quotes}),
        "prompt_tokens_max": sum(q.prompt_tokens_max for q in quotes),
        "answer_tokens_max": sum(q.answer_tokens_max for q in quotes),
        "charge_units_max": str(sum(q.charge_units_max for q in quotes)),
        "price_hashes": sorted({q.price_hash for q in quotes}),
    }
    if as_json:
        print_json(shown)
        return
    print_fields("Quote", {k: ", ".join(v) if isinstance(v, list) else v for k, v in shown.items()})
