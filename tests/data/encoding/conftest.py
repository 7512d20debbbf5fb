"""Raw rows and the encoder that learned from them, made once."""

import pytest
from encoder_examples import make_rows, make_schema, make_table

from keras_infnet.data.encoding.encoder import Encoder


@pytest.fixture(scope="module")
def rows():
    return make_rows()


@pytest.fixture(scope="module")
def encoder(rows):
    return Encoder(make_schema()).fit(make_table(rows))
