"""What tests have in common: servers, browsers, processes, planted plugins, results."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
