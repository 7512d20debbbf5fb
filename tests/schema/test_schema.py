"""Inputs, tables and parts of a schema."""

import pytest
from schema_examples import BEHAVIORS, FIELDS, TASKS, full_schema, small_schema

from keras_infnet.schema import Behavior, Categorical, InputSpec, Numeric


class TestInputs:
    def test_model_inputs(self):
        assert full_schema().inputs == {
            "user_id": ((), "int32"),
            "item_id": ((), "int32"),
            "tags": ((3,), "int32"),
            "city": ((), "int32"),
            "price": ((), "int32"),
            "tab": ((), "int32"),
            "click_item_id": ((None,), "int32"),
            "click_tags": ((None, 3), "int32"),
            "click_price": ((None,), "int32"),
            "click_mask": ((None,), "bool"),
            "click_gap": ((None,), "int32"),
            "like_item_id": ((None,), "int32"),
            "like_source": ((None,), "int32"),
            "like_mask": ((None,), "bool"),
        }
        assert isinstance(full_schema().inputs["tags"], InputSpec)

    def test_raw_inputs(self):
        assert full_schema().raw_inputs == {
            "user_id": ((), "int64"),
            "item_id": ((), "int64"),
            "tags": ((None,), "string"),
            "city": ((), "string"),
            "price": ((), "float32"),
            "tab": ((), "int64"),
            "click_item_id": ((None,), "int64"),
            "click_tags": ((None, None), "string"),
            "click_price": ((None,), "float32"),
            "click_time": ((None,), "int64"),
            "like_item_id": ((None,), "int64"),
            "like_source": ((None,), "string"),
            "time": ((), "int64"),
        }

    def test_request_time_is_not_read_without_timed_behaviors(self):
        schema = small_schema(request_time="time")
        assert not schema.is_timed
        assert "time" not in schema.raw_inputs

    def test_request_time_may_be_a_field_without_timed_behaviors(self):
        schema = small_schema(Numeric("time"), request_time="time")
        assert list(schema.inputs) == ["time"]


class TestTables:
    def test_readers(self):
        tables = full_schema().tables
        names = "user_id item_id tags city price tab source".split()
        assert list(tables) == names
        readers = [[part.name for part in parts] for parts in tables.values()]
        assert readers == [[name] for name in names]

    def test_sharing(self):
        schema = small_schema(
            Categorical("item"),
            Categorical("shown_before", multivalued=True, table="item"),
            behaviors=[Behavior("b", [Categorical("seen", table="item")])],
        )
        names = [part.name for part in schema.tables["item"]]
        assert names == ["item", "shown_before", "seen"]
        assert list(schema.tables) == ["item"]

    def test_sizes(self):
        schema = full_schema()
        assert not schema.is_fitted
        assert schema.table_size("city") == 101
        assert schema.table_size("price") == 17
        with pytest.raises(ValueError, match="table 'tab'"):
            schema.table_size("tab")
        with pytest.raises(ValueError, match="table 'tba'"):
            schema.table_size("tba")
        sizes = {"user_id": 5, "item_id": 9, "tags": 4, "tab": 3}
        fitted = schema.with_table_sizes(sizes)
        assert not fitted.is_fitted
        fitted = fitted.with_table_sizes({"source": 2, "tab": 7})
        assert fitted.is_fitted
        assert fitted.table_size("tab") == 7
        assert fitted.table_size("item_id") == 9
        assert not schema.table_sizes

    @pytest.mark.parametrize(
        ("first", "second", "settings"),
        [
            (Categorical, Numeric, {}),
            (Categorical, Categorical, {"dtype": "string"}),
            (Categorical, Categorical, {"hash_buckets": 5}),
            (Categorical, Categorical, {"min_count": 2}),
            (Categorical, Categorical, {"max_size": 2}),
            (Numeric, Numeric, {"bins": 8}),
            (Numeric, Numeric, {"binning": "log"}),
        ],
    )
    def test_readers_must_agree(self, first, second, settings):
        with pytest.raises(ValueError, match=r"table 't' \(a, b\)"):
            small_schema(
                first("a", table="t"), second("b", table="t", **settings)
            )

    @pytest.mark.parametrize(
        ("sizes", "message"),
        [
            ({"tba": 3}, "table 'tba'.*'tab'"),
            ({"tab": 0}, "table 'tab'.*0"),
            ({"tab": 2.0}, "table 'tab'.*2.0"),
            ({"city": 7}, "'city'.*101.*7"),
        ],
    )
    def test_wrong_sizes(self, sizes, message):
        with pytest.raises(ValueError, match=message):
            full_schema(table_sizes=sizes)


class TestLookUp:
    def test_by_name(self):
        schema = full_schema()
        assert schema.field("price") is FIELDS[4]
        assert schema.behavior("like") is BEHAVIORS[1]
        assert schema.task("dwell") is TASKS[2]
        assert schema.task_names == ("click_through", "purchase", "dwell")
        assert schema.attributes("click") == (FIELDS[1], FIELDS[2], FIELDS[4])
        assert schema.attributes(BEHAVIORS[1])[0] is FIELDS[1]

    @pytest.mark.parametrize(
        ("method", "name", "message"),
        [
            ("field", "itm_id", "field 'itm_id'.*'item_id'"),
            ("behavior", "liked", "behavior 'liked'.*'like'"),
            ("attributes", "clik", "behavior 'clik'.*'click'"),
            ("task", "dwel", "task 'dwel'.*'dwell'"),
        ],
    )
    def test_unknown(self, method, name, message):
        with pytest.raises(ValueError, match=message):
            getattr(full_schema(), method)(name)

    @pytest.mark.parametrize(
        ("unit", "milliseconds"),
        [("s", 1e3), ("ms", 1.0), ("us", 1e-3), ("ns", 1e-6)],
    )
    def test_time_unit(self, unit, milliseconds):
        assert full_schema(time_unit=unit).milliseconds == milliseconds

    def test_repr(self):
        assert repr(full_schema()) == (
            "Schema(6 fields, 2 behaviors, "
            "tasks: click_through, purchase, dwell)"
        )
