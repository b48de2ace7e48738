"""How each mistake looks in code: for every kind of explanation a line that is right and one that is wrong.

The lines are run by the tests: the wrong one gives the gradient that is planted under the kind's name in
`planted_mistakes`, the right one gives the right gradient. They see the inputs x, weight, bias or target, the
output y, the upstream gradient grad_y, NumPy as np and `npnet.functional` as F.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """Lines of code; `given` stands before both, and `planted` names the mistake where it is not the kind."""

    right: str
    wrong: str
    given: str = ""
    planted: str = ""


LINEAR = "y = x @ weight.T + bias"
WEIGHT = "grad_weight = grad_y.T @ x"
BIAS = "grad_bias = grad_y.sum(axis=0)"
TANH = "grad_x = (1 - y**2) * grad_y"
CUBE = "grad_x = 3 * x**2 * grad_y"
RELU = "grad_x = grad_y * (x > 0)"
SOFTMAX = "grad_x = y * (grad_y - (grad_y * y).sum(axis=1, keepdims=True))"
PROBABILITIES = "n, p, t = len(x), F.softmax(x, dim=1)[0], np.eye(4)[target]"
CROSS_ENTROPY = "grad_x = (p - t) / n * grad_y"
WINDOWS = """padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))"""
KERNEL = 'grad_weight = np.einsum("nohw,nchwij->ocij", grad_y, windows)'
NORM = """axes, w = (0, 2, 3), weight.reshape(1, -1, 1, 1)
deviation = np.sqrt(x.var(axis=axes, keepdims=True) + 1e-5)
x_hat = (x - x.mean(axis=axes, keepdims=True)) / deviation"""
NORMALIZED = """g = grad_y * w
mean, along = (v.mean(axis=axes, keepdims=True) for v in (g, g * x_hat))
grad_x = (g - mean - x_hat * along) / deviation"""
BACK = "def conv_backward(weight):\n    return F.conv2d(x, weight, bias, padding=1)[1](grad_y)"
SCATTER = """grad_padded = np.zeros((3, 2, 7, 8))
for i, j in np.ndindex(5, 6):
    grad_padded[:, :, i : i + 3, j : j + 3] += np.einsum("no,ockl->nckl", grad_y[:, :, i, j], weight)
