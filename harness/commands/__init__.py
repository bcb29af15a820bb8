"""The commands: a module or folder for each verb, with a `main(arguments)` that returns a code."""

# The help text in conf/config.yaml describes each verb.
VERBS = (
    "train", "plugins", "new", "check", "resume", "reproduce", "compare", "explain", "ui",
    "report",
)  # fmt: skip
