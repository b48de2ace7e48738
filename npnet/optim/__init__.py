"""Optimizers, learning-rate schedules and gradient clipping.

An optimizer is made with the arrays it updates; each ``optimizer.step(grads)`` then takes their gradients,
under the same names. A schedule changes the optimizer's learning rate after each epoch or each step, and
`clip_grad_norm` limits the size of gradients. Names, defaults and results are those of ``torch.optim``.
"""

from npnet.optim.adam import Adam, AdamW
from npnet.optim.clip import clip_grad_norm, clip_grad_value
from npnet.optim.one_cycle import OneCycleLR
from npnet.optim.optimizer import Optimizer
from npnet.optim.rmsprop import RMSprop
from npnet.optim.schedules import CosineAnnealingLR, ExponentialLR, Schedule, StepLR
from npnet.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "ExponentialLR",
    "OneCycleLR",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "StepLR",
    "clip_grad_norm",
    "clip_grad_value",
]
