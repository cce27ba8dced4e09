from benchmarks.calibration import HEADS, section
from benchmarks.tables import SECTIONS


def test_section_shows_growth_and_ratio() -> None:
    row = {
        "images": 1000, "seconds": 50.0, "ms_an_image": 50.0, "bare_ms": 25.0, "ratio": 2.0,
        "peak_rss_bytes_few": 400e6, "peak_rss_bytes": 450e6,
    }  # fmt: skip
    page = SECTIONS["calibration"]({"net": row, "other": {"error": "no such net"}})
    assert page == section({"net": row, "other": {"error": "no such net"}})
    assert "| net | 1000 | 400 | 450 | 50 | 50.0 | 50 | 25 | 2.00 |" in page
    assert "| other | no such net |" in page
    assert all(line.count("|") == len(HEADS) + 1 for line in page.splitlines() if line.startswith("|"))
