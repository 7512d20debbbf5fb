"""Ranking models, built from a schema; one model per file.

For your own model, subclass `FeatureRanker` (defines what follows the
embeddings), `TrunkRanker` (one hidden vector for all tasks) or `Ranker` (the
whole graph).
"""

from keras_infnet.models.autoifs import AutoIFS
from keras_infnet.models.autoint import AutoInt
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.ranker import Ranker
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.models.bst import BST
from keras_infnet.models.dcnv2 import DCNv2
from keras_infnet.models.deepfm import DeepFM
from keras_infnet.models.dien import DIEN
from keras_infnet.models.din import DIN
from keras_infnet.models.find_model import find_model, model_names
from keras_infnet.models.fm import FM
from keras_infnet.models.gdcn import GDCN
from keras_infnet.models.hstu import HSTU
from keras_infnet.models.infnet import INFNet
from keras_infnet.models.interformer import InterFormer
from keras_infnet.models.mmoe import MMoE
from keras_infnet.models.omoe import OMoE
from keras_infnet.models.onetrans import OneTrans
from keras_infnet.models.ple import PLE
from keras_infnet.models.rankmixer import RankMixer
from keras_infnet.models.shared_bottom import SharedBottom
from keras_infnet.models.stem import STEM
from keras_infnet.models.wukong import WuKong

__all__ = [
    "AutoIFS",
    "AutoInt",
    "BST",
    "DCNv2",
    "DeepFM",
    "DIEN",
    "DIN",
    "FeatureRanker",
    "Features",
    "FM",
    "GDCN",
    "HSTU",
    "INFNet",
    "InterFormer",
    "MMoE",
    "OMoE",
    "OneTrans",
    "PLE",
    "Ranker",
    "RankMixer",
    "SharedBottom",
    "STEM",
    "TrunkRanker",
    "WuKong",
    "find_model",
    "model_names",
]
