"""The written-out LSTM step is `torch.nn.LSTM`, forward and backward."""

import pytest
import torch

from s2vt_model.cells import LSTM

BATCH, STEPS, INPUT, HIDDEN = 3, 7, 5, 4


@pytest.fixture
def lstm() -> LSTM:
    torch.manual_seed(0)
    return LSTM(INPUT, HIDDEN)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(BATCH, STEPS, INPUT, generator=torch.Generator().manual_seed(1))


def random_state(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    h, c = torch.randn(2, BATCH, HIDDEN, generator=torch.Generator().manual_seed(seed))
    return h.tanh(), c


def stepped(lstm, x, state):
    """All outputs (B, T, H) and the last state, one step at a time."""
    outputs = []
    for t in range(x.shape[1]):
        state, _ = lstm.step(x[:, t], state)
        outputs.append(state[0])
    return torch.stack(outputs, dim=1), state


@pytest.mark.parametrize("from_zero", [True, False])
def test_steps_equal_torchs_lstm_forward(lstm, x, from_zero):
    state = lstm.start(BATCH) if from_zero else random_state(2)
    reference = torch.nn.LSTM(INPUT, HIDDEN, batch_first=True)
    reference.load_state_dict(lstm.state_dict())
    theirs, (h, c) = reference(x, (state[0][None], state[1][None]))
    ours, last = stepped(lstm, x, state)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    torch.testing.assert_close(last, (h[0], c[0]), rtol=0, atol=1e-5)


def test_steps_equal_torchs_lstm_backward(lstm, x):
    weight = torch.randn(BATCH, STEPS, HIDDEN, generator=torch.Generator().manual_seed(3))
    h, c = random_state(2)

    def gradients(run) -> list[torch.Tensor]:
        inputs = [x.clone().requires_grad_(), h.clone().requires_grad_(), c.clone().requires_grad_()]
        loss = (run(*inputs) * weight).sum()
        return torch.autograd.grad(loss, [*inputs, *lstm.parameters()])

    fused = gradients(lambda x, h, c: lstm(x, (h[None], c[None]))[0])
    written_out = gradients(lambda x, h, c: stepped(lstm, x, (h, c))[0])
    assert len(fused) == 3 + 4
    for ours, theirs in zip(written_out, fused, strict=True):
        assert theirs.abs().max() > 1e-3
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_gradients_flow_in_evaluation_mode(lstm, x):
    lstm.eval()
    x.requires_grad_()
    outputs, _ = stepped(lstm, x, lstm.start(BATCH))
    outputs[:, -1].sum().backward()
    assert (x.grad[:, 0].abs() > 0).all()


def test_the_gates_make_the_state(lstm, x):
    h, c = random_state(2)
    (h_new, c_new), gates = lstm.step(x[:, 0], (h, c))
    torch.testing.assert_close(c_new, gates.f * c + gates.i * gates.g)
    torch.testing.assert_close(h_new, gates.o * c_new.tanh())


def test_the_gates_are_those_of_their_names(lstm, x):
    """Each gate is driven to its limit by its own block of the bias (torch's order: i, f, g, o)."""
    for block, name in enumerate("ifgo"):
        with torch.no_grad():
            lstm.bias_hh_l0.zero_()
            lstm.bias_hh_l0[block * HIDDEN : (block + 1) * HIDDEN] = 50.0
        _, gates = lstm.step(x[:, 0], random_state(2))
        assert {n for n in "ifgo" if (getattr(gates, n) > 0.999).all()} == {name}


def test_it_starts_from_zeros(lstm):
    h, c = lstm.start(BATCH)
    assert h.shape == c.shape == (BATCH, HIDDEN)
    assert not h.any()
    assert not c.any()
