"""Serve an exported model with KServe.

    python -m pip install kserve tensorflow
    python kserve_model.py --name news --path saved_models/news/1

It takes the REST requests of TensorFlow Serving, `signature_name` and `inputs`
or `instances`, at `/v1/models/news:predict`, in strict JSON: a missing number
is `null`. Serving does not need `keras_infnet`.
"""

import argparse
import base64
from typing import Any

import kserve
import numpy as np
import tensorflow as tf
from kserve.errors import InvalidInput


class ExportedModel(kserve.Model):
    """Model class that calls the signatures of a SavedModel.

    Args:
        name: string. Name of the model, part of the URL.
        path: string. Path of the version folder.
    """

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self.path = path
        self.load()

    def load(self) -> bool:
        """Loads the SavedModel. Requests are refused before."""
        self.model = tf.saved_model.load(self.path)
        self.ready = True
        return self.ready

    def predict(self, payload: dict[str, Any], *_: Any) -> dict[str, Any]:
        """Answers a request.

        Args:
            payload: dict. Body of the request.

        Returns:
            Dict of `outputs` for `inputs`, or of `predictions`, one dict per
            row, for `instances`.

        Raises:
            InvalidInput: If the request does not fit the model.
        """
        if not isinstance(payload, dict):
            raise InvalidInput("send JSON as Content-Type: application/json.")
        name = payload.get("signature_name", "serving_default")
        signatures = self.model.signatures
        if not isinstance(name, str) or name not in signatures:
            raise InvalidInput(f"no signature {name!r}. Use {[*signatures]}.")
        function = signatures[name]
        specs = function.structured_input_signature[1]
        try:
            columns = payload.get("inputs")
            if columns is None:
                rows = payload["instances"]
                columns = {key: [row[key] for row in rows] for key in specs}
            if columns.keys() != specs.keys():
                raise ValueError(f"inputs must be {sorted(specs)}.")
            outputs = function(
                **{
                    key: _tensor(values, specs[key].dtype)
                    for key, values in columns.items()
                }
            )
        except (
            *(AttributeError, KeyError, OverflowError, TypeError, ValueError),
            tf.errors.InvalidArgumentError,
        ) as error:
            raise InvalidInput(str(error)) from error
        arrays = {key: _plain(output) for key, output in outputs.items()}
        if "inputs" in payload:
            return {"outputs": arrays}
        rows = zip(*arrays.values(), strict=True)
        return {
            "predictions": [dict(zip(arrays, r, strict=True)) for r in rows]
        }


def _tensor(values: Any, dtype: Any) -> Any:
    if dtype == tf.string:
        values = _texts(values)
    elif dtype.is_floating:
        # `null` becomes NaN.
        values = np.array(values, np.float32)
    return tf.constant(values, dtype)


def _texts(values: Any) -> Any:
    if isinstance(values, list):
        return [_texts(value) for value in values]
    if isinstance(values, dict):
        return base64.b64decode(values["b64"])
    return values


def _plain(output: Any) -> Any:
    array = output.numpy()
    if array.dtype == object:
        array = np.char.decode(array.astype(bytes), "utf-8")
    return array.tolist()


def main() -> None:
    """Serves the model that the command line names."""
    parser = argparse.ArgumentParser(
        parents=[kserve.model_server.parser], description=__doc__
    )
    parser.add_argument("--name", default="model")
    parser.add_argument("--path", required=True)
    arguments = parser.parse_args()
    model = ExportedModel(arguments.name, arguments.path)
    server = kserve.ModelServer(
        http_port=arguments.http_port, enable_grpc=False
    )
    server.start([model])


if __name__ == "__main__":
    main()
