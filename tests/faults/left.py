"""What a run has left, to be compared with what another one has."""

import json

from npnet.checkpoint import load

TIMES = {"seconds", "samples_per_second"}


def left(out):
    """Return what the only run has left, without times."""
    (folder,) = out.glob("*/*")
    texts = [(folder / "result.json").read_text(), *(folder / "metrics.jsonl").read_text().splitlines()]
    weights = {
        f"{path.name} {name}": array.tobytes()
        for path in folder.glob("*.safetensors")
        for name, array in load(path)[0].items()
    }
    return (
        [_without_times(json.loads(text)) for text in texts],
        weights,
        {path.name for path in folder.iterdir()},
    )


def _without_times(value):
    if isinstance(value, dict):
        return {key: _without_times(each) for key, each in value.items() if key not in TIMES}
    return [_without_times(each) for each in value] if isinstance(value, list) else value
