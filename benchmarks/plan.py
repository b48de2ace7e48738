"""What several processes or GPUs would gain: measured with two and three processes here, reckoned for more.

Two processes are timed while each learns from its own minibatch (*apart*), and while they add up bytes and do
nothing else. From these, `benchmarks.plan_model` says how long a step of two and of three processes takes
*together*. Those steps are timed too, and the difference says how far the model can be trusted. In turns with
them one process is timed with all threads. For GPUs the step times are those of ``python -m benchmarks gpu``,
and the links are given ones, over which nothing was sent.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import gpu_report
from benchmarks.plan_model import link_from
from benchmarks.plan_process import gradient
from benchmarks.plan_report import APART, TRAINING
from benchmarks.results import FOLDER, Record, Results, read
from benchmarks.suite import Settings, tell
from benchmarks.works import WORKS
from npnet.errors import InputError

PROCESSES = (2, 3)
PLANNED_ON_GPUS = ("LeNet-5 1×28×28", "3072-512-2 3×32×32", "four 3×3 convolutions 3×32×32")


def measure(settings: Settings) -> Results:
    """Time two and three processes, apart and together."""
    links = [asdict(link_from(text)) for text in settings.links]
    results = settings.results("plan")
    results = replace(results, method={**results.method, "links": links})
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        results.notes.append(f"plan: not measured, PyTorch {torch.__version__} is built without Gloo")
        return results
    for number in PROCESSES[:1] if settings.quick else PROCESSES:
        tell(f"plan: {number} processes")
        results.records.extend(Record(**record) for record in _of_processes(number, quick=settings.quick))
    path = FOLDER / "h100" / "gpu.json"
    if path.exists():
        gpu = read(path)
        results.records.extend(_of_gpu(gpu))
        results.notes.append(
            f"plan: GPU steps are those of {gpu.environment['cuda']['name']}, {gpu.environment['when']}"
        )
    return results


def _of_processes(number: int, *, quick: bool) -> list[dict[str, Any]]:
    """Start processes that time themselves, and return the records of the first."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "records.json"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc-per-node={number}", "-m", "benchmarks.plan_process", str(out)]
        ended = subprocess.run(  # noqa: S603 - this interpreter, and a module of this package
            [*command, *(["--quick"] if quick else [])], check=False, capture_output=True, text=True
        )
        if ended.returncode:
            said = ended.stderr.strip().splitlines()
            raise InputError(
                f"plan: {number} processes of torchrun must end well, got status {ended.returncode}: "
                f"{said[-1] if said else 'nothing was said'}"
            )
        found: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    return found


def _of_gpu(gpu: Results) -> list[Record]:
    """Return the times of a step on a GPU, with the bytes of the gradients."""
    works = {work.title: work for work in WORKS}
    return [
        Record(
            {
                "work": record.about["work"],
                "way": APART,
                "on": gpu.environment["cuda"]["name"],
                "samples": record.about["batch"],
                "gradient": gradient(works[record.about["work"]]),
                "outputs": 4 * works[record.about["work"]].classes,
            },
            {gpu_report.CUDA: record.samples[gpu_report.CUDA]},
        )
        for record in gpu_report.timed(gpu)
        if record.about["work"] in PLANNED_ON_GPUS
        and record.about["kind"] == TRAINING
        and gpu_report.CUDA in record.samples
    ]
