"""What each page shows: one frozen dataclass a page, filled by a route and given to its template.

Templates show these values and decide nothing; a value that is a sentence is ready to be read. Addresses (`url`,
`…_url`) are paths on this server and already escaped for use in an attribute by Jinja.
"""

from dataclasses import dataclass, field
from typing import Literal

from pipeline.images import ImageRecord
from webapp.pages_colors import ColorFields
from webapp.pages_parts import PausedBank, Place

Strength = Literal["strong", "possible", "weak"]


@dataclass(frozen=True)
class Tile:
    """One image in a grid. `similarity` and `strength` are None when nothing was asked for (a plain list).

    `stacked` images that are nearly the same lie under this one and are no tiles of their own; `stack_url` lists all
    of them. `compare_url` shows it beside the picture that was asked with, "" where there is none.
    """

    image: ImageRecord
    url: str
    thumbnail_url: str
    thumbnail_srcset: str
    alt: str
    similarity: float | None = None
    strength: Strength | None = None
    strength_words: str = ""
    reason: str = ""
    more_like_this_url: str = ""
    region_url: str = ""
    stacked: int = 0
    stack_url: str = ""
    compare_url: str = ""


@dataclass(frozen=True)
class Choice:
    """One of several, with the address that leads to it; `chosen` is the present one."""

    label: str
    url: str
    chosen: bool = False


@dataclass(frozen=True)
class Chip:
    """One thing that was asked: words, a picture, or a filter, with the address of the search without it.

    Parts of a question, which filters are not, can be changed: `weights` are the searches with other weights, of which
    `weight` is the present one in words, "" for the usual one; `earlier_url` and `later_url` move it one place among
    its like, `earlier_said` and `later_said` say where it is then; `key` names it wherever it stands;
    `region_url` leads to where a part of the picture is chosen, `whole_url` back to all of it.
    """

    kind: Literal["text", "picture", "image", "filter"]
    label: str
    remove_url: str
    thumbnail_url: str | None = None
    color: str | None = None
    weight: str = ""
    weights: tuple[Choice, ...] = ()
    earlier_url: str = ""
    later_url: str = ""
    earlier_said: str = ""
    later_said: str = ""
    region_url: str = ""
    whole_url: str = ""
    key: str = ""
    is_negative: bool = False


@dataclass(frozen=True)
class FacetOption:
    """A value that can be chosen. `count` is how many visible images have it under the other filters, if counted."""

    value: str
    label: str
    count: int | None
    chosen: bool
    color: str | None = None


@dataclass(frozen=True)
class Facet:
    """A group of checkboxes named `name`; `layout` is how they are drawn. Facets without options are not shown.

    One that is not `unfolded` shows its options when it is opened.
    """

    name: str
    title: str
    layout: Literal["list", "swatches"]
    options: tuple[FacetOption, ...]
    unfolded: bool = True


@dataclass(frozen=True)
class RangeFields:
    """The filters that are typed or dragged, as they stand in the address ("" when not set)."""

    min_brightness: str = ""
    max_brightness: str = ""
    min_saturation: str = ""
    max_saturation: str = ""
    created_after: str = ""
    created_before: str = ""
    taken_after: str = ""
    taken_before: str = ""
    min_width: str = ""
    max_width: str = ""
    min_height: str = ""
    max_height: str = ""
    min_bytes: str = ""
    max_bytes: str = ""
    tag: str = ""
    without_tag: str = ""


@dataclass(frozen=True)
class Emptiness:
    """Why there is nothing to see, and what to do next (label and address)."""

    title: str
    explanation: str
    actions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Shell:
    """What every page has around its content: `active` marks the place in the navigation.

    `csrf_token` goes into every form that is posted; "" where no session could be misused. `person` is the name of who
    is logged in, "" when nobody is or there are no accounts. `bare` leaves out all that only members can use.
    `may_fetch` is whether pictures are fetched from addresses. `upload_url` leads to where pictures are added, into the
    library that is being looked at. `may_moderate` is whether they may change pictures somewhere, `moderates`
    whether they moderate a library, `open_cases` how many pictures wait for a decision that they may take, "" for none.
    `has_banks` is whether to lead to the banks. `moved` is the sentence for who looks after the server when the data is
    elsewhere, `outage` that for everybody when pictures cannot be seen.
    """

    active: Place
    encoder: str
    formats: str
    max_upload: str
    notice: str = ""
    undo_url: str = ""
    undo_ids: tuple[str, ...] = ()
    csrf_token: str = ""
    person: str = ""
    has_accounts: bool = False
    may_upload: bool = True
    may_fetch: bool = True
    has_libraries: bool = True
    may_administrate: bool = False
    may_read_audit: bool = False
    may_moderate: bool = False
    has_banks: bool = False
    bare: bool = False
    upload_url: str = "/upload"
    moved: str = ""
    outage: str = ""
    moderates: bool = False
    open_cases: str = ""


