"""How a stack of runs is trained: data, weights, the loop, stopping, evaluation."""
