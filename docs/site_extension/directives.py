"""Directives of the pages: examples, exercises, code shown from the source, and all names of a module."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import inspect
import re
import textwrap
import types
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective

from site_extension import runner

NAMES = re.compile(r"^\.\. names:: (\S+)$", re.MULTILINE)
# What a class has from one of these stands there, or in Python's own documentation.
DOCUMENTED_BASES = ("Layer", "Loss", "Optimizer", "Schedule", "Exception", "dict", "tuple")
MARKUP = re.compile(r"(?<=[( ])\*(?=[,)a-z])|\|")


class Cell(SphinxDirective):
    """An example: its code, and below it what it printed and drew when the site was built."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"raises": directives.unchanged, "cpython": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Run the example after those above it."""
        code = "\n".join(self.content)
        output = runner.run(code, _namespace(self))
        wanted = self.options.get("raises", "")
        if bool(output["error"]) != bool(wanted) or wanted not in output["error"]:
            happened = output["error"] or "it did not"
            raise self.error(f"the example was to raise {wanted or 'nothing'}: {happened}")
        runs = "cpython" not in self.options
        cell = nodes.container(classes=["cell"] if runs else ["cell", "cell-elsewhere"])
        cell += _code(code, "cell-code")
        if not runs:
            cell += nodes.paragraph("", self.options["cpython"], classes=["cell-reason"])
        cell += _shown(output)
        return [cell]


class Exercise(SphinxDirective):
    """An exercise: words, code to start from, and a solution that is hidden at first."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Parse what is inside; its parts are directives too."""
        exercise = nodes.container(classes=["exercise"])
        exercise += nodes.rubric("", f"Exercise: {self.arguments[0]}")
        self.state.nested_parse(self.content, self.content_offset, exercise)
        found = [part for part in exercise.findall(nodes.container) if "exercise-part" in part["classes"]]
        if [part["classes"][1] for part in found] != ["start", "check", "solution"]:
            raise self.error("an exercise needs start, check and solution, in this order")
        return [exercise]


class Part(SphinxDirective):
    """A part of an exercise: start, check or solution."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Fold what is not for the first look."""
        part = nodes.container(classes=["exercise-part", self.name])
        part += _code("\n".join(self.content), "cell-code")
        titles = {"check": "How the answer is checked", "solution": "A solution"}
        if self.name not in titles:
            return [part]
        opened = f"<details class='exercise-{self.name}'><summary>{titles[self.name]}</summary>"
        return [nodes.raw("", opened, format="html"), part, nodes.raw("", "</details>", format="html")]


class Source(SphinxDirective):
    """The code of a function or class as it stands in the source, without its docstring."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Show the code, with a link to the reference."""
        name = self.arguments[0]
        link = pending_xref("", nodes.literal("", name), refdomain="py", reftype="obj", reftarget=name)
        link["refexplicit"] = False
        caption = nodes.paragraph("", "", link, classes=["source-caption"])
        return [nodes.container("", _code(without_docstring(found(name)), "source-code"), caption)]


class Names(SphinxDirective):
    """The documentation of every public name of a module, in its order.

    What a module further down has too is documented there, and here is a link to it.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the directives of autodoc and parse them."""
        module = importlib.import_module(self.arguments[0])
        below = [importlib.import_module(name) for name in documented_modules(Path(self.env.srcdir))]
        below = [other for other in below if other.__name__.startswith(f"{module.__name__}.")]
        lines = [f".. py:module:: {module.__name__}", ""]
        for name in public_names(module):
            value = getattr(module, name)
            homes = [other.__name__ for other in below if getattr(other, name, None) is value]
            if inspect.ismodule(value):
                continue
            if homes:
                lines += [f"- :py:obj:`{module.__name__}.{name} <{homes[0]}.{name}>`", ""]
            else:
                lines += _documented(module.__name__, name, value)
        section = nodes.section()
        section.document = self.state.document
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), 0, section)
        return list(section.children)


