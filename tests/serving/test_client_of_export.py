"""An exported model behind a server: the client gets what `predict` says."""

import numpy as np
import pytest
from stand_ins import GrpcStandIn, RestStandIn, ServedModel

from keras_infnet.serving import Client, export
from keras_infnet.serving.requests import encoded_request
from keras_infnet.serving.server_files import write_server_files
from keras_infnet.serving.warmup import check_warmup

pytestmark = [pytest.mark.serving, pytest.mark.slow]


def test_an_export_answers_as_the_model(model, encoder, table, tmp_path):
    pytest.importorskip("tensorflow_serving")
    path = export(model, encoder, tmp_path / "news", examples=table)
    write_server_files(path, encoder, batch_sizes=(1, 3, 40))
    assert check_warmup(path) == 6
    encoded = encoder.encode(table, labels=False)
    expected = model.predict(
        encoded_request(encoded, encoder.schema), verbose=0
    )
    # Otherwise equality would mean little.
    assert min(np.ptp(y) for y in expected.values()) > 0.3
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
        finally:
            server.stop()
        for found in answers:
            for task, array in expected.items():
                np.testing.assert_allclose(found[task], array, atol=1e-5)
    served.loaded[1][0].close()
