"""What the page about the HTTP API shows; see `pages`."""

from dataclasses import dataclass, field

from webapp.pages import Shell


@dataclass(frozen=True)
class Operation:
    """One call of the HTTP API, as /api/v1/docs lists it."""

    method: str
    path: str
    anchor: str
    summary: str
    description: str
    parameters: tuple[tuple[str, str, str], ...] = field(default_factory=tuple)
    responses: tuple[tuple[str, str], ...] = field(default_factory=tuple)
    example: str = ""


@dataclass(frozen=True)
class ApiDocsPage:
    """`/api/v1/docs`: the OpenAPI document, readable without any script."""

    shell: Shell
    title: str
    introduction: str
    operations: tuple[Operation, ...]
