"""`mexport doctor`."""

from exporter.cli.command import Settings
from exporter.errors import ToolError

NAME = "doctor"
EXAMPLES = """
Example:
mexport doctor --json
"""


def run(settings: Settings) -> None:
    """Look at Python, packages, outside programs and disks, and say how to mend what is missing."""
    from exporter.app.findings import app_findings
    from exporter.cli.text import doctor_text
    from exporter.doctor import examine
    from exporter.store import Store

    findings = [*examine(Store().root), *app_findings()]
    facts = [f.as_dict() for f in findings]
    settings.emit({"findings": facts, "ok": all(f.ok for f in findings if f.required)}, doctor_text(facts))
    lacking = [f for f in findings if f.required and not f.ok]
    if lacking:
        raise ToolError(f"missing or unfit: {', '.join(f.name for f in lacking)}", hint=lacking[0].remedy)
