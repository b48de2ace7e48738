"""A deeper convolutional network on signed letters, its features followed layer by layer.

Data: as in `signs-logreg`. Model: three times a 3×3 convolution, ReLU and 2×2 max-pooling, with 16, 32 and 64
kernels, then two linear layers with dropout of a half between them; `npnet.models.signs_deep`. Loss:
cross-entropy. Optimizer: AdamW, lr 2e-3, weight decay 0.01, cosine schedule, minibatches of 128, 10 epochs.

The source reports no figure for it that we know of; ours must beat `signs-minimal` on the test part.

What to expect: validation reaches 100 %, for the reason told in `signs-logreg`, and the test part does not.
What is confused are letters that differ in a thumb alone, such as M, N, S and T, or in one finger, such as
R, U and V: the confusion matrix shows it. ``layer_by_layer.png`` shows features becoming fewer in place and
more in kind: edges of the hand after the first convolution, and after the third a few places that answer to
a finger or a gap.
"""

from __future__ import annotations

from numpy.random import Generator

from npnet import models, nn
from npnet.recipes._signs import SOURCE, SignsRecipe, signs
from npnet.recipes._spec import Spec


def network(generator: Generator) -> nn.Sequential:
    """Three convolutions, each halved, and two linear layers with dropout."""
    return models.signs_deep(generator=generator)


recipe = SignsRecipe(
    name="signs-conv",
    title="three convolutions and two linear layers on photographs of signed letters",
    source=SOURCE,
    reported="no figure; 54 % by logistic regression",
    expects="better than signs-minimal",
    dataset="signs",
    data=signs,
    input_shape=(1, 28, 28),
    model=network,
    optimizer=Spec("AdamW", lr=2e-3, weight_decay=0.01),
    schedule=lambda epochs: Spec("CosineAnnealingLR", T_max=epochs),
    epochs=10,
    quick_epochs=5,
    batch_size=128,
)
