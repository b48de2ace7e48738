"""A training step over threads whose result is the same to the bit for any number of threads.

The minibatch is cut into shards. Each shard goes forward through the model's trunk by itself, in the next
free thread. The head, the fully connected layers at the end, takes all samples together, and so does the
loss. Then each shard goes backward through the trunk, and the gradients of the shards are summed in their
order. The trunk and the number of shards depend on the model and the minibatch alone, so the same numbers are
added in the same order by 1, 2 or 16 threads.

NumPy releases Python's global interpreter lock within its calls, so threads run at the same time while calls
are large. Shards are therefore as large as possible, yet small enough that the activations of one fit into a
core's cache.
"""

from npnet.parallel._plan import Plan, plan, shards
from npnet.parallel._step import Step, cores, generators_for

__all__ = ["Plan", "Step", "cores", "generators_for", "plan", "shards"]
