"""A deeper convolutional network on signed letters, its features followed layer by layer.

Data: as in `signs-logreg`, for either setting. Model: three times a 3×3 convolution, ReLU and 2×2
max-pooling, with 16, 32 and 64 kernels, then two linear layers; `npnet.models.signs_deep`. Loss:
cross-entropy.

- As in the source: pixels in [0, 1]; convolutions, ReLU and max-pooling stacked, a few linear layers, 26
  outputs. It gives neither sizes nor training, so the sizes are ours and the training is Adam, lr 1e-3,
  minibatches of 128, 10 epochs; no dropout; judged with the weights of the last epoch.
- Ours: standardised; 24 outputs, dropout of a half between the linear layers; AdamW, lr 2e-3, weight decay
  0.01, cosine schedule, minibatches of 128, 10 epochs; judged with the weights of the epoch with the lowest
  validation loss.

The source reports no figure for it that we know of; ours must beat `signs-minimal` on the test part.

What to expect: validation reaches 100 %, for the reason told in `signs-logreg`, and the test part does not.
What is confused are letters that differ in a thumb alone, such as M, N, S and T, or in one finger, such as
R, U and V: the confusion matrix shows it. ``layer_by_layer.png`` shows features becoming fewer in place and
more in kind: edges of the hand after the first convolution, and after the third a few places that answer to
a finger or a gap.
"""

from __future__ import annotations

from npnet import models
from npnet.experiments import Experiment, Spec
from npnet.recipes.common.signs import SOURCE, as_in_source, ours, study

recipe = Experiment(
    name="signs-conv",
    title="three convolutions and two linear layers on photographs of signed letters",
    source=SOURCE,
    reported="no figure; 54 % of the validation part by logistic regression",
    expects="better than signs-minimal",
    dataset="signs",
    study=study,
    setups=(
        as_in_source(
            model=lambda generator: models.signs_deep(26, dropout=0.0, generator=generator),
            optimizer=Spec("Adam", lr=1e-3),
            epochs=10,
        ),
        ours(
            model=lambda generator: models.signs_deep(generator=generator),
            optimizer=Spec("AdamW", lr=2e-3, weight_decay=0.01),
            schedule=lambda epochs: Spec("CosineAnnealingLR", T_max=epochs),
            epochs=10,
        ),
    ),
)
