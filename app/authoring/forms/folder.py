"""Many plain forms at once: each becomes a draft or a reason why not, and all are counted."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.authoring.errors import BenchRefused
from app.authoring.forms.classify import Class
from app.authoring.forms.draft import DECIDE, Draft, draft_of
from app.authoring.forms.reading import PlainForm, read_forms
from app.policy import PolicyFileFaults, load_policy

DrugKeys = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Brought:
    """One form: its draft, or why there is none (`reason`)."""

    file: str
    title: str
    draft: Draft | None
    reason: str | None


def bring(
    form: PlainForm, drug_keys: DrugKeys, in_force: dt.date, drug: str = "", indication: str = ""
) -> Draft:
    """A form as a draft that loads; the drug is looked for in the title where none is given.

    Raises BenchRefused where no drug, or more than one, is found there.
    """
    key = drug or drug_in(form.title, drug_keys)
    if key not in drug_keys:
        raise BenchRefused(
            f"“{form.title}” names no drug of the dictionary, or several."
            f"{_nearest(form.title, drug_keys)} Say --drug KEY; the keys are "
            f"{', '.join(sorted(drug_keys))}."
        )
    others = [name.replace("-", " ") for name in drug_keys if name != key]
    draft = draft_of(form, key, indication or form.title, in_force, others)
    load_policy(draft.text, f"{draft.policy}.yaml", drug_keys)
    return draft


def drug_in(title: str, drug_keys: Iterable[str]) -> str:
    """The one drug that a title names; empty where it names none or several."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower())
    found = [key for key in drug_keys if re.search(rf"(^|-){re.escape(key)}(-|$)", words)]
    longest = [key for key in found if not any(key in other and key != other for other in found)]
    return longest[0] if len(longest) == 1 else ""


def _nearest(title: str, drug_keys: Iterable[str]) -> str:
    """A question about a drug's name that a title may have misspelt; never taken as the answer."""
    keys = list(drug_keys)
    for word in re.findall(r"[a-z]{6,}", title.lower()):
        near = difflib.get_close_matches(word, keys, n=1, cutoff=0.8)
        if near:
            return f" Is “{word}” {near[0]}?"
    return ""


def bring_all(
    files: Iterable[tuple[str, Callable[[], bytes]]], drug_keys: DrugKeys, in_force: dt.date
) -> Iterator[Brought]:
    """Every form of every file, a file at a time; what cannot be read does not stop the rest."""
    taken: dict[str, str] = {}
    for name, read in files:
        try:
            forms: Sequence[PlainForm] = read_forms(read(), name)
        except BenchRefused as error:
            yield Brought(name, "", None, str(error))
            continue
        for form in forms:
            yield _one(form, drug_keys, in_force, taken)


def _one(form: PlainForm, drug_keys: DrugKeys, in_force: dt.date, taken: dict[str, str]) -> Brought:
    try:
        draft = bring(form, drug_keys, in_force)
    except BenchRefused as error:
        said = str(error).partition("; the keys are")[0].rstrip(".")
        return Brought(form.file, form.title, None, f"{said}.")
    except PolicyFileFaults as error:
        return Brought(form.file, form.title, None, str(error.faults[0]))
    if draft.policy in taken:
        reason = (
            f"the same drug and indication as {taken[draft.policy]}. Is it a duplicate, a rival "
            "wording or another line of treatment? Import it alone with --indication."
        )
        return Brought(form.file, form.title, None, reason)
    taken[draft.policy] = form.file
    return Brought(form.file, form.title, draft, None)


def summary_lines(all_brought: Sequence[Brought]) -> Iterator[str]:
    """A Markdown page: a row for each form, what the statements are, and what was not brought."""
    drafts = [(each, each.draft) for each in all_brought if each.draft is not None]
    yield "| form | draft | statements | to be decided |"
    yield "|---|---|---:|---:|"
    for each, draft in drafts:
        marks = draft.text.count(f"# {DECIDE}: ")
        title = each.title.replace("|", "/")
        yield f"| {title} | `{draft.policy}` | {len(draft.statements)} | {marks} |"
    yield ""
    yield from _classes([draft for _, draft in drafts])
    refused = [each for each in all_brought if each.draft is None]
    for each in refused:
        reason = (each.reason or "").removeprefix(f"{each.file}: ")
        named = f"{each.file}: “{each.title}”" if each.title else each.file
        yield f"Not brought over: {named}: {reason}"
    yield f"{len(drafts)} forms brought over as drafts, {len(refused)} not."


def _classes(drafts: Sequence[Draft]) -> Iterator[str]:
    statements = [each for draft in drafts for each in draft.statements]
    counted = Counter(each.what for each in statements)
    yield "| class | statements |"
    yield "|---|---:|"
    for what in Class:
        yield f"| {what} | {counted[what]} |"
    known = Counter(each.boilerplate for each in statements if each.boilerplate)
    for name, count in sorted(known.items()):
        yield f"| of them boilerplate: {name} | {count} |"
    yield ""
