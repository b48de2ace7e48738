"""Tables of what was measured on a GPU, made from its JSON alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.results import Record, Results
from benchmarks.samples import summary

# Names, which stand here as measuring needs PyTorch and reporting does not.
NPNET, EAGER = "npnet", "PyTorch"
CUDA, CUDA_SENT = "PyTorch CUDA", "PyTorch CUDA, sent"
GRAPHS, GRAPHS_SENT, BF16 = "PyTorch CUDA graphs", "PyTorch CUDA graphs, sent", "PyTorch CUDA graphs, bf16"
FLOAT32, TF32, BF16_PRODUCT = "product float32", "product TF32", "product bfloat16"
COPY, SEND, SEND_PINNED, LAUNCH = "copy on the GPU", "send", "send from pinned memory", "launch"
ON_THE_GPU = (CUDA, CUDA_SENT, GRAPHS, GRAPHS_SENT, BF16)

Curves = dict[str, dict[int, float]]  # seconds by batch, by engine
Table = tuple[list[str], list[list[str]]]


def tables(results: Results) -> list[Table]:
    """Return the ceilings, from which minibatch on the GPU wins, and what each reaches at most."""
    found = curves(results)
    made = [_ceilings(results)] if ceilings(results) else []
    if any(engine in curve for curve in found.values() for engine in ON_THE_GPU):
        made.append(_crossovers(found))
    return [*made, _fastest(results, found), _times(found)]


def curves(results: Results) -> dict[tuple[str, str], Curves]:
    """Return median times by work and kind."""
    found: dict[tuple[str, str], Curves] = {}
    for record in timed(results):
        of_work = found.setdefault((record.about["work"], record.about["kind"]), {})
        for engine, seconds in record.samples.items():
            of_work.setdefault(engine, {})[record.about["batch"]] = summary(seconds).median
    return found


def timed(results: Results) -> list[Record]:
    """Return the records that are not about ceilings."""
    return [record for record in results.records if "work" in record.about]


def ceilings(results: Results) -> dict[str, float]:
    """Return the rates measured, by name."""
    return {
        record.about["ceiling"]: summary(record.samples["GPU"]).median
        for record in results.records
        if "ceiling" in record.about
    }


# ---- from which minibatch on ---------------------------------------------------------------------------


def crossover(cpu: Mapping[int, float], gpu: Mapping[int, float]) -> str:
    """Say from which minibatch on the GPU is the faster one.

    Between two sizes the ratio of both times is taken as a power of the size.

    Examples
    --------
    >>> crossover({1: 1.0, 16: 16.0}, {1: 4.0, 16: 4.0})
    '4'
    >>> crossover({1: 1.0, 16: 16.0}, {1: 0.5, 16: 0.5}), crossover({1: 1.0, 16: 2.0}, {1: 8.0, 16: 8.0})
    ('always', '> 16')
    """
    sizes = sorted(set(cpu) & set(gpu))
    if not sizes:
        return ""
    lead = [float(np.log(gpu[n] / cpu[n])) for n in sizes]  # below 0 where the GPU is faster
    slower = [i for i, value in enumerate(lead) if value >= 0]
    if not slower:
        return "always"
    last = slower[-1]
    if last == len(sizes) - 1:
        return f"> {sizes[-1]}"
    share = lead[last] / (lead[last] - lead[last + 1])
    found = np.log(sizes[last]) + share * (np.log(sizes[last + 1]) - np.log(sizes[last]))
    return f"{np.exp(found):.2g}" if np.exp(found) < 100 else f"{round(float(np.exp(found)), -1):.0f}"


def best_of_cpu(of_work: Curves) -> dict[int, float]:
    """Return the time of the faster of npnet and PyTorch on the CPU, by batch."""
    both = [of_work.get(engine, {}) for engine in (NPNET, EAGER)]
    return {n: min(curve[n] for curve in both if n in curve) for n in sorted(set(both[0]) | set(both[1]))}


def _crossovers(found: Mapping[tuple[str, str], Curves]) -> Table:
    names = ["work", "kind", *(f"{name.removeprefix('PyTorch ')} from" for name in ON_THE_GPU[:4])]
    rows = [
        [work, kind, *(crossover(best_of_cpu(of_work), of_work.get(name, {})) for name in ON_THE_GPU[:4])]
        for (work, kind), of_work in found.items()
    ]
    return names, rows


# ---- how fast at most ----------------------------------------------------------------------------------


def _fastest(results: Results, found: Mapping[tuple[str, str], Curves]) -> Table:
    rates, names = ceilings(results), ["work", "kind", NPNET, EAGER, CUDA, GRAPHS, BF16]
    of_record = {
        (record.about["work"], record.about["kind"], record.about["batch"]): record.about
        for record in timed(results)
    }
    rows = []
    for (work, kind), of_work in found.items():
        cells = [_most(of_work.get(name, {})) for name in names[2:]]
        share = ""
        if rates and GRAPHS in of_work:
            batch = min(of_work[GRAPHS], key=lambda n: of_work[GRAPHS][n] / n)
            share = f"{100 * floor(of_record[work, kind, batch], rates) / of_work[GRAPHS][batch]:.2g} %"
        rows.append([work, kind, *cells, share])
    headings = [f"{name}, samples/s (batch)" for name in names[2:]]
    return ["work", "kind", *headings, "graphs: share of the ceiling"], rows


def floor(about: Mapping[str, float], rates: Mapping[str, float], *, product: str = FLOAT32) -> float:
    """Return the least seconds that the GPU needs: for the products, or for moving what must be moved."""
    return max(about["operations"] / rates[product], about["bytes"] / rates[COPY])


def _most(curve: Mapping[int, float]) -> str:
    if not curve:
        return ""
    batch = min(curve, key=lambda n: curve[n] / n)
    return f"{count(batch / curve[batch])} ({batch})"


def count(value: float) -> str:
    """Write a large number in three digits.

    Examples
    --------
    >>> count(2_512_000), count(915.4), count(61_200)
    ('2.51 million', '915', '61.2 thousand')
    """
    for size, name in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if value >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"


def _ceilings(results: Results) -> Table:
    rows = []
    for name, value in ceilings(results).items():
        if name.startswith("product"):
            rows.append([name, f"{value / 1e12:.3g} TFLOP/s"])
        elif name == "launch":
            rows.append([name, f"{1e6 * value:.2g} µs"])
        else:
            rows.append([name, f"{value / 1e9:.3g} GB/s"])
    return ["ceiling", "measured"], rows


def _times(found: Mapping[tuple[str, str], Curves]) -> Table:
    """Return every time that was measured."""
    engines = list(dict.fromkeys(engine for of_work in found.values() for engine in of_work))
    rows = []
    for (work, kind), of_work in found.items():
        for batch in sorted({n for curve in of_work.values() for n in curve}):
            cells = [_time(of_work.get(engine, {}).get(batch)) for engine in engines]
            rows.append([work, kind, str(batch), *cells])
    return ["work", "kind", "batch", *engines], rows


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{1e6 * seconds:.3g} µs" if seconds < 1e-3 else f"{1e3 * seconds:.3g} ms"


# ---- throughput and time to accuracy -------------------------------------------------------------------


def throughput_tables(results: Results) -> list[Table]:
    """Return images a second, and which share of the time kernels run."""
    rows = []
    for record in results.records:
        for engine, values in record.samples.items():
            middle = summary(values).median
            shown = f"{100 * middle:.1f} %" if record.unit == "share" else count(middle)
            about = record.about
            rows.append([about["work"], about["way"], str(about["batch"]), engine, shown])
    return [(["work", "way", "batch", "engine", "images/s, or share"], rows)] if rows else []


def time_to_accuracy_tables(results: Results) -> list[Table]:
    """Return time and accuracy of each choice, with their spread over the seeds."""
    rows: dict[tuple[str, str], dict[str, Sequence[float]]] = {}
    for record in results.records:
        for engine, values in record.samples.items():
            rows.setdefault((record.about["choice"], engine), {})[record.about["what"]] = values
    cells = [
        [choice, engine, str(len(found["time"])), _seconds(found["time"]), _accuracy(found["accuracy"])]
        for (choice, engine), found in rows.items()
    ]
    names = ["choice", "engine", "seeds", "seconds: median (least – most)", "accuracy: mean ± deviation"]
    return [(names, cells)] if cells else []


def _seconds(values: Sequence[float]) -> str:
    return f"{np.median(values):.3g} ({min(values):.3g} – {max(values):.3g})"


def _accuracy(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.3f} ± {100 * np.std(values, ddof=1):.3f} %"
