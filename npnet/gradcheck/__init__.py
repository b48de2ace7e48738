"""Is a backward right? Compare it with derivatives taken numerically.

Backward claims to know the gradient of L = ⟨grad_y, f(x)⟩ for any grad_y. So draw a grad_y, move x a
little along a direction v, and see whether L changes as claimed:

    (L(x + h v) − L(x − h v)) / 2h  ≈  ⟨backward(grad_y), v⟩.

v is first a random direction, to which every element adds its part, then each axis in turn, which tells
the elements apart. The left side is off by about h² L‴/6, from cutting the Taylor series, plus u |L| / h,
from rounding with unit u; the two balance near h = ∛u, about 5e-6, if L varies over distances of 1. Over
which distances it does vary is not known beforehand: log varies over distances of x, a softmax over 1
wherever it is, batch norm over the deviation of its inputs. So where the first step does not confirm the
claim, steps of all sizes are tried, and the one decides at which the derivative changes least from one step
to the next. What rounding may amount to is measured: all inputs are moved in their last place, and what f and
backward make of it is no mistake. Near the edge of f's domain the steps that stay within it count, and at the
very edge those to one side.

What then still disagrees is either wrong or has no derivative: at a kink, such as ReLU's at 0, the slopes on
the two sides stay apart however small the step, while those of a smooth function come together in
proportion to h.

Weights that start at ones and biases that start at zeros hide mistakes: a factor of 1 that is forgotten does
not show. So parameters and statistics have other values while they are checked. And as one grad_y says
nothing of others, backward must be linear in it.
"""

from npnet.gradcheck.check import gradcheck
from npnet.gradcheck.report import Derivative, GradcheckError, GradcheckReport, InputReport

__all__ = ["Derivative", "GradcheckError", "GradcheckReport", "InputReport", "gradcheck"]
