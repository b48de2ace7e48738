"""Models that between them use every operation, with a loss and a minibatch for each."""

import numpy as np

from npnet import nn


def _x(rng, *shape, dtype=np.float32):
    return rng.normal(size=shape).astype(dtype)


def _mlp(rng):
    model = nn.Sequential(
        nn.Linear(5, 6, generator=rng),
        nn.ReLU(),
        nn.Linear(6, 5, bias=False, generator=rng),
        nn.LeakyReLU(0.1),
        nn.Linear(5, 4, generator=rng),
        nn.Tanh(),
        nn.Linear(4, 3, generator=rng),
    )
    return model, nn.CrossEntropyLoss(), _x(rng, 4, 5), np.array([0, 2, 1, 2])


def _images(rng):
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, generator=rng),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, (2, 3), stride=(1, 2), padding=(1, 0), dilation=(2, 1), groups=2, generator=rng),
        nn.Sigmoid(),
        nn.AvgPool2d(2, stride=1, padding=1, count_include_pad=False),
        nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(24, 3, generator=rng),
        nn.LogSoftmax(1),
    )
    return model, nn.NLLLoss(np.array([1, 2, 0.5], np.float32)), _x(rng, 3, 2, 9, 8), np.array([0, 2, 1])


def _residual(rng):
    body = nn.Sequential(nn.Linear(4, 4, generator=rng), nn.Tanh())
    shortcut = nn.Linear(4, 4, bias=False, generator=rng)
    model = nn.Sequential(
        nn.Linear(3, 4, generator=rng),
        nn.Residual(body),
        nn.Residual(nn.Sequential(nn.Identity(), nn.Residual(nn.ReLU())), shortcut),
        nn.Linear(4, 2, generator=rng),
    )
    weight, positive = np.array([1, 2], np.float32), np.array([0.5, 3], np.float32)
    loss = nn.BCEWithLogitsLoss(weight=weight, pos_weight=positive)
    return model, loss, _x(rng, 2, 3), rng.random((2, 2)).astype(np.float32)


def _probabilities(rng):
    norm, smooth = nn.BatchNorm1d(4, affine=False), nn.Softplus(2.0, threshold=1.0)
    model = nn.Sequential(nn.Linear(3, 4, generator=rng), norm, smooth, nn.Softmax())
    return model, nn.BCELoss(), _x(rng, 3, 3), rng.random((3, 4)).astype(np.float32)


def _doubles(rng):
    model = nn.Sequential(nn.Linear(3, 4, generator=rng, dtype=np.float64), nn.Sigmoid())
    return model, nn.MSELoss("sum"), _x(rng, 2, 3, dtype=np.float64), rng.random((2, 4))


def _smoothed(rng):
    loss = nn.CrossEntropyLoss(np.array([1, 2, 3], np.float32), label_smoothing=0.1, ignore_index=1)
    return nn.Linear(4, 3, generator=rng), loss, _x(rng, 4, 4), np.array([0, 1, 2, 2])


def _soft(rng):
    target = rng.dirichlet(np.ones(3), 2).astype(np.float32)
    return nn.Linear(4, 3, generator=rng), nn.CrossEntropyLoss(), _x(rng, 2, 4), target


def _pixels(rng):
    model = nn.Conv2d(1, 3, 3, padding="same", generator=rng)
    return model, nn.CrossEntropyLoss(reduction="sum"), _x(rng, 2, 1, 4, 4), rng.integers(0, 3, (2, 4, 4))


def _ties(rng):
    x = np.round(_x(rng, 1, 1, 6, 6))  # many zeros, many equal
    return (
        nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, stride=1)),
        nn.MSELoss(),
        x,
        np.zeros((1, 1, 4, 4), np.float32),
    )


def _nothing(rng):
    return nn.Linear(3, 2, generator=rng), nn.CrossEntropyLoss(), _x(rng, 2, 3), np.array([-100, -100])


MODELS = {
    "mlp": _mlp,
    "images": _images,
    "residual": _residual,
    "probabilities": _probabilities,
    "doubles": _doubles,
    "smoothed": _smoothed,
    "soft": _soft,
    "pixels": _pixels,
    "ties": _ties,
    "nothing": _nothing,
}
