"""Forward passes in NumPy, written from the papers, one row at a time.

`weights` maps the path of a weight, as `layer/weight`, to its array; `rows`
are the embedded fields of one row, `(fields, dim)`.
"""

import numpy as np
from keras import ops


def weights_of(model):
    return {w.path: ops.convert_to_numpy(w) for w in model.weights}


def embedded(model, batch, fields=("user", "item"), name="embedding"):
    """Embeddings of the fields and the mean of clicks, row by row."""
    layer = model.get_layer(name)
    table = ops.convert_to_numpy(layer.embeddings)
    for i in range(len(batch["user"])):
        mask = batch["clicks_mask"][i]
        items = table[layer.offsets["item"] + batch["clicks_item"][i][mask]]
        rows = [table[layer.offsets[f] + batch[f][i]] for f in fields]
        mean = items.mean(0) if mask.any() else np.zeros(table.shape[1])
        yield np.stack([*rows, mean])


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def silu(x):
    return x * sigmoid(x)


def dense(x, weights, name):
    return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]


def hidden(x, weights, name):
    """All hidden layers whose weights exist."""
    i = 0
    while f"{name}/hidden_{i}/kernel" in weights:
        x = silu(dense(x, weights, f"{name}/hidden_{i}"))
        i += 1
    return x


def tower(x, weights, name):
    x = hidden(x, weights, f"{name}/mlp")
    return dense(x, weights, f"{name}/mlp/output")[0]


def layer_norm(x, weights, name):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(
        x.var(-1, keepdims=True) + 1e-5
    )
    return x * weights[f"{name}/gamma"] + weights[f"{name}/beta"]


def pairs(rows):
    """Sum over explicit pairs, as Rendle defines the model."""
    total = np.zeros(rows.shape[1])
    for i in range(len(rows)):
        for j in range(i):
            total += rows[i] * rows[j]
    return total


def fm(rows, linear, weights, task):
    """`linear`: (fields, tasks)."""
    name = "factorization_machine"
    p = weights.get(f"{name}/kernel")
    p = np.ones(rows.shape[1]) if p is None else p[:, task]
    bias = weights[f"{name}/bias"][task]
    return bias + linear[:, task].sum() + p @ pairs(rows)


def cross(x0, x, weights, name):
    bias = weights[f"{name}/bias"]
    if f"{name}/kernel" in weights:
        return x0 * (x @ weights[f"{name}/kernel"] + bias) + x
    down, up = weights[f"{name}/down_kernel"], weights[f"{name}/up_kernel"]
    if down.ndim == 2:
        return x0 * ((x @ down) @ up + bias) + x
    gates = softmax(x @ weights[f"{name}/gate_kernel"])
    result = x.copy()
    for e, gate in enumerate(gates):
        inner = np.tanh(x @ down[e])
        inner = np.tanh(inner @ weights[f"{name}/inner_kernel"][e])
        result += gate * x0 * (inner @ up[e] + bias)
    return result


def gated_cross(x0, x, weights, name):
    gate = sigmoid(x @ weights[f"{name}/gate_kernel"])
    inner = x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]
    return x0 * inner * gate + x


def crossed(x, weights, step=cross):
    x0, i = x, 0
    while f"cross_{i}/bias" in weights:
        x = step(x0, x, weights, f"cross_{i}")
        i += 1
    return x


def field_attention(rows, weights, name, heads, scale):
    q, k, v, r = (
        rows @ weights[f"{name}/{part}_kernel"]
        for part in ("query", "key", "value", "residual")
    )
    width = q.shape[1] // heads
    read = []
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        scores = q[:, part] @ k[:, part].T
        if scale:
            scores = scores / np.sqrt(width)
        read.append(np.stack([softmax(s) for s in scores]) @ v[:, part])
    return np.maximum(np.concatenate(read, axis=1) + r, 0.0)


def wukong_block(rows, weights, name):
    y = weights[f"{name}/projection/kernel"]  # (fields, k)
    products = (rows @ rows.T) @ y
    flat = products.reshape(-1)
    flat = layer_norm(flat, weights, f"{name}/product_normalization")
    flat = hidden(flat, weights, f"{name}/mlp")
    mixed = dense(flat, weights, f"{name}/mlp/output")
    mixed = mixed.reshape(-1, rows.shape[1])
    compressed = weights[f"{name}/compression/kernel"].T @ rows
    residual = rows
    if f"{name}/residual/kernel" in weights:
        residual = weights[f"{name}/residual/kernel"].T @ rows
    joined = np.concatenate([mixed, compressed]) + residual
    return layer_norm(joined, weights, f"{name}/normalization")


def experts(x, weights, name):
    """Outputs of the experts."""
    result = []
    for e in range(len(weights[f"{name}/kernel_0"])):
        y, i = x, 0
        while f"{name}/kernel_{i}" in weights:
            y = y @ weights[f"{name}/kernel_{i}"][e]
            y = silu(y + weights[f"{name}/bias_{i}"][e])
            i += 1
        result.append(y)
    return result


def mix(x, outputs, weights, name):
    x = hidden(x, weights, f"{name}/hidden")
    gates = softmax(x @ weights[f"{name}/kernel"])
    return sum(g * y for g, y in zip(gates, outputs, strict=True))
