"""Keep a store's password out of overrides and configs: a variable stands in its place."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from omegaconf import DictConfig, OmegaConf

from harness.errors import require
from harness.hydra_app.output_files import dump_value
from harness.tracking.backend.uri import ADDRESS, has_credentials, own_address

PASSWORD = re.compile(r"://[^/\s]*@|(?:pass(?:word|wd)|pwd|token|secret)[^=&\s]*=")
WRITTEN = f"${{oc.env:{ADDRESS},null}}"  # null: resumed in another terminal, as for a new run


@contextmanager
def passwords_aside(overrides: Sequence[str]) -> Iterator[list[str]]:
    """Context manager: give overrides fit for a record; the store's address is kept aside."""
    before = own_address.set(None)
    try:
        yield [*map(_hide_password, overrides)]
    finally:
        own_address.reset(before)


def _hide_password(line: str) -> str:
    """Return an override fit for a record: an address with a password is kept aside.

    Raises UsageError for such an address where it cannot be replaced, as inside a dict.
    """
    key, _, value = line.partition("=")
    uri = value.strip("'\"")
    if key.lstrip("+") == "tracking.uri" and has_credentials(uri):
        own_address.set(uri)
        return f"{key}={WRITTEN}"
    inside = key.lstrip("+~") == "tracking" and PASSWORD.search(value)
    require(not inside, f"{key}: a password in it would be recorded; give it as tracking.uri=…")
    return line


def hide_credentials(cfg: DictConfig) -> DictConfig:
    """Put a variable in place of a store's address with a password, as a preset may have it."""
    node = OmegaConf.select(cfg, "tracking")
    uri = dump_value(node, "uri") if OmegaConf.is_dict(node) and "uri" in node else None
    if isinstance(uri, str) and "${" not in uri and has_credentials(uri):
        own_address.set(uri)
        os.environ[ADDRESS] = uri
        node.uri = WRITTEN
    return cfg
