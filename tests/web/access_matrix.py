"""Every route, and what each kind of visitor is answered: the rows that `test_access_matrix` tries one by one.

All of it is about a library called "shared". Viewer, uploader, moderator and owner are its members; the stranger owns
another library; the administrator looks after people and is in no library. The tokens belong to the owner and were
made for one scope each; those to moderate and to manage can read as well. A picture named by `{image_id}` was uploaded
by somebody else again, so that nobody owns it but by role; a saved search named by `{search_id}` is kept by them too.

`L` is a redirect to the login. A number is the status of the answer. Whatever is answered with less than 400 has
worked; of all others the test makes sure that nothing was changed and nothing told.
"""

VISITORS = (
    "anonymous",
    "viewer",
    "uploader",
    "moderator",
    "owner",
    "stranger",
    "administrator",
    "token: read",
    "token: upload",
    "token: moderate",
    "token: manage",
)

MATRIX = """
                                                            anon view upld mod  own  strn admn  read upld mod  mng
GET    /                                                    L    200  200  200  200  200  200   L    L    L    L
POST   /search                                              401  303  303  303  303  303  303   401  401  401  401
POST   /language                                            303  303  303  303  303  303  303   303  303  303  303
GET    /region                                              L    422  422  422  422  422  422   L    L    L    L
GET    /results.json                                        L    200  200  200  200  200  200   L    L    L    L
GET    /results.csv                                         L    200  200  200  200  200  200   L    L    L    L
GET    /pictures/{key}                                      L    200  200  200  200  200  200   L    L    L    L
GET    /upload                                              L    200  200  200  200  200  200   L    L    L    L
GET    /upload/changes                                      L    200  200  200  200  200  200   L    L    L    L
POST   /upload                                              401  403  303  303  303  422  403   401  401  401  401
POST   /upload/choose                                       401  403  403  303  303  404  404   401  401  401  401
POST   /upload/undo/{used_batch}                            401  403  403  303  303  404  404   401  401  401  401
GET    /images/{image_id}                                   L    200  200  200  200  404  404   L    L    L    L
GET    /images/{image_id}/stack                             L    200  200  200  200  404  404   L    L    L    L
GET    /images/{deleted_id}/stack                           L    404  404  404  404  404  404   L    L    L    L
GET    /images/{held_id}/stack                              L    404  404  404  404  404  404   L    L    L    L
GET    /images/{deleted_id}                                 L    404  404  200  200  404  404   L    L    L    L
GET    /images/{held_id}                                    L    404  404  200  200  404  404   L    L    L    L
GET    /images/{held_id}/thumbnail                          L    404  404  200  200  404  404   L    L    L    L
GET    /images/{held_id}/original                           L    404  404  200  200  404  404   L    L    L    L
GET    /images/{image_id}/thumbnail                         L    200  200  200  200  404  404   L    L    L    L
GET    /images/{image_id}/original                          L    200  200  200  200  404  404   L    L    L    L
POST   /images/{image_id}/edit                              401  403  403  303  303  404  404   401  401  401  401
POST   /images/{image_id}/delete                            401  403  403  303  303  404  404   401  401  401  401
POST   /images/{deleted_id}/restore                         401  404  404  303  303  404  404   401  401  401  401
POST   /images/{image_id}/retry                             401  403  403  303  303  404  404   401  401  401  401
POST   /images/{held_id}/edit                               401  404  404  303  303  404  404   401  401  401  401
POST   /images/{held_id}/delete                             401  404  404  303  303  404  404   401  401  401  401
POST   /images/{image_id}/report                            401  303  303  303  303  404  404   401  401  401  401
POST   /images/{held_id}/report                             401  404  404  409  409  404  404   401  401  401  401
POST   /images/{image_id}/hold                              401  403  403  303  303  404  404   401  401  401  401
GET    /moderation                                          L    403  403  200  200  200  403   L    L    L    L
POST   /moderation/veil                                     401  403  403  303  303  303  403   401  401  401  401
POST   /moderation/ask                                      401  403  403  200  200  404  404   401  401  401  401
POST   /moderation/settle                                   401  403  403  303  303  404  404   401  401  401  401
POST   /moderation/undo/{batch}                             401  403  403  303  303  409  403   401  401  401  401
POST   /selection                                           401  403  403  303  303  404  404   401  401  401  401
GET    /status                                              L    200  200  200  200  200  200   L    L    L    L
POST   /status/retry                                        401  303  303  303  303  303  303   401  401  401  401
POST   /status/encoder                                      401  403  403  403  403  403  409   401  401  401  401
GET    /trash                                               L    200  200  200  200  200  200   L    L    L    L

POST   /api/v1/images                                       401  403  201  201  201  422  403   403  201  403  403
GET    /api/v1/images                                       401  200  200  200  200  200  200   200  403  200  200
GET    /api/v1/images/{image_id}                            401  200  200  200  200  404  404   200  403  200  200
PATCH  /api/v1/images/{image_id}                            401  403  403  200  200  404  404   403  403  200  403
DELETE /api/v1/images/{image_id}                            401  403  403  204  204  404  404   403  403  204  403
POST   /api/v1/images/{deleted_id}/restore                  401  404  404  200  200  404  404   404  403  200  404
GET    /api/v1/images/{deleted_id}                          401  404  404  404  404  404  404   404  403  404  404
GET    /api/v1/images/{image_id}/original                   401  200  200  200  200  404  404   200  403  200  200
GET    /api/v1/images/{image_id}/thumbnail                  401  200  200  200  200  404  404   200  403  200  200
GET    /api/v1/images/{held_id}                             401  404  404  200  200  404  404   404  403  200  404
GET    /api/v1/images/{held_id}/original                    401  404  404  200  200  404  404   404  403  200  404
GET    /api/v1/images/{held_id}/thumbnail                   401  404  404  200  200  404  404   404  403  200  404
PATCH  /api/v1/images/{held_id}                             401  404  404  200  200  404  404   404  403  200  404
DELETE /api/v1/images/{held_id}                             401  404  404  204  204  404  404   404  403  204  404
POST   /api/v1/images/{image_id}/report                     401  204  204  204  204  404  404   403  403  204  204
GET    /api/v1/moderation                                   401  403  403  200  200  200  403   403  403  200  403
POST   /api/v1/moderation/approve                           401  403  403  200  200  404  404   403  403  200  403
POST   /api/v1/moderation/remove                            401  403  403  200  200  404  404   403  403  200  403
POST   /api/v1/moderation/escalate                          401  403  403  200  200  404  404   403  403  200  403
POST   /api/v1/moderation/hold                              401  403  403  200  200  404  404   403  403  200  403
POST   /api/v1/moderation/undo                              401  403  403  200  200  409  403   403  403  200  403
POST   /api/v1/search                                       401  200  200  200  200  200  200   200  403  200  200
GET    /api/v1/status                                       401  200  200  200  200  200  200   200  403  200  200
GET    /api/v1/libraries                                    401  200  200  200  200  200  200   200  403  200  200
POST   /api/v1/libraries                                    401  201  201  201  201  201  201   403  403  403  201
GET    /api/v1/libraries/{library}                          401  200  200  200  200  404  404   200  403  200  200
PATCH  /api/v1/libraries/{library}                          401  403  403  403  200  404  404   403  403  403  200
DELETE /api/v1/libraries/{library}                          401  403  403  403  204  404  404   403  403  403  204
POST   /api/v1/libraries/{deleted_library}/restore          401  404  404  404  200  404  404   404  404  404  200
GET    /api/v1/libraries/{library}/members                  401  200  200  200  200  404  404   200  403  200  200
POST   /api/v1/libraries/{library}/members                  401  403  403  403  201  404  404   403  403  403  201
PATCH  /api/v1/libraries/{library}/members/{person_id}      401  403  403  403  200  404  404   403  403  403  200
DELETE /api/v1/libraries/{library}/members/{person_id}      401  403  403  403  204  404  404   403  403  403  204
GET    /api/v1/searches                                     401  200  200  200  200  200  200   200  403  200  200
POST   /api/v1/searches                                     401  201  201  201  201  201  201   403  403  403  201
GET    /api/v1/searches/{search_id}                         401  404  404  404  404  404  404   404  403  404  404
PATCH  /api/v1/searches/{search_id}                         401  404  404  404  404  404  404   403  403  403  404
DELETE /api/v1/searches/{search_id}                         401  404  404  404  404  404  404   403  403  403  404
GET    /api/v1/duplicates                                   401  200  200  200  200  200  200   200  403  200  200
GET    /api/v1/duplicates/same-scene                        401  200  200  200  200  200  200   200  403  200  200
GET    /api/v1/duplicates/decisions                         401  403  403  200  200  200  403   403  403  200  403
GET    /api/v1/duplicates/decisions/export                  401  403  403  200  200  200  403   403  403  200  403
POST   /api/v1/duplicates/decisions                         401  403  403  200  200  404  404   403  403  200  403
POST   /api/v1/duplicates/undo                              401  403  403  200  200  404  404   403  403  200  403
GET    /api/v1/duplicates/identical                         401  403  200  200  200  200  403   403  403  200  403
POST   /api/v1/duplicates/identical                         401  403  200  200  200  200  403   403  403  200  403
GET    /api/v1/duplicates/{group_id}                        401  200  200  200  200  404  404   200  403  200  200
POST   /api/v1/duplicates/{group_id}/claim                  401  403  403  200  200  404  404   403  403  200  403
POST   /api/v1/duplicates/{group_id}/release                401  403  204  204  204  204  403   403  403  204  403
POST   /api/v1/duplicates/{asked_group_id}/settle           401  403  403  200  200  404  404   403  403  200  403
GET    /api/v1/docs                                         L    200  200  200  200  200  200   200  200  200  200
GET    /api/v1/openapi.json                                 200  200  200  200  200  200  200   200  200  200  200
POST   /api/v1/compare                                      401  200  200  200  200  404  404   200  403  200  200

GET    /compare                                             L    200  200  200  200  200  200   L    L    L    L
POST   /compare                                             401  422  422  422  422  422  422   401  401  401  401
GET    /duplicates                                          L    200  200  200  200  200  200   L    L    L    L
GET    /duplicates/next                                     L    403  303  303  303  303  403   L    L    L    L
GET    /duplicates/identical                                L    403  200  200  200  200  403   L    L    L    L
POST   /duplicates/identical                                401  403  303  303  303  303  403   401  401  401  401
POST   /duplicates/undo                                     401  403  403  303  303  404  404   401  401  401  401
GET    /duplicates/{group_id}                               L    200  200  200  200  404  404   L    L    L    L
POST   /duplicates/{group_id}                               401  403  403  303  303  404  404   401  401  401  401
POST   /duplicates/{group_id}/claim                         401  403  403  303  303  404  404   401  401  401  401

GET    /livez                                               200  200  200  200  200  200  200   200  200  200  200
GET    /readyz                                              200  200  200  200  200  200  200   200  200  200  200
GET    /metrics                                             L    403  403  403  403  403  200   403  403  403  403
GET    /static/app.css                                      200  200  200  200  200  200  200   200  200  200  200

GET    /login                                               200  303  303  303  303  303  303   200  200  200  200
POST   /login                                               401  401  401  401  401  401  401   401  401  401  401
POST   /logout                                              401  303  303  303  303  303  303   401  401  401  401
GET    /welcome/{password_secret}                           200  200  200  200  200  200  200   200  200  200  200
POST   /welcome/{password_secret}                           303  303  303  303  303  303  303   303  303  303  303
GET    /invitations/{invitation_secret}                     200  200  200  200  200  200  200   200  200  200  200
POST   /invitations/{invitation_secret}                     401  303  303  303  303  303  303   401  401  401  401
POST   /invitations/{invitation_secret}/account             403  403  403  403  403  403  403   403  403  403  403
POST   /invitations/{administrator_secret}/account          303  303  303  303  303  303  303   303  303  303  303
GET    /oidc/start                                          404  404  404  404  404  404  404   404  404  404  404
GET    /oidc/callback                                       404  404  404  404  404  404  404   404  404  404  404

GET    /account                                             L    200  200  200  200  200  200   L    L    L    L
POST   /account/password                                    401  303  303  303  303  303  303   401  401  401  401
POST   /account/sessions/revoke-others                      401  303  303  303  303  303  303   401  401  401  401
POST   /account/sessions/{session_id}/revoke                401  404  404  404  404  404  404   401  401  401  401
POST   /account/tokens                                      401  200  200  200  200  200  200   401  401  401  401
POST   /account/tokens/{token_id}/revoke                    401  404  404  404  404  404  404   401  401  401  401

GET    /people                                              L    403  403  403  403  403  200   L    L    L    L
POST   /people                                              401  403  403  403  403  403  200   401  401  401  401
POST   /people/{person_id}/link                             401  403  403  403  403  403  200   401  401  401  401
POST   /people/{person_id}/deactivate                       401  403  403  403  403  403  303   401  401  401  401
POST   /people/{person_id}/activate                         401  403  403  403  403  403  303   401  401  401  401
POST   /people/{person_id}/administrator                    401  403  403  403  403  403  303   401  401  401  401
GET    /audit                                               L    403  403  403  200  200  200   L    L    L    L
GET    /audit.csv                                           L    403  403  403  200  200  200   L    L    L    L

GET    /searches                                            L    200  200  200  200  200  200   L    L    L    L
POST   /searches                                            401  303  303  303  303  303  303   401  401  401  401
POST   /searches/{search_id}/rename                         401  404  404  404  404  404  404   401  401  401  401
POST   /searches/{search_id}/pause                          401  404  404  404  404  404  404   401  401  401  401
POST   /searches/{search_id}/delete                         401  404  404  404  404  404  404   401  401  401  401
POST   /searches/{search_id}/feed                           401  404  404  404  404  404  404   401  401  401  401
POST   /searches/{search_id}/webhook                        401  404  404  404  404  404  404   401  401  401  401
POST   /searches/{search_id}/webhook/remove                 401  404  404  404  404  404  404   401  401  401  401
POST   /searches/{search_id}/webhook/retry                  401  404  404  404  404  404  404   401  401  401  401
GET    /feeds/{feed_key}.atom                               200  200  200  200  200  200  200   200  200  200  200
GET    /feeds/{feed_key}.json                               200  200  200  200  200  200  200   200  200  200  200

GET    /banks                                               L    403  403  200  200  200  200   L    L    L    L
POST   /banks                                               401  403  403  403  303  404  404   401  401  401  401
GET    /banks/{bank_id}                                     L    404  404  200  200  404  404   L    L    L    L
GET    /banks/{bank_id}/hashes.csv                          L    404  404  200  200  404  404   L    L    L    L
GET    /banks/{bank_id}/entries/{entry_id}/thumbnail        L    404  404  200  200  404  404   L    L    L    L
POST   /banks/{bank_id}/settings                            401  404  404  403  303  404  404   401  401  401  401
POST   /banks/{bank_id}/pause                               401  404  404  303  303  404  404   401  401  401  401
POST   /banks/{bank_id}/resume                              401  404  404  303  303  404  404   401  401  401  401
POST   /banks/{bank_id}/delete                              401  404  404  403  303  404  404   401  401  401  401
POST   /banks/{bank_id}/pictures                            401  404  404  303  303  404  404   401  401  401  401
POST   /banks/{bank_id}/hashes                              401  404  404  303  303  404  404   401  401  401  401
POST   /banks/{bank_id}/try                                 401  404  404  200  200  404  404   401  401  401  401
POST   /banks/{bank_id}/hold                                401  404  404  303  303  404  404   401  401  401  401
POST   /banks/{bank_id}/entries/{entry_id}/remove           401  404  404  303  303  404  404   401  401  401  401
POST   /banks/{bank_id}/entries/{entry_id}/change           401  404  404  303  303  404  404   401  401  401  401
POST   /images/{image_id}/bank                              401  403  403  303  303  404  404   401  401  401  401
GET    /api/v1/banks                                        401  403  403  200  200  200  200   200  403  200  200
POST   /api/v1/banks                                        401  403  403  403  201  404  404   403  403  403  201
GET    /api/v1/banks/{bank_id}                              401  404  404  200  200  404  404   200  403  200  200
PATCH  /api/v1/banks/{bank_id}                              401  404  404  403  200  404  404   403  403  403  200
DELETE /api/v1/banks/{bank_id}                              401  404  404  403  204  404  404   403  403  403  204
GET    /api/v1/banks/{bank_id}/entries                      401  404  404  200  200  404  404   200  403  200  200
POST   /api/v1/banks/{bank_id}/entries                      401  404  404  201  201  404  404   403  403  201  403
POST   /api/v1/banks/{bank_id}/pictures                     401  404  404  201  201  404  404   403  403  201  403
POST   /api/v1/banks/{bank_id}/hashes                       401  404  404  201  201  404  404   403  403  201  403
GET    /api/v1/banks/{bank_id}/hashes.csv                   401  404  404  200  200  404  404   200  403  200  200
PATCH  /api/v1/banks/{bank_id}/entries/{entry_id}           401  404  404  200  200  404  404   403  403  200  403
DELETE /api/v1/banks/{bank_id}/entries/{entry_id}           401  404  404  204  204  404  404   403  403  204  403
GET    /api/v1/banks/{bank_id}/matches                      401  404  404  200  200  404  404   200  403  200  200
POST   /api/v1/banks/{bank_id}/try                          401  404  404  200  200  404  404   403  403  200  403
GET    /api/v1/banks/{bank_id}/hold                         401  404  404  200  200  404  404   403  403  200  403
POST   /api/v1/banks/{bank_id}/hold                         401  404  404  200  200  404  404   403  403  200  403

GET    /libraries                                           L    200  200  200  200  200  200   L    L    L    L
POST   /libraries                                           401  303  303  303  303  303  303   401  401  401  401
GET    /libraries/{library}                                 L    200  200  200  200  404  404   L    L    L    L
POST   /libraries/{library}/rename                          401  403  403  403  303  404  404   401  401  401  401
POST   /libraries/{library}/delete                          401  403  403  403  303  404  404   401  401  401  401
POST   /libraries/{deleted_library}/restore                 401  404  404  404  303  404  404   401  401  401  401
POST   /libraries/{library}/leave                           401  303  303  303  303  404  404   401  401  401  401
POST   /libraries/{library}/members                         401  403  403  403  303  404  404   401  401  401  401
POST   /libraries/{library}/members/{person_id}/role        401  403  403  403  303  404  404   401  401  401  401
POST   /libraries/{library}/members/{person_id}/remove      401  403  403  403  303  404  404   401  401  401  401
POST   /libraries/{library}/invitations                     401  403  403  403  200  404  404   401  401  401  401
POST   /libraries/{library}/invitations/{link_id}/revoke    401  403  403  403  303  404  404   401  401  401  401
"""


def rows() -> dict[tuple[str, str], dict[str, str]]:
    """Return (method, path) -> visitor -> expected answer."""
    found = {}
    for line in filter(str.strip, MATRIX.splitlines()[2:]):
        method, path, *answers = line.split()
        found[method, path] = dict(zip(VISITORS, answers, strict=True))
    return found


SAME_PARAMETER = {
    "deleted_id": "image_id",
    "held_id": "image_id",
    "used_batch": "batch",
    "deleted_library": "library",
    "asked_group_id": "group_id",
    "password_secret": "secret",
    "invitation_secret": "secret",
    "administrator_secret": "secret",
}
"""Several kinds of things go into one parameter of a route; the matrix names them apart."""


def route_path(path: str) -> str:
    """Return the path of a row as the route itself has it."""
    for kind, parameter in SAME_PARAMETER.items():
        path = path.replace(f"{{{kind}}}", f"{{{parameter}}}")
    return path
