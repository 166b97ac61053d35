"""Command: demo."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import JsonOption, messages, print_json, progress, results

if TYPE_CHECKING:
    from distributary.demo import Shown
    from distributary.settings import Settings
    from orchestration.demo import Money

DIGITS_SHOWN = 8
EARNINGS_SHOWN = 3
BILLION = 1_000_000_000
TOKEN_DECIMALS = 18


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(demo)


def demo(
    questions: Annotated[
        list[str] | None, typer.Argument(help="Your own questions, in place of ours.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole flow: servers, a datanet, questions, answers, and the money to its end.

    The datanet is made of the descriptions of the installed Python packages, owned by their
    authors. Two customers deposit tokens on a local chain and ask. The epoch is closed and
    settled; a contributor claims what was earned, one customer withdraws the rest, and the books
    are held against the chain. The servers go on running; stop them with `distributary down`.

    Example: distributary demo

    Example: distributary demo "What is a Merkle tree?"
    """
    from distributary.cli.stack import up_quietly
    from distributary.demo import QUESTIONS
    from distributary.settings import load_settings

    up_quietly()
    settings = load_settings()
    shown, owner, money = _run(settings, questions or list(QUESTIONS))
    if as_json:
        print_json({"answers": [_as_json(row) for row in shown], "money": money.as_json()})
    else:
        _print_answers(shown, owner)
        _print_money(money)


def _run(settings: "Settings", asked: list[str]) -> "tuple[list[Shown], str, Money]":
    from distributary import demo as steps
    from orchestration import demo as money_steps

    with progress() as display:
        task = display.add_task("registering the datanet", total=None)
        owner = steps.register_datanet(settings, lambda: display.advance(task))
        payee = steps.bind(settings, owner)
        display.update(task, description="registered the datanet", total=1, completed=1)

        task = display.add_task("depositing tokens", total=2)
        guest = steps.next_guest(settings)
        for name, units in (
            (steps.ACCOUNT, steps.DEPOSIT_UNITS),
            (guest, steps.GUEST_DEPOSIT_UNITS),
        ):
            money_steps.open_account(settings, name, units)
            display.advance(task)

        task = display.add_task("asking", total=len(asked) + 1)
        with steps.running_jobs(settings):
            answers = steps.ask(settings, steps.ACCOUNT, asked, lambda: display.advance(task))
            answers += steps.ask(
                settings, guest, [steps.GUEST_QUESTION], lambda: display.advance(task)
            )
            task = display.add_task("recording who earned what", total=len(answers))
            shown = []
            for question, answer in zip([*asked, steps.GUEST_QUESTION], answers, strict=True):
                earnings, commons = steps.read_earnings(settings, answer)
                shown.append(steps.Shown(question, answer, earnings, commons))
                display.advance(task)
            display.add_task("draining the jobs", total=None)

        task = display.add_task("settling", total=money_steps.STEPS)

        def step(doing: str) -> None:
            display.update(task, description=doing, advance=1)

        money = money_steps.run(settings, steps.ACCOUNT, guest, payee, step)
    return shown, owner, money


def _as_json(row: "Shown") -> dict[str, Any]:
    return {
        "question": row.question,
        "answer": row.answer.text,
        "request_hash": row.answer.request_hash,
        "account": row.answer.account,
        "node": row.answer.node,
        "charge_units": row.answer.charge_units,
        "earnings": [vars(earning) for earning in row.earnings],
        "commons": row.commons,
    }


def _print_answers(shown: "list[Shown]", owner: str) -> None:
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
        f"* Owner {owner!r} is bound to a key made on this machine for the demo: the real author "
        "knows nothing of it. All other owners are unbound; what they earn waits.",
        markup=False,
        soft_wrap=True,
    )


def _print_money(money: "Money") -> None:
    from distributary.amounts import in_tokens
    from distributary.cli.output import print_table

    rows = [
        (what, f"{in_tokens(moved.units, TOKEN_DECIMALS)} tokens", moved.to, moved.transaction)
        for what, moved in money.moves()
    ]
    print_table(
        f"Epoch {money.epoch}, root {money.root}", ["what", "how much", "to", "transaction"], rows
    )
    results.print(
        f"Ledger and chain agree in all {money.figures} figures, to the unit. Root rebuilt from "
        f"Parquet alone: {money.checks} checks hold.\n"
        f"Statement: {money.statement}\n"
        f"From the epoch's close to its active root: {money.settled_s:.0f} s",
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
