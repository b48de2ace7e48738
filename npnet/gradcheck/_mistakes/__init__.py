"""The mistakes that are known by name, in the order in which they are looked for.

Each is a function from the `Evidence` of one wrong gradient to what it finds. A finding must predict the
gradient that backward gave, or correct it, at every element. Those of one tier are alternatives: if several
fit, all are named. A later tier is tried only if no earlier one fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from npnet.gradcheck._mistakes import arrangement, gates, scale, sums, upstream
from npnet.gradcheck._mistakes._evidence import Evidence, Finding

__all__ = ["KINDS", "TIERS", "Evidence", "Finding"]

# What each kind says, in a few words.
KINDS: Mapping[str, str] = {
    "zero": "0 everywhere",
    "sign": "the wrong sign",
    "divided_by_n": "divided by N once too often",
    "multiplied_by_n": "the division by N is missing",
    "twice": "twice as large: added up over two calls, or a factor of 1/2 missing",
    "factor": "a constant factor is missing",
    "factor_missing": "an array is missing as a factor: the weight, x, y, 1 − y, …",
    "factor_twice": "an array is a factor once too often",
    "weight_decay": "a multiple of the parameter is added",
    "shortcut_missing": "grad_y of the shortcut is not added",
    "shortcut_twice": "grad_y is added once too often",
    "mean_subtracted": "its own mean is subtracted",
    "constant_added": "a constant is added",
    "absolute": "the sign is lost",
    "clipped": "clipped",
    "exchanged": "two gradients are exchanged",
    "anothers": "the gradient of something else",
    "transposed": "the transpose",
    "axes_permuted": "axes in the wrong order",
    "reshaped": "reshape stands for transpose",
    "shape": "the right numbers in a wrong shape",
    "flipped": "reversed along an axis; a kernel flipped",
    "shifted": "shifted by a pixel or a place",
    "reordered": "rows or channels in the wrong order",
    "zero_where": "0 where the input had one sign, and should not be",
    "gate_missing": "not 0 where the input had one sign, and should be",
    "gate_inverted": "a gate the wrong way round",
    "zero_in_places": "0 at elements that should not be",
    "passes_where_zero": "not 0 at elements that should be",
    "sum_missing": "softmax's sum over all outputs is missing",
    "wrong_axis": "softmax's sum runs over the wrong axis",
    "x_in_place_of_y": "a derivative written in y is given x",
    "taken_at_y": "a derivative is taken at y",
    "mean_constant": "normalization: the mean is taken for a constant",
    "variance_constant": "normalization: the variance is taken for a constant",
    "statistics_constant": "normalization: mean and variance are taken for constants",
    "target_missing": "the target is not subtracted",
    "logits_for_probabilities": "logits stand for probabilities",
    "ignores_upstream": "does not depend on grad_y",
    "upstream_squared": "grad_y is squared",
    "upstream_absolute": "the sign of grad_y is lost",
    "upstream_sign": "the sign of grad_y alone counts",
    "upstream_transposed": "grad_y is transposed",
    "upstream_flipped": "grad_y is reversed along an axis",
    "upstream_centred": "the mean of grad_y is subtracted from it",
    "upstream_averaged": "the mean of grad_y stands for it",
    "applied_twice": "backward is applied twice",
    "sum_over_batch_missing": "the sum over the batch is missing",
    "sum_over_pixels_missing": "the sum over the output pixels is missing",
    "sample_left_out": "a sample is left out of the sum",
    "summed_over_wrong_axis": "grad_y is summed over the wrong axes",
    "diagonal": "only the diagonal of the Jacobian counts",
    "overwritten": "overlapping windows overwrite each other",
    "weight_transposed": "computed with the transpose of a weight",
    "kernel_flipped": "computed with a flipped kernel",
    "ties": "right except at ties or at the kink",
    "one_slice": "right except for one row, channel, border or element",
}

Mistake = Callable[[Evidence], Iterator[Finding]]
TIERS: tuple[tuple[Mistake, ...], ...] = (
    (scale.nothing,),
    (*scale.MISTAKES, *arrangement.MISTAKES),
    (arrangement.reordered,),
    (gates.gate,),
    (*sums.MISTAKES, *upstream.MISTAKES),
    (gates.ties,),
    (gates.slices,),
    (gates.zeros,),
)
