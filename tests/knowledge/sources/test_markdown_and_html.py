from pathlib import Path

from knowledge.sources import Document, SourceProblem, read_source

GUIDE = """\
---
title: Sleep guide
licence: CC BY 4.0
source: Sleep clinic (2021)
---

# Ignored, as the front matter has a title

Intro **words** with a [link](https://example.org).

## Getting up

1. Get up at the *same* hour.
2. Go out into the light.

```
## not a heading
```

### Weekends

Also then.

## Caffeine

| drink | hours |
|-------|-------|
| tea   | 4     |
"""


def read(path: Path) -> list[Document | SourceProblem]:
    return list(read_source(path, collection="notes"))


def documents(path: Path) -> list[Document]:
    return [each for each in read(path) if isinstance(each, Document)]


def test_each_top_section_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "guide.md"
    path.write_text(GUIDE)

    found = documents(path)

    assert [each.id for each in found] == [f"notes/guide.md#{number}" for number in (1, 2, 3)]
    assert [each.title for each in found] == [
        "Sleep guide",
        "Sleep guide: Getting up",
        "Sleep guide: Caffeine",
    ]
    assert {each.licence for each in found} == {"CC BY 4.0"}
    assert {each.source for each in found} == {"Sleep clinic (2021)"}
    assert found[0].text == "Intro words with a link."
    assert "1. Get up at the same hour.\n" in found[1].text
    assert "## not a heading" in found[1].text
    assert found[1].text.endswith("Weekends\n\nAlso then.")
    assert "tea; 4" in found[2].text


def test_a_single_heading_is_the_title(tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text("# Calm\n\nBreathe out slowly.\n")

    (document,) = documents(path)

    assert (document.title, document.text) == ("Calm", "Breathe out slowly.")
    assert document.licence == "unknown"


def test_without_headings_it_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text("Breathe out slowly.\n\n- once\n- twice\n")

    (document,) = documents(path)

    assert document.text == "Breathe out slowly.\n\n- once\n- twice"


def test_broken_front_matter_is_a_problem_and_the_text_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text("---\ntitle: [\n---\nBreathe out slowly.\n")

    problem, document = read(path)

    assert isinstance(problem, SourceProblem) and "front matter" in problem.problem
    assert isinstance(document, Document) and document.text == "Breathe out slowly."


def test_deep_front_matter_does_not_end_the_process(tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text(f"---\ntitle: {'[' * 20_000}\n---\nBreathe out slowly.\n")

    assert [each.text for each in documents(path)] == ["Breathe out slowly."]


def test_markdown_without_text_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text("# Only a title\n")

    (problem,) = read(path)

    assert isinstance(problem, SourceProblem) and problem.problem == "has no text"


PAGE = """<!DOCTYPE html><html><head><title>Coping with worry</title></head><body>
<nav><a href="/">Home</a> <a href="/shop">Shop our plans today</a></nav>
<article><h1>Coping with worry</h1>
<p>Worry often comes at night, when there is nothing else to do and the day is over.</p>
<p>Write each worry down, and next to it one small step that you could take tomorrow.</p>
<p>Then put the list away. You can trust that it will still be there in the morning.</p>
</article><footer>Copyright, cookies, terms of service</footer></body></html>"""


def test_a_saved_page_gives_its_main_text(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGE)

    (document,) = documents(path)

    assert document.title == "Coping with worry"
    assert "one small step" in document.text and "in the morning." in document.text
    assert "Shop" not in document.text and "cookies" not in document.text


def test_a_page_says_its_own_encoding_and_its_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    page = PAGE.replace("<head>", '<head><meta charset="windows-1252">').replace("worry", "worrié")
    path.write_bytes(page.encode("cp1252"))

    (document,) = documents(path)

    assert "each worrié down" in document.text


def test_a_page_without_text_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<html><head></head><body><nav></nav><img src='a.png'></body></html>")

    (problem,) = read(path)

    assert isinstance(problem, SourceProblem) and "without a main text" in problem.problem
