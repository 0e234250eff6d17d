"""The columns of a plan, which its hash and so the identity of every dataset rest on."""

from gendeg.shards.plan import PLAN_SCHEMA

COLUMNS = """\
key: string
shard: int32
batch: int32
split: dictionary<values=string, indices=int32, ordered=0>
degradation: dictionary<values=string, indices=int32, ordered=0>
origin: dictionary<values=string, indices=int32, ordered=0>
input: int32
clean_path: binary
clean_offset: int64
clean_length: int64
clean_sha256: string
keep: bool
degraded_path: binary
caption: string
prompt: string
intensity: double
mu: double
sigma: double
direction: double
parts: list<item: struct<degradation: string, intensity: double, mu: double, sigma: double>>
source: dictionary<values=string, indices=int32, ordered=0>
seed: int64
noise: string
width: int32
height: int32
"""


def test_the_columns_are_what_they_were():
    """Datasets that were planned before are known by the hash of such a file."""
    assert "".join(f"{field.name}: {field.type}\n" for field in PLAN_SCHEMA) == COLUMNS
    assert all(field.nullable for field in PLAN_SCHEMA) and PLAN_SCHEMA.metadata is None
