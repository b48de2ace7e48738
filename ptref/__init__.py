"""ptref: the same networks on PyTorch autograd, and the means to compare the two engines.

`ptref.parity` compares any operation, layer or model of npnet, or one written by its convention, with any
PyTorch function or module; `ptref.strategies` draws inputs for such comparisons in property tests.
"""
