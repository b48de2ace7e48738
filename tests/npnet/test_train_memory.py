"""Training takes no more memory the longer it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from npnet import fit, nn, optim
from npnet.train import plain_step

rng = np.random.default_rng(0)
x, y = rng.standard_normal((1000, 4)).astype(np.float32), rng.integers(2, size=1000)
model = nn.Sequential(
    nn.Linear(4, 8, generator=rng), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2, generator=rng)
)
adam = optim.Adam(model.parameters)
pages = []

def measure(epoch):
    pages.append(int(Path("/proc/self/statm").read_text().split()[1]))

fit(model, nn.CrossEntropyLoss(), adam, ((x, y), (x[:50], y[:50])), epochs=20, batch_size=1, step=plain_step,
    progress=False, on_epoch=measure, checkpoint=sys.argv[1], patience=100)
print(*pages)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from Linux's /proc")
def test_memory_after_20_000_steps_is_that_after_1_000(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    pages = [int(word) for word in done.stdout.split()]
    assert len(pages) == 20
    assert pages[-1] <= 1.02 * pages[0], pages
