"""A small one of every model, for the battery."""

from tiny import SMALL

from keras_infnet import models

# No unit of "silu" is ever dead, so every gradient shows.
_COMMON = {"embedding_dim": 3, "activation": "silu", "tower_dims": (5,)}
_EXPERTS = {"expert_dims": (5, 4), "gate_dims": ()}

_INTERFORMER = {
    "dropout": 0.0,
    "token_dim": 4,
    "num_layers": 2,
    "num_heads": 2,
    "num_summary_tokens": 3,
    "num_recent_tokens": 2,
    "cross_rank": 2,
    "hidden_dims": (5,),
}
# Models that call the width of an embedding that of a token, or lack it.
_LEFT_OUT = {
    "InterFormer": {"embedding_dim"},
    "INFNet": set(_COMMON),
    # One linear map a task.
    "AutoIFS": {"tower_dims"},
}

_AUTOIFS = {"hidden_dims": (5, 4), "scenario_dim": 6}

#: Constructor arguments, by name of the class and a label.
SETTINGS = {
    "AutoIFS": _AUTOIFS,
    "AutoIFS_norm": {**_AUTOIFS, "use_batch_norm": True, "dropout": 0.1},
    "AutoIFS_sum": {**_AUTOIFS, "pruning": "sum", "gate_penalty": 0.1},
    "AutoIFS_table": {**_AUTOIFS, "granularity": "scenario_task"},
    # Of a sum, a bias is dead only where both of its flows are removed.
    "AutoIFS_retrain": {**_AUTOIFS, "stage": "retrain", "pruning": "sum"},
    "AutoInt": {"head_dim": 2, "hidden_dims": (5,), "use_wide": True},
    "AutoInt_bare": {
        "num_heads": 2,
        "head_dim": 2,
        "use_scale": True,
        "hidden_dims": (),
        "tower_dims": (),
    },
    "BST": {"hidden_dims": (5,), "num_heads": 3, "num_blocks": 2},
    "BST_mean": {"hidden_dims": (), "num_heads": 1, "pooling": "mean"},
    "BST_sum": {"hidden_dims": (5,), "num_heads": 1, "pooling": "sum"},
    "DCNv2": {"num_cross_layers": 2, "hidden_dims": (5,), "tower_dims": ()},
    "DCNv2_low_rank": {
        "structure": "stacked_parallel",
        "projection_dim": 2,
        "hidden_dims": (5,),
    },
    "DCNv2_mixture": {
        "structure": "stacked",
        "projection_dim": 2,
        "num_experts": 3,
        "hidden_dims": (5,),
    },
    "DCNv2_crosses": {"structure": "cross_only"},
    "DIEN": {"hidden_dims": (5,), "use_sum_pooling": True},
    "DIEN_agru": {
        "hidden_dims": (),
        "gru_type": "agru",
        "attention": "din",
        "attention_dims": (4,),
    },
    "DIEN_aigru": {
        "hidden_dims": (5,),
        "gru_type": "aigru",
        "attention": "dot",
    },
    "DIEN_gru": {"hidden_dims": (5,), "gru_type": "gru"},
    "DIN": {"hidden_dims": (5,), "attention_dims": (4, 3)},
    "DIN_softmax": {
        "hidden_dims": (),
        "attention_dims": (),
        "use_softmax": True,
    },
    "DIN_silu": {"hidden_dims": (5,), "attention_activation": "silu"},
    "DeepFM": {"hidden_dims": (5,), "tower_dims": ()},
    "DeepFM_towers": {"hidden_dims": (5,)},
    "FM": {"tower_dims": ()},
    "FM_towers": {},
    "GDCN": {"num_cross_layers": 2, "hidden_dims": (5,)},
    "HSTU": {"token_dim": 6, "num_layers": 2, "num_heads": 3},
    "HSTU_bare": {"token_dim": 4, "num_layers": 1, "tower_dims": ()},
    "INFNet": SMALL,
    "INFNet_proxy": {**SMALL, "variant": "proxy"},
    "InterFormer": _INTERFORMER,
    "InterFormer_lowrank": {
        **_INTERFORMER,
        "interaction": "dcnv2",
        "num_interaction_layers": 2,
        "pffn": "lowrank",
        "gate": "paper",
        "exchange": "n2s",
        "final_cross": False,
    },
    "InterFormer_twolayer": {
        **_INTERFORMER,
        "num_layers": 1,
        "interaction": "dot",
        "pffn": "twolayer",
        "pffn_hidden_dim": 3,
        "residual": False,
        "exchange": "s2n",
        "merge": "time",
        "tower_dims": (),
    },
    "InterFormer_none": {
        **_INTERFORMER,
        "num_interaction_layers": 2,
        "gate": "paper",
        "gate_activation": "tanh",
        "exchange": "none",
        "hidden_dims": (),
    },
    "MMoE": {"num_experts": 3, **_EXPERTS},
    "MMoE_trunk": {
        "num_experts": 2,
        **_EXPERTS,
        "trunk": {"name": "DCNv2", "num_cross_layers": 1, "hidden_dims": (4,)},
    },
    "OMoE": {"num_experts": 3, **_EXPERTS, "gate_dims": (4,)},
    "OneTrans": {
        "token_dim": 6,
        "num_tokens": 2,
        "num_layers": 3,
        "expansion": 2,
        "tokenizer_dims": (5,),
    },
    "OneTrans_bare": {
        "token_dim": 4,
        "num_tokens": 1,
        "num_layers": 2,
        "num_heads": 1,
        "expansion": 1,
        "tokenizer_dims": (),
        "pyramid": False,
        "tower_dims": (),
    },
    "PLE": {
        "num_levels": 2,
        "num_shared_experts": 2,
        "num_task_experts": 2,
        **_EXPERTS,
    },
    "PLE_trunk": {
        "num_shared_experts": 2,
        **_EXPERTS,
        "trunk": {"name": "RankMixer", "token_dim": 4, "num_layers": 1},
    },
    "RankMixer": {"num_tokens": 3, "token_dim": 6, "num_layers": 2},
    "STEM": {
        "num_layers": 2,
        "num_shared_experts": 2,
        "num_task_experts": 2,
        **_EXPERTS,
        "gate_dims": (4,),
    },
    "SharedBottom": {"hidden_dims": (6,)},
    "SharedBottom_trunk": {
        "hidden_dims": (),
        "trunk": {
            "name": "WuKong",
            "num_interaction_tokens": 2,
            "num_compressed_tokens": 2,
            "projection_dim": 2,
            "hidden_dims": (5,),
        },
    },
    "OMoE_trunk": {
        "num_experts": 2,
        **_EXPERTS,
        "trunk": {
            "name": "InterFormer",
            **_INTERFORMER,
            "num_layers": 1,
        },
    },
    "WuKong": {
        "num_layers": 2,
        "num_interaction_tokens": 3,
        "num_compressed_tokens": 2,
        "projection_dim": 2,
        "interaction_dims": (5,),
        "hidden_dims": (6,),
    },
}


def small_model(label, schema, **more):
    """Makes the model of an entry of `SETTINGS`."""
    name = label.split("_")[0]
    left_out = _LEFT_OUT.get(name, ())
    common = {k: v for k, v in _COMMON.items() if k not in left_out}
    settings = {"activation": "silu", **common, **SETTINGS[label], **more}
    return getattr(models, name)(schema, **settings)
