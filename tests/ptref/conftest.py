import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Many small operations, in several processes at once: more threads would only wait for each other."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
