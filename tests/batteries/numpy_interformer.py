"""InterFormer in NumPy, one row at a time, written from the equations.

A row has no padding: `behaviors` holds, for each behavior, the attributes of
its events, concatenated to `(events, width)`, oldest first. `weights` maps
the path of a weight to its array.
"""

import math

import numpy as np
from numpy_baselines import dense, hidden, layer_norm, sigmoid, silu, softmax

GATES = {"sigmoid": sigmoid, "tanh": np.tanh, "linear": lambda x: x}


def mask_net(c, w, name):
    mask = silu(dense(c, w, f"{name}/hidden"))
    mask = sigmoid(dense(mask, w, f"{name}/mask"))
    return dense(c * mask, w, f"{name}/output")


def merged(behaviors, names, w, merge):
    """Events of all behaviors and their positions, 1 for the newest."""
    if merge == "time":
        tokens = [
            mask_net(events, w, f"event_stream/{name}_mask_net")
            for name, events in zip(names, behaviors, strict=True)
        ]
        positions = [np.arange(len(e), 0, -1) for e in behaviors]
        return tokens, np.concatenate(positions)
    longest = max(len(events) for events in behaviors)
    c = np.concatenate(
        [
            np.concatenate([np.zeros((longest - len(e), e.shape[1])), e])
            for e in behaviors
        ],
        axis=1,
    )
    tokens = mask_net(c, w, "event_stream/merged_mask_net")
    return [tokens], np.arange(longest, 0, -1)


def newest(sequences, count):
    """The newest events of each sequence, filled up with zeros."""
    found = []
    for events in sequences:
        missing = np.zeros((max(count - len(events), 0), events.shape[1]))
        found += [missing, events[len(events) - count + len(missing) :]]
    return np.concatenate(found)


def gated(z, exists, w, name, settings):
    mlp = hidden(z, w, f"{name}/mlp")
    mlp = dense(mlp, w, f"{name}/mlp/output")
    if settings["gate"] == "self":
        return z * sigmoid(mlp)
    return GATES[settings["gate_activation"]](z * mlp) * exists[:, None]


def rotated(x, position):
    """Rotary positions as products of complex numbers."""
    half = len(x) // 2
    angles = position * 10000.0 ** (-2 * np.arange(half) / len(x))
    z = (x[:half] + 1j * x[half:]) * np.exp(1j * angles)
    return np.concatenate([z.real, z.imag])


def attention(queries, source, w, name, heads, positions=None):
    q = queries @ w[f"{name}/query_kernel"] + w[f"{name}/query_bias"]
    k = source @ w[f"{name}/key_kernel"]
    v = source @ w[f"{name}/value_kernel"] + w[f"{name}/value_bias"]
    width = q.shape[1] // heads
    result = np.zeros_like(q)
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        for i, query in enumerate(q[:, part]):
            keys = k[:, part]
            if positions is not None:
                query = rotated(query, positions[i])
                keys = np.stack(
                    [rotated(key, positions[j]) for j, key in enumerate(keys)]
                )
            weights = softmax(keys @ query / math.sqrt(width))
            result[i, part] = weights @ v[:, part]
    return result @ w[f"{name}/output_kernel"] + w[f"{name}/output_bias"]


def summary_of_fields(x, w, name, settings):
    z = w[f"{name}/kernel"].T @ x
    return gated(z, np.ones(len(z)), w, f"{name}/token_gate", settings)


def summary_of_events(cls, events, lengths, w, name, settings):
    stream = np.concatenate([cls, events])
    queries = w[f"{name}/queries/tokens"]
    read = attention(
        queries, stream, w, f"{name}/attention", settings["num_heads"]
    )
    ends = np.cumsum(lengths)[:-1]
    count = settings["num_recent_tokens"]
    recent = newest(np.split(events, ends), count)
    exists = [
        np.arange(count) >= count - min(length, count) for length in lengths
    ]
    exists = np.concatenate([np.ones(len(cls) + len(read)), *exists])
    z = np.concatenate([cls, read, recent])
    return gated(z, exists, w, f"{name}/sequence_gate", settings)


def products(z):
    return np.array(
        [z[i] @ z[j] for i in range(len(z)) for j in range(i + 1, len(z))]
    )


