"""The graph of INFNet."""

from typing import Any

from keras import ops

from keras_infnet.layers import (
    AllToAllBlock,
    BehaviorPooling,
    BroadcastGatedUnit,
    EventTokenizer,
    HubBlock,
    LearnedTokens,
    ProxyBlock,
    ProxyGatedUnit,
    TokenCompression,
    TokenNormalization,
)
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.features import Features, mean_over_events
from keras_infnet.schema import GAP_BUCKETS

__all__ = ["INFNetGraph"]


class INFNetGraph:
    """Builds the functional graph of one INFNet.

    `state` is a dict: the tokens of the groups as `"categorical"`,
    `"sequence"` and `"task"`, the compact tokens of a group as
    `"categorical_hubs"` (or `"..._proxies"`) and so on, and
    `"sequence_mask"`. A block returns the entries that it updates.
    """

    def __init__(self, features: Features, settings: Settings) -> None:
        self.features = features
        self.settings = settings
        schema = self.schema = features.schema
        dtype = self.dtype = features.dtype
        self.dim = settings["token_dim"]
        self.ablate = settings["ablate"]
        self.is_hub = settings["variant"] == "hub"
        self.suffix = "hubs" if self.is_hub else "proxies"
        self.towers_read_all = settings["tower_inputs"] == "all"
        self.groups = ["categorical"]
        if schema.behaviors:
            self.groups.append("sequence")
        if "task" not in self.ablate:
            self.groups.append("task")
        if len(self.groups) == 1 and not self.is_hub:
            raise ValueError(
                "the proxies of a group read the other groups, and without "
                "behaviors and with ablate='task' there are none. Use "
                "variant='hub'."
            )
        # Arguments of hidden layers, common to most layers.
        self.hidden = {
            "expansion": settings["expansion"],
            "activation": settings["activation"],
            "dropout": settings["dropout"],
            "dtype": dtype,
        }

    def outputs(self) -> dict[str, Any]:
        state, behaviors = self._tokens()
        if "hubs" not in self.ablate:
            self._add_compact_tokens(state, behaviors)
        for index in range(self.settings["num_blocks"]):
            last = index == self.settings["num_blocks"] - 1
            block = self._block(f"block_{index}", last)
            state = {**state, **block(state)}
        return self._towers(state)

    def _tokens(
        self,
    ) -> tuple[dict[str, Any], list[tuple[str, Any, Any]]]:
        fields, events = self.features.fields, self.features.events
        inputs = self.features.inputs
        state = {"categorical": self._normalize("categorical")(fields)}
        normalize = self._normalize("sequence")
        behaviors = []
        for behavior in self.schema.behaviors:
            mask = inputs[behavior.mask_input]
            timed = behavior.timed and self.settings["use_time_gaps"]
            tokenize = EventTokenizer(
                self.dim,
                max_length=behavior.max_length,
                num_gaps=GAP_BUCKETS + 1 if timed else 0,
                use_positions=self.settings["use_positions"],
                dtype=self.dtype,
                name=f"{behavior.name}_tokens",
            )
            gap = inputs[behavior.gap_input] if timed else None
            tokens = tokenize(events[behavior.name], mask, gap)
            behaviors.append((behavior.name, normalize(tokens, mask), mask))
        if behaviors:
            state["sequence"] = _join([tokens for _, tokens, _ in behaviors])
            state["sequence_mask"] = _join([mask for _, _, mask in behaviors])
        if "task" in self.groups:
            tokens = self._learned("task_tokens", len(self.schema.tasks))
            state["task"] = tokens(fields)
            # Task hubs are initialized with these tokens and learn faster
            # from small values than from normalized ones.
            if not self.is_hub:
                state["task"] = self._normalize("task")(state["task"])
        return state, behaviors

    def _normalize(self, group: str) -> Any:
        if not self.settings["normalize_tokens"]:
            return lambda tokens, mask=None: tokens
        return TokenNormalization(
            dtype=self.dtype, name=f"{group}_normalization"
        )

    def _learned(self, name: str, count: int) -> Any:
        return LearnedTokens(count, self.dim, dtype=self.dtype, name=name)

    def _add_compact_tokens(
        self, state: dict[str, Any], behaviors: list[tuple[str, Any, Any]]
    ) -> None:
        needed = self._ever_updated()
        if "categorical" in needed:
            state[f"categorical_{self.suffix}"] = self._compress(
                state["categorical"]
            )
        if "sequence" in needed:
            state[f"sequence_{self.suffix}"] = self._pool(behaviors)
        if "task" in needed:
            shared = self._shared(state["task"])
            if self.is_hub:
                shared = _join([state["task"], *shared])
            else:
                (shared,) = shared
            state[f"task_{self.suffix}"] = shared

    def _compress(self, fields: Any) -> Any:
        count = self.settings["num_categorical_tokens"]
        name = f"categorical_{self.suffix}"
        match self.settings["hub_initialization"]:
            case "random":
                return self._learned(name, count)(fields)
            case "mean":
                return _means_of_runs(fields, count)
        return TokenCompression(count, **self.hidden, name=name)(fields)

    def _pool(self, behaviors: list[tuple[str, Any, Any]]) -> Any:
        match self.settings["hub_initialization"]:
            case "random":
                like = behaviors[0][1]
                return self._learned("sequence_hubs", len(behaviors))(like)
            case "mean":
                return _join(
                    [
                        mean_over_events(tokens[:, :, None], mask)
                        for _, tokens, mask in behaviors
                    ]
                )
        if self.is_hub:
            pooled = []
            for name, tokens, mask in behaviors:
                pool = BehaviorPooling(
                    "mean",
                    hidden_dim=self.dim,
                    activation=self.settings["activation"],
                    dtype=self.dtype,
                    name=f"{name}_hub",
                )
                pooled.append(pool(tokens, mask))
            return _join(pooled)
        pool = BehaviorPooling("sum", dtype=self.dtype, name="sequence_proxies")
        return _join([pool(tokens, mask) for _, tokens, mask in behaviors])

    def _shared(self, like: Any) -> list[Any]:
        count = self.settings["num_shared_tokens"]
        # Hubs do not read each other: without broadcast, shared ones would
        # be unused.
        if not count or (self.is_hub and "broadcast" in self.ablate):
            return []
        return [self._learned("shared_task_tokens", count)(like)]

    def _updates(self, last: bool) -> tuple[list[str], list[str]]:
        """Returns the groups that a block aggregates and broadcasts.

        Compact tokens are updated only if they change tokens that a later
        block reads, or if the towers read them.
        """
        with_task = "task" in self.groups
        broadcast = "broadcast" not in self.ablate
        if with_task and (last or not broadcast):
            # Without broadcast, task hubs still carry the result; proxies
            # only gate.
            with_hubs = broadcast or self.is_hub
            keep = [
                group
                for group in self.groups
                if (with_hubs if group == "task" else self.towers_read_all)
            ]
            return keep, ["task"] if broadcast else []
        if last or not broadcast:
            return list(self.groups), []
        return list(self.groups), list(self.groups)

    def _ever_updated(self) -> set[str]:
        if "aggregate" in self.ablate:
            return set(self.groups)
        updated: set[str] = set()
        for index in range(self.settings["num_blocks"]):
            last = index == self.settings["num_blocks"] - 1
            updated.update(self._updates(last)[0])
        return updated

    def _block(self, name: str, last: bool) -> Any:
        if "aggregate" in self.ablate:
            return self._broadcast_only(name)
        if "hubs" in self.ablate:
            return self._all_to_all(name, last)
        updates, broadcasts = self._updates(last)
        options = {
            "updates": updates,
            "broadcasts": broadcasts,
            "num_heads": self.settings["num_heads"],
            "fold": self.settings["fold"],
            **self.hidden,
            "name": name,
        }
        if not self.is_hub:
            options["residual"] = self.settings["residual"]
        layer = HubBlock(**options) if self.is_hub else ProxyBlock(**options)
        return lambda state: layer(
            **_without_unused(state, updates, self.suffix)
        )

    def _broadcast_only(self, name: str) -> Any:
        """Gates the task tokens by the initial compact tokens only."""
        unit_class = BroadcastGatedUnit if self.is_hub else ProxyGatedUnit
        unit = unit_class(**self.hidden, name=name)

        def call(state: dict[str, Any]) -> dict[str, Any]:
            compact = _join([state[f"{g}_{self.suffix}"] for g in self.groups])
            return {"task": unit(state["task"], compact)}

        return call

    def _all_to_all(self, name: str, last: bool) -> Any:
        only_task = last and "task" in self.groups
        updates = ["task"] if only_task else self.groups
        gated = "broadcast" not in self.ablate and (only_task or not last)
        layer = AllToAllBlock(
            variant=self.settings["variant"],
            updates=updates,
            broadcasts=updates if gated else [],
            num_heads=self.settings["num_heads"],
            **self.hidden,
            name=name,
        )
        return lambda state: layer(**state)

    def _towers(self, state: dict[str, Any]) -> dict[str, Any]:
        if "task" in self.groups:
            tokens = state["task"]
            if "broadcast" in self.ablate and self.is_hub:
                # The first task hubs are the updated task tokens.
                tokens = state.get("task_hubs", tokens)
            vectors = [tokens[:, i] for i in range(len(self.schema.tasks))]
            if self.towers_read_all:
                compact = self._flat(state)
                vectors = [
                    ops.concatenate([vector, compact], axis=-1)
                    for vector in vectors
                ]
        else:
            pool = self._flat if self.towers_read_all else self._pooled
            vectors = [pool(state)] * len(self.schema.tasks)
        return self.features.towers(vectors, self.settings)

    def _flat(self, state: dict[str, Any]) -> Any:
        """Concatenates the compact tokens of fields and events."""
        tokens = _join(
            [
                state[f"{group}_{self.suffix}"]
                for group in self.groups
                if group != "task"
            ]
        )
        return ops.reshape(tokens, (-1, tokens.shape[1] * tokens.shape[2]))

    def _pooled(self, state: dict[str, Any]) -> Any:
        """Returns a vector as wide as a task token."""
        pooled = []
        for group in self.groups:
            compact = state.get(f"{group}_{self.suffix}")
            mask = state.get(f"{group}_mask")
            if compact is not None or mask is None:
                tokens = state[group] if compact is None else compact
                pooled.append(ops.mean(tokens, axis=1))
                continue
            pool = BehaviorPooling(dtype=self.dtype, name=f"pooled_{group}")
            pooled.append(pool(state[group], mask)[:, 0])
        return sum(pooled[1:], pooled[0]) / len(pooled)


def _without_unused(
    state: dict[str, Any], updates: list[str], suffix: str
) -> dict[str, Any]:
    """Drops compact tokens of groups that are not in `updates`."""
    kept = {f"{group}_{suffix}" for group in updates}
    return {
        name: tensor
        for name, tensor in state.items()
        if not name.endswith(f"_{suffix}") or name in kept
    }


def _means_of_runs(tokens: Any, count: int) -> Any:
    """Averages `count` runs of consecutive tokens.

    If there are fewer tokens than `count`, tokens are repeated.
    """
    size = tokens.shape[1]
    weights = [[0.0] * size for _ in range(count)]
    for i in range(max(size, count)):
        weights[i * count // max(size, count)][i * size // max(size, count)] = 1
    weights = [[w / sum(row) for w in row] for row in weights]
    return ops.einsum(
        "nm,bmd->bnd", ops.convert_to_tensor(weights, tokens.dtype), tokens
    )


def _join(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=1)
