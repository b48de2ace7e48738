"""Time npnet beside PyTorch on the same machine: ``python -m benchmarks``.

- *One run*: engines take turns, round after round, so that other load on the machine affects all alike.
- *Equal threads*: set for every engine and then verified.
- *Medians*, with the interquartile range of the samples. Ratios have a 95 % confidence interval, and are not
  printed if the interval is too wide.
- *JSON first*: results are saved with a description of the machine. Tables and figures are made from these
  files alone, and ``python -m benchmarks report`` makes them again.

`timing` and `samples` are the method. `works` defines the workloads, `contenders` and `peers` the engines.
`ops`, `step`, `scaling`, `memory`, `accuracy` and `ceiling` are the suites. `results` stores measurements,
and `report` and `figures` present them.
"""
