"""The authors' flow CNN: an AlexNet that looks at images of optical flow.

    flow image (B, 3, 227, 227): magnitude, y, x; each 0..255 less 128
      conv1   96, 7×7 / 2           111     pool, normalise    55
      conv2  384, 5×5 / 2, 2 groups  26     pool, normalise    13
      conv3  512, 3×3                13
      conv4  512, 3×3, 2 groups      13
      conv5  384, 3×3, 2 groups      13     pool                6
      fc6   4096                                               (B, 4096): the feature
      fc7   4096, fc8  101 actions of UCF-101

S2VT takes it from LRCN (Donahue et al., CVPR 2015), where it was learned: CaffeNet with the first kernels
of Zeiler & Fergus 2014, started from ImageNet and trained further on UCF-101's flow. Poolings are 3×3 / 2
and, as Caffe's do, let the last window stick out: 26 becomes 13, where PyTorch's own way gives 12.
Responses are normalised across five channels (Krizhevsky et al. 2012, section 3.3).

The paper reads S2VT's flow from fc6, after its ReLU, and so does this; fc7 and fc8 are only for `classify`.
"""

from torch import Tensor, nn

FEATURE_SIZE = 4096
INPUT_SIZE = 227
UCF101_CLASSES = 101


class CaffeNetFlow(nn.Module):
    """Flow images -> fc6. Layers are called as in the authors' files, but for fc8 (`fc8-ucf`)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 7, stride=2)
        self.conv2 = nn.Conv2d(96, 384, 5, stride=2, groups=2)
        self.conv3 = nn.Conv2d(384, 512, 3, padding=1)
        self.conv4 = nn.Conv2d(512, 512, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(512, 384, 3, padding=1, groups=2)
        self.fc6 = nn.Linear(384 * 6 * 6, FEATURE_SIZE)
        self.fc7 = nn.Linear(FEATURE_SIZE, 4096)
        self.fc8 = nn.Linear(4096, UCF101_CLASSES)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.normalise = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)  # alpha is shared by the five

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 227, 227) in BGR of flow images, less 128 -> (B, 4096), not negative."""
        x = self.normalise(self.pool(self.conv1(x).relu()))
        x = self.normalise(self.pool(self.conv2(x).relu()))
        x = self.conv3(x).relu()
        x = self.conv4(x).relu()
        x = self.pool(self.conv5(x).relu())
        return self.fc6(x.flatten(1)).relu()

    def classify(self, features: Tensor) -> Tensor:
        """(B, 4096) -> (B, 101) logits of UCF-101's actions."""
        return self.fc8(self.fc7(features).relu())
