"""The extension of Sphinx that this site is built with: examples that run, exercises, mathematics."""

from __future__ import annotations

from typing import Any

from site_extension import directives, mathematics, measured, served


def setup(app: Any) -> dict[str, Any]:
    """Register everything with Sphinx."""
    app.add_config_value("pyodide", "", "html", [str])
    app.add_directive("cell", directives.Cell)
    app.add_directive("exercise", directives.Exercise)
    for name in ("start", "check", "solution"):
        app.add_directive(name, directives.Part)
    app.add_directive("source", directives.Source)
    app.add_directive("names", directives.Names)
    app.add_directive("benchmark", measured.Benchmark)
    mathematics.setup(app)
    app.connect("builder-inited", _add_scripts)
    app.connect("autodoc-process-docstring", directives.without_markup, priority=900)  # after numpydoc
    app.connect("autodoc-process-signature", directives.constructor_signature)
    app.connect("html-page-context", _add_playground)
    app.connect("build-finished", served.copy_pyodide)
    app.connect("build-finished", served.add_wheels)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _add_scripts(app: Any) -> None:
    app.add_css_file("cells.css")
    app.add_js_file("cells.js", type="module", **{"data-pyodide": served.address(app)})


def _add_playground(app: Any, page: str, *_others: Any) -> None:
    """Add what one page alone needs."""
    if page == "playground/index":
        app.add_css_file("playground.css")
        app.add_js_file("playground.js", type="module")
