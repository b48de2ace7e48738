"""Writes the page "What is wrong with my gradient?" of the docs, with its pictures.

    python -m tests.npnet.wrong_gradient_page

The words are those of `npnet.gradcheck`, asked about the mistakes of `planted_mistakes`; the code is that of
`mistakes_in_code`. Nothing on the page is written by hand but its introduction.
"""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image

from npnet import functional as F
from npnet import gradcheck, plot
from npnet.gradcheck import KINDS, explain
from tests.npnet.mistakes_in_code import SECTIONS
from tests.npnet.planted_mistakes import PLANTED, SHAPES

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
PAGE = GUIDES / "what-is-wrong-with-my-gradient.md"
PICTURES = "what-is-wrong"  # a folder beside the page
DOTS_PER_INCH, COLOURS = 80, 64

INTRODUCTION = """\
# What is wrong with my gradient?

A wrong gradient is seldom wrong at random. It is the transpose, or divided by the batch size once too
often, or the gate of a ReLU is missing. npnet compares your backward with numerical derivatives, or with a
reference, tries the mistakes that it knows, and names the one that accounts for every element:

```python
import numpy as np
import npnet


def linear(x, weight):
    def backward(grad_y):
        return grad_y @ weight, x.T @ grad_y  # the second must be grad_y.T @ x

    return x @ weight.T, backward


rng = np.random.default_rng(0)
report = npnet.gradcheck(linear, rng.normal(size=(5, 4)), rng.normal(size=(4, 4)), raise_error=False)
print(report)  # … it is the transpose of the right gradient …
npnet.plot.wrong_gradient(report).savefig("wrong.png")
```

`npnet.compare(model, reference, x, target, loss=…)` says the same of a whole model against PyTorch, and
`npnet.explain(got, expected)` of any two arrays. Where no known mistake fits, they say that none does, and
where the error stands.

Below stands every explanation there is, with the mistake in code and its picture: the right gradient, the
one that was given, and the error. Red is above zero, blue below, zero is neither; arrays of more than two
axes are laid out as a grid.
"""


def explained(kind):
    """Return the explanation of a kind's planted mistake."""
    planted = next((code.planted for _, codes in SECTIONS.values() for k, code in codes.items() if k == kind))
    if kind == "ties":
        return explain_ties()
    name, (operation, inputs) = found = PLANTED.get(planted or kind) or SHAPES[kind]
    assert found
    report = gradcheck(operation, *inputs, raise_error=False)
    return next(each for each in report.explanations if each.name == name)


def tied():
    """Return inputs with ties, the output and an upstream gradient."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((4, 6))
    x[1, 2] = x[1, 4] = 3.0
    x[3, 0] = x[3, 1] = 3.0
    return x, x.max(axis=1), rng.standard_normal(4)


def explain_ties():
    x, y, grad_y = tied()
    right = grad_y[:, np.newaxis] * np.eye(6)[x.argmax(axis=1)]
    return explain(grad_y[:, np.newaxis] * (x == y[:, np.newaxis]), right, x=x, grad_y=grad_y)


def ran(code, names):
    """Run lines of code and return what they define."""
    space = {"np": np, "F": F, **names}
    exec(code, space)
    return space


# ---- the page ------------------------------------------------------------------------------------------


def page():
    """Return the page as Markdown."""
    parts = [INTRODUCTION]
    for title, (common, codes) in SECTIONS.items():
        parts.append(f"## {title}\n\n{textwrap.fill(common, 119)}\n")
        parts += [entry(kind, code) for kind, code in codes.items()]
    return "\n".join(parts)


def entry(kind, code):
    found = explained(kind)
    said = "\n".join(
        f"> {line}" for line in textwrap.wrap(f"gradient of {found.name}: {found.sentence}", 117)
    )
    after_function = code.given.splitlines()[-1].startswith(" ")  # two lines, as formatters want them
    given = code.given + ("\n\n\n" if after_function else "\n\n")
    where = found.where.partition(":")[0]
    return (
        f"### {KINDS[kind][0].upper()}{KINDS[kind][1:]}\n\n"
        f"{said}\n\n"
        f"```python\n{given}{code.wrong}\n```\n\n"
        f"Right is:\n\n```python\n{code.right}\n```\n\n"
        f"![The right gradient, the one given, and the error; {where}]({PICTURES}/{kind}.png)\n"
    )


def picture(kind):
    """Return the picture of a kind, a PNG of few colours."""
    drawn = io.BytesIO()
    plot.wrong_gradient(explained(kind)).savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    small = io.BytesIO()
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(small, format="png", optimize=True)
    return small.getvalue()


def main():
    (GUIDES / PICTURES).mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    for _, codes in SECTIONS.values():
        for kind in codes:
            (GUIDES / PICTURES / f"{kind}.png").write_bytes(picture(kind))


if __name__ == "__main__":
    main()
