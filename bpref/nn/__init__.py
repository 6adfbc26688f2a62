"""Modules that own parameters and call `bpref.functional`; a `state_dict` moves to PyTorch."""

from bpref.nn.activation import (
    ELU,
    GELU,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from bpref.nn.attention import MultiheadAttention
from bpref.nn.container import MLP, Sequential
from bpref.nn.conv import Conv1d, Conv2d, ConvTranspose2d
from bpref.nn.dropout import Dropout
from bpref.nn.embedding import Embedding, PositionalEncoding
from bpref.nn.linear import Bilinear, Linear
from bpref.nn.lora import LoRALinear
from bpref.nn.loss import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    CTCLoss,
    HalfMSELoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    SmoothL1Loss,
)
from bpref.nn.lstm_classifier import LSTMClassifier
from bpref.nn.module import Module
from bpref.nn.norm import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, RMSNorm
from bpref.nn.parameter import Buffer, Parameter, flat_vectors, flatten
from bpref.nn.pooling import AvgPool2d, MaxPool2d
from bpref.nn.recurrent import GRU, LSTM, RNN
from bpref.nn.shape import Flatten
from bpref.nn.training_step import TrainingStep
from bpref.nn.transformer import Residual, TransformerEncoderLayer

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "MLP",
    "RNN",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Bilinear",
    "Buffer",
    "CTCLoss",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "HalfMSELoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LSTMClassifier",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LoRALinear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "MultiMarginLoss",
    "MultiheadAttention",
    "NLLLoss",
    "Parameter",
    "PositionalEncoding",
    "RMSNorm",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
    "TrainingStep",
    "TransformerEncoderLayer",
    "flat_vectors",
    "flatten",
]
