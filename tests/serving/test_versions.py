"""Version folders appear in one step or not at all."""

import concurrent.futures
import errno

import pytest

from keras_infnet.serving.exporting import versions as versions_module
from keras_infnet.serving.exporting.versions import (
    latest_version,
    new_version,
    publish,
    versions,
)


def test_only_numbers_are_versions(tmp_path):
    for name in ("2", "10", "1.5", ".export-7", "notes", "٣"):
        (tmp_path / name).mkdir()
    assert versions(tmp_path) == [2, 10]
    assert latest_version(tmp_path) == tmp_path / "10"


def test_no_version(tmp_path):
    assert versions(tmp_path / "absent") == []
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        latest_version(tmp_path)


def test_versions_count_up(tmp_path):
    for number in (1, 2, 3):
        with new_version(tmp_path / "name") as folder:
            assert folder.name.startswith(".")
            (folder / "file").write_text(str(number))
            path = publish(folder, tmp_path / "name")
        assert path == tmp_path / "name" / str(number)
        assert (path / "file").read_text() == str(number)
    names = {entry.name for entry in (tmp_path / "name").iterdir()}
    assert names == {"1", "2", "3"}


@pytest.mark.parametrize(
    "error", [ValueError, KeyboardInterrupt, OSError(errno.ENOSPC, "full")]
)
def test_nothing_is_left_of_a_failure(tmp_path, error):
    (tmp_path / "old" / "1").mkdir(parents=True)
    (tmp_path / "old" / "1" / "file").write_text("kept")
    for directory in (tmp_path / "old", tmp_path / "deep" / "new"):
        with pytest.raises(BaseException) as caught:
            with new_version(directory) as folder:
                (folder / "file").write_text("half")
                raise error
        assert caught.type in (error, type(error))
    found = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    assert [str(p) for p in found] == ["old", "old/1", "old/1/file"]
    assert (tmp_path / "old" / "1" / "file").read_text() == "kept"


def test_a_number_taken_meanwhile_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "file").write_text("theirs")
    seen = iter([[], [1]])
    monkeypatch.setattr(versions_module, "versions", lambda _: next(seen))
    with new_version(tmp_path) as folder:
        (folder / "file").write_text("ours")
        assert publish(folder, tmp_path) == tmp_path / "2"
    assert (tmp_path / "1" / "file").read_text() == "theirs"
    assert (tmp_path / "2" / "file").read_text() == "ours"


def test_many_publish_at_once(tmp_path):
    def work(number):
        with new_version(tmp_path) as folder:
            (folder / "file").write_text(str(number))
            return publish(folder, tmp_path)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(work, range(24)))
    assert sorted(int(path.name) for path in paths) == list(range(1, 25))
    for number, path in enumerate(paths):
        assert (path / "file").read_text() == str(number)


def test_a_file_is_no_directory(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(NotADirectoryError, match=str(path)):
        with new_version(path):
            pass
    assert path.read_text() == "mine"
