"""The only module that a saved model imports: its four names stay as they are for ever."""

from harness.config.plugin_files import use_recorded_folders as recall
from harness.config.predictor import predictor
from harness.store.npz import layers, unpack

__all__ = ["layers", "predictor", "recall", "unpack"]
