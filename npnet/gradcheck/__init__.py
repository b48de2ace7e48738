"""Numerical checks of hand-written gradients.

A backward claims to compute the gradient of L = ⟨grad_y, f(x)⟩ for any grad_y. The check draws a random
grad_y, moves x a little along a direction v, and compares the change of L with the claim:

    (L(x + h v) − L(x − h v)) / 2h  ≈  ⟨backward(grad_y), v⟩.

First v is a random direction, to which every element contributes, then each axis in turn, which tells the
elements apart. The left side has an error of about h² L‴/6 from truncating the Taylor series and u |L| / h
from rounding with unit roundoff u. The two balance near h = ∛u, about 5e-6, if L varies over distances of
1. That distance is not known beforehand: log varies over distances of x, a softmax over 1, batch norm over
the deviation of its inputs. So where the first step does not confirm the claim, steps of all sizes are
tried, and the one counts at which the derivative changes least from one step to the next. The effect of
rounding is measured: inputs that differ in their last digit alone change f and backward, and a difference
of that size is no mistake. Near the edge of f's domain only steps that stay inside it count, and at the
edge itself only steps to one side.

What still disagrees is either wrong or has no derivative: at a kink, such as ReLU's at 0, the slopes on the
two sides differ however small the step, while those of a smooth function approach each other in proportion
to h.

Weights of ones and biases of zeros hide mistakes: a forgotten factor of 1 does not show. So parameters and
statistics take other values during the check. One grad_y does not vouch for others, so backward must also
be linear in grad_y.

A wrong gradient is explained, if one of the known mistakes accounts for it: `npnet.gradcheck._mistakes` has
one function for each. Of a wrong model the layer is named whose own backward is wrong.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from npnet.gradcheck.check import gradcheck
from npnet.gradcheck.report import Derivative, GradcheckError, GradcheckReport, InputReport, WrongLayer

if TYPE_CHECKING:
    from npnet.gradcheck._divergence import Divergence
    from npnet.gradcheck._mistakes import KINDS, Finding
    from npnet.gradcheck.comparison import Comparison, compare
    from npnet.gradcheck.explanation import Explanation, explain

__all__ = [
    "KINDS",
    "Comparison",
    "Derivative",
    "Divergence",
    "Explanation",
    "Finding",
    "GradcheckError",
    "GradcheckReport",
    "InputReport",
    "WrongLayer",
    "compare",
    "explain",
    "gradcheck",
]

_LOADED_WHEN_TOUCHED = {
    "KINDS": "_mistakes",
    "Comparison": "comparison",
    "Explanation": "explanation",
    "Finding": "_mistakes",
    "Divergence": "_divergence",
    "compare": "comparison",
    "explain": "explanation",
}


def __getattr__(name: str) -> Any:
    """Load what only a wrong gradient needs when it is first touched, so that importing npnet stays quick."""
    if name in _LOADED_WHEN_TOUCHED:
        return getattr(import_module(f"{__name__}.{_LOADED_WHEN_TOUCHED[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
