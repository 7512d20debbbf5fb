"""Exported models as the TensorFlow runtime sees them, without Python."""

import math

import numpy as np
import pytest
from cpp_program import CppProgram, tensor_proto
from serving_examples import (
    expect,
    inputs_of,
    make_table,
    on_tensorflow,
    predict,
    raw_inputs,
)

from keras_infnet.benchmarks.saved_model_program import Crashed
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.serving.exporting.parity_cases import predict_cases
from keras_infnet.serving.exporting.run_export import serialized_examples
from keras_infnet.serving.graph.fusion import Fusion
from keras_infnet.serving.graph.signatures import (
    EXAMPLES,
    missing_value,
    signatures_of,
)

FAMILIES = ["INFNet", "INFNet_proxy", "SharedBottom", "DIN", "AutoIFS"]

pytestmark = [pytest.mark.serving, on_tensorflow]


# ------------------------------------------------------------------- models


def message_of(case):
    if case.signature != EXAMPLES:
        return case.inputs
    return {"inputs": np.array(serialized_examples(case.inputs), object)}


@pytest.mark.parametrize("label", FAMILIES)
def test_every_signature_answers_as_predict_does(label, program, built, table):
    model, folder = built(label)
    encoder = Encoder.load(folder)
    fusion = Fusion.sum_of(encoder.schema.task_names)
    cases = predict_cases(model, encoder, table.slice(0, 40), fusion)
    # No row at all is a request too.
    raw = raw_inputs(table.slice(0, 2), encoder.schema)
    ids = next(c.inputs for c in cases if c.signature == "serving_default")
    none = [
        ("serve_raw", {name: array[:0] for name, array in raw.items()}),
        ("serving_default", {name: array[:0] for name, array in ids.items()}),
    ]
    requests = [(case.signature, message_of(case)) for case in cases]
    answers = program.run(folder, requests + none)

    _, signatures = program.describe(folder)
    assert {case.signature for case in cases} == set(signatures)
    for case, answer in zip(cases, answers, strict=False):
        assert answer.code == "OK", (case.name, answer.message)
        assert set(answer.outputs) == set(signatures[case.signature].outputs)
        for name, expected in case.expects(answer.outputs).items():
            found = answer.outputs[name]
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(
                    found, expected, rtol=1e-5, atol=1e-5, err_msg=case.name
                )
            else:
                np.testing.assert_array_equal(found, expected, case.name)
    spread = [np.ptp(y) for y in cases[0].expected.values()]
    assert min(spread) > 1e-3
    for answer in answers[-2:]:
        assert answer.code == "OK", answer.message
        for output in answer.outputs.values():
            assert output.shape == (0, 1)


def test_declares_what_a_server_needs(program, exported, encoder):
    assert exported.name.isdecimal()
    tags, signatures = program.describe(exported)
    schema = encoder.schema
    assert tags == {"serve"}
    assert sorted(signatures) == [
        *("rank", "rank_top_k", "serve_examples", "serve_raw"),
        "serving_default",
    ]
    for name, wanted in signatures_of(schema, raw=True).items():
        found = signatures[name]
        assert found.method == "tensorflow/serving/predict"
        assert found.inputs == {
            key: (
                spec.dtype,
                [
                    *([] if key in wanted.scalars else [-1]),
                    *(-1 if size is None else size for size in spec.shape),
                ],
            )
            for key, spec in wanted.inputs.items()
        }
        assert set(found.defaults) == set(wanted.optional)
        assert sorted(found.outputs) == sorted(wanted.outputs)
        for key, shape in wanted.outputs.items():
            assert found.outputs[key][1] == [-1, *shape]
    for name in ("serving_default", "serve_raw"):
        assert signatures[name].outputs == {
            task: ("float32", [-1, 1]) for task in ("click", "like", "stay")
        }
    for name, default in signatures["serve_raw"].defaults.items():
        (missing,) = missing_value(schema.raw_inputs[name]).ravel()
        (value,) = default.ravel()
        if isinstance(missing, str):
            value = value.decode()
        assert value == missing or math.isnan(value) and math.isnan(missing)


def test_encoded_ids_alone(program, exported_ids, model, encoder, table):
    tags, signatures = program.describe(exported_ids)
    assert tags == {"serve"}
    assert sorted(signatures) == ["rank", "rank_top_k", "serving_default"]
    inputs = inputs_of(encoder, table)
    (answer,) = program.run(exported_ids, [("serving_default", inputs)])
    expect(answer.outputs, predict(model, encoder, table))


