from distributary.models import simulated_text
from tests.integration.triton_models.calls import TIMEOUT_S, Calls, generate_columns


def test_simulated__full_batches_at_once__each_item_gets_the_stated_text(calls: Calls) -> None:
    batches = [
        {b"%d-%d" % (batch, n): b"prompt %d of %d" % (n, batch) for n in range(64)}
        for batch in range(10)
    ]
    started = [calls.start("simulated", generate_columns(batch, 64))[0] for batch in batches]
    for batch, future in zip(batches, started, strict=True):
        made = future.result(TIMEOUT_S)
        assert made["REQUEST_ID"] == list(batch)
        assert made["TEXT"] == [simulated_text(p.decode(), 64).encode() for p in batch.values()]
        assert set(made["ERROR"]) == {b""}


def test_simulated__bad_items__only_they_get_errors(calls: Calls) -> None:
    made = calls.generate("simulated", {b"a": b"prompt", b"b": b"", b"c": b"\xff"})
    codes = [error.partition(b":")[0] for error in made["ERROR"]]
    assert codes == [b"", b"bad_prompt", b"bad_prompt"]
