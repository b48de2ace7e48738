"""How PyTorch is to compute: precision, memory format, compiled, replayed as a CUDA graph.

What a network learns does not depend on these; how fast it learns does. `Execution` holds the choices, and
`ptref.engine.TorchEngine`, `ptref.device_fit.fit` and ``python -m ptref.train`` take one. TF32, which rounds
the inputs of float32 products to 10 bits, is off unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from npnet import check
from npnet.errors import InputError

AMP = ("bf16",)


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The choices; by default none is taken.

    Parameters
    ----------
    amp : "bf16", optional
        Run matrix products and convolutions in bfloat16, which has 8 bits of precision and float32's range;
        parameters, losses and updates stay float32.
    channels_last : bool
        Keep images in memory as (n, h, w, c), which the GPU's matrix units read best.
    compile : bool
        Have ``torch.compile`` generate kernels for the model; the first minibatch of each size waits for it.
    graphs : bool
        Record the kernels of a step once as a CUDA graph and replay them as a whole, which saves the time of
        launching each. CUDA alone.
    tf32 : bool
        Let CUDA round the inputs of float32 products to 10 bits of precision.
    autotune : bool
        Have cuDNN time its algorithms at the first convolution of each shape and take the fastest, rather
        than the one its rules name. Which one wins may differ from run to run, and the last bits with it.

    Raises
    ------
    InputError
        If a value is of another kind.

    Examples
    --------
    >>> Execution(amp="bf16", channels_last=True).named()
    'bf16, channels-last'
    """

    amp: str | None = None
    channels_last: bool = False
    compile: bool = False
    graphs: bool = False
    tf32: bool = False
    autotune: bool = False

    def __post_init__(self) -> None:
        if self.amp is not None:
            check.choice("Execution", "amp", self.amp, AMP)
        for name in ("channels_last", "compile", "graphs", "tf32", "autotune"):
            check.flag("Execution", name, getattr(self, name))

    def named(self) -> str:
        """Return the choices taken, in words."""
        taken = {
            self.amp or "": self.amp is not None,
            "channels-last": self.channels_last,
            "compiled": self.compile,
            "graphs": self.graphs,
            "TF32": self.tf32,
            "autotuned": self.autotune,
        }
        return ", ".join(name for name, chosen in taken.items() if chosen) or "plain"

    def require(self, device: torch.device | str) -> None:
        """Require a device that can do what was chosen.

        Raises
        ------
        InputError
            If graphs are to be replayed elsewhere than on CUDA.
        """
        kind = torch.device(device).type
        if self.graphs and kind != "cuda":
            raise InputError(f"graphs must be replayed on CUDA, got device {kind}; leave out --graphs")

    def placed(self, module: nn.Module) -> nn.Module:
        """Return the module with its convolutions in the memory format chosen."""
        return module.to(memory_format=torch.channels_last) if self.channels_last else module

    def called(self, module: nn.Module) -> Callable[[Tensor], Tensor]:
        """Return what to call in the module's place."""
        return torch.compile(module) if self.compile else module

    def laid_out(self, x: Tensor) -> Tensor:
        """Return images in the memory format chosen; anything else as it is."""
        if not self.channels_last or x.ndim != 4:
            return x
        return x.contiguous(memory_format=torch.channels_last)

    def autocast(self, device: torch.device) -> Any:
        """Return the context of a forward pass."""
        return torch.autocast(device.type, torch.bfloat16) if self.amp else nullcontext()

    @contextmanager
    def backends(self) -> Iterator[None]:
        """Set what holds for all of PyTorch, TF32 and cuDNN's choice, and put it back at the end."""
        matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn
        before = cudnn.allow_tf32, cudnn.benchmark
        torch.set_float32_matmul_precision("high" if self.tf32 else "highest")
        cudnn.allow_tf32, cudnn.benchmark = self.tf32, self.autotune
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(matmul)
            cudnn.allow_tf32, cudnn.benchmark = before


PLAIN = Execution()
_chosen: ContextVar[Execution] = ContextVar("chosen", default=PLAIN)


