"""Update rules, schedules of the learning rate, and clipping: what gradients are used for."""

from bpref.optim.adagrad import Adagrad
from bpref.optim.adam import Adam, AdamW
from bpref.optim.clip import clip_grad_norm_, clip_grad_value_
from bpref.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from bpref.optim.optimizer import Optimizer
from bpref.optim.proximal import ProximalL1
from bpref.optim.rmsprop import RMSprop
from bpref.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LinearLR",
    "OneCycleLR",
    "Optimizer",
    "ProximalL1",
    "RMSprop",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
]
