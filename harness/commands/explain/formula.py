"""Convert formulas from a small part of TeX to MathML and to plain text."""

import re
import unicodedata
from html import escape
from typing import NamedTuple

SIGNS = {
    "partial": "∂", "delta": "δ", "odot": "⊙", "cdot": "·", "top": "⊤", "Delta": "Δ",
    "prime": "′", "leftarrow": "←",
}  # fmt: skip
SPACES = {r"\ ": "0.5em", r"\,": "0.17em"}
LOW, HIGH = "₀₁₂₃₄₅₆₇₈₉", "⁰¹²³⁴⁵⁶⁷⁸⁹"
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[\d.]+|\s+|.")


class Node(NamedTuple):
    """A part of a formula: an atom, a row, a fraction, an accent, or a part with indices."""

    kind: str  # "atom", "name", "space", "row", "frac", "hat" or "index"
    text: str = ""
    parts: tuple["Node | None", ...] = ()


def parse_tex(tex: str) -> Node:
    """Parse a formula into a tree."""
    tokens = TOKEN.findall(tex)[::-1]
    return _row(tokens)


def _row(tokens: list[str]) -> Node:
    """Parse parts with their indices up to a closing brace; take them off the tokens' end."""
    parts: list[Node | None] = []
    while tokens and tokens[-1] != "}":
        node, low, high = _one(tokens), None, None
        while tokens and tokens[-1] in ("_", "^"):
            if tokens.pop() == "_":
                low = _one(tokens)
            else:
                high = _one(tokens)
        parts.append(Node("index", parts=(node, low, high)) if low or high else node)
    return Node("row", parts=tuple(parts))


def _one(tokens: list[str]) -> Node:
    """Parse one part; take it off the tokens' end, where the next token is."""
    token = tokens.pop()
    if token == "{":
        row = _row(tokens)
        tokens.pop()
        return row
    if token == r"\frac":
        return Node("frac", parts=(_one(tokens), _one(tokens)))
    if token == r"\hat":
        return Node("hat", parts=(_one(tokens),))
    if token == r"\mathrm":
        tokens.pop()
        name = ""
        while (part := tokens.pop()) != "}":
            name += part.removeprefix("\\")
        return Node("name", name)
    if token.isspace() or token in SPACES:
        return Node("space", SPACES.get(token, ""))
    return Node("atom", SIGNS.get(token[1:], token[1:]) if token[0] == "\\" else token)


def to_mathml(node: Node) -> str:
    """Return the tree as MathML, without the `<math>` element around it."""
    if node.kind == "name":
        return f"<mi>{escape(node.text)}</mi>"
    if node.kind == "atom":
        if node.text.isalpha() or node.text == "∂":
            # The page's style sets italics: few fonts have all signs that MathML's italics need.
            return f'<mi mathvariant="normal">{node.text}</mi>'
        tag = "mn" if node.text[0].isdigit() else "mo"
        return f"<{tag}>{escape(node.text)}</{tag}>"
    if node.kind == "space":
        return f'<mspace width="{node.text}"/>' if node.text else ""
    inner = [to_mathml(part) for part in node.parts if part is not None]
    if node.kind == "frac":
        return f"<mfrac>{''.join(inner)}</mfrac>"
    if node.kind == "hat":
        return f"<mover>{inner[0]}<mo>^</mo></mover>"
    if node.kind == "row":
        return inner[0] if len(inner) == 1 else f"<mrow>{''.join(inner)}</mrow>"
    _, low, high = node.parts
    if high is not None and high.text == "′":  # this sign is already raised
        return f"<mrow>{inner[0]}<mo>′</mo></mrow>"
    tag = "msubsup" if low and high else "msub" if low else "msup"
    return f"<{tag}>{''.join(inner)}</{tag}>"


def to_text(node: Node) -> str:
    """Return the tree as one line of text."""
    if node.kind in ("atom", "name"):
        return f" {node.text} " if node.text in "=+⊙·←" else node.text
    if node.kind == "space":
        return " " if node.text else ""
    inner = [to_text(part) if part is not None else "" for part in node.parts]
    if node.kind == "frac":
        return "/".join(f"({part})" if re.search(r"[ +-]", part) else part for part in inner)
    if node.kind == "hat":
        return unicodedata.normalize("NFC", f"{inner[0]}\u0302")
    if node.kind == "row":
        return "".join(inner)
    base, low, high = inner
    return base + _raised(low, LOW, "_") + _raised(high, HIGH, "^")


def power_of_ten(exponent: int) -> str:
    """Return 10 to a power and a dot in TeX; nothing for the power 0."""
    return rf"10^{{{exponent}}} \cdot " if exponent else ""


def _raised(text: str, digits: str, mark: str) -> str:
    """Return an index in small digits, or after a mark if it is no number."""
    if text in ("", "⊤", "′"):
        return text.replace("⊤", "ᵀ")
    if text.removeprefix("-").isdigit():
        return "".join("⁻" if digit == "-" else digits[int(digit)] for digit in text)
    return f"{mark}{text}"
