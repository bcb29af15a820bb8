"""New virtual environments for tests, which borrow the packages that are already installed."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

INSTALLED = [
    path for path in map(Path, sys.path) if path.name in ("site-packages", "dist-packages")
]
SETTINGS = ("MLFLOW_", "HARNESS_", "HYDRA_", "PYTHONPATH", "PYTHONWARNINGS", "PYTHONHOME")


class Environment:
    """A virtual environment in a folder."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.bin = folder / "bin"
        scheme = {"base": str(folder), "platbase": str(folder)}
        self.packages = Path(sysconfig.get_path("purelib", "venv", scheme))

    def borrow(self, *, editable: bool) -> None:
        """See the packages of this interpreter, and what is installed there as editable or not."""
        line = "import site; site.addsitedir({!r})" if editable else "{}"
        lines = [line.format(str(path)) for path in INSTALLED]
        (self.packages / "borrowed.pth").write_text("\n".join(lines) + "\n")

    def pip(self, *arguments: str) -> None:
        """pip install into this environment, with nothing from outside."""
        options = (
            "--quiet",
            "--no-index",
            "--no-deps",
            "--no-build-isolation",
            "--ignore-installed",
        )
        where = ("--python", str(self.bin / "python"))
        command = [sys.executable, "-m", "pip", *where, "install", *options, *arguments]
        path = os.pathsep.join(map(str, INSTALLED))  # for the build backend
        self.run(*command, PYTHONPATH=path)

    def script(self, name: str, text: str) -> None:
        """A command of this environment."""
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def variables(self) -> dict[str, str]:
        """What a shell has in which this environment is active."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
        path = f"{self.bin}{os.pathsep}{kept['PATH']}"
        return kept | {"PATH": path, "VIRTUAL_ENV": str(self.bin.parent)}

    def run(
        self, *command: str, cwd: Path | None = None, seconds: float = 300, **variables: str
    ) -> str:
        """Return what a command prints; AssertionError with all of it if it fails."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self.variables() | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
        return done.stdout
