"""Arrays on disk, in safetensors files, each written completely or not at all.

Loading such a file runs no code, and PyTorch, JAX and Rust read the same format.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._regular import check_regular, path_of
from npnet._whole import whole
from npnet.errors import DTypeError, InputError
from npnet.nn.layer import Layer

DTYPES = tuple(
    "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64".split()  # noqa: SIM905
)

MOST_BYTES = 2**36  # the largest file that is read, since all of it goes into memory


def save(
    path: str | os.PathLike[str],
    arrays: Mapping[str, ndarray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays, and metadata about them, to a safetensors file.

    The file is replaced atomically: everything is written to a temporary file in the same folder, synced to
    the disk, and renamed to `path`. If anything fails before that, an old file stays as it was and the
    temporary one is removed.

    Parameters
    ----------
    path : str or path
        The file to write; its folder must exist. If it is a symbolic link, the file it points to is
        replaced.
    arrays : mapping from names to arrays
        Any shapes and memory layouts, of the dtypes in `DTYPES`.
    metadata : mapping from str to str, optional
        Stored in the header of the file.

    Raises
    ------
    InputError
        If the file cannot be written, or names or metadata are not text.
    DTypeError
        If a value is not an array, or of a dtype that is not in `DTYPES`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/a.safetensors", {"x": np.eye(2)}, {"note": "an identity"})
    ...     load(f"{folder}/a.safetensors")
    ({'x': array([[1., 0.],
           [0., 1.]])}, {'note': 'an identity'})
    """
    from safetensors.numpy import save as serialize  # noqa: PLC0415 - import npnet stays light

    _check_arrays(arrays)
    _check_metadata(metadata)
    # The format stores arrays row by row; order="C" copies only those with another memory layout.
    rows = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    _write(path, serialize(rows, None if metadata is None else dict(metadata)))


def load(path: str | os.PathLike[str]) -> tuple[dict[str, ndarray], dict[str, str]]:
    """Read the arrays and the metadata of a safetensors file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    arrays : dict from names to arrays
        New arrays, which may be written to.
    metadata : dict from str to str
        Empty if the file has none.

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it cannot be read, is damaged or no safetensors file, or has a dtype that NumPy lacks.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/a.safetensors", {"x": np.arange(3)})
    ...     load(f"{folder}/a.safetensors")
    ({'x': array([0, 1, 2])}, {})
    """
    with _opened(path) as file:
        arrays = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 - no mapping
        return arrays, dict(file.metadata() or {})


def save_weights(path: str | os.PathLike[str], model: Layer) -> None:
    """Write the parameters and buffers of a model to a safetensors file, as `save` does.

    Parameters
    ----------
    path : str or path
        The file to write; its folder must exist.
    model : Layer
        The names in the file are those of ``model.state_dict()``, which are PyTorch's.

    Raises
    ------
    InputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from npnet import nn
    >>> model = nn.Linear(3, 2, generator=np.random.default_rng(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(f"{folder}/model.safetensors", model)
    ...     sorted(load(f"{folder}/model.safetensors")[0])
    ['bias', 'weight']
    """
    check.instance("save_weights", "model", model, Layer, "a layer")
    save(path, model.state_dict())


def load_weights(path: str | os.PathLike[str], model: Layer) -> None:
    """Read the parameters and buffers of a model from a safetensors file, into the model's arrays.

    Parameters
    ----------
    path : str or path
    model : Layer
        Its arrays are changed in place and keep their dtype.

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it is no valid safetensors file, or its names or shapes do not fit the model; the model is not
        changed then.

    Examples
    --------
    >>> import tempfile
    >>> from npnet import nn
    >>> model = nn.Linear(3, 2, generator=np.random.default_rng(0))
    >>> other = nn.Linear(3, 2, generator=np.random.default_rng(1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(f"{folder}/model.safetensors", model)
    ...     load_weights(f"{folder}/model.safetensors", other)
    >>> bool((other.weight == model.weight).all())
    True
    """
    check.instance("load_weights", "model", model, Layer, "a layer")
    arrays, _ = load(path)
    try:
        model.load_state_dict(arrays)
    except InputError as error:
        raise error.inside(os.fspath(path)) from None


def _check_arrays(arrays: Mapping[str, ndarray]) -> None:
    if not isinstance(arrays, Mapping):
        raise InputError(f"save: arrays must be a dict from names to arrays, got {check.described(arrays)}")
    for name, array in arrays.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise InputError(f"save: a name must be text other than '__metadata__', got {name!r}")
        check.array("save", name, array, "biufcOSUVMm")
        if array.dtype.name not in DTYPES:
            raise DTypeError(
                f"save: {name} must have one of the dtypes {', '.join(DTYPES)}, got {array.dtype}"
            )


def _check_metadata(metadata: Mapping[str, str] | None) -> None:
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InputError(f"save: metadata must be a dict of texts, got {check.described(metadata)}")
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InputError(f"save: metadata must be text named by text, got {key!r}: {value!r}")


def _write(path: str | os.PathLike[str], data: bytes) -> None:
    place = path_of("save", path)
    try:
        with whole(place) as file:
            file.write(data)
    except OSError as error:
        raise InputError(f"save: cannot write {os.fspath(path)}: {error.strerror or error}") from error


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a safetensors file; an error while it is open becomes one message that names it."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - import npnet stays light

    place = path_of("load", path)
    check_regular("load", place, MOST_BYTES)  # a pipe would never end
    name = os.fspath(place)
    try:
        with safe_open(name, framework="np") as file:
            yield file
    except OSError as error:
        raise InputError(f"load: cannot read {name}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise InputError(f"load: {name} is damaged or not a safetensors file: {error}") from error
    except (TypeError, AttributeError) as error:
        raise InputError(f"load: {name} holds a dtype that NumPy lacks: {error}") from error
