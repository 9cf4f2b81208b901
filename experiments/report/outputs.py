"""Where a report's files go, and which of them are its own: nobody else's file is overwritten or removed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.files import read_json, write_json_atomically
from experiments.collect.errors import ReportError
from experiments.report.files import write_bytes

MANIFEST = "report_files.json"
# Only such names are ever removed, whatever a manifest says.
_OURS = re.compile(r"(figures/[^/\\]+\.(png|svg|pdf)|tables/[^/\\]+\.(csv|md|tex)|collected\.parquet|provenance\.json)")


@dataclass(frozen=True)
class Outputs:
    """The places of one report.

    Attributes:
        page: the page's file.
        folder: holds `figures/`, `tables/` and the manifest, which lists what the report has written there.
    """

    page: Path
    folder: Path

    @property
    def prefix(self) -> str:
        """What leads from the page to `figures/` and `tables/`."""
        return "" if self.folder == self.page.parent else f"{self.folder.name}/"


def outputs(study_dir: Path, out: Path | None) -> Outputs:
    """The places of a study's report.

    Args:
        study_dir: the study's folder.
        out: the page's file; None is `study_dir/report.html`.
    """
    page = study_dir / "report.html" if out is None else out
    at_home = (page.parent.resolve(), page.name) == (study_dir.resolve(), "report.html")
    # Beside a page elsewhere, plain `figures/` and `tables/` may well be somebody else's.
    return Outputs(page, page.parent if at_home else page.parent / f"{page.stem}_files")


def write_outputs(places: Outputs, page: bytes | None, files: Mapping[str, bytes]) -> None:
    """Write the page and its files, and remove those that an earlier report of this page left and this one lacks.

    Args:
        places: where.
        page: the page; None writes the files alone and leaves everything else as it is.
        files: contents by path below `places.folder`, such as `tables/scores.csv`.

    Raises:
        ReportError: a file in the way is not an earlier output of this page; nothing has been written.
        OSError: a file cannot be written.
    """
    manifest = places.folder / MANIFEST
    earlier = _earlier(places)
    _check_foreign(places, earlier, files, page is not None)
    # Listed before they are written: after a kill at any moment every file of ours is known as ours.
    _write_manifest(manifest, places.page.name, earlier | set(files))
    for name, content in files.items():
        write_bytes(places.folder / name, content)
    if page is None:
        return
    write_bytes(places.page, page)
    for name in sorted(earlier - set(files)):
        (places.folder / name).unlink(missing_ok=True)
    _write_manifest(manifest, places.page.name, set(files))


def _check_foreign(places: Outputs, earlier: set[str], files: Mapping[str, bytes], paged: bool) -> None:
    known = _manifest(places) is not None
    wanted = [places.folder / name for name in files if name not in earlier]
    wanted += [] if known else [*([places.page] if paged else []), places.folder / MANIFEST]
    for path in wanted:
        if path.exists() or path.is_symlink():
            raise ReportError(
                f"{path} exists and was not written by this report: move it away, or name another page with --out"
            )


def _earlier(places: Outputs) -> set[str]:
    names = (_manifest(places) or {}).get("files", [])
    return {name for name in names if isinstance(name, str) and _OURS.fullmatch(name)}


def _manifest(places: Outputs) -> dict[str, Any] | None:
    """What an earlier report of the same page has listed; None where there is none that can be read."""
    try:
        content = read_json(places.folder / MANIFEST)
    except (OSError, ValueError):
        return None
    mine = content.get("page") == places.page.name and isinstance(content.get("files"), list)
    return content if mine else None


def _write_manifest(path: Path, page: str, names: set[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(path, {"format": 1, "page": page, "files": sorted(names)})
