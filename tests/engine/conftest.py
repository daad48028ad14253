import pytest


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """Machine code of test models stays out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFTERGLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
