"""What harness adds to Hydra: plugins as config options, a launcher of stacks, a grid sweeper."""
