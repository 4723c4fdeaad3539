"""What every runtime's package is: a zip in which nothing tells when, where or by whom it was made."""

import hashlib
import stat
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

BUILD = Path("build")
PACKAGE = BUILD / "package.zip"
LIMIT = 262_144_000  # bytes unzipped: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html


def files(folder: Path) -> list[Path]:
    """Return the files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def add(archive: ZipFile, folder: Path) -> None:
    """Add the files of a folder to a zip."""
    there = {str(path) for name in archive.namelist() for path in (name, *PurePosixPath(name).parents)}
    for name, file in sorted((file.relative_to(folder).as_posix(), file) for file in files(folder)):
        if name in there:
            sys.exit(f"package: src/{name} is also of a dependency; rename it")
        entry = ZipInfo(name)  # of 1980
        executable = file.stat().st_mode & stat.S_IXUSR
        entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
        archive.writestr(entry, file.read_bytes(), ZIP_DEFLATED)


def check_size(archive: ZipFile) -> int:
    """Return a package's size unzipped, or exit if Lambda would refuse it and say what is large."""
    sizes = Counter[str]()
    for entry in archive.infolist():
        sizes[entry.filename.split("/")[0]] += entry.file_size
    if sizes.total() > LIMIT:
        largest = ", ".join(f"{name} {size:,}" for name, size in sizes.most_common(3))
        sys.exit(f"package: {sizes.total():,} bytes unzipped; Lambda takes {LIMIT:,}. The largest: {largest}")
    return sizes.total()


def build(make: Callable[[Path, Path], None]) -> None:
    """Build the package and say what it is, or exit and leave none.

    make: makes it at a path, and may use a folder for that.
    """
    PACKAGE.unlink(missing_ok=True)
    BUILD.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=BUILD) as folder:
        draft = Path(folder, PACKAGE.name)
        make(draft, Path(folder))
        with ZipFile(draft) as archive:
            unzipped = check_size(archive)
        package = draft.read_bytes()
        draft.replace(PACKAGE)
    sha256 = hashlib.sha256(package).hexdigest()
    print(f"{PACKAGE}: {len(package):,} bytes, {unzipped:,} unzipped, sha256 {sha256}")
