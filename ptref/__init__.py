"""ptref: the same networks on PyTorch autograd, and tools to compare the two engines.

`ptref.parity` compares an operation, layer or model of npnet, or your own with the same interface, with a
PyTorch function or module. `ptref.strategies` draws inputs for such comparisons in property tests.
"""