def crossed(z0, z, w, name):
    inner = (z @ w[f"{name}/down_kernel"]) @ w[f"{name}/up_kernel"]
    return z0 * (inner + w[f"{name}/bias"]) + z


def interaction(x, seen, w, name, settings):
    z = x if seen is None else np.concatenate([x, seen])
    kind, layers = settings["interaction"], settings["num_interaction_layers"]
    if kind == "dot":
        y = dense(products(z), w, f"{name}/restore").reshape(x.shape)
    elif kind == "dcnv2":
        z0 = y = z.reshape(-1)
        for i in range(layers):
            y = crossed(z0, y, w, f"{name}/cross_{i}")
        y = dense(y, w, f"{name}/restore").reshape(x.shape)
    else:
        y = z
        for i in range(layers):
            part = f"{name}/ensemble_{i}"
            flat = y.reshape(-1)
            mixed = dense(products(y), w, f"{part}/pairs")
            crosses = crossed(flat, flat, w, f"{part}/cross")
            mixed = mixed + dense(crosses, w, f"{part}/crosses")
            kept = w[f"{part}/shortcut"].T @ y
            mixed = mixed.reshape(kept.shape) + kept
            y = layer_norm(mixed, w, f"{part}/normalization")
    if not settings["residual"]:
        return y
    return layer_norm(x + y, w, f"{name}/normalization")


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def rms_norm(x, w, name):
    size = np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
    return x / size * w[f"{name}/scale"]


def personal(s, x_sum, w, name, mode):
    """With an explicit matrix per row."""
    d = s.shape[1]
    if mode == "lowrank":
        return s @ (w[f"{name}/kernel"].T @ x_sum)

    def made(maker):
        y = hidden(x_sum.reshape(-1), w, f"{name}/{maker}")
        return dense(y, w, f"{name}/{maker}/output")

    if mode == "hyper":
        return s @ (made("maker").reshape(d, d) / math.sqrt(d))
    q = len(w[f"{name}/bias_0"])
    first = made("maker_0").reshape(d, q) / math.sqrt(d)
    second = made("maker_1").reshape(q, d) / math.sqrt(q)
    y = gelu(s @ first + w[f"{name}/bias_0"])
    y = rms_norm(y, w, f"{name}/normalization_0")
    y = y @ second + w[f"{name}/bias_1"]
    return rms_norm(y, w, f"{name}/normalization_1")


def sequence(s, x_sum, positions, w, name, settings):
    def pffn(s):
        return personal(s, x_sum, w, f"{name}/feed_forward", settings["pffn"])

    def mha(s):
        heads = settings["num_heads"]
        return attention(s, s, w, f"{name}/attention", heads, positions)

    if not settings["residual"]:
        return mha(pffn(s))
    s = s + pffn(layer_norm(s, w, f"{name}/normalization_0"))
    return s + mha(layer_norm(s, w, f"{name}/normalization_1"))


def summaries(x, behaviors, names, w, settings):
    """Both summaries that the towers read, `(tokens, d)`."""
    parts, positions = merged(behaviors, names, w, settings["merge"])
    lengths = [len(part) for part in parts]
    events = np.concatenate(parts)
    fixed = w.get("learned_summary/tokens")
    blocks = settings["num_layers"] - (not settings["final_cross"])
    first = "block_0/cross_arch" if blocks else "final_cross"
    cls = fixed
    if cls is None:
        cls = summary_of_fields(x, w, first, settings)
    positions = np.concatenate([np.zeros(len(cls)), positions])
    for i in range(blocks):
        name, x_sum, s_sum = f"block_{i}", fixed, None
        if fixed is None:
            x_sum = summary_of_fields(x, w, f"{name}/cross_arch", settings)
        if settings["exchange"] in ("both", "s2n"):
            s_sum = summary_of_events(
                cls, events, lengths, w, f"{name}/cross_arch", settings
            )
        x = interaction(x, s_sum, w, f"{name}/interaction_arch", settings)
        s = np.concatenate([cls, events])
        s = sequence(s, x_sum, positions, w, f"{name}/sequence_arch", settings)
        cls, events = s[: len(cls)], s[len(cls) :]
    x_sum = summary_of_fields(x, w, "final_cross", settings)
    s_sum = summary_of_events(cls, events, lengths, w, "final_cross", settings)
    return np.concatenate([x_sum, s_sum])
