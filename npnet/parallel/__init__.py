"""A training step over threads, whose result does not depend on how many there are.

The minibatch is cut into shards. Each goes forward on its own through the model's trunk, in whichever thread
is free. The head, the fully connected layers at the end, sees all samples together, and so does the loss;
then each shard goes backward through the trunk on its own, and the gradients of the shards are added up in
their order. What is trunk and how many shards there are follows from the model and the minibatch alone, so
that the same numbers are added in the same order for 1, 2 or 16 threads, and the result is the same to the
bit.

NumPy lets go of the interpreter within its calls, so threads run side by side as long as calls are large:
that, and a shard's activations fitting into a core's cache, is what the size of a shard is chosen by.
"""

from npnet.parallel._plan import Plan, plan, shards
from npnet.parallel._step import Step, cores, generators_for

__all__ = ["Plan", "Step", "cores", "generators_for", "plan", "shards"]
