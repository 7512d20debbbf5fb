"""An exported model behind a server: the client gets what `predict` says."""

import shutil

import numpy as np
import pytest
from stand_ins import GrpcStandIn, RestStandIn, ServedModel

from keras_infnet.data.batching.padding import input_arrays
from keras_infnet.serving import Client, serialize_examples
from keras_infnet.serving.exporting.run_saved_model import (
    loaded,
    replay_warmup,
)
from keras_infnet.serving.exporting.warmup_requests import (
    example_requests,
    write_warmup,
)
from keras_infnet.serving.graph.signatures import shared_raw_inputs

pytestmark = [pytest.mark.serving, pytest.mark.slow]


def check_warmup(version):
    with loaded(str(version)) as (session, signatures):
        return replay_warmup(session, signatures, str(version))


def test_an_export_answers_as_the_model(
    exported, model, encoder, table, tmp_path
):
    pytest.importorskip("tensorflow_serving")
    path = shutil.copytree(exported, tmp_path / "news" / "1")
    write_warmup(path, "news", example_requests(encoder), (1, 3, 40))
    assert check_warmup(path) == 15
    encoded = encoder.encode(table, labels=False)
    expected = model.predict(input_arrays(encoder.schema, encoded), verbose=0)
    # Otherwise equality would mean little.
    assert min(np.ptp(y) for y in expected.values()) > 0.3
    # Candidates of the last row's request.
    schema = encoder.schema
    last = np.full(len(table), len(table) - 1)
    asked = table.with_columns(
        {n: table[n].take(last) for n in shared_raw_inputs(schema)}
    )
    ids = encoder.encode(asked, labels=False)
    scored = model.predict(input_arrays(schema, ids), verbose=0)
    total = sum(scored[task][:, 0] for task in schema.task_names)
    served = ServedModel("news", tmp_path / "news", (1,))
    frame = table.to_pandas()
    for protocol, make in (("grpc", GrpcStandIn), ("rest", RestStandIn)):
        server = make(served)
        try:
            with Client(
                f"127.0.0.1:{server.port}",
                "news",
                tmp_path / "news",
                protocol=protocol,
                timeout=60.0,
            ) as client:
                answers = (
                    client.predict(table, batch_size=128),
                    client.predict(frame),
                    client.predict(encoded, "serving_default"),
                )
                request = table.slice(len(table) - 1)
                ranked = client.rank(request, table, max_candidates=128)
                best = client.rank(request, table, 9, max_candidates=128)
                texts = serialize_examples(table, schema)
                scores = client.call({"inputs": texts}, "serve_examples")
        finally:
            server.stop()
        for found in answers:
            for task, array in expected.items():
                np.testing.assert_allclose(found[task], array, atol=1e-5)
        for task, array in scored.items():
            np.testing.assert_allclose(ranked[task], array[:, 0], atol=1e-5)
        np.testing.assert_allclose(ranked["score"], total, atol=1e-5)
        np.testing.assert_allclose(
            best["score"], np.sort(total)[::-1][:9], atol=1e-5
        )
        np.testing.assert_allclose(
            best["score"], total[best["index"]], atol=1e-5
        )
        np.testing.assert_allclose(
            scores["scores"][:, 0], expected["click"][:, 0], atol=1e-5
        )
    served.loaded[1][0].close()
