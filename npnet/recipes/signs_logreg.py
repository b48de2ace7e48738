"""Logistic regression on photographs of hands that sign letters: the baseline for `signs-minimal` and on.

Data: Sign Language MNIST, 27 455 + 7 172 grey photographs of 28×28 pixels in 24 classes; J and Z are signed
by a motion and are not among them. A tenth of the training part is held out for validation. Model: one affine
map from 784 pixels to the logits, so each letter has one template, which the run draws. Loss: cross-entropy.

- As in the source: pixels in [0, 1]; 784-26, a letter for each output, J and Z unused; SGD, lr 0.001, 30
  epochs; judged with the weights of the last one. It names no size of minibatches, for which 128 was put, nor
  how large a part it held out, at random.
- Ours: standardised by the training part's mean and deviation; 784-24; Adam, lr 1e-3, minibatches of 128, 20
  epochs; judged with the weights of the epoch with the lowest validation loss.

The source reports 54 % of the validation part, to be reproduced in its setting; ours must reach as much on
the test part.

What to expect: validation far above test. The published training images are variations (turned, brightened,
with other filters and noise) of the same 1 704 photographs, so a part held out of them holds near copies of
what was learnt; the test part shows other takes. Early stopping by such a validation part stops nothing, and
its accuracy is no forecast: it is drawn beside the training curve so that this can be seen. One template for
a letter cannot follow a hand that moves by some pixels, which the convolutions of `signs-minimal` and
`signs-conv` can.
"""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from npnet import models, plot
from npnet.experiments import Experiment, Run, Runner, Spec
from npnet.recipes.common import signs
from npnet.recipes.common.signs import SOURCE, as_in_source, ours


def study(runner: Runner) -> tuple[str, dict[str, Any]]:
    """Do what is done with every network, and draw the weights of each letter as an image."""
    headline, values = signs.study(runner, pixels_times_weights)
    run = runner.best
    weight = run.model.parameters["linear.weight"].reshape(-1, 28, 28)
    title = f"{runner.experiment.name}: red pixels speak for the letter where they are light, blue where dark"
    runner.figure(
        "templates.png",
        plot.weight_images,
        weight,
        run.splits.classes,
        label="weight of a pixel",
        title=title,
    )
    return headline, values


def pixels_times_weights(run: Run, x: ndarray) -> dict[str, ndarray]:
    """Return how each pixel speaks for the letter that is chosen: what its score is the sum of."""
    scores = run.model(x[None])[0]
    chosen = int(scores.argmax())
    products = x * run.model.parameters["linear.weight"][chosen].reshape(x.shape)
    return {f"pixel × weight for {run.splits.classes[chosen]}": products, "scores": scores}


recipe = Experiment(
    name="signs-logreg",
    title="logistic regression on photographs of signed letters",
    source=SOURCE,
    reported="54 % of the validation part",
    expects="54 % of the validation part in the source's setting, and of the test part in ours",
    dataset="signs",
    study=study,
    setups=(
        as_in_source(
            model=lambda generator: models.logistic_regression(28 * 28, 26, generator=generator),
            optimizer=Spec("SGD", lr=0.001),
            epochs=30,
        ),
        ours(
            model=lambda generator: models.logistic_regression(28 * 28, 24, generator=generator),
            optimizer=Spec("Adam", lr=1e-3),
            epochs=20,
        ),
    ),
)
