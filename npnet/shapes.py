"""Array types with shapes, for annotations: ``Float[ndarray, "n c h w"]``.

The types are jaxtyping's. Importing jaxtyping takes as long as importing NumPy, and annotations do nothing
while npnet computes. So jaxtyping is loaded only where annotations are checked: by type checkers, and by
programs, such as npnet's own tests, that import jaxtyping before npnet. Everywhere else
``Float[ndarray, "n c"]`` stands for ``Annotated[ndarray, "Float n c"]``: an array with a note.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

__all__ = [
    "Bool",
    "Float",
    "Float32",
    "Float64",
    "Int",
    "Int64",
    "Integer",
    "Num",
    "Shaped",
    "UInt8",
]

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Float32, Float64, Int, Int64, Integer, Num, Shaped, UInt8
else:

    class _ArrayType:
        def __init__(self, dtype: str) -> None:
            self.dtype = dtype

        def __getitem__(self, array_and_shape: tuple[Any, str]) -> Any:
            array, shape = array_and_shape
            return Annotated[array, f"{self.dtype} {shape}"]

    Bool, Float, Float32, Float64 = map(_ArrayType, ("Bool", "Float", "Float32", "Float64"))
    Int, Int64, Integer, UInt8 = map(_ArrayType, ("Int", "Int64", "Integer", "UInt8"))
    Num, Shaped = map(_ArrayType, ("Num", "Shaped"))
