"""The verbs of the command line: a module, or a folder, each."""

# conf/config.yaml says what they do
VERBS = (
    "train", "plugins", "new", "check", "resume", "reproduce", "compare", "explain", "ui",
    "report",
)  # fmt: skip
