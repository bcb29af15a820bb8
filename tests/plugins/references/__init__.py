"""Each built-in beside the same thing of a library that people trust.

`python -m tests.plugins.references --write` computes all of it and writes docs/builtins.md.
"""
