"""An exported model behind a server: the client gets what `predict` says."""

import shutil

import numpy as np
import pytest
from serving_examples import (
    as_candidates,
    check_warmup,
    expect,
    predict,
)
from stand_ins import GrpcStandIn, RestStandIn, ServedModel

from keras_infnet.serving import Client, serialize_examples
from keras_infnet.serving.exporting.warmup_requests import (
    example_requests,
    write_warmup,
)

pytestmark = [pytest.mark.serving, pytest.mark.slow]


def test_an_export_answers_as_the_model(
    exported, model, encoder, table, tmp_path
):
    pytest.importorskip("tensorflow_serving")
    path = shutil.copytree(exported, tmp_path / "news" / "1")
    write_warmup(path, "news", example_requests(encoder), (1, 3, 40))
    assert check_warmup(path) == 15
    encoded = encoder.encode(table, labels=False)
    expected = predict(model, encoder, table)
    # Candidates of the last row's request.
    schema = encoder.schema
    asked = as_candidates(table, schema, len(table) - 1)
    scored = predict(model, encoder, asked)
    scored = {task: values[:, 0] for task, values in scored.items()}
    total = sum(scored.values())
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
            expect(found, expected, spread=0.3)
        expect(ranked, {**scored, "score": total})
        top = {"score": np.sort(total)[::-1][:9]}
        expect(best, top)
        expect(top, {"score": total[best["index"]]})
        expect({"click": scores["scores"][:, :1]}, {"click": expected["click"]})
    served.loaded[1][0].close()
