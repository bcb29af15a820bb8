"""What is on disk: manifest, results, checkpoints, trials, each written whole."""
