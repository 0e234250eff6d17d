"""gendeg report: a dataset or an evaluation as one self-contained HTML page."""

from gendeg.build.page import dataset_page
from gendeg.evaluate.page import evaluation_page, is_evaluation
from gendeg.primitives.errors import BadOption, MissingPath, NothingToReport
from gendeg.primitives.files import atomic_write, ensure_writable, refuse_existing
from gendeg.report.config import ReportConfig
from gendeg.report.html import render_page
from gendeg.shards.layout import Layout


def report(config: ReportConfig) -> int:
    """Writes the page and returns its size in bytes.

    Raises `MissingPath`, `NothingToReport`, `DamagedDataset`, `OutputExists`, `OutputNotWritable`.
    """
    if config.pictures < 1:
        raise BadOption("--pictures", f"must be at least 1, got {config.pictures}")
    if not config.path.exists():
        raise MissingPath(config.path)
    refuse_existing(config.overwrite, config.out)
    ensure_writable(config.out.parent)
    if Layout(config.path).config.is_file():
        page = dataset_page(config)
    elif is_evaluation(config.path):
        page = evaluation_page(config)
    else:
        raise NothingToReport(config.path)
    html = render_page(page).encode()
    atomic_write(config.out, html)
    return len(html)
