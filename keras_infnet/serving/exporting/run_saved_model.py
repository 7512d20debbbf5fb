"""Runs a SavedModel as a server does, where this package does not exist.

`python -I run_saved_model.py FOLDER CASES RESULTS`, from a copy outside the
package. `CASES` is an `.npz` file of inputs named `{case}/{signature}/{input}`;
the outputs go to `RESULTS` as `{case}/{signature}/{output}`, and what the
signatures declare goes there as JSON text named `signatures`.  The graph is run
by `Session.run` on the feeds and fetches that a signature names, after the
initialisation that the SavedModel asks for: the steps of TensorFlow Serving.
Inputs that a case leaves out take the default of the signature. Columns of
`serve_examples` are serialised to `tf.train.Example`s.
"""

import importlib.util
import json
import sys
from typing import Any

__all__ = ["main", "serialized_examples"]

_PACKAGE = "keras_infnet"
_EXAMPLES = "serve_examples"


class _Hidden:
    """An import hook that makes one package unknown."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] == _PACKAGE:
            raise ModuleNotFoundError(f"{name} is hidden", name=name)
        return None


def _hide_package() -> None:
    if _PACKAGE in sys.modules:
        raise RuntimeError(f"{_PACKAGE} is loaded already.")
    sys.meta_path.insert(0, _Hidden())
    try:
        importlib.util.find_spec(_PACKAGE)
    except ModuleNotFoundError:
        return
    raise RuntimeError(f"{_PACKAGE} can still be imported.")


def _describe(signature: Any) -> dict[str, Any]:
    def infos(tensors: Any) -> dict[str, Any]:
        return {
            name: {
                "shape": [dim.size for dim in info.tensor_shape.dim],
                "dtype": info.dtype,
            }
            for name, info in tensors.items()
        }

    return {
        "method": signature.method_name,
        "inputs": infos(signature.inputs),
        "outputs": infos(signature.outputs),
        "defaults": sorted(signature.defaults),
    }


def serialized_examples(columns: Any) -> list[bytes]:
    """Writes rows as serialised `tf.train.Example`s.

    Args:
        columns: mapping of name to an array of shape `(rows, ...)`. An array
            of three axes becomes a flat list and one of lengths, named as it
            with `_lengths` behind.

    Returns:
        List of bytes, one a row.
    """
    import numpy as np
    import tensorflow as tf

    def feature(values: Any) -> Any:
        flat = np.ravel(values)
        if flat.dtype.kind in "OUS":
            texts = [t if isinstance(t, bytes) else t.encode() for t in flat]
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=texts))
        if flat.dtype.kind == "f":
            return tf.train.Feature(float_list=tf.train.FloatList(value=flat))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=flat))

    examples = []
    for row in range(len(next(iter(columns.values())))):
        features = {}
        for name, array in columns.items():
            features[name] = feature(array[row])
            if array.ndim == 3:
                outer, inner = array.shape[1:]
                lengths = np.full(outer, inner, np.int64)
                features[f"{name}_lengths"] = feature(lengths)
        example = tf.train.Example(features=tf.train.Features(feature=features))
        examples.append(example.SerializeToString())
    return examples


def main(folder: str, cases_path: str, results_path: str) -> None:
    """Runs all cases.

    Args:
        folder: string. Path of the SavedModel.
        cases_path: string. Path of the inputs.
        results_path: string. Path of the outputs to write.
    """
    _hide_package()
    import numpy as np
    import tensorflow as tf

    tf1 = tf.compat.v1
    with np.load(cases_path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    cases: dict[tuple[str, str], dict[str, Any]] = {}
    for name, array in arrays.items():
        case, signature, column = name.split("/")
        if array.dtype.kind == "U":
            array = array.astype(object)
        cases.setdefault((case, signature), {})[column] = array

    results: dict[str, Any] = {}
    with tf1.Session(graph=tf.Graph()) as session:
        graph = tf1.saved_model.load(session, ["serve"], folder)
        signatures = graph.signature_def
        results["signatures"] = np.array(
            json.dumps(
                {
                    name: _describe(signature)
                    for name, signature in signatures.items()
                    if not name.startswith("__")
                }
            )
        )
        for (case, name), columns in cases.items():
            signature = signatures[name]
            if name == _EXAMPLES:
                texts = serialized_examples(columns)
                columns = {"inputs": np.array(texts, object)}
            feeds = {
                signature.inputs[column].name: array
                for column, array in columns.items()
            }
            for column, default in signature.defaults.items():
                if column not in columns:
                    feed = signature.inputs[column].name
                    feeds[feed] = tf.make_ndarray(default)
            fetches = {
                output: info.name for output, info in signature.outputs.items()
            }
            for output, array in session.run(fetches, feeds).items():
                if array.dtype.kind == "O":
                    array = array.astype(np.bytes_)  # without pickling
                results[f"{case}/{name}/{output}"] = array
    np.savez(results_path, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
