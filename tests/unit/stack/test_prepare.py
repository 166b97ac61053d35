"""What `up` makes besides topics and schema."""

from pathlib import Path

from distributary.settings import Settings
from distributary.stack.prepare import prepare


def test_prepare__lake_of_the_home_folder__gets_its_folder_of_datanets(tmp_path: Path) -> None:
    for _ in range(2):
        prepare(Settings(home=tmp_path), ())
    assert (tmp_path / "lake" / "datanets").is_dir()


def test_prepare__lake_of_ones_own__is_left_as_it_is(tmp_path: Path) -> None:
    prepare(Settings(home=tmp_path, lake=tmp_path / "mount"), ())
    assert list(tmp_path.iterdir()) == []
