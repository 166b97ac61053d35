"""What the sums by columns must not do besides summing."""

from distributary.rewards.columnar import _database


def test_database__of_a_long_query__prints_no_progress_into_the_result() -> None:
    with _database() as database:
        (shown,) = database.execute("select current_setting('enable_progress_bar')").fetchall()
    assert shown == (False,)
