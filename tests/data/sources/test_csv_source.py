"""CSV files: blocks, types, text, headers and line ends."""

import gzip
import os
import pathlib

import numpy as np
import pytest
from reader_examples import make_table

from keras_infnet.data.sources.open_source import open_source, write_table
from keras_infnet.data.sources.table import Table

KUAIRAND = (
    pathlib.Path(__file__).resolve().parents[3].parent
    / "shared/data/kuairand_pure/data"
)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("keras_infnet.data.sources.csv_source._BLOCK", 64)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_csv_in_blocks(tmp_path, small_blocks, suffix):
    path = tmp_path / f"log{suffix}"
    table = make_table(100).without("tags")
    write_table(table, path)
    source = open_source(path)
    assert source.num_chunks > 5
    assert source.num_rows == 100
    assert source.random_access == (suffix == ".csv")
    read = source.read()
    for name in table.columns:
        assert read[name].tolist() == table[name].tolist()
    last = source.num_chunks - 1
    assert source.read_chunk(last, ["id"])["id"].tolist()[-1] == 99
    assert source.read_chunk(0, ["name", "id"]).columns == ("name", "id")


def test_types_hold_for_all_blocks(tmp_path, small_blocks):
    path = tmp_path / "log.csv"
    rows = [f"{i},{i},{'' if i < 50 else i},{i},x" for i in range(100)]
    rows[80] = "80,80.5,80,0a80,x"
    path.write_text("id,price,late,code,text\n" + "\n".join(rows))
    chunk = open_source(path).read_chunk(0)
    assert chunk["id"].dtype == np.int64
    assert chunk["price"].dtype == np.float64
    assert np.isnan(chunk["late"]).all()
    assert chunk["code"].tolist()[:3] == ["0", "1", "2"]
    whole = open_source(path).read()
    assert whole["price"][80] == 80.5
    assert np.nanmax(whole["late"]) == 99


def test_text_columns(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('zip,tag,note\n00123,"1,2",NA\n7,3,\n8,,FR\n')
    plain = open_source(path).read()
    assert plain["zip"].tolist() == [123, 7, 8]
    text = open_source(path, text_columns=["zip", "absent"]).read()
    assert text["zip"].tolist() == ["00123", "7", "8"]
    assert text["tag"].tolist() == ["1,2", "3", ""]
    assert text["note"].tolist() == ["NA", "", "FR"]


def test_csv_line_endings_and_byte_order_mark(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y")
    table = open_source(path).read()
    assert table["a"].tolist() == [1, 2]
    assert table["b"].tolist() == ["x", "y"]


@pytest.mark.parametrize("text", ["", "\n", "a,b\n"])
def test_empty_csv(tmp_path, text):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"log\.csv.*no (header|rows)"):
        open_source(path)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_missing_values_of_a_single_column(tmp_path, small_blocks, suffix):
    path = tmp_path / f"one{suffix}"
    write_table(Table({"i": ["a", None, "b", None] * 20}), path)
    source = open_source(path)
    assert source.num_rows == 80 and source.num_chunks > 1
    assert source.read()["i"].tolist() == ["a", "", "b", ""] * 20


def test_empty_lines(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"a\r\n1\r\n\r\n2\r\n")
    np.testing.assert_array_equal(open_source(path).read()["a"], [1, np.nan, 2])
    path.write_text("a,b\n1,2\n\n3,4\n\n")
    assert open_source(path).read()["a"].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'a,"b\nc"\n1,2\n', "header holds a line break"),
        (b"a,b\r1,2\r", "carriage return"),
    ],
)
def test_csv_headers_that_are_not_read(tmp_path, text, message):
    path = tmp_path / "log.csv"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=rf"log\.csv: .*{message}"):
        open_source(path)


def test_quotes_in_a_header(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('"a ""b""",c\n1,2\n')
    assert open_source(path).columns == ('a "b"', "c")
    path.write_text('size 5",c\n1,2\n')
    assert open_source(path).columns == ('size 5"', "c")


def test_csv_with_a_short_row(tmp_path, small_blocks):
    path = tmp_path / "log.csv"
    lines = [f"{i},{i}" for i in range(50)]
    lines[40] = "40"
    path.write_text("a,b\n" + "\n".join(lines))
    with pytest.raises(ValueError, match=r"log\.csv: counting from row \d+"):
        open_source(path)


def test_csv_that_is_not_text(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"a,b\n1,\xff\xfe\n")
    with pytest.raises(ValueError, match="column 'b' is not UTF-8"):
        open_source(path)
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(b"a,b\n" + os.urandom(5000))[:2000])
    with pytest.raises(ValueError, match=r"log\.csv\.gz: "):
        open_source(packed)


def test_csv_files_with_other_columns(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("b,a\n3,4\n")
    assert open_source(tmp_path).read()["a"].tolist() == [1, 4]
    (tmp_path / "3.csv").write_text("b\n3\n")
    with pytest.raises(ValueError, match=r"3\.csv.*Missing: a"):
        open_source(tmp_path)
    (tmp_path / "3.csv").write_text("b,b\n3,3\n")
    with pytest.raises(ValueError, match=r"3\.csv: names.*Repeated: b"):
        open_source(tmp_path / "3.csv")


def test_kuairand_log():
    if not KUAIRAND.exists():
        pytest.skip("KuaiRand-Pure is not there")
    source = open_source(KUAIRAND / "log_standard_4_22_to_5_08_pure.csv")
    assert source.num_rows == 198_895
    chunk = source.read_chunk(0, ["user_id", "is_click"])
    assert chunk["user_id"].dtype == np.int64
    videos = open_source(KUAIRAND / "video_features_basic_pure.csv")
    assert videos.read()["tag"].dtype == object
