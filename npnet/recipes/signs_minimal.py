"""The least convolutional network on signed letters: four 5×5 kernels, and what each of them looks for.

Data: as in `signs-logreg`, for either setting. Loss: cross-entropy.

- As in the source: pixels in [0, 1]; four 5×5 kernels, ReLU, and from their 4·24·24 answers one linear layer
  to 26 logits, without pooling. It says that fewer epochs than those of `signs-logreg` are enough and no more
  of the training, so that is the baseline's, SGD at lr 0.001 in minibatches of 128, for 20 epochs; judged
  with the weights of the last one.
- Ours: standardised; 2×2 max-pooling after the ReLU, 24 logits, `npnet.models.signs_small`; Adam, lr 1e-3,
  minibatches of 128, 15 epochs; judged with the weights of the epoch with the lowest validation loss.

The source reports to be above the baseline's 54 % of the validation part after fewer epochs. Ours must beat
the baseline on the test part.

What to expect: the kernels, drawn in ``filters.png``, become detectors of edges and of light or dark spots,
as those made by hand in `kernels` are. In ``layer_by_layer.png`` one image is followed through them: what the
kernels answer, what the ReLU keeps of it, and what pooling leaves, which stays the same when the hand moves
by a pixel.
"""

from __future__ import annotations

from numpy.random import Generator

from npnet import models, nn
from npnet.experiments import Experiment, Spec
from npnet.recipes.common.signs import SOURCE, as_in_source, ours, study


def network_of_source(generator: Generator) -> nn.Sequential:
    """Four 5×5 kernels and a linear layer, without pooling."""
    return nn.Sequential(
        {
            "conv1": nn.Conv2d(1, 4, 5, generator=generator),  # (n, 4, 24, 24)
            "relu1": nn.ReLU(),
            "flatten": nn.Flatten(),
            "fc1": nn.Linear(4 * 24 * 24, 26, generator=generator),
        }
    )


recipe = Experiment(
    name="signs-minimal",
    title="four 5×5 kernels and a linear layer on photographs of signed letters",
    source=SOURCE,
    reported="above the 54 % of logistic regression, after fewer epochs",
    expects="better than signs-logreg",
    dataset="signs",
    study=study,
    setups=(
        as_in_source(model=network_of_source, optimizer=Spec("SGD", lr=0.001), epochs=20),
        ours(
            model=lambda generator: models.signs_small(generator=generator),
            optimizer=Spec("Adam", lr=1e-3),
            epochs=15,
        ),
    ),
)
