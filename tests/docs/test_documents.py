"""The documents say what there is: files and links exist, examples run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = [ROOT / "service" / "equiserve", ROOT / "models" / "equiserve_models"]


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_page_and_picture_that_is_linked_is_there(document: Path) -> None:
    text = document.read_text()
    links = [document.parent / link for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text)]
    pages = [ROOT / page for page in re.findall(r"`(docs/[\w-]+\.md)`", text)]
    assert [path for path in (*links, *pages) if not path.exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_source_file_that_is_named_with_its_folder_is_there(document: Path) -> None:
    named = re.findall(r"`([\w./-]+/[\w-]+\.(?:py|proto|sh))`", document.read_text())
    assert [path for path in named if not any((root / path).exists() for root in (ROOT, *PACKAGES))] == []


def test_every_file_of_the_house_is_in_the_folder_under_which_the_page_names_it() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    missing, folder = [], ROOT
    for house in re.findall(r"^```\n((?:service|models)/\w.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in house.splitlines():
            if line and not line.startswith(" "):
                folder = ROOT / line.split()[0]
            missing += [name for name in re.findall(r"\b\w+\.py\b", line) if not any(folder.rglob(name))]
    assert missing == []


def test_the_examples_of_the_symmetry_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "symmetry.md"
    (manifest,) = blocks(page, "yaml")
    (tmp_path / "model.yaml").write_text(manifest)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in blocks(page, "python"):
        exec(compile(example, str(page), "exec"), names)
    answers = names["answers"]
    assert isinstance(answers, dict)
    assert answers["inertia"].shape == (8, 4, 3, 3)
    assert abs(answers["inertia"] - answers["inertia"][0]).max() < 1e-9
