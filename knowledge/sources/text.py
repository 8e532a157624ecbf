"""Plain text: one document a file."""

from knowledge.sources.files import Found, SourceFile, open_text, tidy


def read_plain_text(file: SourceFile) -> Found:
    """Yield the file's text as one document.

    Raises:
        UnreadableText: its bytes are no text.
        OSError: it cannot be read.
    """
    with open_text(file.path) as lines:
        text = tidy(lines.read())
    if text:
        yield file.document(text)
    else:
        yield file.problem("is empty")
