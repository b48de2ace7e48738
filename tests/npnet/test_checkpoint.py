import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npnet import checkpoint, nn, optim
from npnet.errors import DTypeError, InputError, MissingError

METADATA = {"model": "a model", "größe": "12 µm\n"}


def model(out=2):
    rng = np.random.default_rng(0)
    return nn.Sequential(nn.Linear(3, 4, generator=rng), nn.ReLU(), nn.Linear(4, out, generator=rng))


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], strict=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


# ---- there and back ------------------------------------------------------------------------------------


def test_arrays_of_every_layout_come_back_as_they_were(path):
    cube = np.arange(24.0).reshape(2, 3, 4)
    arrays = {
        "plain": cube,
        "transposed": cube.T,
        "fortran": np.asfortranarray(cube),
        "reversed": cube[::-1, ::2, ::-1],
        "broadcast": np.broadcast_to(np.float32(3), (2, 3)),
        "big-endian": cube.astype(">f8").T,
        "scalar": np.array(3.0),
        "empty": np.zeros((0, 3), np.float32),
        "not finite": np.array([np.nan, np.inf, -np.inf, -0.0], np.float32),
    }
    checkpoint.save(path, arrays, METADATA)
    loaded, metadata = checkpoint.load(path)
    assert_same(loaded, {name: array.astype(array.dtype.newbyteorder("=")) for name, array in arrays.items()})
    assert metadata == METADATA
    assert all(array.flags.writeable for array in loaded.values())


@pytest.mark.parametrize("dtype", checkpoint.DTYPES)
def test_every_dtype_comes_back(path, dtype):
    arrays = {"x": np.array([0, 1, 3]).astype(dtype)}
    checkpoint.save(path, arrays)
    loaded, metadata = checkpoint.load(path)
    assert_same(loaded, arrays)
    assert metadata == {}


def test_nothing_at_all_comes_back(path):
    checkpoint.save(path, {})
    assert checkpoint.load(str(path)) == ({}, {})


def test_weights_come_back(path):
    saved, loaded = model(), model()
    for array in loaded.parameters.values():
        array[...] = 0
    own = loaded.parameters
    checkpoint.save_weights(path, saved)
    checkpoint.load_weights(path, loaded)
    assert_same(loaded.state_dict(), saved.state_dict())
    assert all(loaded.parameters[name] is own[name] for name in own)


def test_the_state_of_an_optimizer_comes_back(path):
    network = model()
    optimizer = optim.Adam(network.parameters, lr=0.1, amsgrad=True)
    optimizer.step(network.state_dict())
    checkpoint.save(path, optimizer.state_dict())
    other = optim.Adam(network.parameters)
    other.load_state_dict(checkpoint.load(path)[0])
    assert_same(other.state_dict(), optimizer.state_dict())


def test_torch_reads_what_is_written_and_writes_what_is_read(path):
    torch = pytest.importorskip("torch")
    safetensors_torch = pytest.importorskip("safetensors.torch")
    network = model()
    checkpoint.save_weights(path, network)
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    theirs.load_state_dict(safetensors_torch.load_file(path))
    assert_same({name: tensor.numpy() for name, tensor in theirs.state_dict().items()}, network.state_dict())

    with torch.no_grad():
        theirs[0].weight.mul_(2)
    safetensors_torch.save_file(theirs.state_dict(), path)
    checkpoint.load_weights(path, network)
    np.testing.assert_array_equal(network.parameters["0.weight"], theirs[0].weight.detach().numpy())


def test_a_link_is_followed_and_the_umask_respected(tmp_path, path):
    link = tmp_path / "latest"
    link.symlink_to(path)
    before = os.umask(0o027)
    try:
        checkpoint.save(link, {"x": np.ones(2)})
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# ---- whole or not at all -------------------------------------------------------------------------------


