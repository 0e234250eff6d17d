"""Distillation with known answers: a loss of 0, of 1, and teachers that a student can become."""

import pytest
import torch

from gendeg.restore.networks.nafnet import NAFRestorer
from gendeg.restore.networks.network import Restorer
from gendeg.restore.networks.presets import make_restorer
from gendeg.restore.transfer.distill import Classifier, Student, feature_loss


def small(seed: int, bent: float = 0.0) -> NAFRestorer:
    """Two levels. A fresh encoder is linear, for its blocks begin as the identity; `bent` switches them on."""
    torch.manual_seed(seed)
    network = NAFRestorer(4, (1,), 1, (1,))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith(("beta", "gamma")):
                weight.fill_(bent)
    return network


def images(count: int = 2, side: int = 12) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def losses_of(student: Student, teachers: list[Restorer], steps: int, rate: float = 1e-2) -> list[float]:
    seen = [images()] * len(teachers)
    told = [[one.detach() for one in teacher.encode(images())] for teacher in teachers]
    optimiser = torch.optim.Adam([p for p in student.parameters() if p.requires_grad], rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    losses = []
    for _ in range(steps):
        loss = feature_loss(student(seen), told)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def test_a_student_with_its_teachers_weights_has_nothing_to_learn() -> None:
    teacher = small(0, bent=0.5)
    student = Student(small(1), [teacher, teacher])
    student.restorer.load_state_dict(teacher.state_dict())
    assert feature_loss(student([images(), images()]), [teacher.encode(images())] * 2) == 0


def test_channel_means_explain_nothing_and_scale_does_not_matter() -> None:
    told = small(0).encode(images())
    means = [one.mean(dim=(0, 2, 3), keepdim=True).expand_as(one) for one in told]
    half = [0.5 * (a + b) for a, b in zip(told, means, strict=True)]
    assert feature_loss([means], [told]).item() == pytest.approx(1, abs=1e-5)
    assert feature_loss([half], [told]).item() == pytest.approx(0.25, abs=1e-5)
    larger = [[10 * one for one in maps] for maps in (half, told)]
    assert feature_loss(larger[:1], larger[1:]).item() == pytest.approx(0.25, abs=1e-5)


def test_a_linear_teacher_is_matched_exactly() -> None:
    """Another fresh encoder: both are one convolution a level, which the student's can become."""
    teacher = small(0)
    student, told = Student(small(1), [teacher]), [[one.detach() for one in teacher.encode(images())]]
    weights = [weight for name, weight in student.named_parameters() if weight.requires_grad and "block" not in name]
    optimiser = torch.optim.LBFGS(weights, max_iter=150, tolerance_change=0, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = feature_loss(student([images()]), told)
        loss.backward()
        return loss

    first = optimiser.step(closure)
    assert first > 0.5 and closure() < 1e-5


def test_a_teacher_of_the_same_architecture_is_reached() -> None:
    teacher = small(0, bent=0.5)
    losses = losses_of(Student(small(1), [teacher]), [teacher], steps=150)
    assert losses[-1] < losses[0] / 100, losses[-1]


def test_one_student_learns_from_two_teachers() -> None:
    teachers = [small(0), small(2)]
    losses = losses_of(Student(small(1), teachers), teachers, steps=60)  # type: ignore[arg-type]
    assert losses[-1] < losses[0] / 3, "one width cannot hold both exactly, but more than one of them"


@pytest.mark.parametrize("model", ["nafnet", "swin", "promptir"])
def test_the_decoder_stays_and_the_encoder_is_all_reached(model: str) -> None:
    student = Student(make_restorer(model, "tiny"), [make_restorer(model, "tiny")])
    side = 2 * student.restorer.factor
    image = torch.rand(1, 3, side, side)
    feature_loss(student([image]), [[one.detach() + 1 for one in student.restorer.encode(image)]]).backward()
    for name, weight in student.named_parameters():
        assert weight.requires_grad == (weight.grad is not None), name
    kept = {name for name, weight in student.restorer.named_parameters() if not weight.requires_grad}
    parts = {name.split(".")[0] for name in kept}
    assert parts and parts <= set(student.restorer.ONLY_DECODES)


def test_a_classifier_learns_its_encoder_and_head_only() -> None:
    classifier = Classifier(small(0))
    assert classifier(images(2)).shape == (2, 2)
    kept = {name.split(".")[1] for name, weight in classifier.named_parameters() if not weight.requires_grad}
    assert kept == {"ups", "decoders", "ending"}


def test_levels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 levels and the teacher 4"):
        Student(small(0), [make_restorer("nafnet", "tiny")])
