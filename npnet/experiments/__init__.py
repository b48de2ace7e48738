"""What a recipe is written with: an experiment, its setups, the runs they become, and who runs them.

A recipe is a module of `npnet.recipes` that describes one `Experiment`::

    recipe = Experiment(
        name="digits", title=…, source=…, reported=…, expects=…,
        setups=(Setup(data=…, input_shape=(1, 8, 8), model=…, optimizer=Spec("SGD", lr=0.1), …),),
    )

That is all where every network is to be judged and drawn as all are. Where there is more to see, ``study=``
names a function that takes a `Runner`: it trains the setups, looks at the `Run` that each became, draws, and
returns the headline and the values to keep.
"""

from npnet.engines import Spec
from npnet.experiments.conduct import Result
from npnet.experiments.experiment import Experiment
from npnet.experiments.options import TRAINING, Options
from npnet.experiments.run import Run, largest_difference
from npnet.experiments.runner import Runner
from npnet.experiments.setup import Setup
from npnet.experiments.studies import (
    AS_IN_SOURCE,
    OURS,
    draw_curves,
    draw_network,
    judge_setups,
    probabilities,
)
from npnet.experiments.tracing import traced

__all__ = [
    "AS_IN_SOURCE",
    "OURS",
    "TRAINING",
    "Experiment",
    "Options",
    "Result",
    "Run",
    "Runner",
    "Setup",
    "Spec",
    "draw_curves",
    "draw_network",
    "judge_setups",
    "largest_difference",
    "probabilities",
    "traced",
]
