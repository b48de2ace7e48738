"""Download files: whole and verified, or not at all."""

from __future__ import annotations

import logging
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any

from npnet import check
from npnet.data.files import as_path, check_md5, exists, read_bytes, reason
from npnet.errors import InputError, MissingError

_SECONDS_WITHOUT_ANSWER = 30


def download(url: str, path: str | PathLike[str], md5: str) -> None:
    """Download one file, showing progress; it appears under its name only when it is whole and verified.

    Parameters
    ----------
    url : str
        Where it is published.
    path : path
        Where to put it; folders are made as needed.
    md5 : str
        Its published checksum.

    Raises
    ------
    MissingError
        If it could not be downloaded or written: the file is still missing, and nothing is left behind.
    InputError
        If what was delivered is not the published file, or an argument is no text or path.
    """
    url, md5 = check.text("download", "url", url), check.text("download", "md5", md5)
    path = as_path("download", "path", path)
    import pooch  # noqa: PLC0415 - needed only when something is downloaded

    try:
        with _no_empty_folders_left(path.parent), _pooch_silent(), _progress(path.name) as progress:
            pooch.retrieve(
                url,
                known_hash=f"md5:{md5}",
                fname=path.name,
                path=path.parent,
                downloader=pooch.HTTPDownloader(
                    progressbar=progress, chunk_size=1 << 16, timeout=_SECONDS_WITHOUT_ANSWER
                ),
            )
    except OSError as error:  # the network's errors are OSErrors too
        why = error.strerror or type(error).__name__
        raise MissingError(
            f"{path} is missing, and downloading it from {url} failed ({why}); "
            f"put the file there, or name a folder that has it with --data or NPNET_DATA"
        ) from None
    except ValueError:
        raise InputError(f"{url} did not deliver the published file of MD5 {md5}; nothing was kept") from None


def download_archive(url: str, archive: str | PathLike[str], md5: str, members: Mapping[str, str]) -> None:
    """Download a tar archive and take the named members out of it that are not there yet.

    Parameters
    ----------
    url : str
        Where it is published.
    archive : path
        Where to put it. An archive that is there already is used, and stays; one that was downloaded is
        deleted when it has been unpacked.
    md5 : str
        Its published checksum.
    members : mapping from str to str
        The path of each wanted file, in the archive as in the archive's folder, and its published MD5.

    Raises
    ------
    MissingError
        If it could not be downloaded, or what is in it could not be written.
    InputError
        If it is not the published archive, or an argument is no text or path.
    """
    owner = "download_archive"
    url, md5 = check.text(owner, "url", url), check.text(owner, "md5", md5)
    archive = as_path(owner, "archive", archive)
    if not isinstance(members, Mapping):
        raise InputError(
            f"{owner}: members must be a dict from paths to MD5s, got {check.described(members)}"
        )
    members = {
        check.text(owner, "members", file): check.text(owner, "members' MD5", each)
        for file, each in members.items()
    }
    had_it = exists(archive)
    if not had_it:
        download(url, archive, md5)
    try:
        if had_it:
            read_bytes(archive, md5)
        _unpack(archive, members)
    finally:
        if not had_it:
            with suppress(OSError):
                archive.unlink()


def _unpack(archive: Path, members: Mapping[str, str]) -> None:
    # Only names we know are taken, so no path in the archive can lead elsewhere.
    wanted = {name: archive.parent / name for name in members if not exists(archive.parent / name)}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name in wanted else None
                if file is not None:
                    target, content = wanted.pop(member.name), file.read()
                    check_md5(target, content, members[member.name])
                    _write_whole(target, content)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{archive} cannot be unpacked: {reason(error)}") from None
    if wanted:
        raise InputError(f"{archive} must contain {', '.join(wanted)}")


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when all of it is written."""
    try:
        with _no_empty_folders_left(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink()
                raise
    except OSError as error:
        raise MissingError(f"{path} is missing, and cannot be written: {reason(error)}") from None


@contextmanager
def _no_empty_folders_left(folder: Path) -> Iterator[None]:
    """Remove, after a failure, the folders that had to be made and hold nothing."""
    made = [parent for parent in (folder, *folder.parents) if not exists(parent)]
    try:
        yield
    except BaseException:
        for parent in made:
            with suppress(OSError):  # it holds something, or was never made
                parent.rmdir()
        raise


@contextmanager
def _pooch_silent() -> Iterator[None]:
    """Keep pooch from announcing what the progress bar shows."""
    import pooch  # noqa: PLC0415 - as above

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _progress(name: str) -> Iterator[Any]:
    from rich.console import Console  # noqa: PLC0415 - needed only when something is downloaded
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (TextColumn(f"downloading {name}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)


class _Bar:
    """The four things pooch does to a progress bar, done to one of rich's."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    @property
    def total(self) -> int | None:
        total: int | None = self._progress.tasks[0].total
        return total

    @total.setter
    def total(self, size: int) -> None:
        self._progress.update(self._task, total=size or None)  # a server need not say how much comes

    def update(self, size: int) -> None:
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        pass
