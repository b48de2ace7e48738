"""Samples of random two-dimensional Gaussians: classification data that can be plotted."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from numpy.typing import DTypeLike

from npnet import check
from npnet.errors import InputError
from npnet.shapes import Float, Int64

_LOW, _HIGH = -10.0, 10.0  # means are drawn from this interval along both axes


def sample_gauss_2d(
    nclasses: int, nsamples: int, generator: Generator, *, dtype: DTypeLike = np.float32
) -> tuple[Float[ndarray, "n 2"], Int64[ndarray, " n"]]:
    """Sample random Gaussians in the plane, one for each class.

    Each Gaussian N(μ, Σ) is drawn at random: its mean μ uniformly from the box [−10, 10]², and
    Σ = Rᵀ diag(λ₁, λ₂) R, where R is the rotation by a uniform random angle and λᵢ = (u·20/5)² with u uniform
    in [0, 1). Standard deviations along the principal axes are at most a fifth of the box.

    Parameters
    ----------
    nclasses : int
        How many Gaussians, C.
    nsamples : int
        Samples drawn from each, N.
    generator : numpy.random.Generator
        Draws the Gaussians, then their samples.
    dtype : float32 or float64
        The dtype of x.

    Returns
    -------
    x : array, shape (C·N, 2)
    y : array of int64, shape (C·N,)
        Which Gaussian each sample comes from.

    Raises
    ------
    InputError
        If a number is not a positive integer, or generator is not a generator.
    DTypeError
        If dtype is neither float32 nor float64.

    References
    ----------
    The samplers of the deep learning laboratory at the University of Zagreb (FER), exercise 0.

    Examples
    --------
    >>> x, y = sample_gauss_2d(2, 3, np.random.default_rng(0))
    >>> x.shape, y
    ((6, 2), array([0, 0, 0, 1, 1, 1]))
    """
    nclasses = check.integer("sample_gauss_2d", "nclasses", nclasses, least=1)
    nsamples = check.integer("sample_gauss_2d", "nsamples", nsamples, least=1)
    generator, dtype = (
        check.generator("sample_gauss_2d", generator),
        check.float_dtype("sample_gauss_2d", dtype),
    )
    clouds = [_random_gaussian(nsamples, generator) for _ in range(nclasses)]
    return np.concatenate(clouds).astype(dtype), np.repeat(np.arange(nclasses), nsamples)


def sample_gmm_2d(
    ncomponents: int,
    nclasses: int,
    nsamples: int,
    generator: Generator,
    *,
    dtype: DTypeLike = np.float32,
) -> tuple[Float[ndarray, "n 2"], Int64[ndarray, " n"]]:
    """Sample a mixture of random Gaussians in the plane, each of a random class.

    The Gaussians are drawn as in `sample_gauss_2d`. Every class gets at least one of them, and the others
    are assigned uniformly at random. Classes of several Gaussians are seldom linearly separable.

    Parameters
    ----------
    ncomponents : int
        How many Gaussians, K; at least as many as classes.
    nclasses : int
        How many classes, C.
    nsamples : int
        Samples drawn from each Gaussian, N.
    generator : numpy.random.Generator
        Draws the Gaussians, their samples and their classes.
    dtype : float32 or float64
        The dtype of x.

    Returns
    -------
    x : array, shape (K·N, 2)
    y : array of int64, shape (K·N,)
        The class of each sample.

    Raises
    ------
    InputError
        If a number is not a positive integer, there are fewer components than classes, or generator is not a
        generator.
    DTypeError
        If dtype is neither float32 nor float64.

    References
    ----------
    The samplers of the deep learning laboratory at the University of Zagreb (FER), exercise 0.

    Examples
    --------
    >>> x, y = sample_gmm_2d(4, 2, 40, np.random.default_rng(0))
    >>> x.shape, np.unique(y)
    ((160, 2), array([0, 1]))
    """
    ncomponents = check.integer("sample_gmm_2d", "ncomponents", ncomponents, least=1)
    nclasses = check.integer("sample_gmm_2d", "nclasses", nclasses, least=1)
    nsamples = check.integer("sample_gmm_2d", "nsamples", nsamples, least=1)
    generator, dtype = check.generator("sample_gmm_2d", generator), check.float_dtype("sample_gmm_2d", dtype)
    if ncomponents < nclasses:
        raise InputError(
            f"sample_gmm_2d: ncomponents must be at least nclasses, {nclasses}, got {ncomponents}"
        )
    x, component = sample_gauss_2d(ncomponents, nsamples, generator, dtype=dtype)
    others = generator.integers(nclasses, size=ncomponents - nclasses)
    class_of = generator.permutation(np.concatenate([np.arange(nclasses), others]))
    return x, class_of[component]


def _random_gaussian(nsamples: int, generator: Generator) -> Float[ndarray, "n 2"]:
    mean = generator.uniform(_LOW, _HIGH, 2)
    deviations = generator.random(2) * (_HIGH - _LOW) / 5
    angle = generator.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # z diag(σ) R has covariance Rᵀ diag(σ²) R, as z has the identity as covariance.
    x: ndarray = mean + (generator.standard_normal((nsamples, 2)) * deviations) @ rotation
    return x