def chosen() -> Execution:
    """Return what `choosing` has chosen for the code within it.

    Returns
    -------
    execution : Execution
    """
    return _chosen.get()


@contextmanager
def choosing(execution: Execution) -> Iterator[None]:
    """Have every engine made within the block compute so, unless it is told otherwise.

    Parameters
    ----------
    execution : Execution

    Examples
    --------
    >>> with choosing(Execution(channels_last=True)):
    ...     chosen().named()
    'channels-last'
    """
    with ExitStack() as ends:
        token = _chosen.set(execution)
        ends.callback(_chosen.reset, token)
        ends.enter_context(execution.backends())
        yield


# ---- memory --------------------------------------------------------------------------------------------

# What is said where memory runs out: by CUDA, by its libraries, and on the CPU. From libraries, and while a
# graph is recorded, it comes as an error of no kind of its own.
NO_ROOM = ("out of memory", "STATUS_ALLOC_FAILED", "can't allocate memory")


def is_lack_of_memory(error: RuntimeError) -> bool:
    """Tell whether an error of PyTorch's means that memory does not suffice.

    Parameters
    ----------
    error : RuntimeError

    Returns
    -------
    is_lack_of_memory : bool

    Examples
    --------
    >>> is_lack_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    True
    >>> is_lack_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in NO_ROOM)


@contextmanager
def memory_told(
    what: str, batch_size: int, fits: Callable[[int], bool], device: torch.device | str = "cuda"
) -> Iterator[None]:
    """Turn lack of memory into one line that names the largest minibatch that fits.

    Parameters
    ----------
    what : str
        What was under way, as the message begins.
    batch_size : int
        Samples of the minibatch that did not fit.
    fits : callable
        Tells whether a step of so many samples fits; it may raise what PyTorch raises where it does not.
    device : torch.device
        Whose memory it is.

    Raises
    ------
    InputError
        If memory runs out within the block.
    """
    full = False
    try:
        yield
    except RuntimeError as error:
        if not is_lack_of_memory(error):
            raise
        full = True  # the traceback holds the tensors that fill the memory: it must go before the search
    if full:
        largest = largest_that_fits(batch_size, fits)
        place = "the GPU's memory" if torch.device(device).type == "cuda" else "memory"
        room = f"at most {largest} fit" if largest else "not even one sample fits"
        raise InputError(f"{what}: a minibatch of {batch_size} samples does not fit into {place}; {room}")


@contextmanager
def room_told(what: str) -> Iterator[None]:
    """Turn lack of memory into one line where the size of minibatches has nothing to do with it.

    Parameters
    ----------
    what : str
        What was under way, as the message begins.

    Raises
    ------
    InputError
        If memory runs out within the block.

    Examples
    --------
    >>> try:
    ...     with room_told("fit: the module"):
    ...         raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
    ... except InputError as error:
    ...     print(error)
    fit: the module does not fit into memory (CUDA out of memory. Tried to allocate 20.00 GiB)
    """
    try:
        yield
    except RuntimeError as error:
        if not is_lack_of_memory(error):
            raise
        said = ". ".join(str(error).split(". ")[:2]).split("\n", 1)[0].rstrip(".")
        raise InputError(f"{what} does not fit into memory ({said})") from None


def largest_that_fits(too_many: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number below one that is too large, to a sixteenth, or 0 if not even 1 fits.

    Parameters
    ----------
    too_many : int
    fits : callable
        Tells whether a number fits; it may raise what PyTorch raises where it does not.

    Returns
    -------
    largest : int

    Examples
    --------
    >>> largest_that_fits(1024, lambda n: n <= 300)
    288
    """
    low, high = 0, too_many  # low fits, high does not
    while high - low > max(1, low // 16):
        middle = (low + high) // 2
        if _tried(fits, middle):
            low = middle
        else:
            high = middle
    return low


def _tried(fits: Callable[[int], bool], number: int) -> bool:
    try:
        return fits(number)
    except RuntimeError as error:
        if not is_lack_of_memory(error):
            raise
        return False
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
