"""Compares all built-ins: prints what was found as JSON, or with --write makes it a page."""

import json
import sys

from tests.plugins.references.page import PAGE, measured, page

if __name__ == "__main__":
    rows = measured()
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(rows), encoding="utf-8")
    else:
        json.dump(rows, sys.stdout)
