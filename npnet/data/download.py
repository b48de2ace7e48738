"""Download files and verify their checksums; an incomplete file is never left behind."""

from __future__ import annotations

import logging
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any

from npnet import check
from npnet._lock import Lock
from npnet._whole import whole
from npnet.data.files import as_path, check_md5, exists, read_bytes, reason
from npnet.errors import InputError, MissingError

_SECONDS_WITHOUT_ANSWER = 30
SECONDS_BETWEEN_LOOKS = 0.2  # at a lock that another process holds


def download(url: str, path: str | PathLike[str], md5: str) -> None:
    """Download one file, showing progress; it gets its name only after its checksum is verified.

    Parameters
    ----------
    url : str
        The address of the file.
    path : path
        Where to write it; missing folders are created.
    md5 : str
        The published MD5.

    Raises
    ------
    MissingError
        If the file could not be downloaded or written; no partial file is left behind.
    InputError
        If the server delivers another file than the published one, or an argument is not a string or path.
    """
    url, md5 = check.text("download", "url", url), check.text("download", "md5", md5)
    path = as_path("download", "path", path)
    with _alone(path) as waited:
        if not (waited and exists(path)):
            _download(url, path, md5)


def _download(url: str, path: Path, md5: str) -> None:
    import pooch  # noqa: PLC0415 - needed only for downloads

    try:
        with _remove_new_folders_on_error(path.parent), _pooch_silent(), _progress(path.name) as progress:
            pooch.retrieve(
                url,
                known_hash=f"md5:{md5}",
                fname=path.name,
                path=path.parent,
                downloader=pooch.HTTPDownloader(
                    progressbar=progress, chunk_size=1 << 16, timeout=_SECONDS_WITHOUT_ANSWER
                ),
            )
    except OSError as error:  # includes network errors
        why = error.strerror or type(error).__name__
        raise MissingError(
            f"{path} is missing, and downloading it from {url} failed ({why}); "
            f"put the file there, or name a folder that has it with --data or NPNET_DATA"
        ) from None
    except ValueError:
        raise InputError(
            f"{url} did not deliver the published file with MD5 {md5}; nothing was kept"
        ) from None


def download_archive(url: str, archive: str | PathLike[str], md5: str, members: Mapping[str, str]) -> None:
    """Download a tar archive, and extract those of the named members that do not exist yet.

    Parameters
    ----------
    url : str
        The address of the archive.
    archive : path
        Where to write it. An archive that already exists is used and kept; a downloaded one is deleted after
        its members are extracted.
    md5 : str
        The published MD5 of the archive.
    members : mapping from str to str
        For each member its path in the archive, which is also its path in the archive's folder, and its MD5.

    Raises
    ------
    MissingError
        If the archive could not be downloaded, or a member could not be written.
    InputError
        If the archive is not the published one, or an argument is not a string or path.
    """
    owner = "download_archive"
    url, md5 = check.text(owner, "url", url), check.text(owner, "md5", md5)
    archive = as_path(owner, "archive", archive)
    if not isinstance(members, Mapping):
        raise InputError(
            f"{owner}: members must be a dict from paths to MD5s, got {check.described(members)}"
        )
    members = {
        check.text(owner, "members", file): check.text(owner, "members' MD5", checksum)
        for file, checksum in members.items()
    }
    with _alone(archive) as waited:
        if not (waited and all(exists(archive.parent / member) for member in members)):
            _download_archive(url, archive, md5, members)


def _download_archive(url: str, archive: Path, md5: str, members: Mapping[str, str]) -> None:
    existed = exists(archive)
    if not existed:
        _download(url, archive, md5)
    try:
        if existed:
            read_bytes(archive, md5)
        _unpack(archive, members)
    finally:
        if not existed:
            with suppress(OSError):
                archive.unlink()


def _unpack(archive: Path, members: Mapping[str, str]) -> None:
    # Only the expected names are extracted, so no path in the archive can lead out of the folder.
    wanted = {name: archive.parent / name for name in members if not exists(archive.parent / name)}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name in wanted else None
                if file is not None:
                    target, content = wanted.pop(member.name), file.read()
                    check_md5(target, content, members[member.name])
                    _write(target, content)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{archive} cannot be unpacked: {reason(error)}") from None
    if wanted:
        raise InputError(f"{archive} must contain {', '.join(wanted)}")


def _write(path: Path, content: bytes) -> None:
    try:
        with _remove_new_folders_on_error(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path) as file:
                file.write(content)
    except OSError as error:
        raise MissingError(f"{path} is missing, and cannot be written: {reason(error)}") from None


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Wait until no other process downloads the same file, and give whether it was necessary to wait."""
    lock, waited = Lock(path.with_name(f".{path.name[:200]}.lock")), False
    with _remove_new_folders_on_error(path.parent):
        with suppress(OSError):  # where no lock can be made, no file can: the download says why
            path.parent.mkdir(parents=True, exist_ok=True)
            while not lock.acquire():
                if not waited:
                    sys.stderr.write(f"waiting for {lock.holder()}, which downloads {path}\n")
                waited = True
                time.sleep(SECONDS_BETWEEN_LOOKS)
        try:
            yield waited
        finally:
            if lock.is_held:
                with suppress(OSError):
                    lock.path.unlink()
            lock.release()


@contextmanager
def _remove_new_folders_on_error(folder: Path) -> Iterator[None]:
    """After an error, remove the empty folders that did not exist before."""
    new = [parent for parent in (folder, *folder.parents) if not exists(parent)]
    try:
        yield
    except BaseException:
        for parent in new:
            with suppress(OSError):  # not empty, or never created
                parent.rmdir()
        raise


@contextmanager
def _pooch_silent() -> Iterator[None]:
    """Silence pooch's log messages, as the progress bar shows the same."""
    import pooch  # noqa: PLC0415 - needed only for downloads

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _progress(name: str) -> Iterator[Any]:
    from rich.console import Console  # noqa: PLC0415 - needed only for downloads
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (TextColumn(f"downloading {name}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)


class _Bar:
    """The part of tqdm's interface that pooch uses, on a progress bar of rich."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    @property
    def total(self) -> int | None:
        total: int | None = self._progress.tasks[0].total
        return total

    @total.setter
    def total(self, size: int) -> None:
        self._progress.update(self._task, total=size or None)  # 0 if the server does not give a size

    def update(self, size: int) -> None:
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        pass
