"""The ledger's own result: every claim of the site, what it rests on, and the counts.

It reads the committed results of the other experiments and runs nothing again; whether those
still come out the same is their own check.
"""

from __future__ import annotations

from typing import Any

from experiments import run as runner
from experiments._claim import Claim, ClaimError, claims_of


def all_claims() -> dict[str, list[Claim]]:
    """The claims by their experiment; an id that two of them share is an error."""
    found: dict[str, list[Claim]] = {}
    owner: dict[str, str] = {}
    for name in runner.names():
        for claim in claims_of(runner.load(name)):
            if claim.id in owner:
                raise ClaimError(f"claim {claim.id}: in {owner[claim.id]} and in {name}")
            owner[claim.id] = name
            found.setdefault(name, []).append(claim)
    return found


def repeats(claim: Claim, result: dict[str, Any]) -> int | None:
    """Over how many seeds or draws a claim was measured, None where nothing is random."""
    value: Any = result
    for step in claim.runs.split(".") if claim.runs else []:
        value = value[step]
    return int(value) if claim.runs else None


def run() -> dict[str, Any]:
    listed: dict[str, Any] = {}
    for name, claims in all_claims().items():
        result = runner.read_result(name)
        for claim in claims:
            listed[claim.id] = {
                "experiment": name,
                "kind": claim.exact or "measured",
                "repeats": repeats(claim, result),
                "holds": claim.holds(result),
            }
    measured = [c["repeats"] for c in listed.values() if c["kind"] == "measured"]
    return {
        "claims": listed,
        "total": {
            "claims": len(listed),
            "experiments": len({c["experiment"] for c in listed.values()}),
            "measured": len(measured),
            "exact": len(listed) - len(measured),
            "hold": sum(c["holds"] for c in listed.values()),
            "repeats_min": min(measured, default=None),
        },
    }
