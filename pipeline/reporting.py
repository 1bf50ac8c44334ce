"""Telling the moderators of a library that a picture should be looked at.

Whoever may see a picture may report it. Who has reported what, only moderators learn.
"""

from datetime import UTC, datetime, timedelta

from pipeline import holding
from pipeline.access import GONE, check_reading
from pipeline.backend import Backend
from pipeline.errors import Conflict, ImageNotFound, NotAllowed, TooManyAttempts
from pipeline.images import ImageRecord, ImageState
from pipeline.labels import clean_reason
from pipeline.principals import Principal, Scope
from pipeline.stores import records_cases, records_image_audit, records_images, records_principals
from pipeline.stores.records_audit import Event
from pipeline.stores.records_cases import REPORTED

MOST_REPORTS = 20
"""Reports that one person may make in an hour: more than anybody who looks at pictures makes, and few for a script."""

REPORTS_WINDOW = timedelta(hours=1)


def report(backend: Backend, image_id: str, principal: Principal, reason: str) -> ImageRecord:
    """Report a picture to its moderators; return it as it is then.

    When as many different people have done so as the settings say, it is held until it has been looked at. Raises
    InvalidQuery without a reason, ImageNotFound, Conflict for who has reported it before, and TooManyAttempts.
    """
    check_reading(principal)
    if principal.scopes <= {Scope.READ}:
        raise NotAllowed("This token is for looking only, and not for reporting. It would need the scope “moderate”.")
    reason = clean_reason(reason)
    enough = backend.settings.hold_reported_after
    with backend.database.write() as connection:
        principal = records_principals.current(connection, principal)
        images = records_images.get_present(connection, [image_id], principal)
        if not images:
            raise ImageNotFound(GONE)
        image = images[0]
        if image.state == ImageState.HELD or records_cases.has_reported(connection, image.row, principal.person_id):
            raise Conflict("This picture waits for a moderator already. Thank you for telling.")
        since = datetime.now(UTC) - REPORTS_WINDOW
        if records_cases.reports_since(connection, principal.person_id, since) >= MOST_REPORTS:
            seconds = int(REPORTS_WINDOW.total_seconds())
            sentence = "You have reported many pictures within an hour. Please report others later."
            raise TooManyAttempts(sentence, retry_seconds=seconds)
        records_image_audit.add(connection, principal, Event.IMAGES_REPORTED, images, reason=reason)
        records_cases.add(
            connection, image.row, REPORTED, reason, reporter_id=principal.person_id, reporter=principal.name
        )
        if enough and records_cases.count_reporters(connection, image.row) >= enough:
            holding.withhold(connection, image.row, holding.REPORTED_WORDS)
        return records_images.get_by_rows(connection, [image.row])[0]
