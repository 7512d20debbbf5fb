"""Layers: tokens, attention, crosses, experts, gated units, blocks, towers."""

from keras_infnet.layers.attention.cross_attention import CrossAttention
from keras_infnet.layers.attention.field_attention import FieldAttention
from keras_infnet.layers.attention.rotary_attention import RotaryAttention
from keras_infnet.layers.attention.target_attention import TargetAttention
from keras_infnet.layers.attention.transformer_block import TransformerBlock
from keras_infnet.layers.dense.decoupled_dense import DecoupledDense
from keras_infnet.layers.dense.dice import Dice
from keras_infnet.layers.dense.mlp import MLP
from keras_infnet.layers.dense.task_tower import TaskTower
from keras_infnet.layers.dense.token_dense import TokenDense
from keras_infnet.layers.dense.token_normalization import TokenNormalization
from keras_infnet.layers.embedding.behavior_pooling import BehaviorPooling
from keras_infnet.layers.embedding.event_stream import EventStream
from keras_infnet.layers.embedding.event_tokenizer import EventTokenizer
from keras_infnet.layers.embedding.learned_tokens import LearnedTokens
from keras_infnet.layers.embedding.stacked_embedding import StackedEmbedding
from keras_infnet.layers.experts.expert_gate import ExpertGate
from keras_infnet.layers.experts.expert_mlps import ExpertMLPs
from keras_infnet.layers.infnet.all_to_all_block import AllToAllBlock
from keras_infnet.layers.infnet.broadcast_gated_unit import BroadcastGatedUnit
from keras_infnet.layers.infnet.hub_block import HubBlock
from keras_infnet.layers.infnet.proxy_block import ProxyBlock
from keras_infnet.layers.infnet.proxy_gated_unit import ProxyGatedUnit
from keras_infnet.layers.interaction.factorization_machine import (
    FactorizationMachine,
)
from keras_infnet.layers.interaction.feature_cross import FeatureCross
from keras_infnet.layers.interaction.gated_cross import GatedCross
from keras_infnet.layers.interaction.information_flow_gate import (
    InformationFlowGate,
)
from keras_infnet.layers.interaction.interaction_ensemble import (
    InteractionEnsemble,
)
from keras_infnet.layers.interaction.pairwise_interaction import (
    PairwiseInteraction,
)
from keras_infnet.layers.interaction.rank_mixer_block import RankMixerBlock
from keras_infnet.layers.interaction.token_compression import TokenCompression
from keras_infnet.layers.interaction.wukong_block import WuKongBlock
from keras_infnet.layers.interformer.cross_arch import CrossArch
from keras_infnet.layers.interformer.interaction_arch import InteractionArch
from keras_infnet.layers.interformer.interformer_block import InterFormerBlock
from keras_infnet.layers.interformer.mask_net import MaskNet
from keras_infnet.layers.interformer.personalized_ffn import PersonalizedFFN
from keras_infnet.layers.interformer.self_gate import SelfGate
from keras_infnet.layers.interformer.sequence_arch import SequenceArch
from keras_infnet.layers.sequence.hstu_layer import HSTULayer
from keras_infnet.layers.sequence.interest_evolution import InterestEvolution
from keras_infnet.layers.sequence.one_trans_block import OneTransBlock
from keras_infnet.layers.sequence.recent_tokens import RecentTokens
from keras_infnet.layers.sequence.target_sequence import TargetSequence

__all__ = [
    "AllToAllBlock",
    "BehaviorPooling",
    "BroadcastGatedUnit",
    "CrossArch",
    "CrossAttention",
    "DecoupledDense",
    "Dice",
    "EventStream",
    "EventTokenizer",
    "ExpertGate",
    "ExpertMLPs",
    "FactorizationMachine",
    "FeatureCross",
    "FieldAttention",
    "GatedCross",
    "HSTULayer",
    "HubBlock",
    "InformationFlowGate",
    "InteractionArch",
    "InteractionEnsemble",
    "InterestEvolution",
    "InterFormerBlock",
    "LearnedTokens",
    "MaskNet",
    "MLP",
    "OneTransBlock",
    "PairwiseInteraction",
    "PersonalizedFFN",
    "ProxyBlock",
    "ProxyGatedUnit",
    "RankMixerBlock",
    "RecentTokens",
    "RotaryAttention",
    "SelfGate",
    "SequenceArch",
    "StackedEmbedding",
    "TargetAttention",
    "TargetSequence",
    "TaskTower",
    "TokenCompression",
    "TokenDense",
    "TokenNormalization",
    "TransformerBlock",
    "WuKongBlock",
]
