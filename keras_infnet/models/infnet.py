"""INFNet, versions 1 and 2."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras_infnet.api_export import export
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features
from keras_infnet.models.infnet_graph import INFNetGraph
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.utils.argument_checks import check_choice

__all__ = ["INFNet"]

_ABLATIONS = ("task", "aggregate", "broadcast", "hubs")


@export("keras_infnet.models.INFNet")
class INFNet(FeatureRanker):
    """Predicts several tasks from fields and behaviors at linear cost.

    Every categorical field, every past event and every task is a token of
    width `token_dim`. The three groups do not attend to each other directly:
    a few compact tokens per group (hubs or proxies) read the groups by cross
    attention and then update all tokens of their own group by gates. The cost
    is linear in the number of fields and events. The tower of a task reads
    its token after the last block.

    `variant="hub"` is the second version of the paper (aggregate and
    broadcast, see `keras_infnet.layers.HubBlock`), `variant="proxy"` the
    first (heterogeneous and homogeneous flow, see
    `keras_infnet.layers.ProxyBlock`).

    The last block is built without updates that do not reach the towers.

    Args:
        variant: `"hub"` or `"proxy"`. Defaults to `"hub"`.
        token_dim: integer. Width of all tokens and embeddings. Defaults to
            `64`.
        num_blocks: integer. Number of blocks. Defaults to `2`.
        num_categorical_tokens: integer or `None`. Number of categorical hubs
            or proxies. `None` means 16 hubs or 4 proxies. Defaults to `None`.
        num_shared_tokens: integer or `None`. Number of learned tokens shared
            by the tasks; hubs without broadcast have none. `None` means 4 for
            hubs, 2 for proxies. Defaults to `None`.
        num_heads: integer. Heads of every attention; must divide
            `token_dim`. Defaults to `1`.
        expansion: integer. Width of the hidden layers relative to
            `token_dim`. Defaults to `4`.
        tower_inputs: string. `"task"`: the tower reads only the task token
            (`token_dim` numbers), as in the paper. `"all"`: it also reads the
            flattened categorical and sequence hubs (or proxies) of the last
            block; the presets use this, which improved hubs in all our
            experiments and did not hurt proxies. Defaults to `"task"`.
        use_positions: boolean. Whether event tokens add an embedding of their
            position, counted back from the request. Defaults to `True`.
        use_time_gaps: boolean. Whether events of timed behaviors add an
            embedding of the time between event and request. Defaults to
            `True`.
        normalize_tokens: boolean. Whether tokens are normalized before the
            first block; with `"hub"` only field and event tokens. Defaults to
            `True`.
        residual: boolean. Whether `"proxy"` adds the queries to the results
            of attention, as `"hub"` always does. Defaults to `True`.
        hub_initialization: string. Initial categorical and sequence hubs:
            `"mlp"` (an MLP of the tokens), `"mean"` (of consecutive fields,
            and of each behavior's events) or `"random"` (learned and equal
            for all rows). Proxies support only `"mlp"`. Defaults to `"mlp"`.
        ablate: sequence of parts to leave out: `"task"` (all towers read one
            vector, the mean of the pooled categorical and sequence hubs, or
            with `tower_inputs="all"` these hubs concatenated), `"aggregate"`
            (no attention; task tokens are gated by the initial hubs),
            `"broadcast"` (tokens are not updated) and `"hubs"` (all tokens
            attend to all, at quadratic cost; needs `tower_inputs="task"`).
            Defaults to `()`.
        fold: boolean or `None`. Whether attention folds the projections of
            keys and values into the queries, which changes the cost but not
            the result; `None` decides by the shapes. Defaults to `None`.
        embeddings_initializer: initializer of the embedding table. Defaults
            to `"uniform"`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If an argument is not known, the ablations leave no path
            from the inputs to the tasks, or the schema is not fitted.

    Example:

    >>> import numpy as np
    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     behaviors=[Behavior("click", ["item_id"], max_length=3)],
    ...     tasks=[Task("like"), Task("share")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = INFNet(schema, token_dim=8)
    >>> outputs = model({
    ...     "user_id": np.array([1, 2]),
    ...     "item_id": np.array([3, 4]),
    ...     "click_item_id": np.array([[5, 6, 0], [0, 0, 0]]),
    ...     "click_mask": np.array([[True, True, False], [False] * 3]),
    ... })
    >>> {task: tuple(y.shape) for task, y in outputs.items()}
    {'like': (2, 1), 'share': (2, 1)}

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565): version 1 (August 2025) is
      `"proxy"`, version 2 (January 2026) is `"hub"`
    """

    presets = {
        "small": {
            "token_dim": 32,
            "num_blocks": 2,
            "num_categorical_tokens": 4,
            "num_shared_tokens": 2,
            "expansion": 2,
            "tower_dims": (64,),
            "tower_inputs": "all",
        },
        "base": {"token_dim": 64, "num_blocks": 4, "tower_inputs": "all"},
    }
    # Default numbers of compact tokens by variant.
    default_tokens: ClassVar[Mapping[str, Mapping[str, int]]] = {
        "hub": {"categorical": 16, "shared": 4},
        "proxy": {"categorical": 4, "shared": 2},
    }

    def __init__(
        self,
        schema: Schema,
        variant: str = "hub",
        token_dim: int = 64,
        num_blocks: int = 2,
        num_categorical_tokens: int | None = None,
        num_shared_tokens: int | None = None,
        num_heads: int = 1,
        expansion: int = 4,
        tower_dims: Sequence[int] = (128, 64),
        tower_inputs: str = "task",
        activation: Any = "relu",
        dropout: float = 0.0,
        use_positions: bool = True,
        use_time_gaps: bool = True,
        normalize_tokens: bool = True,
        residual: bool = True,
        hub_initialization: str = "mlp",
        ablate: str | Sequence[str] = (),
        fold: bool | None = None,
        embeddings_initializer: Any = "uniform",
        loss_weighting: str = "fixed",
        tower: Any = None,
        # No `**kwargs`: `token_dim` replaces `embedding_dim`.
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(schema, name=name, dtype=dtype)

    @classmethod
    def complete(cls, schema: Schema, settings: Settings) -> dict[str, Any]:
        """Checks settings and replaces `None` by defaults."""
        variant = settings["variant"]
        if variant not in cls.default_tokens:
            raise ValueError(
                nearest_name(variant, cls.default_tokens, "variant")
            )
        ablate = settings["ablate"]
        ablate = (ablate,) if isinstance(ablate, str) else tuple(ablate)
        _check_ablation(ablate)
        _check_hubs(variant, settings["hub_initialization"], ablate)
        towers_read = settings["tower_inputs"]
        check_choice("tower_inputs", towers_read, ("task", "all"))
        if towers_read == "all" and "hubs" in ablate:
            raise ValueError(
                "tower_inputs='all', which the presets use, needs hubs, and "
                "ablate='hubs' removes them. Drop one of the two, or give "
                "tower_inputs='task'."
            )
        complete = super().complete(schema, {**settings, "ablate": ablate})
        for group, count in cls.default_tokens[variant].items():
            if complete[f"num_{group}_tokens"] is None:
                complete[f"num_{group}_tokens"] = count
        _check_sizes(complete)
        return complete

    @classmethod
    def embedding_width(cls, schema: Schema, settings: Settings) -> int:
        """Returns the width of a token."""
        return int(settings["token_dim"])

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Applies the blocks and the towers."""
        return INFNetGraph(features, settings).outputs()


