"""What a new Kafka is given."""

import base64
import uuid

from distributary.stack.kafka import cluster_id


def test_cluster_id__uuid_whose_text_begins_with_a_dash__is_made_again() -> None:
    made = iter([uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=bytes(16))])
    assert base64.urlsafe_b64encode(b"\xf8" + bytes(15)).startswith(b"-")

    assert cluster_id(lambda: next(made)) == "A" * 22
