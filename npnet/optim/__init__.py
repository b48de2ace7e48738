"""Update rules, learning-rate schedules, and limits for gradients.

An optimizer is given the arrays it is to update, and afterwards only gradients:
``optimizer.step(grads)`` with `grads` keyed like the parameters. A schedule changes the optimizer's
learning rate after each epoch; `clip_grad_norm` keeps gradients from being too large. Names, defaults and
numbers are those of ``torch.optim``.
"""

from npnet.optim.adam import Adam, AdamW
from npnet.optim.clip import clip_grad_norm, clip_grad_value
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
    "Optimizer",
    "RMSprop",
    "Schedule",
    "StepLR",
    "clip_grad_norm",
    "clip_grad_value",
]
