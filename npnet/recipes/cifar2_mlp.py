"""Airplanes against birds with a fully connected network, and what such a network cannot see.

Data: the airplanes and birds of CIFAR-10, relabelled 0 and 1: 9 000 photographs to learn from, 1 000 for
validation, and the 2 000 of the published test part. Every channel has mean 0 and deviation 1 over the
training part. Model: 3072-512-2 with tanh, `npnet.models.airplane_bird_mlp`. Loss: cross-entropy. Optimizer:
plain gradient descent, lr 0.01, minibatches of 64, as in the source; the weights of the epoch with the lowest
validation loss are kept.

The source reports 79.35 % of the 2 000 test images, which it uses for validation and which ours must reach,
and 81.65 % as the best it found.

Three more networks start from the same weights and see the same images:

- With a LogSoftmax at its end and the negative log-likelihood as loss. That is what cross-entropy computes in
  one go, −log softmax(y)ₜ, so loss and gradients are the same up to rounding.
- Full-batch descent takes one step for each pass through the data, along the mean gradient of all images.
  It is the straightest way and by far the longest: the same lr brings it hardly anywhere in as many passes.
- Per-sample descent takes a step after every image. It learns most from one pass, though not most from one
  second: 9 000 matrix-vector products and updates take much longer than 141 matrix products. And each step
  follows the noise of one image, for which an lr of 0.01 is too long and 0.001 is taken.

What to expect: the training loss goes on falling while the validation loss rises, as 1.6 million parameters
learn 9 000 images by heart. ``shifts.png``: to the network a pixel is a number at a place, and an image moved
by one pixel is another image altogether. Nothing in it knows that neighbours are alike: were all images
scrambled by one and the same permutation of pixels, it would learn as well. `cifar2-conv` knows better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from npnet import models, nn
from npnet.data import ArrayDataset, Splits
from npnet.errors import InputError
from npnet.recipes._cifar import BOOK, airplanes_and_birds, study_shifts, test_part
from npnet.recipes._comparison import Comparison, Learnt, draw_mistakes
from npnet.recipes._recipe import LOSS_LABELS, NetworkRecipe, Options, Report, Spec
from npnet.recipes._several import Conclusion
from npnet.run import RunFolder
from npnet.train import plain_step

MINIBATCH, NLL = "minibatches", "minibatches, LogSoftmax + NLL"
FULL, SINGLE = "full batch", "per sample"
ALL_IMAGES = 10_000  # more than there are: one minibatch


class AirplanesAndBirds(Comparison):
    """The fully connected network, its two losses, three kinds of descent, and shifted images."""

    def conclude(
        self,
        learnt: Mapping[str, Learnt],
        splits: Splits[ArrayDataset],
        options: Options,
        folder: RunFolder,
        report: Report,
    ) -> Conclusion:
        """Judge the network of the source, compare the others with it, and shift the test images."""
        main = learnt[MINIBATCH]
        headline = f"test {main.measure}: {main.shown}"
        values: dict[str, Any] = {"accuracy": main.accuracy, "losses_apart": losses_apart(splits)}
        values["reached"] = ...
        return Conclusion(headline, [], values)
