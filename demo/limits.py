"""What visitors may use up, in one place."""

MAX_UPLOAD_MB = 200
UPLOADS_LIFETIME_S = 2 * 3600  # longer than a full queue takes, or files would go while they wait
CLEAN_UP_EVERY_S = 600
MAX_WAITING = 40  # jobs in the queue; a class of thirty fits
MAX_SESSIONS = 200  # visitors whose features are kept
WRITERS = 4  # re-decodings at a time; each takes milliseconds
CNN = "cnn"  # events of this group run one at a time: they share the processor
