def pytest_configure(config):
    # The run-time shape checks look at one element of a tuple, chosen by the global `random`; hypothesis takes
    # this for a strategy that cannot be replayed.
    config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module inside strategies")
