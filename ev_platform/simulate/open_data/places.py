"""The country of the generated data: real codes of regions and departments, invented communes.

One department has two spellings, as in the field.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Region(NamedTuple):
    """A region: INSEE code, name, share of the country's electricity."""

    code: str
    name: str
    share: float


REGIONS = (
    Region("11", "Île-de-France", 0.150),
    Region("24", "Centre-Val de Loire", 0.042),
    Region("27", "Bourgogne-Franche-Comté", 0.046),
    Region("28", "Normandie", 0.060),
    Region("32", "Hauts-de-France", 0.106),
    Region("44", "Grand Est", 0.096),
    Region("52", "Pays de la Loire", 0.062),
    Region("53", "Bretagne", 0.053),
    Region("75", "Nouvelle-Aquitaine", 0.095),
    Region("76", "Occitanie", 0.084),
    Region("84", "Auvergne-Rhône-Alpes", 0.142),
    Region("93", "Provence-Alpes-Côte d'Azur", 0.089),
)
"""The twelve of the half-hourly sets; the yearly ones have Corse too."""

CORSE = Region("94", "Corse", 0.005)

DEPARTMENTS = {
    "11": ("75", "93"), "24": ("45", "37"), "27": ("21", "90"), "28": ("76", "14"), "32": ("59", "62"),
    "44": ("67", "51"), "52": ("44", "49"), "53": ("35", "29"), "75": ("33", "87"), "76": ("31", "34"),
    "84": ("69", "01"), "93": ("13", "06"), "94": ("2A", "2B"),
}  # fmt: skip

SPELLINGS = {"90": ("Territoire de Belfort", "Territoire-de-Belfort")}
COMMUNES_PER_DEPARTMENT = 3
STREETS = ("DES LILAS", "VICTOR HUGO", "DE LA GARE", "DU MOULIN", "JEAN JAURES")
KINDS = ("RUE", "AVENUE", "BOULEVARD", None)


def department_name(code: str, rng: np.random.Generator) -> str:
    """Its name, in one of its spellings."""
    spellings = SPELLINGS.get(code, (f"Département {code}",))
    return spellings[int(rng.integers(len(spellings)))]


def communes(department: str) -> list[tuple[str, str]]:
    """Codes (five characters) and names of a department's communes."""
    return [
        (f"{department}{number:03d}", f"Commune {department}-{number}")
        for number in range(1, COMMUNES_PER_DEPARTMENT + 1)
    ]
