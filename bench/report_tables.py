"""The table of docs/report.md: the cost of recording and of a page, from the results of bench/report.py."""

from __future__ import annotations

from tables import read, table


def report() -> str:
    """Return a row for each preset."""
    rows = [
        [
            f"`{preset}`, {found['generations']:,}",
            f"{found['seconds']:.1f}",
            f"{100 * found['recording_share']:.2f} %",
            f"{found['page_seconds']:.1f}",
            f"{found['page_bytes'] / 1000:,.0f} KB",
        ]
        for preset, found in read("report")["runs"].items()
    ]
    heads = ["MNIST, preset, generations", "seconds", "share spent recording", "seconds for the page", "its size"]
    return table(heads, rows)


PAGE = {"report": report}
