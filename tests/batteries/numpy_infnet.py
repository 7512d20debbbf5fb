"""Both variants of INFNet in NumPy, float64, written from the equations.

Only the schema and the names of the weights come from the package. Attention
is not folded, and blocks copy every token.
"""

import numpy as np
from numpy_baselines import sigmoid, softmax

EPSILON = 1e-5


def infnet(weights, inputs, schema, variant="hub", **settings):
    """Outputs of a model with these weights.

    `weights` maps path to array, `inputs` the names of `schema.inputs` to
    arrays. Returns `{task: (batch, 1)}`. Raises if a weight is not part of the
    equations, since it would not be trained.
    """
    weights = _Weights(weights)
    # Task hubs start as task tokens, which are not normalized.
    apart = {"task"} if variant == "hub" else set()
    forward = _Forward(weights, inputs, schema, apart, **settings)
    outputs = {"hub": forward.hub, "proxy": forward.proxy}[variant]()
    assert weights.read == set(weights), set(weights) - weights.read
    return outputs


class _Weights(dict):
    """Arrays by path, in float64, with a record of those read."""

    def __init__(self, weights):
        super().__init__({p: np.asarray(w, float) for p, w in weights.items()})
        self.read = set()

    def __getitem__(self, path):
        self.read.add(path)
        return super().__getitem__(path)

    def get(self, path, default=None):
        return self[path] if path in self else default


def attend(query, key, value, valid, num_heads):
    """Multi-head attention, one row and one head at a time."""
    width = key.shape[-1] // num_heads
    out = np.zeros((*query.shape[:2], value.shape[-1]))
    for row in range(len(query)):
        if not valid[row].any():
            continue
        for head in range(num_heads):
            part = slice(head * width, (head + 1) * width)
            keys = key[row, valid[row], part]
            values = value[row, valid[row], part]
            scores = query[row, :, part] @ keys.T / np.sqrt(width)
            out[row, :, part] = softmax(scores) @ values
    return out


