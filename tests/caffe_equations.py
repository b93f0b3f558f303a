"""What Caffe's layers compute, step by step in NumPy, from its sources: nothing of the model's code, nor of PyTorch."""

import numpy as np

Layers = dict[str, list[np.ndarray]]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


class CaffeLSTM:
    """`lstm_layer.cpp` and `lstm_unit_layer.cpp`, one stream, one time step a call; the state is kept between calls."""

    def __init__(self, w_xc: np.ndarray, b_c: np.ndarray, w_hc: np.ndarray):
        self.w_xc, self.b_c, self.w_hc = w_xc, b_c, w_hc
        self.h = self.c = np.full(w_hc.shape[1], 7.0)  # what a video before has left there

    def step(self, x: np.ndarray, cont: int) -> np.ndarray:
        gate_input = self.w_hc @ (cont * self.h) + self.w_xc @ x + self.b_c
        size = len(self.h)
        i = sigmoid(gate_input[0 * size : 1 * size])
        f = sigmoid(gate_input[1 * size : 2 * size])
        o = sigmoid(gate_input[2 * size : 3 * size])
        g = np.tanh(gate_input[3 * size : 4 * size])
        self.c = cont * (f * self.c) + i * g
        self.h = o * np.tanh(self.c)
        return self.h


class CaffeS2VT:
    """`s2vt.words_to_preds.deploy.prototxt`: a frame, a word, cont and stage in; the words' probabilities out."""

    def __init__(self, layers: Layers, dtype: type = np.float64):
        layers = {name: [b.astype(dtype, copy=False) for b in blobs] for name, blobs in layers.items()}
        self.embed_encoder, self.predict = layers["embed_encoder"], layers["predict"]
        (self.embedding,) = layers["embedding"]
        self.lstm1, self.lstm2 = CaffeLSTM(*layers["lstm1"]), CaffeLSTM(*layers["lstm2"])

    def step(self, frame_fc7: np.ndarray, word: int, cont: int, stage: int) -> np.ndarray:
        weight, bias = self.embed_encoder
        hidden1 = self.lstm1.step(weight @ frame_fc7 + bias, cont)
        concat = np.concatenate([hidden1, self.embedding[word], [stage]])
        weight, bias = self.predict
        scores = weight @ self.lstm2.step(concat, cont) + bias
        exponentials = np.exp(scores - scores.max())
        return exponentials / exponentials.sum()

    def probabilities(self, frames: np.ndarray, words: list[int]) -> np.ndarray:
        """Read `frames`, then write `words`: (len(words), V), the probabilities each was chosen from.

        As `s2vt_captioner.py` feeds a video, but that a word 0 does not end it.
        """
        for number, frame in enumerate(frames):
            self.step(frame, word=0, cont=int(number > 0), stage=0)
        no_frame = np.zeros_like(frames[0])
        return np.stack([self.step(no_frame, word, cont=1, stage=1) for word in [0, *words[:-1]]])


def convolution(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int = 1, pad: int = 0, group: int = 1
) -> np.ndarray:
    """(C, H, W) -> (outputs, H', W'). Outputs and inputs are cut into groups, which do not see each other."""
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    kernel = weight.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (1, 2))[:, ::stride, ::stride]
    height, width = windows.shape[1:3]
    outputs = []
    for ours, weights in zip(np.split(windows, group), np.split(weight, group), strict=True):
        columns = ours.transpose(0, 3, 4, 1, 2).reshape(-1, height * width)
        outputs.append((weights.reshape(len(weights), -1) @ columns).reshape(-1, height, width))
    return np.concatenate(outputs) + bias[:, None, None]


def max_pool(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """(C, H, W) -> (C, ⌈(H - kernel) / stride⌉ + 1, …): `pooling_layer.cpp` lets the last window stick out."""
    height, width = (-(-(size - kernel) // stride) + 1 for size in x.shape[1:])
    out = np.empty((len(x), height, width), x.dtype)
    for i, j in np.ndindex(height, width):
        window = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        out[:, i, j] = window.max(axis=(1, 2))
    return out


def lrn(x: np.ndarray, size: int = 5, alpha: float = 1e-4, beta: float = 0.75) -> np.ndarray:
    """`lrn_layer.cpp`, ACROSS_CHANNELS: each value by the power of the squares of its channel's neighbours."""
    out = np.empty_like(x)
    for c in range(len(x)):
        neighbours = x[max(c - size // 2, 0) : c + size // 2 + 1]
        out[c] = x[c] / (1 + alpha / size * (neighbours**2).sum(axis=0)) ** beta
    return out


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def vgg16_fc7(x: np.ndarray, layers: Layers) -> np.ndarray:
    """(3, 224, 224) -> fc7 after its ReLU."""
    for stage, count in enumerate([2, 2, 3, 3, 3], 1):
        for k in range(1, count + 1):
            x = relu(convolution(x, *layers[f"conv{stage}_{k}"], pad=1))
        x = max_pool(x, 2, 2)
    for name in ("fc6", "fc7"):
        weight, bias = layers[name]
        x = relu(weight @ x.reshape(-1) + bias)
    return x


def flow_fc6(x: np.ndarray, layers: Layers) -> tuple[np.ndarray, list[int]]:
    """(3, 227, 227) -> fc6 after its ReLU, and the side of the map after each convolution and pooling."""
    sides = []

    def seen(x: np.ndarray) -> np.ndarray:
        sides.append(x.shape[-1])
        return x

    x = seen(relu(convolution(x, *layers["conv1"], stride=2)))
    x = lrn(seen(max_pool(x, 3, 2)))
    x = seen(relu(convolution(x, *layers["conv2"], stride=2, group=2)))
    x = lrn(seen(max_pool(x, 3, 2)))
    x = relu(convolution(x, *layers["conv3"], pad=1))
    x = relu(convolution(x, *layers["conv4"], pad=1, group=2))
    x = seen(relu(convolution(x, *layers["conv5"], pad=1, group=2)))
    x = seen(max_pool(x, 3, 2))
    weight, bias = layers["fc6"]
    return relu(weight @ x.reshape(-1) + bias), sides


def preprocess(frame: np.ndarray, size: int, kept_of_256: int, means_bgr: tuple[float, float, float]) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (3, size, size) BGR, as `extract_vgg_features.py` feeds frames.

    A margin is cut off, and what is left resized between the four nearest pixels, pixels being squares.
    """
    ratio = (256.0 - kept_of_256) / 256.0 / 2
    top, left = (int(side * ratio + 0.5) for side in frame.shape[:2])
    x = frame[top:-top, left:-left].astype(np.float64)
    for axis in (0, 1):
        side = x.shape[axis]
        centres = np.clip((np.arange(size) + 0.5) * side / size - 0.5, 0, side - 1)
        low = np.floor(centres).astype(int)
        share = (centres - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        x = (1 - share) * x.take(low, axis) + share * x.take(np.minimum(low + 1, side - 1), axis)
    return x[:, :, ::-1].transpose(2, 0, 1) - np.array(means_bgr)[:, None, None]
