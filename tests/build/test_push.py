"""push: what goes to the hub, by way of huggingface_hub's own upload call."""

import pytest
from huggingface_hub import HfApi

from gendeg.build.push import plan_upload, push
from gendeg.primitives.errors import BadModel, BadOption, IncompleteDataset, UploadFailed
from gendeg.training.diffusion import push_model
from tests.builds import copy_build, model_folder
from tests.hub import LocalHub, names


@pytest.fixture
def out(tmp_path):
    return copy_build(tmp_path) / "out"


def test_the_dataset_goes_up_and_private_places_stay(out):
    hub = LocalHub()
    assert push(out, "user/name", private=True, api=hub) == "https://hub/datasets/user/name"
    assert hub.calls == [("create_repo", {"repo_type": "dataset", "private": True, "exist_ok": True})]
    assert names(hub.root) == plan_upload(out, "user/name").files, "a dry run names what goes up, and where to"
    shards = [name for name in hub.files if name.endswith(".tar")]
    assert len(shards) == 8 and {"README.md", "preview.png", ".gendeg/manifest.parquet"} <= set(hub.files)
    text = [(out / name).read_bytes() for name in hub.files if name.endswith((".json", ".md", ".parquet"))]
    assert not any(str(out.parent).encode() in data for data in text)
    assert not any(name.startswith((".gendeg/logs", ".gendeg/inputs")) for name in hub.files)


def test_an_unfinished_dataset_is_not_uploaded(out):
    next(out.glob("haze/*.tar")).unlink()
    hub = LocalHub()
    with pytest.raises(IncompleteDataset):
        push(out, "user/name", api=hub)
    assert hub.calls == []


def test_a_broken_connection_says_how_to_go_on(out):
    with pytest.raises(UploadFailed, match="same command goes on"):
        push(out, "user/name", api=LocalHub(broken=True))


def test_a_model_goes_up_whole(tmp_path):
    hub = LocalHub()
    assert push_model(model_folder(), "user/model", api=hub) == "https://hub/models/user/model"
    assert {"model_index.json", "unet/diffusion_pytorch_model.safetensors"} <= set(hub.files)
    with pytest.raises(BadModel):
        push_model(tmp_path, "user/model", api=hub)
    with pytest.raises(UploadFailed, match="same command goes on"):
        push_model(model_folder(), "user/model", api=LocalHub(broken=True))


def test_without_a_network_the_real_client_ends_in_the_same_advice(out):
    nobody = HfApi(endpoint="http://127.0.0.1:9", token="hf_none")  # the discard port: refused at once
    with pytest.raises(UploadFailed, match="same command goes on"):
        push(out, "user/name", api=nobody)


def test_a_name_that_the_hub_does_not_allow_is_wrong_usage(out):
    with pytest.raises(BadOption, match="must be user/name, not 'my data'"):
        push(out, "my data", api=HfApi(endpoint="http://127.0.0.1:9", token="hf_none"))
    with pytest.raises(BadOption, match="must be user/name, not 'my data'"):
        plan_upload(out, "my data")
