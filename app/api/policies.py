"""The policy library: what each policy asks and what it decides by."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.api.callers import door_of, signed_in
from app.api.policies_model import FormDocument, PolicyDocument, PolicyList, VersionDocument
from app.api.policies_view import (
    form_document,
    policy_document,
    policy_summary,
    version_document,
)
from app.api.routing import StrictRoute
from app.api.types import OrganisationCode
from app.approvals.library import Library
from app.approvals.office import Office
from app.policy import Kind, readable

router = APIRouter(
    prefix="/v1/policies",
    tags=["policies"],
    route_class=StrictRoute,
    dependencies=[Depends(signed_in)],
)

PolicyKey = Annotated[
    str,
    Path(
        pattern="^[a-z0-9]+(-[a-z0-9]+)*$",
        max_length=80,
        description="A policy's key, as the list of policies gives it",
        examples=["natalizumab-rrms-res"],
    ),
]
VersionNumber = Annotated[
    str,
    Path(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[1-9][0-9]?)?$",
        max_length=20,
        description="A version's number: the day it came in force, and .N for a correction",
        examples=["2024-05-01"],
    ),
]
KindOfRequest = Annotated[
    Kind,
    Query(description="The kind of request whose questions are wanted", examples=["initiation"]),
]
WithOverlayOf = Annotated[
    OrganisationCode | None,
    Query(description="With this commissioner's newest overlay on the version, if it has one"),
]


def library_of(request: Request) -> Library:
    """The policy library as it stands: packaged, and published into the database."""
    office = request.app.state.office
    assert isinstance(office, Office)
    return door_of(request).read(office.library_at)


ThisLibrary = Annotated[Library, Depends(library_of)]


@router.get("", summary="List the policies")
def list_policies(library: ThisLibrary) -> PolicyList:
    """Every policy of the library, in alphabetical order of its key, as its newest version says."""
    return PolicyList(policies=[policy_summary(library.versions(p)) for p in library.usable()])


@router.get("/{policy}", summary="Show a policy and its versions")
def show_policy(library: ThisLibrary, policy: PolicyKey) -> PolicyDocument:
    """A policy with all its versions, oldest first."""
    return policy_document(library.versions(policy), library.overlays(policy))


@router.get("/{policy}/versions/{version}", summary="Show a policy version")
def show_version(
    library: ThisLibrary,
    policy: PolicyKey,
    version: VersionNumber,
    commissioner: WithOverlayOf = None,
) -> VersionDocument:
    """One version in full: criteria with their sources, questions, and the terms of an approval."""
    return version_document(library.shown(policy, version, commissioner))


@router.get("/{policy}/versions/{version}/questions", summary="Show a version's questions")
def show_questions(
    library: ThisLibrary,
    policy: PolicyKey,
    version: VersionNumber,
    kind: KindOfRequest,
    commissioner: WithOverlayOf = None,
) -> FormDocument:
    """The questions that a kind of request asks: enough to draw the form from."""
    return form_document(library.shown(policy, version, commissioner), kind)


@router.get(
    "/{policy}/versions/{version}/text",
    summary="Read a policy version",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
)
def show_text(
    library: ThisLibrary,
    policy: PolicyKey,
    version: VersionNumber,
    commissioner: WithOverlayOf = None,
) -> Response:
    """One version as text for people, in Markdown."""
    return Response(
        readable(library.shown(policy, version, commissioner)),
        headers={"Content-Type": "text/markdown; charset=utf-8"},
    )
