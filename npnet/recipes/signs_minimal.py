"""The least convolutional network on signed letters: four 5×5 kernels, and what each of them looks for.

Data: as in `signs-logreg`. Model: four 5×5 kernels, ReLU, 2×2 max-pooling, one linear layer to 24 logits;
`npnet.models.signs_small`. Loss: cross-entropy. Optimizer: Adam, lr 1e-3, minibatches of 128, 15 epochs.

The source reports no figure for it that we know of; ours must beat the baseline's 54 % on the test part.

What to expect: the kernels, drawn in ``filters.png``, become detectors of edges and of light or dark spots,
as those made by hand in `kernels` are. In ``layer_by_layer.png`` one image is followed through them: what the
kernels answer, what the ReLU keeps of it, and what pooling leaves, which stays the same when the hand moves
by a pixel.
"""

from __future__ import annotations

from numpy.random import Generator

from npnet import models, nn
from npnet.recipes._signs import SOURCE, SignsRecipe, signs
from npnet.recipes._spec import Spec


def network(generator: Generator) -> nn.Sequential:
    """Four 5×5 kernels, halved, and a linear layer."""
    return models.signs_small(generator=generator)


recipe = SignsRecipe(
    name="signs-minimal",
    title="four 5×5 kernels and a linear layer on photographs of signed letters",
    source=SOURCE,
    reported="no figure; 54 % by logistic regression",
    expects="better than signs-logreg",
    dataset="signs",
    data=signs,
    input_shape=(1, 28, 28),
    model=network,
    optimizer=Spec("Adam", lr=1e-3),
    epochs=15,
    quick_epochs=5,
    batch_size=128,
)
