"""The screen: a Gradio page around `s2vt_model.captioner`. Nothing here imports torch at import time."""

import os

# Gradio and huggingface_hub read these when they are imported. Nothing a visitor does is reported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
