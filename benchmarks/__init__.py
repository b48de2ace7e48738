"""How fast npnet is, beside PyTorch on the same machine: ``python -m benchmarks``.

- *One run*: engines take turns, round after round, so that whatever else the machine does meets them alike.
- *Equal threads*: set for every engine and then asked back.
- *Medians*, with the spread of the samples; ratios with a 95 % confidence interval, and no ratio at all where
  that is too wide to carry it.
- *JSON first*: what was measured is written down together with the machine; tables and figures are made from
  these files alone, and ``python -m benchmarks report`` makes them again.

`timing` and `samples` are the method, `works` says what is done, `contenders` and `peers` by whom; `ops`,
`step`, `scaling`, `memory` and `accuracy` are the suites, `results`, `report` and `figures` what becomes of
them.
"""
