"""The fast forms: how the operations are computed quickly, apart from what they compute.

`npnet.functional` holds the mathematics: each operation's equation, its derivation and a plain form in a few
lines of NumPy. This package holds the speed, in modules of three kinds:

- *Kernels*, one file for each operation that has a fast form: `conv2d`, `max_pool2d`, `batch_norm`,
  `cross_entropy`. A kernel module answers ``suits(...)``, whether its form applies and pays, and computes the
  same results as the plain form, which `npnet.functional` runs in every other case. `fused_update` does the
  same for the update rules of `npnet.optim`.
- *Replacements* for functions of NumPy, with the same meaning: `matmul`, `sums`, `masks`, `softmax`.
- *Infrastructure*: `pieces` (work that threads may share), `blocks` (cache blocking), `workspace` (reused
  memory), `window` (the strided views that convolution and pooling are made of), `thresholds` (the sizes at
  which one form takes over from another, all in one place).

No module here imports from `npnet.functional` or anything above it. The modules are for the other packages of
npnet, not for users, and may change: their ``__all__`` are empty.
"""

__all__ = ()
