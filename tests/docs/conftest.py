"""The extension of the site is imported from docs/, and pages are served from what it builds."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.append(str(DOCS))
TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}

# What ends beyond the window and stands in nothing that scrolls.
TOO_WIDE = """() => {
    const scrolls = one => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
    const within = one => !one.matches("article") && (scrolls(one) || within(one.parentElement));
    return [...document.querySelectorAll("article *")]
        .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !within(element))
        .map(element => element.outerHTML.slice(0, 80));
}"""


def build(source, target, pyodide=""):
    """Build a site as `make docs` does: a warning fails it."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-c", str(DOCS)]
    environment = {**os.environ, "PYODIDE": str(pyodide)}
    done = subprocess.run(
        [*command, str(source), str(target)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="session")
def pyodide():
    """Return the folder of Pyodide that the environment names."""
    folder = Path(os.environ.get("PYODIDE", ""))
    if not (folder / "pyodide.asm.wasm").exists():
        pytest.skip("PYODIDE names no folder with Pyodide")
    return folder.resolve()


class Handler(http.server.SimpleHTTPRequestHandler):
    def guess_type(self, path):
        return TYPES.get(Path(path).suffix) or super().guess_type(path)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def serve():
    """Serve folders on the loopback address; return their URLs."""
    servers = []

    def start(folder):
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def site(pyodide, serve, tmp_path_factory):
    """Build the whole site with Pyodide and serve it; `NPNET_SITE` names one that is built already."""
    built = os.environ.get("NPNET_SITE") or build(DOCS, tmp_path_factory.mktemp("site"), pyodide)
    return serve(built)


@pytest.fixture(scope="session")
def small_site(tmp_path_factory):
    return build(Path(__file__).parent / "small", tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def small_site_with_python(pyodide, tmp_path_factory):
    return build(Path(__file__).parent / "small", tmp_path_factory.mktemp("small"), pyodide)


@pytest.fixture(scope="session")
def playground_site(pyodide, tmp_path_factory):
    """Build a site of the playground alone, and of the page that it links to."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(DOCS / "playground", source / "playground")
    (source / "course").mkdir()
    (source / "course" / "index.md").write_text("# The course\n")
    (source / "index.md").write_text("# Site\n\n```{toctree}\nplayground/index\ncourse/index\n```\n")
    return build(source, tmp_path_factory.mktemp("playground"), pyodide)


@pytest.fixture
def opened(browser):
    """Open pages; at the end require that they were quiet and asked nothing of another server."""
    contexts, heard = [], []

    def open_page(url, *, width=1280, height=900, quiet=True, prepare=None, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)  # Python takes its time to start on a machine with other work
        if quiet:
            page.on("console", lambda message: heard.append(message.text))
            page.on("pageerror", lambda error: heard.append(str(error)))
        server = url[: url.index("/", len("http://")) + 1]
        own = (server, "data:", "blob:")
        context.on("request", lambda request: request.url.startswith(own) or heard.append(request.url))
        if prepare:
            prepare(page)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not heard


@pytest.fixture
def too_wide():
    """Say what of a page is cut off at the right."""
    return lambda page: page.evaluate(TOO_WIDE)
