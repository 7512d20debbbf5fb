"""Calls to a server over gRPC."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_infnet.serving.client.serving_error import ServingError
from keras_infnet.utils.installation import install_command

__all__ = ["GrpcTransport"]

# The client retries and counts; a channel that has lost its server reconnects
# soon enough for that.
_OPTIONS = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)


class GrpcTransport:
    """A channel to a server, which may be used from several threads."""

    def __init__(
        self, address: str, name: str, version: int | None, label: str | None
    ) -> None:
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ImportError as error:
            raise ImportError(
                "calls over gRPC need tensorflow-serving-api, which is not "
                f"installed. Run: {install_command('client')}. "
                'protocol="rest" needs no further package.'
            ) from error
        self._place = f"{name} at {address}"
        self._spec: dict[str, Any] = {"name": name}
        if version is not None:
            self._spec["version"] = {"value": version}
        if label is not None:
            self._spec["version_label"] = label
        self._channel = grpc.insecure_channel(address, list(_OPTIONS))
        stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._predict = stub.Predict

    def predict(
        self, signature: str, inputs: Mapping[str, Any], timeout: float
    ) -> tuple[dict[str, np.ndarray], int | None]:
        """Makes one call; returns outputs by name, and the version."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest(
            model_spec={**self._spec, "signature_name": signature}
        )
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(
                # Without a shape, empty arrays are refused.
                tf.make_tensor_proto(array, shape=np.shape(array))
            )
        try:
            response = self._predict(request, timeout=timeout)
        except grpc.RpcError as error:
            code, text = error.code().name, error.details() or ""
            raise ServingError(code, text, self._place) from error
        outputs = {
            name: tf.make_ndarray(tensor)
            for name, tensor in response.outputs.items()
        }
        return outputs, response.model_spec.version.value

    def close(self) -> None:
        """Closes the channel, and ends the calls in progress."""
        self._channel.close()
