"""The training loop: one for everything that learns.

`fit` trains a model of npnet. What it does is `run`, which knows nothing of models: it asks an `Engine`
to learn from a minibatch and to judge one, and does everything around that, the same way for every
engine: shuffling, counting, early stopping, keeping the best weights, ending cleanly when interrupted.
"""

from npnet.nn.step import Step, plain_step
from npnet.train._data import Data
from npnet.train._progress import ProgressMode
from npnet.train.engine import BatchResult, Engine, NumPyEngine
from npnet.train.history import Epoch, History, RunningMetrics, State
from npnet.train.loop import evaluate, evaluate_engine, fit, predict, run

__all__ = [
    "BatchResult",
    "Data",
    "Engine",
    "Epoch",
    "History",
    "NumPyEngine",
    "ProgressMode",
    "RunningMetrics",
    "State",
    "Step",
    "evaluate",
    "evaluate_engine",
    "fit",
    "plain_step",
    "predict",
    "run",
]
