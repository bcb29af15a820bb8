"""`harness report DIR|SWEEP_ID [--out FILE]`: write a sweep or run as one HTML page to send."""

import argparse
import sys
from pathlib import Path

from harness.errors import UsageError


def main(arguments: list[str]) -> int:
    """Write the page and print its path; return 0."""
    parser = argparse.ArgumentParser(prog="harness report", description=__doc__)
    parser.add_argument("source", help="a folder with manifest.json, or the id of a sweep or run")
    parser.add_argument("--out", type=Path, help="the file to write (default: report-ID.html)")
    parser.add_argument("--force", action="store_true", help="overwrite any existing file")
    asked = parser.parse_args(arguments)
    from harness.commands.output_file import require_writable, write_page
    from harness.commands.report.collect import from_folder, from_record
    from harness.commands.report.page import render_page
    from harness.tracking.backend.uri import tracking_uri

    folder = Path(asked.source)
    if folder.is_dir():
        report = from_folder(folder.absolute())
    elif len(folder.parts) > 1:
        raise UsageError(f"{folder}: there is no such folder")
    else:
        report = from_record(tracking_uri(None, Path.cwd()), asked.source)
    out = asked.out or Path(f"report-{report.manifest.sweep_id}.html")
    require_writable(out.absolute(), asked.force)  # fail before the pictures are drawn
    out = write_page(out, render_page(report), asked.force)
    for line in report.missing:
        print(f"harness: {line}", file=sys.stderr)
    print(f"report: {out}")
    print(f"size: {out.stat().st_size // 1000} kB")
    return 0
