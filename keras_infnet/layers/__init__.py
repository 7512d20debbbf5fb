"""Layers: tokens, attention, crosses, experts, gated units, blocks, towers."""

from keras_infnet.layers.all_to_all_block import AllToAllBlock
from keras_infnet.layers.behavior_pooling import BehaviorPooling
from keras_infnet.layers.broadcast_gated_unit import BroadcastGatedUnit
from keras_infnet.layers.cross_arch import CrossArch
from keras_infnet.layers.cross_attention import CrossAttention
from keras_infnet.layers.decoupled_dense import DecoupledDense
from keras_infnet.layers.dice import Dice
from keras_infnet.layers.event_stream import EventStream
from keras_infnet.layers.event_tokenizer import EventTokenizer
from keras_infnet.layers.expert_gate import ExpertGate
from keras_infnet.layers.expert_mlps import ExpertMLPs
from keras_infnet.layers.factorization_machine import FactorizationMachine
from keras_infnet.layers.feature_cross import FeatureCross
from keras_infnet.layers.field_attention import FieldAttention
from keras_infnet.layers.gated_cross import GatedCross
from keras_infnet.layers.hstu_layer import HSTULayer
from keras_infnet.layers.hub_block import HubBlock
from keras_infnet.layers.information_flow_gate import InformationFlowGate
from keras_infnet.layers.interaction_arch import InteractionArch
from keras_infnet.layers.interaction_ensemble import InteractionEnsemble
from keras_infnet.layers.interest_evolution import InterestEvolution
from keras_infnet.layers.interformer_block import InterFormerBlock
from keras_infnet.layers.learned_tokens import LearnedTokens
from keras_infnet.layers.mask_net import MaskNet
from keras_infnet.layers.mlp import MLP
from keras_infnet.layers.one_trans_block import OneTransBlock
from keras_infnet.layers.pairwise_interaction import PairwiseInteraction
from keras_infnet.layers.personalized_ffn import PersonalizedFFN
from keras_infnet.layers.proxy_block import ProxyBlock
from keras_infnet.layers.proxy_gated_unit import ProxyGatedUnit
from keras_infnet.layers.rank_mixer_block import RankMixerBlock
from keras_infnet.layers.recent_tokens import RecentTokens
from keras_infnet.layers.rotary_attention import RotaryAttention
from keras_infnet.layers.self_gate import SelfGate
from keras_infnet.layers.sequence_arch import SequenceArch
from keras_infnet.layers.stacked_embedding import StackedEmbedding
from keras_infnet.layers.target_attention import TargetAttention
from keras_infnet.layers.target_sequence import TargetSequence
from keras_infnet.layers.task_tower import TaskTower
from keras_infnet.layers.token_compression import TokenCompression
from keras_infnet.layers.token_dense import TokenDense
from keras_infnet.layers.token_normalization import TokenNormalization
from keras_infnet.layers.transformer_block import TransformerBlock
from keras_infnet.layers.wukong_block import WuKongBlock

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
