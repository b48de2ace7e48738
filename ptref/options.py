"""The options that PyTorch has as an engine: how it is to compute. They need no PyTorch."""

from __future__ import annotations

from npnet.engines import EngineOption

OPTIONS = (
    EngineOption("amp", "PyTorch: run products and convolutions in this precision.", ("bf16",)),
    EngineOption("channels_last", "PyTorch: keep images in memory as (n, h, w, c)."),
    EngineOption("compile", "PyTorch: have torch.compile generate kernels."),
    EngineOption("graphs", "PyTorch: record the kernels of a step as a CUDA graph and replay them."),
    EngineOption("tf32", "PyTorch: round the inputs of float32 products on a GPU to 10 bits of precision."),
    EngineOption("autotune", "PyTorch: have cuDNN time its algorithms and take the fastest."),
)  # the fields of `ptref.execution.Execution`
