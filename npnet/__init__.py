"""npnet: neural networks with hand-written backpropagation in NumPy, checked against PyTorch."""
