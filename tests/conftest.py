"""What several test files share."""

import pytest

from s2vt_model.captioner import Captioner


@pytest.fixture(scope="session")
def captioner() -> Captioner:
    """The RGB stream that comes with the project, on the CPU."""
    return Captioner.load("rgb", device="cpu")
