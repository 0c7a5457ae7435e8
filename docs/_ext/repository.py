"""Links from pages to what is outside docs/, or is a page only on the site; the same Markdown works on a code host.

Folders that have a page of their own on the site lead there: `[gallery](gallery/)`. Other files outside docs/ lead to
the repository if it has an address (`repository_url`); else they are copies on the site, or, where they are Markdown,
plain code. docs/search.md becomes generated/search-images: Sphinx has a search.html of its own.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from command_line import write
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

PAGES = {  # paths from the repository's root: pages of the site
    "docs/gallery": "/generated/gallery/index",
    "genreg_np/cli": "/generated/commands/index.md",
    "genreg_np/presets": "/generated/commands/presets.md",
    "README.md": "/index.md",
    "docs/search.md": "/generated/search-images.md",
}
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<path>(?!\w+:|/|#)[^)#\s]+(?:/|\.md))(?P<anchor>#[^)\s]*)?\)")


def to_repository(app: Sphinx, doctree: nodes.document) -> None:
    """Replace downloads of files outside docs/ by links to the repository."""
    if not app.config.repository_url:
        return
    docs = Path(app.srcdir)
    for node in list(doctree.findall(addnodes.download_reference)):
        path = (docs / posixpath.dirname(app.env.docname) / node["reftarget"]).resolve()
        if path.is_file() and not path.is_relative_to(docs):
            address = f"{app.config.repository_url.rstrip('/')}/{path.relative_to(docs.parent).as_posix()}"
            node.replace_self(nodes.reference("", "", *node.children, refuri=address, internal=False))


def to_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace links to Markdown and folders outside docs/, and to folders that are pages of the site."""

    def replaced(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(docname), link["path"]))
        if path in PAGES:
            return f"[{link['text']}]({PAGES[path]}{link['anchor'] or ''})"
        if path.startswith("docs/"):
            return link[0]
        if app.config.repository_url:
            return f"[{link['text']}]({app.config.repository_url.rstrip('/')}/{path}{link['anchor'] or ''})"
        return f"`{path}`" if "`" not in link["text"] else link["text"]

    if app.env.doc2path(docname).suffix == ".md":
        source[0] = LINK.sub(replaced, source[0])


def rename(app: Sphinx) -> None:
    """Copy the page whose name Sphinx needs, with its links as they are from a folder further down."""
    text = (Path(app.srcdir) / "search.md").read_text("utf-8")
    write(Path(app.srcdir) / "generated/search-images.md", re.sub(r"\]\((?!\w+:|/|#)", "](../", text))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the resolver."""
    app.add_config_value("repository_url", "", "env")
    app.connect("builder-inited", rename)
    app.connect("doctree-read", to_repository)
    app.connect("source-read", to_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