grad_x = grad_padded[:, :, 1:-1, 1:-1]"""

# Sections of the page: a title, what they have in common, and the mistakes by kind.
SECTIONS: dict[str, tuple[str, dict[str, Code]]] = {
    "Size and sign": (
        "The shape of the gradient is right, and so is its pattern.",
        {
            "zero": Code(WEIGHT, "grad_weight = np.zeros_like(weight)  # never filled", LINEAR),
            "sign": Code(WEIGHT, "grad_weight = -grad_y.T @ x", LINEAR),
            "divided_by_n": Code(BIAS, "grad_bias = grad_y.mean(axis=0)", LINEAR),
            "multiplied_by_n": Code(CROSS_ENTROPY, "grad_x = (p - t) * grad_y", PROBABILITIES),
            "twice": Code(
                WEIGHT,
                "grad_weight = np.zeros_like(weight)\nfor _ in range(2):  # two calls, one sum\n"
                "    grad_weight += grad_y.T @ x",
                LINEAR,
            ),
            "factor": Code(CUBE, "grad_x = x**2 * grad_y", "y = x**3"),
            "factor_missing": Code(CUBE, "grad_x = 3 * x * grad_y", "y = x**3", "factor_missing of x"),
            "factor_twice": Code(NORMALIZED, NORMALIZED.replace("grad_y * w", "grad_y * w * w"), NORM),
            "absolute": Code(WEIGHT, "grad_weight = np.abs(grad_y.T @ x)", LINEAR),
            "clipped": Code(WEIGHT, "grad_weight = np.clip(grad_y.T @ x, -0.5, 0.5)", LINEAR),
        },
    ),
    "Something is added, or left out": (
        "The right gradient is there, and something beside it; or a whole term is not.",
        {
            "weight_decay": Code(WEIGHT, "grad_weight = grad_y.T @ x + 0.1 * weight", LINEAR),
            "constant_added": Code(WEIGHT, "grad_weight = grad_y.T @ x + 0.3", LINEAR),
            "mean_subtracted": Code(
                WEIGHT, f"{WEIGHT}\ngrad_weight = grad_weight - grad_weight.mean()", LINEAR
            ),
            "shortcut_missing": Code(
                "grad_x = grad_y + (1 - np.tanh(x) ** 2) * grad_y",
                "grad_x = (1 - np.tanh(x) ** 2) * grad_y",
                "y = x + np.tanh(x)",
            ),
            "shortcut_twice": Code(TANH, f"{TANH} + grad_y", "y = np.tanh(x)"),
        },
    ),
    "Order and place": (
        "The right numbers stand in wrong places, or are those of another array.",
        {
            "transposed": Code(WEIGHT, "grad_weight = x.T @ grad_y", LINEAR),
            "axes_permuted": Code(KERNEL, KERNEL.replace("ocij", "ocji"), WINDOWS),
            "reshaped": Code(
                "grad_x = columns.transpose(0, 1, 3, 2)",
                "grad_x = columns.reshape(x.shape)",
                f"{BACK}\n\n\n"
                "columns = conv_backward(weight)[0].transpose(0, 1, 3, 2)  # width before height",
            ),
            "shape": Code(BIAS, "grad_bias = grad_y.sum(axis=0, keepdims=True)", LINEAR),
            "flipped": Code(KERNEL, f"{KERNEL}[:, :, ::-1, ::-1]", WINDOWS),
            "shifted": Code(
                "grad_x, *_ = conv_backward(weight)",
                "grad_x = np.zeros_like(x)\n"
                "grad_x[..., 1:] = conv_backward(weight)[0][..., :-1]  # a pixel late",
                BACK,
            ),
            "reordered": Code(BIAS, "grad_bias = grad_y.sum(axis=0)[[1, 2, 0]]", LINEAR),
            "exchanged": Code(
                "grad_weight = x.T @ grad_y @ bias.T\ngrad_bias = (x @ weight).T @ grad_y",
                "grad_bias = x.T @ grad_y @ bias.T\ngrad_weight = (x @ weight).T @ grad_y",
                "y = x @ weight @ bias",
            ),
            "anothers": Code(WEIGHT, "grad_weight = grad_y @ weight  # that is grad_x", LINEAR),
        },
    ),
    "Gates, ties and single places": (
        "Right at some elements and wrong at others.",
        {
            "gate_missing": Code(RELU, "grad_x = grad_y.copy()", "y = np.maximum(x, 0)"),
            "gate_inverted": Code(RELU, "grad_x = grad_y * (x < 0)", "y = np.maximum(x, 0)"),
            "zero_where": Code(TANH, f"{TANH} * (x > 0)", "y = np.tanh(x)"),
            "zero_in_places": Code(
                "grad_x = grad_y @ weight",
                "grad_x = grad_y @ weight\ngrad_x[[0, 1, 2], [0, 1, 2]] = 0",
                LINEAR,
            ),
            "passes_where_zero": Code(
                "grad_x = enlarged(grad_y) * (x == enlarged(y))  # the largest of each window",
                "grad_x = enlarged(grad_y)",
                "y, _ = F.max_pool2d(x, 2)\n\n\n"
                "def enlarged(a):\n    return a.repeat(2, axis=2).repeat(2, axis=3)",
            ),
            "ties": Code(
                "first = np.eye(6)[x.argmax(axis=1)]  # the first of the largest takes all\n"
                "grad_x = grad_y[:, None] * first",
                "grad_x = grad_y[:, None] * (x == y[:, None])  # each of the largest",
                "y = x.max(axis=1)",
            ),
            "one_slice": Code(
                "grad_x = grad_y @ weight",
                "grad_x = np.zeros_like(x)\ngrad_x[:-1] = grad_y[:-1] @ weight  # up to the last, without it",
                LINEAR,
                "one_slice, the last row of the batch",
            ),
        },
    ),
    "Sums": (
        "A gradient sums over all ways in which its element acts on the loss. Some are missing, or wrong.",
        {
            "sum_over_batch_missing": Code(BIAS, "grad_bias = grad_y[0]", LINEAR),
            "sum_over_pixels_missing": Code(
                "grad_bias = grad_y.sum(axis=(0, 2, 3))",
                "grad_bias = grad_y[:, :, 0, 0].sum(axis=0)",
                "y, _ = F.conv2d(x, weight, bias, padding=1)",
            ),
            "sample_left_out": Code(WEIGHT, "grad_weight = grad_y[:-1].T @ x[:-1]", LINEAR),
            "summed_over_wrong_axis": Code(BIAS, "grad_bias = grad_y.sum(axis=1)", LINEAR),
            "overwritten": Code(
                SCATTER, SCATTER.replace("+=", "="), "y, _ = F.conv2d(x, weight, bias, padding=1)"
            ),
            "sum_missing": Code(SOFTMAX, "grad_x = y * grad_y", "y, _ = F.softmax(x, dim=1)"),
            "diagonal": Code(SOFTMAX, "grad_x = y * (1 - y) * grad_y", "y, _ = F.softmax(x, dim=1)"),
            "wrong_axis": Code(
                SOFTMAX, "grad_x = y * (grad_y - (grad_y * y).sum(axis=0))", "y, _ = F.softmax(x, dim=1)"
            ),
        },
    ),
    "The derivative is that of something else": (
        "The chain rule is applied, with a wrong factor.",
        {
            "x_in_place_of_y": Code(TANH, "grad_x = (1 - x**2) * grad_y", "y = np.tanh(x)"),
            "taken_at_y": Code("grad_x = np.cos(x) * grad_y", "grad_x = np.cos(y) * grad_y", "y = np.sin(x)"),
            "weight_transposed": Code("grad_x = grad_y @ weight", "grad_x = grad_y @ weight.T", LINEAR),
            "kernel_flipped": Code(
                "grad_x, *_ = conv_backward(weight)",
                "grad_x, *_ = conv_backward(weight[:, :, ::-1, ::-1])",
                BACK,
            ),
            "target_missing": Code(CROSS_ENTROPY, "grad_x = p / n * grad_y", PROBABILITIES),
            "logits_for_probabilities": Code(CROSS_ENTROPY, "grad_x = (x - t) / n * grad_y", PROBABILITIES),
        },
    ),
    "Normalization": (
        "Mean and variance depend on x too, and each gives the gradient a term.",
        {
            "mean_constant": Code(NORMALIZED, NORMALIZED.replace("g - mean - x_hat", "g - x_hat"), NORM),
            "variance_constant": Code(
                NORMALIZED, NORMALIZED.replace("g - mean - x_hat * along", "g - mean"), NORM
            ),
            "statistics_constant": Code(NORMALIZED, "g = grad_y * w\ngrad_x = g / deviation", NORM),
        },
    ),
    "The upstream gradient": (
        "A backward must be linear in `grad_y`, and use each of its elements once.",
        {
            "ignores_upstream": Code(TANH, "grad_x = 1 - y**2", "y = np.tanh(x)"),
            "upstream_squared": Code(RELU, "grad_x = grad_y * (x > 0) * grad_y", "y = np.maximum(x, 0)"),
            "upstream_absolute": Code(WEIGHT, "grad_weight = np.abs(grad_y).T @ x", LINEAR),
            "upstream_sign": Code(WEIGHT, "grad_weight = np.sign(grad_y).T @ x", LINEAR),
            "upstream_transposed": Code(WEIGHT, "grad_weight = grad_y @ x", LINEAR),
            "upstream_flipped": Code(WEIGHT, "grad_weight = grad_y[::-1].T @ x", LINEAR),
            "upstream_centred": Code(WEIGHT, "grad_weight = (grad_y - grad_y.mean(axis=0)).T @ x", LINEAR),
            "upstream_averaged": Code(
                WEIGHT, "grad_weight = np.broadcast_to(grad_y.mean(axis=0), grad_y.shape).T @ x", LINEAR
            ),
            "applied_twice": Code(TANH, "grad_x = (1 - y**2) ** 2 * grad_y", "y = np.tanh(x)"),
        },
    ),
}
