"""The written-out steps are `torch.nn.LSTM`, `GRU` and `RNN`, forward and backward."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from s2vt_model.cells import CELLS, GRU, LSTM

BATCH, STEPS, INPUT, HIDDEN = 3, 7, 5, 4
TORCHS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@pytest.fixture(params=["lstm", "gru", "rnn"])
def cell(request):
    torch.manual_seed(0)
    return CELLS[request.param](INPUT, HIDDEN)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(BATCH, STEPS, INPUT, generator=torch.Generator().manual_seed(1))


def random_state(cell, seed: int = 2) -> tuple[torch.Tensor, ...]:
    h, c = torch.randn(2, BATCH, HIDDEN, generator=torch.Generator().manual_seed(seed))
    return (h.tanh(), c) if isinstance(cell, LSTM) else (h.tanh(),)


def stepped(cell, x, state):
    """All outputs (B, T, H) and the last state, one step at a time."""
    outputs = []
    for t in range(x.shape[1]):
        state, _ = cell.step(x[:, t], state)
        outputs.append(state[0])
    return torch.stack(outputs, dim=1), state


def by_torch(cell, x, state):
    """The same by torch's own module, with the same parameters."""
    name = next(n for n, c in CELLS.items() if isinstance(cell, c))
    reference = TORCHS[name](INPUT, HIDDEN, batch_first=True)
    reference.load_state_dict(cell.state_dict())
    start = tuple(s[None] for s in state)
    outputs, last = reference(x, start if name == "lstm" else start[0])
    return outputs, tuple(s[0] for s in last) if name == "lstm" else (last[0],)


@pytest.mark.parametrize("run", [stepped, lambda cell, x, state: cell.run(x, state)], ids=["stepped", "run"])
@pytest.mark.parametrize("from_zero", [True, False])
def test_it_is_torchs_module_forward(cell, x, run, from_zero):
    state = cell.start(BATCH) if from_zero else random_state(cell)
    torch.testing.assert_close(run(cell, x, state), by_torch(cell, x, state), rtol=0, atol=1e-5)


def test_steps_equal_torchs_module_backward(cell, x):
    weight = torch.randn(BATCH, STEPS, HIDDEN, generator=torch.Generator().manual_seed(3))

    def gradients(run) -> list[torch.Tensor]:
        inputs = [t.clone().requires_grad_() for t in (x, *random_state(cell))]
        outputs, _ = run(cell, inputs[0], tuple(inputs[1:]))
        return torch.autograd.grad((outputs * weight).sum(), [*inputs, *cell.parameters()])

    fused = gradients(lambda cell, x, state: cell.run(x, state))
    written_out = gradients(stepped)
    assert len(fused) == 1 + len(random_state(cell)) + 4
    for ours, theirs in zip(written_out, fused, strict=True):
        assert theirs.abs().max() > 1e-3
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_gradients_flow_in_evaluation_mode(cell, x):
    cell.eval()
    x.requires_grad_()
    outputs, _ = stepped(cell, x, cell.start(BATCH))
    outputs[:, -1].sum().backward()
    assert (x.grad[:, 0].abs() > 0).all()


def test_a_short_row_ends_with_the_state_after_its_own_last_step(cell, x):
    lengths = torch.tensor([2, 7, 4])
    _, last = cell.run(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    for row, length in enumerate(lengths):
        _, alone = stepped(cell, x[row : row + 1, :length], cell.start(1))
        torch.testing.assert_close(tuple(s[row : row + 1] for s in last), alone, rtol=0, atol=1e-5)


def test_it_starts_from_zeros(cell, x):
    state = cell.start(BATCH)
    assert [s.shape for s in state] == [(BATCH, HIDDEN)] * len(random_state(cell))
    assert not any(s.any() for s in state)
    torch.testing.assert_close(cell.run(x), cell.run(x, state))


# --- the gates ----------------------------------------------------------------------------------


def test_the_gates_of_an_lstm_make_its_state(x):
    lstm = LSTM(INPUT, HIDDEN)
    h, c = random_state(lstm)
    (h_new, c_new), gates = lstm.step(x[:, 0], (h, c))
    torch.testing.assert_close(c_new, gates.f * c + gates.i * gates.g)
    torch.testing.assert_close(h_new, gates.o * c_new.tanh())


def test_the_gates_of_a_gru_make_its_state(x):
    gru = GRU(INPUT, HIDDEN)
    (h,) = random_state(gru)
    (h_new,), gates = gru.step(x[:, 0], (h,))
    torch.testing.assert_close(h_new, (1 - gates.z) * gates.n + gates.z * h)


@pytest.mark.parametrize(("kind", "names"), [("lstm", "ifgo"), ("gru", "rzn")])
def test_the_gates_are_those_of_their_names(x, kind, names):
    """Each gate is driven to its limit by its own block of the bias, in torch's order."""
    cell = CELLS[kind](INPUT, HIDDEN)
    for block, name in enumerate(names):
        with torch.no_grad():
            cell.bias_ih_l0.zero_()
            cell.bias_ih_l0[block * HIDDEN : (block + 1) * HIDDEN] = 50.0
        _, gates = cell.step(x[:, 0], random_state(cell))
        assert {n for n in names if (getattr(gates, n) > 0.999).all()} == {name}


def test_a_closed_reset_gate_hides_the_old_state_from_the_candidate(x):
    gru = GRU(INPUT, HIDDEN)
    with torch.no_grad():
        gru.bias_hh_l0.zero_()  # the bias of the old state's share is reset with it
        gru.bias_ih_l0[:HIDDEN] = -50.0
    _, one = gru.step(x[:, 0], random_state(gru, 2))
    _, other = gru.step(x[:, 0], random_state(gru, 3))
    torch.testing.assert_close(one.n, other.n)


def test_a_plain_rnn_has_no_gates(x):
    rnn = CELLS["rnn"](INPUT, HIDDEN)
    _, gates = rnn.step(x[:, 0], random_state(rnn))
    assert gates._fields == ()
