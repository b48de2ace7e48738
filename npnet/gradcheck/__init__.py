"""Is a backward right? Compare it with derivatives taken numerically.

Backward claims to know the gradient of L = ⟨grad_y, f(x)⟩ for any grad_y. So draw a grad_y, move x a
little along a direction v, and see whether L changes as claimed:

    (L(x + h v) − L(x − h v)) / 2h  ≈  ⟨backward(grad_y), v⟩.

v is first a random direction, to which every element adds its part, then each axis in turn, which tells
the elements apart. The left side is off by about h² L‴/6, from cutting the Taylor series, plus u |L| / h,
from rounding with unit u; the two balance near h = ∛u, about 6e-6, scaled by the size of x. A derivative
that does not agree is taken again with other steps, so that strong curvature or much rounding is not
mistaken for a wrong gradient. What then still disagrees is either wrong or has no derivative: at a
kink, such as ReLU's at 0, the slopes on the two sides stay apart however small the step, while those of a
smooth function come together in proportion to h.
"""

from npnet.gradcheck.check import gradcheck
from npnet.gradcheck.report import Derivative, GradcheckError, GradcheckReport, InputReport

__all__ = ["Derivative", "GradcheckError", "GradcheckReport", "InputReport", "gradcheck"]