def _check_hubs(variant: str, start: str, ablate: Sequence[str]) -> None:
    check_choice("hub_initialization", start, ("mlp", "mean", "random"))
    if variant != "hub" and start != "mlp":
        raise ValueError(
            "only variant='hub' supports another `hub_initialization` than "
            "'mlp'. "
            f"Received: variant={variant!r}, hub_initialization={start!r}."
        )
    if start == "random" and "aggregate" in ablate:
        raise ValueError(
            "ablate='aggregate' gates the tasks by the initial hubs, which "
            "hub_initialization='random' makes the same for every row. Drop "
            "one of the two."
        )


def _check_sizes(settings: Settings) -> None:
    at_least = {
        "token_dim": 1,
        "num_blocks": 1,
        "num_categorical_tokens": 1,
        # Proxies gate the task tokens, so there must be at least one.
        "num_shared_tokens": 0 if settings["variant"] == "hub" else 1,
        "num_heads": 1,
        "expansion": 1,
        "tower_dims": 1,
    }
    for name, least in at_least.items():
        value = settings[name]
        for size in value if isinstance(value, tuple) else (value,):
            if not isinstance(size, int) or size is True or size < least:
                raise ValueError(
                    f"`{name}` must be an integer of at least {least}, or a "
                    f"list of such integers. Received: {name}={value!r}."
                )
    if settings["token_dim"] % settings["num_heads"]:
        raise ValueError(
            "`num_heads` must divide `token_dim`. Received: "
            f"num_heads={settings['num_heads']}, "
            f"token_dim={settings['token_dim']}."
        )


def _check_ablation(ablate: Sequence[str]) -> None:
    for name in ablate:
        if name not in _ABLATIONS:
            raise ValueError(nearest_name(name, _ABLATIONS, "ablation"))
    for other in ("task", "broadcast", "hubs"):
        if "aggregate" in ablate and other in ablate:
            raise ValueError(
                f"`ablate` cannot hold both 'aggregate' and {other!r}: "
                "nothing would carry the inputs to the tasks. "
                f"Received: ablate={tuple(ablate)}."
            )