# ----------------------------------------------------------------- mistakes


def changed(request, name, change):
    return {**request, name: change(request[name])}


def without(request, name):
    return {key: array for key, array in request.items() if key != name}


MISTAKES = [
    ("no such signature", "FAILED_PRECONDITION"),
    ("name of the initialiser", "INTERNAL"),
    ("a required input left out", "INVALID_ARGUMENT"),
    ("an input too many", "INVALID_ARGUMENT"),
    ("a misspelt input", "INVALID_ARGUMENT"),
    ("no input", "INVALID_ARGUMENT"),
    ("another dtype", "INVALID_ARGUMENT"),
    ("text in place of ids", "INVALID_ARGUMENT"),
    ("an axis too many", "INVALID_ARGUMENT"),
    ("an axis too few", "INVALID_ARGUMENT"),
    ("rows that differ", "INVALID_ARGUMENT"),
    ("bytes that end early", "INVALID_ARGUMENT"),
]


@pytest.mark.parametrize("signature", ["serving_default", "serve_raw"])
def test_mistakes_get_a_status(signature, program, exported, encoder):
    table = make_table(4, seed=5)
    request = raw_inputs(table, encoder.schema)
    if signature == "serving_default":
        request = inputs_of(encoder, table)
    short = tensor_proto(request["item"])
    short.tensor_content = short.tensor_content[:-1]
    mistakes = [
        ("serving_defautl", request),
        ("__saved_model_init_op", {}),
        (signature, without(request, "item")),
        (signature, {**request, "more": np.zeros(4, np.int64)}),
        # That of raw values has a default for what is missing then.
        (signature, {**without(request, "price"), "prize": request["price"]}),
        (signature, {}),
        (signature, changed(request, "item", lambda a: a.astype("float32"))),
        (signature, changed(request, "item", lambda a: a.astype("str"))),
        (signature, changed(request, "item", lambda a: a[:, None])),
        (signature, changed(request, "seen_item", lambda a: a[:, 0])),
        (signature, changed(request, "item", lambda a: a[:3])),
        (signature, {**request, "item": short}),
    ]
    assert len(mistakes) == len(MISTAKES)
    right = (signature, request)
    answers = program.run(exported, [right, *mistakes, right])
    first, *refused, last = answers
    for (name, code), answer in zip(MISTAKES, refused, strict=True):
        assert (name, answer.code) == (name, code), answer.message
        assert answer.message
        if "an axis" in name:
            assert "not compatible with expected shape" in answer.message
            assert "item" in answer.message
    # Nothing of a mistake stays behind.
    assert (first.code, last.code) == ("OK", "OK")
    for task, output in first.outputs.items():
        np.testing.assert_array_equal(last.outputs[task], output)


# -------------------------------------------------------------- the program


def test_times_models_and_requests_in_turn(
    program, exported, exported_ids, encoder, table
):
    ids = inputs_of(encoder, table.slice(0, 5))
    raw = raw_inputs(table.slice(0, 5), encoder.schema)
    lines = program.time(
        [exported, exported_ids],
        [("serving_default", ids), ("serve_raw", raw)],
        repeats=4,
        warm_up=1,
    )
    found = [(ln["folder"], ln["request"], ln["status"]) for ln in lines]
    # The second model has no signature of raw values.
    assert found == [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 9)]
    for line in lines:
        count = 0 if line["status"] else 4
        for name in ("prepare_us", "run_us"):
            assert len(line[name]) == count
            assert all(0 < value < 60e6 for value in line[name])


def test_what_is_no_model(program, tmp_path):
    with pytest.raises(Crashed, match="(?s)ended with status 2.*NOT_FOUND"):
        program.run(tmp_path, [("serving_default", {})])


def test_a_crash_is_told_from_a_failure(program, exported, encoder, tmp_path):
    request = raw_inputs(make_table(2), encoder.schema)
    # Answers two of three requests, dies while it writes the last.
    script = tmp_path / "dies"
    script.write_text(
        f'#!/bin/sh\n"{program.path}" "$@" || exit\n'
        "for last; do :; done\n"
        'truncate -s -1 "$last"\nkill -SEGV $$\n'
    )
    script.chmod(0o755)
    dying = CppProgram(script, tmp_path)
    with pytest.raises(Crashed, match="2 of 3 .* killed by SIGSEGV") as caught:
        dying.run(exported, [("serve_raw", request)] * 3)
    assert caught.value.answered == 2