def found(name: str) -> Any:
    """Return the object of a dotted name.

    Examples
    --------
    >>> found("npnet.nn.Linear").__name__
    'Linear'
    >>> found("npnet.functional.conv2d._convolve").__name__
    '_convolve'
    """
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):  # the longest first: a function may hide its module
        module = ".".join(parts[:length])
        with contextlib.suppress(ModuleNotFoundError):
            return functools.reduce(getattr, parts[length:], importlib.import_module(module))
    return importlib.import_module(name)


def without_docstring(value: Any) -> str:
    """Return the source of a function or class without its docstring.

    Examples
    --------
    >>> "Return the source" in without_docstring(without_docstring)
    False
    """
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(value)))
    first = ast.parse(source).body[0]
    assert isinstance(first, ast.FunctionDef | ast.ClassDef)
    if ast.get_docstring(first) is None:
        return source.rstrip("\n")
    lines, docstring = source.splitlines(), first.body[0]
    assert docstring.end_lineno is not None
    return "\n".join([*lines[: docstring.lineno - 1], *lines[docstring.end_lineno :]])


def public_names(module: types.ModuleType) -> list[str]:
    """Return what ``__all__`` lists, or without it the functions and classes that the module itself defines.

    Examples
    --------
    >>> import npnet.checkpoint
    >>> public_names(npnet.checkpoint)
    ['save_weights', 'load_weights']
    """
    if hasattr(module, "__all__"):
        return list(module.__all__)
    own = [
        name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
    ]
    return [name for name in own if not name.startswith("_")]


def documented_modules(docs: Path) -> list[str]:
    """Return the modules that have a page in the reference."""
    pages = [path.read_text(encoding="utf-8") for path in sorted((docs / "reference").glob("*.rst"))]
    return [name for page in pages for name in NAMES.findall(page)]


def without_markup(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Escape what is mathematics in a docstring and would be markup: (*, k) and |x|.

    The lines are changed in place, as Sphinx asks.
    """
    in_example = False
    for i, line in enumerate(lines):
        in_example = bool(line.strip()) and (in_example or line.lstrip().startswith(">>>"))
        if not in_example:
            lines[i] = MARKUP.sub(r"\\\g<0>", line)


def constructor_signature(
    _app: Any, what: str, _name: str, value: Any, _options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Show what a class takes by its ``__init__``, where ``__new__`` takes whatever comes."""
    if what == "class" and signature and signature.startswith("(*_"):
        taken = inspect.signature(value.__init__)
        parameters = [one.replace(annotation=one.empty) for one in list(taken.parameters.values())[1:]]
        return str(inspect.Signature(parameters)), returns
    return signature, returns


def picture_of(picture: runner.Picture, what: str) -> nodes.raw:
    """Return a picture that stands in the page itself, light and dark; the theme shows one of them."""
    images = [
        f"<img class='cell-picture only-{theme}' alt='{what}' src='data:image/png;base64,{png}'>"
        for theme, png in picture.items()
    ]
    return nodes.raw("", "".join(images), format="html")


def _documented(module: str, name: str, value: object) -> list[str]:
    full = f"{module}.{name}"
    if isinstance(value, types.GenericAlias):
        return [f".. py:type:: {full}", f"   :canonical: {value}", ""]
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        inherited = f"   :inherited-members: {', '.join(DOCUMENTED_BASES)}"
        return [f".. {kind}:: {full}", "   :members:", "   :show-inheritance:", inherited, ""]
    return [f".. {'autofunction' if inspect.isroutine(value) else 'autodata'}:: {full}", ""]


def _namespace(directive: SphinxDirective) -> runner.Namespace:
    """Return the names of the page's examples; pages know nothing of each other."""
    document: Any = directive.env.current_document
    names: runner.Namespace = document.setdefault("npnet_cells", {})
    return names


def _code(code: str, name: str) -> nodes.literal_block:
    return nodes.literal_block(code, code, language="python", classes=[name])


def _shown(output: runner.Output) -> nodes.container:
    shown = nodes.container(classes=["cell-output"])
    for said in (output["text"], output["error"]):
        if said:
            shown += nodes.literal_block(said, said, language="none")
    for picture in output["pictures"]:
        shown += picture_of(picture, "Figure of the example")
    return shown
