"""Checkpoints of training: files from which a run goes on, to the bit, as if it had never stopped.

A checkpoint is one safetensors file. Its arrays are weights, best weights and the optimizer's state; its
metadata is JSON with everything else, and a hash over both, by which damage is found. The file appears under
its name only when it is complete and on the disk (`npnet.checkpoint.save`). The folder keeps the newest two,
so that one can be damaged by other means and the run still goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet import checkpoint as files
from npnet._lock import Lock
from npnet._regular import path_of
from npnet._whole import remove_unfinished
from npnet.errors import InputError, MissingError
from npnet.train._pack import pack, unpack
from npnet.train.history import Epoch, History

FORMAT = "npnet training checkpoint, version 1"
KEPT = 2  # files in a folder
PATTERN = "step-*.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint.

    Attributes
    ----------
    path : path
        The file.
    epoch : int
        Number of finished epochs.
    step : int
        Number of finished steps of the epoch after these.
    weights : dict from names to arrays
        Parameters and buffers as training would go on with them.
    best_weights : dict from names to arrays, or None
        Those of the lowest validation loss; without validation data, of the lowest training loss.
    history : History
        The finished epochs.
    """

    path: Path
    epoch: int
    step: int
    weights: dict[str, ndarray]
    best_weights: dict[str, ndarray] | None
    history: History

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, epoch {self.epoch}, step {self.step})"


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read the newest complete checkpoint that `npnet.fit` has written.

    Parameters
    ----------
    path : str or path
        The folder given to ``fit(…, checkpoint=folder)``, or one file in it.

    Returns
    -------
    checkpoint : Checkpoint

    Raises
    ------
    MissingError
        If there is no checkpoint.
    InputError
        If none can be read.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from npnet import fit, nn, optim
    >>> model = nn.Linear(2, 3, generator=np.random.default_rng(0))
    >>> data = np.zeros((6, 2), np.float32), np.array([0, 1, 2, 0, 1, 2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sgd = optim.SGD(model.parameters, lr=0.1)
    ...     _ = fit(model, nn.CrossEntropyLoss(), sgd, data, epochs=3, checkpoint=folder, progress=False)
    ...     checkpoint = read_checkpoint(folder)
    >>> checkpoint.epoch, list(checkpoint.weights)
    (3, ['weight', 'bias'])
    """
    place = path_of("read_checkpoint", path)
    if place.is_dir():
        found = CheckpointFolder(place).newest()
        if found is None:
            raise MissingError(f"read_checkpoint: there is no checkpoint in {place}")
        tree, place = found
    else:
        tree = read(place)
    try:
        return Checkpoint(
            place,
            int(tree["epoch"]),
            int(tree["step"]),
            dict(tree["engine"]["model"]),
            tree["best_weights"] or tree["fallback"]["weights"],
            history_from(tree["history"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(place, error) from None


def history_from(plain: dict[str, Any]) -> History:
    """Return a history that was taken apart by ``dataclasses.asdict``.

    Parameters
    ----------
    plain : dict

    Returns
    -------
    history : History

    Raises
    ------
    InputError
        If a value does not fit.
    """
    return History(**{**plain, "epochs": [Epoch(**epoch) for epoch in plain["epochs"]]})


# ---- a folder ------------------------------------------------------------------------------------------


class CheckpointFolder:
    """The folder with the checkpoints of one run.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock(path / ".lock")

    def open(self) -> None:
        """Make the folder, lock it against other runs, and remove what a killed run left unfinished.

        Raises
        ------
        InputError
            If it cannot be written to, or another run uses it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            free = self._lock.acquire()
            if free:
                remove_unfinished(self.path)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(
                f"fit: checkpoint must be a folder to write to, got {self.path} ({reason})"
            ) from None
        if not free:
            raise InputError(
                f"fit: checkpoint folder {self.path} is in use by another run ({self._lock.holder()}); wait "
                "for it to end, or choose another folder"
            )

    def close(self) -> None:
        """Let other runs use the folder."""
        self._lock.release()

    def files(self) -> list[Path]:
        """Return the checkpoints, the newest first."""
        return sorted(self.path.glob(PATTERN), reverse=True)

    def newest(self) -> tuple[dict[str, Any], Path] | None:
        """Return contents and path of the newest checkpoint that is not damaged; None without a checkpoint.

        Raises
        ------
        InputError
            If there are checkpoints, and all of them are damaged.
        """
        errors: list[InputError] = []
        for path in self.files():
            try:
                return read(path), path
            except InputError as error:
                errors.append(error)
        if errors:
            raise InputError(f"fit: no checkpoint in {self.path} can be read: {errors[0]}")
        return None

    def set_aside_after(self, path: Path) -> list[Path]:
        """Rename the damaged checkpoints that are newer than `path`, and return their new names."""
        aside = []
        for damaged in (each for each in self.files() if each.name > path.name):
            aside.append(damaged.with_suffix(".damaged"))
            damaged.replace(aside[-1])
        return aside

    def write(self, tree: dict[str, Any], steps: int) -> Path:
        """Write the checkpoint after so many steps of the run, and remove all but the newest few.

        Raises
        ------
        InputError
            If it cannot be written; those before it stay.
        """
        path = self.path / f"step-{steps:09d}.safetensors"
        write(path, tree)
        for old in self.files()[KEPT:]:
            with suppress(OSError):
                old.unlink()
        return path


# ---- a file --------------------------------------------------------------------------------------------


def write(path: Path, tree: dict[str, Any]) -> None:
    """Write a state to a checkpoint file, which appears whole or not at all.

    Parameters
    ----------
    path : path
    tree : dict
        The state, as `npnet.train._pack.pack` takes it.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    plain, arrays = pack(tree)
    text = json.dumps(plain)
    files.save(path, arrays, {"format": FORMAT, "state": text, "hash": _hash(text, arrays)})


def read(path: Path) -> dict[str, Any]:
    """Return the state in a checkpoint file.

    Parameters
    ----------
    path : path

    Returns
    -------
    tree : dict

    Raises
    ------
    InputError
        If it cannot be read, is no checkpoint, or is damaged.
    """
    arrays, metadata = files.load(path)
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path} is not a checkpoint of training that this version of npnet can read")
    text = metadata.get("state", "")
    if metadata.get("hash") != _hash(text, arrays):
        raise _damaged(path, "its hash does not fit its contents")
    try:
        return dict(unpack(json.loads(text), arrays))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _damaged(path, error) from None


def _hash(text: str, arrays: dict[str, ndarray]) -> str:
    """Return a hash over the JSON and all arrays: names, dtypes, shapes, and values."""
    hashed = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16)
    for name, array in sorted(arrays.items()):
        hashed.update(f"{name}\0{array.dtype.str}{array.shape}\0".encode(errors="surrogatepass"))
        hashed.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return hashed.hexdigest()


def _damaged(path: Path, why: object) -> InputError:
    reason = f"{type(why).__name__}: {why}" if isinstance(why, Exception) else why
    return InputError(f"checkpoint {path} is damaged ({reason})"[:400])


def folder_of(value: Any) -> Path | None:
    """Return the folder for checkpoints that `fit` was given.

    Parameters
    ----------
    value : path or None

    Returns
    -------
    folder : path or None

    Raises
    ------
    InputError
        If it is no path.
    """
    return None if value is None else path_of("fit", check.path("fit", "checkpoint", value), "checkpoint")
