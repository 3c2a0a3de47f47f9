"""The data dictionary: every canonical signal with its unit, its COVESA VSS path and what each provider gives it from.

Belongs here: the page as text, made from the catalogue and nothing else. `ev signals dictionary` prints it.
"""

from __future__ import annotations

from collections import defaultdict

from ev_platform.signals.catalogue import CanonicalSignal, Catalogue, ProviderSignal

HEAD = """# Data dictionary

Generated from `ev_platform/signals/*.csv` by `ev signals dictionary`; do not edit by hand (a test compares).

The columns of `cleaned`, beside `vin`, `time` (UTC), `provider` and `quality`: unit, physical range, path in the COVESA
Vehicle Signal Specification, and the providers' own signals they come from. A unit sent with a value wins over the
declared one shown here. Signals that nobody mapped stay in `compressed`; `ev signals unmapped --day D` counts them.
"""


def data_dictionary(known: Catalogue) -> str:
    """The page, Markdown."""
    sources: dict[str, dict[str, list[ProviderSignal]]] = defaultdict(lambda: defaultdict(list))
    for mapped in known.mapping.values():
        sources[mapped.canonical][mapped.provider].append(mapped)
    providers = sorted({mapped.provider for mapped in known.mapping.values()})
    lines = [HEAD, "## Who gives what", "", "| signal | " + " | ".join(providers) + " |"]
    lines.append("| --- |" + " :-: |" * len(providers))
    for name in known.signals:
        marks = ["✓" if provider in sources[name] else "" for provider in providers]
        lines.append(f"| [`{name}`](#{name}) | " + " | ".join(marks) + " |")
    lines += ["", "## Signals", ""]
    for signal in known.signals.values():
        lines += [f"### {signal.name}", "", _facts(known, signal), ""]
        for provider in sorted(sources[signal.name]):
            given = sorted(sources[signal.name][provider], key=lambda mapped: mapped.priority)
            lines.append(f"- {provider}: " + ", ".join(map(_source, given)))
        if signal.name in sources:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _facts(known: Catalogue, signal: CanonicalSignal) -> str:
    parts = [f"{signal.description[0].upper()}{signal.description[1:]}."]
    if signal.kind == "double":
        low, high = "(" if signal.minimum_open else "[", ")" if signal.maximum_open else "]"
        parts.append(f"Unit {signal.unit}, range {low}{signal.minimum:g}, {signal.maximum:g}{high}.")
    elif signal.kind == "word":
        words = sorted({value for (name, _), value in known.words.items() if name == signal.name} - {"invalid"})
        parts.append("Words: " + ", ".join(f"`{word}`" for word in words) + ".")
    else:
        parts.append({"boolean": "True or false.", "text": "Free text."}[signal.kind])
    parts.append(f"VSS `{signal.vss}`." if signal.vss else "No VSS path.")
    return " ".join(parts)


def _source(mapped: ProviderSignal) -> str:
    notes = [mapped.unit] if mapped.unit else []
    if mapped.factor != 1:
        notes.append(f"× {mapped.factor:g}")
    if mapped.sentinels:
        notes.append("not available: " + " ".join(f"`{word}`" for word in sorted(mapped.sentinels)))
    return f"`{mapped.signal}`" + (f" ({', '.join(notes)})" if notes else "")
