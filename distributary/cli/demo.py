"""Command: demo."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import JsonOption, messages, print_json, progress, results

if TYPE_CHECKING:
    from distributary.demo import Shown

DIGITS_SHOWN = 8
EARNINGS_SHOWN = 3
BILLION = 1_000_000_000


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(demo)


def demo(
    questions: Annotated[
        list[str] | None, typer.Argument(help="Your own questions, in place of ours.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole flow: servers, a datanet, questions, answers, and who earned what.

    The datanet is made of the descriptions of the installed Python packages, owned by their
    authors. The servers go on running; stop them with `distributary down`.

    Example: distributary demo

    Example: distributary demo "What is a Merkle tree?"
    """
    import time

    from distributary import demo as steps
    from distributary.cli.stack import up_quietly
    from distributary.settings import load_settings

    asked = questions or list(steps.QUESTIONS)
    up_quietly()
    settings = load_settings()
    with progress() as display:
        task = display.add_task("registering the datanet", total=None)
        owner = steps.register_datanet(settings, lambda: display.advance(task))
        payee = steps.bind(settings, owner)
        account = steps.open_account(settings, int(time.time()))
        display.update(task, description="registered the datanet", total=1, completed=1)
        task = display.add_task("asking", total=len(asked))
        with steps.running_jobs(settings):
            answers = steps.ask(settings, asked, lambda: display.advance(task))
            task = display.add_task("recording who earned what", total=len(asked))
            shown = []
            for question, answer in zip(asked, answers, strict=True):
                earnings, commons = steps.read_earnings(settings, answer)
                shown.append(steps.Shown(question, answer, earnings, commons))
                display.advance(task)
            display.add_task("draining the jobs", total=None)
    if as_json:
        print_json([_as_json(row) for row in shown])
    else:
        _print(shown, account, owner, payee)


def _as_json(row: "Shown") -> dict[str, Any]:
    return {
        "question": row.question,
        "answer": row.answer.text,
        "request_hash": row.answer.request_hash,
        "node": row.answer.node,
        "charge_units": row.answer.charge_units,
        "earnings": [vars(earning) for earning in row.earnings],
        "commons": row.commons,
    }


def _print(shown: "list[Shown]", account: str, owner: str, payee: str) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        "question", "answer", "node", "charge (units)", "whose data earned", show_lines=True
    )
    for row in shown:
        answer = row.answer
        cells = (row.question, answer.text, answer.node, answer.charge_units, _earned(row))
        table.add_row(*(Text(str(cell)) for cell in cells))
    results.print(table)
    results.print(
        f"Account {account} paid, from credit granted by the operator (this is a demo).\n"
        f"* Owner {owner!r} is bound to {payee}, a key made on this machine for the demo: the real "
        "author knows nothing of it. All other owners are unbound; what they earn waits.\n"
        f"Look closer: distributary trace {shown[0].answer.request_hash}",
        markup=False,
        soft_wrap=True,
    )
    messages.print("The servers go on running; stop them with `distributary down`.")


def _earned(row: "Shown") -> str:
    lines = [
        f"{_percent(e.weight)} {e.owner}{' *' if e.payee else ''} ({e.document[:DIGITS_SHOWN]})"
        for e in row.earnings[:EARNINGS_SHOWN]
    ]
    if len(row.earnings) > EARNINGS_SHOWN:
        rest = sum(e.weight for e in row.earnings[EARNINGS_SHOWN:])
        lines.append(f"{_percent(rest)} {len(row.earnings) - EARNINGS_SHOWN} more")
    return "\n".join([*lines, f"{_percent(row.commons)} commons"])


def _percent(weight: int) -> str:
    return f"{weight * 100 / BILLION:5.1f} %"