class _Forward:
    def __init__(
        self,
        weights,
        inputs,
        schema,
        not_normalized,
        num_blocks=2,
        num_categorical_tokens=None,
        hub_initialization="mlp",
        num_heads=1,
        use_positions=True,
        use_time_gaps=True,
        normalize_tokens=True,
        residual=True,
        tower_inputs="task",
        ablate=(),
        **_,
    ):
        self.weights = weights
        self.inputs = {k: np.asarray(v) for k, v in inputs.items()}
        self.schema = schema
        self.num_blocks = num_blocks
        self.num_categorical = num_categorical_tokens
        self.hub_initialization = hub_initialization
        self.num_heads = num_heads
        self.use_positions = use_positions
        self.use_time_gaps = use_time_gaps
        self.normalize = normalize_tokens
        self.not_normalized = not_normalized
        self.residual = residual
        self.read_all = tower_inputs == "all"
        self.ablate = ablate
        self.batch = len(self.inputs[schema.fields[0].name])
        self.offsets, rows = {}, 0
        for table in schema.tables:
            self.offsets[table] = rows
            rows += schema.table_size(table)
        self._tokens()

    # ---------------------------------------------------------------- parts

    def dense(self, path, x):
        y = x @ self.weights[f"{path}/kernel"]
        return y + self.weights.get(f"{path}/bias", 0.0)

    def mlp(self, path, x):
        x = x.reshape(len(x), -1)
        layer = 0
        while f"{path}/hidden_{layer}/kernel" in self.weights:
            x = np.maximum(self.dense(f"{path}/hidden_{layer}", x), 0)
            layer += 1
        return self.dense(f"{path}/output", x)

    def norm(self, path, x):
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        x = (x - mean) / np.sqrt(variance + EPSILON)
        return x * self.weights[f"{path}/gamma"] + self.weights[f"{path}/beta"]

    def embed(self, part, ids):
        rows = self.weights["embedding/embeddings"]
        found = rows[ids + self.offsets[part.table_name]]
        if not getattr(part, "multivalued", False):
            return found
        out = np.zeros((*ids.shape[:-1], rows.shape[-1]))
        unknown = rows[self.offsets[part.table_name]]
        for place in np.ndindex(*ids.shape[:-1]):
            known = found[place][ids[place] > 0]
            out[place] = known.mean(0) if len(known) else unknown
        return out

    # --------------------------------------------------------------- tokens

    def _tokens(self):
        schema = self.schema
        self.X = {}
        fields = [self.embed(f, self.inputs[f.name]) for f in schema.fields]
        self.X["categorical"] = np.stack(fields, 1)
        events, masks = [], []
        for behavior in schema.behaviors:
            tokens, mask = self._events(behavior)
            events.append(tokens)
            masks.append(mask)
        self.lengths = [mask.shape[1] for mask in masks]
        if events:
            self.X["sequence"] = np.concatenate(events, 1)
        if "task" not in self.ablate:
            task = self.weights["task_tokens/tokens"][None]
            self.X["task"] = np.repeat(task, self.batch, 0)
        if self.normalize:
            for group in set(self.X) - self.not_normalized:
                path = f"{group}_normalization/normalization"
                self.X[group] = self.norm(path, self.X[group])
        self.valid = {
            group: np.ones(x.shape[:2], bool) for group, x in self.X.items()
        }
        if events:
            self.valid["sequence"] = np.concatenate(masks, 1)
            self.X["sequence"] *= self.valid["sequence"][..., None]

    def _events(self, behavior):
        name = behavior.name
        mask = self.inputs[f"{name}_mask"].astype(bool)
        parts = self.schema.attributes(behavior)
        attributes = [
            self.embed(part, self.inputs[f"{name}_{part.name}"])
            for part in parts
        ]
        path = f"{name}_tokens"
        x = self.dense(f"{path}/projection", np.concatenate(attributes, -1))
        if self.use_positions:
            table = self.weights[f"{path}/positions"]
            for row in range(len(mask)):
                # The newest event is the last valid one.
                for index, t in enumerate(np.flatnonzero(mask[row])[::-1]):
                    x[row, t] += table[min(index, len(table) - 1)]
        if self.use_time_gaps and behavior.timed:
            x = x + self.weights[f"{path}/gaps"][self.inputs[f"{name}_gap"]]
        return x, mask

    def behaviors(self):
        """Tokens and mask of each behavior."""
        ends = np.cumsum(self.lengths)[:-1]
        tokens = np.split(self.X["sequence"], ends, 1)
        masks = np.split(self.valid["sequence"], ends, 1)
        return zip(self.schema.behaviors, tokens, masks, strict=True)

    def categorical(self, kind):
        if self.hub_initialization == "random":
            return self.learned("categorical_hubs/tokens")
        if self.hub_initialization == "mean":
            runs = np.array_split(
                self.X["categorical"], self.num_categorical, 1
            )
            return np.stack([run.mean(1) for run in runs], 1)
        x = self.mlp(f"categorical_{kind}/mlp", self.X["categorical"])
        return x.reshape(self.batch, self.num_categorical, -1)

    def shared(self):
        tokens = self.weights.get("shared_task_tokens/tokens")
        if tokens is None:
            return np.zeros((self.batch, 0, self.X["categorical"].shape[-1]))
        return np.repeat(tokens[None], self.batch, 0)

    def learned(self, path):
        return np.repeat(self.weights[path][None], self.batch, 0)

    def towers(self, tokens, compact):
        outputs = {}
        beside = []
        if self.read_all:
            for group in self.X:
                if group != "task":
                    beside.append(compact[group].reshape(self.batch, -1))
            if "task" in self.ablate:
                tokens = np.zeros((self.batch, 1, 0))
        for index, task in enumerate(self.schema.tasks):
            token = tokens[:, min(index, tokens.shape[1] - 1)]
            token = np.concatenate([token, *beside], -1)
            y = self.mlp(f"{task.name}/mlp", token)
            outputs[task.name] = sigmoid(y) if task.kind == "binary" else y
        return outputs

    # ------------------------------------------------------------------ hub

    def hub(self):
        hubs = self._hubs()
        for block in range(self.num_blocks):
            last = block == self.num_blocks - 1
            path = f"block_{block}"
            if "aggregate" not in self.ablate:
                hubs = self._aggregate(path, hubs, last)
            if "broadcast" in self.ablate:
                continue
            for group in self.X:
                needless = last or "aggregate" in self.ablate
                if needless and group != "task" and "task" in self.X:
                    continue
                if "task" not in self.X and last:
                    continue
                self.X[group] = self._broadcast(path, group, hubs)
        if "task" in self.ablate:
            pooled = [hub.mean(1) for hub in hubs.values()]
            return self.towers(np.mean(pooled, 0)[:, None], hubs)
        if "broadcast" in self.ablate:
            return self.towers(hubs["task"][:, : len(self.schema.tasks)], hubs)
        return self.towers(self.X["task"], hubs)

    def _hubs(self):
        hubs = {}
        few = self.num_blocks == 1 or "broadcast" in self.ablate
        few = few and not self.read_all
        if not few or {"aggregate", "task"} & set(self.ablate):
            hubs["categorical"] = self.categorical("hubs")
            if "sequence" in self.X and self.hub_initialization == "random":
                hubs["sequence"] = self.learned("sequence_hubs/tokens")
            elif "sequence" in self.X:
                hubs["sequence"] = np.stack(
                    [self._mean(*part) for part in self.behaviors()], 1
                )
        if "task" in self.X:
            hubs["task"] = np.concatenate([self.X["task"], self.shared()], 1)
        return hubs

    def _mean(self, behavior, tokens, mask):
        path = f"{behavior.name}_hub"
        if self.hub_initialization == "mean":
            y = tokens * mask[..., None]
            return y.sum(1) / np.maximum(mask.sum(1), 1)[:, None]
        hidden = np.maximum(self.dense(f"{path}/hidden", tokens), 0)
        y = self.dense(path, hidden) * mask[..., None]
        return y.sum(1) / np.maximum(mask.sum(1), 1)[:, None]

    def _aggregate(self, path, hubs, last):
        new = {}
        for group, hub in hubs.items():
            unread = last and "task" in self.X and not self.read_all
            if unread and group != "task":
                continue
            views = []
            for source, x in self.X.items():
                place = f"{path}/attend_to_{source}"
                value = x @ self.weights[f"{place}/value_kernel"]
                if f"{place}/key_kernel" in self.weights:
                    query = hub @ self.weights[f"{path}/{group}_query_kernel"]
                    key = x @ self.weights[f"{place}/key_kernel"]
                else:  # a single token has weight 1, whatever its score
                    query, key = np.zeros_like(hub), np.zeros_like(value)
                views.append(
                    attend(
                        query, key, value, self.valid[source], self.num_heads
                    )
                )
            views = np.concatenate(views, -1)
            hub = hub + views @ self.weights[f"{path}/{group}_output_kernel"]
            new[group] = self.norm(f"{path}/{group}_hub_normalization", hub)
        return new

    def _broadcast(self, path, group, hubs):
        source, path = hubs[group], f"{path}/{group}_unit"
        if "aggregate" in self.ablate:
            source = np.concatenate(list(hubs.values()), 1)
            path = path.removesuffix("/task_unit")
        both = self.mlp(f"{path}/mlp", source)[:, None]
        a, b = np.split(both, 2, -1)
        x = self.X[group] + self.X[group] * sigmoid(a) + b
        x = self.norm(f"{path}/normalization/normalization", x)
        return x * self.valid[group][..., None]

    # ---------------------------------------------------------------- proxy

    def proxy(self):
        proxies = self._proxies()
        for block in range(self.num_blocks):
            path = f"block_{block}"
            last = block == self.num_blocks - 1
            new, tokens = {}, dict(self.X)
            for group, proxy in proxies.items():
                reader = f"{group}_proxies"
                new[group] = self._flow(path, reader, group, proxy, last)
            tokens["task"] = self._flow(
                path, "task", "task", self.X["task"], last
            )
            for group in self.X:
                needless = last or "aggregate" in self.ablate
                if "broadcast" in self.ablate or (needless and group != "task"):
                    continue
                gate, unit = new[group], f"{path}/{group}_unit"
                if "aggregate" in self.ablate:
                    gate = np.concatenate([new[g] for g in self.X], 1)
                    unit = path
                gate = self.mlp(f"{unit}/mlp", gate)
                tokens[group] = tokens[group] * sigmoid(gate)[:, None]
            self.X, proxies = tokens, new
        return self.towers(self.X["task"], proxies)

    def _proxies(self):
        gates = "broadcast" not in self.ablate
        proxies = {"task": self.shared()} if gates else {}
        few = not gates or self.num_blocks == 1
        if few and "aggregate" not in self.ablate and not self.read_all:
            return proxies
        proxies["categorical"] = self.categorical("proxies")
        if "sequence" in self.X:
            proxies["sequence"] = np.stack(
                [
                    (self.dense("sequence_proxies", x) * m[..., None]).sum(1)
                    for _, x, m in self.behaviors()
                ],
                1,
            )
        return proxies

    def _flow(self, path, reader, own, x, last):
        """`X + CA(X, A) + CA(X, B)`, `A` and `B` the two other groups."""
        if "aggregate" in self.ablate:
            return x
        unread = ("categorical_proxies", "sequence_proxies")
        if last and reader in unread and not self.read_all:
            return x
        out = x if self.residual else 0.0
        for source, tokens in self.X.items():
            if source == own:
                continue
            place = f"{path}/{reader}_to_{source}"
            value = tokens @ self.weights[f"{place}/value_kernel"]
            if f"{place}/key_kernel" in self.weights:
                query = x @ self.weights[f"{place}/query_kernel"]
                key = tokens @ self.weights[f"{place}/key_kernel"]
            else:
                query = np.zeros((*x.shape[:2], value.shape[-1]))
                key = np.zeros_like(value)
            out = out + attend(
                query, key, value, self.valid[source], self.num_heads
            )
        return out
