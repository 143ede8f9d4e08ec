"""The rules of a shared HTTP cache against the RFCs' text: the tables of tests/conformance/http, which the C++ tests read as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.http_case import NOW, headers, lines, plain, text
from tiercel._core import HttpReading, HttpResource, HttpReuse, HttpVerdict

TABLES = sorted((Path(__file__).parents[1] / "conformance" / "http").glob("*.json"))
Case = dict[str, Any]


def fields(case: Case, name: str = "headers") -> list[tuple[bytes, bytes]]:
    return headers(case.get(name, []))


def profile(case: Case) -> str:
    return str(case.get("profile", "safe"))


def elements(case: Case) -> Any:
    found, closed = HttpReading.elements(text(case["text"]))
    return plain(found) if closed else [None, *plain(found)]


def vary(case: Case) -> Any:
    names = HttpReading.vary(fields(case))
    return "*" if names is None else plain(names)


def same_variant(case: Case) -> bool:
    return HttpReading.variant(case["names"], fields(case, "a")) == HttpReading.variant(
        case["names"], fields(case, "b")
    )


def governing(case: Case) -> Any:
    said, targeted = HttpReading.governing(fields(case), case.get("targeted", []), profile(case))
    return {**said, "targeted": True} if targeted else said


def initial_age(case: Case) -> int:
    now = case.get("now", NOW)
    return HttpReading.initial_age(fields(case), now - case.get("delay", 0), now)


def decided(case: Case) -> HttpVerdict:
    return HttpReuse.decide(
        case.get("status", 200),
        fields(case, "response"),
        get=case.get("method", "GET") == "GET",
        credentialed=case.get("credentialed", False),
        delay=case.get("delay", 0),
        lifetime=case.get("default"),
        stale=case.get("default-stale", 0),
        profile=profile(case),
        targeted=case.get("targeted", []),
        keep=case.get("keep", 0),
        now=NOW,
    )


def stored(case: Case) -> Any:
    verdict = decided(case)
    if verdict.refusal is not None:
        return verdict.refusal
    said: dict[str, Any] = {"fresh": verdict.fresh_for, "by": verdict.source}
    if verdict.stale_for:
        said["stale-if-error"] = verdict.stale_for
    if verdict.stale_while_revalidate:
        said["stale-while-revalidate"] = verdict.stale_while_revalidate
    if verdict.is_public:
        said["public"] = True
    if verdict.vary:
        said["vary"] = plain(verdict.vary)
    return said


def served(case: Case) -> Any:
    request, now = fields(case, "request"), NOW + case.get("after", 0)
    if "failure" in case:
        return plain(HttpReuse.in_place_of(case["failure"], request, decided(case), NOW, now, profile(case)))
    return plain(HttpReuse.may_serve(request, decided(case), NOW, now, profile(case)))


def not_modified(case: Case) -> bool:
    kept = case["stored"]
    return HttpReuse.not_modified(
        fields(case, "request"), fields(kept), kept.get("status", 200), kept.get("received", NOW), NOW, profile(case)
    )


def range_of(case: Case) -> Any:
    kept = case["stored"]
    part = HttpReuse.range_of(
        fields(case, "request"), fields(kept), text(kept["body"]), kept.get("status", 200), NOW, profile(case)
    )
    return plain(part) or "whole"


def head_says(case: Case) -> str:
    kept = case["stored"]
    return HttpReuse.head_says(case["status"], fields(case, "head"), fields(kept), text(kept["body"]))


def forwarded(case: Case) -> Any:
    host, scheme, digest = HttpResource.forwarded(case["trusted"], fields(case))
    return [plain(host), plain(scheme), bool(digest)]


def key(case: Case) -> Any:
    parts = [text(case.get(name, default)) for name, default in (("host", "a.example"), ("path", "/"), ("query", ""))]
    host, path, query = parts
    return plain(HttpResource.key("http", host, case.get("root_path", ""), path, query, profile(case), b""))


def tags(case: Case) -> Any:
    names, fault = HttpResource.tags(fields(case), "http://a.example")
    return fault or plain(names)


def groups_invalidated(case: Case) -> Any:
    names, fault = HttpResource.groups_invalidated(fields(case), "http://a.example")
    return fault or plain(names)


def cache_status(case: Case) -> Any:
    return plain(
        HttpResource.cache_status(
            forward=case.get("fwd", "hit"),
            forward_status=case.get("fwd-status"),
            ttl=case.get("ttl"),
            stored=case.get("stored", False),
            collapsed=case.get("collapsed", False),
            key=text(case.get("key", "")),
            detail=text(case.get("detail", "")),
            before=text(case.get("before", "")),
            cache=text(case.get("cache", "Tiercel")),
        )
    )


RULES: dict[str, Callable[[Case], Any]] = {
    "delta-seconds": lambda c: HttpReading.delta_seconds(text(c["text"])),
    "date": lambda c: HttpReading.date(text(c["text"]), c.get("now", NOW)),
    "elements": elements,
    "content-length": lambda c: HttpReading.content_length(fields(c)),
    "cache-control": lambda c: HttpReading.cache_control(fields(c)),
    "request-control": lambda c: HttpReading.request_control(fields(c)),
    "targeted": lambda c: HttpReading.targeted(fields(c), "tiercel-cache-control"),
    "governing": governing,
    "sf-item": lambda c: plain(HttpReading.sf_item(text(c["text"]))),
    "sf-list": lambda c: plain(HttpReading.sf_list(text(c["text"]))),
    "sf-dictionary": lambda c: plain(HttpReading.sf_dictionary(text(c["text"]))),
    "sf-string": lambda c: plain(HttpReading.sf_string(text(c["text"]))),
    "vary": vary,
    "same-variant": same_variant,
    "initial-age": initial_age,
    "current-age": lambda c: HttpReading.current_age(c["initial"], 1000, 1000 + c["after"]),
    "etag": lambda c: plain(HttpReading.entity_tag(text(c["text"]))),
    "etags": lambda c: plain(HttpReading.entity_tags(text(c["text"]))),
    "etag-comparison": lambda c: plain(HttpReading.equal_tags(text(c["a"]), text(c["b"]))),
    "weak-etag": lambda c: plain(HttpReading.weak_etag(fields(c), text(c["body"]))),
    "stored": stored,
    "served": served,
    "heuristically-cacheable": lambda c: HttpReuse.is_heuristically_cacheable(c["status"]),
    "not-modified": not_modified,
    "in-not-modified": lambda c: HttpReuse.is_in_not_modified(c["text"]),
    "in-partial": lambda c: HttpReuse.is_in_partial(c["text"]),
    "range": lambda c: plain(HttpReuse.range(text(c["text"]), c["size"])) or "whole",
    "range-of": range_of,
    "kept": lambda c: lines(HttpReuse.kept(fields(c))),
    "revalidation": lambda c: lines(HttpReuse.revalidation(fields(c["stored"]))),
    "freshened": lambda c: HttpReuse.freshened(fields(c, "fresh"), [headers(one) for one in c["stored"]], NOW),
    "updated": lambda c: lines(HttpReuse.updated(fields(c, "stored"), fields(c, "fresh"))),
    "head-says": head_says,
    "request": lambda c: HttpResource.request(c.get("method", "GET"), fields(c), c.get("ranges", False)),
    "target": lambda c: plain(HttpResource.target(text(c["text"]))),
    "host": lambda c: HttpResource.is_host(text(c["text"])),
    "forwarded": forwarded,
    "without-ignored": lambda c: plain(HttpResource.without_ignored(text(c["text"]), c["ignored"])),
    "key": key,
    "resolved": lambda c: plain(HttpResource.resolved(text(c["base"]), text(c["text"]))),
    "without-dots": lambda c: plain(HttpResource.without_dots(text(c["text"]))),
    "origin": lambda c: plain(HttpResource.origin(c["scheme"], text(c["authority"]))),
    "invalidates": lambda c: HttpResource.invalidates(c["method"], c["status"]),
    "others-invalidated": lambda c: plain(HttpResource.others_invalidated(text(c["target"]), fields(c))),
    "tags": tags,
    "groups-invalidated": groups_invalidated,
    "cache-status": cache_status,
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.stem)
def test_every_case_of_the_table_holds(table: Path) -> None:
    wrong = []
    for case in json.loads(table.read_text(encoding="utf-8"))["cases"]:
        found = RULES[case["rule"]](case)
        if found != case["is"]:
            wrong.append(f"{case['section']}: {case['what']}: {found!r} instead of {case['is']!r}")
    assert not wrong


def test_every_case_names_its_section_and_no_case_is_there_twice() -> None:
    cases = [case for table in TABLES for case in json.loads(table.read_text(encoding="utf-8"))["cases"]]
    sections = ("RFC 9110 ", "RFC 9111 ", "RFC 9112 ", "RFC 9651 ", "RFC 9211 ", "RFC 9213 ", "RFC 9875 ")
    others = ("RFC 5861 ", "RFC 8246 ", "RFC 3986 ", "RFC 7239 ", "Surrogate-Key", "Cache-Tag")
    assert [case for case in cases if not case["section"].startswith(sections + others)] == []
    given = [json.dumps({k: v for k, v in case.items() if k not in ("section", "what", "is")}) for case in cases]
    assert sorted({one for one in given if given.count(one) > 1}) == []
