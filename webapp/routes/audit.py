"""`/audit` and `/audit.csv`: who did what, when, and from where; for administrators and the owners of libraries."""

from collections.abc import Iterator
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from pipeline import audit
from pipeline.audit import Record
from webapp.dependencies import BackendDependency, PrincipalDependency, shell
from webapp.forms import fields_of, read_integer
from webapp.language import gettext as _
from webapp.language import marked, translated
from webapp.pages_accounts import AuditLine, AuditPage
from webapp.rendering import page
from webapp.wording import as_short_moment, listed

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 100
DEEPEST = 1_000_000
OF_ALL = marked(
    "What people did on this server; of libraries that are not yours, only who did what, and when. Nothing here can be "
    "changed or removed. Times are in UTC."
)
OF_OWN = marked(
    "What people did in the libraries that you own. Nothing here can be changed or removed. Times are in UTC."
)


@router.get("/audit")
def show_audit(request: Request, backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Show the log, newest first."""
    offset = read_integer(fields_of(request.query_params), "offset", 0, DEEPEST) or 0
    records = audit.read(backend, principal, offset=offset, limit=PAGE_SIZE + 1)
    shown = records[:PAGE_SIZE]
    content = AuditPage(
        shell=shell(request, "audit"),
        explanation=_(OF_ALL if principal.may_administrate() else OF_OWN),
        lines=tuple(_line(record) for record in shown),
        older_url=f"/audit?offset={offset + PAGE_SIZE}" if len(records) > PAGE_SIZE else None,
        csv_url="/audit.csv",
    )
    return page(request, "audit.html", content)


@router.get("/audit.csv")
def export_audit(backend: BackendDependency, principal: PrincipalDependency) -> Response:
    """Download the whole log as CSV, newest first."""
    lines: Iterator[str] = audit.csv_lines(backend, principal)
    name = f"likeness-audit-{datetime.now(UTC):%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _line(record: Record) -> AuditLine:
    return AuditLine(
        at=as_short_moment(record.at),
        datetime=record.at.isoformat(),
        who=translated(record.actor, "detail"),
        action=translated(record.action, "audit"),
        subject=record.subject,
        library=translated(record.library_name, "detail"),
        address=record.address,
        detail=_details(record),
    )


def _details(record: Record) -> str:
    return listed(
        _("%(name)s: %(words)s", name=translated(name, "detail"), words=translated(words, "detail"))
        for name, words in record.details.items()
    )
