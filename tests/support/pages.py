"""The documentation as programs: its fenced blocks, and how each kind is run and judged."""

import math
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tests.support import ROOT
from tests.support.environments import Environment

COMMENT = re.compile(r"<!-- (file|not run): (.+?) -->")
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e-?\d+)?(?![\w.])")
VARIES = (
    (re.compile(r"[0-9a-f]{32}"), "ID"),
    (re.compile(r"(sqlite:///)?/\S*/(mlflow\.db|multirun|outputs)\S*"), r"\1PATH"),
    (re.compile(r"/\S*/(?=\w+\.html)"), "PATH/"),
    (re.compile(r"\b\d+ kB"), "SIZE"),
)
CHATTER = re.compile(r"\d+ of \d+ runs done, .*\n")  # progress, which a slow machine shows


class Block(NamedTuple):
    """A fenced block, and what the comment in front of it says."""

    page: Path
    line: int  # of its first line of text
    language: str
    text: str
    file: str | None  # the file that it is the content of
    reason: str | None  # why it is not run

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines, comment = page.read_text().split("\n"), None
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("```"):
            end = lines.index("```", at + 1)
            said = dict([comment.groups()]) if comment else {}
            text = "\n".join(lines[at + 1 : end]) + "\n"
            yield Block(page, at + 2, line[3:], text, said.get("file"), said.get("not run"))
            at = end
        comment = COMMENT.fullmatch(line.strip()) if line.strip() else comment
        at += 1


# These pages run many sweeps, and two thirds of their time would be pictures of the 10 best runs.
FEW_FIGURES = {"README", "sweeps", "inspection", "plugins"}
# Python runs from its very start here; elsewhere it is forked, with heavy libraries imported.
COLD = {"mlflow"}


def check_page(page: Path, folder: Path, environment: Environment) -> None:
    """Run a page's blocks in order in one folder; python blocks in a row are one program."""
    if page.stem in FEW_FIGURES:
        local = folder / "conf" / "local" / "default.yaml"
        local.parent.mkdir(parents=True)
        local.write_text("# @package _global_\nfigures: {best: 1}\n")
    for language, group in groupby(blocks(page), lambda block: block.language):
        todo = [block for block in group if block.reason is None]
        if language == "python":
            todo = [block for block in todo if not _written(block, folder)]
            _run_python(todo, folder, environment)
        for block in todo if language != "python" else ():
            if not _written(block, folder):
                assert language in ("sh", "console"), f"{block}: {language} is not run: say why"
                _run_shell(block, folder, environment)


def _written(block: Block, folder: Path) -> bool:
    if block.file is not None:
        path = folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
    return block.file is not None


def _run_python(todo: list[Block], folder: Path, environment: Environment) -> None:
    if todo:
        script = folder / f"page_{todo[0].page.stem}.py"  # not mlflow.py, which would hide mlflow
        text = ""
        for block in todo:  # each on the line that it has on the page
            text += "\n" * (block.line - 1 - text.count("\n")) + block.text
        script.write_text(text)
        python = "python" if todo[0].page.stem in COLD else "warm-python"
        environment.run(python, script.name, cwd=folder)


def _run_shell(block: Block, folder: Path, environment: Environment) -> None:
    if block.language == "sh":
        environment.run("bash", "-euo", "pipefail", "-c", block.text, cwd=folder)
        return
    commands = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
    script = "".join(f"printf '%s\\n' {_quoted('$ ' + c)}\n{c}\n" for c in commands)
    said = environment.run("bash", "-c", script + "true\n", cwd=folder)
    assert alike(block.text, said), f"{block} says\n{block.text}\nand what comes is\n{said}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def alike(shown: str, said: str) -> bool:
    """Whether it is the same output but for ids, paths and a number's last digits.

    A line of `...` stands for any lines.
    """
    said = CHATTER.sub("", said)
    parts = [_plain(part) for part in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE)]
    pattern = r"(?:.*\n)*?".join(re.escape(NUMBER.sub("NUMBER", part)) for part in parts)
    if not re.fullmatch(pattern, NUMBER.sub("NUMBER", _plain(said))):
        return False
    if len(parts) > 1:
        return True
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(said), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=1e-6) for a, b in pairs)


def _plain(text: str) -> str:
    for pattern, name in VARIES:
        text = pattern.sub(name, text)
    return text