@dataclass(frozen=True)
class SearchPage:
    """`/`. `asked` is true when there is a text, picture or image to compare with, not only filters.

    `heading` says what was asked. `query_fields` are the hidden fields (name, value) that keep the pictures and images
    of the query when the filter form is sent; `add_to` is the whole query of this search, for a picture that is added
    to it, "" where none can be; `before` is it, too, and shown again when a picture in its place cannot be used.
    `page_url` is its address where the page is the answer to a form. `tiles` are the strong and possible ones (or all,
    when nothing was asked); `weak_tiles` are folded behind `weak_count`. `summary` is announced: "24 pictures, 12 ms".
    `hint` tells what of the text was not understood. `problem` is the sentence for a search that could not be run.
    `more_url` loads the next tiles, which `announcement` tells. `fetch_url` is the address of a picture that was typed
    in place of words; nothing has been fetched yet. `saving_urls` are (format, address) of the results as a file.
    `sorts` are the orders there are (value, label), and `sort` the one that is chosen. `found_by` is by what a text can
    be found, and `by` what is chosen. `counted` says what the facets count. `may_change` is false for who may change
    none of the pictures. `copies` is the choice whether copies are stacked, None where nothing would be. `libraries`,
    `library` and `deleted_library` are for the first pictures, as in UploadPage.
    """

    shell: Shell
    text: str
    asked: bool
    chips: tuple[Chip, ...]
    clear_url: str
    heading: str
    query_fields: tuple[tuple[str, str], ...]
    facets: tuple[Facet, ...]
    ranges: RangeFields
    tiles: tuple[Tile, ...]
    weak_tiles: tuple[Tile, ...]
    weak_count: int
    summary: str
    verdict: Literal["match", "weak", "none", ""]
    hint: str
    problem: str
    empty: Emptiness | None
    library_is_empty: bool
    more_url: str | None
    permalink: str
    add_to: str = ""
    before: str = ""
    page_url: str = ""
    sorts: tuple[tuple[str, str], ...] = ()
    sort: str = ""
    may_save: bool = True
    found_by: tuple[tuple[str, str], ...] = ()
    by: str = ""
    counted: str = ""
    fetch_url: str = ""
    saving_urls: tuple[tuple[str, str], ...] = ()
    announcement: str = ""
    copies: Choice | None = None
    may_change: bool = True
    libraries: tuple[tuple[str, str], ...] = ()
    library: str = ""
    deleted_library: tuple[str, str] | None = None
    colors: ColorFields = field(default_factory=ColorFields)


@dataclass(frozen=True)
class RegionPage:
    """`/region`. `width` and `height` are those of the picture; `sides` are name and value, in percent, of its part."""

    shell: Shell
    name: str
    picture_url: str
    width: int
    height: int
    sides: tuple[tuple[str, str], ...]
    query_fields: tuple[tuple[str, str], ...]
    back_url: str
    problem: str = ""


@dataclass(frozen=True)
class Fact:
    """A line of a table of facts."""

    name: str
    value: str


@dataclass(frozen=True)
class StoreHealth:
    """A store as /status tells it: `address` without secrets; "" for who does not look after the server."""

    name: str
    address: str
    healthy: bool
    sentence: str


@dataclass(frozen=True)
class FailedImage:
    """An image whose analysis failed, with its sentence."""

    url: str
    filename: str
    sentence: str


@dataclass(frozen=True)
class EncoderChange:
    """The encoder that is being filled: the `share` that is done, 0 to 1, in words, and how long it will take."""

    name: str
    share: float
    sentence: str
    resting: bool


@dataclass(frozen=True)
class StatusPage:
    """`/status`. `counts` are (state in words, number as text); `remaining` is a sentence or "".

    `may_retry` is whether to offer to analyze again what failed, `may_change_encoder` whether to offer to pause or end
    a change of encoder.
    """

    shell: Shell
    headline: str
    counts: tuple[tuple[str, str], ...]
    remaining: str
    failed: tuple[FailedImage, ...]
    failed_count: int
    encoder_facts: tuple[Fact, ...]
    encoder_advice: str
    stores: tuple[StoreHealth, ...]
    sizes: tuple[Fact, ...]
    version: str
    waiting: bool
    may_retry: bool = True
    change: EncoderChange | None = None
    may_change_encoder: bool = False
    paused_banks: tuple[PausedBank, ...] = ()


@dataclass(frozen=True)
class TrashPage:
    """`/trash`: deleted images that can be restored. `older_url` lists the next ones, `may_purge` offers the end."""

    shell: Shell
    explanation: str
    tiles: tuple[Tile, ...]
    older_url: str | None
    may_purge: bool = True


@dataclass(frozen=True)
class SelectionPage:
    """The page that asks before many pictures are deleted, for good or not, or tagged, without JavaScript."""

    shell: Shell
    action: Literal["delete", "purge", "tag"]
    question: str
    button: str
    tiles: tuple[Tile, ...]
    back_url: str


@dataclass(frozen=True)
class ErrorPage:
    """Any error, for people: `title` in a few words, `sentence` says what to do, `login_url` is where if they must.

    `retry_url` is where the same is tried once more, "" where that is of no use.
    """

    shell: Shell
    title: str
    sentence: str
    status: int
    login_url: str = ""
    retry_url: str = ""
