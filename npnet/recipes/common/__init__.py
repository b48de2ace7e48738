"""What several recipes share: how data is cut, and what is seen between layers. No recipe stands here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy import ndarray

from npnet import nn
from npnet.data import ArrayDataset, Splits, split


def held_out_at_random(splits: Splits[ArrayDataset], share: float) -> Splits[ArrayDataset]:
    """Return data whose validation part is drawn from the training part at random, not class by class.

    It is the same one whatever the seed of a run.

    Examples
    --------
    >>> part = ArrayDataset(np.arange(10.0), np.zeros(10, int))
    >>> {name: len(each) for name, each in held_out_at_random(Splits(part), 0.2).parts().items()}
    {'train': 8, 'validation': 2}
    """
    train, validation = split(splits.train, (1 - share, share), np.random.default_rng(0), stratify=False)
    return replace(splits, train=train, validation=validation)


def layer_outputs(model: nn.Layer, x: ndarray) -> dict[str, ndarray]:
    """Return what every layer of a chain gives in evaluation mode, by the layer's name.

    Examples
    --------
    >>> chain = nn.Sequential({"relu": nn.ReLU(), "flatten": nn.Flatten()})
    >>> {name: y.tolist() for name, y in layer_outputs(chain, np.array([[[-1.0], [2.0]]])).items()}
    {'relu': [[[0.0], [2.0]]], 'flatten': [[0.0, 2.0]]}
    """
    outputs = {}
    for name, layer in model.children.items():
        x = outputs[name] = layer(x)
    return outputs
