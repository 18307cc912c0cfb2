"""The section on validation: a page a family of data sets, made of what `nmsim validate` says."""

from __future__ import annotations

from generate.validation import by_machine, figures, pictures
from generate.validation.families import families
from generate.validation.pages import index, page, words

FOLDER = "validation"


def pages() -> dict[str, str | bytes]:
    """Pages, a picture of every data set, and tables that hand-written pages include."""
    results = {result.dataset.name: result for result in figures.kept()}
    every = families(results.values())
    made: dict[str, str | bytes] = {"index.md": index(every, results)}
    made["figures.csv"] = figures.FILE.read_bytes()
    made["overview.svg"] = pictures.overview(every, results)
    made |= {f"{family.name}.md": page(family, results) for family in every}
    made |= {f"{name}.svg": pictures.of_data_set(result) for name, result in results.items()}
    for section in dict.fromkeys(machine.section for machine in by_machine.MACHINES):
        made[f"{section}.txt"] = by_machine.section_table(section, every, results)
    made["machines.txt"] = by_machine.overview(every, results)
    made["bands.txt"] = by_machine.bands_table(every, results)
    made["words.txt"] = words()
    return {f"{FOLDER}/{path}": content for path, content in made.items()}
