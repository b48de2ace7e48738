"""Training: one loop for every engine.

`fit` trains a model of npnet. It calls `run`, which knows nothing of models: an `Engine` runs minibatches and
updates parameters, and `run` does everything else, the same way for every engine: shuffling, metrics, early
stopping, keeping the best weights, checkpoints, and a clean end when interrupted.
"""

from npnet.nn.step import Step, plain_step
from npnet.train._data import Data
from npnet.train._progress import ProgressMode
from npnet.train.anomaly import AnomalyError
from npnet.train.checkpoint import Checkpoint, read_checkpoint
from npnet.train.diagnosis import Symptom, diagnose
from npnet.train.engine import (
    BatchResult,
    CheckingEngine,
    Engine,
    NumPyEngine,
    ResumableEngine,
    ScheduleEvery,
)
from npnet.train.evaluation import evaluate, evaluate_engine, predict
from npnet.train.history import Epoch, History
from npnet.train.loop import fit, run
from npnet.train.recorder import Moment, Recorder
from npnet.train.state import RunningMetrics, State

__all__ = [
    "AnomalyError",
    "BatchResult",
    "CheckingEngine",
    "Checkpoint",
    "Data",
    "Engine",
    "Epoch",
    "History",
    "Moment",
    "NumPyEngine",
    "ProgressMode",
    "Recorder",
    "ResumableEngine",
    "RunningMetrics",
    "ScheduleEvery",
    "State",
    "Step",
    "Symptom",
    "diagnose",
    "evaluate",
    "evaluate_engine",
    "fit",
    "plain_step",
    "predict",
    "read_checkpoint",
    "run",
]
