"""From stored runs to tables and figures."""

from serbench.report.build import report_texts, unique_slugs
from serbench.report.certificate import certificate_page, schema_text
from serbench.report.inflation import Inflation, load_inflation
from serbench.report.inflation_output import render_inflation, write_inflation
from serbench.report.ranks import span_corpora
from serbench.report.ranks_output import render_ranking, write_ranked_report
from serbench.report.write import (
    render_ablation,
    render_comparison,
    write_combined_report,
    write_report,
)

__all__ = [
    "Inflation",
    "certificate_page",
    "load_inflation",
    "render_ablation",
    "render_comparison",
    "render_inflation",
    "render_ranking",
    "report_texts",
    "schema_text",
    "span_corpora",
    "unique_slugs",
    "write_combined_report",
    "write_inflation",
    "write_ranked_report",
    "write_report",
]
