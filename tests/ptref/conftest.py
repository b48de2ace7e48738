import pytest


def pytest_configure(config):
    # The run-time shape checks look at one element of a tuple, chosen by the global `random`; hypothesis
    # takes this for a strategy that cannot be replayed.
    config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module inside strategies")


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Many small operations, in several processes at once: more threads would only wait for each other."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
