"""Commands: trace."""

from typing import Annotated, Any

import typer

from distributary.cli.output import JsonOption, print_json, print_table, results


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(trace)


def trace(
    request: Annotated[str, typer.Argument(help="Request hash, or account/source/id.")],
    as_json: JsonOption = False,
) -> None:
    """Shows a request from its offset to answer, weights, Parquet file and epoch.

    Example: distributary trace 0x52…/demo/17 --json
    """
    from distributary.settings import load_settings
    from distributary.store import connect
    from distributary.trace import trace as find

    settings = load_settings()
    with connect(settings.require("postgres")) as connection:
        answers = find(connection, settings.lake_path, request)
    if as_json:
        print_json(answers)
        return
    for answer in answers:
        _print_answer(answer)


def _print_answer(answer: dict[str, Any]) -> None:
    file = answer["file"] or {}
    outcome = " ".join(filter(None, (answer["outcome"], answer["reason"], answer["code"])))
    asked = f"{answer['request_topic_id']}/{answer['request_partition']}/{answer['request_offset']}"
    answered = f"{answer['topic_id']}/{answer['partition']}/{answer['answer_offset']}"
    rows = [
        ("request", f"{answer['account']}/{answer['source']}/{answer['id']}"),
        ("request hash", answer["request_hash"]),
        ("request at", f"{asked}, admitted {answer['admitted_at_ms']} ms"),
        ("answer at", f"{answered}, {answer['answered_at_ms']} ms"),
        ("status", answer["status"]),
        ("outcome", outcome),
        ("charge", f"{answer['charge_units']} of at most {answer['max_charge_units']} base units"),
        ("model", f"{answer['model']} {answer['model_version']} on {answer['node']}"),
        ("datanet", f"{answer['datanet']} {answer['manifest_hash']}"),
        ("epoch", f"{answer['epoch']}, {answer['epoch_state']}"),
        ("file", f"{file.get('path')} sha256 {file.get('sha256')}"),
        ("traceparent", answer["traceparent"]),
    ]
    print_table(f"Answer {answered}", ["", ""], rows)
    if answer["commons"] is not None:
        weights = [
            (each["document"], each["owner"], each["payee"], each["weight"])
            for each in answer["weights"]
        ]
        weights.append(("commons", None, None, answer["commons"]))
        print_table(
            f"Weights by {answer['method']}, parts of 10^9",
            ["document", "owner", "payee", "weight"],
            weights,
        )
    results.print()
