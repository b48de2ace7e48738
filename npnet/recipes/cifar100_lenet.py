"""LeNet-5 on CIFAR-100: ten epochs that teach it next to nothing, and a setting in which it learns.

Model: `npnet.models.lenet5` for three channels and 100 classes: 6 and 16 kernels of 5×5, each with ReLU and
2×2 max-pooling, then 400-120-84-100; 69 656 parameters. Loss: cross-entropy. Data and training of either
setting are described in `cifar100-logreg`; both start from the same weights:

- As in the source: pixels in [0, 1], a random 10 000 of the 50 000 for validation; SGD, lr 0.01, minibatches
  of 128, ten epochs; judged with the weights of the last one.
- Ours: standardised; AdamW, lr 2e-3 drawn down to 0 along a cosine, weight decay 0.01, minibatches of 64, 20
  epochs; judged with the weights of the epoch with the lowest validation loss.

The source reports 2.4 % of the training, 2.1 % of the validation and 2.25 % of the test part: less than the
fully connected network of `cifar100-mlp`. This is to be reproduced, and bettered by our setting.

What to expect: in the source's setting the loss stays near log 100 = 4.605, that of a network which takes
all classes for equally likely. Small weights in five layers, one after another, leave small gradients, and
3 130 plain steps of 0.01 do not lead out of there; the fully connected network has fewer layers and shorter
to go. Convolutions are not to blame, as our setting shows: Adam makes its steps as long for small gradients
as for large ones.
"""

from __future__ import annotations

from npnet import models
from npnet.experiments import Experiment, Spec
from npnet.recipes.common.cifar100 import SOURCE, as_in_source, ours, study

recipe = Experiment(
    name="cifar100-lenet",
    title="LeNet-5 on the hundred classes of CIFAR-100",
    source=SOURCE,
    reported="2.4 / 2.1 / 2.25 % (training / validation / test part, after the last epoch)",
    expects="2.25 % of the test part in the source's setting, far more in ours",
    dataset="cifar100",
    study=study,
    setups=(
        as_in_source(model=lambda generator: models.lenet5(3, 32, 100, generator=generator)),
        ours(
            model=lambda generator: models.lenet5(3, 32, 100, generator=generator),
            optimizer=Spec("AdamW", lr=2e-3, weight_decay=0.01),
            epochs=20,
            batch_size=64,
        ),
    ),
)
