"""The harness as a Hydra application: composing, launching, sweeping, messages."""