class FullDisk:
    """A file that takes half of what it is given."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_while_writing(patch):
    opened = Path.open
    patch.setattr(Path, "open", lambda *args, **kwargs: FullDisk(opened(*args, **kwargs)))


def fails_with(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def full_while_syncing(patch):
    patch.setattr(os, "fsync", fails_with(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))


def full_while_moving(patch):
    patch.setattr(Path, "replace", fails_with(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))


@pytest.mark.parametrize("failure", [full_while_writing, full_while_syncing, full_while_moving])
@pytest.mark.parametrize("old", [True, False])
def test_a_full_disk_leaves_everything_as_it_was(tmp_path, path, monkeypatch, failure, old):
    if old:
        checkpoint.save(path, {"x": np.ones(2)}, METADATA)
    with monkeypatch.context() as patch:
        failure(patch)
        with pytest.raises(InputError, match=r"cannot write .*weights.safetensors: No space left on device"):
            checkpoint.save(path, {"x": np.zeros(1000)})
    assert list(tmp_path.iterdir()) == ([path] if old else [])
    if old:
        arrays, metadata = checkpoint.load(path)
        assert_same(arrays, {"x": np.ones(2)})
        assert metadata == METADATA


def test_an_interrupt_leaves_everything_as_it_was(tmp_path, path, monkeypatch):
    checkpoint.save(path, {"x": np.ones(2)})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails_with(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save(path, {"x": np.zeros(2)})
    assert list(tmp_path.iterdir()) == [path]
    assert_same(checkpoint.load(path)[0], {"x": np.ones(2)})


def test_the_data_is_on_the_disk_before_it_takes_its_name_and_the_folder_after(path, monkeypatch):
    events = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def moved(self, target):
        events.append("move")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", moved)
    checkpoint.save(path, {"x": np.ones(2)})
    assert events == ["file", "move", "folder"]


def test_a_folder_that_cannot_be_synced_does_not_matter(path, monkeypatch):
    monkeypatch.setattr(os, "open", fails_with(OSError(errno.EINVAL, "Invalid argument")))
    checkpoint.save(path, {"x": np.ones(2)})
    assert_same(checkpoint.load(path)[0], {"x": np.ones(2)})


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_one_may_not_write_to(tmp_path, path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match=r"cannot write .*weights.safetensors: Permission denied"):
            checkpoint.save(path, {"x": np.ones(2)})
    finally:
        tmp_path.chmod(0o700)


def test_permission_denied_is_one_message(path, monkeypatch):
    monkeypatch.setattr(Path, "open", fails_with(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(InputError, match=r"cannot write .*weights.safetensors: Permission denied"):
        checkpoint.save(path, {"x": np.ones(2)})


def test_the_longest_name_there_can_be(tmp_path):
    path = tmp_path / ("w" * 255)
    checkpoint.save(path, {"x": np.ones(2)})
    assert_same(checkpoint.load(path)[0], {"x": np.ones(2)})
    with pytest.raises(InputError, match=r"cannot write .*: File name too long"):
        checkpoint.save(tmp_path / ("w" * 256), {"x": np.ones(2)})
    with pytest.raises(InputError, match=r"cannot read .*: File name too long"):
        checkpoint.load(tmp_path / ("w" * 256))
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_regular_file_is_refused_at_once(tmp_path, path):
    os.mkfifo(path)
    with pytest.raises(InputError, match="must be a file, got a named pipe"):
        checkpoint.load(path)
    with pytest.raises(InputError, match="must be a file, got a device"):
        checkpoint.load("/dev/zero")
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        try:
            file.truncate(2**40)
        except OSError:
            pytest.skip("the file system holds no file of a terabyte")
    with pytest.raises(InputError, match="must be of at most 65536 MiB, got 1048576 MiB"):
        checkpoint.load(huge)


def test_places_that_cannot_be_written(tmp_path, path):
    with pytest.raises(InputError, match=r"cannot write .*nowhere/w.safetensors: No such file or directory"):
        checkpoint.save(tmp_path / "nowhere" / "w.safetensors", {"x": np.ones(2)})
    with pytest.raises(InputError, match="cannot write"):
        checkpoint.save(tmp_path, {"x": np.ones(2)})
    path.write_text("a file, not a folder")
    with pytest.raises(InputError, match=r"cannot write .*: Not a directory"):
        checkpoint.save(path / "w.safetensors", {"x": np.ones(2)})
    assert list(tmp_path.iterdir()) == [path]
    assert not list(tmp_path.parent.glob(".*.tmp"))


# ---- bad input -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("arrays", "metadata", "error", "message"),
    [
        ({"x": [1.0]}, None, DTypeError, "save: x must be a NumPy array, got list"),
        ({"x": np.array(["a"])}, None, DTypeError, "save: x must have one of the dtypes bool, .* got <U1"),
        ({"x": np.array([None])}, None, DTypeError, "got object"),
        ({"x": np.ones(1, complex)}, None, DTypeError, "got complex128"),
        (
            {"__metadata__": np.ones(1)},
            None,
            InputError,
            "save: a name must be text other than '__metadata__'",
        ),
        ({1: np.ones(1)}, None, InputError, "save: a name must be text other than '__metadata__', got 1"),
        ({}, {"epoch": 3}, InputError, "save: metadata must be text named by text, got 'epoch': 3"),
    ],
)
def test_what_cannot_be_saved_is_refused(tmp_path, path, arrays, metadata, error, message):
    with pytest.raises(error, match=message):
        checkpoint.save(path, arrays, metadata)
    assert list(tmp_path.iterdir()) == []


def damage(data, kind):
    return {
        "truncated": data[:-5],
        "header cut off": data[:20],
        "empty": b"",
        "garbage": b"These are no weights. " * 20,
        "too long": data + b"x",
    }[kind]


@pytest.mark.parametrize("kind", ["truncated", "header cut off", "empty", "garbage", "too long"])
def test_a_damaged_file_is_refused_and_the_model_left_alone(path, kind):
    network = model()
    checkpoint.save(path, {name: array + 1 for name, array in network.state_dict().items()})
    path.write_bytes(damage(path.read_bytes(), kind))
    before = network.state_dict()
    with pytest.raises(InputError, match=r"weights.safetensors is damaged or not a safetensors file: "):
        checkpoint.load_weights(path, network)
    assert_same(network.state_dict(), before)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(MissingError, match=r"load: there is no file .*absent.safetensors"):
        checkpoint.load(tmp_path / "absent.safetensors")
    with pytest.raises(InputError, match=r"load: .* must be a file, got a folder"):
        checkpoint.load(tmp_path)


def test_a_file_one_may_not_read_is_one_message(path, monkeypatch):
    checkpoint.save(path, {"x": np.ones(2)})
    monkeypatch.setattr(
        "safetensors.safe_open", fails_with(PermissionError(errno.EACCES, "Permission denied"))
    )
    with pytest.raises(InputError, match=r"load: cannot read .*weights.safetensors: Permission denied"):
        checkpoint.load(path)


def test_a_dtype_numpy_has_not_is_refused(path):
    torch = pytest.importorskip("torch")
    safetensors_torch = pytest.importorskip("safetensors.torch")
    safetensors_torch.save_file({"x": torch.zeros(3, dtype=torch.bfloat16)}, path)
    with pytest.raises(InputError, match=r"weights.safetensors holds a dtype that NumPy lacks: .*bfloat16"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("2.bias"), r"weights.safetensors: .* missing \['2.bias'\]"),
        (lambda state: state.update(extra=np.ones(1)), r"weights.safetensors: .* unknown \['extra'\]"),
        (
            lambda state: state.update(model(3).state_dict()),
            r"weights.safetensors: .* must have shape \(2, 4\)",
        ),
    ],
)
def test_weights_that_do_not_fit_the_model_are_refused(path, change, message):
    network = model()
    before = network.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    change(state)
    checkpoint.save(path, state)
    with pytest.raises(InputError, match=message):
        checkpoint.load_weights(path, network)
    assert_same(network.state_dict(), before)


def test_safetensors_is_imported_only_when_needed():
    code = "import sys, npnet.checkpoint; sys.exit('safetensors' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
