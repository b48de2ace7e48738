"""Logistic regression on CIFAR-100: a hundred classes by one affine map.

Model: 3072 numbers to 100 logits, `npnet.models.logistic_regression`, 307 300 parameters. Loss:
cross-entropy. Two settings, which start from the same weights:

- As in the source: pixels in [0, 1], not standardised; 40 000 photographs to learn from and 10 000 for
  validation, drawn at random, 10 000 for the test; SGD, lr 0.01, minibatches of 128, ten epochs; judged with
  the weights of the last one.
- Ours: every channel standardised by the training part's mean and deviation, validation stratified by class;
  AdamW, lr 5e-4 drawn down to 0 along a cosine, weight decay 0.1, minibatches of 128, 15 epochs; judged with
  the weights of the epoch with the lowest validation loss.

The source reports no figure for it that we know of; 1 % is right by guessing. It is to be a baseline for
`cifar100-mlp` and `cifar100-lenet`.

What to expect: one weight for each number and class can say what colours stand where, and not much else. So
it recognises classes with a typical colour and position, such as a plain under its sky, and hardly any that
differ only in shape.
"""

from __future__ import annotations

from npnet import models
from npnet.experiments import Experiment, Spec
from npnet.recipes.common.cifar100 import SOURCE, as_in_source, ours, study

recipe = Experiment(
    name="cifar100-logreg",
    title="logistic regression on the hundred classes of CIFAR-100",
    source=SOURCE,
    reported="no figure",
    expects="a baseline, far above the 1 % of guessing",
    dataset="cifar100",
    study=study,
    setups=(
        as_in_source(
            model=lambda generator: models.logistic_regression(3 * 32 * 32, 100, generator=generator)
        ),
        ours(
            model=lambda generator: models.logistic_regression(3 * 32 * 32, 100, generator=generator),
            optimizer=Spec("AdamW", lr=5e-4, weight_decay=0.1),
            epochs=15,
            batch_size=128,
        ),
    ),
)
